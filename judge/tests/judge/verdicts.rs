//! Bundle → verdicts, and bundles that are refused.

use std::path::Path;

use judge::{
    Bundle, BundleError, Fault, Frame, GOLDEN_FOLDER, Judge, MODEL_FILE, Pixels, THRESHOLD_FILE, encode_png,
    overlay, region_of_interest,
};
use shared_format::{Descriptor, FormatError, ImageScore, Roi, Tiles, Verdict};
use support::{
    PLAIN, frame, jpeg, onnx, size, thresholds, write_bundle, write_thresholds, write_usual_bundle,
};

use crate::support;

fn usual() -> (tempfile::TempDir, Judge) {
    let folder = tempfile::tempdir().unwrap();
    write_usual_bundle(folder.path());
    let judge = Judge::open(folder.path(), 1).unwrap();
    (folder, judge)
}

#[test]
fn a_dark_frame_passes_and_a_bright_spot_is_rejected_with_its_place() {
    let (_folder, mut judge) = usual();
    let normal = judge.judge(&frame(0));
    assert_eq!((normal.verdict, normal.score), (Verdict::Pass, Some(10.0 / 255.0)));
    assert!(normal.region.is_none() && normal.fault.is_none());
    let defective = judge.judge(&frame(200));
    assert_eq!((defective.verdict, defective.score), (Verdict::Reject, Some(200.0 / 255.0)));
    assert_eq!(defective.threshold, 0.5);
    let region = defective.region.unwrap();
    assert_eq!((region.x, region.y, region.width, region.height, region.area), (16, 24, 8, 8, 64));
    assert_eq!(region.peak, 200.0 / 255.0);
    assert!(defective.times.infer > std::time::Duration::ZERO);
}

#[test]
fn a_descriptor_gives_the_score_where_the_threshold_file_says_so() {
    let (folder, _) = usual();
    let mut file = thresholds(&onnx(64, &[]), support::recipe());
    let mut whitening = [[0.0; 8]; 8];
    (whitening[1][1], whitening[7][7]) = (2.0, 100.0);
    file.image_score = ImageScore::Descriptor(Descriptor { mean: [10.0 / 255.0; 8], whitening });
    file.image_threshold = 1.0;
    write_thresholds(folder.path(), &file);
    let mut judge = Judge::open(folder.path(), 1).unwrap();
    // A dark frame's map and score equal the mean; a bright spot moves the score but no median.
    let normal = judge.judge(&frame(0));
    assert_eq!((normal.verdict, normal.score), (Verdict::Pass, Some(0.0)));
    let defective = judge.judge(&frame(200));
    let score = defective.score.unwrap();
    assert!((score - 100.0 * 190.0 / 255.0).abs() < 1e-3, "{score}");
    assert_eq!(defective.verdict, Verdict::Reject);
}

#[test]
fn bytes_are_decoded_and_their_time_is_counted() {
    let (_folder, mut judge) = usual();
    let judgement = judge.judge_bytes(&encode_png(&frame(200)).unwrap());
    assert_eq!(judgement.verdict, Verdict::Reject);
    assert!(judgement.times.decode > std::time::Duration::ZERO);
}

#[test]
fn bad_input_is_a_fault_and_the_next_frame_is_judged_as_ever() {
    let (_folder, mut judge) = usual();
    let whole = jpeg(64, 64, PLAIN);
    for bytes in [&whole[..whole.len() / 2], b"text", &[]] {
        let judgement = judge.judge_bytes(bytes);
        assert_eq!(judgement.verdict, Verdict::Fault);
        assert!(matches!(judgement.fault, Some(Fault::Decode(_))) && judgement.score.is_none());
    }
    for (width, height) in [(1, 1), (20000, 50)] {
        let values = vec![0; width as usize * height as usize];
        let judgement = judge.judge(&Frame::new(size(width, height), Pixels::Grey8(values)).unwrap());
        assert!(matches!(judgement.fault, Some(Fault::Prepare(_))), "{:?}", judgement.fault);
    }
    assert_eq!(judge.judge(&frame(0)).verdict, Verdict::Pass);
}

#[test]
fn a_value_that_is_no_number_is_a_fault_not_a_pass() {
    let folder = tempfile::tempdir().unwrap();
    // The square root of a negative number.
    let onnx = onnx(64, &["Neg", "Sqrt"]);
    std::fs::write(folder.path().join(MODEL_FILE), &onnx).unwrap();
    write_thresholds(folder.path(), &thresholds(&onnx, support::recipe()));
    let judgement = Judge::open(folder.path(), 1).unwrap().judge(&frame(0));
    assert_eq!(judgement.verdict, Verdict::Fault);
    assert!(matches!(judgement.fault, Some(Fault::NotFinite { .. })), "{:?}", judgement.fault);
}

#[test]
fn tiles_are_judged_apart_and_their_maps_lie_side_by_side() {
    let folder = tempfile::tempdir().unwrap();
    let onnx = onnx(64, &[]);
    let mut file = thresholds(&onnx, support::recipe());
    file.recipe.tiles = Tiles::side_by_side(2, 3);
    file.recipe.roi = Some(Roi { x: 4, y: 6, width: 128, height: 192 });
    std::fs::write(folder.path().join(MODEL_FILE), &onnx).unwrap();
    write_thresholds(folder.path(), &file);
    let mut values = vec![0_u8; 140 * 200];
    // In the tile at column 1, row 2, whose corner is frame pixel 68,134.
    values[(134 + 10) * 140 + 68 + 20] = 255;
    let frame = Frame::new(size(140, 200), Pixels::Grey8(values)).unwrap();
    let judgement = Judge::open(folder.path(), 1).unwrap().judge(&frame);
    assert_eq!(judgement.score, Some(1.0));
    let map = judgement.map.unwrap();
    assert_eq!((map.width, map.height), (128, 192));
    assert_eq!(map.values.iter().position(|v| *v == 1.0), Some((128 + 10) * 128 + 64 + 20));
    let region = judgement.region.unwrap();
    assert_eq!((region.x, region.y, region.width, region.height), (88, 144, 1, 1));
}

#[test]
fn golden_frames_hold_and_a_moved_score_is_found() {
    let (folder, mut judge) = usual();
    let results = judge.check_golden().unwrap();
    assert_eq!(results.len(), 2);
    assert!(results.iter().all(|r| r.within && r.score == r.expected));
    assert_eq!(judge.check_some_golden(1).unwrap().len(), 1);
    let mut file = judge.bundle().thresholds.clone();
    file.golden[1].score += 0.01;
    write_thresholds(folder.path(), &file);
    let results = Judge::open(folder.path(), 1).unwrap().check_golden().unwrap();
    assert_eq!(
        results.iter().map(|r| (r.file.as_str(), r.within)).collect::<Vec<_>>(),
        [("normal.png", true), ("defective.png", false)]
    );
}

#[test]
fn a_missing_or_damaged_golden_frame_is_named() {
    let (folder, mut judge) = usual();
    let path = folder.path().join(GOLDEN_FOLDER).join("defective.png");
    std::fs::write(&path, "text").unwrap();
    let error = judge.check_golden().unwrap_err().to_string();
    assert!(error.contains("defective.png"), "{error}");
    std::fs::remove_file(&path).unwrap();
    assert!(matches!(judge.check_golden(), Err(BundleError::Golden { .. })));
}

fn refusal(folder: &Path) -> BundleError {
    Judge::open(folder, 1).map(|_| ()).unwrap_err()
}

#[test]
fn missing_files_are_named() {
    for name in [MODEL_FILE, THRESHOLD_FILE] {
        let (folder, _judge) = usual();
        std::fs::remove_file(folder.path().join(name)).unwrap();
        let error = refusal(folder.path());
        assert!(matches!(&error, BundleError::Missing { path } if path.ends_with(name)), "{error}");
    }
    assert!(matches!(refusal(Path::new("no/such/folder")), BundleError::NotAFolder { .. }));
}

#[test]
#[cfg(unix)]
fn pipes_and_devices_are_refused_unread() {
    for name in [MODEL_FILE, THRESHOLD_FILE] {
        let (folder, _judge) = usual();
        let path = folder.path().join(name);
        std::fs::remove_file(&path).unwrap();
        std::os::unix::fs::symlink("/dev/null", &path).unwrap();
        let error = refusal(folder.path());
        assert!(matches!(&error, BundleError::NotAFile { path } if path.ends_with(name)), "{error}");
        std::fs::remove_file(&path).unwrap();
        assert!(std::process::Command::new("mkfifo").arg(&path).status().unwrap().success());
        assert!(matches!(refusal(folder.path()), BundleError::NotAFile { .. }));
    }
}

#[test]
fn a_model_of_another_bundle_is_refused() {
    let (folder, _judge) = usual();
    std::fs::write(folder.path().join(MODEL_FILE), onnx(64, &["Abs"])).unwrap();
    assert!(matches!(refusal(folder.path()), BundleError::Hash { .. }));
}

#[test]
fn damaged_threshold_files_are_refused() {
    let (folder, _judge) = usual();
    let path = folder.path().join(THRESHOLD_FILE);
    let whole = std::fs::read(&path).unwrap();
    for cut in 0..whole.len() {
        std::fs::write(&path, &whole[..cut]).unwrap();
        assert!(matches!(Bundle::open(folder.path()), Err(BundleError::Threshold { .. })), "cut at {cut}");
    }
    let mut damaged = whole.clone();
    damaged[30] ^= 1;
    std::fs::write(&path, damaged).unwrap();
    let error = refusal(folder.path());
    assert!(matches!(error, BundleError::Threshold { source: FormatError::Checksum, .. }), "{error}");
    std::fs::write(&path, vec![0; 20_000]).unwrap();
    assert!(matches!(refusal(folder.path()), BundleError::TooLarge { bytes: 20_000, .. }));
}

#[test]
fn a_model_that_does_not_suit_the_recipe_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let onnx = onnx(96, &[]);
    std::fs::write(folder.path().join(MODEL_FILE), &onnx).unwrap();
    write_thresholds(folder.path(), &thresholds(&onnx, support::recipe()));
    let error = refusal(folder.path());
    assert!(matches!(error, BundleError::Model { .. }), "{error}");
}

/// Returns the values of an overlay's pixel.
fn pixel(picture: &Frame, x: usize, y: usize) -> [u8; 3] {
    let Pixels::Rgb8(values) = picture.pixels() else { panic!("{picture:?}") };
    let at = 3 * (y * picture.size().width as usize + x);
    [values[at], values[at + 1], values[at + 2]]
}

#[test]
fn an_overlay_shows_heat_contour_box_and_verdict() {
    let (_folder, mut judge) = usual();
    let thresholds = judge.bundle().thresholds.clone();
    let mut drawn = |frame: &Frame| {
        let judgement = judge.judge(frame);
        let roi = region_of_interest(&thresholds.recipe, frame.size()).unwrap();
        overlay(frame, &judgement, roi, thresholds.pixel_threshold)
    };
    let (normal, defective) = (drawn(&frame(0)), drawn(&frame(200)));
    assert_eq!(normal.size(), size(64, 64));
    assert_eq!(pixel(&normal, 20, 28), [10; 3], "areas without heat stay unchanged");
    assert_eq!(pixel(&defective, 40, 50), [10; 3]);
    let [red, green, blue] = pixel(&defective, 20, 28);
    assert!(red > 200 && green < 100 && blue < 100, "{red} {green} {blue}");
    assert_eq!(pixel(&defective, 16, 24), [255; 3], "contour");
    assert_eq!(pixel(&defective, 15, 23), [0, 220, 255], "box outside the region");
    let [red, green, _] = pixel(&normal, 0, 30);
    assert!(green > red, "a pass has a green border");
    let [red, green, _] = pixel(&defective, 63, 30);
    assert!(red > green, "a reject has a red border");
}

#[test]
fn an_overlay_of_a_fault_is_the_frame_with_a_border() {
    let (_folder, mut judge) = usual();
    let values: Vec<u16> = vec![0x1234; 300 * 20];
    let frame = Frame::new(size(300, 20), Pixels::Grey16(values)).unwrap();
    let judgement = judge.judge(&frame);
    assert_eq!(judgement.verdict, Verdict::Fault);
    let picture = overlay(&frame, &judgement, Roi { x: 0, y: 0, width: 300, height: 20 }, 0.4);
    assert_eq!(pixel(&picture, 100, 10), [0x12; 3]);
    assert_eq!(pixel(&picture, 0, 0), [240, 170, 0]);
}

#[test]
fn the_same_frame_gets_the_same_score_bit_for_bit() {
    let folder = tempfile::tempdir().unwrap();
    let onnx = onnx(64, &["Sqrt", "Exp"]);
    write_bundle(folder.path(), &onnx, &[("normal.png", frame(0))]);
    let mut first = Judge::open(folder.path(), 1).unwrap();
    let mut second = Judge::open(folder.path(), 1).unwrap();
    let textured = judge::decode(&jpeg(150, 90, PLAIN)).unwrap();
    let expected = first.judge(&textured);
    second.judge(&frame(200));
    let after_another = second.judge(&textured);
    assert_eq!(expected.score.map(f32::to_bits), after_another.score.map(f32::to_bits));
    assert_eq!(expected.map, after_another.map);
}
