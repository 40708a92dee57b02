//! Reads torch `.pth` checkpoints: the zip layout (torch 1.6 and later) and the older layout.

use std::collections::HashMap;
use std::io::{Read, Seek};
use std::rc::Rc;

use crate::array::{Array, Weights};
use half::{bf16, f16};
use zip::ZipArchive;

use super::pickle::{Pickle, PickleValue, TensorRef};
use crate::teacher::WeightFileError;

/// The magic number at the start of the older layout, as a pickled integer of 10 bytes.
const LEGACY_MAGIC: [u8; 12] = [0x8a, 10, 0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19];
/// Maximum size of a backbone's weights: forged sizes must not fill the memory.
pub(super) const MAX_BYTES: u64 = 2 << 30;
/// Maximum size of a checkpoint's pickle.
const MAX_PICKLE: u64 = 64 << 20;
/// Maximum number of named tensors and dicts in a checkpoint, including nested ones.
const MAX_ENTRIES: usize = 100_000;
/// Maximum nesting of dicts: a training framework's state has about ten levels. A forged dict can contain itself.
const MAX_DEPTH: usize = 64;
/// Maximum number of characters in a tensor's name, including those of the enclosing dicts.
const MAX_NAME: usize = 1024;

/// Reads a zip state dict: `…/data.pkl` and one file per storage.
///
/// # Errors
/// A sentence that says what is wrong with the file.
pub fn read_zip<R: Read + Seek>(mut archive: ZipArchive<R>) -> Result<Weights, WeightFileError> {
    let mut names = archive.file_names().flatten();
    let index =
        names.find(|name| name.ends_with("/data.pkl") || name == "data.pkl").map(|name| name.into_owned());
    drop(names);
    let index = index.ok_or("its zip has no data.pkl; save a state_dict() with torch.save")?;
    let folder = index.trim_end_matches("data.pkl").to_owned();
    let pickle = Pickle::decode(&read_entry(&mut archive, &index, MAX_PICKLE)?)?;
    let tensors = tensors(&pickle)?;
    let (mut storages, mut left) = (HashMap::new(), MAX_BYTES);
    for (_, tensor) in &tensors {
        if !storages.contains_key(&tensor.key) {
            let bytes = read_entry(&mut archive, &format!("{folder}data/{}", tensor.key), left)?;
            left -= bytes.len() as u64;
            storages.insert(tensor.key.clone(), bytes);
        }
    }
    gather(&tensors, |key| storages.get(key).map(Vec::as_slice))
}

/// Reads a state dict in the layout before torch 1.6: three pickles of preamble, the dict, the list of storage keys,
/// then each storage as its length and its bytes.
///
/// # Errors
/// A sentence that says what is wrong with the file.
pub fn read_legacy(bytes: &[u8]) -> Result<Weights, WeightFileError> {
    // Two protocol bytes precede the magic number.
    if bytes.get(2..2 + LEGACY_MAGIC.len()) != Some(&LEGACY_MAGIC) {
        return Err(
            "it is a pickle, but not one written by torch.save; save a state_dict() with torch.save".into()
        );
    }
    let mut at = 0;
    let mut next = || {
        let pickle = Pickle::decode(&bytes[at..])?;
        at += pickle.length;
        Ok::<_, WeightFileError>(pickle)
    };
    let (_magic, _protocol, _system) = (next()?, next()?, next()?);
    let (pickle, keys) = (next()?, next()?);
    let tensors = tensors(&pickle)?;
    let keys = keys.items(&keys.root).ok_or("its list of storages is missing; get another copy")?;
    let mut storages = HashMap::new();
    for key in keys {
        let PickleValue::Text(key) = key else {
            return Err("its list of storages is damaged; get another copy".into());
        };
        let kind = pickle.storages.get(key).map_or("of an unknown type", |kind| kind);
        let size = element_size(kind).ok_or_else(|| {
            format!("storage {key} is {kind}, which is not supported; save the state_dict() alone")
        })?;
        let cut = || WeightFileError::from(format!("storage {key} is cut short; get another copy"));
        let header = bytes.get(at..at + 8).and_then(|b| b.try_into().ok()).ok_or_else(cut)?;
        let length = usize::try_from(u64::from_le_bytes(header))
            .ok()
            .and_then(|n| n.checked_mul(size))
            .ok_or_else(cut)?;
        at += 8;
        let end = at.checked_add(length).ok_or_else(cut)?;
        storages.insert(key.clone(), bytes.get(at..end).ok_or_else(cut)?);
        at = end;
    }
    gather(&tensors, |key| storages.get(key).copied())
}

/// Reads one file of the zip, refusing more than `limit` bytes.
fn read_entry<R: Read + Seek>(
    archive: &mut ZipArchive<R>,
    name: &str,
    limit: u64,
) -> Result<Vec<u8>, WeightFileError> {
    let failed = |e: &dyn std::fmt::Display| {
        WeightFileError::from(format!("its file {name} can't be read: {e}; get another copy"))
    };
    let entry = archive.by_name(name).map_err(|e| failed(&e))?;
    if entry.size() > limit {
        return Err(failed(&"it is larger than that of any backbone"));
    }
    let mut bytes = Vec::new();
    entry.take(limit).read_to_end(&mut bytes).map_err(|e| failed(&e))?;
    Ok(bytes)
}

type Named = (String, Rc<TensorRef>);

/// Collects the tensors with their names; the names of nested dicts are joined by dots.
fn tensors(pickle: &Pickle) -> Result<Vec<Named>, WeightFileError> {
    let mut collector = TensorCollector { pickle, left: MAX_ENTRIES, found: vec![] };
    collector.collect(&pickle.root, "", 0)?;
    if collector.found.is_empty() {
        return Err("it contains no named tensors; save a state_dict() with torch.save".into());
    }
    Ok(collector.found)
}

struct TensorCollector<'a> {
    pickle: &'a Pickle,
    /// Number of entries still allowed.
    left: usize,
    found: Vec<Named>,
}

impl TensorCollector<'_> {
    fn collect(&mut self, value: &PickleValue, name: &str, depth: usize) -> Result<(), WeightFileError> {
        self.left = self.left.checked_sub(1).ok_or_else(|| {
            format!("it names more than {MAX_ENTRIES} tensors and dicts, more than any checkpoint; save the state_dict() alone")
        })?;
        if depth > MAX_DEPTH {
            return Err(format!(
                "its dicts are nested more than {MAX_DEPTH} deep, deeper than in any checkpoint; save the state_dict() alone"
            )
            .into());
        }
        if let PickleValue::Tensor(tensor) = value {
            self.found.push((name.to_owned(), tensor.clone()));
        }
        for (key, item) in self.pickle.entries(value) {
            if name.len() + key.len() > MAX_NAME {
                return Err(format!("one of its names has more than {MAX_NAME} characters, more than any tensor's; save the state_dict() alone").into());
            }
            let full = if name.is_empty() { key.to_string() } else { format!("{name}.{key}") };
            self.collect(item, &full, depth + 1)?;
        }
        Ok(())
    }
}

/// Copies each floating-point tensor out of its storage.
fn gather<'a>(
    tensors: &[Named],
    storage: impl Fn(&str) -> Option<&'a [u8]>,
) -> Result<Weights, WeightFileError> {
    let (mut weights, mut left) = (Weights::new(), MAX_BYTES / 4);
    for (name, tensor) in tensors {
        if !matches!(&*tensor.kind, "FloatStorage" | "DoubleStorage" | "HalfStorage" | "BFloat16Storage") {
            continue;
        }
        let bytes = storage(&tensor.key).ok_or_else(|| format!("the storage of `{name}` is missing"))?;
        let data = elements(tensor, bytes)
            .ok_or_else(|| format!("tensor `{name}` extends beyond its storage; get another copy"))?;
        // Many names for one storage would make many copies.
        left =
            left.checked_sub(data.len() as u64).ok_or("its tensors are larger than those of any backbone")?;
        weights.insert(name.clone(), Array { shape: tensor.shape.clone(), data });
    }
    Ok(weights)
}

/// Returns the tensor's values, row-major; `None` if it extends beyond its storage.
fn elements(tensor: &TensorRef, bytes: &[u8]) -> Option<Vec<f32>> {
    let size = element_size(&tensor.kind)?;
    let total = tensor.shape.iter().try_fold(1usize, |n, &side| n.checked_mul(side))?;
    // Views that repeat elements could have more values than the storage; weights never do.
    if total > bytes.len() / size {
        return None;
    }
    let mut data = Vec::with_capacity(total);
    let mut index = vec![0usize; tensor.shape.len()];
    for _ in 0..total {
        let mut steps = index.iter().zip(&tensor.strides);
        let at = steps.try_fold(tensor.offset, |at, (i, stride)| at.checked_add(i.checked_mul(*stride)?))?;
        let start = at.checked_mul(size)?;
        data.push(element(&tensor.kind, bytes.get(start..start.checked_add(size)?)?)?);
        for (i, &side) in index.iter_mut().zip(&tensor.shape).rev() {
            *i += 1;
            if *i < side {
                break;
            }
            *i = 0;
        }
    }
    Some(data)
}

fn element(kind: &str, b: &[u8]) -> Option<f32> {
    Some(match kind {
        "FloatStorage" => f32::from_le_bytes(b.try_into().ok()?),
        "DoubleStorage" => f64::from_le_bytes(b.try_into().ok()?) as f32,
        "HalfStorage" => f16::from_le_bytes(b.try_into().ok()?).to_f32(),
        "BFloat16Storage" => bf16::from_le_bytes(b.try_into().ok()?).to_f32(),
        _ => return None,
    })
}

/// Returns the number of bytes of one element of a storage.
fn element_size(kind: &str) -> Option<usize> {
    Some(match kind {
        "DoubleStorage" | "LongStorage" => 8,
        "FloatStorage" | "IntStorage" => 4,
        "HalfStorage" | "BFloat16Storage" | "ShortStorage" => 2,
        "ByteStorage" | "CharStorage" | "BoolStorage" => 1,
        _ => return None,
    })
}
