//! Tests the fitted methods: the exported graphs against a plain 64-bit implementation and onnxruntime, and users' bad
//! options.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use bundle::seeded::Seeded;
use judge::{Frame, Pixels, Preparer, encode_png};
use methods::Flip;
use methods::features::{Extractor, FeatureSet, Levels, Projection};
use methods::gaussian_mixture::{Components, GaussianMixture};
use methods::image_score::{HeldOut, ImageScorer, PositionStats, SHARES};
use methods::local_gaussians::{self, LocalGaussians};
use methods::mahalanobis::Mahalanobis;
use methods::method::{DISTANCES, Model as _, View};
use methods::one_class_svm::{self, KernelMatrix, Machine, MachineOptions, OneClassSvm, OneClassSvmImage};
use methods::padim::{self, Covariance, Padim};
use methods::patchcore::{self, PatchCore};
use methods::taught_defects::Discriminants;
use methods::{METHODS, Method as _};
use networks::teacher::Teacher;
use networks::{ModelState, Network};
use shared_format::{Colour, FrameRange, Recipe, RobustStats, Size, Tiles};
use tests::images::{part, write_parts};
use tests::teachers::random_weights;
use tests::workshop::Workshop;
use tests::{program, run, succeed};

/// Largest difference, as a share of the map's maximum.
const TOLERANCE: f64 = 1e-4;
const SIZE: Size = Size { width: 160, height: 128 };
const INPUT: Size = Size { width: 128, height: 96 };
const PARTS: u64 = 8;

struct Fixture {
    teacher: Teacher,
    recipe: Recipe,
    folder: tempfile::TempDir,
}

impl Fixture {
    /// Returns what a model for single tiles sees.
    fn view(&self) -> View {
        View::of(&self.recipe, false)
    }

    fn new() -> Self {
        let network = Network::by_name("resnet18").unwrap();
        let weights = random_weights(&network, 1);
        let teacher = Teacher { name: "random".to_owned(), network, weights };
        let frames = FrameRange { min: SIZE, max: SIZE };
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
        let folder = tempfile::tempdir().unwrap();
        write_parts(folder.path(), SIZE, PARTS, false);
        Self { teacher, recipe, folder }
    }

    fn set(&self, flip: Flip, levels: Levels) -> (FeatureSet, Vec<usize>) {
        let mut paths: Vec<PathBuf> =
            std::fs::read_dir(self.folder.path()).unwrap().map(|entry| entry.unwrap().path()).collect();
        paths.sort();
        let indices = (0..paths.len()).collect();
        let extractor = Extractor::new(&self.teacher, self.recipe, flip, levels, 1).unwrap();
        (FeatureSet::new(extractor, paths), indices)
    }

    /// Returns a part that no model was fitted to, as the model's input and as features.
    fn query(&self, levels: Levels) -> (Vec<f32>, Vec<f32>) {
        let frame = part(SIZE, 500, true);
        let mut input = vec![];
        Preparer::new(self.recipe).prepare(&frame, &mut input).unwrap();
        let mut extractor = Extractor::new(&self.teacher, self.recipe, Flip::None, levels, 1).unwrap();
        (input, extractor.of_frame(&frame, "query").unwrap().swap_remove(0).vectors)
    }
}

/// Runs the graph in tract and, if it is installed, in onnxruntime. Both must agree with each other and with `expected`,
/// the first output. Returns all outputs of our engine.
fn agree_on(onnx: &[u8], input: &[f32], outputs: &[&str], expected: &[f64]) -> Vec<Vec<f32>> {
    let shape = [1, 3, INPUT.height as usize, INPUT.width as usize];
    let mut network = judge::Network::load(onnx, shape, outputs, 1).unwrap();
    let ours = network.run(input).unwrap();
    close(&ours[0], expected, &format!("{}: tract against 64-bit floats", outputs[0]));
    if let Some(python) = tests::optional_data("NOMINAL_PYTHON", "onnx.checker and onnxruntime") {
        let folder = tempfile::tempdir().unwrap();
        let theirs = onnxruntime(&python, onnx, input, outputs, folder.path());
        for (name, (ours, theirs)) in outputs.iter().zip(ours.iter().zip(&theirs)) {
            close(ours, theirs, &format!("{name}: tract against onnxruntime"));
        }
    }
    ours
}

fn close(ours: &[f32], expected: &[f64], what: &str) {
    assert_eq!(ours.len(), expected.len(), "{what}");
    let largest = expected.iter().fold(0f64, |m, x| m.max(x.abs()));
    assert!(largest > 0.0, "{what}: nothing to compare");
    let difference = ours.iter().zip(expected).fold(0f64, |m, (&a, b)| m.max((f64::from(a) - b).abs()));
    assert!(difference <= TOLERANCE * largest, "{what}: {difference:e} of {largest:e}");
}

fn onnxruntime(python: &Path, onnx: &[u8], input: &[f32], outputs: &[&str], folder: &Path) -> Vec<Vec<f64>> {
    let [model, source, target] = ["model.onnx", "image.f32", "out.json"].map(|name| folder.join(name));
    std::fs::write(&model, onnx).unwrap();
    std::fs::write(&source, input.iter().flat_map(|x| x.to_le_bytes()).collect::<Vec<u8>>()).unwrap();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/python/run_onnx.py");
    succeed(Command::new(python).arg(script).args([&model, &source, &target]));
    let json: serde_json::Value = serde_json::from_slice(&std::fs::read(&target).unwrap()).unwrap();
    let values = |name: &&str| json[*name].as_array().unwrap().iter().map(|x| x.as_f64().unwrap()).collect();
    outputs.iter().map(values).collect()
}

/// Computes matrix · (x − mean) for each vector, in 64-bit floats.
fn project(projection: &methods::features::Projection, vectors: &[f32]) -> Vec<Vec<f64>> {
    let channels = projection.mean.len();
    let row = |row: &[f32], vector: &[f32]| -> f64 {
        let terms = row.iter().zip(vector).zip(&projection.mean);
        terms.map(|((r, x), m)| f64::from(*r) * (f64::from(*x) - f64::from(*m))).sum()
    };
    let vectors = vectors.chunks(channels);
    vectors.map(|v| projection.matrix.chunks(channels).map(|r| row(r, v)).collect()).collect()
}

#[test]
fn patchcore_agrees_with_its_definition_in_two_engines() {
    let fixture = Fixture::new();
    let (mut set, indices) = fixture.set(Flip::None, Levels::Coarse);
    let (input, features) = fixture.query(Levels::Coarse);
    for (neighbours, score) in [
        (1, patchcore::Score::Worst),
        (1, patchcore::Score::Maximum),
        (3, patchcore::Score::Maximum),
        (1, patchcore::Score::Reweighted),
    ] {
        let bank = patchcore::BankSize::Share(0.1);
        let method = PatchCore {
            neighbours: neighbours as u16,
            score: Some(score),
            bank,
            dimensions: 24,
            ..Default::default()
        };
        let model = method.fit(&mut set, &indices, 0, &mut || true).unwrap().unwrap();
        let entries: Vec<&[f32]> = model.bank.chunks(24).collect();
        let distance = |y: &[f64], b: &[f32]| -> f64 {
            y.iter().zip(b).map(|(y, b)| (y - f64::from(*b)).powi(2)).sum::<f64>().sqrt()
        };
        let all: Vec<Vec<f64>> = project(&model.projection, &features)
            .iter()
            .map(|y| entries.iter().map(|b| distance(y, b)).collect())
            .collect();
        let expected: Vec<f64> = all
            .iter()
            .map(|distances| {
                let mut sorted = distances.clone();
                sorted.sort_by(f64::total_cmp);
                sorted[..neighbours].iter().sum::<f64>() / neighbours as f64
            })
            .collect();
        let onnx = patchcore::build_distances(&fixture.teacher, &model, INPUT);
        agree_on(&onnx, &input, &[DISTANCES], &expected);
        let largest = expected.iter().copied().fold(0.0, f64::max);
        let wanted = match score {
            patchcore::Score::Worst => continue,
            patchcore::Score::Maximum => largest,
            patchcore::Score::Reweighted => {
                let place = expected.iter().position(|&d| d == largest).unwrap();
                reweighted(&entries, &all[place])
            }
        };
        let onnx = patchcore::build(&fixture.teacher, &model, INPUT, None);
        agree_on(&onnx, &input, &["score", "anomaly_map"], &[wanted]);
    }
}

/// Computes the paper's score of a position with these distances from all entries.
fn reweighted(entries: &[&[f32]], distances: &[f64]) -> f64 {
    let nearest = (0..entries.len()).min_by(|&a, &b| distances[a].total_cmp(&distances[b])).unwrap();
    let apart =
        |a: usize| -> f32 { entries[a].iter().zip(entries[nearest]).map(|(x, y)| (x - y).powi(2)).sum() };
    let mut order: Vec<usize> = (0..entries.len()).collect();
    order.sort_by(|&a, &b| apart(a).total_cmp(&apart(b)));
    let sum: f64 = order.iter().take(9).map(|&i| distances[i].exp()).sum();
    distances[nearest] * (1.0 - distances[nearest].exp() / sum)
}

#[test]
fn padim_agrees_with_its_definition_in_two_engines() {
    let fixture = Fixture::new();
    let (mut set, indices) = fixture.set(Flip::None, Levels::All);
    let (input, features) = fixture.query(Levels::All);
    let columns = INPUT.width as usize / 8;
    for (full, cell) in [(true, 1), (true, 2), (false, 1), (false, 2)] {
        let covariance = if full { Covariance::Full } else { Covariance::Diagonal };
        let method = Padim { dimensions: 12, covariance, cell: cell as u16, ..Default::default() };
        let model = method.fit(&mut set, &indices, 0, &mut || true).unwrap().unwrap();
        let expected: Vec<f64> = project(&model.reduction, &features)
            .iter()
            .enumerate()
            .map(|(position, y)| {
                let mean = &model.mean[12 * position..12 * (position + 1)];
                let v: Vec<f64> = y.iter().zip(mean).map(|(y, m)| y - f64::from(*m)).collect();
                let at = (position / columns / cell) * (columns / cell) + position % columns / cell;
                let white = |column: usize| -> f64 {
                    if !full {
                        return v[column] * f64::from(model.whitening[12 * at + column]);
                    }
                    let w = &model.whitening[144 * at..];
                    (0..12).map(|row| v[row] * f64::from(w[12 * row + column])).sum()
                };
                ((0..12).map(|c| white(c).powi(2)).sum::<f64>() / 12.0).sqrt()
            })
            .collect();
        let onnx = padim::build_distances(&fixture.teacher, &model, fixture.view());
        agree_on(&onnx, &input, &[DISTANCES], &expected);
    }
}

#[test]
fn local_gaussians_agree_with_their_definition_in_two_engines() {
    let fixture = Fixture::new();
    let (mut set, indices) = fixture.set(Flip::None, Levels::Coarse);
    let (input, features) = fixture.query(Levels::Coarse);
    let grid = [INPUT.height as usize / 8, INPUT.width as usize / 8];
    for reach in 0..=2 {
        let method = LocalGaussians { dimensions: 12, reach, ..Default::default() };
        let model = method.fit(&mut set, &indices, 0, &mut || true).unwrap().unwrap();
        let reduced = project(&model.projection, &features);
        let expected = least_distances(&model, &reduced, grid, usize::from(reach));
        let onnx = model.distances(&fixture.teacher, fixture.view()).unwrap();
        agree_on(&onnx, &input, &[DISTANCES], &expected);
        // Three good parts have this map, scaled slightly up or down.
        let map = |factor: f64| expected.iter().map(|d| (d * factor) as f32).collect();
        let held_out = HeldOut {
            grid,
            margin: 0,
            tiles: Tiles::ONE,
            parts: [0.9, 1.0, 1.05].map(|f| vec![vec![map(f)]]).into(),
        };
        let (mut image_score, _) = ImageScorer::fit(&held_out, INPUT, &mut |_| ()).unwrap();
        let PositionStats { mean, deviation } = &image_score.positions;
        let standardised: Vec<f64> = (expected.iter().zip(mean).zip(deviation))
            .map(|((d, mean), deviation)| (d - f64::from(*mean)) / f64::from(*deviation))
            .collect();
        let mut worst = standardised.clone();
        worst.sort_by(|a, b| b.total_cmp(a));
        let of_share = |(share, usual): (&usize, &RobustStats)| {
            let count = (worst.len() * share).div_ceil(1000);
            let mean = worst[..count].iter().sum::<f64>() / count as f64;
            (mean - f64::from(usual.centre)) / f64::from(usual.spread)
        };
        let wanted = SHARES.iter().zip(&image_score.shares).map(of_share).sum::<f64>() / 3.0;
        let onnx = model.onnx(&fixture.teacher, fixture.view(), Some(&image_score));
        let ours = &agree_on(&onnx, &input, &["score", "anomaly_map"], &[wanted])[1];
        // Smoothed and enlarged distances: their maximum doesn't exceed that of the distances.
        let most = |values: &mut dyn Iterator<Item = f64>| values.fold(f64::NEG_INFINITY, f64::max);
        let shown = most(&mut ours.iter().map(|x| f64::from(*x)));
        let largest = most(&mut expected.iter().copied());
        assert!((0.3 * largest..=1.001 * largest).contains(&shown), "{shown} {largest}");
        let taught = discriminants(&model);
        let kinds = likeness(&taught, &project(&taught.projection, &features), &standardised);
        image_score.taught = Some(taught);
        let onnx = model.onnx(&fixture.teacher, fixture.view(), Some(&image_score));
        agree_on(&onnx, &input, &["defect_kinds", "score", "defect_map"], &kinds);
        agree_on(&onnx, &input, &["defect_score"], &[kinds[0].max(kinds[1])]);
        agree_on(&onnx, &input, &["score", "anomaly_map"], &[wanted]);
    }
}

/// Returns discriminants of two kinds, along the first directions of the model's own projection.
fn discriminants(model: &local_gaussians::Model) -> Discriminants {
    let mean = model.projection.mean.clone();
    let matrix = model.projection.matrix[..2 * mean.len()].to_vec();
    Discriminants {
        kinds: vec!["scratch".to_owned(), "dent".to_owned()],
        projection: Projection { outputs: 2, mean, matrix },
        weights: vec![0.5, 0.25],
        offsets: vec![-1.0, 0.5],
    }
}

/// Computes the likeness to each kind by its definition, in 64-bit floats.
fn likeness(taught: &Discriminants, projected: &[Vec<f64>], standardised: &[f64]) -> Vec<f64> {
    let of_kind = |kind: usize| {
        let (weight, offset) = (f64::from(taught.weights[kind]), f64::from(taught.offsets[kind]));
        let positions = projected.iter().zip(standardised);
        let mut values: Vec<f64> = positions.map(|(z, a)| z[kind] + weight * a.min(3.0) + offset).collect();
        values.sort_by(|a, b| b.total_cmp(a));
        values.truncate((values.len() * 10).div_ceil(1000));
        values.iter().sum::<f64>() / values.len() as f64
    };
    (0..taught.kinds.len()).map(of_kind).collect()
}

/// Computes, for each position, the smallest Mahalanobis distance from the Gaussians of positions up to `reach` away, in
/// 64-bit floats.
fn least_distances(
    model: &local_gaussians::Model,
    reduced: &[Vec<f64>],
    [rows, columns]: [usize; 2],
    reach: usize,
) -> Vec<f64> {
    let d = model.projection.outputs;
    let from = |y: &[f64], place: usize| -> f64 {
        let mean = &model.mean[d * place..d * (place + 1)];
        let v: Vec<f64> = y.iter().zip(mean).map(|(y, m)| y - f64::from(*m)).collect();
        let cell = place / columns / 2 * (columns / 2) + place % columns / 2;
        let w = &model.whitening[d * d * cell..];
        let white = |c: usize| -> f64 { (0..d).map(|row| v[row] * f64::from(w[d * row + c])).sum() };
        ((0..d).map(|c| white(c).powi(2)).sum::<f64>() / d as f64).sqrt()
    };
    let near = |a: usize, b: usize| {
        (a / columns).abs_diff(b / columns) <= reach && (a % columns).abs_diff(b % columns) <= reach
    };
    let least = |(p, y): (usize, &Vec<f64>)| {
        (0..rows * columns).filter(|&q| near(p, q)).map(|q| from(y, q)).fold(f64::INFINITY, f64::min)
    };
    reduced.iter().enumerate().map(least).collect()
}

#[test]
fn a_bank_of_mirrored_copies_knows_a_mirrored_part() {
    let fixture = Fixture::new();
    let mut scores = vec![];
    for flip in [Flip::None, Flip::Vertical] {
        let (mut set, indices) = fixture.set(flip, Levels::Coarse);
        let bank = patchcore::BankSize::Share(1.0);
        let score = Some(patchcore::Score::Maximum);
        let method = PatchCore { bank, score, ..Default::default() };
        let model = method.fit(&mut set, &indices, 0, &mut || true).unwrap().unwrap();
        // A part from the training set, mirrored.
        let mut input = vec![];
        let learned = judge::decode_file(set.path(0)).unwrap();
        Preparer::new(fixture.recipe).prepare(&learned, &mut input).unwrap();
        let onnx = patchcore::build(&fixture.teacher, &model, INPUT, None);
        let shape = [1, 3, INPUT.height as usize, INPUT.width as usize];
        let mut network = judge::Network::load(&onnx, shape, &["score"], 1).unwrap();
        scores.push(network.run(&upside_down(&input)).unwrap()[0][0]);
    }
    assert!(scores[1] < 0.02 && scores[0] > 10.0 * scores[1], "without and with mirrored copies: {scores:?}");
}

/// Swaps top and bottom, one value at a time.
fn upside_down(input: &[f32]) -> Vec<f32> {
    let (height, width) = (INPUT.height as usize, INPUT.width as usize);
    let from = |index: usize| {
        let (plane, row, column) = (index / (height * width), index / width % height, index % width);
        input[(plane * height + height - 1 - row) * width + column]
    };
    (0..input.len()).map(from).collect()
}

#[test]
fn one_class_machines_agree_with_their_definition_in_two_engines() {
    let fixture = Fixture::new();
    let input = fixture.query(Levels::Coarse).0;
    for (nu, gamma, support_vectors) in [(0.05, Some(1.0), 512), (0.2, None, 100)] {
        let options = MachineOptions { nu, gamma, support_vectors };
        let method = OneClassSvm { dimensions: 24, machine: options.clone() };
        let (mut set, indices) = fixture.set(Flip::None, Levels::Coarse);
        let model = method.fit(&mut set, &indices, 0, &mut || true).unwrap().unwrap();
        assert!((20..=usize::from(support_vectors)).contains(&model.machine.count()), "{model:?}");
        let positions = project(&model.projection, &fixture.query(Levels::Coarse).1);
        let expected: Vec<f64> = positions.iter().map(|y| machine_distance(&model.machine, y)).collect();
        let onnx = model.distances(&fixture.teacher, fixture.view()).unwrap();
        agree_on(&onnx, &input, &[DISTANCES], &expected);

        let method = OneClassSvmImage { machine: options };
        let (mut set, indices) = fixture.set(Flip::None, Levels::All);
        let model = method.fit(&mut set, &indices, 0, &mut || true).unwrap().unwrap();
        let features = fixture.query(Levels::All).1;
        let channels = model.mean.len() / 2;
        let column = |c: usize| features.iter().skip(c).step_by(channels).map(|&x| f64::from(x));
        let count = (features.len() / channels) as f64;
        let means = (0..channels).map(|c| column(c).sum::<f64>() / count);
        let values = means.chain((0..channels).map(|c| column(c).fold(f64::NEG_INFINITY, f64::max)));
        let part: Vec<f64> = (values.zip(&model.mean).zip(&model.scale))
            .map(|((x, mean), scale)| (x - f64::from(*mean)) * f64::from(*scale))
            .collect();
        let onnx = model.onnx(&fixture.teacher, fixture.view(), None);
        let wanted = machine_distance(&model.machine, &part);
        assert!(wanted > 1.0, "a stain lies outside: {wanted}");
        agree_on(&onnx, &input, &["score", "anomaly_map"], &[wanted]);
    }
}

/// Computes √(ln Σ α k(s, x) / ln ρ) in 64-bit floats.
fn machine_distance(machine: &Machine, x: &[f64]) -> f64 {
    let exponents = machine.vectors.chunks_exact(machine.dimensions).zip(&machine.weights).map(|(s, w)| {
        let square: f64 = s.iter().zip(x).map(|(s, x)| (x - f64::from(*s)).powi(2)).sum();
        f64::from(*w).ln() - machine.gamma * square
    });
    let exponents: Vec<f64> = exponents.collect();
    let largest = exponents.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let sum: f64 = exponents.iter().map(|e| (e - largest).exp()).sum();
    ((-largest - sum.ln()) / machine.boundary).max(1e-5).sqrt()
}

#[test]
fn one_class_machines_decide_as_scikit_learn_s() {
    let Some(python) = tests::optional_data("NOMINAL_PYTHON", "machines against scikit-learn") else {
        return;
    };
    let mut random = Seeded::new(11, 0);
    let mut draw = || random.below(2001) as f32 / 1000.0 - 1.0;
    // Two groups, and a few samples far away.
    let mut samples = |count: usize| -> Vec<f32> {
        let centre = |i: usize| if i.is_multiple_of(3) { 3.0 } else { 0.0 };
        let spread = |i: usize| if i.is_multiple_of(25) { 5.0 } else { 1.0 };
        (0..count * 5).map(|i| centre(i / 5) + spread(i / 5) * draw()).collect()
    };
    let (learned, asked) = (samples(300), samples(50));
    for (nu, gamma) in [(0.01, 0.05), (0.05, 0.3), (0.2, 1.0), (0.5, 0.1), (0.9, 3.0)] {
        let solution = one_class_svm::solve(&KernelMatrix::rbf(&learned, 5, gamma), nu);
        assert!(solution.converged);
        let rows = |values: &[f32]| -> Vec<Vec<f32>> { values.chunks(5).map(<[f32]>::to_vec).collect() };
        let question = serde_json::json!({
            "samples": rows(&learned), "queries": rows(&asked), "nu": nu, "gamma": gamma
        });
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/python/one_class_svm.py");
        let mut child =
            Command::new(&python).arg(script).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(question.to_string().as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        let answer: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        let theirs = answer["decision"].as_array().unwrap();
        // Theirs has weights up to 1, whose sum is nu times the number of samples.
        let scale = nu * 300.0;
        for (x, theirs) in asked.chunks(5).zip(theirs) {
            let kernel = |s: &[f32]| {
                let square: f64 = s.iter().zip(x).map(|(s, x)| f64::from(s - x).powi(2)).sum();
                (-gamma * square).exp()
            };
            let sum: f64 = learned.chunks(5).zip(&solution.weights).map(|(s, w)| w * kernel(s)).sum();
            let (ours, theirs) = (scale * (sum - solution.boundary), theirs.as_f64().unwrap());
            assert!((ours - theirs).abs() < 1e-3 * scale.max(1.0).sqrt(), "{nu} {gamma}: {ours} {theirs}");
        }
        let support = solution.weights.iter().filter(|weight| **weight > 0.0).count();
        assert!(support.abs_diff(answer["support"].as_u64().unwrap() as usize) <= 3, "{support} {answer}");
    }
}

#[test]
fn gaussian_mixtures_agree_with_their_definition_in_two_engines() {
    let fixture = Fixture::new();
    let (mut set, indices) = fixture.set(Flip::None, Levels::All);
    let (input, features) = fixture.query(Levels::All);
    let mut scores = vec![];
    for (components, covariance) in [
        (Components::Auto, Covariance::Full),
        (Components::Count(2), Covariance::Full),
        (Components::Count(3), Covariance::Diagonal),
    ] {
        let method = GaussianMixture { components, covariance };
        let model = method.fit(&mut set, &indices, 0, &mut || true).unwrap().unwrap();
        let channels = model.mean.len();
        let count = (features.len() / channels) as f64;
        let column = |c: usize| features.iter().skip(c).step_by(channels).map(|&x| f64::from(x));
        let v: Vec<f64> =
            (0..channels).map(|c| column(c).sum::<f64>() / count - f64::from(model.mean[c])).collect();
        let part = match &model.whitening {
            Some(w) => (0..channels)
                .map(|c| (0..channels).map(|row| v[row] * f64::from(w[channels * row + c])).sum())
                .collect(),
            None => v,
        };
        let exponents: Vec<f64> = (0..model.count())
            .map(|k| {
                let scale = |c: usize| model.scale.as_ref().map_or(1.0, |s| f64::from(s[channels * k + c]));
                let apart = |c: usize| (part[c] - f64::from(model.centres[channels * k + c])) * scale(c);
                0.5 * (0..channels).map(|c| apart(c).powi(2)).sum::<f64>() + f64::from(model.offsets[k])
            })
            .collect();
        let least = exponents.iter().copied().fold(f64::INFINITY, f64::min);
        let sum: f64 = exponents.iter().map(|e| (least - e).exp()).sum();
        let wanted = (2.0 * (least - sum.ln()) / channels as f64).sqrt();
        let onnx = model.onnx(&fixture.teacher, fixture.view(), None);
        agree_on(&onnx, &input, &["score", "anomaly_map"], &[wanted]);
        scores.push((model.count(), wanted));
    }
    assert!(scores[0].0 == 1 && scores[1].0 == 2, "{scores:?}");
    // One Gaussian is Mahalanobis.
    let model = Mahalanobis {}.fit(&mut set, &indices, 0, &mut || true).unwrap().unwrap();
    let onnx = model.onnx(&fixture.teacher, fixture.view(), None);
    let shape = [1, 3, INPUT.height as usize, INPUT.width as usize];
    let score = judge::Network::load(&onnx, shape, &["score"], 1).unwrap().run(&input).unwrap()[0][0];
    assert!((f64::from(score) / scores[0].1 - 1.0).abs() < 0.01, "{score} {scores:?}");
}

/// For every method: one, two and five parts, the same part again and again, and parts without any structure give a model whose
/// outputs are finite, or a sentence that says why there is none.
#[test]
fn little_to_learn_from_gives_a_finite_model_or_a_reason() {
    let fixture = Fixture::new();
    let folder = tempfile::tempdir().unwrap();
    for grey in 0..3 {
        let pixels = vec![100 + grey; (SIZE.width * SIZE.height) as usize];
        let frame = Frame::new(SIZE, Pixels::Grey8(pixels)).unwrap();
        std::fs::write(folder.path().join(format!("{grey}.png")), encode_png(&frame).unwrap()).unwrap();
    }
    let plain: Vec<PathBuf> = (0..3).map(|grey| folder.path().join(format!("{grey}.png"))).collect();
    for entry in METHODS {
        let method = entry.defaults();
        let (set, _) = fixture.set(Flip::None, method.levels());
        let parts = set.paths().to_vec();
        for paths in [
            parts[..1].to_vec(),
            parts[..2].to_vec(),
            parts[..5].to_vec(),
            vec![parts[0].clone(); 5],
            plain.clone(),
            vec![plain[0].clone(); 5],
        ] {
            let extractor =
                Extractor::new(&fixture.teacher, fixture.recipe, Flip::None, method.levels(), 1).unwrap();
            let indices: Vec<usize> = (0..paths.len()).collect();
            let what = format!("{}: {paths:?}", entry.name);
            let mut set = FeatureSet::new(extractor, paths);
            let model = match method.fit(&mut set, &indices, 0, &mut || true) {
                Ok(model) => model.unwrap(),
                Err(reason) => {
                    // Gaussians at each position can't be fitted to parts that never differ.
                    assert!(["local-gaussians", "padim"].contains(&entry.name), "{what}: {reason}");
                    assert!(reason.to_string().contains(' '), "{what}: {reason}");
                    continue;
                }
            };
            let onnx = model.onnx(&fixture.teacher, fixture.view(), None);
            entry.restore(&model.state(), &fixture.teacher, fixture.view()).expect(&what);
            let shape = [1, 3, INPUT.height as usize, INPUT.width as usize];
            let mut network = judge::Network::load(&onnx, shape, &["score", "anomaly_map"], 1).unwrap();
            let outputs = network.run(&fixture.query(method.levels()).0).unwrap();
            assert!(outputs.iter().flatten().all(|x| x.is_finite()), "{what}: {}", outputs[0][0]);
        }
    }
}

/// For every method in the registry: its stored and restored model gives the same bytes, and two engines agree on them.
#[test]
fn every_method_agrees_in_two_engines() {
    let fixture = Fixture::new();
    for entry in METHODS {
        let method = entry.defaults();
        let (mut set, indices) = fixture.set(Flip::None, method.levels());
        let model = method.fit(&mut set, &indices, 0, &mut || true).unwrap().unwrap();
        let onnx = model.onnx(&fixture.teacher, fixture.view(), None);
        let restored = entry.restore(&model.state(), &fixture.teacher, fixture.view()).unwrap();
        assert!(
            restored.onnx(&fixture.teacher, fixture.view(), None) == onnx,
            "{}: the restored model differs",
            entry.name
        );
        assert!(
            entry.restore(&ModelState::default(), &fixture.teacher, fixture.view()).is_err(),
            "{}",
            entry.name
        );
        let (input, _) = fixture.query(method.levels());
        let shape = [1, 3, INPUT.height as usize, INPUT.width as usize];
        let mut network = judge::Network::load(&onnx, shape, &["anomaly_map"], 1).unwrap();
        let map: Vec<f64> = network.run(&input).unwrap()[0].iter().copied().map(f64::from).collect();
        let score = agree_on(&onnx, &input, &["anomaly_map", "score"], &map)[1][0];
        assert!(score > 0.0, "{}: {score}", entry.name);
    }
}

#[test]
fn from_photos_to_verdicts_by_every_method() {
    let workshop = Workshop::default();
    let data = workshop.path("photos");
    write_parts(&data.join("train/good"), SIZE, 20, false);
    write_parts(&data.join("test/stain"), SIZE, 5, true);
    std::fs::create_dir_all(data.join("test/good")).unwrap();
    for seed in 100..105 {
        let png = encode_png(&part(SIZE, seed, false)).unwrap();
        std::fs::write(data.join(format!("test/good/{seed}.png")), png).unwrap();
    }
    for method in METHODS.iter().map(|entry| entry.name) {
        let bundle = workshop.path(&format!("{method}.bundle"));
        succeed(&mut fitting(&workshop, &data, method, &["--method", method, "--size", "128"]));
        succeed(&mut workshop.export(method, &bundle, &["--target-fpr", "0.3"]));
        let table = succeed(workshop.trainer().arg("eval").arg(&bundle).arg("--data").arg(&data));
        assert!(table.contains("all                   1.0000"), "{method}: {table}");
        let (code, stdout, stderr) = run(program("edge-runtime")
            .arg("inspect")
            .arg("--bundle")
            .arg(&bundle)
            .arg(data.join("test/stain/part-000.png")));
        assert_eq!(code, 10, "{method}: {stdout}{stderr}");
    }
}

/// Returns `trainer train` without a training length.
fn fitting(workshop: &Workshop, data: &Path, out: &str, extra: &[&str]) -> Command {
    let mut command = workshop.trainer();
    command.args(["train", "--threads", "1", "--teacher", tests::workshop::TEACHER, "--data"]).arg(data);
    command.arg("--out").arg(workshop.path(out)).args(extra);
    command
}

#[test]
fn what_cannot_be_fitted_is_refused_in_a_sentence() {
    let workshop = Workshop::default();
    let data = workshop.path("photos");
    write_parts(&data, SIZE, 6, false);
    for (extra, sentence) in [
        (&["--method", "patchcore", "--steps", "5"][..], "is fitted in one pass"),
        (&["--method", "patchcore", "--bank", "lots"], "invalid bank size `lots`"),
        (&["--method", "padim", "--bank", "1%"], "--bank is for --method patchcore, not padim; leave it out"),
        (&["--method", "patchcore", "--precision", "bf16"], "omit --device and --precision"),
        (&["--method", "padim", "--shrinkage", "1.5"], "invalid share `1.5`"),
        (&["--method", "padim", "--smoothing", "65"], "invalid smoothing `65`"),
        (&["--method", "one-class-svm", "--nu", "0"], "invalid share `0`: expected a number from 0.001 to 1"),
        (&["--method", "one-class-svm-image", "--gamma", "wide"], "invalid factor `wide`"),
        (&["--method", "one-class-svm-image", "--dimensions", "8"], "not one-class-svm-image; leave it out"),
        (&["--method", "gaussian-mixture", "--components", "0"], "invalid number of Gaussians `0`"),
        (&["--method", "padim", "--flip", "sideways"], "write none, horizontal or vertical"),
    ] {
        let (code, _, stderr) = run(&mut fitting(&workshop, &data, "refused", extra));
        assert!(code == 1 || code == 2, "{extra:?}: {stderr}");
        assert!(stderr.contains(sentence), "`{sentence}` is not in: {stderr}");
        assert!(!workshop.path("refused").exists(), "{extra:?}: a run was started");
    }
    let (code, _, stderr) = run(&mut fitting(
        &workshop,
        &data,
        "large",
        &["--method", "padim", "--size", "1024", "--dimensions", "100"],
    ));
    assert_eq!(code, 1);
    assert!(stderr.contains("--covariance diagonal"), "{stderr}");
    for (method, option) in [("patchcore", "--score"), ("padim", "--worst")] {
        let options = ["--method", method, "--smoothing", "2", "--size", "64"];
        let (code, _, stderr) = run(&mut fitting(&workshop, &data, method, &options));
        assert_eq!(code, 1);
        assert!(stderr.contains(&format!("give {option} too")), "{stderr}");
    }
}
