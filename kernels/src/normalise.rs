//! Image normalisation, as expected by networks.

use crate::parallel::{self, SharedOutput, at};
use crate::simd::{Dispatch, Isa, Simd, SimdTask};
use crate::spec::{Error, check_length, saturating_len};

/// Subtracts a mean from each channel of a planar image and multiplies the difference by a factor.
#[derive(Debug, Clone)]
pub struct Normalise {
    /// Number of pixels in an image.
    pub pixels: usize,
    /// Mean and factor of each channel.
    pub channels: Vec<[f32; 2]>,
    /// The vector instructions to use.
    pub isa: Isa,
}

impl Normalise {
    /// Normalises one image. Both slices are planar images.
    ///
    /// # Errors
    /// [`Error::Length`] if a slice has the wrong length.
    pub fn run(&self, input: &[f32], output: &mut [f32]) -> Result<(), Error> {
        let length = saturating_len(self.pixels, self.channels.len());
        check_length("input", length, input)?;
        check_length("output", length, output)?;
        let output = SharedOutput::new(output);
        parallel::for_each(self.channels.len(), |channel| {
            let (first, pixels) = (channel * self.pixels, self.pixels);
            self.isa.run(NormaliseChannel { input, output, first, pixels, by: self.channels[channel] });
        });
        Ok(())
    }
}

struct NormaliseChannel<'a> {
    input: &'a [f32],
    output: SharedOutput<'a>,
    first: usize,
    pixels: usize,
    by: [f32; 2],
}

impl SimdTask for NormaliseChannel<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd<E = f32>>(self, s: S) {
        let [mean, factor] = self.by.map(|value| s.splat(value));
        for pixel in (0..self.pixels).step_by(S::LANES) {
            let (index, lanes) = (self.first + pixel, S::LANES.min(self.pixels - pixel));
            // SAFETY: `lanes` pixels of the channel remain from there, and the channel belongs to this block.
            unsafe {
                let value = s.load_some(at(self.input, index, lanes), lanes);
                s.store_some(self.output.at(index, lanes), s.mul(s.sub(value, mean), factor), lanes);
            }
        }
    }
}
