//! V4L2 cameras.
//!
//! | file | what it holds |
//! |---|---|
//! | `camera` | a camera that streams |
//! | `device` | the device node, with its controls |
//! | `stamp` | when a filled buffer was captured |
//! | `controls` | exposure, gain, white balance and focus: locked, read back, watched |
//!
//! This uses `v4l`, the crate beneath nokhwa, which drops what a line can't do without: see [`super::nokhwa::LIMITS`].

#[cfg(feature = "camera")]
mod camera;
mod controls;
#[cfg(feature = "camera")]
mod device;
mod stamp;

#[cfg(feature = "camera")]
pub use camera::V4l2Camera;
