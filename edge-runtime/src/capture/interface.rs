//! What a camera is, and why there is none, or no frame.

use super::Captured;

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
#[non_exhaustive]
pub enum CaptureError {
    /// It has given all its frames.
    #[error("there are no more frames; set camera.repeat, or give more images")]
    End,
    /// V4L2 is not compiled in.
    #[error("this build has no camera support; build with --features camera")]
    NoSupport,
    /// nokhwa is not compiled in.
    #[error("this build opens no cameras by nokhwa; build with --features nokhwa")]
    NoNokhwa,
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
