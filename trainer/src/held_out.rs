//! What a student says of good parts, for the score of all methods.

use methods::image_score::{HeldOut, ImageScore};
use tch::{Kind, Tensor};

use crate::method::TrainError;
use crate::order::in_order;
use crate::samples::{Batch, Samples};
use crate::torch::to_array;

/// The common score of a student whose maps of a batch (N×1×h×w) `see` gives, from all images but those for calibration. It has
/// learned from the fit images, but selection images are few, and say too little of what each place is like on good parts.
///
/// # Errors
/// If an image that is not kept in memory can't be read any more.
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

/// The maps of `samples` with `margin` positions beyond them on each side, of which `see` gives those of a batch (N×1×h×w), sorted by part, frame and tile.
///
/// # Errors
/// If an image that is not kept in memory can't be read any more.
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
