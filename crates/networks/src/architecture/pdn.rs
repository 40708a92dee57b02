//! Patch description networks (Batzner, Heckler, König: *EfficientAD*, WACV 2024): each feature describes a patch of
//! 33×33 pixels. S and M are the published ones; XS is S at a quarter of the width. They have one level: 56² positions
//! for 256².

use super::Network;
use super::chain::{Chain, ChainConv, ChainStep};
use crate::array::{Array, Weights};

/// The published networks use ImageNet's normalisation.
const MEAN: [f32; 3] = [0.485, 0.456, 0.406];
const STD: [f32; 3] = [0.229, 0.224, 0.225];

/// The size of the networks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PdnSize {
    /// A quarter of the width of S.
    Xs,
    /// The paper's small one.
    S,
    /// The paper's medium one.
    M,
}

impl PdnSize {
    /// Every size, smallest first.
    pub const ALL: [Self; 3] = [Self::Xs, Self::S, Self::M];

    /// Returns the architecture's name.
    #[must_use]
    pub const fn network_name(self) -> &'static str {
        match self {
            Self::Xs => "pdn-xs",
            Self::S => "pdn-s",
            Self::M => "pdn-m",
        }
    }

    /// Returns the size of the architecture with this name; `None` if it isn't a patch description network.
    #[must_use]
    pub fn of(network_name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|size| size.network_name() == network_name)
    }

    /// Returns the channels of the teacher's features.
    #[must_use]
    pub const fn features(self) -> usize {
        match self {
            Self::Xs => 96,
            Self::S | Self::M => 384,
        }
    }

    /// Returns the teacher as an importable network, without padding.
    #[must_use]
    pub fn teacher(self) -> Network {
        self.chain(self.features(), false).into_network(self.network_name(), MEAN, STD)
    }

    /// Returns the student: the teacher's layers with twice the features, the first half to match the teacher, the
    /// second to match the autoencoder.
    #[must_use]
    pub fn student(self) -> Chain {
        self.chain(2 * self.features(), false)
    }

    /// Returns the layers, with `outputs` features. With padding, as for distilling a teacher, 256² gives 64²
    /// positions.
    #[must_use]
    pub fn chain(self, outputs: usize, padded: bool) -> Chain {
        // Output channels, kernel, padding if enabled, whether ReLU follows, whether a pool follows.
        let small = |width: usize| {
            vec![
                (width, 4, 3, true, true),
                (2 * width, 4, 3, true, true),
                (2 * width, 3, 1, true, false),
                (outputs, 4, 0, false, false),
            ]
        };
        let layers = match self {
            Self::Xs => small(32),
            Self::S => small(128),
            Self::M => vec![
                (256, 4, 3, true, true),
                (512, 4, 3, true, true),
                (512, 1, 0, true, false),
                (512, 3, 1, true, false),
                (outputs, 4, 0, true, false),
                (outputs, 1, 0, false, false),
            ],
        };
        let mut steps = Vec::new();
        let mut inputs = 3;
        for (index, (outputs, kernel, padding, relu, pool)) in layers.into_iter().enumerate() {
            let padding = if padded { padding } else { 0 };
            let name = format!("conv{}", index + 1);
            let kernel = [kernel; 2];
            steps.push(ChainStep::Conv(ChainConv {
                name,
                inputs,
                outputs,
                kernel,
                stride: 1,
                padding,
                relu,
            }));
            if pool {
                steps.push(ChainStep::AveragePool { padding: usize::from(padded) });
            }
            inputs = outputs;
        }
        Chain { steps }
    }
}

/// Renames the weights of a plain sequence of layers, whose names are their indices: of `0.weight`, `0.bias`,
/// `3.weight` …, the k-th index becomes `conv{k}`. Other weights keep their names.
#[must_use]
pub fn name_sequential(raw: Weights) -> Weights {
    let place = |name: &str| name.split_once('.').and_then(|(place, _)| place.parse::<usize>().ok());
    let Some(mut places) = raw.keys().map(|name| place(name)).collect::<Option<Vec<usize>>>() else {
        return raw;
    };
    places.sort_unstable();
    places.dedup();
    let renamed = |(name, array): (String, Array)| {
        let parts = name.split_once('.').zip(place(&name).and_then(|p| places.binary_search(&p).ok()));
        match parts {
            Some(((_, part), index)) => (format!("conv{}.{part}", index + 1), array),
            None => (name, array),
        }
    };
    raw.into_iter().map(renamed).collect()
}

#[cfg(test)]
mod tests {
    use super::super::{AutoencoderGrid, autoencoder};
    use super::*;

    fn giga(n: usize) -> f64 {
        (n as f64 / 1e7).round() / 100.0
    }

    #[test]
    fn the_published_sizes_take_the_published_work() {
        let work = |size: PdnSize, features| giga(size.chain(features, false).multiplications([256, 256]));
        // S: 0.39 + 7.93 + 2.05 + 4.93 (9.87 for the student).
        assert_eq!((work(PdnSize::S, 384), work(PdnSize::S, 768)), (15.31, 20.24));
        assert_eq!((work(PdnSize::M, 384), work(PdnSize::M, 768)), (52.03, 63.28));
        let ae = |features| {
            giga(autoencoder([256, 256], features, AutoencoderGrid::Patches).multiplications([256, 256]))
        };
        assert_eq!(ae(384), 2.39);
        let xs = work(PdnSize::Xs, 96) + work(PdnSize::Xs, 192) + ae(96);
        assert!(xs < 4.3, "{xs}");
    }

    #[test]
    fn numbered_layers_get_names_and_others_keep_theirs() {
        let weights = |names: &[&str]| -> Weights {
            let array = |n: usize| Array { shape: vec![1], data: vec![n as f32] };
            names.iter().enumerate().map(|(n, name)| ((*name).to_owned(), array(n))).collect()
        };
        let named = name_sequential(weights(&["0.weight", "3.weight", "8.bias", "10.weight"]));
        let names: Vec<&str> = named.keys().map(String::as_str).collect();
        assert_eq!(names, ["conv1.weight", "conv2.weight", "conv3.bias", "conv4.weight"]);
        assert_eq!(named["conv4.weight"].data, [3.0]);
        for others in [&["conv1.weight", "0.weight"][..], &["layer1.0.weight"], &[]] {
            assert_eq!(name_sequential(weights(others)), weights(others));
        }
    }
}
