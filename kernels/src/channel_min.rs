//! Minimum over the channels of several images, for finding the nearest entry of a bank that is compared in parts.

use std::ops::Range;

use crate::parallel::{self, SharedOutput, at};
use crate::simd::{Dispatch, Isa, Simd, SimdTask};
use crate::spec::{Error, check_length, saturating_len};

/// The minimum of each pixel's values across all images. If all of them are NaN, so is the result.
#[derive(Debug, Clone, Copy)]
pub struct ChannelMin {
    /// Number of pixels in an image.
    pub pixels: usize,
    /// Values per pixel in each image.
    pub channels: usize,
    /// The vector instructions to use.
    pub isa: Isa,
}

/// Pixels per block.
const BLOCK: usize = 128;

impl ChannelMin {
    /// Computes the minima. `images` are stored channels last; `output` has one value per pixel.
    ///
    /// # Errors
    /// [`Error::Length`] if a slice has the wrong length; [`Error::Unsupported`] if there are no images or no channels.
    pub fn run(&self, images: &[&[f32]], output: &mut [f32]) -> Result<(), Error> {
        if images.is_empty() || self.channels == 0 {
            return Err(Error::Unsupported("minimum over no values".to_owned()));
        }
        images
            .iter()
            .try_for_each(|image| check_length("image", saturating_len(self.pixels, self.channels), image))?;
        check_length("output", self.pixels, output)?;
        let output = SharedOutput::new(output);
        parallel::for_each_range(self.pixels, BLOCK, |pixels| {
            self.isa.run(ChannelMinBlock { channels: self.channels, images, output, pixels });
        });
        Ok(())
    }
}

struct ChannelMinBlock<'a> {
    channels: usize,
    images: &'a [&'a [f32]],
    output: SharedOutput<'a>,
    pixels: Range<usize>,
}

impl SimdTask for ChannelMinBlock<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd<E = f32>>(self, s: S) {
        for pixel in self.pixels.start..self.pixels.end {
            let start = pixel * self.channels;
            let whole = self.channels / S::LANES * S::LANES;
            let mut minimum = s.splat(f32::INFINITY);
            for image in self.images {
                for channel in (0..whole).step_by(S::LANES) {
                    // SAFETY: a whole vector of the pixel's channels remains from here.
                    let value = unsafe { s.load(at(image, start + channel, S::LANES)) };
                    minimum = s.clamp_max(minimum, value);
                }
            }
            let mut result = f32::INFINITY;
            for &lane in &s.lanes(minimum)[..S::LANES] {
                result = clamp_max(result, lane);
            }
            for image in self.images {
                for &value in &image[start + whole..start + self.channels] {
                    result = clamp_max(result, value);
                }
            }
            // SAFETY: the pixel belongs to this block.
            unsafe { *self.output.at(pixel, 1) = result };
        }
    }
}

/// Matches the vectors' `clamp_max`. Not `min`, which would turn NaN into infinity.
#[inline(always)]
fn clamp_max(high: f32, x: f32) -> f32 {
    if x > high { high } else { x }
}
