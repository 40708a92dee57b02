//! Tests models that judge the tiles of a frame together: against onnxruntime and their definition, and defects on seams.

use std::path::{Path, PathBuf};
use std::process::Command;

use judge::{
    Frame, Options, Pixels, Preparer, Scorer, TiledNetwork, encode_png, largest_region, region_of_interest,
};
use methods::features::{Extractor, FeatureSet, Flip};
use methods::method::View;
use methods::teach::{TeachRequest, teach};
use methods::{METHODS, local_gaussians::LocalGaussians};
use networks::Network;
use networks::teacher::Teacher;
use shared_format::{Colour, FrameRange, Recipe, Size, Tiles};
use tests::images::{part, write_parts};
use tests::succeed;
use tests::teachers::random_weights;

const TILES: Tiles = Tiles { columns: 3, rows: 2, overlap: 32 };
const INPUT: Size = Size { width: 96, height: 96 };
/// As large as the tiles together.
const SIZE: Size = Size { width: 224, height: 160 };

fn teacher() -> Teacher {
    let network = Network::by_name("resnet18").unwrap();
    let weights = random_weights(&network, 1);
    Teacher { name: "random".to_owned(), network, weights }
}

fn recipe() -> Recipe {
    let frames = FrameRange { min: SIZE, max: SIZE };
    Recipe {
        input: INPUT,
        roi: None,
        tiles: TILES,
        colour: Colour::Grey,
        frames,
        alignment: None,
        ignore: None,
        reference_patch: None,
    }
}

fn images(folder: &Path) -> Vec<PathBuf> {
    let mut paths: Vec<PathBuf> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths
}

/// For every method: the restored model gives the same bytes, the judge computes it tile by tile on any number of threads to the same
/// bits, and onnxruntime agrees.
#[test]
fn models_for_tiles_agree_in_two_engines() {
    let (folder, teacher, recipe) = (tempfile::tempdir().unwrap(), teacher(), recipe());
    write_parts(folder.path(), SIZE, 8, false);
    let paths = images(folder.path());
    let indices: Vec<usize> = (0..paths.len()).collect();
    let mut input = vec![];
    Preparer::new(recipe).prepare(&part(SIZE, 500, true), &mut input).unwrap();
    for entry in METHODS {
        let method = entry.defaults();
        for flip in [Flip::None, Flip::Horizontal] {
            let extractor = Extractor::for_method(method.as_ref(), &teacher, recipe, flip, 2).unwrap();
            let mut set = FeatureSet::new(extractor, paths.clone());
            let model = method.fit(&mut set, &indices, 0, &mut || true).unwrap().unwrap();
            let view = View::of(&recipe, method.judges_frames());
            let onnx = model.onnx(&teacher, view, None);
            let restored = entry.restore(&model.state(), &teacher, view).unwrap();
            assert!(
                restored.onnx(&teacher, view, None) == onnx,
                "{}: the restored model differs",
                entry.name
            );
            let other = View { tiles: Tiles { columns: 2, ..TILES }, ..view };
            assert!(!method.judges_frames() || entry.restore(&model.state(), &teacher, other).is_err());
            let run = |threads| {
                let options = Options { threads, ..Options::default() };
                let outputs = ["anomaly_map", "score"];
                let mut network = TiledNetwork::load(onnx.as_slice(), &recipe, &outputs, options).unwrap();
                assert_eq!(network.judges_frames(), method.judges_frames());
                network.run(&input).unwrap()
            };
            let ours = run(1);
            assert_eq!(run(2), ours, "{}", entry.name);
            assert_eq!(run(4), ours, "{}", entry.name);
            if method.judges_frames()
                && let Some(python) = tests::optional_data("NOMINAL_PYTHON", "onnx.checker and onnxruntime")
            {
                let theirs = onnxruntime(&python, &onnx, &input, folder.path().parent().unwrap());
                for (ours, theirs) in ours[0].iter().zip(theirs) {
                    let largest = theirs.iter().fold(0f32, |most, x| most.max(x.abs()));
                    let apart = ours.iter().zip(&theirs).fold(0f32, |most, (a, b)| most.max((a - b).abs()));
                    assert!(ours.len() == theirs.len() && apart <= 1e-4 * largest, "{}: {apart}", entry.name);
                }
            }
        }
    }
}

fn onnxruntime(python: &Path, onnx: &[u8], input: &[f32], folder: &Path) -> [Vec<f32>; 2] {
    let folder = tempfile::tempdir_in(folder).unwrap();
    let [model, source, target] =
        ["model.onnx", "image.f32", "out.json"].map(|name| folder.path().join(name));
    std::fs::write(&model, onnx).unwrap();
    std::fs::write(&source, input.iter().flat_map(|x| x.to_le_bytes()).collect::<Vec<u8>>()).unwrap();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/python/run_onnx.py");
    succeed(Command::new(python).arg(script).args([&model, &source, &target]));
    let json: serde_json::Value = serde_json::from_slice(&std::fs::read(&target).unwrap()).unwrap();
    ["anomaly_map", "score"]
        .map(|name| json[name].as_array().unwrap().iter().map(|x| x.as_f64().unwrap() as f32).collect())
}

/// A mirrored frame has the mirrored frame's features, wherever its tiles lie.
#[test]
fn mirrored_copies_are_those_of_the_frame() {
    let (teacher, recipe) = (teacher(), recipe());
    let method = LocalGaussians::default();
    let frame = part(SIZE, 3, true);
    let Pixels::Grey8(values) = frame.pixels() else { panic!("parts are grey") };
    let mirrored = values.chunks(SIZE.width as usize).flat_map(|row| row.iter().rev().copied()).collect();
    let mirrored = Frame::new(SIZE, Pixels::Grey8(mirrored)).unwrap();
    let features = |frame: &Frame, flip| {
        let mut extractor = Extractor::for_method(&method, &teacher, recipe, flip, 1).unwrap();
        assert_eq!(extractor.shape()[1..], [20, 28]);
        extractor.of_frame(frame, "part").unwrap()
    };
    let both = features(&frame, Flip::Horizontal);
    assert_eq!(both.len(), 2);
    assert_eq!(both[0], features(&frame, Flip::None)[0]);
    assert_eq!(both[1], features(&mirrored, Flip::None)[0]);
}

/// Learns parts whose upper left quarter is bright, so that what is normal depends on the place.
#[test]
fn a_defect_on_a_seam_is_found_once_and_each_tile_knows_its_place() {
    let (folder, teacher, recipe) = (tempfile::tempdir().unwrap(), teacher(), recipe());
    let photos = folder.path().join("photos");
    std::fs::create_dir(&photos).unwrap();
    let with = |seed: u64, change: &dyn Fn(u32, u32) -> f32| {
        let frame = part(SIZE, seed, false);
        let Pixels::Grey8(values) = frame.pixels() else { panic!("parts are grey") };
        let at = |at: usize| (at as u32 % SIZE.width, at as u32 / SIZE.width);
        let quarter = |(x, y): (u32, u32)| if x < 80 && y < 80 { 70.0 } else { 0.0 };
        let changed = values.iter().enumerate().map(|(index, value)| {
            let (x, y) = at(index);
            (f32::from(*value) + quarter((x, y)) + change(x, y)).clamp(0.0, 255.0) as u8
        });
        Frame::new(SIZE, Pixels::Grey8(changed.collect())).unwrap()
    };
    let parts: Vec<Vec<PathBuf>> = (0..20)
        .map(|seed| {
            let path = photos.join(format!("{seed:02}.png"));
            std::fs::write(&path, encode_png(&with(seed, &|_, _| 0.0)).unwrap()).unwrap();
            vec![path]
        })
        .collect();
    let request = TeachRequest {
        teacher: &teacher,
        recipe,
        zones: None,
        flip: Flip::None,
        parts: &parts,
        method: &LocalGaussians::default(),
        target_fpr: 0.05,
        rule: bundle::ThresholdRule::Claim,
        left_out: &[],
        check_product: false,
        defects: None,
        seed: 0,
        threads: 2,
    };
    let out = folder.path().join("bundle");
    teach(&request, &|frames| frames.first()?.first().copied(), &out, &mut || true).unwrap();
    let bundle = judge::Bundle::open(&out).unwrap();
    let thresholds = &bundle.thresholds;
    assert_eq!(thresholds.recipe.tiles, TILES);
    let mut scorer = Scorer::new(&bundle.onnx, thresholds.recipe, 2).unwrap();
    let mut judge = |frame: &Frame| {
        let scored = scorer.score(frame).unwrap();
        let roi = region_of_interest(&thresholds.recipe, SIZE).unwrap();
        (scored.score, largest_region(&scored.map, roi, 2.0 * thresholds.pixel_threshold), scored.map)
    };
    let good = (100..104).map(|seed| judge(&with(seed, &|_, _| 0.0)).0).fold(f32::MIN, f32::max);
    // Seams lie around columns 80 and 144 and row 80.
    for [x, y] in [[144, 40], [180, 80], [80, 120], [144, 80], [112, 40]] {
        let blot = |u: u32, v: u32| {
            let (dx, dy) = (u.abs_diff(x), v.abs_diff(y));
            if dx * dx + dy * dy < 100 { 120.0 } else { 0.0 }
        };
        let (score, region, map) = judge(&with(200, &blot));
        let region = region.unwrap_or_else(|| panic!("nothing at {x} {y}: {score}"));
        let (centre_x, centre_y) = (region.x + region.width / 2, region.y + region.height / 2);
        assert!(centre_x.abs_diff(x) <= 12 && centre_y.abs_diff(y) <= 12, "{x} {y}: {region:?}");
        let above = map.values.iter().filter(|value| **value > 2.0 * thresholds.pixel_threshold).count();
        assert_eq!(region.area as usize, above, "one region at {x} {y}");
        assert!(score > thresholds.image_threshold.max(good), "{x} {y}: {score} {good}");
    }
    // What is normal in one tile isn't in another: the bright quarter in the lower right corner.
    let (score, ..) = judge(&with(201, &|x, y| if x >= 144 && y >= 80 { 70.0 } else { 0.0 }));
    assert!(score > thresholds.image_threshold.max(good), "{score} {good}");
}
