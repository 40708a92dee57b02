//! Areas with limits of their own: each is compared with its own normals, and the verdict names the one that decided.

use judge::{Frame, Judge, Judgement, Pixels, Scorer, Verdict, overlay};
use shared_format::{IgnoreMask, ImageScore, Recipe, RobustStats, Tiles, Zone, ZoneMask, Zones};
use support::{
    frame, marked, marked_alignment, onnx, onnx_with_score_map, size, thresholds, write_bundle,
    write_thresholds,
};

use crate::support;

/// Two halves: the left one is level 255; the right one is level 100, and varies ten times as much on normals.
fn halves(factor: f32) -> Zones {
    let cells: Vec<u8> = (0..64).map(|cell| u8::from(cell % 8 >= 4)).collect();
    let mut zones = [Zone::new(255, 1.0), Zone::new(100, factor)];
    zones[0].shares = [RobustStats { centre: 10.0 / 255.0, spread: 0.01 }; 3];
    zones[1].shares = [RobustStats { centre: 10.0 / 255.0, spread: 0.1 }; 3];
    Zones { mask: ZoneMask::new(8, 8, &cells).unwrap(), zones: zones.into_iter().collect() }
}

fn scorer(recipe: Recipe, zones: Zones) -> Scorer {
    Scorer::new(&onnx(64, &[]), recipe, 1).unwrap().with_image_score(ImageScore::Zones(zones))
}

/// A dark frame of two inputs' width with a spot of 100 pixels.
fn spot_at(left: usize, spot: u8) -> Frame {
    let mut values = vec![10; 128 * 64];
    (20..30).for_each(|y| values[y * 128 + left..y * 128 + left + 10].fill(spot));
    Frame::new(size(128, 64), Pixels::Grey8(values)).unwrap()
}

#[test]
fn the_same_spot_counts_more_where_normals_vary_less() {
    let tiles = Tiles::side_by_side(2, 1);
    let mut scorer = scorer(Recipe { tiles, ..support::recipe() }, halves(1.0));
    let mut score = |left| {
        let scored = scorer.score(&spot_at(left, 110)).unwrap();
        let zones = scored.zones.unwrap();
        assert_eq!(scored.score, zones.deciding().unwrap().score);
        (zones.deciding().unwrap().level, scored.score, zones.scores)
    };
    let (left, right) = (score(20), score(90));
    assert_eq!((left.0, right.0), (255, 100), "zones lie over all tiles");
    assert!((left.1 / right.1 - 10.0).abs() < 0.01, "{} {}", left.1, right.1);
    // The other zone is not touched.
    assert!(left.2[1].score.abs() < 1e-3 && right.2[0].score.abs() < 1e-3, "{left:?} {right:?}");
    // Half in each: each sees its own half.
    let both = score(59);
    assert_eq!(both.0, 255);
    assert!(both.2.iter().all(|zone| zone.score > 0.5), "{both:?}");
}

#[test]
fn a_score_map_is_what_zones_are_scored_by() {
    let model = onnx_with_score_map(64, false);
    let scorer = Scorer::new(&model, support::recipe(), 1).unwrap();
    let plain =
        Zones { zones: [Zone::new(255, 1.0), Zone::new(100, 1.0)].into_iter().collect(), ..halves(1.0) };
    let mut scorer = scorer.with_image_score(ImageScore::Zones(plain));
    let scored = scorer.score(&frame(255)).unwrap();
    // The spot fills 64 of 2048 positions: all of the worst 4 and 21, and 64 of the worst 103.
    let (spot, rest) = (1.0, (10.0f32 / 255.0).sqrt());
    let expected = (spot + spot + (64.0 * spot + 39.0 * rest) / 103.0) / 3.0;
    let score = scored.zones.unwrap().scores[0].score;
    assert!((score - expected).abs() < 1e-5, "{score} {expected}");
    // People see the other one.
    assert!(scored.map.values.iter().any(|value| (value - 10.0 / 255.0).abs() < 1e-6));
    // Other bundles don't use it.
    let mut scorer = Scorer::new(&model, support::recipe(), 1).unwrap();
    assert_eq!(scorer.score(&frame(255)).unwrap().score, 1.0);
    assert!(Scorer::new(&onnx_with_score_map(64, true), support::recipe(), 1).is_err());
}

#[test]
fn a_factor_is_how_much_more_a_zone_tolerates() {
    let of =
        |factor| scorer(support::recipe(), halves(factor)).score(&marked(200, 0)).unwrap().zones.unwrap();
    let (usual, tolerant) = (of(1.0), of(2.0));
    assert_eq!(usual.scores[0], tolerant.scores[0]);
    assert_eq!(usual.scores[1].score, 2.0 * tolerant.scores[1].score);
}

#[test]
fn what_is_ignored_counts_in_no_zone() {
    let cells: Vec<bool> = (0..64).map(|cell| cell == 26).collect();
    let ignore = IgnoreMask::new(8, 8, &cells);
    let mut scorer = scorer(Recipe { ignore, ..support::recipe() }, halves(1.0));
    let mut score = |spot| scorer.score(&frame(spot)).unwrap();
    assert_eq!(score(0).score, score(255).score);
}

#[test]
fn zones_move_with_the_part() {
    let alignment = Some(marked_alignment());
    let mut scorer = scorer(Recipe { alignment, ..support::recipe() }, halves(1.0));
    let mut score = |right| scorer.score(&marked(255, right)).unwrap();
    let (plain, moved) = (score(0), score(6));
    let decided = |scored: &judge::FrameScore| scored.zones.as_ref().unwrap().deciding().unwrap();
    let (a, b) = (decided(&plain), decided(&moved));
    assert_eq!(a.level, b.level);
    let scores = |scored: &judge::FrameScore| scored.zones.as_ref().unwrap().scores.clone();
    for (a, b) in scores(&plain).iter().zip(scores(&moved)) {
        assert!((a.score / b.score - 1.0).abs() < 0.1, "{a:?} {b:?}");
    }
    // The border between the zones, at 32, is shown where the part lies.
    let zone = |scored: &judge::FrameScore, x: usize| scored.zones.as_ref().unwrap().map[20 * 64 + x];
    assert_eq!([31, 32, 37, 39].map(|x| zone(&plain, x)), [0, 1, 1, 1]);
    assert_eq!([31, 32, 37, 39].map(|x| zone(&moved, x)), [0, 0, 0, 1]);
}

fn judged(zones: Zones, frame: &Frame) -> (Judgement, Frame) {
    let folder = tempfile::tempdir().unwrap();
    let model = onnx(64, &[]);
    write_bundle(folder.path(), &model, &[]);
    let mut file = thresholds(&model, support::recipe());
    file.image_score = ImageScore::Zones(zones);
    file.image_threshold = 5.0;
    write_thresholds(folder.path(), &file);
    let judgement = Judge::open(folder.path(), 1).unwrap().judge(frame);
    let all = judge::region_of_interest(&support::recipe(), frame.size()).unwrap();
    let picture = overlay(frame, &judgement, all, 0.9);
    (judgement, picture)
}

#[test]
fn the_verdict_names_the_zone_and_people_see_it() {
    let border = |picture: &Frame| -> [u8; 3] {
        let Pixels::Rgb8(values) = picture.pixels() else { panic!("{picture:?}") };
        std::array::from_fn(|channel| values[3 * (50 * 64 + 31) + channel])
    };
    let (rejected, picture) = judged(halves(1.0), &frame(200));
    assert_eq!((rejected.verdict, rejected.zone().map(|zone| zone.level)), (Verdict::Reject, Some(255)));
    assert_eq!(rejected.scores().len(), 2);
    let red = border(&picture);
    assert!(red[0] > 200 && red[2] < 50, "the zone that decided is outlined in red: {red:?}");
    let (passed, picture) = judged(halves(1.0), &frame(0));
    assert_eq!(passed.verdict, Verdict::Pass);
    let violet = border(&picture);
    assert!(violet[2] > 200, "{violet:?}");
    // The same spot where normals vary more passes.
    let mut other_way_round = halves(1.0);
    let (first, second) = (other_way_round.zones[0].shares, other_way_round.zones[1].shares);
    (other_way_round.zones[0].shares, other_way_round.zones[1].shares) = (second, first);
    assert_eq!(judged(other_way_round, &frame(60)).0.verdict, Verdict::Pass);
    assert_eq!(judged(halves(1.0), &frame(60)).0.verdict, Verdict::Reject);
}
