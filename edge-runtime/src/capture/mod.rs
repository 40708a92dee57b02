//! Capture: frames from a camera, or from what stands in for one.
//!
//! | module | what it holds |
//! |---|---|
//! | `interface` | what a camera is, and why there is none |
//! | `open` | the camera of a line file |
//! | `captured` | one frame as the camera gave it, decoded once and only when asked |
//! | `raw` | raw pixels of cameras → frame |
//! | `folder`, `pattern` | image files, or a picture made on the spot, in place of a camera |
//! | `pace` | so many frames a second |
//! | `v4l2` | cameras (feature `camera`) |
//! | [`nokhwa`] | whatever nokhwa opens, for trying and collecting (feature `nokhwa`) |
//! | `filled` | a filled buffer of a camera → what was captured |
//! | [`luma`] | brightness of a frame, sampled on a coarse grid |
//! | `ring` | the last frames, and waiting for the first one after a trigger |
//! | `watch` | repeated, frozen, black and burnt-out pictures |
//! | `thread` | keeps the camera going: takes every frame, re-opens what was lost |
//!
//! A camera's time stamps count on the monotonic clock, so that a trigger and the frame exposed after it meet by time
//! and not by order of arrival.

mod captured;
// What is pure about cameras is tested in every build.
#[cfg(any(feature = "camera", feature = "nokhwa", test))]
mod filled;
mod folder;
mod interface;
pub mod luma;
pub mod nokhwa;
mod open;
mod pace;
mod pattern;
mod raw;
mod ring;
mod thread;
#[cfg(any(feature = "camera", test))]
mod v4l2;
mod watch;

pub use captured::{Captured, Data};
pub use folder::Folder;
pub use interface::{Camera, CaptureError};
pub use open::open;
pub use pattern::Pattern;
pub use ring::{Counts, FrameRing, NoFrame};
pub use thread::{Capture, Stats};
pub use watch::CameraState;
