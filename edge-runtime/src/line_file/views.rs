//! Further cameras that look at the same part.

use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;

use super::camera::CameraConfig;
use super::schema::{LineFile, Product};
use crate::clock::milliseconds;

/// The name of the view of `[camera]`.
pub const MAIN_VIEW: &str = "main";
/// A view's camera has this many frame intervals to expose after the part's moment, unless the line file says otherwise.
const INTERVALS: f64 = 2.0;
/// What a frame may take to arrive beyond one interval.
const ARRIVAL: Duration = Duration::from_millis(50);

/// A further camera that looks at the same part.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ViewConfig {
    /// The view's name in reports, records and status.
    pub name: String,
    /// Its camera.
    pub camera: CameraConfig,
    /// Time from the part's trigger to the first exposure of this camera that counts; by default that of the trigger. It may be negative if
    /// the cameras expose together, and the trigger is one of the frames.
    #[serde(default)]
    pub exposure_delay_ms: Option<f64>,
    /// How long after that moment a frame still shows the part.
    #[serde(default)]
    pub within_ms: Option<f64>,
    /// Whether a part that this camera has no frame of is judged by the other views; if not, it is a fault.
    #[serde(default)]
    pub optional: bool,
}

/// When a view's frames are a part's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ViewTiming {
    /// Nanoseconds from the trigger to the first exposure that counts.
    pub exposure_delay: i64,
    /// A frame that is captured later than this after that moment, or after the part's frame before it, isn't the part's.
    pub within: Duration,
    /// How long after that moment, or after the part's frame before it, a frame may take to arrive.
    pub arrival: Duration,
}

impl ViewConfig {
    /// Returns when this view's frames are a part's.
    #[must_use]
    pub fn timing(&self, line: &LineFile) -> ViewTiming {
        let delay = self.exposure_delay_ms.unwrap_or(line.trigger.exposure_delay().as_secs_f64() * 1e3);
        let interval = Duration::try_from_secs_f64(1.0 / self.camera.fps()).unwrap_or(Duration::ZERO);
        let within = self.within_ms.map_or_else(|| interval.mul_f64(INTERVALS), milliseconds);
        ViewTiming {
            // A checked number of milliseconds.
            exposure_delay: (delay * 1e6) as i64,
            within,
            arrival: within + interval.max(ARRIVAL),
        }
    }
}

impl LineFile {
    /// Returns when the frames of `[camera]` are a part's: they have `health.silent_s` to be captured and to arrive.
    #[must_use]
    pub fn main_timing(&self) -> ViewTiming {
        let patience = Duration::try_from_secs_f64(self.health.silent_s).unwrap_or(Duration::from_secs(1));
        let delay = i64::try_from(self.trigger.exposure_delay().as_nanos()).unwrap_or(i64::MAX);
        ViewTiming { exposure_delay: delay, within: patience, arrival: patience }
    }

    /// Returns the cameras with their views' names, that of `[camera]` first.
    pub fn cameras(&self) -> impl Iterator<Item = (&str, &CameraConfig)> {
        let further = self.views.iter().map(|view| (view.name.as_str(), &view.camera));
        std::iter::once((MAIN_VIEW, &self.camera)).chain(further)
    }

    /// Returns the further view with this name.
    #[must_use]
    pub fn view(&self, name: &str) -> Option<&ViewConfig> {
        self.views.iter().find(|view| view.name == name)
    }
}

impl Product {
    /// Returns the bundle of a view, if it isn't the product's: as a product whose name is that of product and view. A blank separates them, which
    /// no product's name has.
    #[must_use]
    pub fn of_view(&self, view: &str) -> Option<Self> {
        let bundle: &PathBuf = self.views.get(view)?;
        Some(Self { name: format!("{} {view}", self.name), bundle: bundle.clone(), ..Self::default() })
    }

    /// Returns the product, and the bundles of views as [`Self::of_view`] does.
    pub fn bundles(&self) -> impl Iterator<Item = Self> {
        std::iter::once(self.clone()).chain(self.views.keys().filter_map(|view| self.of_view(view)))
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::line_file::LineFileError;

    const LINE: &str = r#"
        name = "a"
        [[product]]
        name = "cap"
        bundle = "bundles/cap"
        views = { side = "bundles/cap-side" }
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
        [[view]]
        name = "side"
        camera = { source = "pattern", width = 32, height = 32, fps = 50 }
        [[view]]
        name = "below"
        camera = { source = "pattern", width = 32, height = 32, fps = 5 }
        optional = true
        within_ms = 40
        exposure_delay_ms = -3
    "#;

    fn parse(text: &str) -> Result<LineFile, LineFileError> {
        LineFile::parse(text.as_bytes(), Path::new("/x/line.toml"))
    }

    #[test]
    fn views_have_cameras_bundles_and_times_of_their_own() {
        let line = parse(LINE).unwrap();
        assert_eq!(line.cameras().map(|(name, _)| name).collect::<Vec<_>>(), ["main", "side", "below"]);
        let names: Vec<_> =
            line.products[0].bundles().map(|product| (product.name, product.bundle)).collect();
        assert_eq!(
            names,
            [
                ("cap".to_owned(), "/x/bundles/cap".into()),
                ("cap side".to_owned(), "/x/bundles/cap-side".into())
            ]
        );
        let [side, below] = [0, 1].map(|index| line.views[index].timing(&line));
        let ms = Duration::from_millis;
        assert_eq!(side, ViewTiming { exposure_delay: 0, within: ms(40), arrival: ms(90) });
        assert_eq!(below, ViewTiming { exposure_delay: -3_000_000, within: ms(40), arrival: ms(240) });
        assert_eq!(line.main_timing(), ViewTiming { exposure_delay: 0, within: ms(1000), arrival: ms(1000) });
        assert!(
            parse(&LINE[..LINE.find("[[view]]").unwrap()]).is_err(),
            "the view of the product's bundle is missing"
        );
    }

    #[test]
    fn what_makes_no_sense_is_named() {
        let v4l2 = |device: &str| {
            format!(
                "{{ source = \"v4l2\", device = \"{device}\", format = \"grey\", width = 64, height = 64 }}"
            )
        };
        let pattern = "{ source = \"pattern\", width = 32, height = 32, fps = 50 }";
        let in_process = |camera: &str| format!("{{ source = \"process\", camera = {camera} }}");
        let main = "source = \"pattern\"\n        width = 64\n        height = 64";
        let devices = |main_device: &str, side: &str| {
            LINE.replace(main, &format!("source = \"process\"\ncamera = {}", v4l2(main_device)))
                .replace(pattern, side)
        };
        for (text, said) in [
            (LINE.replace("name = \"side\"", "name = \"main\""), "view.name = \"main\" is used twice"),
            (LINE.replace("name = \"below\"", "name = \"side\""), "view.name = \"side\" is used twice"),
            (LINE.replace("name = \"side\"", "name = \"s de\""), "view.name = \"s de\" is not allowed"),
            (LINE.replace("name = \"side\"", "name = \"\""), "view.name = \"\" is not allowed"),
            (LINE.replace("{ side =", "{ sid ="), "product.views names \"sid\""),
            (LINE.replace("{ side =", "{ main ="), "product.views names \"main\""),
            (LINE.replace("within_ms = 40", "within_ms = 0"), "view.within_ms = 0 is not allowed"),
            (LINE.replace("ms = -3", "ms = nan"), "view.exposure_delay_ms = NaN"),
            (LINE.replace("fps = 50", "fps = 0"), "view \"side\": camera.fps = 0"),
            (
                devices("/dev/video0", &v4l2("/dev/video0")),
                "views \"main\" and \"side\" have the same camera",
            ),
            (devices("/dev/video0", &in_process(&v4l2("/dev/video0"))), "have the same camera"),
            (
                devices(
                    "/dev/video2",
                    "{ source = \"nokhwa\", index = 2, format = \"mjpeg\", width = 64, height = 64 }",
                ),
                "have the same camera",
            ),
            (
                format!("{LINE}[votes]\nview_rule = \"at-least\"\nview_rejects = 4"),
                "votes.view_rejects = 4 is not allowed; give 1 to 3",
            ),
            (format!("{LINE}[votes]\nview_rule = \"at-least\""), "needs votes.view_rejects"),
            (format!("{LINE}[votes]\nview_rejects = 2"), "votes.view_rejects belongs to"),
        ] {
            let error = parse(&text).unwrap_err();
            let LineFileError::Values { problems, .. } = &error else { panic!("{error}") };
            assert!(problems.iter().any(|problem| problem.contains(said)), "{said}: {problems:?}");
        }
        assert!(parse(&devices("/dev/video0", &v4l2("/dev/video1"))).is_ok());
        let one =
            &LINE[..LINE.find("[[view]]").unwrap()].replace("views = { side = \"bundles/cap-side\" }", "");
        let refused = parse(&format!("{one}[votes]\nview_rule = \"majority\"")).unwrap_err().to_string();
        assert!(refused.contains("needs several views"), "{refused}");
        for unknown in ["optional = 1", "bundle = \"x\""] {
            let text = LINE.replace("optional = true", unknown);
            assert!(matches!(parse(&text), Err(LineFileError::Syntax { .. })), "{unknown}");
        }
    }
}
