//! A student's maps of good parts, from which the common image score is learned.

use methods::image_score::{HeldOut, ImageScorer};
use shared_format::Tiles;
use tch::{Kind, Tensor};

use crate::method::TrainError;
use crate::order::in_order;
use crate::samples::{SampleBatch, Samples};
use crate::torch::to_array;

/// Computes the common score of a student from all images but those for calibration; `map_of` returns its maps of a batch (N×1×h×w).
/// The student has learned from the fit images, but the selection images alone are too few to show what is normal at each position.
///
/// # Errors
/// If an image that is not kept in memory can no longer be read.
pub fn image_score(
    [fit, selection]: [&mut Samples; 2],
    margin: usize,
    map_of: impl Fn(&SampleBatch) -> Option<Tensor>,
) -> Result<Option<ImageScorer>, TrainError> {
    let input = fit.input();
    let mut maps = held_out_maps(fit, margin, &map_of)?;
    maps.parts.extend(held_out_maps(selection, margin, &map_of)?.parts);
    Ok(ImageScorer::fit(&maps, input, &mut |_| ()).map(|(score, _)| score))
}

/// Computes the maps of `samples`, with `margin` positions beyond them on each side, sorted by part, frame and tile; `map_of` returns
/// those of a batch (N×1×h×w).
///
/// # Errors
/// If an image that is not kept in memory can no longer be read.
fn held_out_maps(
    samples: &mut Samples,
    margin: usize,
    map_of: impl Fn(&SampleBatch) -> Option<Tensor>,
) -> Result<HeldOut, TrainError> {
    let mut held_out_maps = HeldOut { grid: [0; 2], margin, tiles: Tiles::ONE, parts: vec![] };
    let mut maps: Vec<Vec<f32>> = vec![];
    for indices in in_order(samples.count()) {
        let Some(seen) = map_of(&samples.batch(&indices, Kind::Float)?) else { continue };
        let array = to_array(&seen);
        if let [_, _, rows, columns] = array.shape[..] {
            held_out_maps.grid = [rows, columns];
            maps.extend(array.data.chunks_exact(rows * columns).map(<[f32]>::to_vec));
        }
    }
    let tiles = samples.tiles();
    for part in maps.chunks(samples.per_image()) {
        held_out_maps.parts.push(part.chunks(tiles).map(<[Vec<f32>]>::to_vec).collect());
    }
    Ok(held_out_maps)
}
