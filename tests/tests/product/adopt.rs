//! Tests `trainer adopt`: third-party models (see `models/foreign/README.md`) in our judge, against onnxruntime's
//! values.

use std::path::{Path, PathBuf};
use std::process::Command;

use judge::Network;
use networks::foreign::{AdoptOptions, Adopted, ForeignModel, Normalisation};
use serde_json::Value;
use shared_format::Size;
use tests::images::write_parts;
use tests::workshop::Workshop;
use tests::{program, run, succeed};

const SIZE: Size = Size { width: 64, height: 64 };
/// Largest difference between engines, as a share of the largest value.
const TOLERANCE: f64 = 1e-5;

fn model(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("models/foreign").join(name)
}

fn reference() -> Value {
    serde_json::from_slice(&std::fs::read(model("reference.json")).unwrap()).unwrap()
}

/// Returns the inputs defined in `models/foreign/make.py`.
fn input(name: &str, size: Size) -> Vec<f32> {
    let (width, height) = (size.width as usize, size.height as usize);
    let plane = |value: &dyn Fn(usize, usize) -> f32| -> Vec<f32> {
        (0..height * width).map(|i| value(i % width, i / width)).collect()
    };
    if name == "ramp" {
        let across = plane(&|x, _| x as f32 / (width - 1) as f32);
        let down = plane(&|_, y| y as f32 / (height - 1) as f32);
        let along = plane(&|x, y| (x + y) as f32 / (width + height - 2) as f32);
        return [across, down, along].concat();
    }
    let mut state = 1u32;
    let mut noise = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as f32 / 255.0
    };
    (0..3 * height * width).map(|_| noise()).collect()
}

fn judged(adopted: &Adopted, input: &[f32], size: Size) -> [Vec<f32>; 2] {
    let shape = [1, 3, size.height as usize, size.width as usize];
    let mut network = Network::load(&adopted.onnx, shape, &["anomaly_map", "score"], 1).unwrap();
    network.run(input).unwrap().try_into().unwrap()
}

/// Compares with onnxruntime's values for one of the foreign model's outputs.
fn close(ours: &[f32], theirs: &Value, what: &str) {
    let number = |value: &Value| value.as_f64().unwrap();
    let values: Vec<f64> = theirs["values"].as_array().unwrap().iter().map(number).collect();
    let largest = number(&theirs["max"]).abs().max(number(&theirs["min"]).abs());
    for (i, wanted) in values.iter().enumerate() {
        let at = if values.len() == 1 { 0 } else { i * (ours.len() - 1) / (values.len() - 1) };
        let difference = (f64::from(ours[at]) - wanted).abs();
        assert!(difference <= TOLERANCE * largest, "{what}, value {at}: {} against {wanted}", ours[at]);
    }
    let sum: f64 = ours.iter().map(|&x| f64::from(x)).sum();
    let difference = (sum - number(&theirs["sum"])).abs();
    assert!(difference <= TOLERANCE * largest * ours.len() as f64, "{what}: the sum is {sum}");
}

/// Judges both inputs and compares map and score with those of `file`'s reference.
fn agree(adopted: &Adopted, file: &str, [map, score]: [&str; 2]) {
    for run in reference()[file]["runs"].as_array().unwrap() {
        let height = run["height"].as_u64().unwrap() as u32;
        let size = Size { width: run["width"].as_u64().unwrap() as u32, height };
        if size != SIZE {
            continue;
        }
        let name = run["input"].as_str().unwrap();
        let [our_map, our_score] = judged(adopted, &input(name, size), size);
        close(&our_map, &run["outputs"][map], &format!("{file}, {name}: map"));
        close(&our_score, &run["outputs"][score], &format!("{file}, {name}: score"));
    }
}

fn adopt(name: &str, wanted: &AdoptOptions<'_>) -> Adopted {
    ForeignModel::read(&model(name)).unwrap().adopt(wanted, SIZE).unwrap()
}

#[test]
fn exports_are_taken_before_their_scaling() {
    for method in ["patchcore", "padim", "stfpm", "cflow"] {
        let adopted = adopt(&format!("{method}.onnx"), &AdoptOptions::default());
        assert!(adopted.unscaled, "{method}");
        agree(&adopted, &format!("{method}_raw.onnx"), ["anomaly_map", "pred_score"]);
    }
    let adopted = adopt("padim_script.onnx", &AdoptOptions::default());
    assert!(adopted.unscaled);
    agree(&adopted, "padim_raw.onnx", ["anomaly_map", "pred_score"]);
}

#[test]
fn what_the_user_says_is_taken_as_it_is() {
    let said = AdoptOptions { map: Some("anomaly_map"), score: Some("pred_score"), normalisation: None };
    let adopted = adopt("stfpm.onnx", &said);
    assert!(!adopted.unscaled);
    agree(&adopted, "stfpm.onnx", ["anomaly_map", "pred_score"]);
}

#[test]
fn a_bare_network_gets_its_normalisation() {
    let reference = reference();
    let outputs = reference["stfpm_bare.onnx"]["runs"][0]["outputs"].as_object().unwrap();
    let named = |is_map: bool| {
        let name =
            outputs.iter().find(|(_, output)| (output["shape"].as_array().unwrap().len() == 4) == is_map);
        name.unwrap().0.as_str()
    };
    let (map, score) = (named(true), named(false));
    let found = ForeignModel::read(&model("stfpm_bare.onnx")).unwrap().adopt(&AdoptOptions::default(), SIZE);
    assert!(found.unwrap_err().to_string().contains(&format!("`{map}`")));
    let said = AdoptOptions { map: Some(map), score: Some(score), normalisation: None };
    agree(&adopt("stfpm_bare.onnx", &said), "stfpm_bare.onnx", [map, score]);
    let normalised = AdoptOptions { normalisation: Some(Normalisation::IMAGENET), ..said };
    agree(&adopt("stfpm_bare.onnx", &normalised), "stfpm_raw.onnx", ["anomaly_map", "pred_score"]);
    // Without a score, the map's largest value is the score.
    let adopted = adopt("stfpm_bare.onnx", &AdoptOptions { score: None, ..normalised });
    let [map, score] = judged(&adopted, &input("ramp", SIZE), SIZE);
    assert_eq!((adopted.score, score[0]), (None, map.iter().copied().fold(f32::MIN, f32::max)));
}

#[test]
fn any_size_and_weights_beside_the_file() {
    let foreign = ForeignModel::read(&model("patchcore_dynamic.onnx")).unwrap();
    assert_eq!(foreign.size(), None);
    let size = Size { width: 96, height: 128 };
    let adopted = foreign.adopt(&AdoptOptions::default(), size).unwrap();
    // The model's own map has 64 × 64 positions, whatever the input.
    let [map, _] = judged(&adopted, &input("ramp", size), size);
    assert_eq!(map.len(), 96 * 128);
    agree(
        &foreign.adopt(&AdoptOptions::default(), SIZE).unwrap(),
        "patchcore_raw.onnx",
        ["anomaly_map", "pred_score"],
    );
}

#[test]
fn onnxruntime_runs_what_was_adopted() {
    let Some(python) = tests::optional_data("NOMINAL_PYTHON", "adopted models in onnxruntime") else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    for method in ["patchcore", "padim", "stfpm", "cflow"] {
        let adopted = adopt(&format!("{method}.onnx"), &AdoptOptions::default());
        let values = input("noise", SIZE);
        let [onnx, source, target] =
            ["model.onnx", "image.f32", "out.json"].map(|name| folder.path().join(name));
        std::fs::write(&onnx, &adopted.onnx).unwrap();
        std::fs::write(&source, values.iter().flat_map(|x| x.to_le_bytes()).collect::<Vec<u8>>()).unwrap();
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/python/run_onnx.py");
        succeed(Command::new(&python).arg(script).args([&onnx, &source, &target]));
        let theirs: Value = serde_json::from_slice(&std::fs::read(&target).unwrap()).unwrap();
        for (ours, name) in judged(&adopted, &values, SIZE).iter().zip(["anomaly_map", "score"]) {
            let theirs: Vec<f64> =
                theirs[name].as_array().unwrap().iter().map(|x| x.as_f64().unwrap()).collect();
            let largest = theirs.iter().fold(0f64, |m, x| m.max(x.abs()));
            assert_eq!(ours.len(), theirs.len(), "{method} {name}");
            for (a, b) in ours.iter().zip(&theirs) {
                assert!((f64::from(*a) - b).abs() <= TOLERANCE * largest, "{method} {name}: {a} against {b}");
            }
        }
    }
}

fn adopting(workshop: &Workshop, model: &Path, extra: &[&str]) -> Command {
    let mut command = workshop.trainer();
    command.arg("adopt").arg(model).arg("--data").arg(workshop.path("photos"));
    command.arg("--out").arg(workshop.path("adopted")).args(["--target-fpr", "0.2"]).args(extra);
    command
}

#[test]
fn an_adopted_bundle_judges() {
    let workshop = Workshop::default();
    write_parts(&workshop.path("photos"), Size { width: 160, height: 128 }, 12, false);
    let printed = succeed(&mut adopting(&workshop, &model("stfpm.onnx"), &[]));
    assert!(
        printed.contains("12 normals: at most") && printed.contains("next: edge-runtime inspect"),
        "{printed}"
    );
    let (code, stdout, stderr) = run(program("edge-runtime")
        .args(["inspect", "--bundle"])
        .arg(workshop.path("adopted"))
        .arg(workshop.path("photos/part-000.png")));
    assert_eq!(code, 0, "{stdout}{stderr}");
}

#[test]
fn what_cannot_be_adopted_is_refused_in_a_sentence() {
    let workshop = Workshop::default();
    write_parts(&workshop.path("photos"), Size { width: 160, height: 128 }, 12, false);
    let file = |name: &str, bytes: &[u8]| {
        std::fs::write(workshop.path(name), bytes).unwrap();
        workshop.path(name)
    };
    let whole = std::fs::read(model("stfpm.onnx")).unwrap();
    let outside = std::fs::read(model("patchcore_dynamic.onnx")).unwrap();
    let location = b"patchcore_dynamic.onnx.data";
    let elsewhere = outside.windows(location.len()).map(|_| ()).count();
    assert!(elsewhere > 0);
    let mut climbing = outside.clone();
    for at in 0..climbing.len() - location.len() {
        if climbing[at..].starts_with(location) {
            climbing[at..at + 3].copy_from_slice(b"../");
        }
    }
    for (path, extra, sentence) in [
        (workshop.path("nowhere.onnx"), &[][..], "check the path"),
        (file("text.onnx", b"not a model"), &[], "is not a valid ONNX model"),
        (file("half.onnx", &whole[..whole.len() / 2]), &[], "is not a valid ONNX model"),
        (file("alone.onnx", &outside), &[], "put that file beside the model"),
        (file("climbing.onnx", &climbing), &[], "isn't in the model's folder"),
        (model("stfpm.onnx"), &["--size", "128"], "only takes images of 64×64, not 128×128"),
        (model("stfpm.onnx"), &["--map", "nothing"], "it has no value `nothing`"),
        (model("stfpm.onnx"), &["--score", "anomaly_map"], "a score must be one number"),
        (model("stfpm.onnx"), &["--map", "pred_score"], "an anomaly map must have a height and a width"),
        (model("stfpm.onnx"), &["--normalise", "0.5/0"], "invalid normalisation `0.5/0`"),
        (model("stfpm_bare.onnx"), &[], "--map NAME and --score NAME"),
        (model("cflow_bare.onnx"), &["--map", "onnx::ReduceMax_1600", "--score", "1601"], "can't be adopted"),
    ] {
        let (code, _, stderr) = run(&mut adopting(&workshop, &path, extra));
        assert!(code == 1 || code == 2, "{}: {stderr}", path.display());
        assert!(stderr.contains(sentence), "{}: `{sentence}` is not in: {stderr}", path.display());
        assert!(!workshop.path("adopted").exists(), "{}", path.display());
    }
}
