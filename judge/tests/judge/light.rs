//! Light that differs from that of the good parts is corrected or is a fault, and so is another product.

use judge::{Frame, Judge, Judgement, Pixels, Preparer};
use shared_format::{Colour, Recipe, ReferencePatch, Roi, Tiles, Verdict};
use support::{onnx, size, thresholds, write_bundle, write_thresholds};

use crate::support;

const PATCH: ReferencePatch = ReferencePatch {
    area: Roi { x: 48, y: 0, width: 16, height: 8 },
    mean: [80 * 257, 100 * 257, 120 * 257],
};

fn recipe() -> Recipe {
    Recipe { reference_patch: Some(PATCH), ..support::recipe() }
}

/// Returns a part with a spot of `spot`, and a reference patch, in light that multiplies the channels by `light`.
fn part(spot: f32, light: [f32; 3]) -> Frame {
    let values = (0..64 * 64).flat_map(|at| {
        let (x, y) = (at % 64, at / 64);
        let colour = match () {
            () if x >= 48 && y < 8 => [80.0, 100.0, 120.0],
            () if (16..24).contains(&x) && (24..32).contains(&y) => [spot; 3],
            () => [60.0; 3],
        };
        [0, 1, 2].map(|channel| (colour[channel] * light[channel]).round().min(255.0) as u8)
    });
    Frame::new(size(64, 64), Pixels::Rgb8(values.collect())).unwrap()
}

fn judge(recipe: Recipe, product_limit: Option<f32>) -> (tempfile::TempDir, Judge) {
    let folder = tempfile::tempdir().unwrap();
    let model = onnx(64, &[]);
    write_bundle(folder.path(), &model, &[]);
    let mut file = thresholds(&model, recipe);
    file.product_limit = product_limit;
    write_thresholds(folder.path(), &file);
    let judge = Judge::open(folder.path(), 1).unwrap();
    (folder, judge)
}

#[test]
fn a_part_scores_the_same_in_brighter_darker_and_warmer_light() {
    let (_folder, mut judge) = judge(recipe(), None);
    let mut score = |light| judge.judge(&part(140.0, light)).score.unwrap();
    let usual = score([1.0; 3]);
    assert_eq!(usual, 140.0 / 255.0);
    // Levels that stay whole, so that nothing is rounded but the gain.
    for light in [[1.5; 3], [0.5; 3], [1.25, 1.0, 0.75], [0.6, 0.7, 0.8]] {
        let corrected = score(light);
        assert!((corrected - usual).abs() < 1e-6, "{light:?}: {corrected} {usual}");
    }
}

#[test]
fn every_tile_and_channel_is_corrected_by_its_gain() {
    let tiles = Tiles::side_by_side(2, 1);
    let mut input = vec![];
    let mut prepared = |colour, light| {
        Preparer::new(Recipe { tiles, colour, ..recipe() }).prepare(&part(60.0, light), &mut input).unwrap();
        input.clone()
    };
    let usual = prepared(Colour::Rgb, [1.0; 3]);
    assert_eq!(usual.len(), 2 * 3 * 64 * 64);
    // Tiles are resized in eight bits, and a gain of 2 doubles what that rounds.
    let corrected = prepared(Colour::Rgb, [1.5, 1.0, 0.5]);
    assert!(usual.iter().zip(&corrected).all(|(a, b)| (a - b).abs() < 0.005));
    // A grey recipe sees only luma, so one gain must do.
    let grey = prepared(Colour::Grey, [1.5; 3]);
    let usual = prepared(Colour::Grey, [1.0; 3]);
    assert!(usual.iter().zip(&grey).all(|(a, b)| (a - b).abs() < 0.005));
}

#[test]
fn light_beyond_correction_is_a_fault_that_says_so() {
    let (_folder, mut judge) = judge(recipe(), None);
    let mut fault = |frame: &Frame| {
        let Judgement { verdict, score, fault, .. } = judge.judge(frame);
        assert_eq!((verdict, score), (Verdict::Fault, None));
        fault.unwrap().to_string()
    };
    assert!(fault(&part(140.0, [0.4; 3])).contains("needs a gain of 2.50 in"));
    assert!(fault(&part(140.0, [1.0, 1.0, 2.05])).contains("in blue, outside 0.5 to 2"));
    assert!(fault(&part(140.0, [1.0, 1.0, 3.0])).contains("100 % of the reference patch is overexposed"));
    assert!(fault(&part(140.0, [0.0; 3])).contains("is black"));
    let narrow = Frame::new(size(60, 64), Pixels::Grey8(vec![100; 60 * 64])).unwrap();
    assert!(fault(&narrow).contains("the reference patch 16×8 at 48,0 does not fit into the frame of 60×64"));
    // And the next frame is judged as ever.
    assert_eq!(judge.judge(&part(140.0, [1.0; 3])).verdict, Verdict::Reject);
}

#[test]
fn what_is_unlike_good_parts_everywhere_is_another_product_and_a_defect_is_not() {
    let all = |level: u8| Frame::new(size(64, 64), Pixels::Grey8(vec![level; 64 * 64])).unwrap();
    let (_folder, mut checked) = judge(support::recipe(), Some(0.3));
    let judgement = checked.judge(&all(200));
    assert_eq!((judgement.verdict, judgement.score, judgement.region), (Verdict::Fault, None, None));
    let sentence = judgement.fault.unwrap().to_string();
    assert!(
        sentence.starts_with("another product? the frame is unlike good parts nearly everywhere"),
        "{sentence}"
    );
    // A large defect leaves more than a quarter of the part as it was.
    let mut values = vec![10; 64 * 64];
    values[..64 * 44].fill(250);
    let large = Frame::new(size(64, 64), Pixels::Grey8(values)).unwrap();
    assert_eq!(checked.judge(&large).verdict, Verdict::Reject);
    assert_eq!(checked.judge(&all(10)).verdict, Verdict::Pass);
    let (_folder, mut unchecked) = judge(support::recipe(), None);
    assert_eq!(unchecked.judge(&all(200)).verdict, Verdict::Reject);
}
