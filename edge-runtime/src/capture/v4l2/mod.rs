//! V4L2 cameras.
//!
//! | file | contents |
//! |---|---|
//! | `camera` | a streaming camera |
//! | `device` | the device node, with its controls |
//! | `timestamp` | time at which a filled buffer was captured |
//! | `controls` | exposure, gain, white balance and focus: locked, read back and monitored |
//!
//! This uses `v4l` directly, the crate beneath nokhwa, because nokhwa drops information that a line needs: see
//! [`super::nokhwa::LIMITATIONS`].

#[cfg(feature = "camera")]
mod camera;
mod controls;
#[cfg(feature = "camera")]
mod device;
mod timestamp;

#[cfg(feature = "camera")]
pub use camera::V4l2Camera;
