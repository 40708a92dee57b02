//! Minimum over the channels of several images: the nearest entry of a bank that was compared part by part.

use std::ops::Range;

use crate::share::{self, Target, at};
use crate::simd::{Path, Simd, Task, Vectors};
use crate::spec::{Error, check, values};

/// For each pixel the least of all its values in all images. Where none of them is a number, neither is the result.
#[derive(Debug, Clone, Copy)]
pub struct Least {
    /// Pixels of an image.
    pub pixels: usize,
    /// Values of a pixel in each image.
    pub channels: usize,
    /// The processor's instructions.
    pub path: Path,
}

/// Pixels of a block.
const BLOCK: usize = 128;

impl Least {
    /// `images` lie channels last, `output` has one value a pixel.
    ///
    /// # Errors
    /// [`Error::Length`] where a slice has another length; [`Error::Unsupported`] where there is nothing to choose from.
    pub fn run(&self, images: &[&[f32]], output: &mut [f32]) -> Result<(), Error> {
        if images.is_empty() || self.channels == 0 {
            return Err(Error::Unsupported("the least of nothing".to_owned()));
        }
        images.iter().try_for_each(|image| check("image", values(self.pixels, self.channels), image))?;
        check("output", self.pixels, output)?;
        let output = Target::new(output);
        share::for_each_range(self.pixels, BLOCK, |pixels| {
            self.path.run(Pixels { channels: self.channels, images, output, pixels });
        });
        Ok(())
    }
}

struct Pixels<'a> {
    channels: usize,
    images: &'a [&'a [f32]],
    output: Target<'a>,
    pixels: Range<usize>,
}

impl Task for Pixels<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd<E = f32>>(self, s: S) {
        for pixel in self.pixels.start..self.pixels.end {
            let start = pixel * self.channels;
            let whole = self.channels / S::LANES * S::LANES;
            let mut least = s.splat(f32::INFINITY);
            for image in self.images {
                for channel in (0..whole).step_by(S::LANES) {
                    // SAFETY: the pixel has a whole vector of channels from there.
                    let value = unsafe { s.load(at(image, start + channel, S::LANES)) };
                    least = s.at_most(least, value);
                }
            }
            let mut result = f32::INFINITY;
            for &lane in &s.lanes(least)[..S::LANES] {
                result = at_most(result, lane);
            }
            for image in self.images {
                for &value in &image[start + whole..start + self.channels] {
                    result = at_most(result, value);
                }
            }
            // SAFETY: the pixel is this block's.
            unsafe { *self.output.at(pixel, 1) = result };
        }
    }
}

/// As the vectors' `at_most`: not `min`, which would make infinity of what is not a number.
#[inline(always)]
fn at_most(high: f32, x: f32) -> f32 {
    if x > high { high } else { x }
}
