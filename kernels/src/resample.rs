//! Resizing and smoothing, by multiplying each axis of an image with a sparse matrix.

use std::ops::Range;

use crate::buffer::with_scratch;
use crate::parallel::{self, SharedOutput, at, at_mut};
use crate::simd::{Dispatch, Isa, Simd, SimdTask};
use crate::spec::{Error, Shape, check_length, saturating_len};

/// With fewer channels than this, vectors hold columns instead of channels.
const NARROW: usize = 8;
/// Number of parts into which an image with few channels is split, for as many threads.
const BLOCKS: usize = 4;

/// A sparse matrix, stored by rows.
#[derive(Debug, Clone)]
struct Sparse {
    /// The start of each row's values, followed by the end of the last row's.
    starts: Vec<usize>,
    /// Columns and their non-zero values.
    values: Vec<(usize, f32)>,
}

impl Sparse {
    fn new(rows: usize, columns: usize, matrix: &[f32]) -> Self {
        let (mut starts, mut values) = (vec![0], Vec::new());
        for row in matrix.chunks_exact(columns.max(1)).take(rows) {
            values.extend(row.iter().copied().enumerate().filter(|&(_, value)| value != 0.0));
            starts.push(values.len());
        }
        Self { starts, values }
    }

    fn row(&self, row: usize) -> &[(usize, f32)] {
        &self.values[self.starts[row]..self.starts[row + 1]]
    }
}

/// rows · image · columnsᵀ, applied to every channel.
#[derive(Debug, Clone)]
pub struct Resample {
    input: Shape,
    output: Shape,
    rows: Sparse,
    columns: Sparse,
    isa: Isa,
}

impl Resample {
    /// Prepares the matrices. `rows` is output height × input height, `columns` is output width × input width, both row-major.
    ///
    /// # Errors
    /// [`Error::Length`] if a matrix has the wrong length; [`Error::Unsupported`] for a side of zero or an image too large for memory.
    pub fn new(
        input: Shape,
        (height, rows): (usize, &[f32]),
        (width, columns): (usize, &[f32]),
        isa: Isa,
    ) -> Result<Self, Error> {
        check_length("matrix of rows", saturating_len(height, input.height), rows)?;
        check_length("matrix of columns", saturating_len(width, input.width), columns)?;
        let (input, output) = (input.within_limits()?, Shape { height, width, ..input }.within_limits()?);
        if input.len() == 0 || output.len() == 0 {
            return Err(Error::Unsupported("resizing from or to an empty image".to_owned()));
        }
        // The intermediate image: one axis is resized before the other.
        Shape { width, ..input }.within_limits()?;
        let rows = Sparse::new(height, input.height, rows);
        let columns = Sparse::new(width, input.width, columns);
        Ok(Self { input, output, rows, columns, isa })
    }

    /// Returns the shape of the output.
    #[must_use]
    pub const fn output(&self) -> Shape {
        self.output
    }

    /// Computes one image, channels last.
    ///
    /// # Errors
    /// [`Error::Length`] if a slice's length doesn't match the shapes.
    pub fn run(&self, input: &[f32], output: &mut [f32]) -> Result<(), Error> {
        check_length("input", self.input.len(), input)?;
        check_length("output", self.output.len(), output)?;
        let output = SharedOutput::new(output);
        if self.input.channels < NARROW {
            parallel::for_each_range(self.output.height, self.output.height.div_ceil(BLOCKS), |rows| {
                let read = self.input_rows(rows.clone());
                let (narrow, lanes) = (self.input.width * self.input.channels, self.isa.lanes());
                let half = read.len() * self.output.width * self.input.channels;
                with_scratch(half + (narrow + 1) * lanes, |scratch| {
                    let (half, transposed) = scratch.split_at_mut(half);
                    self.isa.run(ResampleBlock {
                        resample: self,
                        input,
                        output,
                        rows,
                        read,
                        half,
                        transposed,
                    });
                });
            });
            return Ok(());
        }
        parallel::for_each(self.output.height, |row| {
            with_scratch(self.input.width * self.input.channels, |line| {
                self.isa.run(ResampleRow { resample: self, input, output, row, line });
            });
        });
        Ok(())
    }

    /// Returns the input rows that these output rows depend on.
    fn input_rows(&self, rows: Range<usize>) -> Range<usize> {
        let values = &self.rows.values[self.rows.starts[rows.start]..self.rows.starts[rows.end]];
        let first = values.iter().map(|&(row, _)| row).min();
        let last = values.iter().map(|&(row, _)| row).max();
        first.zip(last).map_or(0..0, |(first, last)| first..last + 1)
    }
}

/// Consecutive rows of an image.
struct ImageRows<'a> {
    values: &'a [f32],
    /// Values per row.
    length: usize,
    /// The index of the first row.
    first: usize,
}

impl ImageRows<'_> {
    /// Computes a weighted sum of rows. `to(start, lanes)` returns where the `lanes` values from `start` are written.
    ///
    /// # Safety
    /// `to` must return a pointer with room for `lanes` values, and the weights must refer to existing rows (checked in debug builds).
    #[inline(always)]
    unsafe fn sum<S: Simd<E = f32>>(
        &self,
        s: S,
        weights: &[(usize, f32)],
        mut to: impl FnMut(usize, usize) -> *mut f32,
    ) {
        for start in (0..self.length).step_by(S::LANES) {
            let lanes = S::LANES.min(self.length - start);
            let mut sum = s.splat(0.0);
            for &(row, weight) in weights {
                let index = (row - self.first) * self.length + start;
                // SAFETY: `lanes` values of the row remain; the caller guarantees that the row exists.
                let value = unsafe { s.load_some(at(self.values, index, lanes), lanes) };
                sum = s.fma(s.splat(weight), value, sum);
            }
            // SAFETY: guaranteed by the caller.
            unsafe { s.store_some(to(start, lanes), sum, lanes) };
        }
    }
}

/// Some rows of an output with few channels. Columns are resized first, for as many rows in parallel as a vector has lanes; then rows,
/// with all columns in parallel.
struct ResampleBlock<'a> {
    resample: &'a Resample,
    input: &'a [f32],
    output: SharedOutput<'a>,
    rows: Range<usize>,
    /// The input rows that are needed.
    read: Range<usize>,
    /// Scratch space for these rows at the output's width.
    half: &'a mut [f32],
    /// Scratch space for a vector's rows, stored by columns, and one vector.
    transposed: &'a mut [f32],
}

impl SimdTask for ResampleBlock<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd<E = f32>>(self, s: S) {
        let Resample { input, output, rows, columns, .. } = self.resample;
        let (narrow, wide) = (input.width * input.channels, output.width * output.channels);
        let lines = &self.input[self.read.start * narrow..self.read.end * narrow];
        let (transposed, vector) = self.transposed.split_at_mut(narrow * S::LANES);
        let groups = lines.chunks(narrow * S::LANES).zip(self.half.chunks_mut(wide * S::LANES));
        for (lines, half) in groups {
            for (lane, line) in lines.chunks_exact(narrow).enumerate() {
                line.iter().zip(transposed[lane..].iter_mut().step_by(S::LANES)).for_each(|(x, to)| *to = *x);
            }
            for index in 0..wide {
                let (column, channel) = (index / output.channels, index % output.channels);
                let mut sum = s.splat(0.0);
                for &(from, weight) in columns.row(column) {
                    let from = (from * input.channels + channel) * S::LANES;
                    // SAFETY: there is room for a vector for each position in a row.
                    let values = unsafe { s.load_some(at(transposed, from, S::LANES), S::LANES) };
                    sum = s.fma(s.splat(weight), values, sum);
                }
                // SAFETY: there is room for one vector.
                unsafe { s.store_some(at_mut(vector, 0, S::LANES), sum, S::LANES) };
                half[index..].iter_mut().step_by(wide).zip(&*vector).for_each(|(to, x)| *to = *x);
            }
        }
        for row in self.rows {
            let lines = ImageRows { values: self.half, length: wide, first: self.read.start };
            // SAFETY: the row belongs to this task, and the input rows it depends on were read.
            unsafe { lines.sum(s, rows.row(row), |start, lanes| self.output.at(row * wide + start, lanes)) };
        }
    }
}

/// One row of the output.
struct ResampleRow<'a> {
    resample: &'a Resample,
    input: &'a [f32],
    output: SharedOutput<'a>,
    row: usize,
    /// Scratch space for one row at the input's width.
    line: &'a mut [f32],
}

impl SimdTask for ResampleRow<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd<E = f32>>(self, s: S) {
        let Resample { input, output, rows, columns, .. } = self.resample;
        let lines = ImageRows { values: self.input, length: input.width * input.channels, first: 0 };
        // SAFETY: the line has room for a row's values, and the matrix has a column for each row of the input.
        unsafe { lines.sum(s, rows.row(self.row), |start, lanes| at_mut(self.line, start, lanes)) };
        let channels = output.channels;
        for column in 0..output.width {
            for start in (0..channels).step_by(S::LANES) {
                let lanes = S::LANES.min(channels - start);
                let mut sum = s.splat(0.0);
                for &(from, weight) in columns.row(column) {
                    // SAFETY: `lanes` channels of the pixel remain.
                    let value = unsafe { s.load_some(at(self.line, from * channels + start, lanes), lanes) };
                    sum = s.fma(s.splat(weight), value, sum);
                }
                let to = (self.row * output.width + column) * channels + start;
                // SAFETY: the row belongs to this task.
                unsafe { s.store_some(self.output.at(to, lanes), sum, lanes) };
            }
        }
    }
}
