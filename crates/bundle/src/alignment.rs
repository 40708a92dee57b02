//! Whether and how parts move in view, learned from normals.
//!
//! The reference is the mean of the normals, each moved onto that one of them which the others are most like. `auto` aligns only if
//! all normals lock and are then clearly more alike than as they lie.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use judge::align::{Aligner, Movement, cells};
use judge::{DecodeError, PrepareError, Preparer, decode_file};
use shared_format::alignment::{MAX_CELLS, MIN_SIDE};
use shared_format::{Alignment, Motion, Recipe, Reference, Size, Tiles};

/// Normals that are looked at; more say nothing new.
const NORMALS: usize = 200;
/// Normals that are tried as the one that the others are like …
const CANDIDATES: usize = 10;
/// … each against so many others.
const OTHERS: usize = 20;
/// `auto` aligns if the least like normal, aligned, is this like the reference …
const LIKE: f64 = 0.9;
/// … and if on average aligned normals lack at most this share of what they lack of full likeness as they lie.
const LESS: f64 = 0.5;
/// A frame is a fault if it is less than this share as like the reference as the least like normal.
const LOCKED: f64 = 0.5;

/// What of the parts' position is taken out before they are judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Align {
    /// Nothing.
    Off,
    /// Shifts.
    Shift,
    /// Shifts and turns.
    Rigid,
    /// Shifts and turns, if the normals show that it helps.
    #[default]
    Auto,
}

impl Align {
    const NAMES: [(&'static str, Self); 4] =
        [("off", Self::Off), ("shift", Self::Shift), ("rigid", Self::Rigid), ("auto", Self::Auto)];
}

impl fmt::Display for Align {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(Self::NAMES.iter().find(|(_, align)| align == self).map_or("", |(name, _)| name))
    }
}

/// A way to align that there isn't.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a way to align; write off, shift, rigid or auto")]
pub struct UnknownAlign(String);

impl FromStr for Align {
    type Err = UnknownAlign;

    fn from_str(text: &str) -> Result<Self, UnknownAlign> {
        let known = Self::NAMES.iter().find(|(name, _)| *name == text);
        known.map(|(_, align)| *align).ok_or_else(|| UnknownAlign(text.to_owned()))
    }
}

/// Why parts can't be aligned.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AlignError {
    /// An image doesn't decode.
    #[error("{path}: {source}; put the image back, or leave it out", path = .path.display())]
    Decode {
        /// The image.
        path: PathBuf,
        /// What is wrong.
        source: DecodeError,
    },
    /// An image doesn't suit the recipe.
    #[error("{path}: {source}; put the image back, or leave it out", path = .path.display())]
    Prepare {
        /// The image.
        path: PathBuf,
        /// What is wrong.
        source: PrepareError,
    },
    /// The region is cut into tiles.
    #[error("parts are aligned as a whole; leave --tiles out, or take --align off")]
    Tiles,
    /// The input is so long and narrow that a reference of it says nothing.
    #[error("the input of {}×{} pixels is too long and narrow to be aligned; take --align off", .0.width, .0.height)]
    Narrow(Size),
    /// Normals that lie otherwise than the others.
    #[error(
        "{count} image(s), such as {}, can't be brought to lie as the others do; leave them out, or take --align off", first.display()
    )]
    NotLocked {
        /// How many.
        count: usize,
        /// The first.
        first: PathBuf,
    },
}

/// How parts are aligned, and what that does to the normals.
#[derive(Debug, Clone, PartialEq)]
pub struct Aligned {
    /// For the recipe; `None` if parts are judged as they lie.
    pub alignment: Option<Alignment>,
    /// For people: how far normals lie apart, and how like each other they are.
    pub description: String,
}

/// A normal in cells.
struct Normal<'p> {
    path: &'p Path,
    cells: Vec<f32>,
}

/// Learns from `normals` how parts lie, for a recipe that doesn't align yet. `progress` is called after each image.
///
/// # Errors
/// See [`AlignError`]; `auto` asks no more of tiles, shapes and normals than that it can be off.
pub fn alignment(
    align: Align,
    normals: &[PathBuf],
    recipe: Recipe,
    mut progress: impl FnMut(),
) -> Result<Aligned, AlignError> {
    let off = |description: &str| Ok(Aligned { alignment: None, description: description.to_owned() });
    let (motion, chosen) = match align {
        Align::Off => return off("off"),
        Align::Shift => (Motion::Shift, true),
        Align::Rigid => (Motion::Rigid, true),
        Align::Auto => (Motion::Rigid, false),
    };
    if recipe.tiles != Tiles::ONE {
        return if chosen { Err(AlignError::Tiles) } else { off("off, because the region is cut into tiles") };
    }
    let Some(sides) = sides(recipe.input) else {
        return if chosen { Err(AlignError::Narrow(recipe.input)) } else { off("off, because the input is narrow") };
    };
    let seen = seen(normals, recipe, sides, &mut progress)?;
    let Some(reference) = reference(&seen, motion, recipe.input, sides) else {
        return if chosen { Err(not_locked(seen.iter())) } else { off("off, because the images show nothing to align by") };
    };
    let mut aligner = aligner(motion, reference, recipe.input);
    let (mut before, mut after, mut apart) = (vec![], vec![], [0.0f64; 2]);
    let mut lost = vec![];
    for normal in &seen {
        let as_it_lies = aligner.compare(normal.cells.clone(), Movement::NONE).map(|(likeness, _)| likeness);
        match (as_it_lies, aligner.find_cells(normal.cells.clone())) {
            (Some(as_it_lies), Ok((movement, likeness))) if likeness > 0.0 => {
                before.push(as_it_lies);
                after.push(likeness);
                let [x, y] = movement.shift;
                apart = [apart[0].max((x * x + y * y).sqrt()), apart[1].max(movement.degrees().abs())];
            }
            _ => lost.push(normal),
        }
    }
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len().max(1) as f64;
    let least = after.iter().copied().fold(f64::INFINITY, f64::min);
    let description = format!(
        "parts lie up to {:.0} pixels of the input and {:.1}° apart; on average they are {:.2} like each other as they lie and \
         {:.2} aligned, the least {:.2}",
        apart[0],
        apart[1],
        mean(&before),
        mean(&after),
        least
    );
    if !chosen {
        let helps = 1.0 - mean(&after) <= LESS * (1.0 - mean(&before));
        if !lost.is_empty() || least < LIKE || !helps {
            return off(&format!("off; {description}"));
        }
    } else if !lost.is_empty() {
        return Err(not_locked(lost.into_iter()));
    }
    let least_likeness = (1000.0 * LOCKED * least).clamp(0.0, 1000.0) as u16;
    let name = if motion == Motion::Shift { Align::Shift } else { Align::Rigid };
    Ok(Aligned {
        alignment: Some(Alignment { motion, least_likeness, reference }),
        description: format!("{name}; {description}"),
    })
}

fn not_locked<'n>(mut normals: impl Iterator<Item = &'n Normal<'n>>) -> AlignError {
    let first = normals.next().map(|normal| normal.path.to_owned()).unwrap_or_default();
    AlignError::NotLocked { count: normals.count() + 1, first }
}

/// Columns and rows of a reference for this input: cells of whole pixels if they divide it.
fn sides(input: Size) -> Option<[usize; 2]> {
    let cells = |pixels: u32| [input.width / pixels, input.height / pixels];
    let fits = |&[columns, rows]: &[u32; 2]| {
        (columns * rows) as usize <= MAX_CELLS && columns.max(rows) <= u8::MAX.into()
    };
    let sides = (1..).map(cells).find(fits)?;
    sides.iter().all(|&side| side >= MIN_SIDE.into()).then(|| sides.map(|side| side as usize))
}

/// At most [`NORMALS`] of the images, evenly spread.
fn seen<'p>(
    normals: &'p [PathBuf],
    recipe: Recipe,
    sides: [usize; 2],
    progress: &mut impl FnMut(),
) -> Result<Vec<Normal<'p>>, AlignError> {
    let mut preparer = Preparer::new(Recipe { alignment: None, ..recipe });
    let mut planes = vec![];
    spread(normals, NORMALS)
        .map(|path| {
            let frame = decode_file(path).map_err(|source| AlignError::Decode { path: path.clone(), source })?;
            let prepared = preparer.prepare(&frame, &mut planes);
            prepared.map_err(|source| AlignError::Prepare { path: path.clone(), source })?;
            progress();
            Ok(Normal { path, cells: cells(&planes, recipe.input, sides) })
        })
        .collect()
}

/// At most `most` of the values, evenly spread.
fn spread<T>(values: &[T], most: usize) -> impl Iterator<Item = &T> {
    let count = values.len().min(most);
    (0..count).map(move |n| &values[n * values.len() / count])
}

/// An aligner that takes any likeness.
fn aligner(motion: Motion, reference: Reference, input: Size) -> Aligner {
    Aligner::new(&Alignment { motion, least_likeness: 0, reference }, input)
}

/// The mean of the normals, each moved onto the one that the others are most like; `None` if all are of one brightness.
fn reference(seen: &[Normal<'_>], motion: Motion, input: Size, sides: [usize; 2]) -> Option<Reference> {
    let mut best: Option<(f64, Reference)> = None;
    for candidate in spread(seen, CANDIDATES) {
        let Some(reference) = stretched(&candidate.cells, sides) else { continue };
        let mut aligner = aligner(motion, reference, input);
        let likeness: f64 = spread(seen, OTHERS)
            .map(|other| aligner.find_cells(other.cells.clone()).map_or(0.0, |(_, likeness)| likeness))
            .sum();
        if best.as_ref().is_none_or(|(most, _)| likeness > *most) {
            best = Some((likeness, reference));
        }
    }
    let (_, first) = best?;
    let mut aligner = aligner(motion, first, input);
    let mut sums = vec![[0.0f64; 2]; sides[0] * sides[1]];
    for normal in seen {
        let Ok((movement, _)) = aligner.find_cells(normal.cells.clone()) else { continue };
        let Some((_, moved)) = aligner.compare(normal.cells.clone(), movement) else { continue };
        // Photos count alike, whatever their exposure.
        let Some((mean, deviation)) = moments(moved) else { continue };
        for ([sum, count], &value) in sums.iter_mut().zip(moved).filter(|(_, value)| !value.is_nan()) {
            *sum += (f64::from(value) - mean) / deviation;
            *count += 1.0;
        }
    }
    let means: Vec<f32> = sums.iter().map(|[sum, count]| (sum / count) as f32).collect();
    // Every cell is seen at least in the candidate itself.
    stretched(&means, sides)
}

/// Mean and deviation of what is a number; `None` if it is all the same.
fn moments(values: &[f32]) -> Option<(f64, f64)> {
    let numbers = || values.iter().filter(|value| !value.is_nan()).map(|&value| f64::from(value));
    let count = numbers().count() as f64;
    let mean = numbers().sum::<f64>() / count;
    let deviation = (numbers().map(|value| (value - mean).powi(2)).sum::<f64>() / count).sqrt();
    (deviation > 0.0).then_some((mean, deviation))
}

/// The cells from 0 to 255; `None` if they are of one brightness.
fn stretched(cells: &[f32], sides: [usize; 2]) -> Option<Reference> {
    let (low, high) = cells.iter().fold((f32::INFINITY, f32::NEG_INFINITY), |(low, high), &value| {
        (low.min(value), high.max(value))
    });
    if high - low < 1e-6 || !(high - low).is_finite() {
        return None;
    }
    let luma: Vec<u8> = cells.iter().map(|value| ((value - low) / (high - low) * 255.0).round() as u8).collect();
    Reference::new(sides[0].try_into().ok()?, sides[1].try_into().ok()?, &luma)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reference_has_the_inputs_shape() {
        let of = |width, height| sides(Size { width, height });
        assert_eq!(of(256, 256), Some([32, 32]));
        assert_eq!(of(384, 160), Some([48, 20]));
        assert_eq!(of(1024, 1024), Some([32, 32]));
        assert_eq!(of(64, 64), Some([32, 32]));
        assert_eq!(of(1024, 32), None);
    }

    #[test]
    fn names_are_read_as_they_are_written() {
        for (name, align) in Align::NAMES {
            assert_eq!(name.parse(), Ok(align));
            assert_eq!(align.to_string(), name);
        }
        assert!("both".parse::<Align>().is_err());
    }
}
