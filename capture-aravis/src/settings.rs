//! The line file's values, set on the camera and read back.

use std::ffi::c_int;

use frame_channel::{AravisCamera, PixelFormat};

use crate::library::{ErrorPlace, Functions, Library, Object, c_text};

/// `ARV_AUTO_OFF`.
const AUTO_OFF: c_int = 0;
/// `ARV_ACQUISITION_MODE_CONTINUOUS`.
const CONTINUOUS: c_int = 0;
/// `ARV_GV_STREAM_OPTION_PACKET_SOCKET_DISABLED`.
const NO_PACKET_SOCKET: c_int = 1;
/// The bootstrap register with the heartbeat's time-out in milliseconds, which every GigE Vision camera has (GigE Vision 2.2).
const HEARTBEAT_TIMEOUT: u64 = 0x0938;
/// Cameras round values to steps of their own; what is off by more is another value.
const ROUNDING: f64 = 0.02;
/// Steps of short exposures, in microseconds.
const EXPOSURE_STEP: f64 = 20.0;

/// Returns the names of a format: that of the current naming convention (PFNC 2.x), and those of older cameras.
const fn names(format: PixelFormat) -> &'static [&'static str] {
    match format {
        PixelFormat::Grey => &["Mono8"],
        PixelFormat::Rgb24 => &["RGB8", "RGB8Packed"],
        PixelFormat::Yuyv => &["YUV422_8", "YCbCr422_8", "YUYVPacked", "YUV422_YUYV_Packed"],
        PixelFormat::Uyvy => &["YUV422_8_UYVY", "YUV422Packed"],
        PixelFormat::BayerRggb => &["BayerRG8"],
        PixelFormat::BayerBggr => &["BayerBG8"],
        PixelFormat::BayerGbrg => &["BayerGB8"],
        PixelFormat::BayerGrbg => &["BayerGR8"],
        _ => &[],
    }
}

/// Returns the bytes of a frame.
pub(crate) fn frame_bytes(camera: &AravisCamera) -> u64 {
    let of_pixel = match camera.format {
        PixelFormat::Rgb24 => 3,
        PixelFormat::Yuyv | PixelFormat::Uyvy => 2,
        _ => 1,
    };
    u64::from(camera.width) * u64::from(camera.height) * of_pixel
}

/// An open camera that is being set up.
pub(crate) struct Settings<'a> {
    pub(crate) library: &'a Library,
    pub(crate) camera: Object,
    pub(crate) wanted: &'a AravisCamera,
}

impl Settings<'_> {
    /// Sets everything that the line file names.
    ///
    /// # Errors
    /// A sentence that names the key, if the camera refuses a value or gives another.
    pub(crate) fn apply(&self) -> Result<(), String> {
        self.control()?;
        // A process that was killed leaves its camera sending, to an address where nobody listens. One that doesn't send may refuse to stop.
        // SAFETY: the camera is open.
        let _ = self.library.call(|f, error| unsafe { (f.arv_camera_stop_acquisition)(self.camera, error) });
        self.format()?;
        self.region()?;
        self.pace()?;
        self.exposure()?;
        self.gain()?;
        self.network()
    }

    /// Returns one sentence for each value that no longer is what was set, or that the camera adjusts by itself.
    pub(crate) fn warnings(&self) -> Vec<String> {
        let (wanted, camera) = (self.wanted, self.camera);
        let mut warnings = vec![];
        let mut check = |key: &str, wanted: Option<f64>, found: Result<f64, String>, step: f64| {
            let Some(wanted) = wanted else { return };
            match found {
                Ok(found) if is_near(wanted, found, step) => {}
                Ok(found) => warnings.push(format!(
                    "camera.{key} is {found} instead of {wanted}; the scores are not comparable"
                )),
                Err(e) => warnings.push(format!("camera.{key} can't be read: {e}")),
            }
        };
        let exposure = self.exposure_us().map(|us| us / 1000.0);
        // A camera that is gone takes seconds to not answer: it is asked once.
        let answers = exposure.is_ok();
        check("exposure_ms", wanted.exposure_ms, exposure, EXPOSURE_STEP / 1000.0);
        if !answers {
            return warnings;
        }
        if wanted.gain.is_some() {
            check("gain", wanted.gain, self.read_gain(), 0.05);
        }
        // SAFETY: the camera is open.
        let exposure_auto =
            || self.library.call(|f, error| unsafe { (f.arv_camera_get_exposure_time_auto)(camera, error) });
        // SAFETY: as above.
        let gain_auto =
            || self.library.call(|f, error| unsafe { (f.arv_camera_get_gain_auto)(camera, error) });
        if self.has("ExposureAuto") && exposure_auto().is_ok_and(|auto| auto != AUTO_OFF) {
            warnings.push("the camera adjusts its exposure by itself; give camera.exposure_ms".to_owned());
        }
        if self.has("GainAuto") && gain_auto().is_ok_and(|auto| auto != AUTO_OFF) {
            warnings.push("the camera adjusts its gain by itself; give camera.gain".to_owned());
        }
        warnings
    }

    /// Returns the exposure time in microseconds.
    pub(crate) fn exposure_us(&self) -> Result<f64, String> {
        // SAFETY: the camera is open.
        self.library.call(|f, error| unsafe { (f.arv_camera_get_exposure_time)(self.camera, error) })
    }

    fn read_gain(&self) -> Result<f64, String> {
        // SAFETY: the camera is open.
        self.library.call(|f, error| unsafe { (f.arv_camera_get_gain)(self.camera, error) })
    }

    /// Sets one value.
    fn set<T>(
        &self,
        function: impl FnOnce(&Functions) -> unsafe extern "C" fn(Object, T, ErrorPlace),
        value: T,
    ) -> Result<(), String> {
        // SAFETY: the camera is open, and functions of this type refuse values that make no sense.
        self.library.call(|f, error| unsafe { function(f)(self.camera, value, error) })
    }

    /// Whether the camera has a feature.
    fn has(&self, feature: &str) -> bool {
        let Ok(feature) = c_text(feature) else { return false };
        // SAFETY: the camera is open, and the name ends with a zero.
        let has = self.library.call(|f, error| unsafe {
            (f.arv_camera_is_feature_available)(self.camera, feature.as_ptr(), error)
        });
        has.is_ok_and(|has| has != 0)
    }

    fn format(&self) -> Result<(), String> {
        let mut last = "this program can't read it".to_owned();
        for name in names(self.wanted.format) {
            let name = c_text(name)?;
            // SAFETY: the camera is open, and the name ends with a zero.
            let set = self.library.call(|f, error| unsafe {
                (f.arv_camera_set_pixel_format_from_string)(self.camera, name.as_ptr(), error)
            });
            match set {
                Ok(()) => return Ok(()),
                Err(e) => last = e,
            }
        }
        let key = self.wanted.format.key();
        Err(format!("the camera refuses camera.format = {key:?}: {last}; give one of its formats"))
    }

    fn region(&self) -> Result<(), String> {
        let AravisCamera { x, y, width, height, .. } = *self.wanted;
        let number = |value: u32| c_int::try_from(value).map_err(|_| format!("{value} is too large"));
        let wanted = [number(x)?, number(y)?, number(width)?, number(height)?];
        let [left, top, right, bottom] = wanted;
        // SAFETY: the camera is open.
        let set = self.library.call(|f, error| unsafe {
            (f.arv_camera_set_region)(self.camera, left, top, right, bottom, error)
        });
        let mut found = [0; 4];
        let [a, b, c, d] = &mut found;
        // SAFETY: the camera is open, and the four places are.
        let read = self
            .library
            .call(|f, error| unsafe { (f.arv_camera_get_region)(self.camera, a, b, c, d, error) });
        set.and(read).map_err(|e| {
            format!("the camera refuses the region: {e}; correct x, y, width and height in [camera]")
        })?;
        if found != wanted {
            let [x, y, width, height] = found;
            return Err(format!(
                "the camera gives the region {width} × {height} at {x}, {y}; correct x, y, width and height in [camera] (most \
                 cameras take multiples of 4 or 16)"
            ));
        }
        Ok(())
    }

    /// Free-running with a rate, or by a trigger.
    fn pace(&self) -> Result<(), String> {
        let camera = self.camera;
        self.set(|f| f.arv_camera_set_acquisition_mode, CONTINUOUS)
            .map_err(|e| format!("the camera can't run continuously: {e}"))?;
        match &self.wanted.trigger {
            Some(input) => {
                let name = c_text(input)?;
                // SAFETY: the camera is open, and the name ends with a zero.
                self.library
                    .call(|f, error| unsafe { (f.arv_camera_set_trigger)(camera, name.as_ptr(), error) })
                    .map_err(|e| {
                        format!("the camera refuses camera.trigger = {input:?}: {e}; give one of its inputs")
                    })
            }
            None => {
                let fps = self.wanted.fps;
                // SAFETY: the camera is open.
                let cleared =
                    self.library.call(|f, error| unsafe { (f.arv_camera_clear_triggers)(camera, error) });
                // SAFETY: as above.
                let set = self
                    .library
                    .call(|f, error| unsafe { (f.arv_camera_set_frame_rate)(camera, fps, error) });
                cleared.and(set).map_err(|e| format!("the camera refuses camera.fps = {fps}: {e}"))
            }
        }
    }

    fn exposure(&self) -> Result<(), String> {
        let Some(ms) = self.wanted.exposure_ms else { return Ok(()) };
        let refused = |e: String| format!("the camera refuses camera.exposure_ms = {ms}: {e}");
        if self.has("ExposureAuto") {
            self.set(|f| f.arv_camera_set_exposure_time_auto, AUTO_OFF).map_err(refused)?;
        }
        self.set(|f| f.arv_camera_set_exposure_time, ms * 1000.0).map_err(refused)?;
        let found = self.exposure_us().map_err(refused)?;
        if !is_near(ms * 1000.0, found, EXPOSURE_STEP) {
            return Err(refused(format!("it exposes for {} ms", found / 1000.0)));
        }
        Ok(())
    }

    fn gain(&self) -> Result<(), String> {
        let Some(gain) = self.wanted.gain else { return Ok(()) };
        let refused = |e: String| format!("the camera refuses camera.gain = {gain}: {e}");
        if self.has("GainAuto") {
            self.set(|f| f.arv_camera_set_gain_auto, AUTO_OFF).map_err(refused)?;
        }
        self.set(|f| f.arv_camera_set_gain, gain).map_err(refused)?;
        let found = self.read_gain().map_err(refused)?;
        if !is_near(gain, found, 0.05) {
            return Err(refused(format!("it gives {found}")));
        }
        Ok(())
    }

    /// Whether the camera is on the network.
    fn is_gige(&self) -> bool {
        // SAFETY: the camera is open.
        unsafe { (self.library.functions.arv_camera_is_gv_device)(self.camera) != 0 }
    }

    /// Aravis also opens a camera that another program controls: it could be read, and would stop sending whenever the other ends.
    fn control(&self) -> Result<(), String> {
        let f = &self.library.functions;
        // SAFETY: the device belongs to the open camera, and is one of GigE Vision.
        let is_ours = !self.is_gige()
            || unsafe { (f.arv_gv_device_is_controller)((f.arv_camera_get_device)(self.camera)) != 0 };
        is_ours.then_some(()).ok_or_else(|| {
            "another program holds the camera, or one that held it was killed: it is free again after its heartbeat's time-out \
             (camera.heartbeat_ms)"
                .to_owned()
        })
    }

    fn network(&self) -> Result<(), String> {
        let camera = self.camera;
        if !self.is_gige() {
            return Ok(());
        }
        // Root would otherwise read the interface itself, past the system's firewall, and see nothing on loopback. The service has no right to, and
        // what is tested is what runs.
        // SAFETY: the camera is open.
        unsafe { (self.library.functions.arv_camera_gv_set_stream_options)(camera, NO_PACKET_SOCKET) };
        match self.wanted.packet_bytes {
            Some(bytes) => {
                let size = c_int::try_from(bytes).map_err(|e| e.to_string())?;
                self.set(|f| f.arv_camera_gv_set_packet_size, size)
                    .map_err(|e| format!("the camera refuses camera.packet_bytes = {bytes}: {e}"))?;
            }
            None => {
                // SAFETY: the camera is open.
                let found = self
                    .library
                    .call(|f, error| unsafe { (f.arv_camera_gv_auto_packet_size)(camera, error) });
                found.map_err(|e| {
                    format!("no packet size gets through: {e}; give camera.packet_bytes = 1400")
                })?;
            }
        }
        let Some(ms) = self.wanted.heartbeat_ms else { return Ok(()) };
        // SAFETY: the device belongs to the open camera.
        let written = self.library.call(|f, error| unsafe {
            (f.arv_device_write_register)((f.arv_camera_get_device)(camera), HEARTBEAT_TIMEOUT, ms, error)
        });
        match written {
            Ok(is_written) if is_written != 0 => Ok(()),
            Ok(_) => Err(format!("the camera refuses camera.heartbeat_ms = {ms}")),
            Err(e) => Err(format!("the camera refuses camera.heartbeat_ms = {ms}: {e}")),
        }
    }
}

fn is_near(wanted: f64, found: f64, step: f64) -> bool {
    (wanted - found).abs() <= (wanted.abs() * ROUNDING).max(step)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_camera_rounds_is_near_and_another_value_is_not() {
        assert!(is_near(5000.0, 5013.0, 20.0) && is_near(30.0, 44.0, 20.0) && is_near(0.0, 0.01, 0.05));
        assert!(!is_near(5000.0, 5200.0, 20.0) && !is_near(0.0, 1.0, 0.05) && !is_near(1.0, f64::NAN, 9.0));
    }

    #[test]
    fn every_format_of_a_bare_sensor_has_a_name_and_a_size() {
        for format in PixelFormat::ALL {
            let is_raw = !matches!(format, PixelFormat::Mjpeg | PixelFormat::Nv12);
            assert_eq!(!names(format).is_empty(), is_raw, "{format:?}");
        }
    }
}
