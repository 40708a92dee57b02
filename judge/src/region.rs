//! Anomaly map → the largest anomalous region, in pixels of the frame.

use shared_format::Roi;

use crate::anomaly_map::AnomalyMap;

/// A connected part of the frame whose map values are above the pixel threshold.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Region {
    /// Left edge of its bounding box, in frame pixels.
    pub x: u32,
    /// Top edge.
    pub y: u32,
    /// Width of the box, at least 1.
    pub width: u32,
    /// Height of the box, at least 1.
    pub height: u32,
    /// Area of the region itself in frame pixels, as far as the map's resolution allows; at least 1.
    pub area: u32,
    /// Its largest map value.
    pub peak: f32,
}

/// The positions of one connected component.
struct ConnectedComponent {
    left: usize,
    top: usize,
    right: usize,
    bottom: usize,
    positions: usize,
    peak: f32,
}

/// Returns the 8-connected component of values above `pixel_threshold` with the most positions; `None` if no value is
/// above it. Of equally large ones, the topmost and then the leftmost wins. `roi` is the part of the frame that the map
/// covers.
#[must_use]
pub fn largest_region(map: &AnomalyMap, roi: Roi, pixel_threshold: f32) -> Option<Region> {
    let mut open: Vec<bool> = map.values.iter().map(|&v| v > pixel_threshold).collect();
    let mut stack = Vec::new();
    let mut largest: Option<ConnectedComponent> = None;
    for start in 0..open.len() {
        if open.get(start) == Some(&true) {
            let component = flood(map, start, &mut open, &mut stack);
            if largest.as_ref().is_none_or(|l| component.positions > l.positions) {
                largest = Some(component);
            }
        }
    }
    largest.map(|component| in_frame(&component, map, roi))
}

/// Collects the component that contains `start` and removes its positions from `open`.
fn flood(map: &AnomalyMap, start: usize, open: &mut [bool], stack: &mut Vec<usize>) -> ConnectedComponent {
    let (x, y) = (start % map.width, start / map.width);
    let mut found =
        ConnectedComponent { left: x, top: y, right: x, bottom: y, positions: 0, peak: f32::NEG_INFINITY };
    let mut take = |at: usize| open.get_mut(at).is_some_and(std::mem::take);
    if take(start) {
        stack.push(start);
    }
    while let Some(at) = stack.pop() {
        let (x, y) = (at % map.width, at / map.width);
        found.positions += 1;
        found.peak = map.values.get(at).map_or(found.peak, |value| found.peak.max(*value));
        found.left = found.left.min(x);
        found.right = found.right.max(x);
        found.bottom = found.bottom.max(y);
        for ny in y.saturating_sub(1)..(y + 2).min(map.height) {
            for nx in x.saturating_sub(1)..(x + 2).min(map.width) {
                let neighbour = ny * map.width + nx;
                if take(neighbour) {
                    stack.push(neighbour);
                }
            }
        }
    }
    found
}

fn in_frame(component: &ConnectedComponent, map: &AnomalyMap, roi: Roi) -> Region {
    let side = |first: usize, last: usize, roi_side: u32, map_side: usize| {
        let scale = f64::from(roi_side) / map_side as f64;
        let start = (first as f64 * scale).floor() as u32;
        let end = (((last + 1) as f64 * scale).ceil() as u32).min(roi_side);
        (start, end.saturating_sub(start).max(1))
    };
    let (x, width) = side(component.left, component.right, roi.width, map.width);
    let (y, height) = side(component.top, component.bottom, roi.height, map.height);
    let pixels_per_position = f64::from(roi.width) * f64::from(roi.height) / (map.width * map.height) as f64;
    let area = (component.positions as f64 * pixels_per_position).round().max(1.0) as u32;
    Region { x: roi.x + x, y: roi.y + y, width, height, area, peak: component.peak }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROI: Roi = Roi { x: 10, y: 20, width: 8, height: 8 };

    fn map(rows: [&str; 4]) -> AnomalyMap {
        let values = rows.iter().flat_map(|row| row.bytes()).map(|b| f32::from(b - b'0')).collect();
        AnomalyMap { width: 4, height: 4, values, ignored: vec![] }
    }

    #[test]
    fn the_component_with_most_positions_wins_not_the_one_with_the_highest_peak() {
        let region = largest_region(&map(["0009", "0000", "2000", "0300"]), ROI, 1.0).unwrap();
        assert_eq!(region, Region { x: 10, y: 24, width: 4, height: 4, area: 8, peak: 3.0 });
    }

    #[test]
    fn corners_connect_and_a_value_at_the_threshold_does_not_count() {
        let region = largest_region(&map(["5000", "0500", "0050", "0001"]), ROI, 1.0).unwrap();
        assert_eq!((region.x, region.y, region.width, region.height, region.area), (10, 20, 6, 6, 12));
        assert_eq!(largest_region(&map(["1111"; 4]), ROI, 1.0), None);
    }

    #[test]
    fn rows_do_not_connect_across_the_edge() {
        let region = largest_region(&map(["0005", "0000", "5550", "0000"]), ROI, 1.0).unwrap();
        assert_eq!((region.x, region.y, region.width, region.height), (10, 24, 6, 2));
        let one = largest_region(&map(["0005", "5000", "0000", "0000"]), ROI, 1.0).unwrap();
        assert_eq!(one.area, 4);
    }

    #[test]
    fn a_region_smaller_than_a_pixel_still_has_one() {
        let tiny = Roi { x: 3, y: 4, width: 1, height: 1 };
        let region = largest_region(&map(["0000", "0000", "0050", "0000"]), tiny, 1.0).unwrap();
        assert_eq!(region, Region { x: 3, y: 4, width: 1, height: 1, area: 1, peak: 5.0 });
    }
}
