//! Cameras and views.

use std::collections::HashSet;

use frame_channel::AravisCamera;

use super::{Checker, MAX_MS};
use crate::line_file::camera::{CameraConfig, PixelFormat};
use crate::line_file::schema::LineFile;
use crate::line_file::views::{MAIN_VIEW, ViewConfig};

const MAX_SIDE: u32 = 16_384;
/// Views of one part, `[camera]` included.
const MAX_VIEWS: usize = 16;

impl Checker {
    pub(super) fn camera(&mut self, camera: &CameraConfig) {
        let fps = 0.01..=1000.0;
        match camera {
            CameraConfig::V4l2(v4l2) => {
                self.check_range("camera.width", v4l2.width, 1..=MAX_SIDE);
                self.check_range("camera.height", v4l2.height, 1..=MAX_SIDE);
                if v4l2.format == PixelFormat::Nv12 && (v4l2.width % 2 == 1 || v4l2.height % 2 == 1) {
                    self.report("camera.format = \"nv12\" needs an even camera.width and camera.height");
                }
                self.check_range("camera.fps", v4l2.fps, fps);
                if let Some(exposure) = v4l2.exposure_ms {
                    self.check_range("camera.exposure_ms", exposure, 0.01..=10_000.0);
                }
                if let Some(kelvin) = v4l2.white_balance_k {
                    self.check_range("camera.white_balance_k", kelvin, 1000..=20_000);
                }
            }
            CameraConfig::Nokhwa(nokhwa) => {
                self.check_range("camera.width", nokhwa.width, 1..=MAX_SIDE);
                self.check_range("camera.height", nokhwa.height, 1..=MAX_SIDE);
                self.check_range("camera.fps", nokhwa.fps, 1.0..=1000.0);
                if nokhwa.fps.fract() != 0.0 {
                    self.report(format!(
                        "camera.fps = {} is not allowed with camera.source = \"nokhwa\"; give a whole number",
                        nokhwa.fps
                    ));
                }
                if !matches!(nokhwa.format, PixelFormat::Mjpeg | PixelFormat::Yuyv) {
                    self.report(format!(
                        "camera.format = {:?} is not allowed with camera.source = \"nokhwa\"; give \"mjpeg\" or \"yuyv\", or \
                         camera.source = \"v4l2\"",
                        nokhwa.format.key()
                    ));
                }
            }
            CameraConfig::Process(process) => match &*process.camera {
                CameraConfig::Process(_) => {
                    self.report("camera.camera.source = \"process\" is not allowed: a camera is in one process; name the camera itself");
                }
                CameraConfig::Aravis(aravis) => {
                    if process.socket.is_none() {
                        self.report(
                            "camera.camera.source = \"aravis\" needs camera.socket, at which capture-aravis listens; give its path",
                        );
                    }
                    self.aravis(aravis);
                }
                device => self.camera(device),
            },
            CameraConfig::Aravis(_) => self.report(
                "camera.source = \"aravis\" is not allowed: the line has no network; give camera.source = \"process\", camera.socket and \
                 camera.camera = { source = \"aravis\", … }",
            ),
            CameraConfig::Folder { fps: given, .. } => self.check_range("camera.fps", *given, fps),
            CameraConfig::Pattern { width, height, fps: given } => {
                self.check_range("camera.width", *width, 16..=MAX_SIDE);
                self.check_range("camera.height", *height, 16..=MAX_SIDE);
                self.check_range("camera.fps", *given, fps);
            }
        }
    }

    /// Checks further views: each is a camera of its own.
    pub(super) fn views(&mut self, line: &LineFile) {
        if line.views.len() >= MAX_VIEWS {
            self.report(format!(
                "[[view]] is given {} times; give at most {}",
                line.views.len(),
                MAX_VIEWS - 1
            ));
        }
        let mut names = HashSet::from([MAIN_VIEW]);
        for view in &line.views {
            let ViewConfig { name, camera, exposure_delay_ms, within_ms, .. } = view;
            if name.is_empty()
                || name.len() > 32
                || name.contains(|c: char| c.is_whitespace() || c.is_control())
            {
                self.report(format!(
                    "view.name = {name:?} is not allowed; give 1 to 32 bytes without whitespace"
                ));
            } else if !names.insert(name) {
                self.report(format!(
                    "view.name = {name:?} is used twice; give each view its own name ([camera] has {MAIN_VIEW:?})"
                ));
            }
            let before = self.problems.len();
            self.camera(camera);
            for problem in self.problems.iter_mut().skip(before) {
                *problem = format!("view {name:?}: {problem}");
            }
            if let Some(delay) = exposure_delay_ms {
                self.check_range("view.exposure_delay_ms", *delay, -1000.0..=MAX_MS);
            }
            if let Some(within) = within_ms {
                self.check_range("view.within_ms", *within, 0.1..=60_000.0);
            }
        }
        for product in &line.products {
            for named in product.views.keys().filter(|named| line.view(named).is_none()) {
                self.report(format!(
                    "product.views names {named:?}, and no [[view]] has that name; correct it, or give the bundle of [camera] as \
                     product.bundle"
                ));
            }
        }
        let cameras: Vec<_> = line.cameras().collect();
        for (index, (name, camera)) in cameras.iter().enumerate() {
            let twin = cameras.iter().take(index).find(|(_, other)| other.is_same_device(camera));
            if let Some((twin, _)) = twin {
                self.report(format!(
                    "the views {twin:?} and {name:?} have the same camera; give each its own, or judge more frames with votes.frames"
                ));
            }
        }
    }

    fn aravis(&mut self, aravis: &AravisCamera) {
        let is_name =
            |text: &str| !text.trim().is_empty() && !text.contains(char::is_control) && text.len() <= 200;
        if !is_name(&aravis.id) {
            self.report(
                "camera.id is not a camera's name; `capture-aravis --list` prints those of connected cameras",
            );
        }
        if aravis.trigger.as_deref().is_some_and(|input| !is_name(input)) {
            self.report(
                "camera.trigger is not the name of an input; give one of the camera's, such as \"Line1\"",
            );
        }
        self.check_range("camera.width", aravis.width, 1..=MAX_SIDE);
        self.check_range("camera.height", aravis.height, 1..=MAX_SIDE);
        self.check_range("camera.x", aravis.x, 0..=MAX_SIDE);
        self.check_range("camera.y", aravis.y, 0..=MAX_SIDE);
        self.check_range("camera.fps", aravis.fps, 0.01..=1000.0);
        if let Some(exposure) = aravis.exposure_ms {
            self.check_range("camera.exposure_ms", exposure, 0.001..=10_000.0);
        }
        if let Some(gain) = aravis.gain {
            self.check_range("camera.gain", gain, -100.0..=100_000.0);
        }
        if let Some(bytes) = aravis.packet_bytes {
            self.check_range("camera.packet_bytes", bytes, 576..=16_000);
        }
        if let Some(heartbeat) = aravis.heartbeat_ms {
            self.check_range("camera.heartbeat_ms", heartbeat, 500..=60_000);
        }
        if matches!(aravis.format, PixelFormat::Mjpeg | PixelFormat::Nv12) {
            self.report(format!(
                "camera.format = {:?} is not allowed with source = \"aravis\"; give \"grey\", \"rgb24\", \"yuyv\", \"uyvy\" or a mosaic",
                aravis.format.key()
            ));
        }
    }
}
