//! Frame → network input: values that can be worked out by hand.

use judge::{Frame, Pixels, PrepareError, Preparer, region_of_interest};
use shared_format::{Colour, FrameRange, Recipe, Roi, Size, Tiles};
use support::size;

use crate::support;

/// Returns a recipe that admits every size up to 4096.
fn recipe(colour: Colour, roi: Option<Roi>, tiles: Tiles) -> Recipe {
    let frames = FrameRange { min: size(1, 1), max: size(2048, 2048) };
    Recipe {
        input: size(64, 64),
        roi,
        tiles,
        colour,
        frames,
        alignment: None,
        ignore: None,
        reference_patch: None,
    }
}

fn prepared(recipe: Recipe, frame: &Frame) -> Vec<f32> {
    let mut input = Vec::new();
    Preparer::new(recipe).prepare(frame, &mut input).unwrap();
    input
}

fn frame(size: Size, pixels: Pixels) -> Frame {
    Frame::new(size, pixels).unwrap()
}

#[test]
fn a_frame_of_the_input_size_is_only_scaled() {
    let values: Vec<u8> = (0..64 * 64 * 3).map(|i| (i * 7 % 256) as u8).collect();
    let input =
        prepared(recipe(Colour::Rgb, None, Tiles::ONE), &frame(size(64, 64), Pixels::Rgb8(values.clone())));
    assert_eq!(input.len(), 3 * 64 * 64);
    for (pixel, rgb) in values.chunks_exact(3).enumerate() {
        for channel in 0..3 {
            assert_eq!(input[channel * 64 * 64 + pixel], f32::from(rgb[channel]) / 255.0);
        }
    }
}

#[test]
fn sixteen_bits_are_kept() {
    let values: Vec<u16> = (0..64 * 64).map(|i| (i * 16) as u16).collect();
    let input = prepared(recipe(Colour::Rgb, None, Tiles::ONE), &frame(size(64, 64), Pixels::Grey16(values)));
    assert_eq!(input[1], 16.0 / 65535.0);
    assert_eq!(input[2 * 64 * 64 + 4095], (4095.0 * 16.0) / 65535.0);
}

/// Halving with the antialiased triangle filter uses weights 1 3 3 1 eighths; at the border, the outer weights are
/// missing.
#[test]
fn halving_weighs_like_the_triangle_filter() {
    let column = |x: usize| [0, 0, 80, 80, 160, 160, 240, 240][x % 8];
    let values: Vec<u8> = (0..128 * 128).map(|i| column(i % 128)).collect();
    let input =
        prepared(recipe(Colour::Rgb, None, Tiles::ONE), &frame(size(128, 128), Pixels::Grey8(values)));
    let expected = [
        (1, (80.0 * 6.0 + 0.0 + 160.0) / 8.0),
        (2, (80.0 + 160.0 * 6.0 + 240.0) / 8.0),
        (4, (240.0 + 0.0 + 80.0) / 8.0),
        (0, 80.0 / 7.0),
    ];
    for (x, value) in expected {
        // Integer filters round in each of the two passes.
        assert!(
            (input[64 * 20 + x] * 255.0 - value as f32).abs() <= 1.0,
            "{x}: {}",
            input[64 * 20 + x] * 255.0
        );
    }
}

#[test]
fn a_fine_pattern_averages_out_instead_of_aliasing() {
    let checks: Vec<u8> = (0..512 * 512).map(|i| if (i + i / 512) % 2 == 0 { 0 } else { 255 }).collect();
    let input =
        prepared(recipe(Colour::Rgb, None, Tiles::ONE), &frame(size(512, 512), Pixels::Grey8(checks)));
    assert!(input.iter().all(|v| (v - 0.5).abs() < 0.02));
}

#[test]
fn luma_has_the_bt601_weights_and_fills_three_planes() {
    let colours = [([255, 0, 0], 76), ([0, 255, 0], 150), ([0, 0, 255], 29), ([13, 13, 13], 13)];
    for (rgb, luma) in colours {
        let rgb8 = frame(size(64, 64), Pixels::Rgb8(rgb.repeat(64 * 64)));
        let input = prepared(recipe(Colour::Grey, None, Tiles::ONE), &rgb8);
        assert!(input.iter().all(|v| *v == f32::from(luma as u8) / 255.0), "{rgb:?} {}", input[0] * 255.0);
        let wide = rgb.map(|v: u8| u16::from(v) * 257).repeat(64 * 64);
        let input =
            prepared(recipe(Colour::Grey, None, Tiles::ONE), &frame(size(64, 64), Pixels::Rgb16(wide)));
        assert!((input[0] * 255.0 - luma as f32).abs() < 0.6, "{rgb:?} {}", input[0] * 255.0);
    }
}

#[test]
fn a_grey_frame_gives_the_same_input_under_both_colours() {
    let grey = frame(size(50, 70), Pixels::Grey8((0..3500).map(|i| (i % 251) as u8).collect()));
    let rgb = prepared(recipe(Colour::Rgb, None, Tiles::ONE), &grey);
    assert_eq!(rgb, prepared(recipe(Colour::Grey, None, Tiles::ONE), &grey));
    assert_eq!(rgb[..4096], rgb[8192..]);
}

#[test]
fn nothing_beside_the_region_of_interest_counts() {
    let roi = Roi { x: 100, y: 40, width: 90, height: 50 };
    for (colour, channels) in [(Colour::Rgb, 1), (Colour::Rgb, 3), (Colour::Grey, 3)] {
        let mut values = vec![255_u8; 200 * 100 * channels];
        for y in 40..90 {
            values[(y * 200 + 100) * channels..(y * 200 + 190) * channels].fill(51);
        }
        let pixels = if channels == 1 { Pixels::Grey8(values) } else { Pixels::Rgb8(values) };
        let input =
            prepared(recipe(colour, Some(roi), Tiles::side_by_side(3, 2)), &frame(size(200, 100), pixels));
        assert_eq!(input.len(), 6 * 3 * 64 * 64);
        assert!(input.iter().all(|v| *v == 0.2), "{colour:?} {channels}");
    }
}

#[test]
fn tiles_come_row_by_row() {
    let values: Vec<u8> = (0..192 * 128).map(|i| (10 * (i / 192 / 64 * 3 + i % 192 / 64)) as u8).collect();
    let grey = frame(size(192, 128), Pixels::Grey8(values));
    let input = prepared(recipe(Colour::Rgb, None, Tiles::side_by_side(3, 2)), &grey);
    for (index, tile) in input.chunks_exact(3 * 64 * 64).enumerate() {
        assert!(tile.iter().all(|v| *v == index as f32 * 10.0 / 255.0), "tile {index}");
    }
}

#[test]
fn any_grid_fits_any_frame() {
    let mut input = Vec::new();
    for side in [1, 2, 3, 7, 31, 100, 333, 1001] {
        for parts in 1..=16 {
            let grey = frame(size(side, side), Pixels::Grey8(vec![102; (side * side) as usize]));
            let tiles = Tiles::side_by_side(parts, 17 - parts);
            Preparer::new(recipe(Colour::Rgb, None, tiles)).prepare(&grey, &mut input).unwrap();
            assert!(input.iter().all(|v| *v == 0.4), "{side} in {parts}");
        }
    }
}

#[test]
fn a_region_outside_the_frame_is_refused() {
    let at = |x, width| Some(Roi { x, y: 0, width, height: 10 });
    for (roi, fits) in
        [(at(90, 10), true), (at(91, 10), false), (at(u32::MAX, 1), false), (at(0, u32::MAX), false)]
    {
        let recipe = recipe(Colour::Rgb, roi, Tiles::ONE);
        assert_eq!(region_of_interest(&recipe, size(100, 10)).is_ok(), fits, "{roi:?}");
    }
    let recipe = recipe(Colour::Rgb, at(91, 10), Tiles::ONE);
    let grey = frame(size(100, 10), Pixels::Grey8(vec![0; 1000]));
    let error = Preparer::new(recipe).prepare(&grey, &mut Vec::new()).unwrap_err();
    assert!(matches!(error, PrepareError::RoiOutside { .. }), "{error}");
    assert!(error.to_string().contains("100×10"), "{error}");
}

#[test]
fn a_frame_unlike_the_training_frames_is_refused() {
    let grey = frame(size(31, 64), Pixels::Grey8(vec![0; 31 * 64]));
    let error = Preparer::new(support::recipe()).prepare(&grey, &mut Vec::new()).unwrap_err();
    assert!(matches!(error, PrepareError::FrameSize { .. }), "{error}");
}
