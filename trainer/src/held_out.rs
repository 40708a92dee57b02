//! A student's maps of good parts, from which the common image score is learned.

use methods::image_score::{HeldOut, ImageScore};
use tch::{Kind, Tensor};

use crate::method::TrainError;
use crate::order::in_order;
use crate::samples::{Batch, Samples};
use crate::torch::to_array;

/// Computes the common score of a student from all images but those for calibration; `see` returns its maps of a batch (N×1×h×w).
/// The student has learned from the fit images, but the selection images alone are too few to show what is normal at each position.
///
/// # Errors
/// If an image that is not kept in memory can no longer be read.
pub fn image_score(
    [fit, selection]: [&mut Samples; 2],
    margin: usize,
    see: impl Fn(&Batch) -> Option<Tensor>,
) -> Result<Option<ImageScore>, TrainError> {
    let input = fit.input();
    let mut maps = held_out(fit, margin, &see)?;
    maps.parts.extend(held_out(selection, margin, &see)?.parts);
    Ok(ImageScore::fit(&maps, input, &mut |_| ()).map(|(score, _)| score))
}

/// Computes the maps of `samples`, with `margin` positions beyond them on each side, sorted by part, frame and tile; `see` returns
/// those of a batch (N×1×h×w).
///
/// # Errors
/// If an image that is not kept in memory can no longer be read.
fn held_out(
    samples: &mut Samples,
    margin: usize,
    see: impl Fn(&Batch) -> Option<Tensor>,
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
