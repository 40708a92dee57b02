//! Cameras that the crate nokhwa opens, such as a workstation's webcam: for collecting photos and trying out a line.
//!
//! | file | contents |
//! |---|---|
//! | `camera` | a streaming camera |
//! | `timestamp` | its capture times |

#[cfg(feature = "nokhwa")]
mod camera;
// Tested in every build.
#[cfg(any(feature = "nokhwa", test))]
mod timestamp;

#[cfg(feature = "nokhwa")]
pub use camera::NokhwaCamera;

/// Limitations of nokhwa 0.10, one sentence each. `source = "v4l2"` has none of them.
pub const LIMITATIONS: [&str; 5] = [
    "nokhwa drops the driver's frame numbers: lost frames can't be counted",
    "nokhwa drops the driver's error flag and the number of bytes used: a damaged JPEG may continue with the end of an \
     older picture, and padded rows are misread",
    "nokhwa has no time-out: a hanging camera is reported as silent, but not reopened",
    "nokhwa does not lock exposure, gain, white balance or focus here: whatever the camera adjusts by itself changes the \
     scores",
    "only mjpeg and yuyv are read from nokhwa; use source = \"v4l2\" for other formats, and on every line",
];
