//! Deep SVDD of patches (Yi, Yoon: *Patch SVDD: Patch-level SVDD for Anomaly Detection and Segmentation*, ACCV 2020): neighbouring patches
//! are drawn together instead of all to one centre, and must still show where they lie beside each other.

use methods::patchcore::{Coreset, CoresetSettings, search};
use networks::onnx::{GraphBuilder, Value};
use networks::{Array, Network, StateError, Weights, head};
use tch::{Device, Kind, Tensor};

use super::collapse::CollapseProbe;
use crate::distances::squared;
use crate::method::TrainError;
use crate::run::Run;
use crate::samples::{SampleBatch, Samples};
use crate::torch::{Adam, Compute, TrainableChain, from_array, to_array};
use crate::training::{GraphInputs, Learner, MapLearner, augmented_batch};
use crate::trunk_features::TrunkFeatures;

const WEIGHT_DECAY: f64 = 1e-5;
/// Channels of the hidden layer and of an embedding.
const WIDTHS: [usize; 2] = [128, 32];
/// The directions whose patches are told apart: rows and columns of the grid.
const DIRECTIONS: [[i64; 2]; 8] = [[-1, -1], [-1, 0], [-1, 1], [0, -1], [0, 1], [1, -1], [1, 0], [1, 1]];
/// Positions between them: three quarters of what a feature mostly sees, as in the paper.
const REACH: i64 = 3;
/// Vectors that the coreset compares at once.
const BLOCK: usize = 20_000;
/// Dimensions in which it compares them.
const SKETCH: usize = 16;
/// A smaller squared distance is rounding noise, which the root must not magnify.
const FLOOR: f64 = 1e-6;
const HEAD: &str = "head.";
const CLASSIFIER: &str = "classifier.";
const BANK: &str = "bank";

/// The network on the trunk's features, and the embeddings of good parts.
#[derive(Debug)]
pub struct PatchSvdd {
    features: TrunkFeatures,
    head: TrainableChain,
    classifier: TrainableChain,
    /// Embeddings × channels, once training has ended.
    bank: Option<Array>,
    embeddings: usize,
    probe: CollapseProbe,
    adam: Adam,
    seed: u64,
    step: u64,
}

impl PatchSvdd {
    /// Creates an untrained network that will compare with at most `embeddings` embeddings. Uses libtorch's global generator.
    #[must_use]
    pub fn new(teacher: &Network, embeddings: usize, device: Device, seed: u64) -> Self {
        let features = TrunkFeatures::unscaled(teacher);
        let [hidden, outputs] = WIDTHS;
        let compute = Compute { device, kind: Kind::Float };
        let chain = head(&[features.count(), hidden, outputs]);
        let embed = TrainableChain::kept_variance(chain, compute).without_biases();
        let chain = head(&[outputs, hidden, DIRECTIONS.len()]);
        let classifier = TrainableChain::kept_variance(chain, compute);
        let adam = Adam::new(embed.parameters.iter().chain(&classifier.parameters), WEIGHT_DECAY);
        let probe = CollapseProbe::new(features.count(), seed, device);
        Self { features, head: embed, classifier, bank: None, embeddings, probe, adam, seed, step: 0 }
    }

    /// Sets the embeddings of good parts, embeddings × channels.
    pub fn set_bank(&mut self, bank: Vec<f32>) {
        let channels = WIDTHS[1];
        self.bank = Some(Array { shape: vec![bank.len() / channels, channels], data: bank });
    }

    /// Computes the embedding of each position, N×C×h×w.
    pub fn embed(&self, batch: &SampleBatch) -> Tensor {
        self.head.forward(&self.features.of(&batch.targets), false)
    }

    fn loss_of(&self, batch: &SampleBatch) -> Tensor {
        let embedded = self.embed(batch);
        neighbour_distance(&embedded) + self.direction_loss(&embedded)
    }

    /// Computes the cross-entropy of telling in which direction one position lies of another.
    fn direction_loss(&self, embedded: &Tensor) -> Tensor {
        let losses: Vec<Tensor> = DIRECTIONS
            .iter()
            .enumerate()
            .filter_map(|(direction, step)| {
                let [here, there] = shifted(embedded, step.map(|side| side * REACH))?;
                let logits = self.classifier.forward(&(there - here), false);
                Some(-logits.log_softmax(1, Kind::Float).select(1, direction as i64).mean(Kind::Float))
            })
            .collect();
        Tensor::stack(&losses, 0).mean(Kind::Float)
    }

    /// Returns the variance of the embeddings of noise.
    fn spread_of_noise(&self) -> f64 {
        let embedded = tch::no_grad(|| self.head.forward(self.probe.noise(), false));
        let mean = embedded.mean_dim([0i64, 2, 3].as_slice(), true, Kind::Float);
        squared(&embedded, &mean).mean(Kind::Double).double_value(&[])
    }
}

/// Computes the mean squared difference of positions that lie side by side.
fn neighbour_distance(embedded: &Tensor) -> Tensor {
    let pairs = [[0, 1], [1, 0]].into_iter().filter_map(|step| shifted(embedded, step));
    let means: Vec<Tensor> = pairs.map(|[here, there]| squared(&here, &there).mean(Kind::Float)).collect();
    Tensor::stack(&means, 0).mean(Kind::Float)
}

/// Returns all positions of x (N×C×h×w) that have another one `rows` below and `columns` to the right, and these others; `None` if the grid
/// is too small.
fn shifted(x: &Tensor, [rows, columns]: [i64; 2]) -> Option<[Tensor; 2]> {
    let size = x.size();
    let (height, width) = (size[2] - rows.abs(), size[3] - columns.abs());
    let part = |row: i64, column: i64| x.narrow(2, row.max(0), height).narrow(3, column.max(0), width);
    (height > 0 && width > 0).then(|| [part(-rows, -columns), part(rows, columns)])
}

impl Learner for PatchSvdd {
    fn loss(&mut self, fit: &mut Samples, indices: &[usize], step: u64) -> Result<Tensor, TrainError> {
        Ok(self.loss_of(&augmented_batch(fit, indices, Kind::Float, (self.seed, step))?))
    }

    fn update(&mut self, step: u64, rate: f64) {
        let parameters = self.head.parameters.iter_mut().chain(&mut self.classifier.parameters);
        self.adam.step(parameters, step, rate);
        self.step = step + 1;
    }

    fn before_check(&mut self, _fit: &mut Samples) -> Result<(), TrainError> {
        if self.probe.has_collapsed(self.spread_of_noise()) {
            return Err(TrainError::Collapsed { step: self.step });
        }
        Ok(())
    }

    fn selection(&self, batch: &SampleBatch) -> f64 {
        self.loss_of(batch).double_value(&[])
    }

    fn kind(&self) -> Kind {
        Kind::Float
    }

    fn weights(&self) -> Weights {
        let mut weights = Weights::new();
        self.features.add_to(&mut weights);
        self.head.add_to(&mut weights, HEAD);
        self.classifier.add_to(&mut weights, CLASSIFIER);
        if let Some(bank) = &self.bank {
            weights.insert(BANK.to_owned(), bank.clone());
        }
        weights
    }

    fn add_to(&self, state: &mut Weights) {
        self.probe.add_to(state);
        self.adam.add_to(state);
    }

    fn load(&mut self, state: &Weights) -> Result<(), StateError> {
        self.load_weights(state)?;
        self.probe.load(state)?;
        self.adam.load(state)
    }
}

impl MapLearner for PatchSvdd {
    fn uses_teacher(&self) -> bool {
        true
    }

    fn prepare(
        &mut self,
        _run: &Run,
        _compute: Compute,
        fit: &mut Samples,
        is_new: bool,
    ) -> Result<bool, TrainError> {
        if is_new {
            self.probe.start(self.spread_of_noise());
            return self.features.measure(fit);
        }
        Ok(true)
    }

    fn map(&self, batch: &SampleBatch) -> Tensor {
        let embedded = self.embed(batch);
        let Some(bank) = &self.bank else { return embedded };
        let bank = from_array(bank).to_device(embedded.device());
        let squares = bank.square().sum_dim_intlist([1i64].as_slice(), false, Kind::Float);
        let doubled = (bank * -2.0).unsqueeze(-1).unsqueeze(-1);
        let compared = embedded.conv2d(&doubled, Some(&squares), [1, 1], [0, 0], [1, 1], 1);
        let length = embedded.square().sum_dim_intlist([1i64].as_slice(), true, Kind::Float);
        (compared.amin([1i64].as_slice(), true) + length).clamp_min(FLOOR).sqrt()
    }

    fn settle(&mut self, [fit, _]: [&mut Samples; 2]) -> Result<(), TrainError> {
        let settings =
            CoresetSettings { size: self.embeddings, sketch: Some(SKETCH), block: BLOCK, seed: self.seed };
        let mut coreset = Coreset::new(WIDTHS[1], settings);
        for index in 0..fit.count() {
            let batch = fit.batch(&[index], Kind::Float)?;
            let embedded = tch::no_grad(|| self.embed(&batch)).permute([0, 2, 3, 1]);
            coreset.add(&to_array(&embedded).data);
        }
        self.set_bank(coreset.finish());
        Ok(())
    }

    fn load_weights(&mut self, state: &Weights) -> Result<(), StateError> {
        self.features.load(state)?;
        self.head.load(state, HEAD)?;
        self.classifier.load(state, CLASSIFIER)?;
        self.bank = state.get(BANK).cloned();
        match &self.bank {
            Some(bank) if !is_usable(bank) => Err(StateError::values(BANK)),
            _ => Ok(()),
        }
    }

    fn add_map(&self, g: &mut GraphBuilder, inputs: &GraphInputs) -> Result<Value, StateError> {
        let bank = self.bank.as_ref().ok_or(StateError::missing(BANK))?;
        let features = self.features.add(g, &inputs.image, &inputs.levels);
        let embedded = self.head.to_onnx(g, &features, HEAD)?;
        let square = g.mul(&embedded, &embedded);
        let length = g.sum_channels(&square);
        let nearest = search(g, &embedded, &bank.data, WIDTHS[1]);
        let sum = g.add(&nearest, &length);
        let floor = g.scalar(FLOOR as f32);
        let sum = g.max(&sum, &floor);
        Ok(g.sqrt(&sum))
    }
}

/// Returns whether a bank that was read has embeddings, and finite ones.
fn is_usable(bank: &Array) -> bool {
    matches!(bank.shape[..], [count, channels] if count > 0 && channels == WIDTHS[1])
        && bank.data.iter().all(|x| x.is_finite())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grid() -> Tensor {
        // Row 10 y plus column x.
        let rows = Tensor::arange(4, (Kind::Float, Device::Cpu)).reshape([1, 1, 4, 1]) * 10.0;
        rows + Tensor::arange(5, (Kind::Float, Device::Cpu)).reshape([1, 1, 1, 5])
    }

    #[test]
    fn a_shifted_grid_pairs_each_position_with_the_one_in_that_direction() {
        for [rows, columns] in [[1, 0], [-1, 0], [0, 2], [-3, -3], [2, -1]] {
            let [here, there] = shifted(&grid(), [rows, columns]).unwrap();
            let difference = (10 * rows + columns) as f64;
            assert!(((there - &here) - difference).abs().max().double_value(&[]) < 1e-6);
            assert_eq!(here.size(), [1, 1, 4 - rows.abs(), 5 - columns.abs()]);
        }
        assert!(shifted(&grid(), [4, 0]).is_none());
    }

    #[test]
    fn the_losses_are_their_formulas() {
        // Squares of 1 between columns and of 100 between rows.
        assert!((neighbour_distance(&grid()).double_value(&[]) - 50.5).abs() < 1e-4);
        tch::manual_seed(8);
        let mut svdd = PatchSvdd::new(&Network::by_name("resnet18").unwrap(), 16, Device::Cpu, 0);
        let embedded = Tensor::randn([1, 32, 4, 4], (Kind::Float, Device::Cpu));
        for parameter in &mut svdd.classifier.parameters {
            tch::no_grad(|| drop(parameter.zero_()));
        }
        // A classifier that knows nothing gives each of eight directions the same share.
        let loss = svdd.direction_loss(&embedded).double_value(&[]);
        assert!((loss - 8f64.ln()).abs() < 1e-5, "{loss}");
    }
}
