//! Corrects a frame's light by a reference patch: an area in view, such as a grey card, that looks the same unless the light changes.
//!
//! Each channel of the network's input is multiplied by reference / measured, the patch's mean in the good parts divided by its mean
//! in this frame. These are the frame's own values, which a camera has usually coded for display: sRGB's curve is close to the power
//! 1/2.2, and a power turns *k* times as much light into *k*^(1/2.2) times the value, bright or dark. So one factor per channel undoes a
//! change of light both for coded values and for those of a linear camera, except in the darkest tenth of sRGB's range. It doesn't undo a
//! change of the curve itself.
//!
//! A gain is at most [`GAINS`]; beyond that the light is not what was learned, and the frame is a fault. So it is if the patch is
//! overexposed, because then its values don't say how bright it is, or too dark to be measured.

use std::ops::RangeInclusive;

use shared_format::{Colour, ReferencePatch, Roi, Size};

use crate::frame::Pixels;
use crate::frame_area::{FrameArea, FrameRows, RowBuffers, RowSource};
use crate::prepare::LUMA_WEIGHTS;

/// The gains that a frame may need.
pub const GAINS: RangeInclusive<f64> = 0.5..=2.0;
/// The patch is overexposed if this share of its values or more are the largest possible one.
const OVEREXPOSED: f64 = 0.05;
/// The smallest mean of a patch, 0..1, that can be measured.
const MIN_MEAN: f64 = 0.02;
const CHANNELS: [&str; 3] = ["red", "green", "blue"];

/// Why a frame's light can't be corrected.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum LightError {
    /// The patch extends beyond the frame.
    #[error(
        "the reference patch {}×{} at {},{} does not fit into the frame of {}×{} pixels; set the camera to the mode of the \
         training images, or train with another --reference-patch",
        patch.width, patch.height, patch.x, patch.y, frame.width, frame.height
    )]
    Outside {
        /// The patch.
        patch: Roi,
        /// The frame's size.
        frame: Size,
    },
    /// Too many of the patch's values are the largest possible one.
    #[error(
        "{percent:.0} % of the reference patch is overexposed, so its brightness can't be measured; reduce exposure or light, or use a \
         darker patch"
    )]
    Overexposed {
        /// How much of it.
        percent: f64,
    },
    /// The patch is black.
    #[error(
        "the reference patch is black ({channel} {mean:.3} of 1); switch the light on, uncover the patch, or use a brighter one"
    )]
    Dark {
        /// The darkest channel.
        channel: &'static str,
        /// Its mean, 0..1.
        mean: f64,
    },
    /// The light differs too much from that of the good parts.
    #[error(
        "the light is not that of the good parts: the reference patch needs a gain of {gain:.2} in {channel}, outside {} to {}; check \
         lamp, exposure and white balance, and that nothing covers the patch",
        GAINS.start(), GAINS.end()
    )]
    Gain {
        /// The channel that is furthest off.
        channel: &'static str,
        /// The gain that it would need.
        gain: f64,
    },
}

/// Returns the mean red, green and blue of an area of the frame, 0..1; equal for a grey frame. The sums are whole numbers, so the result
/// is the same on every processor.
///
/// # Errors
/// [`LightError`] if the area isn't within the frame, or is overexposed or black.
pub fn patch_mean<'f>(frame: impl Into<FrameArea<'f>>, area: Roi) -> Result<[f64; 3], LightError> {
    let frame = frame.into();
    let outside = LightError::Outside { patch: area, frame: frame.frame_size() };
    let Some(area) = frame.locate(area) else { return Err(outside) };
    let size = frame.size();
    let measured = match frame.source {
        RowSource::Rows(rows) => Sums::of_rows(rows, area),
        RowSource::Frame(frame) => match frame.pixels() {
            Pixels::Grey8(values) => Sums::of::<u8, 1>(values, size, area, u8::MAX),
            Pixels::Rgb8(values) => Sums::of::<u8, 3>(values, size, area, u8::MAX),
            Pixels::Grey16(values) => Sums::of::<u16, 1>(values, size, area, u16::MAX),
            Pixels::Rgb16(values) => Sums::of::<u16, 3>(values, size, area, u16::MAX),
        },
    };
    let Sums { sum, full, pixels, largest } = measured.ok_or(outside)?;
    let overexposed = full.iter().copied().max().unwrap_or_default() as f64 / pixels as f64;
    if overexposed >= OVEREXPOSED {
        return Err(LightError::Overexposed { percent: 100.0 * overexposed });
    }
    let mean = sum.map(|sum| sum as f64 / (pixels * largest) as f64);
    let (channel, darkest) = extreme(mean, |mean| -mean);
    if darkest < MIN_MEAN { Err(LightError::Dark { channel, mean: darkest }) } else { Ok(mean) }
}

/// Returns the factors of red, green and blue that give the frame the light of the good parts. If the recipe is grey, they are equal.
///
/// # Errors
/// [`LightError`] if the patch can't be measured, or a factor is outside [`GAINS`].
pub fn gains<'f>(
    patch: &ReferencePatch,
    colour: Colour,
    frame: impl Into<FrameArea<'f>>,
) -> Result<[f32; 3], LightError> {
    let measured = patch_mean(frame, patch.area)?;
    let reference = patch.mean.map(|mean| f64::from(mean) / f64::from(u16::MAX));
    let as_seen = |mean: [f64; 3]| if colour == Colour::Grey { [luma(mean); 3] } else { mean };
    let ([m_red, m_green, m_blue], [red, green, blue]) = (as_seen(measured), as_seen(reference));
    let gains = [red / m_red, green / m_green, blue / m_blue];
    let (channel, gain) = extreme(gains, |gain| gain.ln().abs());
    if GAINS.contains(&gain) {
        Ok(gains.map(|gain| gain as f32))
    } else {
        Err(LightError::Gain { channel, gain })
    }
}

/// Multiplies the planes of tiles × 3 × height × width values by the gains; values are at most 1 afterwards, as in a frame.
pub fn correct(input: &mut [f32], plane: usize, gains: [f32; 3]) {
    for (values, gain) in input.chunks_exact_mut(plane.max(1)).zip(gains.into_iter().cycle()) {
        values.iter_mut().for_each(|value| *value = (*value * gain).min(1.0));
    }
}

fn luma([red, green, blue]: [f64; 3]) -> f64 {
    let [of_red, of_green, of_blue] = LUMA_WEIGHTS.map(|weight| weight as f64);
    (of_red * red + of_green * green + of_blue * blue) / 65_536.0
}

/// Returns the channel with the largest `of`, and its value.
fn extreme(values: [f64; 3], of: impl Fn(f64) -> f64) -> (&'static str, f64) {
    let named = CHANNELS.into_iter().zip(values);
    named.max_by(|a, b| of(a.1).total_cmp(&of(b.1))).unwrap_or(("red", 0.0))
}

/// What an area's values add up to, by channel.
struct Sums {
    sum: [u64; 3],
    /// How many values are the largest possible one.
    full: [u64; 3],
    pixels: u64,
    /// The largest possible value.
    largest: u64,
}

impl Sums {
    /// Adds up an area of interleaved values with `C` channels; `None` if it has no pixels or isn't within the frame.
    fn of<T: Copy + Ord + Into<u64>, const C: usize>(
        values: &[T],
        frame: Size,
        area: Roi,
        largest: T,
    ) -> Option<Self> {
        let mut sums = Self::none(largest);
        for y in area.y..area.y + area.height {
            let start = C * (y as usize * frame.width as usize + area.x as usize);
            let row = values.get(start..start + C * area.width as usize)?;
            sums.add::<T, C>(row, largest);
        }
        sums.unless_empty()
    }

    /// Adds up an area of rows that are computed.
    fn of_rows(rows: &dyn FrameRows, area: Roi) -> Option<Self> {
        let (xs, channels) = (area.x as usize..(area.x + area.width) as usize, rows.channels());
        let (mut row, mut buffers) = (vec![0; xs.len() * channels], RowBuffers::default());
        let mut sums = Self::none(u8::MAX);
        for y in area.y..area.y + area.height {
            rows.write_row(y as usize, xs.clone(), &mut buffers, &mut row);
            match channels {
                1 => sums.add::<u8, 1>(&row, u8::MAX),
                _ => sums.add::<u8, 3>(&row, u8::MAX),
            }
        }
        sums.unless_empty()
    }

    fn none(largest: impl Into<u64>) -> Self {
        Self { sum: [0; 3], full: [0; 3], pixels: 0, largest: largest.into() }
    }

    fn unless_empty(self) -> Option<Self> {
        (self.pixels > 0).then_some(self)
    }

    fn add<T: Copy + Ord + Into<u64>, const C: usize>(&mut self, row: &[T], largest: T) {
        for pixel in row.chunks_exact(C) {
            // The one value of a grey pixel counts in all three channels.
            let channels = self.sum.iter_mut().zip(&mut self.full).zip(pixel.iter().cycle());
            for ((sum, full), &value) in channels {
                *sum += value.into();
                *full += u64::from(value >= largest);
            }
            self.pixels += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::Frame;

    const AREA: Roi = Roi { x: 1, y: 1, width: 2, height: 2 };
    const SIZE: Size = Size { width: 4, height: 3 };

    fn frame(inside: [u16; 3]) -> Frame {
        let is_inside = |pixel: usize| (1..3).contains(&(pixel % 4)) && pixel / 4 > 0;
        let values = (0..12).flat_map(|pixel| if is_inside(pixel) { inside } else { [40_000, 9, 65_535] });
        Frame::new(SIZE, Pixels::Rgb16(values.collect())).unwrap()
    }

    #[test]
    fn an_area_has_the_mean_of_its_own_values_whatever_their_depth() {
        let mean = patch_mean(&frame([257 * 30, 257 * 60, 257 * 90]), AREA).unwrap();
        assert_eq!(mean, [30.0 / 255.0, 60.0 / 255.0, 90.0 / 255.0]);
        let grey = |pixels| patch_mean(&Frame::new(SIZE, pixels).unwrap(), AREA).unwrap();
        assert_eq!(grey(Pixels::Grey8(vec![51; 12])), [0.2; 3]);
        assert_eq!(grey(Pixels::Grey16(vec![51 * 257; 12])), [0.2; 3]);
        assert_eq!(grey(Pixels::Rgb8([[51, 102, 204]; 12].concat())), [0.2, 0.4, 0.8]);
    }

    #[test]
    fn a_channels_gain_is_reference_by_measured() {
        let patch = ReferencePatch { area: AREA, mean: [20_000, 30_000, 40_000] };
        let of = |colour, inside| gains(&patch, colour, &frame(inside));
        assert_eq!(of(Colour::Rgb, [20_000, 30_000, 40_000]), Ok([1.0; 3]));
        assert_eq!(of(Colour::Rgb, [40_000, 20_000, 40_000]), Ok([0.5, 1.5, 1.0]));
        // To the bit, on every processor: 20000/21000, 30000/27000, 40000/39999.
        let bits = of(Colour::Rgb, [21_000, 27_000, 39_999]).unwrap().map(f32::to_bits);
        assert_eq!(bits, [0x3f73_cf3d, 0x3f8e_38e4, 0x3f80_00d2]);
        let grey = of(Colour::Grey, [40_000, 20_000, 40_000]).unwrap();
        assert_eq!(grey[0].to_bits(), 0x3f7f_0139);
        assert_eq!(grey, [grey[0]; 3]);
    }

    #[test]
    fn light_that_cannot_be_corrected_is_named() {
        let patch = ReferencePatch { area: AREA, mean: [20_000; 3] };
        let fault = |inside| gains(&patch, Colour::Rgb, &frame(inside)).unwrap_err();
        assert!(
            matches!(fault([20_000, 9_000, 20_000]), LightError::Gain { channel: "green", gain } if gain > 2.2)
        );
        assert!(matches!(fault([20_000, 30_000, 45_000]), LightError::Gain { channel: "blue", .. }));
        assert_eq!(fault([65_535, 20_000, 20_000]), LightError::Overexposed { percent: 100.0 });
        assert!(matches!(fault([20_000, 20_000, 1_000]), LightError::Dark { channel: "blue", .. }));
        for area in [Roi { x: 3, ..AREA }, Roi { y: u32::MAX, ..AREA }, Roi { width: 5, ..AREA }] {
            let outside = ReferencePatch { area, ..patch };
            let found = gains(&outside, Colour::Rgb, &frame([20_000; 3]));
            assert_eq!(found, Err(LightError::Outside { patch: area, frame: SIZE }));
        }
    }

    #[test]
    fn planes_are_multiplied_and_stay_within_a_frames_range() {
        let mut input: Vec<f32> = [[0.25; 4], [0.5; 4], [0.75; 4]].concat().repeat(2);
        correct(&mut input, 4, [2.0, 1.0, 1.5]);
        assert_eq!(input, [[0.5; 4], [0.5; 4], [1.0; 4]].concat().repeat(2));
    }
}
