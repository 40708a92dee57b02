//! Weights made on the spot, and weight files in the formats that users have.

use std::io::Write as _;

use bundle::seeded::Seeded;
use networks::{Array, Network, Weights};

/// Random weights with BatchNorm folded, scaled so that features neither vanish nor explode.
#[must_use]
pub fn random_weights(network: &Network, seed: u64) -> Weights {
    let mut random = Seeded::new(seed, 5);
    let mut weights = Weights::new();
    for conv in network.convs() {
        let shape = conv.weight_shape().to_vec();
        let count: usize = shape.iter().product();
        let bound = (6.0 / (count / conv.outputs) as f32).sqrt();
        let mut uniform = |bound: f32| (random.below(1 << 24) as f32 / (1 << 23) as f32 - 1.0) * bound;
        let data = (0..count).map(|_| uniform(bound)).collect();
        weights.insert(format!("{}.weight", conv.name), Array { shape, data });
        let data = (0..conv.outputs).map(|_| uniform(0.1)).collect();
        weights.insert(format!("{}.bias", conv.name), Array { shape: vec![conv.outputs], data });
    }
    weights
}

/// A state dict as torch's pickle: opcodes of protocol 2. Each tensor's storage has the key of its place.
#[must_use]
pub fn pickle(weights: &Weights) -> Vec<u8> {
    let mut bytes = b"\x80\x02ccollections\nOrderedDict\n)R(".to_vec();
    for (key, (name, array)) in weights.iter().enumerate() {
        text(&mut bytes, name);
        bytes.extend_from_slice(b"ctorch._utils\n_rebuild_tensor_v2\n((");
        text(&mut bytes, "storage");
        bytes.extend_from_slice(b"ctorch\nFloatStorage\n");
        text(&mut bytes, &key.to_string());
        text(&mut bytes, "cpu");
        integer(&mut bytes, array.data.len());
        bytes.extend_from_slice(b"tQ");
        integer(&mut bytes, 0);
        bytes.push(b'(');
        array.shape.iter().for_each(|&side| integer(&mut bytes, side));
        bytes.extend_from_slice(b"t(");
        for axis in 0..array.shape.len() {
            integer(&mut bytes, array.shape[axis + 1..].iter().product());
        }
        bytes.extend_from_slice(b"t\x89ccollections\nOrderedDict\n)RtR");
    }
    bytes.extend_from_slice(b"u.");
    bytes
}

/// What a file before version 1.6 starts with: magic number, protocol version 1001, and here an empty dict in place of
/// the system's facts.
#[must_use]
pub fn legacy_preamble() -> Vec<u8> {
    b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.\x80\x02M\xe9\x03.\x80\x02}.".to_vec()
}

/// A state dict as torch has written it since version 1.6: a zip of the pickle and one file a storage.
///
/// # Panics
/// Never: writing to memory doesn't fail.
#[must_use]
pub fn zip_pth(weights: &Weights) -> Vec<u8> {
    let storages =
        weights.values().enumerate().map(|(key, array)| (format!("archive/data/{key}"), floats(array)));
    zipped(std::iter::once(("archive/data.pkl".to_owned(), pickle(weights))).chain(storages))
}

/// Arrays as NumPy's `savez` writes them.
#[must_use]
pub fn npz(weights: &Weights) -> Vec<u8> {
    zipped(weights.iter().map(|(name, array)| {
        let sides: String = array.shape.iter().map(|side| format!("{side}, ")).collect();
        let header = format!("{{'descr': '<f4', 'fortran_order': False, 'shape': ({sides}), }}");
        let length = header.len().next_multiple_of(64) + 64 - 10;
        let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
        bytes.extend((length as u16).to_le_bytes());
        bytes.extend(format!("{header:<width$}\n", width = length - 1).into_bytes());
        bytes.extend(floats(array));
        (format!("{name}.npy"), bytes)
    }))
}

fn zipped(files: impl Iterator<Item = (String, Vec<u8>)>) -> Vec<u8> {
    let mut archive = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    let stored = zip::write::SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
    for (name, bytes) in files {
        archive.start_file(name, stored).unwrap();
        archive.write_all(&bytes).unwrap();
    }
    archive.finish().unwrap().into_inner()
}

/// A state dict as torch wrote it before version 1.6.
#[must_use]
pub fn legacy_pth(weights: &Weights) -> Vec<u8> {
    let mut bytes = legacy_preamble();
    bytes.extend(pickle(weights));
    bytes.extend_from_slice(b"\x80\x02](");
    (0..weights.len()).for_each(|key| text(&mut bytes, &key.to_string()));
    bytes.extend_from_slice(b"e.");
    for array in weights.values() {
        bytes.extend((array.data.len() as u64).to_le_bytes());
        bytes.extend(floats(array));
    }
    bytes
}

/// An array's values, little-endian.
#[must_use]
pub fn floats(array: &Array) -> Vec<u8> {
    array.data.iter().flat_map(|x| x.to_le_bytes()).collect()
}

fn text(bytes: &mut Vec<u8>, text: &str) {
    bytes.push(b'X');
    bytes.extend((text.len() as u32).to_le_bytes());
    bytes.extend_from_slice(text.as_bytes());
}

fn integer(bytes: &mut Vec<u8>, n: usize) {
    bytes.push(b'J');
    bytes.extend((n as i32).to_le_bytes());
}
