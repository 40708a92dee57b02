//! Imports teachers from published weights; [`Library`] keeps them.

mod npz;
mod pickle;
mod pth;

use std::path::Path;

use crate::architecture::{Network, fold, name_sequential};
use crate::array::Weights;
use crate::teacher::{Library, Teacher, TeacherError, WeightFileError, read_safetensors};

/// Imports published weights into `library` under `name`; a teacher of that name is replaced.
///
/// # Errors
/// See [`TeacherError`]; the library is then as it was.
pub fn import(library: &Library, file: &Path, name: &str) -> Result<Teacher, TeacherError> {
    library.check_name(name)?;
    let (network, weights) = read_published(file)?;
    let teacher = Teacher { name: name.to_owned(), network, weights };
    library.keep(&teacher, &file.file_name().unwrap_or_default().to_string_lossy())?;
    Ok(teacher)
}

/// Reads published weights and finds the architecture that they fit. The format is found by content: a torch `.pth`
/// (zip, or the older layout), `.safetensors`, or `.npz`. Nothing in the file is executed.
///
/// # Errors
/// Names the first tensor that doesn't fit the architecture that the names resemble most.
pub fn read_published(path: &Path) -> Result<(Network, Weights), TeacherError> {
    let bytes = std::fs::read(path).map_err(|source| TeacherError::Io { path: path.to_owned(), source })?;
    let raw =
        read_weights(&bytes).map_err(|source| TeacherError::Format { path: path.to_owned(), source })?;
    let raw = name_sequential(raw);
    let network = most_alike(&raw);
    match fold(&network, &raw) {
        Ok(weights) => Ok((network, weights)),
        Err(source) => Err(TeacherError::Fold { path: path.to_owned(), source }),
    }
}

/// The architecture that most of the tensors fit. One of a family can be within another: what a network needs and does not
/// find counts against it.
fn most_alike(raw: &Weights) -> Network {
    let likeness = |network: &Network| {
        let (mut convs, mut names, mut shapes) = (0, 0, 0);
        for conv in network.convs() {
            let name = format!("{}.weight", conv.name);
            let mut found = raw.iter().filter(|(key, _)| key.ends_with(&name)).peekable();
            convs += 1;
            names += i64::from(found.peek().is_some());
            shapes += i64::from(found.any(|(_, array)| array.shape == conv.weight_shape()));
        }
        (names > 0, 2 * shapes - convs, names)
    };
    let mut networks = Network::all();
    networks.sort_by_key(|network| std::cmp::Reverse(likeness(network)));
    networks.swap_remove(0)
}

fn read_weights(bytes: &[u8]) -> Result<Weights, WeightFileError> {
    if bytes.starts_with(b"PK\x03\x04") {
        let archive = zip::ZipArchive::new(std::io::Cursor::new(bytes))
            .map_err(|e| format!("its zip is damaged: {e}"))?;
        if archive.file_names().flatten().any(|name| name.ends_with(".npy")) {
            npz::read(archive)
        } else {
            pth::read_zip(archive)
        }
    } else if bytes.first() == Some(&0x80) {
        pth::read_legacy(bytes)
    } else {
        read_safetensors(bytes).map(|(weights, _)| weights)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::architecture::{Conv, ResNet};
    use crate::array::Array;

    /// The weights of a network's convolutions, with another stage behind them as published files have.
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
            assert_eq!(most_alike(&raw).name, network.name);
        }
    }

    #[test]
    fn a_file_that_lacks_a_tensor_is_not_taken_for_a_smaller_network() {
        let network = ResNet::ALL[1].network();
        let mut raw = published(&network);
        raw.remove("layer3.5.conv1.weight");
        assert_eq!(most_alike(&raw).name, network.name);
        assert!(fold(&network, &raw).is_err());
    }
}
