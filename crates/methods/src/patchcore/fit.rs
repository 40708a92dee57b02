//! Fits a bank to images of good parts.

use super::bank_size::BankSize;
use super::coreset::{Coreset, CoresetSettings};
use super::model::Model;
use super::options::PatchCore;
use super::search_time::milliseconds_per_entry;
use crate::features::{FeatureError, FeatureSet};
use crate::method::ProgressCallback;

/// Vectors in a block of the streamed coreset: 16 MiB of 128 dimensions.
const BLOCK: usize = 32_768;
/// Dimensions of the random projection in which the coreset compares vectors.
const SKETCH: usize = 32;

/// See [`crate::method::Method::fit`].
pub(super) fn fit(
    options: &PatchCore,
    set: &mut FeatureSet,
    indices: &[usize],
    seed: u64,
    progress: ProgressCallback<'_>,
) -> Result<Option<Model>, FeatureError> {
    let [_, rows, columns] = set.shape();
    let projection = set.projection(indices, options.dimensions.into(), seed)?;
    let positions = indices.len() * rows * columns * set.samples();
    let pace = match options.bank {
        BankSize::Milliseconds(_) => milliseconds_per_entry(projection.outputs, rows, columns)?,
        BankSize::Share(_) | BankSize::Kibibytes(_) => 0.0,
    };
    let size = options.bank.entries(positions, projection.outputs, || pace);
    let settings = CoresetSettings {
        size,
        sketch: (!options.exact).then_some(SKETCH),
        block: BLOCK.max(3 * size),
        seed,
    };
    let mut coreset = Coreset::new(projection.outputs, settings);
    for &index in indices {
        for sample in set.of(index)?.iter() {
            coreset.add(&projection.apply(&sample.vectors));
        }
        if !progress() {
            return Ok(None);
        }
    }
    let bank = coreset.finish();
    let neighbours = usize::from(options.neighbours).clamp(1, (bank.len() / projection.outputs).max(1));
    Ok(Some(Model { projection, bank, neighbours, score: options.score, smoothing: options.smoothing }))
}
