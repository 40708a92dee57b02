//! Learns from normals whether and how parts move in view.
//!
//! The reference is the mean of the normals, each moved onto the one that is most like the others. `auto` aligns only if all
//! normals lock onto the reference and are then clearly more alike than without alignment.
//!
//! | file | job |
//! |---|---|
//! | `align.rs` | how a user asks for it |
//! | `reference.rs` | the reference that parts are aligned with |

mod align;
mod reference;

use std::fmt;
use std::path::PathBuf;

use judge::align::{MIN_JUDGED_CELLS, RigidTransform, ignored_cells, luma_cells};
use judge::{DecodeError, PrepareError, Preparer, decode_file};
use shared_format::{Alignment, Motion, Recipe, Reference, Size, Tiles};

pub use self::align::{Align, UnknownAlign};
use self::reference::{aligner, evenly_spaced, reference, sides};
use crate::input_shape::{PIXELS, input_shape};

/// Maximum number of normals examined; more add nothing.
const NORMALS: usize = 200;
/// `auto` aligns if, once aligned, the least similar normal is this similar to the reference …
const MIN_SIMILARITY: f64 = 0.9;
/// … and if, on average, aligned normals fall short of full similarity by at most this share of what unaligned ones do.
const MAX_REMAINING_SHARE: f64 = 0.5;
/// A frame is a fault if its similarity to the reference is below this share of the least similar normal's. The share is small
/// because a part covered by a stain is still a part, and must be rejected.
const FAULT_SHARE: f64 = 0.25;

/// Why parts can't be aligned.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AlignError {
    /// An image doesn't decode.
    #[error("{path}: {source}; put the image back, or leave it out", path = .path.display())]
    Decode {
        /// The image.
        path: PathBuf,
        /// The cause.
        source: DecodeError,
    },
    /// An image doesn't fit the recipe.
    #[error("{path}: {source}; put the image back, or leave it out", path = .path.display())]
    Prepare {
        /// The image.
        path: PathBuf,
        /// The cause.
        source: PrepareError,
    },
    /// The input is too long and narrow for a useful reference.
    #[error("the input of {}×{} pixels is too long and narrow to be aligned; use --align off", .0.width, .0.height)]
    Narrow(Size),
    /// The ignore mask leaves too little of the part.
    #[error("the ignore mask leaves too little of the part to align by; ignore less, or use --align off")]
    Ignored,
    /// Some normals can't be brought onto the others.
    #[error(
        "{count} image(s), such as {}, can't be aligned with the others; leave them out, or use --align off", first.display()
    )]
    NotLocked {
        /// How many.
        count: usize,
        /// The first.
        first: PathBuf,
    },
}

/// How parts are aligned, and the effect on the normals.
#[derive(Debug, Clone, PartialEq)]
pub struct Aligned {
    /// The alignment for the recipe; `None` if parts are judged as they lie.
    pub alignment: Option<Alignment>,
    /// A description for people: how far normals lie apart, and how similar they are.
    pub description: String,
}

/// Learns from `normals` how parts lie, for a recipe without alignment. `progress` is called after each image.
///
/// # Errors
/// See [`AlignError`]. [`Align::Auto`] turns alignment off instead if parts can't be aligned.
pub fn alignment(
    align: Align,
    normals: &[PathBuf],
    recipe: Recipe,
    progress: impl FnMut(),
) -> Result<Aligned, AlignError> {
    let off = |why: &str| Ok(Aligned { alignment: None, description: format!("off{why}") });
    let motion = match align {
        Align::Off => return off(""),
        Align::Shift => Motion::Shift,
        Align::Rigid | Align::Auto => Motion::Rigid,
    };
    let learned = learn(motion, normals, recipe, progress);
    if align != Align::Auto {
        return learned.map(|learned| learned.aligned(motion));
    }
    match learned {
        Ok(learned) if learned.helps() => Ok(learned.aligned(motion)),
        Ok(learned) => off(&format!("; {learned}")),
        Err(AlignError::Narrow(_)) => off("; the input is too long and narrow"),
        Err(AlignError::Ignored) => off("; the ignore mask leaves too little to align by"),
        Err(AlignError::NotLocked { count, .. }) => {
            off(&format!("; {count} image(s) can't be aligned with the others"))
        }
        Err(error) => Err(error),
    }
}

/// What the normals show.
struct LearnedReference {
    reference: Reference,
    /// Their mean similarity to the reference, as they lie and aligned.
    likeness: [f64; 2],
    /// The lowest similarity, aligned.
    min_likeness: f64,
    /// The largest distance from the reference: pixels of the input, degrees.
    max_distance: [f64; 2],
}

impl LearnedReference {
    fn helps(&self) -> bool {
        let [lacks, lacked] = [1.0 - self.likeness[1], 1.0 - self.likeness[0]];
        self.min_likeness >= MIN_SIMILARITY && lacks <= MAX_REMAINING_SHARE * lacked
    }

    fn aligned(&self, motion: Motion) -> Aligned {
        let least_likeness = (1000.0 * FAULT_SHARE * self.min_likeness).clamp(0.0, 1000.0) as u16;
        let align = if motion == Motion::Shift { Align::Shift } else { Align::Rigid };
        Aligned {
            alignment: Some(Alignment { motion, least_likeness, reference: self.reference }),
            description: format!("{align}; {self}"),
        }
    }
}

impl fmt::Display for LearnedReference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ([pixels, degrees], [before, after]) = (self.max_distance, self.likeness);
        write!(
            f,
            "parts lie up to {pixels:.0} pixels of the input and {degrees:.1}° from their mean; their similarity to it is {before:.2} on \
             average as they lie, {after:.2} aligned, and at least {:.2}",
            self.min_likeness
        )
    }
}

fn learn(
    motion: Motion,
    normals: &[PathBuf],
    recipe: Recipe,
    progress: impl FnMut(),
) -> Result<LearnedReference, AlignError> {
    let picture = recipe.picture();
    // Parts are aligned as a whole, before they are cut. A small picture of them has more pixels than the reference has cells.
    let recipe = if recipe.tiles == Tiles::ONE {
        recipe
    } else {
        let input = input_shape(recipe.frames, recipe.roi, Tiles::ONE, PIXELS);
        Recipe { input, tiles: Tiles::ONE, ..recipe }
    };
    let enlarged = f64::from(picture.width) / f64::from(recipe.input.width);
    let sides = sides(recipe.input).ok_or(AlignError::Narrow(recipe.input))?;
    let judged = |mask| ignored_cells(mask, sides).iter().filter(|ignored| !**ignored).count();
    if recipe.ignore.as_ref().is_some_and(|mask| judged(mask) < MIN_JUDGED_CELLS) {
        return Err(AlignError::Ignored);
    }
    let paths: Vec<&PathBuf> = evenly_spaced(normals, NORMALS).collect();
    let reduced = reduce_to_cells(&paths, recipe, sides, progress)?;
    let Some(reference) = reference(&reduced, motion, &recipe, sides) else {
        return Err(not_locked(&paths));
    };
    let mut aligner = aligner(motion, reference, &recipe);
    let (mut sums, mut min_likeness, mut max_distance) = ([0.0; 2], f64::INFINITY, [0.0f64; 2]);
    let mut lost = vec![];
    for (cells, path) in reduced.into_iter().zip(&paths) {
        let as_it_lies =
            aligner.compare(cells.clone(), RigidTransform::IDENTITY).map(|(likeness, _)| likeness);
        let found = aligner.find_cells(cells).ok().filter(|(_, likeness)| *likeness > 0.0);
        let (Some(before), Some((movement, after))) = (as_it_lies, found) else {
            lost.push(*path);
            continue;
        };
        sums = [sums[0] + before, sums[1] + after];
        min_likeness = min_likeness.min(after);
        let [x, y] = movement.shift;
        let pixels = enlarged * x.hypot(y);
        max_distance = [max_distance[0].max(pixels), max_distance[1].max(movement.degrees().abs())];
    }
    if !lost.is_empty() {
        return Err(not_locked(&lost));
    }
    let likeness = sums.map(|sum| sum / paths.len().max(1) as f64);
    Ok(LearnedReference { reference, likeness, min_likeness, max_distance })
}

fn not_locked(lost: &[&PathBuf]) -> AlignError {
    let first = lost.first().map(|path| path.to_path_buf()).unwrap_or_default();
    AlignError::NotLocked { count: lost.len(), first }
}

/// Reduces the images to cells.
fn reduce_to_cells(
    paths: &[&PathBuf],
    recipe: Recipe,
    sides: [usize; 2],
    mut progress: impl FnMut(),
) -> Result<Vec<Vec<f32>>, AlignError> {
    let mut preparer = Preparer::new(Recipe { alignment: None, ignore: None, ..recipe });
    let mut planes = vec![];
    let each = paths.iter().map(|&path| {
        let frame = decode_file(path).map_err(|source| AlignError::Decode { path: path.clone(), source })?;
        let prepared = preparer.prepare(&frame, &mut planes);
        prepared.map_err(|source| AlignError::Prepare { path: path.clone(), source })?;
        progress();
        Ok(luma_cells(&planes, recipe.input, sides))
    });
    each.collect()
}

#[cfg(test)]
mod tests;
