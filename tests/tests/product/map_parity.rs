//! Tests that the methods with a shared training and export give the same maps and scores in libtorch, tract and onnxruntime, with the
//! weights of a few steps.

use std::collections::BTreeSet;
use std::path::PathBuf;

use methods::image_score::ImageScorer;
use networks::Network;
use networks::teacher::Teacher;
use serde_json::{Value, json};
use shared_format::{Colour, FrameRange, Recipe, Size, Tiles};
use tch::{Device, Kind, Tensor};
use tests::images::write_parts;
use tests::teachers::random_weights;
use trainer::autoencoder::{MemAe, PlainAutoencoder, Vae};
use trainer::compute::{ComputeRequest, DeviceChoice, Precision};
use trainer::devnet::DevNetMethod;
use trainer::ganomaly::GanomalyMethod;
use trainer::map_method::MapMethod;
use trainer::masked_autoencoder::MaskedAutoencoderMethod;
use trainer::method::{Method, TrainOutcome};
use trainer::registry;
use trainer::run::{Run, RunSettings};
use trainer::samples::SampleBatch;
use trainer::svdd::{Svdd, SvddImage};
use trainer::torch::{Compute, Frozen, to_array};
use trainer::training::{MAP_OUTPUT, MapLearner, build_graph};

use super::parity::{close, inputs, libtorch_score, normalised, onnxruntime};

/// Largest difference of scores, as a share of the score or of a good part's usual deviation.
const SCORE_TOLERANCE: f32 = 0.01;
const INPUT: Size = Size { width: 128, height: 96 };
const PHOTO: Size = Size { width: 160, height: 120 };
/// Those of the methods that [`parity`](super::parity) compares.
const ELSEWHERE: [&str; 3] = ["stpm", "efficientad", "flow"];

#[test]
fn every_map_agrees_in_three_engines() {
    let codec = json!({"target": "features", "loss": "l2", "latent": 8});
    let with = |extra: Value| {
        let mut options = codec.clone();
        options.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        options
    };
    let here = [
        agree::<PlainAutoencoder>(with(json!({"dropout": 0.2}))),
        agree::<PlainAutoencoder>(with(json!({"dropout": 0.0, "target": "pixels", "loss": "ssim"}))),
        agree::<MemAe>(with(json!({"memory": 20}))),
        agree::<Vae>(with(json!({}))),
        agree::<Vae>(with(json!({"target": "pixels"}))),
        agree::<MaskedAutoencoderMethod>(json!({"target": "features", "patch": 32})),
        agree::<MaskedAutoencoderMethod>(json!({"target": "pixels", "patch": 16})),
        agree::<GanomalyMethod>(json!({"latent": 8})),
        agree::<Svdd>(json!({"embeddings": 100})),
        agree::<SvddImage>(json!({})),
        agree::<DevNetMethod>(json!({})),
    ];
    let compared: BTreeSet<&str> = here.into_iter().chain(ELSEWHERE).collect();
    let registered = registry::all().into_iter().filter(|method| !method.is_fitted());
    assert_eq!(compared, registered.map(|method| method.name()).collect(), "a method without a comparison");
}

/// Trains a method for a few steps, and compares its map and score in the three engines; returns its name.
fn agree<M: MapMethod + Default>(options: Value) -> &'static str {
    let method = M::default();
    let what = format!("{} {options}", M::NAME);
    let folder = tempfile::tempdir().unwrap();
    let photos = folder.path().join("photos");
    write_parts(&photos, PHOTO, 6, false);
    write_parts(&folder.path().join("defects/stain"), PHOTO, 2, true);
    let network = Network::by_name("resnet18").unwrap();
    let weights = random_weights(&network, 1);
    let teacher = Teacher { name: "random".to_owned(), network: network.clone(), weights };
    let frames = FrameRange { min: PHOTO, max: PHOTO };
    let recipe = Recipe {
        input: INPUT,
        roi: None,
        tiles: Tiles::ONE,
        colour: Colour::Grey,
        frames,
        alignment: None,
        ignore: None,
        reference_patch: None,
    };
    let mut settings = RunSettings::new(M::NAME, "random", &photos, recipe, 0);
    let name = |part: usize| PathBuf::from(format!("part-{part:03}.png"));
    (settings.fit, settings.selection) = ((0..4).map(name).collect(), vec![name(4)]);
    (settings.calibration, settings.steps, settings.batch) = (vec![name(5)], 3, 2);
    settings.options = options.clone();
    settings.defects = method.needs_defects().then(|| folder.path().join("defects"));
    let run = Run::create(&folder.path().join("run"), settings, teacher).unwrap();
    let request = ComputeRequest { device: DeviceChoice::Cpu, precision: Precision::Auto, threads: Some(1) };
    let outcome = method.train(&run, &method.resolve(request).unwrap()).unwrap();
    assert!(matches!(outcome, TrainOutcome::Finished { .. }), "{what}: {outcome:?}");

    let state = run.student().unwrap();
    let options: M::Options = serde_json::from_value(options).unwrap();
    let mut learner = M::learner(&options, &network, &run.settings, Device::Cpu);
    learner.load_weights(&state.weights).unwrap();
    let image_score = ImageScorer::from_state(&state).unwrap().unwrap();
    let onnx = build_graph(M::NAME, &run.teacher, &learner, &image_score, INPUT, true).unwrap();
    assert!(method.onnx(&run).unwrap().len() <= onnx.len());
    let outputs = [MAP_OUTPUT, "anomaly_map", "score"];
    let shape = [1, 3, INPUT.height as usize, INPUT.width as usize];
    let mut tract = judge::Network::load(&onnx, shape, &outputs, 1).unwrap();
    let teacher =
        Frozen::new(&network, &run.teacher.weights, Compute { device: Device::Cpu, kind: Kind::Float });
    let python = tests::optional_data("NOMINAL_PYTHON", "onnx.checker and onnxruntime");
    // The first part is stained.
    for (at, image) in inputs(INPUT)[..3].iter().enumerate() {
        let tensor: Tensor = normalised(&network, image, INPUT);
        let batch = SampleBatch { targets: teacher.levels(&tensor), image: tensor };
        let map = tch::no_grad(|| learner.map(&batch));
        let expected = to_array(&map).data;
        let score = libtorch_score(&map, &image_score);
        let ours = tract.run(image).unwrap();
        let theirs = python.as_deref().filter(|_| at == 0);
        let theirs = theirs.map(|python| onnxruntime(python, &onnx, image, &outputs, folder.path()));
        close(&ours[0], &expected, &format!("{what}: tract against libtorch"));
        let near = |found: f32, engine: &str| {
            let tolerance = SCORE_TOLERANCE * score.abs().max(1.0);
            assert!((found - score).abs() <= tolerance, "{what}: {engine} {found} against {score}");
        };
        near(ours[2][0], "tract");
        if let Some(theirs) = theirs {
            close(&theirs[0], &expected, &format!("{what}: onnxruntime against libtorch"));
            close(&ours[1], &theirs[1], &format!("{what}: tract against onnxruntime"));
            near(theirs[2][0], "onnxruntime");
        }
    }
    M::NAME
}
