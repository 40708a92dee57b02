//! The area under an ignore mask changes nothing, whatever it shows.

use judge::{Frame, Judge, Pixels, Preparer, Scorer, Verdict, overlay};
use shared_format::{Colour, Descriptor, IgnoreMask, ImageScore, Recipe, Tiles};
use support::{frame, marked, marked_alignment, onnx, size, thresholds, write_bundle, write_thresholds};

use crate::support;

/// Cells of 8 pixels, of which the bright square of [`frame`], at 16,24, fills one.
fn mask(tiles: usize) -> IgnoreMask {
    let cells: Vec<bool> =
        (0..64 * tiles).map(|cell| cell % (8 * tiles) == 2 && cell / (8 * tiles) == 3).collect();
    IgnoreMask::new(8 * tiles as u8, 8, &cells).unwrap()
}

fn recipe() -> Recipe {
    Recipe { ignore: Some(mask(1)), ..support::recipe() }
}

fn scorer(recipe: Recipe) -> Scorer {
    Scorer::new(&onnx(64, &[]), recipe, 1).unwrap()
}

#[test]
fn what_is_ignored_changes_neither_score_nor_map() {
    let mut scorer = scorer(recipe());
    let dark = scorer.score(&frame(0)).unwrap();
    for spot in [1, 100, 255] {
        let scored = scorer.score(&frame(spot)).unwrap();
        assert_eq!((scored.score, &scored.map), (dark.score, &dark.map), "{spot}");
    }
    // Ignored positions have the smallest of the other values.
    assert!(dark.map.values.iter().all(|value| *value == 10.0 / 255.0));
    assert_eq!(dark.map.ignored.iter().filter(|ignored| **ignored).count(), 64);
    assert_eq!(dark.map.judged().len(), 64 * 64 - 64);
}

#[test]
fn what_is_ignored_is_blank_to_the_network() {
    let mut input = vec![];
    let mut blank = |colour| {
        Preparer::new(Recipe { colour, ..recipe() }).prepare(&frame(255), &mut input).unwrap();
        [0, 1, 2].map(|channel| input[channel * 64 * 64 + 24 * 64 + 16])
    };
    assert_eq!(blank(Colour::Rgb), [0.485, 0.456, 0.406]);
    assert_eq!(blank(Colour::Grey), [0.459; 3]);
    assert_eq!(input[24 * 64 + 15], 10.0 / 255.0, "and nothing beside it");
}

#[test]
fn a_mask_lies_over_all_tiles() {
    let tiles = Tiles::side_by_side(2, 1);
    let mut scorer = scorer(Recipe { tiles, ignore: Some(mask(2)), ..support::recipe() });
    // As wide as two inputs: cells of 8 pixels.
    let with_spot = |at: usize, spot: u8| {
        let mut values = vec![10; 128 * 64];
        (24..32).for_each(|y| values[y * 128 + at..y * 128 + at + 8].fill(spot));
        Frame::new(size(128, 64), Pixels::Grey8(values)).unwrap()
    };
    let mut score = |at, spot| scorer.score(&with_spot(at, spot)).unwrap().score;
    assert_eq!(score(16, 200), score(16, 10));
    assert_eq!(score(80, 200), 200.0 / 255.0, "the second tile has its own cells");
}

#[test]
fn a_descriptor_describes_what_is_judged() {
    // All but one cell is ignored: quantiles of the whole map would be those of blank pixels.
    let cells: Vec<bool> = (0..64).map(|cell| cell != 26).collect();
    let ignore = IgnoreMask::new(8, 8, &cells);
    let mut whitening = [[0.0; 8]; 8];
    whitening[1][1] = 1.0;
    let descriptor = ImageScore::Descriptor(Descriptor { mean: [0.0; 8], whitening });
    let mut scorer = scorer(Recipe { ignore, ..support::recipe() }).with_image_score(descriptor);
    assert_eq!(scorer.score(&frame(200)).unwrap().score, 200.0 / 255.0);
}

#[test]
fn a_spot_that_is_ignored_passes_and_people_see_that_it_is_ignored() {
    let folder = tempfile::tempdir().unwrap();
    let model = onnx(64, &[]);
    write_bundle(folder.path(), &model, &[]);
    write_thresholds(folder.path(), &thresholds(&model, recipe()));
    let mut judge = Judge::open(folder.path(), 1).unwrap();
    let spot = frame(200);
    let judgement = judge.judge(&spot);
    assert_eq!((judgement.verdict, judgement.region), (Verdict::Pass, None));
    let all = judge::region_of_interest(&recipe(), spot.size()).unwrap();
    let picture = overlay(&spot, &judgement, all, 0.4);
    let Pixels::Rgb8(values) = picture.pixels() else { panic!("{picture:?}") };
    let red = |x: usize, y: usize| values[3 * (y * 64 + x)];
    assert!((20..24).any(|x| red(x, 28) != red(20, 28)), "hatching has lines");
    assert!((16..24).all(|x| red(x, 28) < 170), "the spot is covered");
    assert_eq!(red(40, 28), 10, "the rest is not");
}

/// A label that differs from part to part affects neither alignment nor verdict, wherever the part lies.
#[test]
fn a_mask_moves_with_the_part() {
    let alignment = Some(marked_alignment());
    // Cells of 4 pixels, from 32,16 to 39,23.
    let cells: Vec<bool> =
        (0..256).map(|cell| (8..10).contains(&(cell % 16)) && (4..6).contains(&(cell / 16))).collect();
    let ignore = IgnoreMask::new(16, 16, &cells);
    let mut scorer = scorer(Recipe { alignment, ignore, ..support::recipe() });
    let plain = scorer.score(&marked(10, 0)).unwrap();
    let moved = scorer.score(&marked(255, 6)).unwrap();
    assert!((moved.score - plain.score).abs() < 0.02, "{} {}", moved.score, plain.score);
    let middle = |map: &judge::AnomalyMap, x: usize| map.ignored[20 * 64 + x];
    assert!(middle(&plain.map, 36) && !middle(&plain.map, 46));
    assert!(middle(&moved.map, 42) && !middle(&moved.map, 30), "it is shown where the part lies");
}
