//! The line file's `[camera]` table.

use std::path::PathBuf;

use frame_channel::AravisCamera;
use serde::{Deserialize, Serialize};
use shared_format::Size;

pub use frame_channel::PixelFormat;

/// Where frames come from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "source", rename_all = "lowercase", deny_unknown_fields)]
#[non_exhaustive]
pub enum CameraConfig {
    /// A V4L2 device.
    V4l2(V4l2Config),
    /// A camera that nokhwa can open, such as a workstation's webcam; for testing and for collecting photos.
    Nokhwa(NokhwaConfig),
    /// A GigE Vision or USB3 Vision camera, held by the program `capture-aravis`: only in another process, with its socket.
    Aravis(AravisCamera),
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
    /// One of the others, in a process of its own: a driver that hangs or crashes doesn't take the line with it.
    Process(ProcessConfig),
}

impl CameraConfig {
    /// Returns the frames per second.
    #[must_use]
    pub fn fps(&self) -> f64 {
        match self {
            Self::V4l2(v4l2) => v4l2.fps,
            Self::Nokhwa(nokhwa) => nokhwa.fps,
            Self::Aravis(aravis) => aravis.fps,
            Self::Folder { fps, .. } | Self::Pattern { fps, .. } => *fps,
            Self::Process(process) => process.camera.fps(),
        }
    }

    /// Returns the camera itself, which may be in another process.
    #[must_use]
    pub fn device(&self) -> &Self {
        match self {
            Self::Process(process) => process.camera.device(),
            other => other,
        }
    }

    /// Whether both are the same device, which only one of them could open. Files and patterns can be shared.
    #[must_use]
    pub fn is_same_device(&self, other: &Self) -> bool {
        // Another program may hold it, which serves one line, and one view, at a time.
        if let (Self::Process(a), Self::Process(b)) = (self, other)
            && a.socket.is_some()
            && a.socket == b.socket
        {
            return true;
        }
        let node = |camera: &Self| match camera.device() {
            Self::V4l2(v4l2) => Some(v4l2.device.canonicalize().unwrap_or_else(|_| v4l2.device.clone())),
            Self::Nokhwa(nokhwa) => Some(PathBuf::from(format!("/dev/video{}", nokhwa.index))),
            _ => None,
        };
        match (self.device(), other.device()) {
            (Self::Aravis(a), Self::Aravis(b)) => a.id == b.id,
            _ => node(self).is_some_and(|device| node(other) == Some(device)),
        }
    }

    /// Returns the program that holds this camera for lines which connect to it.
    #[must_use]
    pub const fn listening_program(&self) -> &'static str {
        match self {
            Self::Aravis(_) => "`capture-aravis --socket`",
            _ => "`edge-runtime capture --socket`",
        }
    }

    /// Returns the size of the frames in pixels, unless it depends on files.
    #[must_use]
    pub fn size(&self) -> Option<Size> {
        let (width, height) = match self {
            Self::V4l2(v4l2) => (v4l2.width, v4l2.height),
            Self::Nokhwa(nokhwa) => (nokhwa.width, nokhwa.height),
            Self::Aravis(aravis) => (aravis.width, aravis.height),
            Self::Pattern { width, height, .. } => (*width, *height),
            Self::Folder { .. } => return None,
            Self::Process(process) => return process.camera.size(),
        };
        Some(Size { width, height })
    }
}

const fn default_fps() -> f64 {
    30.0
}

const fn yes() -> bool {
    true
}

/// A V4L2 camera and the controls locked on it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
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

/// A camera in a process of its own.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProcessConfig {
    /// The camera, with the keys that it has in the line's own process.
    pub camera: Box<CameraConfig>,
    /// Where a capture process listens that was started by other means, as by the system under another user. Without it the line starts
    /// one itself.
    #[serde(default)]
    pub socket: Option<PathBuf>,
}

/// A camera opened through nokhwa.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
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
