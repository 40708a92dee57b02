//! V4L2 cameras.
//!
//! | file | what it holds |
//! |---|---|
//! | `camera` | a camera that streams |
//! | `device` | the device node, with its controls |
//! | `buffer` | a filled buffer → what was captured, and when |
//! | `controls` | exposure, gain, white balance and focus: locked, read back, watched |
//!
//! This uses `v4l`, the crate beneath nokhwa. nokhwa 0.10 hands out whole buffers without the number of bytes used in
//! them: the rest of a JPEG that was cut short is then the end of an older picture, and the mixture decodes. It also
//! drops the driver's error flag and sequence number, has no time-out, and knows no GREY.

mod buffer;
#[cfg(feature = "camera")]
mod camera;
mod controls;
#[cfg(feature = "camera")]
mod device;

#[cfg(feature = "camera")]
pub use camera::V4l2Camera;
