//! What a line asks a capture process for.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// The version of this program: the two processes must understand each other.
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// A camera, described by keys of the line file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CameraRequest<C> {
    /// The version of the line's program.
    version: String,
    /// The camera.
    pub camera: C,
    /// Width and height of the largest frame that is decoded.
    pub max_size: Option<[u32; 2]>,
}

impl<C> CameraRequest<C> {
    /// Asks for this camera.
    pub fn new(camera: C, max_size: Option<[u32; 2]>) -> Self {
        Self { version: VERSION.to_owned(), camera, max_size }
    }
}

impl<C: DeserializeOwned> CameraRequest<C> {
    /// Reads a request.
    ///
    /// # Errors
    /// A sentence for the line, if its program is of another version, or the camera makes no sense.
    pub fn read(wanted: serde_json::Value) -> Result<Self, String> {
        let version = wanted.get("version").and_then(|version| version.as_str()).unwrap_or("unknown");
        if version != VERSION {
            return Err(format!(
                "the line's program has the version {version}, and the capture process {VERSION}; restart both"
            ));
        }
        serde_json::from_value(wanted).map_err(|e| format!("the line's camera: {e}"))
    }
}

/// The format in which a camera sends pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PixelFormat {
    /// Motion JPEG.
    Mjpeg,
    /// YUV 4:2:2, packed as Y U Y V.
    Yuyv,
    /// YUV 4:2:2, packed as U Y V Y.
    Uyvy,
    /// YUV 4:2:0 in two planes.
    Nv12,
    /// 8-bit grey.
    Grey,
    /// Red, green and blue, 8 bits each.
    Rgb24,
    /// A mosaic of colour filters, 8 bits: red, green; green, blue.
    BayerRggb,
    /// The same: blue, green; green, red.
    BayerBggr,
    /// The same: green, blue; red, green.
    BayerGbrg,
    /// The same: green, red; blue, green.
    BayerGrbg,
}

impl PixelFormat {
    /// Every format.
    pub const ALL: [Self; 10] = [
        Self::Mjpeg,
        Self::Yuyv,
        Self::Uyvy,
        Self::Nv12,
        Self::Grey,
        Self::Rgb24,
        Self::BayerRggb,
        Self::BayerBggr,
        Self::BayerGbrg,
        Self::BayerGrbg,
    ];

    /// Returns the name in the line file, and between the two processes.
    #[must_use]
    pub const fn key(self) -> &'static str {
        match self {
            Self::Mjpeg => "mjpeg",
            Self::Yuyv => "yuyv",
            Self::Uyvy => "uyvy",
            Self::Nv12 => "nv12",
            Self::Grey => "grey",
            Self::Rgb24 => "rgb24",
            Self::BayerRggb => "bayer-rggb",
            Self::BayerBggr => "bayer-bggr",
            Self::BayerGbrg => "bayer-gbrg",
            Self::BayerGrbg => "bayer-grbg",
        }
    }
}

/// A camera that Aravis opens: GigE Vision or USB3 Vision.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AravisCamera {
    /// The camera as `capture-aravis --list` names it, or its network address.
    pub id: String,
    /// Pixel format of the frames.
    pub format: PixelFormat,
    /// Width of the region in pixels.
    pub width: u32,
    /// Height of the region in pixels.
    pub height: u32,
    /// Left edge of the region on the sensor, in pixels.
    #[serde(default)]
    pub x: u32,
    /// Upper edge of the region on the sensor, in pixels.
    #[serde(default)]
    pub y: u32,
    /// Frames per second; with a trigger, the most that come.
    #[serde(default = "default_fps")]
    pub fps: f64,
    /// Exposure time in milliseconds; left as it is by default.
    #[serde(default)]
    pub exposure_ms: Option<f64>,
    /// Gain in the camera's units; left as it is by default.
    #[serde(default)]
    pub gain: Option<f64>,
    /// The camera's input that starts each exposure, such as `Line1`; free-running by default.
    #[serde(default)]
    pub trigger: Option<String>,
    /// Bytes of a GigE Vision packet; Aravis finds the largest that arrives by default.
    #[serde(default)]
    pub packet_bytes: Option<u32>,
    /// How long a GigE Vision camera waits for this process before it may be opened again; left as it is by default.
    #[serde(default)]
    pub heartbeat_ms: Option<u32>,
}

const fn default_fps() -> f64 {
    30.0
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_request_of_another_version_or_with_unknown_keys_is_refused() {
        let camera = json!({ "id": "A-1", "format": "bayer-rggb", "width": 640, "height": 480 });
        let wanted = serde_json::to_value(CameraRequest::new(camera.clone(), Some([9, 8]))).unwrap();
        let read = CameraRequest::<AravisCamera>::read(wanted.clone()).unwrap();
        assert_eq!(
            (read.camera.format, read.camera.fps, read.max_size),
            (PixelFormat::BayerRggb, 30.0, Some([9, 8]))
        );
        let mut older = wanted.clone();
        older["version"] = json!("0.0.1");
        let said = CameraRequest::<AravisCamera>::read(older).unwrap_err();
        assert!(said.contains("0.0.1") && said.contains("restart both"), "{said}");
        for wrong in [json!(null), json!({}), json!([1]), json!("x")] {
            assert!(CameraRequest::<AravisCamera>::read(wrong).unwrap_err().contains("unknown"));
        }
        for (key, value) in
            [("id", json!(7)), ("format", json!("nv21")), ("width", json!(-1)), ("brightness", json!(1))]
        {
            let mut wrong = wanted.clone();
            wrong["camera"][key] = value;
            let said = CameraRequest::<AravisCamera>::read(wrong).unwrap_err();
            assert!(said.starts_with("the line's camera: "), "{said}");
        }
    }

    #[test]
    fn formats_have_the_names_that_they_are_read_by() {
        for format in PixelFormat::ALL {
            assert_eq!(serde_json::to_value(format).unwrap(), format.key());
        }
    }
}
