//! Weights as safetensors: reads any float type, writes 32-bit floats.

use std::collections::HashMap;

use super::WeightFileError;
use crate::array::{Array, Weights};
use half::{bf16, f16};
use safetensors::tensor::{Dtype, SafeTensors, TensorView, serialize};

/// Reads the floating-point tensors and the file's metadata; integer tensors (counters) are skipped.
///
/// # Errors
/// A sentence that says what is wrong with the bytes.
pub fn read(bytes: &[u8]) -> Result<(Weights, HashMap<String, String>), WeightFileError> {
    let not_ours = |e: &dyn std::fmt::Display| {
        WeightFileError::from(format!("{e}; use a torch .pth, a .safetensors or an .npz file"))
    };
    let (_, header) = SafeTensors::read_metadata(bytes).map_err(|e| not_ours(&e))?;
    let file = SafeTensors::deserialize(bytes).map_err(|e| not_ours(&e))?;
    let mut weights = Weights::new();
    for (name, view) in file.tensors() {
        if let Some(data) = floats(view.dtype(), view.data()) {
            weights.insert(name, Array { shape: view.shape().to_vec(), data });
        }
    }
    Ok((weights, header.metadata().clone().unwrap_or_default()))
}

/// Writes 32-bit floats with `metadata`.
///
/// # Panics
/// If an array's data doesn't have its shape, which is a bug in the caller.
#[must_use]
#[expect(
    clippy::expect_used,
    reason = "names are unique and shapes fit by construction; an empty file would be worse"
)]
pub fn write(weights: &Weights, metadata: HashMap<String, String>) -> Vec<u8> {
    let bytes: Vec<(&String, &Array, Vec<u8>)> = weights
        .iter()
        .map(|(name, array)| (name, array, array.data.iter().flat_map(|x| x.to_le_bytes()).collect()))
        .collect();
    let views = bytes.iter().map(|(name, array, data)| {
        let view =
            TensorView::new(Dtype::F32, array.shape.clone(), data).expect("an array's data has its shape");
        (name.as_str(), view)
    });
    serialize(views, Some(metadata)).expect("tensors with unique names can be written")
}

fn floats(dtype: Dtype, bytes: &[u8]) -> Option<Vec<f32>> {
    let each = |size: usize, decode: fn(&[u8]) -> f32| bytes.chunks_exact(size).map(decode).collect();
    match dtype {
        Dtype::F32 => Some(each(4, |b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]))),
        Dtype::F64 => {
            Some(each(8, |b| f64::from_le_bytes([b[0], b[1], b[2], b[3], b[4], b[5], b[6], b[7]]) as f32))
        }
        Dtype::F16 => Some(each(2, |b| f16::from_le_bytes([b[0], b[1]]).to_f32())),
        Dtype::BF16 => Some(each(2, |b| bf16::from_le_bytes([b[0], b[1]]).to_f32())),
        _ => None,
    }
}
