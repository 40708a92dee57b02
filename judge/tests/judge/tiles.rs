//! Frames that are judged in tiles: seams, models for one tile and for all, threads.

use judge::{
    EngineError, Fault, Frame, Options, Pixels, Preparer, Scorer, largest_region, region_of_interest,
};
use shared_format::{FrameRange, IgnoreMask, Recipe, Tiles};
use support::{bottleneck_onnx, branching_onnx, joint_onnx, onnx, size};

use crate::support;

/// Tiles of 64×64 pixels that overlap by half: 160×128 pixels in all.
const TILES: Tiles = Tiles { columns: 4, rows: 3, overlap: 32 };

fn recipe(tiles: Tiles) -> Recipe {
    let picture = tiles.picture(size(64, 64));
    Recipe { tiles, frames: FrameRange { min: picture, max: picture }, ..support::recipe() }
}

/// A dark frame with a bright square of 8 pixels around each of these points.
fn spots(width: u32, height: u32, spots: &[[u32; 2]]) -> Frame {
    let is_bright = |x: u32, y: u32| spots.iter().any(|[u, v]| x.abs_diff(*u) < 4 && y.abs_diff(*v) < 4);
    let pixels = (0..height).flat_map(|y| (0..width).map(move |x| (x, y)));
    let values = pixels.map(|(x, y)| if is_bright(x, y) { 200 } else { 10 }).collect();
    Frame::new(size(width, height), Pixels::Grey8(values)).unwrap()
}

fn textured(width: u32, height: u32) -> Frame {
    let value = |at: u32| (at.wrapping_mul(2_654_435_761) >> 24) as u8;
    let values = (0..width * height).map(value).collect();
    Frame::new(size(width, height), Pixels::Grey8(values)).unwrap()
}

#[test]
fn a_defect_on_a_seam_or_a_corner_of_four_tiles_is_found_once() {
    let recipe = recipe(TILES);
    let mut scorer = Scorer::new(&onnx(64, &[]), recipe, 1).unwrap();
    // The seams lie at columns 32, 64, 96 and 128 and rows 32, 64 and 96.
    for [x, y] in [[64, 50], [50, 64], [64, 64], [96, 32], [32, 96], [10, 10], [80, 80], [150, 120]] {
        let frame = spots(160, 128, &[[x, y]]);
        let scored = scorer.score(&frame).unwrap();
        assert_eq!((scored.map.width, scored.map.height), (160, 128));
        let roi = region_of_interest(&recipe, frame.size()).unwrap();
        let region = largest_region(&scored.map, roi, 0.4).unwrap();
        assert_eq!((region.x, region.y, region.width, region.height), (x - 3, y - 3, 7, 7), "{x} {y}");
        let above = scored.map.values.iter().filter(|value| **value > 0.4).count();
        assert_eq!((region.area, above), (49, 49), "one region at {x} {y}");
        assert_eq!(scored.score, 200.0 / 255.0);
    }
}

#[test]
fn frames_of_another_size_are_cut_at_the_same_places() {
    let mut scorer = Scorer::new(&onnx(64, &[]), recipe(TILES), 1).unwrap();
    for (width, height) in [(240, 192), (80, 64), (320, 256)] {
        let (x, y) = (width * 2 / 5, height / 2);
        let frame = spots(width, height, &[[x, y]]);
        let scored = scorer.score(&frame).unwrap();
        let roi = region_of_interest(scorer.recipe(), frame.size()).unwrap();
        let region = largest_region(&scored.map, roi, 0.3).unwrap();
        assert!(region.x.abs_diff(x - 3) <= 2 && region.y.abs_diff(y - 3) <= 2, "{width}: {region:?}");
        assert!(region.width.abs_diff(7) <= 3 && region.height.abs_diff(7) <= 3, "{width}: {region:?}");
    }
    let error = scorer.score(&spots(79, 64, &[])).unwrap_err();
    assert!(matches!(error, Fault::Prepare(_)), "{error}");
}

#[test]
fn a_mask_covers_the_same_pixels_of_overlapping_tiles() {
    let cells: Vec<bool> = (0..20).map(|cell| cell == 7).collect();
    let ignore = IgnoreMask::new(5, 4, &cells);
    let mut scorer = Scorer::new(&onnx(64, &[]), Recipe { ignore, ..recipe(TILES) }, 1).unwrap();
    let scored = scorer.score(&spots(160, 128, &[[80, 48], [20, 20]])).unwrap();
    for (at, ignored) in scored.map.ignored.iter().enumerate() {
        let (x, y) = (at % 160, at / 160);
        assert_eq!(*ignored, x / 32 == 2 && y / 32 == 1, "{x} {y}");
    }
    assert!((scored.map.values[48 * 160 + 80] - 10.0 / 255.0).abs() < 1e-6);
    assert!(scored.map.values[20 * 160 + 20] > 0.5);
    // The blank of ignored pixels is the only value between dark and bright.
    assert_eq!(scored.score, 200.0 / 255.0);
}

#[test]
fn a_model_for_all_tiles_judges_as_one_for_each() {
    let tiles = Tiles::side_by_side(3, 1);
    let frame = spots(192, 64, &[[64, 20], [150, 40]]);
    let mut alone = Scorer::new(&onnx(64, &[]), recipe(tiles), 1).unwrap();
    let one = alone.score(&frame).unwrap();
    for threads in 1..=4 {
        let options = Options { threads, ..Options::default() };
        // Each tile's largest value is subtracted, so the map shows which tile it is about.
        let onnx = joint_onnx(64, 3, "tile_features");
        let mut joint = Scorer::new_with(onnx, recipe(tiles), options).unwrap();
        assert!(joint.frame_network().is_some() && alone.frame_network().is_none());
        let all = joint.score(&frame).unwrap();
        assert_eq!((all.map.width, all.map.height, all.score), (192, 64, 0.0));
        let own = |x: usize| {
            let tile = (0..64 * 64).map(|at| one.map.values[at / 64 * 192 + x / 64 * 64 + at % 64]);
            tile.fold(f32::MIN, f32::max)
        };
        for (at, (value, brightest)) in all.map.values.iter().zip(&one.map.values).enumerate() {
            assert_eq!(*value, brightest - own(at % 192), "{at}");
        }
    }
}

#[test]
fn a_model_for_other_tiles_is_refused() {
    let tiles = Tiles::side_by_side(4, 1);
    let refused = |onnx: &[u8], tiles| Scorer::new(onnx, recipe(tiles), 1).unwrap_err();
    let error = refused(&joint_onnx(64, 3, "tile_features"), tiles);
    assert!(matches!(&error, EngineError::InputShape { model, .. } if model == "3×3×64×64"), "{error}");
    let error = refused(&joint_onnx(64, 3, "tile_features"), Tiles::ONE);
    assert!(matches!(error, EngineError::InputShape { .. }), "{error}");
    // What is computed for the frame needs more than the tiles' features.
    for needed in ["image", "peak"] {
        let error = refused(&joint_onnx(64, 4, needed), tiles);
        assert!(error.to_string().contains(&format!("`{needed}` is not produced")), "{error}");
    }
    // The map of one tile for several.
    let error = refused(&joint_onnx(32, 4, "tile_features"), tiles);
    assert!(matches!(error, EngineError::InputShape { .. }), "{error}");
    for cut in [1, 100, 300] {
        let onnx = joint_onnx(64, 4, "tile_features");
        assert!(Scorer::new(&onnx[..onnx.len() - cut], recipe(tiles), 1).is_err());
    }
}

#[test]
fn any_number_of_threads_gives_the_same_bits() {
    let frame = textured(160, 128);
    let score = |threads| {
        let options = Options { threads, ..Options::default() };
        let mut scorer = Scorer::new_with(bottleneck_onnx(64), recipe(TILES), options).unwrap();
        let first = scorer.score(&frame).unwrap();
        assert_eq!(scorer.score(&frame).unwrap().map, first.map);
        (first.score.to_bits(), first.map.values.iter().map(|value| value.to_bits()).collect::<Vec<_>>())
    };
    let one = score(1);
    for threads in [2, 3, 5, 8, 12, 13, 40] {
        assert_eq!(score(threads), one, "{threads} threads");
    }
}

#[test]
fn a_tile_that_fails_is_a_fault_and_the_next_frame_is_judged() {
    for threads in [1, 2, 4] {
        let options = Options { threads, ..Options::default() };
        let mut scorer = Scorer::new_with(branching_onnx(64), recipe(TILES), options).unwrap();
        let dark = spots(160, 128, &[]);
        let good = scorer.score(&dark).unwrap();
        let mut values = vec![10; 160 * 128];
        values[100 * 160 + 100] = 255;
        let bad = Frame::new(size(160, 128), Pixels::Grey8(values)).unwrap();
        assert!(matches!(scorer.score(&bad), Err(Fault::Engine(_))), "{threads} threads");
        assert_eq!(scorer.score(&dark).unwrap().map, good.map, "{threads} threads");
    }
}

#[test]
fn overlapping_tiles_show_the_frame_at_their_places() {
    let (mut input, grey) = (vec![], textured(160, 128));
    Preparer::new(recipe(TILES)).prepare(&grey, &mut input).unwrap();
    let Pixels::Grey8(values) = grey.pixels() else { panic!("the frame is grey") };
    for (tile, planes) in input.chunks_exact(3 * 64 * 64).enumerate() {
        let (left, top) = (tile % 4 * 32, tile / 4 * 32);
        for (at, value) in planes[..64 * 64].iter().enumerate() {
            let expected = values[(top + at / 64) * 160 + left + at % 64];
            assert_eq!(*value, f32::from(expected) / 255.0, "tile {tile}, {at}");
        }
    }
}
