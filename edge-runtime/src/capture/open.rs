//! Opens the camera of a line file.

use shared_format::Size;

use super::process::ProcessCamera;
use super::{CaptureError, Folder, FrameSource, Pattern};
use crate::line_file;

/// Opens the camera of a line file. Images in a folder are refused based on their header if they are larger than
/// `max_size` (if given), and frames of a V4L2 or nokhwa camera if they are larger than its size in the line file.
///
/// # Errors
/// [`CaptureError`] if the camera is absent, lacks the format, or refuses a control.
pub fn open(
    camera: &line_file::CameraConfig,
    max_size: Option<Size>,
) -> Result<Box<dyn FrameSource>, CaptureError> {
    match camera {
        line_file::CameraConfig::Folder { path, fps, repeat } => {
            Ok(Box::new(Folder::open(path, *fps, *repeat, max_size)?))
        }
        line_file::CameraConfig::Pattern { width, height, fps } => {
            let size = Size { width: *width, height: *height };
            Ok(Box::new(Pattern::new(size, *fps)))
        }
        line_file::CameraConfig::Process(settings) => Ok(Box::new(ProcessCamera::open(settings, max_size)?)),
        line_file::CameraConfig::Aravis(_) => Err(CaptureError::OnlyInProcess),
        #[cfg(feature = "nokhwa")]
        line_file::CameraConfig::Nokhwa(settings) => {
            Ok(Box::new(super::nokhwa::NokhwaCamera::open(settings)?))
        }
        #[cfg(not(feature = "nokhwa"))]
        line_file::CameraConfig::Nokhwa(_) => Err(CaptureError::NoNokhwa),
        #[cfg(feature = "camera")]
        line_file::CameraConfig::V4l2(settings) => Ok(Box::new(super::v4l2::V4l2Camera::open(settings)?)),
        #[cfg(not(feature = "camera"))]
        line_file::CameraConfig::V4l2(_) => Err(CaptureError::NoSupport),
    }
}
