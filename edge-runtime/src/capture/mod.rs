//! Capture: frames from a camera or a stand-in for one.
//!
//! | module | contents |
//! |---|---|
//! | `interface` | the camera trait and its errors |
//! | `open` | opens the camera that a line file names |
//! | `captured_frame` | one frame as the camera delivered it, decoded once and only on request |
//! | `raw` | the raw formats of cameras, and how they become a frame |
//! | `folder`, `pattern` | image files, or generated pictures, in place of a camera |
//! | `frame_pacer` | keeps a fixed frame rate |
//! | `v4l2` | V4L2 cameras (feature `camera`) |
//! | [`nokhwa`] | cameras that nokhwa opens, for trials and collecting images (feature `nokhwa`) |
//! | [`process`] | cameras in a process of their own |
//! | `driver_buffer` | converts a filled camera buffer to frame data |
//! | [`luma`] | brightness of a frame, sampled on a coarse grid |
//! | `arrivals` | waiting for the next frame of any of several cameras |
//! | `ring` | the most recent frames, and waiting for the first one after a trigger |
//! | `camera_monitor` | detects repeated, frozen, black and burnt-out pictures |
//! | `thread` | keeps the camera running: takes every frame and reopens a lost camera |
//!
//! Camera timestamps use the monotonic clock, so that a trigger and the frame exposed after it are matched by time, not
//! by order of arrival.

mod arrivals;
mod camera_monitor;
mod captured_frame;
// Code that needs no camera library is tested in every build.
#[cfg(any(feature = "camera", feature = "nokhwa", test))]
mod driver_buffer;
mod folder;
mod frame_pacer;
mod interface;
pub mod luma;
pub mod nokhwa;
mod open;
mod pattern;
pub mod process;
mod raw;
mod ring;
mod thread;
#[cfg(any(feature = "camera", test))]
mod v4l2;

pub use arrivals::Arrivals;
pub use camera_monitor::{CameraState, DEFAULT_EQUAL_FRAMES};
pub(crate) use captured_frame::Undecoded;
pub use captured_frame::{CapturedFrame, FrameData};
pub use folder::Folder;
pub use interface::{CaptureError, FrameSource};
pub use open::open;
pub use pattern::Pattern;
pub use raw::{BayerPattern, RawFormat};
pub use ring::{FrameCounts, FrameRing, FrameWaitError};
pub use thread::{Capture, CaptureStats};
