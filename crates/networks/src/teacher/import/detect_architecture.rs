//! Finds which architecture a file's tensors belong to.

use std::collections::HashMap;

use crate::architecture::Network;
use crate::array::Weights;

/// Returns the architecture that most of the tensors fit; `None` unless, for some architecture, more than half of the names
/// are present and at least one shape matches. One network of a family can be contained in another, so what a network needs
/// but doesn't find counts against it.
pub(super) fn detect_architecture(raw: &Weights) -> Option<Network> {
    // EfficientNets that aren't Lite have the same names and shapes, plus others.
    let excites = raw.keys().any(|name| name.contains("._se_reduce.") || name.contains(".se.conv_reduce."));
    let is_other = |network: &Network| excites && network.name.starts_with("efficientnet-lite");
    let networks = Network::all().into_iter().filter(|network| !is_other(network));
    let scored = networks.filter_map(|network| Some((match_score(&network, raw)?, network)));
    // Ties go to the first.
    scored.rev().max_by_key(|(match_score, _)| *match_score).map(|(_, network)| network)
}

/// Scores how well the names and shapes after one common prefix match; higher is better.
fn match_score(network: &Network, raw: &Weights) -> Option<(i64, i64)> {
    let mut behind: HashMap<&str, (i64, i64)> = HashMap::new();
    let mut convs = 0;
    for conv in network.convs() {
        let (name, shape) = (format!("{}.weight", conv.name), conv.weight_shape());
        convs += 1;
        for (key, array) in raw {
            let prefix = key.strip_suffix(&name).filter(|prefix| prefix.is_empty() || prefix.ends_with('.'));
            if let Some(prefix) = prefix {
                let (names, shapes) = behind.entry(prefix).or_default();
                *names += 1;
                *shapes += i64::from(array.shape == shape);
            }
        }
    }
    let enough = behind.into_values().filter(|&(names, shapes)| 2 * names > convs && shapes > 0);
    enough.map(|(names, shapes)| (2 * shapes - convs, names)).max()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::architecture::{Conv, ResNet, fold};
    use crate::array::Array;

    /// The weights of a network's convolutions, followed by another stage, as in published files.
    fn published(network: &Network) -> Weights {
        let named = |conv: &Conv| {
            let shape = conv.weight_shape().to_vec();
            let data = vec![0.0; shape.iter().product()];
            (format!("{}.weight", conv.name), Array { shape, data })
        };
        let behind = Array { shape: vec![8, 8, 3, 3], data: vec![0.0; 576] };
        let more = (0..6).flat_map(|block| {
            let lite = (11..30).map(move |block| format!("_blocks.{block}._project_conv.weight"));
            (0..3).map(move |conv| format!("layer4.{block}.conv{conv}.weight")).chain(lite)
        });
        let mut weights: Weights = more.map(|name| (name, behind.clone())).collect();
        weights.extend(network.convs().map(named));
        weights
    }

    #[test]
    fn every_architecture_is_known_by_its_tensors() {
        for network in Network::all() {
            let raw = published(&network);
            assert_eq!(detect_architecture(&raw).map(|found| found.name), Some(network.name));
        }
    }

    #[test]
    fn a_file_that_lacks_a_tensor_is_not_taken_for_a_smaller_network() {
        let network = ResNet::ALL[1].network();
        let mut raw = published(&network);
        raw.remove("layer3.5.conv1.weight");
        assert_eq!(detect_architecture(&raw).map(|found| found.name), Some(network.name));
        assert!(fold(&network, &raw).is_err());
    }

    /// Tensors of these names, all of the same shape.
    fn named<const N: usize>(names: [&str; N]) -> Weights {
        let array = Array { shape: vec![64, 3, 7, 7], data: vec![0.0; 64 * 3 * 49] };
        names.map(|name| (name.to_owned(), array.clone())).into()
    }

    #[test]
    fn names_that_fit_no_network_are_taken_for_none() {
        let vgg = named(["features.0.weight", "features.3.weight", "features.6.weight"]);
        // Some names end like a network's.
        let densenet = named([
            "features.conv0.weight",
            "features.denseblock1.denselayer1.conv1.weight",
            "features.denseblock1.denselayer1.conv2.weight",
            "myconv1.weight",
        ]);
        let vit = named(["patch_embed.proj.weight", "blocks.0.attn.qkv.weight"]);
        for (name, raw) in [("VGG", vgg), ("DenseNet", densenet), ("ViT", vit), ("nothing", named([]))] {
            assert_eq!(detect_architecture(&raw), None, "{name}");
        }
    }

    #[test]
    fn an_efficientnet_is_none_of_the_lite_ones() {
        let mut raw = published(&Network::by_name("efficientnet-lite0").unwrap());
        raw.extend(named(["_blocks.0._se_reduce.weight"]));
        assert_eq!(detect_architecture(&raw), None);
    }

    #[test]
    fn a_prefix_counts_for_one_network() {
        let network = ResNet::ALL[0].network();
        let raw: Weights =
            published(&network).into_iter().map(|(name, w)| (format!("model.{name}"), w)).collect();
        assert_eq!(detect_architecture(&raw).map(|found| found.name), Some(network.name));
    }
}
