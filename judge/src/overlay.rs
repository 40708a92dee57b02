//! A picture of the evidence, for people: a heat map over the frame, outlines, and a border in the verdict's colour.

use shared_format::{Roi, Size, Verdict};

use crate::anomaly_map::AnomalyMap;
use crate::frame::{Frame, Pixels};
use crate::judge::Judgement;
use crate::region::Region;
use crate::zones::ZoneEvidence;

type Rgb = [u8; 3];

const PASS: Rgb = [0, 158, 115];
const REJECT: Rgb = [213, 20, 20];
const FAULT: Rgb = [240, 170, 0];
const CONTOUR: Rgb = [255, 255, 255];
const BOX: Rgb = [0, 220, 255];
const ZONE: Rgb = [170, 110, 255];
const IGNORED: Rgb = [90, 90, 90];
const IGNORED_LINE: Rgb = [140, 140, 140];
/// Opacity of the strongest heat over the frame's own pixel.
const MAX_OPACITY: f32 = 0.65;

/// Draws a judgement over its frame, as 8-bit RGB at the frame's size.
///
/// The heat goes from yellow at half of `pixel_threshold` to red at twice it. A white line surrounds what is above
/// `pixel_threshold`, a box the largest region, grey hatching covers what the recipe ignores, violet lines separate zones, red ones
/// surround the zone that a rejected frame was rejected for, and the border has the verdict's colour (green pass, red reject, amber
/// fault). `roi` is the part of the frame that the map covers; see
/// [`crate::region_of_interest`].
#[must_use]
pub fn overlay(frame: &Frame, judgement: &Judgement, roi: Roi, pixel_threshold: f32) -> Frame {
    let mut canvas = Canvas::of(frame);
    let Size { width, height } = frame.size();
    let stroke = (width.min(height) / 200).max(1);
    if let Some(map) = &judgement.map {
        canvas.heat(map, roi, pixel_threshold, stroke);
    }
    if let (Some(map), Some(zones)) = (&judgement.map, &judgement.zones) {
        canvas.zones(map, zones, roi, stroke, judgement.verdict == Verdict::Reject);
    }
    if let Some(region) = &judgement.region {
        canvas.region(region, stroke);
    }
    let colour = match judgement.verdict {
        Verdict::Pass => PASS,
        Verdict::Reject => REJECT,
        Verdict::Fault => FAULT,
    };
    canvas.outline(0, 0, width, height, 2 * stroke, colour);
    canvas.into_frame(frame)
}

struct Canvas {
    size: Size,
    values: Vec<u8>,
}

impl Canvas {
    fn of(frame: &Frame) -> Self {
        let high = |v: u16| (v >> 8) as u8;
        let values = match frame.pixels() {
            Pixels::Grey8(v) => v.iter().flat_map(|&v| [v; 3]).collect(),
            Pixels::Rgb8(v) => v.clone(),
            Pixels::Grey16(v) => v.iter().flat_map(|&v| [high(v); 3]).collect(),
            Pixels::Rgb16(v) => v.iter().map(|&v| high(v)).collect(),
        };
        Self { size: frame.size(), values }
    }

    /// The canvas has three values per pixel of the frame, so the fallback is never taken.
    fn into_frame(self, frame: &Frame) -> Frame {
        Frame::new(self.size, Pixels::Rgb8(self.values)).unwrap_or_else(|_| frame.clone())
    }

    fn pixel(&mut self, x: u32, y: u32) -> Option<&mut [u8]> {
        if x >= self.size.width || y >= self.size.height {
            return None;
        }
        let at = 3 * (y as usize * self.size.width as usize + x as usize);
        self.values.get_mut(at..at + 3)
    }

    fn heat(&mut self, map: &AnomalyMap, roi: Roi, threshold: f32, stroke: u32) {
        let sampler = MapSampler { map, roi };
        let reach = if threshold == 0.0 { 1.0 } else { threshold.abs() };
        let (low, high) = (threshold - reach / 2.0, threshold + reach);
        let mut above = vec![false; roi.width as usize];
        for y in 0..roi.height {
            let mut left = false;
            for (x, above) in (0..roi.width).zip(&mut above) {
                let value = sampler.at(x, y);
                let is_ignored = sampler.is_ignored(x, y);
                let is_above = value > threshold && !is_ignored;
                // Inside and outside meet here, seen from the pixels to the left and above.
                let edge = (x > 0 && left != is_above) || (y > 0 && *above != is_above);
                left = is_above;
                *above = is_above;
                let share = ((value - low) / (high - low)).clamp(0.0, 1.0);
                if let Some(pixel) = self.pixel(roi.x + x, roi.y + y) {
                    if is_ignored {
                        let is_line = ((x + y) / stroke).is_multiple_of(4);
                        blend(pixel, if is_line { IGNORED_LINE } else { IGNORED }, MAX_OPACITY);
                    } else if edge {
                        pixel.copy_from_slice(&CONTOUR);
                    } else {
                        blend(pixel, [255, (220.0 * (1.0 - share)) as u8, 0], MAX_OPACITY * share);
                    }
                }
            }
        }
    }

    fn zones(&mut self, map: &AnomalyMap, zones: &ZoneEvidence, roi: Roi, stroke: u32, is_rejected: bool) {
        let sampler = MapSampler { map, roi };
        let decided = zones.deciding().filter(|_| is_rejected);
        let zone_at = |x: u32, y: u32| {
            let is_judged = x < roi.width && y < roi.height && !sampler.is_ignored(x, y);
            is_judged.then(|| zones.map.get(sampler.position(x, y)).copied()).flatten()
        };
        let is_deciding = |zone: u8| {
            let level = zones.scores.get(usize::from(zone)).map(|zone| zone.level);
            level.is_some() && level == decided.map(|zone| zone.level)
        };
        for (y, x) in (0..roi.height).flat_map(|y| (0..roi.width).map(move |x| (y, x))) {
            let Some(zone) = zone_at(x, y) else { continue };
            let beside = [zone_at(x + stroke, y), zone_at(x, y + stroke)];
            let Some(other) = beside.into_iter().flatten().find(|other| *other != zone) else { continue };
            if let Some(pixel) = self.pixel(roi.x + x, roi.y + y) {
                pixel.copy_from_slice(if is_deciding(zone) || is_deciding(other) { &REJECT } else { &ZONE });
            }
        }
    }

    fn region(&mut self, region: &Region, stroke: u32) {
        // Outside the region, so that the box hides none of it.
        let (x, y) = (region.x.saturating_sub(stroke), region.y.saturating_sub(stroke));
        let right = (region.x + region.width + stroke).min(self.size.width);
        let bottom = (region.y + region.height + stroke).min(self.size.height);
        self.outline(x, y, right - x, bottom - y, stroke, BOX);
    }

    fn outline(&mut self, x: u32, y: u32, width: u32, height: u32, stroke: u32, colour: Rgb) {
        for dy in 0..height {
            let is_edge_row = dy < stroke || dy + stroke >= height;
            for dx in 0..width {
                if (is_edge_row || dx < stroke || dx + stroke >= width)
                    && let Some(pixel) = self.pixel(x + dx, y + dy)
                {
                    pixel.copy_from_slice(&colour);
                }
            }
        }
    }
}

fn blend(pixel: &mut [u8], colour: Rgb, opacity: f32) {
    for (value, target) in pixel.iter_mut().zip(colour) {
        *value = (f32::from(*value) * (1.0 - opacity) + f32::from(target) * opacity).round() as u8;
    }
}

/// The map interpolated between its positions, in pixels of the region of interest.
struct MapSampler<'m> {
    map: &'m AnomalyMap,
    roi: Roi,
}

impl MapSampler<'_> {
    /// Returns whether the pixel's centre is ignored.
    fn is_ignored(&self, x: u32, y: u32) -> bool {
        self.map.ignored.get(self.position(x, y)) == Some(&true)
    }

    /// Returns the index of the map position at the pixel's centre.
    fn position(&self, x: u32, y: u32) -> usize {
        let at = |pixel: u32, pixels: u32, positions: usize| {
            (2 * u64::from(pixel) + 1) * positions as u64 / (2 * u64::from(pixels.max(1)))
        };
        let (column, row) = (at(x, self.roi.width, self.map.width), at(y, self.roi.height, self.map.height));
        row as usize * self.map.width + column as usize
    }

    /// Returns the bilinear value at the centre of a pixel.
    fn at(&self, x: u32, y: u32) -> f32 {
        let (x0, x1, fx) = neighbours(x, self.roi.width, self.map.width);
        let (y0, y1, fy) = neighbours(y, self.roi.height, self.map.height);
        let value = |x: usize, y: usize| {
            self.map.values.get(y * self.map.width + x).copied().unwrap_or(f32::NEG_INFINITY)
        };
        let upper = value(x0, y0) * (1.0 - fx) + value(x1, y0) * fx;
        let lower = value(x0, y1) * (1.0 - fx) + value(x1, y1) * fx;
        upper * (1.0 - fy) + lower * fy
    }
}

/// Returns the two map positions around a pixel's centre, and how far the pixel is towards the second, 0..1.
fn neighbours(pixel: u32, pixels: u32, positions: usize) -> (usize, usize, f32) {
    let at = (f64::from(pixel) + 0.5) * positions as f64 / f64::from(pixels) - 0.5;
    let last = positions.saturating_sub(1);
    let first = (at.max(0.0) as usize).min(last);
    (first, (first + 1).min(last), (at - first as f64).clamp(0.0, 1.0) as f32)
}
