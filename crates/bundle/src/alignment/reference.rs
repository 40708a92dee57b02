//! The reference that parts are aligned with.

use judge::align::Aligner;
use shared_format::alignment::{MAX_CELLS, MIN_SIDE};
use shared_format::{Alignment, Motion, Recipe, Reference, Size};

use crate::input_shape::finest_grid;

/// Number of normals tried as the one most like the others …
const CANDIDATES: usize = 10;
/// … each against this many others.
const OTHERS: usize = 20;

/// Returns the columns and rows of a reference for this input: cells of whole pixels if they divide it.
pub(super) fn sides(input: Size) -> Option<[usize; 2]> {
    let sides = finest_grid(input, MAX_CELLS);
    sides.iter().all(|&side| side >= MIN_SIDE).then(|| sides.map(usize::from))
}

/// Selects at most `max` of the values, evenly spread.
pub(super) fn evenly_spaced<T>(values: &[T], max: usize) -> impl Iterator<Item = &T> {
    let count = values.len().min(max);
    (0..count).map(move |n| &values[n * values.len() / count])
}

/// Returns an aligner for `recipe`'s input and ignore mask that accepts any similarity.
pub(super) fn aligner(motion: Motion, reference: Reference, recipe: &Recipe) -> Aligner {
    Aligner::new(&Alignment { motion, least_likeness: 0, reference }, recipe.ignore.as_ref(), recipe.input)
}

/// Returns the mean of the normals, each moved onto the one that is most like the others; `None` if all are uniform in
/// brightness.
pub(super) fn reference(
    reduced: &[Vec<f32>],
    motion: Motion,
    recipe: &Recipe,
    sides: [usize; 2],
) -> Option<Reference> {
    let mut best: Option<(f64, Reference)> = None;
    for candidate in evenly_spaced(reduced, CANDIDATES) {
        let Some(reference) = stretched(candidate, sides) else { continue };
        let mut aligner = aligner(motion, reference, recipe);
        let likeness: f64 = evenly_spaced(reduced, OTHERS)
            .map(|other| aligner.find_cells(other.clone()).map_or(0.0, |(_, likeness)| likeness))
            .sum();
        if best.as_ref().is_none_or(|(most, _)| likeness > *most) {
            best = Some((likeness, reference));
        }
    }
    let (_, first) = best?;
    let mut aligner = aligner(motion, first, recipe);
    let mut sums = vec![[0.0f64; 2]; sides[0] * sides[1]];
    for normal in reduced {
        let Ok((movement, _)) = aligner.find_cells(normal.clone()) else { continue };
        let Some((_, moved)) = aligner.compare(normal.clone(), movement) else { continue };
        // Photos count equally, whatever their exposure.
        let Some((mean, deviation)) = moments(moved) else { continue };
        for ([sum, count], &value) in sums.iter_mut().zip(moved).filter(|(_, value)| !value.is_nan()) {
            *sum += (f64::from(value) - mean) / deviation;
            *count += 1.0;
        }
    }
    // Every cell is covered at least by the candidate itself, unless it is ignored: ignored cells get the mean of all.
    let mean = |&[sum, count]: &[f64; 2]| if count > 0.0 { (sum / count) as f32 } else { 0.0 };
    let means: Vec<f32> = sums.iter().map(mean).collect();
    stretched(&means, sides)
}

/// Returns the mean and deviation of the values that aren't NaN; `None` if they are all equal.
fn moments(values: &[f32]) -> Option<(f64, f64)> {
    let numbers = || values.iter().filter(|value| !value.is_nan()).map(|&value| f64::from(value));
    let count = numbers().count() as f64;
    let mean = numbers().sum::<f64>() / count;
    let deviation = (numbers().map(|value| (value - mean).powi(2)).sum::<f64>() / count).sqrt();
    (deviation > 0.0).then_some((mean, deviation))
}

/// Stretches the cells to 0..=255; `None` if they are uniform in brightness.
fn stretched(cells: &[f32], sides: [usize; 2]) -> Option<Reference> {
    let (low, high) = cells
        .iter()
        .fold((f32::INFINITY, f32::NEG_INFINITY), |(low, high), &value| (low.min(value), high.max(value)));
    if high - low < 1e-6 || !(high - low).is_finite() {
        return None;
    }
    let luma: Vec<u8> =
        cells.iter().map(|value| ((value - low) / (high - low) * 255.0).round() as u8).collect();
    Reference::new(sides[0].try_into().ok()?, sides[1].try_into().ok()?, &luma)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reference_has_the_inputs_shape() {
        let of = |width, height| sides(Size { width, height });
        assert_eq!(of(256, 256), Some([64, 64]));
        assert_eq!(of(384, 160), Some([96, 40]));
        assert_eq!(of(1024, 1024), Some([64, 64]));
        assert_eq!(of(64, 64), Some([64, 64]));
        assert_eq!(of(1024, 32), None);
    }
}
