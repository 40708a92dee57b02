//! Whatever the crate nokhwa opens, such as a workstation's webcam: for collecting photos, and for trying a line.
//!
//! | file | what it holds |
//! |---|---|
//! | `camera` | a camera that streams |
//! | `stamp` | its capture times |

#[cfg(feature = "nokhwa")]
mod camera;
// Tested in every build.
#[cfg(any(feature = "nokhwa", test))]
mod stamp;

#[cfg(feature = "nokhwa")]
pub use camera::NokhwaCamera;

/// What nokhwa 0.10 can't do, a sentence each. `source = "v4l2"` does all of it.
pub const LIMITS: [&str; 5] = [
    "nokhwa drops the driver's frame numbers: frames that are lost can't be counted",
    "nokhwa drops the driver's error flag and the number of bytes used: the rest of a damaged JPEG can be the end of an \
     older picture, and rows with padding are read wrongly",
    "nokhwa has no time-out: a camera that hangs is told as silent, but not opened again",
    "nokhwa locks no exposure, gain, white balance or focus here: what the camera changes by itself changes the scores",
    "nokhwa opens no grey cameras; use source = \"v4l2\" for these, and for every line",
];
