//! Capture: frames from a camera, or from what stands in for one.
//!
//! | module | what it holds |
//! |---|---|
//! | `captured` | one frame as the camera gave it, decoded once and only when asked |
//! | `raw` | raw pixels of cameras → frame |
//! | `folder`, `pattern` | image files, or a picture made on the spot, in place of a camera |
//! | `pace` | so many frames a second |
//! | `v4l2` | cameras (feature `camera`) |
//! | [`luma`] | brightness of a frame, sampled on a coarse grid |
//! | `ring` | the last frames, and waiting for the first one after a trigger |
//! | `watch` | repeated, frozen, black and burnt-out pictures |
//! | `thread` | keeps the camera going: takes every frame, re-opens what was lost |
//!
//! A camera's time stamps count on the monotonic clock, so that a trigger and the frame exposed after it meet by time
//! and not by order of arrival.

mod captured;
mod folder;
pub mod luma;
mod pace;
mod pattern;
mod raw;
mod ring;
mod thread;
// Its pure parts are tested in every build.
#[cfg(any(feature = "camera", test))]
mod v4l2;
mod watch;

pub use captured::{Captured, Data};
pub use folder::Folder;
pub use pattern::Pattern;
pub use ring::{Counts, FrameRing, NoFrame};
pub use thread::{Capture, Stats};
pub use watch::CameraState;

use crate::line_file;
use shared_format::Size;

/// Something that gives frames, one after the other.
pub trait Camera: Send {
    /// What it is, in words.
    fn describe(&self) -> String;

    /// Waits for the next frame.
    ///
    /// # Errors
    /// [`CaptureError::End`] where no more will come; anything else means that it has to be opened again.
    fn next(&mut self) -> Result<Captured, CaptureError>;

    /// Whether it gives the same picture again on purpose. A live camera's noise makes each picture another one: equal
    /// ones are old buffers.
    fn may_repeat(&self) -> bool {
        false
    }

    /// What about it can move scores, one sentence each: locked controls that are no longer what they were set to,
    /// and what the camera changes by itself.
    fn warnings(&mut self) -> Vec<String>;
}

/// Why there is no frame, or no camera.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum CaptureError {
    /// It has given all its frames.
    #[error("there are no more frames; set camera.repeat, or give more images")]
    End,
    /// V4L2 is not compiled in.
    #[error("this build has no camera support; build with --features camera")]
    NoSupport,
    /// It can't be opened.
    #[error(
        "cannot open the camera {camera}: {reason}; check the line file's [camera], the cable and permissions"
    )]
    Open {
        /// Device or path.
        camera: String,
        /// What the system said.
        reason: String,
    },
    /// It has no such format or size.
    #[error(
        "the camera {camera} does not give {wanted} but {found}; correct format, width and height of [camera]"
    )]
    Format {
        /// Device.
        camera: String,
        /// Format and size that the line file asks for.
        wanted: String,
        /// What it gives instead, and what it offers.
        found: String,
    },
    /// It doesn't take the value of a control that is to be locked.
    #[error("the camera refuses camera.{key} = {wanted}: {reason}; {allowed}")]
    Control {
        /// Key of the line file.
        key: &'static str,
        /// Value in the line file.
        wanted: String,
        /// What the camera or the system said.
        reason: String,
        /// What is allowed, as an advice.
        allowed: String,
    },
    /// It gives no frame any more.
    #[error("the camera stopped giving frames: {reason}; check its cable and power")]
    Lost {
        /// What the system said.
        reason: String,
    },
}

/// Opens the camera of a line file. Frames that are larger than `most`, if that is given, or than the line file says of a
/// V4L2 camera, are refused by their header.
///
/// # Errors
/// [`CaptureError`]: not there, without the format, or refusing a control.
pub fn open(camera: &line_file::Camera, most: Option<Size>) -> Result<Box<dyn Camera>, CaptureError> {
    match camera {
        line_file::Camera::Folder { path, fps, repeat } => {
            Ok(Box::new(Folder::open(path, *fps, *repeat, most)?))
        }
        line_file::Camera::Pattern { width, height, fps } => {
            let size = Size { width: *width, height: *height };
            Ok(Box::new(Pattern::new(size, *fps)))
        }
        #[cfg(feature = "camera")]
        line_file::Camera::V4l2(settings) => Ok(Box::new(v4l2::V4l2Camera::open(settings)?)),
        #[cfg(not(feature = "camera"))]
        line_file::Camera::V4l2(_) => Err(CaptureError::NoSupport),
    }
}
