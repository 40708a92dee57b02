//! Disturbs a photo: the same part under worse conditions.

use std::ops::RangeInclusive;
use std::str::FromStr;

use bundle::seeded::Seeded;
use jpeg_encoder::{ColorType, Encoder};
use judge::{Frame, Pixels, decode};
use serde::Serialize;
use shared_format::Size;

const STREAM: u64 = 0x57E5;

/// A change that may occur between the photos learned from and the line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Disturbance {
    /// Brighter or darker light: every value times the strength.
    Gain,
    /// A different tone curve of the camera: values (0 to 1) to the power of the strength.
    Gamma,
    /// Warmer (above 0) or colder light: red times 1 + strength, blue times 1 − strength.
    Temperature,
    /// Out of focus: a Gaussian with a standard deviation in pixels.
    Blur,
    /// A noisier sensor: Gaussian noise with a standard deviation in levels of 255.
    Noise,
    /// The part is shifted to the right and down by a percentage of the photo's sides; the edge is extended.
    Shift,
    /// The part is rotated by a number of degrees about the centre; the edge is extended.
    Rotation,
    /// Compressed as JPEG of this quality.
    Jpeg,
}

/// Disturbances to judge photos under, as written on a command line: `gain` at all its strengths, or `gain=0.9`.
#[derive(Debug, Clone, PartialEq)]
pub struct Steps(Vec<(Disturbance, f64)>);

impl Steps {
    /// Every disturbance at every strength.
    #[must_use]
    pub fn all() -> Self {
        Self::of(&Disturbance::ALL)
    }

    fn of(disturbances: &[Disturbance]) -> Self {
        let each =
            |&disturbance: &Disturbance| disturbance.strengths().iter().map(move |&s| (disturbance, s));
        Self(disturbances.iter().flat_map(each).collect())
    }

    /// Returns the steps: each disturbance with its strengths in ascending order.
    #[must_use]
    pub fn as_slice(&self) -> &[(Disturbance, f64)] {
        &self.0
    }
}

/// Why a text names no disturbances.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StepsError {
    /// An unknown word.
    #[error(
        "unknown disturbance `{0}`; write gain, gamma, temperature, blur, noise, shift, rotation or jpeg"
    )]
    Unknown(String),
    /// A strength that isn't a number or has no meaning.
    #[error(
        "invalid strength `{text}`: {keyword} takes a number from {least} to {most}, such as {keyword}={example}"
    )]
    Strength {
        /// What was written.
        text: String,
        /// The disturbance.
        keyword: &'static str,
        /// The smallest strength.
        least: String,
        /// The largest strength.
        most: String,
        /// A strength that can be applied.
        example: String,
    },
}

impl FromStr for Steps {
    type Err = StepsError;

    /// Reads disturbances, separated by commas.
    fn from_str(text: &str) -> Result<Self, StepsError> {
        let mut steps = vec![];
        for word in text.split(',').map(str::trim) {
            let (name, strength) = word.split_once('=').map_or((word, None), |(name, s)| (name, Some(s)));
            let known = Disturbance::ALL.into_iter().find(|disturbance| disturbance.keyword() == name);
            let disturbance = known.ok_or_else(|| StepsError::Unknown(name.to_owned()))?;
            match strength {
                None => steps.extend(Self::of(&[disturbance]).0),
                Some(strength) => steps.push((disturbance, disturbance.strength(strength)?)),
            }
        }
        // The report goes through them in order.
        let place = |disturbance| Disturbance::ALL.iter().position(|d| *d == disturbance);
        steps.sort_by(|a, b| place(a.0).cmp(&place(b.0)).then(a.1.total_cmp(&b.1)));
        steps.dedup();
        Ok(Self(steps))
    }
}

impl Disturbance {
    fn strength(self, text: &str) -> Result<f64, StepsError> {
        let limits = self.limits();
        let strength = text.trim().parse().ok().filter(|strength| limits.contains(strength));
        strength.ok_or_else(|| StepsError::Strength {
            text: text.to_owned(),
            keyword: self.keyword(),
            least: limits.start().to_string(),
            most: limits.end().to_string(),
            example: self.strengths().first().map(f64::to_string).unwrap_or_default(),
        })
    }

    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Gain,
        Self::Gamma,
        Self::Temperature,
        Self::Blur,
        Self::Noise,
        Self::Shift,
        Self::Rotation,
        Self::Jpeg,
    ];

    /// Returns its display name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Gain => "gain",
            Self::Gamma => "gamma",
            Self::Temperature => "colour temperature",
            Self::Blur => "blur, pixels",
            Self::Noise => "noise, of 255",
            Self::Shift => "shift, %",
            Self::Rotation => "rotation, degrees",
            Self::Jpeg => "JPEG quality",
        }
    }

    /// Returns the word for it on the command line.
    #[must_use]
    pub const fn keyword(self) -> &'static str {
        match self {
            Self::Gain => "gain",
            Self::Gamma => "gamma",
            Self::Temperature => "temperature",
            Self::Blur => "blur",
            Self::Noise => "noise",
            Self::Shift => "shift",
            Self::Rotation => "rotation",
            Self::Jpeg => "jpeg",
        }
    }

    /// Returns the strengths that can be applied: those with a meaning.
    const fn limits(self) -> RangeInclusive<f64> {
        match self {
            Self::Gain | Self::Gamma => 0.01..=100.0,
            Self::Temperature => -1.0..=1.0,
            Self::Blur => 0.01..=100.0,
            Self::Noise => 0.0..=255.0,
            Self::Shift => -100.0..=100.0,
            Self::Rotation => -360.0..=360.0,
            Self::Jpeg => 1.0..=100.0,
        }
    }

    /// Returns the strengths to try, in ascending order.
    #[must_use]
    pub const fn strengths(self) -> &'static [f64] {
        match self {
            Self::Gain => &[0.6, 0.7, 0.8, 0.9, 0.95, 1.05, 1.1, 1.2, 1.3, 1.4],
            Self::Gamma => &[0.6, 0.7, 0.8, 0.9, 1.1, 1.2, 1.4, 1.6],
            Self::Temperature => &[-0.2, -0.1, -0.05, 0.05, 0.1, 0.2],
            Self::Blur => &[0.5, 0.7, 1.0, 1.5, 2.0, 3.0],
            Self::Noise => &[1.0, 2.0, 4.0, 8.0, 16.0],
            Self::Shift => &[-4.0, -2.0, -1.0, -0.5, 0.5, 1.0, 2.0, 4.0],
            Self::Rotation => &[0.5, 1.0, 2.0, 4.0, 8.0],
            Self::Jpeg => &[20.0, 40.0, 60.0, 80.0, 95.0],
        }
    }

    /// Returns the strength that changes nothing, or next to nothing.
    #[must_use]
    pub const fn neutral(self) -> f64 {
        match self {
            Self::Gain | Self::Gamma => 1.0,
            Self::Jpeg => 100.0,
            _ => 0.0,
        }
    }

    /// Returns whether it only affects colour photos.
    #[must_use]
    pub const fn needs_colour(self) -> bool {
        matches!(self, Self::Temperature)
    }

    /// Returns the photo under this disturbance, in 8 bits; the seed determines the noise. `None` for a photo whose sides JPEG doesn't
    /// support.
    #[must_use]
    pub fn apply(self, photo: &Frame, strength: f64, seed: u64) -> Option<Frame> {
        let mut image = FloatImage::of(photo);
        match self {
            Self::Gain => image.each(|value, _| value * strength),
            Self::Gamma => image.each(|value, _| 255.0 * (value / 255.0).powf(strength)),
            Self::Temperature => image.each(|value, channel| match channel {
                0 => value * (1.0 + strength),
                2 => value * (1.0 - strength),
                _ => value,
            }),
            Self::Noise => {
                let mut random = Seeded::new(seed, STREAM);
                image.each(|value, _| value + strength * normal(&mut random));
            }
            Self::Blur => image.blur(strength),
            Self::Shift => {
                let [right, down] = [image.width, image.height].map(|side| side as f64 * strength / 100.0);
                image.sampled(|x, y| (x - right, y - down));
            }
            Self::Rotation => {
                let (sin, cos) = strength.to_radians().sin_cos();
                let middle = ((image.width - 1) as f64 / 2.0, (image.height - 1) as f64 / 2.0);
                image.sampled(|x, y| {
                    let (u, v) = (x - middle.0, y - middle.1);
                    (middle.0 + cos * u + sin * v, middle.1 - sin * u + cos * v)
                });
            }
            Self::Jpeg => return image.compressed(strength as u8),
        }
        image.frame()
    }
}

/// Draws an approximately standard normal number: the sum of twelve uniform ones.
fn normal(random: &mut Seeded) -> f64 {
    const LEVELS: usize = 1 << 20;
    (0..12).map(|_| random.below(LEVELS) as f64 / LEVELS as f64).sum::<f64>() - 6.0
}

/// A photo with values from 0 to 255, channels interleaved.
struct FloatImage {
    width: usize,
    height: usize,
    channels: usize,
    values: Vec<f64>,
}

impl FloatImage {
    fn of(photo: &Frame) -> Self {
        let (channels, values) = match photo.pixels() {
            Pixels::Grey8(values) => (1, values.iter().map(|&v| v.into()).collect()),
            Pixels::Rgb8(values) => (3, values.iter().map(|&v| v.into()).collect()),
            Pixels::Grey16(values) => (1, values.iter().map(|&v| f64::from(v) / 257.0).collect()),
            Pixels::Rgb16(values) => (3, values.iter().map(|&v| f64::from(v) / 257.0).collect()),
        };
        let Size { width, height } = photo.size();
        Self { width: width as usize, height: height as usize, channels, values }
    }

    fn bytes(&self) -> Vec<u8> {
        self.values.iter().map(|value| value.round().clamp(0.0, 255.0) as u8).collect()
    }

    fn frame(&self) -> Option<Frame> {
        let bytes = self.bytes();
        let pixels = if self.channels == 1 { Pixels::Grey8(bytes) } else { Pixels::Rgb8(bytes) };
        Frame::new(Size { width: self.width as u32, height: self.height as u32 }, pixels).ok()
    }

    fn compressed(&self, quality: u8) -> Option<Frame> {
        let mut jpeg = Vec::new();
        let colour = if self.channels == 1 { ColorType::Luma } else { ColorType::Rgb };
        let (width, height) = (u16::try_from(self.width).ok()?, u16::try_from(self.height).ok()?);
        Encoder::new(&mut jpeg, quality).encode(&self.bytes(), width, height, colour).ok()?;
        decode(&jpeg).ok()
    }

    /// Changes each value, given its channel.
    fn each(&mut self, mut change: impl FnMut(f64, usize) -> f64) {
        let channels = self.channels;
        self.values.iter_mut().enumerate().for_each(|(i, value)| *value = change(*value, i % channels));
    }

    /// Returns the value at a pixel, or at the nearest one if it is outside.
    fn at(&self, x: isize, y: isize, channel: usize) -> f64 {
        let x = x.clamp(0, self.width as isize - 1) as usize;
        let y = y.clamp(0, self.height as isize - 1) as usize;
        self.values[(y * self.width + x) * self.channels + channel]
    }

    /// Samples each pixel bilinearly at the position that `from` returns.
    fn sampled(&mut self, from: impl Fn(f64, f64) -> (f64, f64)) {
        let mut values = Vec::with_capacity(self.values.len());
        for y in 0..self.height {
            for x in 0..self.width {
                let (u, v) = from(x as f64, y as f64);
                let (left, top) = (u.floor(), v.floor());
                let (right_share, lower_share) = (u - left, v - top);
                let (x, y) = (left as isize, top as isize);
                for channel in 0..self.channels {
                    let upper = self.at(x, y, channel) * (1.0 - right_share)
                        + self.at(x + 1, y, channel) * right_share;
                    let lower = self.at(x, y + 1, channel) * (1.0 - right_share)
                        + self.at(x + 1, y + 1, channel) * right_share;
                    values.push(upper * (1.0 - lower_share) + lower * lower_share);
                }
            }
        }
        self.values = values;
    }

    fn blur(&mut self, sigma: f64) {
        let reach = (3.0 * sigma).ceil() as isize;
        let weights: Vec<f64> =
            (-reach..=reach).map(|d| (-(d as f64).powi(2) / (2.0 * sigma * sigma)).exp()).collect();
        let total: f64 = weights.iter().sum();
        for (across, down) in [(1, 0), (0, 1)] {
            let mut values = Vec::with_capacity(self.values.len());
            for y in 0..self.height as isize {
                for x in 0..self.width as isize {
                    for channel in 0..self.channels {
                        let sum: f64 = (-reach..=reach)
                            .zip(&weights)
                            .map(|(d, weight)| weight * self.at(x + across * d, y + down * d, channel))
                            .sum();
                        values.push(sum / total);
                    }
                }
            }
            self.values = values;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn photo() -> Frame {
        let size = Size { width: 24, height: 16 };
        let values = (0..24 * 16).flat_map(|i| [100 + (i % 7) as u8, 90, 30 + (i / 24) as u8]).collect();
        Frame::new(size, Pixels::Rgb8(values)).unwrap()
    }

    fn distance(a: &Frame, b: &Frame) -> f64 {
        let (a, b) = (FloatImage::of(a).values, FloatImage::of(b).values);
        a.iter().zip(&b).map(|(x, y)| (x - y).abs()).sum::<f64>() / a.len() as f64
    }

    #[test]
    fn a_stronger_disturbance_changes_more_and_the_neutral_one_next_to_nothing() {
        let photo = photo();
        for disturbance in Disturbance::ALL {
            let neutral = disturbance.neutral();
            let changed = |strength: f64| distance(&photo, &disturbance.apply(&photo, strength, 1).unwrap());
            if disturbance != Disturbance::Blur {
                assert!(changed(neutral) < 1.0, "{disturbance:?}");
            }
            let mut strengths = disturbance.strengths().to_vec();
            strengths.sort_by(|a, b| (a - neutral).abs().total_cmp(&(b - neutral).abs()));
            let (least, most) = (strengths[0], *strengths.last().unwrap());
            assert!(changed(most) > changed(least), "{disturbance:?}");
            assert_eq!(disturbance.apply(&photo, most, 1).unwrap().size(), photo.size());
        }
    }

    #[test]
    fn a_shift_moves_to_the_right_and_down_and_a_quarter_turn_turns_right() {
        let size = Size { width: 5, height: 5 };
        let mut values = vec![0; 25];
        values[5 + 2] = 200;
        let photo = Frame::new(size, Pixels::Grey8(values)).unwrap();
        let spot = |frame: &Frame| {
            let values = FloatImage::of(frame).values;
            let at = values.iter().position(|&value| value > 150.0).unwrap();
            (at % 5, at / 5)
        };
        assert_eq!(spot(&Disturbance::Shift.apply(&photo, 20.0, 0).unwrap()), (3, 2));
        assert_eq!(spot(&Disturbance::Rotation.apply(&photo, 90.0, 0).unwrap()), (3, 2));
    }

    #[test]
    fn steps_are_read_in_the_reports_order() {
        let steps: Steps = "shift=2, blur=0.7,shift=-2,gain=1.1,gain=0.9".parse().unwrap();
        let wanted = [
            (Disturbance::Gain, 0.9),
            (Disturbance::Gain, 1.1),
            (Disturbance::Blur, 0.7),
            (Disturbance::Shift, -2.0),
            (Disturbance::Shift, 2.0),
        ];
        assert_eq!(steps.as_slice(), wanted);
        assert_eq!("gain,gamma,temperature,blur,noise,shift,rotation,jpeg".parse(), Ok(Steps::all()));
        for (bad, named) in
            [("", "``"), ("fog", "fog"), ("gain=", "``"), ("jpeg=0", "from 1"), ("blur=NaN", "NaN")]
        {
            let error = bad.parse::<Steps>().unwrap_err().to_string();
            assert!(error.contains(named), "{bad}: {error}");
        }
    }

    #[test]
    fn noise_has_the_deviation_that_was_asked_for() {
        let size = Size { width: 100, height: 100 };
        let photo = Frame::new(size, Pixels::Grey16(vec![128 * 257; 10_000])).unwrap();
        let values = FloatImage::of(&Disturbance::Noise.apply(&photo, 8.0, 3).unwrap()).values;
        let variance = values.iter().map(|value| (value - 128.0).powi(2)).sum::<f64>() / 1e4;
        assert!((variance.sqrt() - 8.0).abs() < 0.3, "{variance}");
    }
}
