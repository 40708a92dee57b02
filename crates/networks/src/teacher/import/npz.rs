//! Weights as `.npz`: a zip of NumPy arrays.

use std::io::{Read, Seek};

use crate::array::{Array, Weights};
use npyz::{DType, NpyFile, Order};
use zip::ZipArchive;

use super::pth::MAX_BYTES;
use crate::teacher::WeightFileError;

/// Returns whether the file is long enough for the header that it declares: the reader allocates memory for the header
/// before reading it.
fn has_header(bytes: &[u8]) -> bool {
    // Magic number, version, length of the header.
    let (length, start) = match *bytes {
        [_, _, _, _, _, _, 1, _, a, b, ..] => (u32::from(u16::from_le_bytes([a, b])), 10),
        [_, _, _, _, _, _, _, _, a, b, c, d, ..] => (u32::from_le_bytes([a, b, c, d]), 12),
        _ => return false,
    };
    length as usize <= bytes.len() - start
}

/// Reads every 32- or 64-bit float array.
///
/// # Errors
/// A sentence that says which array is damaged.
pub fn read<R: Read + Seek>(mut archive: ZipArchive<R>) -> Result<Weights, WeightFileError> {
    let (mut weights, mut left) = (Weights::new(), MAX_BYTES);
    for index in 0..archive.len() {
        let entry = archive.by_index(index).map_err(|e| format!("its zip is damaged: {e}"))?;
        let name = entry.name().map_err(|e| format!("its zip is damaged: {e}"))?.into_owned();
        let Some(name) = name.strip_suffix(".npy").map(str::to_owned) else { continue };
        left = left.checked_sub(entry.size()).ok_or("its arrays are larger than those of any backbone")?;
        // The size in the zip is declared, not measured.
        let size = entry.size();
        let mut bytes = Vec::new();
        let damaged = |e: std::io::Error| format!("the array `{name}` is damaged: {e}; get another copy");
        entry.take(size).read_to_end(&mut bytes).map_err(damaged)?;
        if !has_header(&bytes) {
            return Err(format!("the array `{name}` is cut short; get another copy").into());
        }
        let array = NpyFile::new(&bytes[..]).map_err(damaged)?;
        if array.order() != Order::C {
            return Err(format!(
                "the array `{name}` is in column-major order; save it with numpy.ascontiguousarray"
            )
            .into());
        }
        let shape: Vec<usize> = array.shape().iter().map(|&n| n as usize).collect();
        let DType::Plain(kind) = array.dtype() else { continue };
        let promised = shape.iter().try_fold(1u64, |n, &side| n.checked_mul(side as u64));
        if promised.is_none_or(|n| n > size) {
            return Err(format!("the array `{name}` is cut short; get another copy").into());
        }
        let data: Vec<f32> = match kind.to_string().trim_start_matches(['<', '=']) {
            "f4" => array.into_vec().map_err(damaged)?,
            "f8" => array.into_vec::<f64>().map_err(damaged)?.into_iter().map(|x| x as f32).collect(),
            _ => continue,
        };
        weights.insert(name, Array { shape, data });
    }
    Ok(weights)
}
