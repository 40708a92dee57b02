//! Mean of the largest values, which is a map's score.

use crate::buffer::with_scratch;
use crate::spec::{Error, check_length};

/// The mean of the `count` largest of `values` values; NaN if any value is NaN.
#[derive(Debug, Clone, Copy)]
pub struct TopKMean {
    /// Number of input values.
    pub values: usize,
    /// Number of values that are averaged.
    pub count: usize,
}

impl TopKMean {
    /// Computes the mean into `output`, which has one value.
    ///
    /// # Errors
    /// [`Error::Length`] if a slice has the wrong length; [`Error::Unsupported`] if `count` is 0 or more than `values`.
    pub fn run(&self, input: &[f32], output: &mut [f32]) -> Result<(), Error> {
        check_length("input", self.values, input)?;
        check_length("output", 1, output)?;
        if self.count == 0 || self.count > self.values {
            return Err(Error::Unsupported(format!(
                "mean of the {} largest of {} values",
                self.count, self.values
            )));
        }
        output[0] = if input.iter().any(|x| x.is_nan()) { f32::NAN } else { self.mean(input) };
        Ok(())
    }

    fn mean(&self, input: &[f32]) -> f32 {
        with_scratch(self.values, |scratch| {
            let scratch = &mut scratch[..self.values];
            scratch.copy_from_slice(input);
            let (larger, last, _) = scratch.select_nth_unstable_by(self.count - 1, |a, b| b.total_cmp(a));
            let sum: f64 = larger.iter().chain([&*last]).copied().map(f64::from).sum();
            (sum / self.count as f64) as f32
        })
    }
}
