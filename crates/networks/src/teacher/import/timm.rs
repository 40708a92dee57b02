//! Renames EfficientNet-Lite's tensors from timm's and geffnet's names.
//!
//! The weights of their Lite models prefixed with `tf_` are the same as those of the PyTorch port. timm also trained its own
//! weights (`efficientnet_lite0` without `tf_`), with other padding and normalisation: the tensors' names don't distinguish
//! them.

use std::collections::{BTreeMap, BTreeSet};

use crate::array::Weights;

/// A parsed name: its prefix including the dot, and the rest.
enum TensorName<'a> {
    /// The prefix, `conv_stem` or `bn1`, and the tensor.
    Stem(&'a str, &'a str, &'a str),
    /// The prefix, the stage and block, the part, and the tensor.
    Block(&'a str, usize, usize, &'a str, &'a str),
}

impl<'a> TensorName<'a> {
    fn prefix(&self) -> &'a str {
        match self {
            Self::Stem(prefix, ..) | Self::Block(prefix, ..) => prefix,
        }
    }

    fn parse(name: &'a str) -> Option<Self> {
        let (layer, tensor) = name.rsplit_once('.')?;
        if let Some((prefix, block)) = split_before(layer, "blocks.") {
            let mut parts = block.splitn(3, '.');
            let mut number = || parts.next()?.parse::<u16>().ok().map(usize::from);
            let (stage, block) = (number()?, number()?);
            return Some(Self::Block(prefix, stage, block, parts.next()?, tensor));
        }
        let stem = layer.rfind('.').map_or(0, |dot| dot + 1);
        let (prefix, part) = layer.split_at(stem);
        matches!(part, "conv_stem" | "bn1").then_some(Self::Stem(prefix, part, tensor))
    }
}

/// Splits around the last `word` that starts a name or follows a dot.
fn split_before<'a>(name: &'a str, word: &str) -> Option<(&'a str, &'a str)> {
    let (prefix, rest) = name.rsplit_once(word)?;
    (prefix.is_empty() || prefix.ends_with('.')).then_some((prefix, rest))
}

/// Renames tensors with timm's names as in the PyTorch port; other weights keep their names.
pub(super) fn name_as_port(raw: Weights) -> Weights {
    let nets = Nets::of(&raw);
    if nets.prefixes.is_empty() {
        return raw;
    }
    raw.into_iter().map(|(name, array)| (nets.renamed(&name).unwrap_or(name), array)).collect()
}

/// The networks of a file: a checkpoint may contain a second one, such as the mean of the last steps.
struct Nets {
    /// The name prefixes of those that have timm's stem.
    prefixes: BTreeSet<String>,
    /// For each prefix and stage, the number of its first block, counted over all stages.
    first: BTreeMap<(String, usize), usize>,
    /// The blocks (prefix, stage and number) with a third convolution; the others are depthwise-separable.
    of_three: BTreeSet<(String, usize, usize)>,
}

impl Nets {
    fn of(raw: &Weights) -> Self {
        let (mut prefixes, mut blocks, mut of_three) = (BTreeSet::new(), BTreeMap::new(), BTreeSet::new());
        for tensor_name in raw.keys().filter_map(|name| TensorName::parse(name)) {
            match tensor_name {
                TensorName::Stem(prefix, "conv_stem", "weight") => {
                    prefixes.insert(prefix.to_owned());
                }
                TensorName::Stem(..) => {}
                TensorName::Block(prefix, stage, block, part, _) => {
                    let count: &mut usize = blocks.entry((prefix.to_owned(), stage)).or_default();
                    *count = (*count).max(block + 1);
                    if part == "conv_pwl" {
                        of_three.insert((prefix.to_owned(), stage, block));
                    }
                }
            }
        }
        let mut first = BTreeMap::new();
        // Sorted by prefix, then by stage.
        let mut before = (String::new(), 0);
        for ((prefix, stage), count) in blocks {
            if before.0 != prefix {
                before = (prefix.clone(), 0);
            }
            first.insert((prefix, stage), before.1);
            before.1 += count;
        }
        Self { prefixes, first, of_three }
    }

    fn renamed(&self, name: &str) -> Option<String> {
        let tensor_name =
            TensorName::parse(name).filter(|tensor_name| self.prefixes.contains(tensor_name.prefix()))?;
        match tensor_name {
            TensorName::Stem(prefix, part, tensor) => {
                let part = if part == "bn1" { "_bn0" } else { "_conv_stem" };
                Some(format!("{prefix}{part}.{tensor}"))
            }
            TensorName::Block(prefix, stage, block, part, tensor) => {
                let of_three = self.of_three.contains(&(prefix.to_owned(), stage, block));
                let part = match (part, of_three) {
                    ("conv_pw", true) => "_expand_conv",
                    ("bn1", true) => "_bn0",
                    ("conv_dw", _) => "_depthwise_conv",
                    ("bn2", true) | ("bn1", false) => "_bn1",
                    ("conv_pwl", true) | ("conv_pw", false) => "_project_conv",
                    ("bn3", true) | ("bn2", false) => "_bn2",
                    _ => return None,
                };
                let number = self.first.get(&(prefix.to_owned(), stage))? + block;
                Some(format!("{prefix}_blocks.{number}.{part}.{tensor}"))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::architecture::{EfficientNetLite, Network};
    use crate::array::Array;

    /// Returns timm's name for a tensor of the port. Block numbers restart in each stage.
    fn timm_name(network: &Network, stages: &[usize], name: &str) -> String {
        let (layer, tensor) = name.rsplit_once('.').unwrap();
        let parts: Vec<&str> = layer.split('.').collect();
        let [_, number, part] = parts[..] else {
            let stem = if layer == "_bn0" { "bn1" } else { "conv_stem" };
            return format!("{stem}.{tensor}");
        };
        let mut block: usize = number.parse().unwrap();
        let separable = !network.convs().any(|conv| conv.name == format!("_blocks.{number}._expand_conv"));
        let mut stage = 0;
        while block >= stages[stage] {
            block -= stages[stage];
            stage += 1;
        }
        let part = match (part, separable) {
            ("_expand_conv", _) => "conv_pw",
            ("_depthwise_conv", _) => "conv_dw",
            ("_project_conv", true) => "conv_pw",
            ("_project_conv", false) => "conv_pwl",
            ("_bn0", _) | ("_bn1", true) => "bn1",
            ("_bn1", false) | ("_bn2", true) => "bn2",
            ("_bn2", false) => "bn3",
            other => panic!("{other:?}"),
        };
        format!("blocks.{stage}.{block}.{part}.{tensor}")
    }

    /// A network's tensors, each with a different value.
    fn port(network: &Network) -> Weights {
        let mut weights = Weights::new();
        for conv in network.convs() {
            let norms =
                ["weight", "bias", "running_mean", "running_var"].map(|t| format!("{}.{t}", conv.norm));
            for name in norms.into_iter().chain([format!("{}.weight", conv.name)]) {
                let data = vec![weights.len() as f32];
                weights.insert(name, Array { shape: vec![1], data });
            }
        }
        weights
    }

    #[test]
    fn every_lite_has_the_port_s_names() {
        let stages: [&[usize]; 2] = [&[1, 2, 2, 3, 3], &[1, 4, 4, 6, 6]];
        for (lite, stages) in [EfficientNetLite::ALL[0], EfficientNetLite::ALL[4]].into_iter().zip(stages) {
            let network = lite.network();
            let port = port(&network);
            for prefix in ["", "state_dict.module."] {
                let renamed = |name: &String| format!("{prefix}{}", timm_name(&network, stages, name));
                let timm: Weights = port.iter().map(|(name, array)| (renamed(name), array.clone())).collect();
                assert!(timm.contains_key(&format!("{prefix}blocks.1.0.conv_pwl.weight")));
                let expected: Weights =
                    port.iter().map(|(name, array)| (format!("{prefix}{name}"), array.clone())).collect();
                assert_eq!(name_as_port(timm), expected);
            }
            assert_eq!(name_as_port(port.clone()), port, "the port's own names stay");
        }
    }

    #[test]
    fn other_networks_keep_their_names() {
        let one = Array { shape: vec![1], data: vec![0.0] };
        let names =
            ["conv1.weight", "bn1.weight", "layer1.0.bn1.bias", "blocks.0.0.bn1.weight", "blocks.x.0.a.b"];
        let weights: Weights = names.map(|name| (name.to_owned(), one.clone())).into();
        assert_eq!(name_as_port(weights.clone()), weights);
    }
}
