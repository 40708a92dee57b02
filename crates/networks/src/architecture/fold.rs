//! Fits published weights to an architecture and folds each BatchNorm into its convolution.

use super::{Conv, Network};
use crate::array::{Array, Weights};

/// Why weights don't fit an architecture, with the first tensor that doesn't fit.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum FoldError {
    /// A required tensor is missing.
    #[error(
        "the weights have no tensor `{name}`, which {network} needs; they belong to another network: give those of a ResNet (18, 34, 50, wide 50-2), an EfficientNet-Lite or a PDN teacher"
    )]
    Missing {
        /// The tensor.
        name: String,
        /// The architecture.
        network: &'static str,
    },
    /// A tensor has the wrong shape.
    #[error(
        "tensor `{name}` has shape {found:?}, but {network} needs {expected:?}; the weights belong to another network: give those of a ResNet (18, 34, 50, wide 50-2), an EfficientNet-Lite or a PDN teacher"
    )]
    Shape {
        /// The tensor.
        name: String,
        /// The architecture.
        network: &'static str,
        /// The architecture's shape.
        expected: Vec<usize>,
        /// The file's shape.
        found: Vec<usize>,
    },
    /// A tensor contains NaN or infinity, or leads to one.
    #[error(
        "tensor `{name}` contains, or leads to, a value that is not finite (index {index}); the file is damaged or its training diverged: get another copy"
    )]
    NotFinite {
        /// The tensor.
        name: String,
        /// The value's index, row-major.
        index: usize,
    },
}

/// Returns `{conv}.weight` and `{conv}.bias` for every convolution of `network`, from weights with BatchNorm
/// (`{norm}.weight`, `.bias`, `.running_mean`, `.running_var`) or with the BatchNorm already folded (`{conv}.bias`).
/// A prefix shared by all names (`module.`, `backbone.` …) is ignored, as are tensors that aren't needed.
///
/// # Errors
/// Names the first tensor, in the network's order, that is missing, misshapen or not finite.
pub fn fold(network: &Network, raw: &Weights) -> Result<Weights, FoldError> {
    let published = PublishedWeights { network, raw, prefix: prefix(network, raw) };
    let mut folded = Weights::new();
    for conv in network.convs() {
        let mut weight = published.get(&format!("{}.weight", conv.name), &conv.weight_shape())?.clone();
        let bias = if !conv.norm.is_empty() && published.has(&format!("{}.running_mean", conv.norm)) {
            published.fold_norm(conv, &mut weight)?
        } else {
            published.get(&format!("{}.bias", conv.name), &[conv.outputs])?.clone()
        };
        folded.insert(format!("{}.weight", conv.name), weight);
        folded.insert(format!("{}.bias", conv.name), bias);
    }
    Ok(folded)
}

struct PublishedWeights<'a> {
    network: &'a Network,
    raw: &'a Weights,
    prefix: String,
}

impl PublishedWeights<'_> {
    fn has(&self, name: &str) -> bool {
        self.raw.contains_key(&format!("{}{name}", self.prefix))
    }

    fn get(&self, name: &str, shape: &[usize]) -> Result<&Array, FoldError> {
        let full = format!("{}{name}", self.prefix);
        let network = self.network.name;
        let Some(array) = self.raw.get(&full) else {
            return Err(FoldError::Missing { name: full, network });
        };
        if array.shape != shape {
            let (expected, found) = (shape.to_vec(), array.shape.clone());
            return Err(FoldError::Shape { name: full, network, expected, found });
        }
        if let Some(index) = array.data.iter().position(|x| !x.is_finite()) {
            return Err(FoldError::NotFinite { name: full, index });
        }
        Ok(array)
    }

    /// Scales `weight` in place and returns the bias: γ (w∗x − μ) / √(σ² + ε) + β.
    fn fold_norm(&self, conv: &Conv, weight: &mut Array) -> Result<Array, FoldError> {
        let norm = |part: &str| self.get(&format!("{}.{part}", conv.norm), &[conv.outputs]);
        let (gamma, beta) = (norm("weight")?, norm("bias")?);
        let (mean, variance) = (norm("running_mean")?, norm("running_var")?);
        let per_output = weight.data.len() / conv.outputs;
        let mut bias = Vec::with_capacity(conv.outputs);
        for (o, kernel) in weight.data.chunks_exact_mut(per_output).enumerate() {
            let deviation = (f64::from(variance.data[o]) + f64::from(self.network.norm_epsilon)).sqrt();
            let scale = f64::from(gamma.data[o]) / deviation;
            for w in kernel {
                *w = (f64::from(*w) * scale) as f32;
            }
            bias.push((f64::from(beta.data[o]) - f64::from(mean.data[o]) * scale) as f32);
        }
        // A negative variance or an out-of-range scale only shows here.
        if let Some(at) = weight.data.iter().position(|w| !w.is_finite()) {
            let name = format!("{}{}.running_var", self.prefix, conv.norm);
            return Err(FoldError::NotFinite { name, index: at / per_output });
        }
        if let Some(index) = bias.iter().position(|b| !b.is_finite()) {
            return Err(FoldError::NotFinite {
                name: format!("{}{}.running_mean", self.prefix, conv.norm),
                index,
            });
        }
        Ok(Array { shape: vec![conv.outputs], data: bias })
    }
}

/// Returns the prefix of the names: the one under which most convolutions are found, the shortest if there are
/// several.
fn prefix(network: &Network, raw: &Weights) -> String {
    let Some(first) = network.convs().next() else { return String::new() };
    let name = format!("{}.weight", first.name);
    let found = raw.keys().filter_map(|key| key.strip_suffix(&name)).filter(|p| p.ends_with('.'));
    let count = |p: &str| {
        network.convs().filter(|conv| raw.contains_key(&format!("{p}{}.weight", conv.name))).count()
    };
    // Ties go to the last, so the empty prefix, the shortest, comes last.
    let mut candidates: Vec<&str> = found.chain([""]).collect();
    candidates.sort_by_key(|p| std::cmp::Reverse(p.len()));
    candidates.into_iter().max_by_key(|p| count(p)).unwrap_or("").to_owned()
}

#[cfg(test)]
mod tests {
    use super::super::ResNet;
    use super::*;

    fn resnet18() -> Network {
        ResNet::ALL[0].network()
    }

    fn published(prefix: &str) -> Weights {
        let network = resnet18();
        let mut raw = Weights::new();
        for conv in network.convs() {
            let shape = conv.weight_shape().to_vec();
            let data = vec![0.5; shape.iter().product()];
            raw.insert(format!("{prefix}{}.weight", conv.name), Array { shape, data });
            for (part, value) in [("weight", 2.0), ("bias", 1.0), ("running_mean", 3.0), ("running_var", 4.0)]
            {
                let array = Array { shape: vec![conv.outputs], data: vec![value; conv.outputs] };
                raw.insert(format!("{prefix}{}.{part}", conv.norm), array);
            }
        }
        raw
    }

    #[test]
    fn batch_norm_becomes_weight_and_bias() {
        let folded = fold(&resnet18(), &published("module.")).unwrap();
        // 2 (w x − 3) / √(4 + 1e-5) + 1
        let scale = 2.0 / (4.0f64 + 1e-5).sqrt();
        assert!((f64::from(folded["conv1.weight"].data[0]) - 0.5 * scale).abs() < 1e-7);
        assert!((f64::from(folded["conv1.bias"].data[0]) - (1.0 - 3.0 * scale)).abs() < 1e-6);
        // Folding twice changes nothing.
        assert_eq!(fold(&resnet18(), &folded).unwrap(), folded);
    }

    #[test]
    fn the_first_tensor_that_does_not_fit_is_named() {
        let mut raw = published("");
        raw.remove("layer2.0.conv1.weight");
        let error = fold(&resnet18(), &raw).unwrap_err();
        assert!(error.to_string().contains("`layer2.0.conv1.weight`"), "{error}");

        let mut raw = published("");
        raw.remove("conv1.weight");
        assert!(
            matches!(fold(&resnet18(), &raw), Err(FoldError::Missing { name, .. }) if name == "conv1.weight")
        );

        let mut raw = published("");
        raw.get_mut("layer1.0.bn1.running_var").unwrap().data[3] = -1.0;
        let expected = FoldError::NotFinite { name: "layer1.0.bn1.running_var".to_owned(), index: 3 };
        assert_eq!(fold(&resnet18(), &raw), Err(expected));

        let mut raw = published("");
        raw.get_mut("layer1.1.bn2.bias").unwrap().shape = vec![8, 8];
        assert!(
            matches!(fold(&resnet18(), &raw), Err(FoldError::Shape { name, .. }) if name == "layer1.1.bn2.bias")
        );

        let mut raw = published("");
        raw.get_mut("layer3.0.downsample.0.weight").unwrap().data[7] = f32::NAN;
        let expected = FoldError::NotFinite { name: "layer3.0.downsample.0.weight".to_owned(), index: 7 };
        assert_eq!(fold(&resnet18(), &raw), Err(expected));
    }
}
