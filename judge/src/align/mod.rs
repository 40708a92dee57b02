//! Finds and corrects how a part is shifted and turned in view, before it is judged.
//!
//! The network's input is compared with a small reference picture of at most [`MAX_CELLS`](shared_format::alignment::MAX_CELLS)
//! cells by normalised correlation, which ignores the lamp's brightness. A search over a few shifts and rotations finds starting
//! points, and Gauss-Newton steps (Baker, Matthews: *Lucas-Kanade 20 Years On*, IJCV 2004, inverse compositional) refine them.
//!
//! Sums run in a fixed order, and only +, −, ×, ÷ and √ of IEEE 754 are used, so the result is the same on every processor.
//!
//! | file | contents |
//! |---|---|
//! | `grid.rs` | a picture as a grid of cells |
//! | `rigid_transform.rs` | a shift and a rotation |
//! | `level.rs` | the reference at one resolution: the correlation, and the step that improves it |
//! | `warp.rs` | moves a picture |

mod grid;
mod level;
mod rigid_transform;
mod warp;

use shared_format::alignment::{Alignment, MIN_SIDE, Motion};
use shared_format::{IgnoreMask, Size};

use self::grid::CellGrid;
use self::level::PyramidLevel;
pub use self::rigid_transform::RigidTransform;
pub use self::warp::warp;

/// The search covers shifts of up to this share of a side.
const REACH: f64 = 0.125;
/// Rotations that the search covers, as tangents of half the angle: 0, 3.5 and 7 degrees each way.
const TURNS: [f64; 5] = [0.0, 0.03, -0.03, 0.06, -0.06];
/// Number of starting points that are refined.
const STARTS: usize = 3;
/// A level with more cells than this gets a coarser one above it, unless a side of that would have fewer than [`MIN_SIDE`] cells, or
/// the level fewer than [`MIN_JUDGED_CELLS`] that aren't ignored.
const MAX_COARSEST_CELLS: usize = 512;
/// Minimum number of cells that aren't ignored, for aligning at all and for each coarser level.
pub const MIN_JUDGED_CELLS: usize = 64;

/// The error when a part's position can't be found.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AlignmentError {
    /// The best correlation with the reference, −1..1.
    pub correlation: f64,
}

/// Finds the position of the part in a frame.
#[derive(Debug)]
pub struct Aligner {
    motion: Motion,
    min_correlation: f64,
    input: [f64; 2],
    /// Finest first.
    levels: Vec<PyramidLevel>,
    luma: Vec<f32>,
    scratch: Vec<f32>,
}

impl Aligner {
    /// Creates an aligner for pictures of size `input`. Cells of the reference that `ignore` covers don't count.
    #[must_use]
    pub fn new(alignment: &Alignment, ignore: Option<&IgnoreMask>, input: Size) -> Self {
        let sides = [input.width as usize, input.height as usize];
        let reference = &alignment.reference;
        let luma = reference.luma().iter().map(|&v| f32::from(v)).collect();
        let mut grid = CellGrid::new([reference.columns(), reference.rows()].map(usize::from), luma);
        let ignored = |sides| ignore.map_or(vec![], |mask| ignored_cells(mask, sides));
        let mut levels = vec![PyramidLevel::new(&grid, ignored(grid.sides), sides)];
        while let Some(coarser) = coarser(grid.sides) {
            let ignored = ignored(coarser);
            if !ignored.is_empty() && ignored.iter().filter(|ignored| !**ignored).count() < MIN_JUDGED_CELLS {
                break;
            }
            grid = grid.downsample(coarser);
            levels.push(PyramidLevel::new(&grid, ignored, sides));
        }
        Self {
            motion: alignment.motion,
            min_correlation: alignment.least_likeness(),
            input: sides.map(|side| side as f64),
            levels,
            luma: vec![],
            scratch: vec![],
        }
    }

    /// Returns the movement of the picture in `planes` (3 × height × width, of the input's size) and its correlation with the
    /// reference.
    ///
    /// # Errors
    /// [`AlignmentError`] if the correlation is below the required minimum.
    pub fn find(&mut self, planes: &[f32]) -> Result<(RigidTransform, f64), AlignmentError> {
        let Some(sides) = self.levels.first().map(PyramidLevel::sides) else {
            return Err(AlignmentError { correlation: -1.0 });
        };
        luma_of(planes, &mut self.luma);
        let picture = CellGrid::new(self.input.map(|side| side as usize), std::mem::take(&mut self.luma));
        let cells = picture.downsample(sides);
        self.luma = picture.values;
        self.find_cells(cells.values)
    }

    /// Like [`Self::find`], for a picture that [`luma_cells`] has reduced to the reference's number of cells.
    ///
    /// # Errors
    /// As [`Self::find`].
    pub fn find_cells(&mut self, cells: Vec<f32>) -> Result<(RigidTransform, f64), AlignmentError> {
        let (movement, correlation) =
            self.best_transform(cells).ok_or(AlignmentError { correlation: -1.0 })?;
        // A correlation of NaN fails here, too.
        if correlation >= self.min_correlation {
            Ok((movement, correlation))
        } else {
            Err(AlignmentError { correlation })
        }
    }

    /// Returns the correlation, −1..1, of the reference with a picture moved by `movement`, and the picture's value at each of
    /// the reference's cells, NaN beyond its edges and at ignored cells; `None` if the two overlap too little, or one of them is
    /// uniform.
    #[must_use]
    pub fn compare(&mut self, cells: Vec<f32>, movement: RigidTransform) -> Option<(f64, &[f32])> {
        let finest = self.levels.first()?;
        let picture = CellGrid::new(finest.sides(), cells);
        let correlation = finest.correlation(&picture, movement, &mut self.scratch)?;
        Some((correlation, &self.scratch))
    }

    fn best_transform(&mut self, mut cells: Vec<f32>) -> Option<(RigidTransform, f64)> {
        let mut pictures = vec![];
        for level in &self.levels {
            let picture = match pictures.last() {
                None => CellGrid::new(level.sides(), std::mem::take(&mut cells)),
                Some(finer) => CellGrid::downsample(finer, level.sides()),
            };
            pictures.push(picture);
        }
        let mut levels = self.levels.iter().zip(&pictures).rev();
        let (coarsest, picture) = levels.next()?;
        let mut starts: Vec<(RigidTransform, f64)> = vec![];
        for movement in self.start_transforms(coarsest) {
            let Some(correlation) = coarsest.correlation(picture, movement, &mut self.scratch) else {
                continue;
            };
            let at = starts.partition_point(|(_, better)| *better >= correlation);
            if at < STARTS {
                starts.insert(at, (movement, correlation));
                starts.truncate(STARTS);
            }
        }
        let mut best: Option<(RigidTransform, f64)> = None;
        for (start, _) in starts {
            let Some(found) = coarsest.refine(picture, start, self.motion, &mut self.scratch) else {
                continue;
            };
            if best.is_none_or(|(_, correlation)| found.1 > correlation) {
                best = Some(found);
            }
        }
        for (level, picture) in levels {
            let (start, _) = best?;
            best = level.refine(picture, start, self.motion, &mut self.scratch);
        }
        best
    }

    /// Returns shifts by whole cells of `level`, each with a few rotations.
    fn start_transforms(&self, level: &PyramidLevel) -> Vec<RigidTransform> {
        let turns = match self.motion {
            Motion::Shift => TURNS.get(..1).unwrap_or_default(),
            Motion::Rigid => &TURNS,
        };
        let cell = level.cell();
        let reach = [0, 1].map(|axis| {
            let side = self.input.get(axis).copied().unwrap_or_default();
            let cell = cell.get(axis).copied().unwrap_or(1.0);
            ((REACH * side / cell) as i32).max(1)
        });
        let [across, down] = reach;
        let mut start_transforms = vec![];
        for &turn in turns {
            for y in -down..=down {
                for x in -across..=across {
                    let shift = [f64::from(x) * cell[0], f64::from(y) * cell[1]];
                    start_transforms.push(RigidTransform { shift, turn });
                }
            }
        }
        start_transforms
    }
}

/// Returns, for each cell of a picture in columns × rows, whether a mask covers at least a part of it.
#[must_use]
pub fn ignored_cells(mask: &IgnoreMask, [columns, rows]: [usize; 2]) -> Vec<bool> {
    let covered = |cell: usize, cells: usize, of_mask: u8| {
        let of_mask = usize::from(of_mask);
        cell * of_mask / cells..((cell + 1) * of_mask).div_ceil(cells)
    };
    let cells = (0..rows).flat_map(|row| (0..columns).map(move |column| (column, row)));
    let is_ignored = |(column, row)| {
        covered(row, rows, mask.rows())
            .any(|row| covered(column, columns, mask.columns()).any(|column| mask.ignores(column, row)))
    };
    cells.map(is_ignored).collect()
}

/// Returns the sides of the next coarser level, if there is one.
fn coarser(sides: [usize; 2]) -> Option<[usize; 2]> {
    let halved = sides.map(|side| side / 2);
    let usable = sides.iter().product::<usize>() > MAX_COARSEST_CELLS
        && halved.iter().all(|&side| side >= MIN_SIDE.into());
    usable.then_some(halved)
}

/// Reduces the picture in `planes` (3 × height × width, 0..1) to columns × rows cells, each the mean luma, 0 to 255, of the area
/// it covers.
#[must_use]
pub fn luma_cells(planes: &[f32], input: Size, sides: [usize; 2]) -> Vec<f32> {
    let mut luma = vec![];
    luma_of(planes, &mut luma);
    CellGrid::new([input.width as usize, input.height as usize], luma).downsample(sides).values
}

/// Computes the ITU-R BT.601 luma, 0..255, of planes 0..1.
fn luma_of(planes: &[f32], luma: &mut Vec<f32>) {
    let plane = planes.len() / 3;
    let (red, rest) = planes.split_at(plane);
    let (green, blue) = rest.split_at(plane);
    luma.clear();
    luma.extend(
        red.iter().zip(green).zip(blue).map(|((r, g), b)| 255.0 * (0.299 * r + 0.587 * g + 0.114 * b)),
    );
}
