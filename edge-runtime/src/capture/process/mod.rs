//! Cameras in a process of their own: `edge-runtime capture`. A driver that hangs or crashes is ended or replaced with its
//! process, and the gate goes on.
//!
//! | file | contents |
//! |---|---|
//! | `camera` | the camera as the line sees it |
//! | `child` | a capture process that the line starts and ends |
//! | `serving` | the capture process |
//! | `frames` | frames in the form in which they pass between the two |

mod camera;
mod child;
mod frames;
mod serving;

use serde::{Deserialize, Serialize};
use shared_format::Size;

use crate::line_file::CameraConfig;

pub use camera::ProcessCamera;
pub use serving::serve;

/// What the line asks a capture process for.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct CameraRequest {
    /// The version of the line's program: the two must understand each other.
    version: String,
    camera: CameraConfig,
    /// Width and height of the largest frame that is decoded.
    max_size: Option<[u32; 2]>,
}

const VERSION: &str = env!("CARGO_PKG_VERSION");

impl CameraRequest {
    fn new(camera: &CameraConfig, max_size: Option<Size>) -> Self {
        let max_size = max_size.map(|size| [size.width, size.height]);
        Self { version: VERSION.to_owned(), camera: camera.clone(), max_size }
    }
}
