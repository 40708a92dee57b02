//! What a student says of good parts, for the score of all methods.

use methods::image_score::HeldOut;
use tch::{Kind, Tensor};

use crate::method::TrainError;
use crate::order::in_order;
use crate::samples::{Batch, Samples};
use crate::torch::to_array;

/// The maps of `samples` with `margin` positions beyond them on each side, of which `see` gives those of a batch (N×1×h×w), sorted by part, frame and tile.
///
/// # Errors
/// If an image that is not kept in memory can't be read any more, or a value is not a number.
pub fn held_out(
    samples: &mut Samples,
    margin: usize,
    mut see: impl FnMut(&Batch) -> Option<Tensor>,
) -> Result<HeldOut, TrainError> {
    let mut held_out = HeldOut { grid: [0; 2], margin, parts: vec![] };
    let mut maps: Vec<Vec<f32>> = vec![];
    for indices in in_order(samples.count()) {
        let Some(seen) = see(&samples.batch(&indices, Kind::Float)?) else { continue };
        let array = to_array(&seen);
        if let [_, _, rows, columns] = array.shape[..] {
            held_out.grid = [rows, columns];
            maps.extend(array.data.chunks_exact(rows * columns).map(<[f32]>::to_vec));
        }
    }
    let tiles = samples.tiles();
    for part in maps.chunks(samples.per_image()) {
        held_out.parts.push(part.chunks(tiles).map(<[Vec<f32>]>::to_vec).collect());
    }
    Ok(held_out)
}
