//! The anomaly map's head: the distance between two images' features.

use std::ops::Range;

use crate::parallel::{self, SharedOutput, at};
use crate::simd::{Dispatch, Isa, Simd, SimdTask};
use crate::spec::{Error, check_length, saturating_len};

/// The squared distance of two features at each pixel, ‖a − b‖², or of their directions, ‖a/‖a‖ − b/‖b‖‖².
#[derive(Debug, Clone, Copy)]
pub struct Distance {
    /// Number of pixels in an image.
    pub pixels: usize,
    /// Values per pixel.
    pub channels: usize,
    /// The smallest norm that a feature is divided by; `None` leaves features unnormalised.
    pub floor: Option<f32>,
    /// The vector instructions to use.
    pub isa: Isa,
}

/// Pixels per block.
const BLOCK: usize = 128;

impl Distance {
    /// Computes the distances. `a` and `b` are images, channels last; `output` has one value per pixel.
    ///
    /// # Errors
    /// [`Error::Length`] if a slice has the wrong length.
    pub fn run(&self, a: &[f32], b: &[f32], output: &mut [f32]) -> Result<(), Error> {
        check_length("left image", saturating_len(self.pixels, self.channels), a)?;
        check_length("right image", saturating_len(self.pixels, self.channels), b)?;
        check_length("output", self.pixels, output)?;
        let output = SharedOutput::new(output);
        parallel::for_each_range(self.pixels, BLOCK, |pixels| {
            self.isa.run(DistanceBlock { distance: self, a, b, output, pixels });
        });
        Ok(())
    }
}

struct DistanceBlock<'a> {
    distance: &'a Distance,
    a: &'a [f32],
    b: &'a [f32],
    output: SharedOutput<'a>,
    pixels: Range<usize>,
}

impl SimdTask for DistanceBlock<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd<E = f32>>(self, s: S) {
        let Distance { channels, floor, .. } = *self.distance;
        for pixel in self.pixels.start..self.pixels.end {
            let start = pixel * channels;
            let (a_scale, b_scale) = match floor {
                Some(floor) => self.scales(s, start, floor),
                None => (s.splat(1.0), s.splat(1.0)),
            };
            let mut sum = s.splat(0.0);
            for channel in (0..channels).step_by(S::LANES) {
                let lanes = S::LANES.min(channels - channel);
                // SAFETY: the pixel has `lanes` channels from `channel`, in both images.
                let (a, b) = unsafe {
                    let from = start + channel;
                    (s.load_some(at(self.a, from, lanes), lanes), s.load_some(at(self.b, from, lanes), lanes))
                };
                let difference = s.sub(s.mul(a, a_scale), s.mul(b, b_scale));
                sum = s.fma(difference, difference, sum);
            }
            let sum = s.sum(sum);
            // SAFETY: the pixel belongs to this block.
            unsafe { *self.output.at(pixel, 1) = sum };
        }
    }
}

impl DistanceBlock<'_> {
    /// Computes the factors that normalise the features from `start`.
    #[inline(always)]
    fn scales<S: Simd<E = f32>>(&self, s: S, start: usize, floor: f32) -> (S::V, S::V) {
        let channels = self.distance.channels;
        let mut squares = [s.splat(0.0); 2];
        for channel in (0..channels).step_by(S::LANES) {
            let lanes = S::LANES.min(channels - channel);
            // SAFETY: the pixel has `lanes` channels from `channel`, in both images.
            let (a, b) = unsafe {
                let from = start + channel;
                (s.load_some(at(self.a, from, lanes), lanes), s.load_some(at(self.b, from, lanes), lanes))
            };
            squares = [s.fma(a, a, squares[0]), s.fma(b, b, squares[1])];
        }
        let [a_length, b_length] = [s.sum(squares[0]).sqrt(), s.sum(squares[1]).sqrt()];
        // Not `max`, which would hide NaN.
        let scale = |length: f32| 1.0 / if length < floor { floor } else { length };
        (s.splat(scale(a_length)), s.splat(scale(b_length)))
    }
}
