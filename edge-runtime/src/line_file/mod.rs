//! The line file: a single TOML file that configures a line.
//!
//! | file | contents |
//! |---|---|
//! | `schema` | all keys except the following |
//! | `camera` | the keys of the camera |
//! | `devices` | the keys of GPIO lines, serial port and gateway socket |
//! | `views` | the keys of further cameras, and what follows from them |
//! | `encoder` | encoder settings derived from the keys |
//! | `check` | validation of values, alone and together |
//! | `template.toml` | the file that `edge-runtime init` writes: every key, explained |

mod camera;
mod check;
mod devices;
mod encoder;
mod schema;
mod views;

use std::path::{Path, PathBuf};

use judge::{ReadError, read_regular_file};

use crate::part::{UnknownZone, VoteCount};

pub use camera::{CameraConfig, NokhwaConfig, PixelFormat, ProcessConfig, V4l2Config};
pub use devices::{GpioConfig, Pin, SerialConfig, SerialFormat, SocketConfig};
pub use schema::{
    ChallengeConfig, GateConfig, HealthConfig, LineFile, Product, RecordsConfig, Safe, SigningConfig,
    ThresholdConfig, Trigger, VoteRule, VotesConfig, ZoneVotes,
};
pub use views::{MAIN_VIEW, ViewConfig, ViewTiming};

/// The file that `edge-runtime init` writes.
pub const TEMPLATE: &str = include_str!("template.toml");
/// Larger files are refused.
const MAX_BYTES: u64 = 1 << 20;

/// Why a line file can't be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LineFileError {
    /// The file can't be read.
    #[error("cannot read the line file {path}: {source}; `edge-runtime init` writes one", path = path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The system's error.
        source: std::io::Error,
    },
    /// The file isn't valid TOML, or has an unknown key or a wrong type.
    #[error("cannot parse the line file {path}: {reason}", path = path.display())]
    Syntax {
        /// The file.
        path: PathBuf,
        /// Position and description of the error.
        reason: String,
    },
    /// The file has values that are not allowed.
    #[error("the line file {path} can't be used:\n  {list}", path = path.display(), list = problems.join("\n  "))]
    Values {
        /// The file.
        path: PathBuf,
        /// One sentence per problem, with key, value and what is allowed.
        problems: Vec<String>,
    },
}

impl LineFile {
    /// Reads and checks a line file. Relative paths in it are resolved against its folder.
    ///
    /// # Errors
    /// [`LineFileError`]; it lists every value that is not allowed.
    pub fn load(path: &Path) -> Result<Self, LineFileError> {
        let bytes = read_regular_file(path, MAX_BYTES).map_err(|e| match e {
            ReadError::Io(source) => LineFileError::Io { path: path.to_owned(), source },
            e => LineFileError::Syntax { path: path.to_owned(), reason: e.to_string() },
        })?;
        Self::parse(&bytes, path)
    }

    /// Parses and checks the contents of the line file `path`. Relative paths in it are resolved against its folder.
    ///
    /// # Errors
    /// As [`Self::load`].
    pub fn parse(bytes: &[u8], path: &Path) -> Result<Self, LineFileError> {
        let syntax = |reason: String| LineFileError::Syntax { path: path.to_owned(), reason };
        let text = std::str::from_utf8(bytes).map_err(|e| syntax(format!("{e}; save it as UTF-8")))?;
        let mut line: Self = toml::from_str(text).map_err(|e| syntax(e.to_string().trim_end().to_owned()))?;
        let problems = check::problems(&line);
        if !problems.is_empty() {
            return Err(LineFileError::Values { path: path.to_owned(), problems });
        }
        line.resolve_paths(path.parent().unwrap_or(Path::new("")));
        path.clone_into(&mut line.path);
        Ok(line)
    }

    /// Returns the index of the product with this name.
    #[must_use]
    pub fn product_named(&self, name: &str) -> Option<usize> {
        self.products.iter().position(|product| product.name == name)
    }

    /// Returns whether only bundles are run that a trusted key has signed.
    #[must_use]
    pub fn is_trust_limited(&self) -> bool {
        !self.trust.is_empty() || !self.signing.root.is_empty()
    }

    /// Returns how the frames of a part are counted if the zones of its product's bundle have these levels. On a line with several
    /// products or views, `votes.zones` doesn't concern bundles without zones.
    ///
    /// # Errors
    /// [`UnknownZone`] if `votes.zones` names a zone that the bundle lacks.
    pub fn vote_count(&self, levels: &[u8]) -> Result<VoteCount, UnknownZone> {
        let mut votes = self.votes.clone();
        if levels.is_empty() && (self.products.len() > 1 || !self.views.is_empty()) {
            votes.zones.clear();
        }
        VoteCount::new(&votes, levels)
    }

    fn resolve_paths(&mut self, folder: &Path) {
        let resolve = |path: &mut PathBuf| *path = folder.join(&*path);
        for product in &mut self.products {
            resolve(&mut product.bundle);
            product.views.values_mut().for_each(resolve);
        }
        let further = self.views.iter_mut().map(|view| &mut view.camera);
        for camera in std::iter::once(&mut self.camera).chain(further) {
            let device = match camera {
                CameraConfig::Process(process) => {
                    process.socket.iter_mut().for_each(resolve);
                    &mut *process.camera
                }
                other => other,
            };
            if let CameraConfig::Folder { path, .. } = device {
                resolve(path);
            }
        }
        self.records.folder.iter_mut().for_each(resolve);
        if let Some(socket) = &mut self.socket {
            resolve(&mut socket.path);
            socket.inbox.iter_mut().for_each(resolve);
        }
        self.health.state.iter_mut().for_each(resolve);
        self.signing.key_list.iter_mut().for_each(resolve);
        self.signing.board_key.iter_mut().for_each(resolve);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(text: &str) -> Result<LineFile, LineFileError> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        LineFile::load(file.path())
    }

    /// The template with all commented-out keys enabled: those are `#key = value`, prose is `# text`.
    fn with_every_key() -> String {
        let lines = TEMPLATE.lines().filter(|line| !line.starts_with("# "));
        lines.map(|line| format!("{}\n", line.strip_prefix('#').unwrap_or(line))).collect()
    }

    const MINIMAL: &str = r#"
        name = "a"
        [[product]]
        name = "cap"
        bundle = "bundles/cap"
        [camera]
        source = "pattern"
        width = 64
        height = 64
        [trigger]
        kind = "interval"
        every_ms = 100
        [gate]
        delay_ms = 50
        pulse_ms = 10
    "#;

    #[test]
    fn the_template_is_a_valid_line_file() {
        load(TEMPLATE).unwrap();
    }

    #[test]
    fn every_key_of_the_template_that_is_commented_out_is_a_key() {
        let line: LineFile = toml::from_str(&with_every_key()).unwrap();
        assert!(
            line.gpio.is_some() && line.serial.is_some() && line.socket.is_some() && line.challenge.is_some()
        );
    }

    #[test]
    fn paths_are_relative_to_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("line.toml");
        std::fs::write(&path, MINIMAL).unwrap();
        let line = LineFile::load(&path).unwrap();
        assert_eq!(line.products[0].bundle, folder.path().join("bundles/cap"));
    }

    #[test]
    fn a_template_that_is_cut_short_is_read_or_refused() {
        for length in 0..TEMPLATE.len() {
            let _ = LineFile::parse(&TEMPLATE.as_bytes()[..length], Path::new("line.toml"));
        }
    }

    #[test]
    fn unknown_keys_and_wrong_types_are_named() {
        for (wrong, named) in [
            ("threads = 1\nthread = 2", "thread"),
            ("threads = \"two\"", "threads"),
            ("[records]\nmax_mb = 3", "max_mb"),
        ] {
            let text = if wrong.starts_with('[') {
                format!("{MINIMAL}\n{wrong}")
            } else {
                format!("{wrong}\n{MINIMAL}")
            };
            let error = load(&text).unwrap_err();
            assert!(
                matches!(&error, LineFileError::Syntax { reason, .. } if reason.contains(named)),
                "{error}"
            );
        }
        assert!(matches!(load("\0\u{fffd}["), Err(LineFileError::Syntax { .. })));
        assert!(matches!(LineFile::load(Path::new("/nowhere")), Err(LineFileError::Io { .. })));
        let device = LineFile::load(Path::new("/dev/null")).unwrap_err().to_string();
        assert!(device.contains("/dev/null") && device.contains("not a regular file"), "{device}");
    }

    #[test]
    fn values_out_of_range_are_named_with_the_range_and_all_at_once() {
        let text =
            MINIMAL.replace("pulse_ms = 10", "pulse_ms = -1").replace("every_ms = 100", "every_ms = nan");
        let LineFileError::Values { problems, .. } = load(&text).unwrap_err() else { panic!("no values") };
        assert_eq!(
            problems,
            [
                "trigger.every_ms = NaN is not allowed; give 1 to 3600000",
                "gate.pulse_ms = -1 is not allowed; give 0.1 to 60000"
            ]
        );
    }

    #[test]
    fn a_camera_of_nokhwa_is_a_number_with_whole_frames_a_second_and_two_formats() {
        let camera =
            |keys: &str| MINIMAL.replace("source = \"pattern\"", &format!("source = \"nokhwa\"\n{keys}"));
        let line = load(&camera("format = \"mjpeg\"")).unwrap();
        let CameraConfig::Nokhwa(nokhwa) = line.camera else { panic!("{:?}", line.camera) };
        assert_eq!((nokhwa.index, nokhwa.fps), (0, 30.0));
        let refused = load(&camera("format = \"grey\"\nfps = 29.97")).unwrap_err();
        let LineFileError::Values { problems, .. } = refused else { panic!("{refused}") };
        assert!(problems[0].starts_with("camera.fps = 29.97 is not allowed"), "{problems:?}");
        assert!(problems[1].starts_with("camera.format = \"grey\"") && problems.len() == 2, "{problems:?}");
    }

    #[test]
    fn pixel_formats_are_read_by_their_names_and_nv12_has_even_sides() {
        let camera = |format: &str, width: u32| {
            let keys = format!("source = \"v4l2\"\ndevice = \"/dev/video0\"\nformat = \"{format}\"");
            MINIMAL.replace("source = \"pattern\"", &keys).replace("width = 64", &format!("width = {width}"))
        };
        let names = [
            "mjpeg",
            "yuyv",
            "uyvy",
            "nv12",
            "grey",
            "rgb24",
            "bayer-rggb",
            "bayer-bggr",
            "bayer-gbrg",
            "bayer-grbg",
        ];
        for name in names {
            let line = load(&camera(name, 64)).unwrap();
            let CameraConfig::V4l2(v4l2) = line.camera else { panic!("{:?}", line.camera) };
            assert_eq!(v4l2.format.key(), name);
        }
        assert!(matches!(load(&camera("nv21", 64)), Err(LineFileError::Syntax { .. })));
        let refused = load(&camera("nv12", 63)).unwrap_err().to_string();
        assert!(refused.contains("even camera.width"), "{refused}");
    }

    #[test]
    fn a_camera_in_a_process_has_the_keys_of_the_camera() {
        let camera = |keys: &str| {
            MINIMAL.replace(
                "source = \"pattern\"\n        width = 64\n        height = 64",
                &format!("source = \"process\"\n{keys}"),
            )
        };
        let line =
            load(&camera("camera = { source = \"pattern\", width = 64, height = 48, fps = 20 }")).unwrap();
        assert_eq!((line.camera.fps(), line.camera.size().unwrap().height), (20.0, 48));
        let line =
            load(&camera("camera = { source = \"folder\", path = \"x\" }\nsocket = \"y.sock\"")).unwrap();
        let CameraConfig::Process(process) = &line.camera else { panic!("{:?}", line.camera) };
        let CameraConfig::Folder { path, .. } = &*process.camera else { panic!("{:?}", line.camera) };
        assert!(path.is_absolute() && process.socket.as_ref().unwrap().is_absolute());
        let wrong = "camera = { source = \"pattern\", width = 4, height = 48 }";
        let refused = load(&camera(wrong)).unwrap_err().to_string();
        assert!(refused.contains("camera.width = 4"), "{refused}");
        let wrong =
            "camera = { source = \"process\", camera = { source = \"pattern\", width = 64, height = 48 } }";
        let refused = load(&camera(wrong)).unwrap_err().to_string();
        assert!(refused.contains("in one process"), "{refused}");
        assert!(matches!(load(&camera("")), Err(LineFileError::Syntax { .. })));
    }

    #[test]
    fn a_region_for_presence_lies_within_the_frame() {
        let trigger = |keys: &str| {
            MINIMAL.replace(
                "kind = \"interval\"\n        every_ms = 100",
                &format!("kind = \"presence\"\n{keys}"),
            )
        };
        let line =
            load(&trigger("region = { x = 30, y = 0, width = 8, height = 64 }\npart_ms = 250")).unwrap();
        let Trigger::Presence { region: Some(region), part_ms, .. } = line.trigger else {
            panic!("{:?}", line.trigger)
        };
        assert_eq!((region.width, part_ms), (8, Some(250.0)));
        for (keys, said) in [
            (
                "region = { x = 60, y = 0, width = 8, height = 64 }",
                "ends at 68 × 64, but the frame has 64 × 64",
            ),
            ("region = { x = 4294967295, y = 0, width = 8, height = 8 }", "not within the frame"),
            ("region = { x = 0, y = 0, width = 0, height = 64 }", "too small"),
            ("part_ms = 0", "trigger.part_ms = 0"),
        ] {
            let refused = load(&trigger(keys)).unwrap_err().to_string();
            assert!(refused.contains(said), "{refused}");
        }
        assert!(matches!(
            load(&trigger("region = { x = -1, y = 0, width = 8, height = 8 }")),
            Err(LineFileError::Syntax { .. })
        ));
    }

    #[test]
    fn zones_that_vote_are_checked_alone_and_against_bundles() {
        let votes = |zones: &str| format!("{MINIMAL}\n[votes]\nframes = 3\nzones = [{zones}]");
        let wrong = "{ level = 0, rejects = 4 }, { level = 9, rejects = 1 }, { level = 9, rejects = 2 }";
        let LineFileError::Values { problems, .. } = load(&votes(wrong)).unwrap_err() else {
            panic!("no values")
        };
        assert_eq!(
            problems,
            [
                "votes.zones.level = 0 is not allowed; give 1 to 255",
                "votes.zones.rejects = 4 is not allowed; give 1 to 3",
                "votes.zones.level = 9 is used twice; give each zone once"
            ]
        );
        assert!(matches!(load(&votes("{ level = 9 }")), Err(LineFileError::Syntax { .. })));
        let mut line = load(&votes("{ level = 128, rejects = 2 }")).unwrap();
        assert!(line.vote_count(&[255, 128]).is_ok());
        assert!(line.vote_count(&[255, 100]).is_err());
        assert!(line.vote_count(&[]).is_err(), "the only bundle has no zones");
        line.products.push(line.products[0].clone());
        assert!(line.vote_count(&[]).is_ok(), "another bundle may have them");
        assert!(line.vote_count(&[255, 100]).is_err());
    }

    #[test]
    fn trust_needs_keys_that_are_keys_and_a_place_for_serial_numbers() {
        let key = signing::SecretKey::generate().unwrap().public().unwrap().text().to_owned();
        let with = |keys: &str, tables: &str| load(&format!("{keys}\n{MINIMAL}\n{tables}"));
        let line = with(&format!("trust = [\"{key} Ada\"]"), "[health]\nstate = \"state\"").unwrap();
        assert!(line.is_trust_limited() && !load(MINIMAL).unwrap().is_trust_limited());
        for (keys, tables, named) in [
            ("trust = [\"RWno key\"]", "[health]\nstate = \"state\"", "not a public key"),
            (&format!("trust = [\"{key}\"]"), "", "health.state"),
            ("", &format!("[signing]\nroot = [\"{key}\"]\n[health]\nstate = \"s\""), "signing.key_list"),
            ("", "[signing]\nkey_list = \"keys.toml\"", "signing.root"),
        ] {
            let LineFileError::Values { problems, .. } = with(keys, tables).unwrap_err() else {
                panic!("no values")
            };
            assert!(problems.len() == 1 && problems[0].contains(named), "{problems:?}");
        }
    }

    #[test]
    fn keys_of_the_encoder_belong_to_ticks() {
        let keys = "encoder_silent_ms = 0.5\nmax_ticks_per_s = 0";
        let text = MINIMAL.replace("delay_ms = 50", &format!("delay_ms = 50\n{keys}"));
        let LineFileError::Values { problems, .. } = load(&text).unwrap_err() else { panic!("no values") };
        let named = [
            "encoder_silent_ms = 0.5",
            "encoder_silent_ms needs",
            "max_ticks_per_s = 0",
            "max_ticks_per_s is for",
        ];
        assert_eq!(problems.len(), named.len(), "{problems:?}");
        assert!(
            problems.iter().zip(named).all(|(said, key)| said.starts_with(&format!("gate.{key}"))),
            "{problems:?}"
        );
        let serial = "[serial]\ndevice = \"/dev/ttyUSB0\"";
        let keys = "encoder_silent_ms = 300\nmax_ticks_per_s = 2000";
        let text = MINIMAL.replace("delay_ms = 50", &format!("distance_ticks = 50\n{keys}"));
        load(&format!("{text}\n{serial}")).unwrap();
    }
}
