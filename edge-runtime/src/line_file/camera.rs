//! The line file's `[camera]` table.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// Where frames come from.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(tag = "source", rename_all = "lowercase", deny_unknown_fields)]
#[non_exhaustive]
pub enum CameraConfig {
    /// A V4L2 device.
    V4l2(V4l2Config),
    /// A camera that nokhwa can open, such as a workstation's webcam; for testing and for collecting photos.
    Nokhwa(NokhwaConfig),
    /// Image files, for dry runs.
    Folder {
        /// A folder, file or pattern, relative to the line file. The images come in name order.
        path: PathBuf,
        /// Frames per second.
        #[serde(default = "default_fps")]
        fps: f64,
        /// Whether to start again after the last image; if not, the camera ends there.
        #[serde(default = "yes")]
        repeat: bool,
    },
    /// A generated moving test pattern, for dry runs.
    Pattern {
        /// Width in pixels.
        width: u32,
        /// Height in pixels.
        height: u32,
        /// Frames per second.
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

/// A V4L2 camera and the controls locked on it.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct V4l2Config {
    /// The device, such as `/dev/video0` or a link in `/dev/v4l/by-id`.
    pub device: PathBuf,
    /// Pixel format of the frames.
    pub format: PixelFormat,
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// Frames per second.
    #[serde(default = "default_fps")]
    pub fps: f64,
    /// Exposure time in milliseconds; automatic by default.
    #[serde(default)]
    pub exposure_ms: Option<f64>,
    /// Gain in the camera's units.
    #[serde(default)]
    pub gain: Option<i64>,
    /// White balance in kelvin; automatic by default.
    #[serde(default)]
    pub white_balance_k: Option<i64>,
    /// Focus in the camera's units; automatic by default.
    #[serde(default)]
    pub focus: Option<i64>,
}

/// A camera opened through nokhwa.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NokhwaConfig {
    /// The camera's index, such as 0 for `/dev/video0`.
    #[serde(default)]
    pub index: u32,
    /// Pixel format of the frames.
    pub format: PixelFormat,
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// Frames per second; nokhwa accepts only whole numbers.
    #[serde(default = "default_fps")]
    pub fps: f64,
}

/// The format in which a camera sends pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum PixelFormat {
    /// Motion JPEG.
    Mjpeg,
    /// Packed YUV 4:2:2.
    Yuyv,
    /// 8-bit grey.
    Grey,
}
