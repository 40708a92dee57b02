//! The anomaly map's head: the distance between two images' features.

use std::ops::Range;

use crate::share::{self, Target, at};
use crate::simd::{Path, Simd, Task, Vectors};
use crate::spec::{Error, check, values};

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
    pub path: Path,
}

/// Pixels per block.
const BLOCK: usize = 128;

impl Distance {
    /// Computes the distances. `a` and `b` are images, channels last; `output` has one value per pixel.
    ///
    /// # Errors
    /// [`Error::Length`] if a slice has the wrong length.
    pub fn run(&self, a: &[f32], b: &[f32], output: &mut [f32]) -> Result<(), Error> {
        check("left image", values(self.pixels, self.channels), a)?;
        check("right image", values(self.pixels, self.channels), b)?;
        check("output", self.pixels, output)?;
        let output = Target::new(output);
        share::for_each_range(self.pixels, BLOCK, |pixels| {
            self.path.run(Pixels { distance: self, a, b, output, pixels });
        });
        Ok(())
    }
}

struct Pixels<'a> {
    distance: &'a Distance,
    a: &'a [f32],
    b: &'a [f32],
    output: Target<'a>,
    pixels: Range<usize>,
}

impl Task for Pixels<'_> {
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

impl Pixels<'_> {
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
