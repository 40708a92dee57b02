//! A student's maps of good parts, from which the common image score is learned.

use methods::image_score::{HeldOut, ImageScorer};
use shared_format::Tiles;
use tch::{Kind, Tensor};

use crate::method::TrainError;
use crate::order::in_order;
use crate::samples::{SampleBatch, Samples};
use crate::torch::to_array;

/// Visits all samples but those for calibration, in batches, with the number of each sample's part: those of the fit images come first.
///
/// # Errors
/// If an image that is not kept in memory can no longer be read.
pub fn for_each_batch(
    [fit, selection]: [&mut Samples; 2],
    mut visit: impl FnMut(&SampleBatch, &[usize]),
) -> Result<(), TrainError> {
    let mut first = 0;
    for samples in [fit, selection] {
        let per_part = samples.per_image();
        for indices in in_order(samples.count()) {
            let batch = samples.batch(&indices, Kind::Float)?;
            let parts: Vec<usize> = indices.iter().map(|index| first + index / per_part).collect();
            visit(&batch, &parts);
        }
        first += samples.count() / per_part;
    }
    Ok(())
}

/// Computes the common score of a student from all images but those for calibration; `map_of` returns its maps (N×1×h×w) of a batch,
/// given the number of each sample's part, too (see [`for_each_batch`]). The student has learned from the fit images, but the selection
/// images alone are too few to show what is normal at each position.
///
/// # Errors
/// If an image that is not kept in memory can no longer be read.
pub fn image_score(
    [fit, selection]: [&mut Samples; 2],
    margin: usize,
    map_of: impl Fn(&SampleBatch, &[usize]) -> Option<Tensor>,
) -> Result<Option<ImageScorer>, TrainError> {
    let (input, tiles) = (fit.input(), fit.tiles());
    let mut grid = [0; 2];
    let mut by_part: Vec<Vec<Vec<f32>>> = vec![];
    for_each_batch([fit, selection], |batch, parts| {
        let Some(maps) = map_of(batch, parts).map(|maps| to_array(&maps)) else { return };
        let [_, _, rows, columns] = maps.shape[..] else { return };
        grid = [rows, columns];
        for (map, &part) in maps.data.chunks_exact(rows * columns).zip(parts) {
            by_part.resize(by_part.len().max(part + 1), vec![]);
            by_part[part].push(map.to_vec());
        }
    })?;
    // A part's maps are those of its tiles, and as many of each mirrored copy.
    let frames = |maps: Vec<Vec<f32>>| maps.chunks(tiles).map(<[Vec<f32>]>::to_vec).collect();
    let parts = by_part.into_iter().map(frames).collect();
    let held_out = HeldOut { grid, margin, tiles: Tiles::ONE, parts };
    Ok(ImageScorer::fit(&held_out, input, &mut |_| ()).map(|(score, _)| score))
}
