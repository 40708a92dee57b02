//! Opens the camera of a line file.

use shared_format::Size;

use super::{Camera, CaptureError, Folder, Pattern};
use crate::line_file;

/// Opens the camera of a line file. Frames larger than `most` (if given), or than a V4L2 camera's size in the line file,
/// are refused based on their header.
///
/// # Errors
/// [`CaptureError`] if the camera is absent, lacks the format, or refuses a control.
pub fn open(camera: &line_file::Camera, most: Option<Size>) -> Result<Box<dyn Camera>, CaptureError> {
    match camera {
        line_file::Camera::Folder { path, fps, repeat } => {
            Ok(Box::new(Folder::open(path, *fps, *repeat, most)?))
        }
        line_file::Camera::Pattern { width, height, fps } => {
            let size = Size { width: *width, height: *height };
            Ok(Box::new(Pattern::new(size, *fps)))
        }
        #[cfg(feature = "nokhwa")]
        line_file::Camera::Nokhwa(settings) => Ok(Box::new(super::nokhwa::NokhwaCamera::open(settings)?)),
        #[cfg(not(feature = "nokhwa"))]
        line_file::Camera::Nokhwa(_) => Err(CaptureError::NoNokhwa),
        #[cfg(feature = "camera")]
        line_file::Camera::V4l2(settings) => Ok(Box::new(super::v4l2::V4l2Camera::open(settings)?)),
        #[cfg(not(feature = "camera"))]
        line_file::Camera::V4l2(_) => Err(CaptureError::NoSupport),
    }
}
