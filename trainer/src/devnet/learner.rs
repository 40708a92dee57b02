//! A deviation network as it is trained.

use bundle::seeded::Seeded;
use methods::Flip;
use methods::taught_defects::Examples;
use networks::onnx::{GraphBuilder, Value};
use networks::{Network, StateError, Weights, head};
use tch::{Device, Kind, Tensor};

use crate::method::TrainError;
use crate::run::Run;
use crate::samples::{SampleBatch, Samples, memory_budget};
use crate::torch::{Adam, Compute, TrainableChain};
use crate::training::{GraphInputs, Learner, MapLearner, augmented_batch, load_set, mean_over};
use crate::trunk_features::TrunkFeatures;

const WEIGHT_DECAY: f64 = 1e-5;
/// Channels of the hidden layer.
const HIDDEN: usize = 64;
/// A defect's score should exceed the mean score of good parts by at least this many deviations; the papers' margin.
const MARGIN: f64 = 5.0;
/// The score of an image is the mean of its positions' highest scores, of this share in hundredths; the paper's.
const HIGHEST: usize = 10;
const STREAM: u64 = 0xdef_ec75;
const HEAD: &str = "head.";

/// A scoring network on the trunk's features, with the known defects that it learns from.
#[derive(Debug)]
pub struct DevNet {
    features: TrunkFeatures,
    head: TrainableChain,
    /// The known defects; `None` unless it is trained.
    defects: Option<Samples>,
    /// The loss of the known defects at the last check.
    defect_loss: f64,
    adam: Adam,
    seed: u64,
}

impl DevNet {
    /// Creates an untrained network. Uses libtorch's global generator.
    #[must_use]
    pub fn new(teacher: &Network, device: Device, seed: u64) -> Self {
        let features = TrunkFeatures::unscaled(teacher);
        let chain = head(&[features.count(), HIDDEN, 1]);
        let head = TrainableChain::kept_variance(chain, Compute { device, kind: Kind::Float });
        let adam = Adam::new(head.parameters.iter(), WEIGHT_DECAY);
        Self { features, head, defects: None, defect_loss: 0.0, adam, seed }
    }

    fn scores(&self, batch: &SampleBatch) -> Tensor {
        image_scores(&self.map(batch))
    }
}

/// Computes the score of each image from its positions' (N×1×h×w), in deviations: the reference scores are drawn from a standard Gaussian,
/// so their mean is 0 and their deviation 1.
fn image_scores(map: &Tensor) -> Tensor {
    let flat = map.flatten(1, -1);
    let count = (flat.size()[1] as usize * HIGHEST).div_ceil(100);
    let (highest, _) = flat.topk(count as i64, 1, true, false);
    highest.mean_dim([1i64].as_slice(), false, Kind::Float)
}

/// The deviation loss of good parts: |score|.
fn normal_loss(scores: &Tensor) -> Tensor {
    scores.abs().mean(Kind::Float)
}

/// The deviation loss of defects: max(0, margin − score).
fn defect_loss(scores: &Tensor) -> Tensor {
    (MARGIN - scores).relu().mean(Kind::Float)
}

impl Learner for DevNet {
    /// Half of the images of a step are good parts, the other half known defects.
    fn loss(&mut self, fit: &mut Samples, indices: &[usize], step: u64) -> Result<Tensor, TrainError> {
        let key = (self.seed, step);
        let good = augmented_batch(fit, indices, Kind::Float, key)?;
        let mut loss = normal_loss(&self.scores(&good));
        if let Some(defects) = &mut self.defects {
            let mut random = Seeded::new(self.seed ^ step.wrapping_mul(0x9e37_79b9_7f4a_7c15), STREAM);
            let drawn: Vec<usize> = indices.iter().map(|_| random.below(defects.count())).collect();
            let bad = augmented_batch(defects, &drawn, Kind::Float, key)?;
            loss = (loss + defect_loss(&self.scores(&bad))) * 0.5;
        }
        Ok(loss)
    }

    fn update(&mut self, step: u64, rate: f64) {
        self.adam.step(self.head.parameters.iter_mut(), step, rate);
    }

    /// Good parts alone would choose a network that says the same of everything.
    fn before_check(&mut self, _fit: &mut Samples) -> Result<(), TrainError> {
        let Some(mut defects) = self.defects.take() else { return Ok(()) };
        let loss = mean_over(&mut defects, |batch| defect_loss(&self.scores(batch)));
        self.defects = Some(defects);
        self.defect_loss = loss?;
        Ok(())
    }

    fn selection(&self, batch: &SampleBatch) -> f64 {
        0.5 * (normal_loss(&self.scores(batch)).double_value(&[]) + self.defect_loss)
    }

    fn kind(&self) -> Kind {
        Kind::Float
    }

    fn weights(&self) -> Weights {
        let mut weights = Weights::new();
        self.features.add_to(&mut weights);
        self.head.add_to(&mut weights, HEAD);
        weights
    }

    fn add_to(&self, state: &mut Weights) {
        self.adam.add_to(state);
    }

    fn load(&mut self, state: &Weights) -> Result<(), StateError> {
        self.load_weights(state)?;
        self.adam.load(state)
    }
}

impl MapLearner for DevNet {
    fn uses_teacher(&self) -> bool {
        true
    }

    fn prepare(
        &mut self,
        run: &Run,
        compute: Compute,
        fit: &mut Samples,
        is_new: bool,
    ) -> Result<bool, TrainError> {
        let settings = &run.settings;
        let folder = settings.defects.as_ref().ok_or_else(|| {
            TrainError::Unfit(
                "this run has no known defects to learn from; start a new one with --defects FOLDER"
                    .to_owned(),
            )
        })?;
        let sets = [&settings.fit, &settings.selection, &settings.calibration];
        let good: Vec<_> = sets.into_iter().flat_map(|set| settings.paths(set)).collect();
        let examples = Examples::find(folder, &good, settings.recipe.roi)?;
        eprintln!("defects to learn from: {}", examples.describe());
        examples.notes.iter().for_each(|note| eprintln!("{note}"));
        let paths = examples.images.into_iter().map(|image| image.path).collect();
        let budget = memory_budget() / 4;
        let defects = load_set(run, compute, paths, Flip::None, budget, "Teacher: known defects")?;
        self.defects = Some(defects);
        if is_new { self.features.measure(fit) } else { Ok(true) }
    }

    fn map(&self, batch: &SampleBatch) -> Tensor {
        self.head.forward(&self.features.of(&batch.targets), false)
    }

    fn load_weights(&mut self, state: &Weights) -> Result<(), StateError> {
        self.features.load(state)?;
        self.head.load(state, HEAD)
    }

    fn add_map(&self, g: &mut GraphBuilder, inputs: &GraphInputs) -> Result<Value, StateError> {
        let features = self.features.add(g, &inputs.image, &inputs.levels);
        self.head.to_onnx(g, &features, HEAD)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_loss_is_the_papers() {
        let map = Tensor::arange(200, (Kind::Float, Device::Cpu)).reshape([2, 1, 10, 10]) / 10.0;
        let scores = image_scores(&map);
        // The ten highest of a hundred: 9.0 to 9.9, and 19.0 to 19.9.
        let expected = [9.45, 19.45];
        for (n, expected) in expected.into_iter().enumerate() {
            assert!((scores.double_value(&[n as i64]) - expected).abs() < 1e-5);
        }
        let scores = Tensor::from_slice(&[-2.0f32, 4.0, 7.0]);
        assert!((normal_loss(&scores).double_value(&[]) - 13.0 / 3.0).abs() < 1e-6);
        // Defects five deviations above good parts cost nothing, however far.
        assert!((defect_loss(&scores).double_value(&[]) - 8.0 / 3.0).abs() < 1e-6);
    }
}
