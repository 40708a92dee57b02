//! Generates weights, and weight files in the formats that users have. Shared with the whole-system tests.

use std::io::Write as _;

use bundle::seeded::Seeded;
use networks::{Array, Network, Weights};

/// Returns random weights with BatchNorm folded, scaled so that features neither vanish nor explode.
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

/// How a pickle writes strings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Strings {
    /// As Python 3 does.
    Unicode,
    /// As Python 2 does, with a length of one byte.
    Short,
    /// As Python 2 does, with a length of four bytes.
    Long,
    /// As Python 2 does in its oldest protocol.
    Quoted,
}

/// A pickle under construction: opcodes of protocol 2. Each tensor's storage has its index as its key.
#[derive(Debug, Clone)]
pub struct Pickle {
    /// The bytes written so far.
    pub bytes: Vec<u8>,
    strings: Strings,
    storages: usize,
}

impl Pickle {
    /// Starts a pickle.
    #[must_use]
    pub fn new(strings: Strings) -> Self {
        Self { bytes: b"\x80\x02".to_vec(), strings, storages: 0 }
    }

    /// Writes raw opcodes.
    pub fn raw(&mut self, opcodes: &[u8]) -> &mut Self {
        self.bytes.extend_from_slice(opcodes);
        self
    }

    /// Writes a string.
    pub fn text(&mut self, text: &str) -> &mut Self {
        let bytes = text.as_bytes();
        match self.strings {
            Strings::Unicode => {
                self.raw(b"X").raw(&(bytes.len() as u32).to_le_bytes()).raw(bytes);
            }
            Strings::Short => {
                self.raw(b"U").raw(&[bytes.len() as u8]).raw(bytes);
            }
            Strings::Long => {
                self.raw(b"T").raw(&(bytes.len() as u32).to_le_bytes()).raw(bytes);
            }
            Strings::Quoted => {
                self.raw(b"S'").raw(bytes).raw(b"'\n");
            }
        }
        self
    }

    /// Writes an integer.
    pub fn integer(&mut self, n: usize) -> &mut Self {
        self.raw(b"J").raw(&(n as i32).to_le_bytes())
    }

    /// Writes a tensor with its own storage.
    pub fn tensor(&mut self, array: &Array) -> &mut Self {
        let key = self.storages.to_string();
        self.storages += 1;
        self.raw(b"ctorch._utils\n_rebuild_tensor_v2\n((").text("storage").raw(b"ctorch\nFloatStorage\n");
        self.text(&key).text("cpu").integer(array.data.len()).raw(b"tQ").integer(0).raw(b"(");
        for &side in &array.shape {
            self.integer(side);
        }
        self.raw(b"t(");
        for axis in 0..array.shape.len() {
            self.integer(array.shape[axis + 1..].iter().product());
        }
        self.raw(b"t\x89ccollections\nOrderedDict\n)RtR")
    }

    /// Writes a state dict.
    pub fn state_dict(&mut self, weights: &Weights) -> &mut Self {
        self.raw(b"ccollections\nOrderedDict\n)R(");
        for (name, array) in weights {
            self.text(name).tensor(array);
        }
        self.raw(b"u")
    }

    /// Returns the whole pickle.
    #[must_use]
    pub fn finish(&self) -> Vec<u8> {
        [&self.bytes[..], b"."].concat()
    }
}

/// Returns a state dict as torch's pickle.
#[must_use]
pub fn pickle(weights: &Weights) -> Vec<u8> {
    Pickle::new(Strings::Unicode).state_dict(weights).finish()
}

/// Returns the start of a file before version 1.6: magic number, protocol version 1001, and an empty dict in place of
/// the system's properties.
#[must_use]
pub fn legacy_preamble() -> Vec<u8> {
    b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.\x80\x02M\xe9\x03.\x80\x02}.".to_vec()
}

/// Returns a state dict as torch has written it since version 1.6: a zip of the pickle and one file per storage.
///
/// # Panics
/// Never: writing to memory doesn't fail.
#[must_use]
pub fn zip_pth(weights: &Weights) -> Vec<u8> {
    zip_of(&pickle(weights), weights.values())
}

/// Returns a zip, as torch writes it, of a pickle and its storages.
///
/// # Panics
/// Never: writing to memory doesn't fail.
#[must_use]
pub fn zip_of<'a>(pickle: &[u8], arrays: impl IntoIterator<Item = &'a Array>) -> Vec<u8> {
    let arrays = arrays.into_iter().enumerate();
    let storages = arrays.map(|(key, array)| (format!("archive/data/{key}"), floats(array)));
    zipped(std::iter::once(("archive/data.pkl".to_owned(), pickle.to_vec())).chain(storages))
}

/// Returns arrays as NumPy's `savez` writes them.
#[must_use]
pub fn npz(weights: &Weights) -> Vec<u8> {
    zipped(weights.iter().map(|(name, array)| (format!("{name}.npy"), npy(array))))
}

/// Returns one array as NumPy's `save` writes it.
#[must_use]
pub fn npy(array: &Array) -> Vec<u8> {
    let sides: String = array.shape.iter().map(|side| format!("{side}, ")).collect();
    let header = format!("{{'descr': '<f4', 'fortran_order': False, 'shape': ({sides}), }}");
    let length = header.len().next_multiple_of(64) + 64 - 10;
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend((length as u16).to_le_bytes());
    bytes.extend(format!("{header:<width$}\n", width = length - 1).into_bytes());
    bytes.extend(floats(array));
    bytes
}

/// Returns a zip of these files, stored without compression.
///
/// # Panics
/// Never: writing to memory doesn't fail.
#[must_use]
pub fn zipped(files: impl Iterator<Item = (String, Vec<u8>)>) -> Vec<u8> {
    let mut archive = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    let stored = zip::write::SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
    for (name, bytes) in files {
        archive.start_file(name, stored).unwrap();
        archive.write_all(&bytes).unwrap();
    }
    archive.finish().unwrap().into_inner()
}

/// Returns a state dict as torch wrote it before version 1.6.
#[must_use]
pub fn legacy_pth(weights: &Weights) -> Vec<u8> {
    legacy_of(&pickle(weights), weights.values(), Strings::Unicode)
}

/// Returns a file, as torch wrote it before version 1.6, of a pickle and its storages.
#[must_use]
pub fn legacy_of<'a>(
    pickle: &[u8],
    arrays: impl IntoIterator<Item = &'a Array>,
    strings: Strings,
) -> Vec<u8> {
    let arrays: Vec<&Array> = arrays.into_iter().collect();
    let mut keys = Pickle::new(strings);
    keys.raw(b"](");
    for key in 0..arrays.len() {
        keys.text(&key.to_string());
    }
    let mut bytes = [legacy_preamble(), pickle.to_vec(), keys.raw(b"e").finish()].concat();
    for array in arrays {
        bytes.extend((array.data.len() as u64).to_le_bytes());
        bytes.extend(floats(array));
    }
    bytes
}

/// Returns an array's values, little-endian.
#[must_use]
pub fn floats(array: &Array) -> Vec<u8> {
    array.data.iter().flat_map(|x| x.to_le_bytes()).collect()
}
