//! Loads weights stored beside the model's file.

use std::collections::HashMap;
use std::path::{Component, Path, PathBuf};

use judge::onnx::{EXTERNAL, GraphProto, TensorProto};
use judge::read_regular_file;

use super::error::ForeignError;

/// Maximum size of a file of values, and of all values that a model takes from such files: the largest backbone's have a tenth
/// of that. Constants may share a file, so that a small one could stand for any amount of memory.
const MAX_BYTES: u64 = 4 << 30;

/// Loads the values of every constant stored in another file into the graph. That file must be in the model's folder or
/// below it.
pub(super) fn gather(graph: &mut GraphProto, model: &Path) -> Result<(), ForeignError> {
    let folder = model.parent().unwrap_or(Path::new("."));
    let mut source = Source { folder, files: HashMap::new(), left: MAX_BYTES };
    each_tensor(graph, &mut |tensor| source.fill(tensor))
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

/// The files of values that were read so far.
struct Source<'a> {
    folder: &'a Path,
    files: HashMap<PathBuf, Vec<u8>>,
    /// How many bytes of values may still be taken.
    left: u64,
}

impl Source<'_> {
    fn fill(&mut self, tensor: &mut TensorProto) -> Result<(), ForeignError> {
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
        let path = self.folder.join(location);
        if !self.files.contains_key(&path) {
            let bytes = read_regular_file(&path, MAX_BYTES);
            let bytes = bytes.map_err(|e| refused(format!("{}: {e}", path.display())))?;
            self.files.insert(path.clone(), bytes);
        }
        let bytes = self.files.get(&path).map(Vec::as_slice).unwrap_or_default();
        let offset = number("offset")?.unwrap_or(0);
        let length = number("length")?.unwrap_or(bytes.len().saturating_sub(offset));
        let values = offset.checked_add(length).and_then(|end| bytes.get(offset..end));
        let values = values.ok_or_else(|| refused(format!("{location} is too short")))?;
        self.left = self
            .left
            .checked_sub(values.len() as u64)
            .ok_or_else(|| refused(format!("all values together have more than {MAX_BYTES} bytes")))?;
        tensor.raw_data = values.to_vec();
        tensor.external_data.clear();
        tensor.data_location = 0;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use judge::onnx::StringStringEntryProto;

    use super::*;

    fn constant(location: &str) -> TensorProto {
        let entry = StringStringEntryProto { key: "location".into(), value: location.into() };
        TensorProto { external_data: vec![entry], data_location: EXTERNAL, ..Default::default() }
    }

    #[test]
    fn values_are_read_from_regular_files_and_up_to_a_limit() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("values"), [1; 8]).unwrap();
        std::os::unix::fs::symlink("/dev/zero", folder.path().join("endless")).unwrap();
        let mut source = Source { folder: folder.path(), files: HashMap::new(), left: 16 };
        let error = source.fill(&mut constant("endless")).unwrap_err().to_string();
        assert!(error.contains("not a regular file"), "{error}");
        for _ in 0..2 {
            let mut constant = constant("values");
            source.fill(&mut constant).unwrap();
            assert_eq!(constant.raw_data, [1; 8]);
        }
        let error = source.fill(&mut constant("values")).unwrap_err().to_string();
        assert!(error.contains("all values together"), "{error}");
    }
}
