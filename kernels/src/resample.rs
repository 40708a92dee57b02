//! Resizing and smoothing: each axis of an image by a matrix, of whose values most are zero.

use crate::buffer::lend;
use crate::conv::check;
use crate::share::{self, Target, at, at_mut};
use crate::simd::{Path, Simd, Task};
use crate::spec::{Error, Shape};

/// The values that are not zero of a matrix of few such values, row by row.
#[derive(Debug, Clone)]
struct Sparse {
    /// Where each row's values start, and where the last one's end.
    starts: Vec<usize>,
    /// Columns and values.
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

/// rows · image · columnsᵀ, for every channel alike.
#[derive(Debug, Clone)]
pub struct Resample {
    input: Shape,
    output: Shape,
    rows: Sparse,
    columns: Sparse,
    path: Path,
}

impl Resample {
    /// `rows` is output height × input height, `columns` output width × input width, both row-major.
    ///
    /// # Errors
    /// [`Error::Length`] where a matrix has another length; [`Error::Unsupported`] for a side of zero.
    pub fn new(
        input: Shape,
        (height, rows): (usize, &[f32]),
        (width, columns): (usize, &[f32]),
        path: Path,
    ) -> Result<Self, Error> {
        check("matrix of rows", height * input.height, rows)?;
        check("matrix of columns", width * input.width, columns)?;
        let output = Shape { height, width, ..input };
        if input.len() == 0 || output.len() == 0 {
            return Err(Error::Unsupported("resizing from or to nothing".to_owned()));
        }
        let rows = Sparse::new(height, input.height, rows);
        let columns = Sparse::new(width, input.width, columns);
        Ok(Self { input, output, rows, columns, path })
    }

    /// Shape of the output.
    #[must_use]
    pub const fn output(&self) -> Shape {
        self.output
    }

    /// Computes one image, channels last.
    ///
    /// # Errors
    /// [`Error::Length`] where a slice has another length than the shapes say.
    pub fn run(&self, input: &[f32], output: &mut [f32]) -> Result<(), Error> {
        check("input", self.input.len(), input)?;
        check("output", self.output.len(), output)?;
        let output = Target::new(output);
        share::for_each(self.output.height, |row| {
            lend(self.input.width * self.input.channels, |line| {
                self.path.run(Row { resample: self, input, output, row, line });
            });
        });
        Ok(())
    }
}

/// One row of the output.
struct Row<'a> {
    resample: &'a Resample,
    input: &'a [f32],
    output: Target<'a>,
    row: usize,
    /// Room for one row of the input's width.
    line: &'a mut [f32],
}

impl Task for Row<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let Resample { input, output, rows, columns, .. } = self.resample;
        let length = input.width * input.channels;
        for start in (0..length).step_by(S::LANES) {
            let lanes = S::LANES.min(length - start);
            let mut sum = s.splat(0.0);
            for &(row, weight) in rows.row(self.row) {
                // SAFETY: `lanes` values of the row are left.
                let value = unsafe { s.load_some(at(self.input, row * length + start, lanes), lanes) };
                sum = s.fma(s.splat(weight), value, sum);
            }
            // SAFETY: the line has room for a row's values.
            unsafe { s.store_some(at_mut(self.line, start, lanes), sum, lanes) };
        }
        let channels = output.channels;
        for column in 0..output.width {
            for start in (0..channels).step_by(S::LANES) {
                let lanes = S::LANES.min(channels - start);
                let mut sum = s.splat(0.0);
                for &(from, weight) in columns.row(column) {
                    // SAFETY: `lanes` channels of the pixel are left.
                    let value = unsafe { s.load_some(at(self.line, from * channels + start, lanes), lanes) };
                    sum = s.fma(s.splat(weight), value, sum);
                }
                let to = (self.row * output.width + column) * channels + start;
                // SAFETY: the row is this task's.
                unsafe { s.store_some(self.output.at(to, lanes), sum, lanes) };
            }
        }
    }
}
