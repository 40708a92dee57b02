//! Draws an anomaly map as a picture.

use judge::{AnomalyMap, Frame, Pixels};
use shared_format::Size;

/// Colours from dark to bright: equal steps of the value are equal steps of brightness, for any colour vision.
const STOPS: [[f32; 3]; 5] =
    [[0.0, 0.0, 4.0], [81.0, 18.0, 124.0], [183.0, 55.0, 121.0], [252.0, 137.0, 97.0], [252.0, 253.0, 191.0]];

/// Draws the map's values from 0 to `max` as colours; larger ones look like `max`. Returns `None` for a map without values.
#[must_use]
pub fn heat_map(map: &AnomalyMap, max: f32) -> Option<Frame> {
    let pixels = map.values.iter().flat_map(|&value| colour(value / max.max(f32::MIN_POSITIVE))).collect();
    let size = Size { width: map.width as u32, height: map.height as u32 };
    Frame::new(size, Pixels::Rgb8(pixels)).ok()
}

fn colour(share: f32) -> [u8; 3] {
    let at = share.clamp(0.0, 1.0) * (STOPS.len() - 1) as f32;
    let stop = (at as usize).min(STOPS.len() - 2);
    let (low, high, share) = (STOPS[stop], STOPS[stop + 1], at - stop as f32);
    [0, 1, 2].map(|channel| (low[channel] + share * (high[channel] - low[channel])).round() as u8)
}

/// Returns the scale as CSS, from left to right.
#[must_use]
pub fn gradient() -> String {
    let stops: Vec<String> = STOPS.iter().map(|[r, g, b]| format!("rgb({r},{g},{b})")).collect();
    format!("linear-gradient(to right,{})", stops.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn brightness_grows_with_the_value_and_stops_at_the_most() {
        let brightness = |share: f32| colour(share).iter().map(|&c| u32::from(c)).sum::<u32>();
        let steps: Vec<u32> = (0..=20).map(|i| brightness(i as f32 / 20.0)).collect();
        assert!(steps.windows(2).all(|pair| pair[0] < pair[1]), "{steps:?}");
        assert_eq!(colour(7.0), colour(1.0));
        assert_eq!(colour(f32::NAN.clamp(0.0, 1.0).max(0.0)), colour(0.0));
        let map = AnomalyMap { width: 2, height: 1, values: vec![0.0, 3.0], ignored: vec![] };
        assert_eq!(heat_map(&map, 3.0).unwrap().size(), Size { width: 2, height: 1 });
        assert!(
            heat_map(&AnomalyMap { width: 0, height: 0, values: vec![], ignored: vec![] }, 1.0).is_none()
        );
    }
}
