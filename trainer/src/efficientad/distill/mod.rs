//! Distils teachers: a patch description network learns to reproduce a strong backbone's features.

mod backbone;
mod request;
mod settings;
mod target;
mod window;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use bundle::seeded::Seeded;
use networks::{Network, StateError, Weights};
use serde::Serialize;
use shared_format::Size;
use tch::{Device, Kind, Tensor};

use self::backbone::Backbone;
pub use self::request::Request;
use self::request::write;
use self::settings::check_or_create;
use self::target::TargetProjection;
use self::window::CropWindow;
use super::losses::mean_square;
use super::statistics::TEACHER;
use crate::channels::Channels;
use crate::method::{TrainError, TrainOutcome};
use crate::natural::Natural;
use crate::order::batch_indices;
use crate::run::RunError;
use crate::schedule::Schedule;
use crate::torch::{Adam, Compute, TrainableChain, channels_last, to_array};
use crate::{metrics, progress};
use networks::teacher::{read_safetensors, write_safetensors};

/// The published length.
pub const STEPS: u64 = 60_000;
const BATCH: usize = 16;
const RATE: f64 = 1e-4;
/// Peak rate of the short schedule, which the small networks tolerate from the first step on.
const PEAK: f64 = 1e-3;
const WEIGHT_DECAY: f64 = 1e-5;
/// Side of the small network's photos.
const SIDE: u32 = 256;
/// Share of the photos that are shown to both networks in grey.
const GREY: f64 = 0.1;
/// Separates the choice of grey photos from the seed's other uses.
const STREAM: u64 = 0x6e9;
/// Number of photos over which the target channels' mean and deviation are measured.
const MEASURED: usize = 10_000;
const SAVE_EVERY: Duration = Duration::from_secs(60);
const CHECKS: u64 = 20;

const CHECKPOINT: &str = "checkpoint.safetensors";
const METRICS: &str = "metrics.jsonl";
const FEATURES: &str = "features";

#[derive(Serialize)]
struct DistillMetrics {
    step: u64,
    loss: f64,
    milliseconds_per_step: f64,
}

/// Returns the folder for checkpoint, metrics and the backbone's features, beside the teacher's file.
#[must_use]
pub fn work_folder(out: &Path) -> PathBuf {
    let mut name = out.file_name().unwrap_or_default().to_owned();
    name.push(".distill");
    out.with_file_name(name)
}

/// Distils to the end and writes the teacher's file, or stops on request. Resumes an interrupted distillation
/// with the same settings.
///
/// # Errors
/// If the teacher is not a backbone, photos can't be read, the disk can't be written, or the loss is not a number.
pub fn distill(request: &Request<'_>) -> Result<TrainOutcome, TrainError> {
    let mut distillation = Distillation::start(request)?;
    let finished = match distillation.channels()? {
        Some(channels) => distillation.steps(&channels)?,
        None => false,
    };
    if !finished {
        return Ok(TrainOutcome::Interrupted { step: distillation.step });
    }
    distillation.write()?;
    Ok(TrainOutcome::Finished { chosen_step: None })
}

struct Distillation<'a> {
    request: &'a Request<'a>,
    folder: PathBuf,
    photos: Natural,
    backbone: Backbone,
    projection: TargetProjection,
    mean: Tensor,
    std: Tensor,
    student: TrainableChain,
    adam: Adam,
    step: u64,
    /// State of the target channels in the last checkpoint.
    state: Option<Weights>,
}

impl<'a> Distillation<'a> {
    fn start(request: &'a Request<'a>) -> Result<Self, TrainError> {
        let folder = work_folder(request.out);
        let photos = check_or_create(request, &folder)?;
        let Compute { device, .. } = request.compute;
        let mut backbone =
            Backbone::open(request.from, request.images, photos, folder.join(FEATURES), request.compute)?;
        let channels = backbone.levels(0, false)?.map(|level| level.size()[1]);
        let features = request.size.features();
        tch::manual_seed(request.seed as i64);
        // A window's edges are not the photo's: there the network uses no padding.
        let padded = request.schedule == Schedule::Published;
        let student = TrainableChain::random(request.size.chain(features, padded), request.compute);
        let Network { mean, std, .. } = request.size.teacher();
        let channel = |values: [f32; 3]| Tensor::from_slice(&values).reshape([1, 3, 1, 1]).to_device(device);
        let mut distillation = Self {
            request,
            photos: Natural::open(request.images, Size { width: SIDE, height: SIDE }, Some(photos))?,
            backbone,
            projection: TargetProjection::new(channels, features as i64, device),
            mean: channel(mean),
            std: channel(std),
            adam: Adam::new(student.parameters.iter(), WEIGHT_DECAY),
            student,
            step: 0,
            state: None,
            folder,
        };
        distillation.restore()?;
        Ok(distillation)
    }

    /// Loads the checkpoint, if there is one.
    fn restore(&mut self) -> Result<(), TrainError> {
        let path = self.folder.join(CHECKPOINT);
        let bytes = match std::fs::read(&path) {
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(()),
            read => read.map_err(|source| RunError::Io { path: path.clone(), source })?,
        };
        let damaged =
            |e: &dyn std::fmt::Display| RunError::Damaged { path: path.clone(), reason: e.to_string() };
        let (state, notes) = read_safetensors(&bytes).map_err(|e| damaged(&e))?;
        let take = || {
            self.student.load(&state, "")?;
            self.adam.load(&state)?;
            let step = notes.get("step").and_then(|step| step.parse().ok());
            self.step = step.ok_or(StateError::missing("step"))?;
            self.state = Some(state);
            Ok::<_, StateError>(())
        };
        take().map_err(|e| damaged(&e))?;
        let path = self.folder.join(METRICS);
        metrics::truncate_after(&path, self.step).map_err(|source| RunError::Io { path, source })?;
        Ok(())
    }

    /// Computes the target of photos before its channels are scaled.
    fn target(&mut self, photos: &[(usize, bool)]) -> Result<Tensor, TrainError> {
        let (mut fine, mut coarse) = (vec![], vec![]);
        for &(index, grey) in photos {
            let levels = self.backbone.levels(index, grey)?;
            fine.push(levels[0].shallow_clone());
            coarse.push(levels[1].shallow_clone());
        }
        Ok(self.projection.apply(&Tensor::cat(&fine, 0), &Tensor::cat(&coarse, 0)))
    }

    /// Measures mean and deviation of the target's channels; returns `None` if a stop was requested.
    fn channels(&mut self) -> Result<Option<Channels>, TrainError> {
        let features = self.request.size.features();
        if let Some(state) = &self.state {
            let path = self.folder.join(CHECKPOINT);
            let channels = Channels::from_state(state, TEACHER, features);
            return Ok(Some(channels.map_err(|e| RunError::Damaged { path, reason: e.to_string() })?));
        }
        let count = self.photos.count().min(MEASURED);
        let bar = progress::bar(count as u64, "Backbone: photos");
        let zeros = || Tensor::zeros([features as i64], (Kind::Double, Device::Cpu));
        let (mut sum, mut squares, mut positions) = (zeros(), zeros(), 0.0);
        for index in 0..count {
            if progress::stop_requested() {
                return Ok(None);
            }
            let target = self.target(&[(index, false)])?.to_device(Device::Cpu).to_kind(Kind::Double);
            let over = |x: &Tensor| x.sum_dim_intlist([0i64, 2, 3].as_slice(), false, Kind::Double);
            sum += over(&target);
            squares += over(&target.square());
            positions += (target.size()[2] * target.size()[3]) as f64;
            bar.inc(1);
        }
        bar.finish_and_clear();
        let mean = sum / positions;
        let squares = (squares - mean.square() * positions).clamp_min(0.0);
        let list = |x: &Tensor| -> Vec<f64> { to_array(x).data.into_iter().map(f64::from).collect() };
        Ok(Some(Channels::new(&list(&mean), &list(&squares), positions)))
    }

    /// Runs the remaining steps; returns `false` if interrupted.
    fn steps(&mut self, channels: &Channels) -> Result<bool, TrainError> {
        let total = self.request.steps;
        let check_every = (total / CHECKS).max(1);
        let bar = progress::bar(total, "Distilling");
        bar.set_position(self.step);
        bar.reset_eta();
        let (mut saved, mut since_check, mut losses) = (Instant::now(), Instant::now(), vec![]);
        while self.step < total {
            losses.push(self.one_step(channels)?);
            self.step += 1;
            bar.inc(1);
            if self.step.is_multiple_of(check_every) || self.step == total {
                let count = losses.len() as f64;
                let (step, loss) = (self.step, losses.iter().sum::<f64>() / count);
                let milliseconds_per_step = since_check.elapsed().as_secs_f64() * 1e3 / count;
                let path = self.folder.join(METRICS);
                metrics::append(&path, &DistillMetrics { step, loss, milliseconds_per_step })
                    .map_err(|source| RunError::Io { path, source })?;
                let line = format!("step {step:>6}: loss {loss:.4}, {milliseconds_per_step:.0} ms a step");
                progress::print(&bar, &line);
                (losses, since_check) = (vec![], Instant::now());
            }
            let stop = progress::stop_requested();
            if stop || saved.elapsed() > SAVE_EVERY || self.step == total {
                self.save(channels)?;
                saved = Instant::now();
            }
            if stop && self.step < total {
                bar.abandon();
                return Ok(false);
            }
        }
        bar.finish_and_clear();
        Ok(true)
    }

    fn one_step(&mut self, channels: &Channels) -> Result<f64, TrainError> {
        let mut random = Seeded::new(self.request.seed, STREAM.wrapping_add(self.step));
        let grey = |random: &mut Seeded| (random.below(1 << 30) as f64) < GREY * f64::from(1 << 30);
        let indices = batch_indices(self.photos.count(), BATCH, self.step, self.request.seed);
        let photos: Vec<(usize, bool)> =
            indices.into_iter().map(|index| (index, grey(&mut random))).collect();
        let mut targets = self.target(&photos)?;
        let mut images = Vec::new();
        for &(index, grey) in &photos {
            images.push(self.photos.photo(index, grey)?.to_device(self.request.compute.device));
        }
        if self.request.schedule == Schedule::Short {
            let windows: Vec<CropWindow> = photos.iter().map(|_| CropWindow::draw(&mut random)).collect();
            images = windows.iter().zip(&images).map(|(window, photo)| window.of_photo(photo)).collect();
            let target =
                |(at, window): (usize, &CropWindow)| window.of_target(&targets.narrow(0, at as i64, 1));
            targets = Tensor::cat(&windows.iter().enumerate().map(target).collect::<Vec<_>>(), 0);
        }
        let target = channels.normalise(&targets);
        let images = channels_last(&((Tensor::cat(&images, 0) - &self.mean) / &self.std));
        let loss = mean_square(&target, &self.student.forward(&images, true));
        let value = loss.double_value(&[]);
        if !value.is_finite() {
            return Err(TrainError::Diverged { step: self.step, loss: value });
        }
        loss.backward();
        let rate = self.request.schedule.rate(PEAK, self.step, self.request.steps).unwrap_or(RATE);
        self.adam.step(self.student.parameters.iter_mut(), self.step, rate);
        Ok(value)
    }

    fn save(&self, channels: &Channels) -> Result<(), TrainError> {
        let mut state = Weights::new();
        self.student.add_to(&mut state, "");
        self.adam.add_to(&mut state);
        if state.values().flat_map(|array| &array.data).any(|x| !x.is_finite()) {
            return Err(TrainError::Diverged { step: self.step, loss: f64::NAN });
        }
        channels.add_to(&mut state, TEACHER);
        let notes = [("step".to_owned(), self.step.to_string())].into_iter().collect();
        Ok(write(&self.folder.join(CHECKPOINT), &write_safetensors(&state, notes))?)
    }

    /// Writes the teacher's file, with its origin.
    fn write(&self) -> Result<(), TrainError> {
        let mut weights = Weights::new();
        self.student.add_to(&mut weights, "");
        let notes = [
            ("network", self.request.size.network_name().to_owned()),
            ("distilled_from", self.request.from.network.name.to_owned()),
            ("photos", self.photos.count().to_string()),
            ("steps", self.step.to_string()),
            ("schedule", self.request.schedule.to_string()),
            ("seed", self.request.seed.to_string()),
        ];
        let notes = notes.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        Ok(write(self.request.out, &write_safetensors(&weights, notes))?)
    }
}
