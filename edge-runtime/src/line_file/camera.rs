//! The keys of a line file's camera.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// Where frames come from.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(tag = "source", rename_all = "lowercase", deny_unknown_fields)]
#[non_exhaustive]
pub enum Camera {
    /// A V4L2 device.
    V4l2(V4l2),
    /// Whatever nokhwa opens, such as a workstation's webcam: for trying, and for collecting photos.
    Nokhwa(Nokhwa),
    /// Image files, again and again, for dry runs.
    Folder {
        /// A folder, file or pattern, relative to the line file; in name order.
        path: PathBuf,
        /// Frames a second.
        #[serde(default = "default_fps")]
        fps: f64,
        /// Whether the first image follows the last; if not, the camera ends there.
        #[serde(default = "yes")]
        repeat: bool,
    },
    /// A moving picture made on the spot, for dry runs.
    Pattern {
        /// Pixels in a row.
        width: u32,
        /// Rows.
        height: u32,
        /// Frames a second.
        #[serde(default = "default_fps")]
        fps: f64,
    },
}

const fn default_fps() -> f64 {
    30.0
}

const fn yes() -> bool {
    true
}

/// A V4L2 camera and what is locked on it.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct V4l2 {
    /// The device, such as `/dev/video0` or a link below `/dev/v4l/by-id`.
    pub device: PathBuf,
    /// How the pixels come.
    pub format: PixelFormat,
    /// Pixels in a row.
    pub width: u32,
    /// Rows.
    pub height: u32,
    /// Frames a second.
    #[serde(default = "default_fps")]
    pub fps: f64,
    /// Exposure time in milliseconds; automatic unless given.
    #[serde(default)]
    pub exposure_ms: Option<f64>,
    /// Gain in the camera's own units.
    #[serde(default)]
    pub gain: Option<i64>,
    /// White balance in kelvin; automatic unless given.
    #[serde(default)]
    pub white_balance_k: Option<i64>,
    /// Focus in the camera's own units; automatic unless given.
    #[serde(default)]
    pub focus: Option<i64>,
}

/// A camera that nokhwa opens.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Nokhwa {
    /// Its number, such as 0 for `/dev/video0`.
    #[serde(default)]
    pub index: u32,
    /// How the pixels come.
    pub format: PixelFormat,
    /// Pixels in a row.
    pub width: u32,
    /// Rows.
    pub height: u32,
    /// Frames a second: nokhwa takes whole numbers only.
    #[serde(default = "default_fps")]
    pub fps: f64,
}

/// How a camera sends pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum PixelFormat {
    /// Motion JPEG.
    Mjpeg,
    /// YUV 4:2:2, packed.
    Yuyv,
    /// 8-bit grey.
    Grey,
}
