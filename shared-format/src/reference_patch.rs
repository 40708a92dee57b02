//! An area in view whose brightness and colour are known, by which a frame's light is corrected.

use serde::{Deserialize, Serialize};

use crate::recipe::Roi;

/// An area of the frame that looks the same in every frame unless the light changes, such as a grey card beside the part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReferencePatch {
    /// The area, in pixels of the upright frame.
    pub area: Roi,
    /// The area's mean red, green and blue over the normals, in 65535ths of the largest value that a frame can have; equal for grey
    /// frames.
    pub mean: [u16; 3],
}

impl ReferencePatch {
    pub(crate) fn is_valid(&self) -> bool {
        self.area.is_valid() && !self.mean.contains(&0)
    }
}
