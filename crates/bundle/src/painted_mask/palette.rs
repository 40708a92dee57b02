//! Which of a picture's grey levels were painted on purpose.
//!
//! Black is ignored, and every other level with a flat area of its own is an area. Brushes with soft edges and JPEG add levels in
//! between, which are none.

use judge::{Frame, Pixels};

/// Levels below this are black, …
const BLACK: u8 = 32;
/// … and from here on white. A JPEG of black and white has next to nothing in between.
const WHITE: u8 = 224;
/// A level needs this share of the pixels to be an area …
const MIN_SHARE: f64 = 0.005;
/// … or to be too close to another: closer than this …
pub(super) const APART: u8 = 32;
/// … but not as close as two shades of one area in a JPEG.
const SAME: u8 = 5;
/// Levels up to this far from an area's belong to it.
const REACH: u8 = APART / 2;
/// The largest difference between a grey pixel's colours, which JPEG changes a little.
const MAX_CHROMA: u8 = 32;
/// The largest share of the pixels with levels in between.
const MAX_BETWEEN: f64 = 0.05;

/// What a level stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Paint {
    /// Not judged.
    Ignored,
    /// The area with this index.
    Area(u8),
    /// An edge between areas.
    Between,
}

/// Why a picture's levels can't be told apart.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Unclear {
    /// Two levels with flat areas are too close to each other.
    TooClose(u8, u8),
    /// Too many pixels have none of the levels: their share.
    Between(f64),
}

/// The levels that were painted on purpose.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Palette {
    /// The level of each area, brightest first. White is 255, however a file stores it.
    pub(super) areas: Vec<u8>,
    /// The share of the pixels with levels in between.
    pub(super) between: f64,
    /// The most common level of each area.
    peaks: Vec<u8>,
}

impl Palette {
    /// Finds the levels of these pixels; `None` is a coloured one.
    pub(super) fn of(pixels: impl Iterator<Item = Option<u8>>) -> Result<Self, Unclear> {
        let (mut counts, mut all) = ([0usize; 256], 0usize);
        for pixel in pixels {
            all += 1;
            pixel.into_iter().for_each(|level| counts[usize::from(level)] += 1);
        }
        let mut flat: Vec<u8> = (0..=u8::MAX)
            .filter(|&level| counts[usize::from(level)] as f64 >= MIN_SHARE * all as f64)
            .collect();
        flat.retain(|&level| counts[usize::from(level)] > 0);
        flat.sort_by_key(|&level| std::cmp::Reverse(counts[usize::from(level)]));
        let mut peaks: Vec<u8> = vec![];
        for level in flat {
            match peaks.iter().find(|peak| peak.abs_diff(level) < APART) {
                Some(peak) if peak.abs_diff(level) < SAME => {}
                Some(&peak) => return Err(Unclear::TooClose(peak, level)),
                None => peaks.push(level),
            }
        }
        peaks.retain(|&level| level >= BLACK);
        // A little white among black is what is to be judged.
        if peaks.is_empty() && counts[usize::from(WHITE)..].iter().any(|&count| count > 0) {
            peaks.push(u8::MAX);
        }
        peaks.sort_by(|a, b| b.cmp(a));
        let areas = peaks.iter().map(|&peak| if peak >= WHITE { u8::MAX } else { peak }).collect();
        let mut palette = Self { areas, between: 0.0, peaks };
        let is_clear = |level: u8| level < BLACK || palette.area(level).is_some();
        let clear: usize =
            (0..=u8::MAX).filter(|&level| is_clear(level)).map(|l| counts[usize::from(l)]).sum();
        palette.between = (all - clear) as f64 / all.max(1) as f64;
        if palette.between > MAX_BETWEEN { Err(Unclear::Between(palette.between)) } else { Ok(palette) }
    }

    /// Returns the index of the area that a level belongs to.
    pub(super) fn area(&self, level: u8) -> Option<u8> {
        let belongs = |&peak: &u8| peak.abs_diff(level) < REACH || (peak >= WHITE && level >= WHITE);
        self.peaks.iter().position(belongs).and_then(|area| u8::try_from(area).ok())
    }

    /// Returns what a pixel stands for. Between black and the darkest area, what is nearer to black than to white is ignored.
    pub(super) fn paint(&self, level: Option<u8>) -> Paint {
        let Some(level) = level else { return Paint::Between };
        let is_dark = level < BLACK || (level < 128 && self.peaks.iter().all(|&peak| level < peak));
        match self.area(level) {
            Some(area) => Paint::Area(area),
            None if is_dark => Paint::Ignored,
            None => Paint::Between,
        }
    }
}

/// Returns the grey level of each pixel; `None` if it is coloured.
pub(super) fn grey_levels(picture: &Frame) -> Vec<Option<u8>> {
    let high = |level: u16| (level >> 8) as u8;
    let grey = |[red, green, blue]: [u8; 3]| {
        let (most, least) = (red.max(green).max(blue), red.min(green).min(blue));
        (most - least <= MAX_CHROMA).then_some(most)
    };
    match picture.pixels() {
        Pixels::Grey8(values) => values.iter().copied().map(Some).collect(),
        Pixels::Grey16(values) => values.iter().map(|&level| Some(high(level))).collect(),
        Pixels::Rgb8(values) => values.as_chunks().0.iter().map(|&pixel| grey(pixel)).collect(),
        Pixels::Rgb16(values) => {
            values.as_chunks().0.iter().map(|pixel: &[u16; 3]| grey(pixel.map(high))).collect()
        }
    }
}
