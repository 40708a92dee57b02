//! The camera trait, and the errors of opening a camera and waiting for its frames.

use super::CapturedFrame;

/// A source of frames, one after the other.
pub trait FrameSource: Send {
    /// Describes the camera in words.
    fn describe(&self) -> String;

    /// Waits for the next frame.
    ///
    /// # Errors
    /// [`CaptureError::End`] if there are no more frames; any other error means that the camera must be reopened.
    fn next(&mut self) -> Result<CapturedFrame, CaptureError>;

    /// Returns whether the camera may repeat a picture on purpose. A live camera's noise makes every picture different, so
    /// identical ones are stale buffers.
    fn may_repeat(&self) -> bool {
        false
    }

    /// Returns one sentence for each property that can shift scores: locked controls that no longer have the value they
    /// were set to, and properties that the camera adjusts by itself.
    fn warnings(&mut self) -> Vec<String>;
}

/// Reason why a frame, or the camera itself, is unavailable.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum CaptureError {
    /// The camera has delivered all its frames.
    #[error("there are no more frames; set camera.repeat, or provide more images")]
    End,
    /// V4L2 support is not compiled in.
    #[error("this build has no camera support; build with --features camera")]
    NoSupport,
    /// nokhwa support is not compiled in.
    #[error("this build has no nokhwa support; build with --features nokhwa")]
    NoNokhwa,
    /// Aravis is never linked with this program.
    #[error(
        "this process opens no GigE Vision or USB3 Vision camera; give camera.source = \"process\" and the socket of capture-aravis"
    )]
    OnlyInProcess,
    /// The capture process, or the camera in it, can't be used.
    #[error("{reason}")]
    Process {
        /// What it says, or why it can't be reached.
        reason: String,
    },
    /// The camera can't be opened.
    #[error(
        "cannot open the camera {camera}: {reason}; check [camera] in the line file, the cable and the permissions"
    )]
    Open {
        /// Device or path.
        camera: String,
        /// The system's message.
        reason: String,
    },
    /// The camera does not support the format or size.
    #[error(
        "the camera {camera} does not support {wanted}: it returned {found}; correct format, width and height in [camera]"
    )]
    Format {
        /// Device.
        camera: String,
        /// Format and size that the line file asks for.
        wanted: String,
        /// What the camera returned instead (or the error), and the formats that it offers.
        found: String,
    },
    /// The camera refuses the value of a control that is to be locked.
    #[error("the camera refuses camera.{key} = {wanted}: {reason}; {allowed}")]
    Control {
        /// Key in the line file.
        key: &'static str,
        /// Value in the line file.
        wanted: String,
        /// Message of the camera or the system.
        reason: String,
        /// Advice: what is allowed.
        allowed: String,
    },
    /// The camera no longer delivers frames.
    #[error("the camera stopped delivering frames: {reason}; check its cable and power")]
    Lost {
        /// The system's message.
        reason: String,
    },
}
