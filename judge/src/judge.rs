//! Judges frames with a bundle: score → verdict.

use std::path::Path;
use std::time::{Duration, Instant};

use shared_format::{Golden, Size, ThresholdFile, Verdict};

use crate::anomaly_map::AnomalyMap;
use crate::bundle::{Bundle, BundleError, MODEL_FILE};
use crate::decode::DecodeError;
use crate::engine::{Engine, Network, Options};
use crate::fault::Fault;
use crate::frame::Frame;
use crate::frame_area::FrameArea;
use crate::frame_reader::FrameReader;
use crate::prepare::region_of_interest;
use crate::region::{Region, largest_region};
use crate::scorer::{FrameScore, Likeness, Scorer, StageTimes};
use crate::zones::{ZoneEvidence, ZoneScore};

/// The verdict on a frame, with its evidence.
#[derive(Debug)]
pub struct Judgement {
    /// Pass, reject or fault.
    pub verdict: Verdict,
    /// The frame's score; `None` on a fault.
    pub score: Option<f32>,
    /// The threshold that the score was compared with.
    pub threshold: f32,
    /// The largest region above the pixel threshold, whatever the verdict; `None` if nothing is above it.
    pub region: Option<Region>,
    /// The taught defect that the frame resembles, if its likeness alone is above the threshold.
    pub defect: Option<LikeDefect>,
    /// Why there is no score.
    pub fault: Option<Fault>,
    /// The anomaly map; `None` on a fault. If only the likeness to taught defects is above the threshold, the map of that
    /// likeness, scaled so that the pixel threshold stands for the threshold.
    pub map: Option<AnomalyMap>,
    /// The scores of the bundle's zones, the largest of which is the frame's; `None` without zones or on a fault.
    pub zones: Option<ZoneEvidence>,
    /// How long each stage took.
    pub times: StageTimes,
}

impl Judgement {
    /// Returns the zone that decided: the one with the largest score.
    #[must_use]
    pub fn zone(&self) -> Option<ZoneScore> {
        self.zones.as_ref()?.deciding()
    }

    /// Returns the score of each zone or, without zones, the frame's score alone; nothing on a fault.
    #[must_use]
    pub fn scores(&self) -> Vec<f32> {
        match &self.zones {
            Some(zones) => zones.scores.iter().map(|zone| zone.score).collect(),
            None => self.score.into_iter().collect(),
        }
    }
}

/// A taught defect that a frame resembles.
#[derive(Debug, Clone, PartialEq)]
pub struct LikeDefect {
    /// The kind's name.
    pub kind: String,
    /// The likeness, in units of the score; above the threshold.
    pub likeness: f32,
}

/// A golden frame's score on this machine, compared with the one in the bundle.
#[derive(Debug, Clone, PartialEq)]
pub struct GoldenResult {
    /// File name inside the bundle's `golden/` folder.
    pub file: String,
    /// The score in the bundle.
    pub expected: f32,
    /// The score on this machine.
    pub score: f32,
    /// Whether the two differ by at most the bundle's tolerance.
    pub within: bool,
}

/// A loaded bundle. A frame's judgement depends on that frame alone.
#[derive(Debug)]
pub struct Judge {
    bundle: Bundle,
    scorer: Scorer,
    reader: FrameReader,
}

impl Judge {
    /// Opens a bundle and loads its model on `threads` threads (0 counts as 1).
    ///
    /// # Errors
    /// [`BundleError`] if a file is missing, damaged or belongs to another bundle, or the model can't be loaded.
    pub fn open(folder: &Path, threads: usize) -> Result<Self, BundleError> {
        Self::open_with(Engine::default(), folder, threads)
    }

    /// Like [`Self::open`], with the given engine.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn open_with(engine: Engine, folder: &Path, threads: usize) -> Result<Self, BundleError> {
        Self::load(engine, Bundle::open(folder)?, threads)
    }

    /// Loads the model of an opened bundle.
    ///
    /// # Errors
    /// [`BundleError::Model`] if it can't be loaded.
    pub fn from_bundle(bundle: Bundle, threads: usize) -> Result<Self, BundleError> {
        Self::load(Engine::default(), bundle, threads)
    }

    /// Like [`Self::from_bundle`], with the given engine.
    ///
    /// # Errors
    /// As [`Self::from_bundle`].
    pub fn load(engine: Engine, mut bundle: Bundle, threads: usize) -> Result<Self, BundleError> {
        // The engine has its own copy of the weights; a board has no memory to spare for a second one.
        let onnx = std::mem::take(&mut bundle.onnx);
        let ThresholdFile { arithmetic, recipe, .. } = bundle.thresholds;
        let defects = bundle.thresholds.defects.clone();
        let scorer = Scorer::taught(onnx, recipe, defects, Options { engine, arithmetic, threads })
            .map_err(|source| BundleError::Model { path: bundle.folder.join(MODEL_FILE), source })?
            .with_image_score(bundle.thresholds.image_score.clone());
        Ok(Self { bundle, scorer, reader: FrameReader::default() })
    }

    /// Returns the network that runs on each tile, for measurements.
    pub const fn network(&mut self) -> &mut Network {
        self.scorer.network()
    }

    /// Returns the network that runs on the features of all tiles, for measurements; `None` if tiles are judged one by one.
    pub const fn frame_network(&mut self) -> Option<&mut Network> {
        self.scorer.frame_network()
    }

    /// Returns the bundle. Its `onnx` is empty: the engine holds the model.
    #[must_use]
    pub const fn bundle(&self) -> &Bundle {
        &self.bundle
    }

    /// Judges with another threshold than the bundle's own from now on. The scores stay as they are.
    ///
    /// # Errors
    /// The value if it isn't finite; the threshold stays as it is.
    pub const fn set_image_threshold(&mut self, value: f32) -> Result<(), f32> {
        if !value.is_finite() {
            return Err(value);
        }
        self.bundle.thresholds.image_threshold = value;
        Ok(())
    }

    /// Returns the multiply-adds for a frame; see [`Scorer::multiply_adds`].
    #[must_use]
    pub const fn multiply_adds(&self) -> u64 {
        self.scorer.multiply_adds()
    }

    /// Judges a frame. Never fails: any failure becomes the verdict `fault`.
    pub fn judge<'f>(&mut self, frame: impl Into<FrameArea<'f>>) -> Judgement {
        self.judge_in(frame.into(), Duration::ZERO)
    }

    /// Decodes and judges the bytes of an image file. Pixels that the recipe doesn't look at are not computed.
    pub fn judge_bytes(&mut self, bytes: &[u8]) -> Judgement {
        let max = self.bundle.thresholds.recipe.frames.max_admitted();
        self.judge_bytes_within(bytes, max, |_| ()).0
    }

    /// Like [`Self::judge_bytes`], for a frame that must not be wider or higher than `max`. `look` is called with what was decoded of it,
    /// if it could be decoded.
    pub fn judge_bytes_within<T>(
        &mut self,
        bytes: &[u8],
        max: Size,
        look: impl FnOnce(FrameArea<'_>) -> T,
    ) -> (Judgement, Option<T>) {
        let start = Instant::now();
        let recipe = self.bundle.thresholds.recipe;
        // Taken out while the frame is judged, because the judge is borrowed for that as a whole.
        let mut reader = std::mem::take(&mut self.reader);
        let judged = reader.read(bytes, max, &recipe, |area| {
            let decode = start.elapsed();
            (self.judge_in(area, decode), Some(look(area)))
        });
        self.reader = reader;
        judged.unwrap_or_else(|e| {
            let times = StageTimes { decode: start.elapsed(), ..StageTimes::default() };
            (self.fault_judgement(e.into(), times), None)
        })
    }

    /// Obtains a frame from `source`, timed as decoding, and judges it. Returns the frame too, if `source` gave one.
    ///
    /// ```no_run
    /// # fn main() -> Result<(), judge::BundleError> {
    /// let mut judge = judge::Judge::open("bundle".as_ref(), 1)?;
    /// let (frame, judgement) = judge.judge_from(|| judge::decode_file("part.png".as_ref()));
    /// println!("{} {:?}", judgement.verdict, frame.map(|f| f.size()));
    /// # Ok(())
    /// # }
    /// ```
    pub fn judge_from(
        &mut self,
        source: impl FnOnce() -> Result<Frame, DecodeError>,
    ) -> (Option<Frame>, Judgement) {
        let start = Instant::now();
        let frame = source();
        let decode = start.elapsed();
        match frame {
            Ok(frame) => {
                let judgement = self.judge_in((&frame).into(), decode);
                (Some(frame), judgement)
            }
            Err(e) => (None, self.fault_judgement(e.into(), StageTimes { decode, ..StageTimes::default() })),
        }
    }

    /// Scores every golden frame of the bundle.
    ///
    /// # Errors
    /// [`BundleError::Golden`] if one is missing or can't be scored. A score that is off is not an error but
    /// `within: false`.
    pub fn check_golden(&mut self) -> Result<Vec<GoldenResult>, BundleError> {
        self.check_some_golden(usize::MAX)
    }

    /// Scores the first `count` golden frames, for a quick check at start-up.
    ///
    /// # Errors
    /// As [`Self::check_golden`].
    pub fn check_some_golden(&mut self, count: usize) -> Result<Vec<GoldenResult>, BundleError> {
        let golden = self.bundle.thresholds.golden.clone();
        golden.iter().take(count).map(|g| self.check_one_golden(g)).collect()
    }

    fn check_one_golden(&mut self, golden: &Golden) -> Result<GoldenResult, BundleError> {
        let frame = self.bundle.golden_frame(&golden.file)?;
        let score = match self.scorer.score(&frame) {
            Ok(scored) => scored.score,
            Err(source) => {
                let path = self.bundle.golden_path(&golden.file);
                return Err(BundleError::Golden { path, source: Box::new(source) });
            }
        };
        let within = (score - golden.score).abs() <= self.bundle.thresholds.score_tolerance;
        Ok(GoldenResult { file: golden.file.as_str().to_owned(), expected: golden.score, score, within })
    }

    fn judge_in(&mut self, frame: FrameArea<'_>, decode: Duration) -> Judgement {
        match self.scorer.score(frame) {
            Ok(scored) => match self.other_product(&scored) {
                Some(fault) => self.fault_judgement(fault, StageTimes { decode, ..scored.times }),
                None => self.decide(frame.frame_size(), scored, decode),
            },
            Err(fault) => self.fault_judgement(fault, StageTimes { decode, ..StageTimes::default() }),
        }
    }

    /// Returns why the frame may show another product, if the bundle says how to tell and this is so.
    fn other_product(&self, scored: &FrameScore) -> Option<Fault> {
        let limit = self.bundle.thresholds.product_limit?;
        let quartile = scored.map.lower_quartile()?;
        (quartile > limit).then_some(Fault::OtherProduct { quartile, limit })
    }

    fn decide(&self, frame: Size, scored: FrameScore, decode: Duration) -> Judgement {
        let start = Instant::now();
        let FrameScore { score, mut map, likeness, zones, times } = scored;
        let thresholds = &self.bundle.thresholds;
        let defect = likeness.and_then(|likeness| {
            let found = self.like_defect(&likeness)?;
            // The map that explains the score.
            if likeness.score >= score {
                map = self.evidence(likeness);
            }
            Some(found)
        });
        let region = region_of_interest(&thresholds.recipe, frame)
            .ok()
            .and_then(|roi| largest_region(&map, roi, thresholds.pixel_threshold));
        let threshold = thresholds.image_threshold;
        Judgement {
            verdict: Verdict::of(score, threshold),
            score: Some(score),
            threshold,
            region,
            defect,
            fault: None,
            map: Some(map),
            zones,
            times: StageTimes { decode, decide: start.elapsed(), ..times },
        }
    }

    /// Returns the taught defect that a frame resembles; `None` if the likeness is at most the threshold.
    fn like_defect(&self, likeness: &Likeness) -> Option<LikeDefect> {
        let thresholds = &self.bundle.thresholds;
        let kind = thresholds.defects.as_ref()?.kinds.get(likeness.kind)?;
        let is_above = likeness.score > thresholds.image_threshold;
        is_above.then(|| LikeDefect { kind: kind.name.as_str().to_owned(), likeness: likeness.score })
    }

    /// Returns the map of a likeness, scaled so that the pixel threshold stands for the image threshold.
    fn evidence(&self, likeness: Likeness) -> AnomalyMap {
        let ThresholdFile { image_threshold, pixel_threshold, defects, .. } = &self.bundle.thresholds;
        let mut map = likeness.map;
        let scaled = |value: f32| defects.as_ref().map_or(value, |defects| defects.scaled(value));
        let unit = if *pixel_threshold == 0.0 { 1.0 } else { pixel_threshold.abs() };
        // No likeness is zero.
        let reach = (image_threshold - scaled(0.0)).max(f32::EPSILON);
        for value in &mut map.values {
            *value = pixel_threshold + unit * (scaled(*value) - image_threshold) / reach;
        }
        map
    }

    fn fault_judgement(&self, fault: Fault, times: StageTimes) -> Judgement {
        Judgement {
            verdict: Verdict::Fault,
            score: None,
            threshold: self.bundle.thresholds.image_threshold,
            region: None,
            defect: None,
            fault: Some(fault),
            map: None,
            zones: None,
            times,
        }
    }
}
