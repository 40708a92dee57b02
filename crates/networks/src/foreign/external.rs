//! Loads weights stored beside the model's file.

use std::collections::HashMap;
use std::path::{Component, Path, PathBuf};

use judge::onnx::{EXTERNAL, GraphProto, TensorProto};

use super::error::ForeignError;

/// Loads the values of every constant stored in another file into the graph. That file must be in the model's folder or
/// below it.
pub(super) fn gather(graph: &mut GraphProto, model: &Path) -> Result<(), ForeignError> {
    let folder = model.parent().unwrap_or(Path::new("."));
    let mut files = HashMap::new();
    each_tensor(graph, &mut |tensor| fill(tensor, folder, &mut files))
}

/// Calls `change` for every constant: the graph's own, those in attributes, and those of graphs in attributes.
fn each_tensor(
    graph: &mut GraphProto,
    change: &mut impl FnMut(&mut TensorProto) -> Result<(), ForeignError>,
) -> Result<(), ForeignError> {
    graph.initializer.iter_mut().try_for_each(&mut *change)?;
    for attribute in graph.node.iter_mut().flat_map(|node| &mut node.attribute) {
        attribute.t.iter_mut().chain(&mut attribute.tensors).try_for_each(&mut *change)?;
        for inner in attribute.g.iter_mut().chain(&mut attribute.graphs) {
            each_tensor(inner, change)?;
        }
    }
    Ok(())
}

fn fill(
    tensor: &mut TensorProto,
    folder: &Path,
    files: &mut HashMap<PathBuf, Vec<u8>>,
) -> Result<(), ForeignError> {
    if tensor.data_location != EXTERNAL {
        return Ok(());
    }
    let name = tensor.name.clone();
    let refused = |reason: String| ForeignError::External { constant: name.clone(), reason };
    let entry =
        |key: &str| tensor.external_data.iter().find(|entry| entry.key == key).map(|entry| &entry.value);
    let number = |key: &str| {
        let text = entry(key);
        let number = text.map(|text| text.parse::<usize>());
        number.transpose().map_err(|_| refused(format!("its {key} is not a number")))
    };
    let location = entry("location").ok_or_else(|| refused("the model doesn't say which".to_owned()))?;
    let stays = |part| matches!(part, Component::Normal(_) | Component::CurDir);
    if !Path::new(location).components().all(stays) {
        return Err(refused(format!("{location} isn't in the model's folder")));
    }
    let path = folder.join(location);
    if !files.contains_key(&path) {
        let bytes = std::fs::read(&path).map_err(|e| refused(format!("{}: {e}", path.display())))?;
        files.insert(path.clone(), bytes);
    }
    let bytes = files.get(&path).map(Vec::as_slice).unwrap_or_default();
    let offset = number("offset")?.unwrap_or(0);
    let length = number("length")?.unwrap_or(bytes.len().saturating_sub(offset));
    let values = offset.checked_add(length).and_then(|end| bytes.get(offset..end));
    let values = values.ok_or_else(|| refused(format!("{location} is too short")))?;
    tensor.raw_data = values.to_vec();
    tensor.external_data.clear();
    tensor.data_location = 0;
    Ok(())
}
