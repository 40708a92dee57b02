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

use shared_format::Size;

pub use camera::ProcessCamera;
pub use serving::serve;

/// What a frame may have in bytes if its camera's size isn't known, as with files.
const USUAL_SLOT: u64 = 64 << 20;
/// What a compressed frame may have beyond three bytes a pixel: its headers.
const HEADERS: u64 = 64 << 10;

/// Returns what a frame of a camera may have in bytes.
fn slot_bytes(size: Option<Size>) -> u64 {
    let bytes =
        size.map_or(USUAL_SLOT, |Size { width, height }| 3 * u64::from(width) * u64::from(height) + HEADERS);
    bytes.min(frame_channel::MAX_SLOT_BYTES)
}
