//! Image normalisation, as expected by networks.

use crate::share::{self, Target, at};
use crate::simd::{Path, Simd, Task, Vectors};
use crate::spec::{Error, check, values};

/// Subtracts a mean from each channel of a planar image and multiplies the difference by a factor.
#[derive(Debug, Clone)]
pub struct Normalise {
    /// Number of pixels in an image.
    pub pixels: usize,
    /// Mean and factor of each channel.
    pub channels: Vec<[f32; 2]>,
    /// The vector instructions to use.
    pub path: Path,
}

impl Normalise {
    /// Normalises one image. Both slices are planar images.
    ///
    /// # Errors
    /// [`Error::Length`] if a slice has the wrong length.
    pub fn run(&self, input: &[f32], output: &mut [f32]) -> Result<(), Error> {
        let length = values(self.pixels, self.channels.len());
        check("input", length, input)?;
        check("output", length, output)?;
        let output = Target::new(output);
        share::for_each(self.channels.len(), |channel| {
            let (first, pixels) = (channel * self.pixels, self.pixels);
            self.path.run(Channel { input, output, first, pixels, by: self.channels[channel] });
        });
        Ok(())
    }
}

struct Channel<'a> {
    input: &'a [f32],
    output: Target<'a>,
    first: usize,
    pixels: usize,
    by: [f32; 2],
}

impl Task for Channel<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd<E = f32>>(self, s: S) {
        let [mean, factor] = self.by.map(|value| s.splat(value));
        for pixel in (0..self.pixels).step_by(S::LANES) {
            let (place, lanes) = (self.first + pixel, S::LANES.min(self.pixels - pixel));
            // SAFETY: `lanes` pixels of the channel remain from there, and the channel belongs to this block.
            unsafe {
                let value = s.load_some(at(self.input, place, lanes), lanes);
                s.store_some(self.output.at(place, lanes), s.mul(s.sub(value, mean), factor), lanes);
            }
        }
    }
}
