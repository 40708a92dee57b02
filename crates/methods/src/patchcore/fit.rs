//! Images of good parts → a bank.

use super::bank_size::BankSize;
use super::coreset::{Coreset, Rule};
use super::model::{Model, Score};
use super::options::PatchCore;
use super::places::{PlaceSums, distances};
use super::search_time::milliseconds_per_entry;
use crate::features::{FeatureError, FeatureSet, Moments, Projection};
use crate::method::Progress;
use bundle::seeded::Seeded;

/// Images whose features choose the projection; more change nothing.
const PROJECTION_IMAGES: usize = 64;
/// Vectors in a block of the streamed coreset: 16 MiB of 128 dimensions.
const BLOCK: usize = 32_768;
/// Dimensions of the random projection in which the coreset compares.
const SKETCH: usize = 32;
/// Of so many images one is spared for the statistics by place.
const SPARE: usize = 5;
const STREAM: u64 = 0xf17;

/// See [`crate::method::Method::fit`].
pub(super) fn fit(
    options: &PatchCore,
    set: &mut FeatureSet,
    indices: &[usize],
    seed: u64,
    progress: Progress<'_>,
) -> Result<Option<Model>, FeatureError> {
    let [channels, rows, columns] = set.shape();
    let mut moments = Moments::new(channels);
    for index in some(indices, PROJECTION_IMAGES, seed) {
        for sample in set.of(index)?.iter() {
            moments.add(&sample.vectors);
        }
    }
    let projection = Projection::fit(&moments, set.groups(), options.dimensions.into(), seed);
    let positions = indices.len() * rows * columns * set.samples();
    let pace = match options.bank {
        BankSize::Milliseconds(_) => milliseconds_per_entry(projection.outputs, rows, columns)?,
        BankSize::Share(_) | BankSize::Kibibytes(_) => 0.0,
    };
    let size = options.bank.entries(positions, projection.outputs, || pace);
    let rule = Rule { size, sketch: (!options.exact).then_some(SKETCH), block: BLOCK.max(3 * size), seed };
    let mut coreset = Coreset::new(projection.outputs, rule);
    // The last images to come are first looked at as new ones: they tell how far good parts are from a bank without them.
    let spare = some(indices, indices.len() / SPARE, seed);
    let score = options.score.unwrap_or(Score::of_images(indices.len()));
    let spare = if score == Score::Standardised { spare } else { vec![] };
    let (last, first): (Vec<usize>, Vec<usize>) = indices.iter().partition(|index| spare.contains(index));
    for index in first {
        for sample in set.of(index)?.iter() {
            coreset.add(&projection.apply(&sample.vectors));
        }
        if !progress() {
            return Ok(None);
        }
    }
    let mut sums = PlaceSums::new(rows, columns, options.smoothing);
    let without = if last.is_empty() { vec![] } else { coreset.clone().finish() };
    for index in last {
        for sample in set.of(index)?.iter() {
            let vectors = projection.apply(&sample.vectors);
            sums.add(&distances(&vectors, &without, projection.outputs, options.neighbours.into()));
            coreset.add(&vectors);
        }
        if !progress() {
            return Ok(None);
        }
    }
    let bank = coreset.finish();
    let neighbours = usize::from(options.neighbours).clamp(1, (bank.len() / projection.outputs).max(1));
    let places = sums.finish();
    // Too few images to spare one: nothing is known of places.
    let score = if places.is_none() && score == Score::Standardised { Score::Worst } else { score };
    Ok(Some(Model { projection, bank, neighbours, score, places, smoothing: options.smoothing }))
}

/// At most `most` of the indices, chosen by the seed, in order.
fn some(indices: &[usize], most: usize, seed: u64) -> Vec<usize> {
    let mut chosen = indices.to_vec();
    Seeded::new(seed, STREAM).shuffle(&mut chosen);
    chosen.truncate(most);
    chosen.sort_unstable();
    chosen
}
