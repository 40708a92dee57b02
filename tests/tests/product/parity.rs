//! Tests that libtorch, onnxruntime and tract agree on the same weights.

use std::path::Path;
use std::process::Command;

use judge::Preparer;
use methods::image_score::{HeldOut, ImageScorer, SHARES};
use networks::resample::gaussian;
use networks::teacher::Teacher;
use networks::teacher::import::read_published;
use networks::{Network, Weights};
use shared_format::{Colour, FrameRange, Recipe, Size, Tiles};
use tch::{Device, Kind, Tensor};
use tests::images::part;
use tests::teachers::random_weights;
use trainer::channels::Channels;
use trainer::efficientad::{self, EfficientAdLayout, MAP_OUTPUTS, MapScale, Trained};
use trainer::flow::{self, Context, LevelFlow, LevelLayout, Whitening};
use trainer::level_maps::{self, LevelSums};
use trainer::residuals::{CELL, ResidualGaussians};
use trainer::stpm::{Comparison, LEVEL_OUTPUTS, Scoring, build_graph, combined};
use trainer::torch::{Compute, Frozen, TrainableChain, to_array};

/// Largest difference of raw level maps, as a share of their maximum.
const MAP_TOLERANCE: f32 = 1e-4;
/// Largest difference of scores, as a share of the normals' spread.
const SCORE_TOLERANCE: f32 = 0.01;
const NORMALS: u64 = 10;

#[test]
fn resnet18_agrees_in_three_engines() {
    agree("resnet18", Size { width: 128, height: 128 }, None, Judged::ByGaussians);
}

#[test]
fn efficientnet_lite0_agrees_in_three_engines() {
    agree("efficientnet-lite0", Size { width: 128, height: 128 }, None, Judged::ByGaussians);
}

#[test]
fn resnet50_agrees_in_three_engines() {
    agree("resnet50", Size { width: 96, height: 64 }, None, Judged::ByLength);
}

#[test]
fn efficientnet_lite2_agrees_in_three_engines() {
    agree("efficientnet-lite2", Size { width: 96, height: 64 }, None, Judged::ByLength);
}

#[test]
fn an_input_that_is_not_square_agrees() {
    agree("resnet18", Size { width: 192, height: 64 }, None, Judged::ByGaussians);
}

#[test]
fn the_default_teacher_agrees_at_full_size() {
    let Some(weights) =
        tests::optional_data("NOMINAL_WEIGHTS", "parity with the published EfficientNet-Lite0")
    else {
        return;
    };
    let (network, teacher) = read_published(&weights.join("efficientnet-lite0.pth")).unwrap();
    agree(network.name, Size { width: 256, height: 256 }, Some(teacher), Judged::ByGaussians);
}

#[test]
fn resnet18_agrees_at_full_size() {
    let Some(data) = tests::optional_data("NOMINAL_DATA", "parity with the published ResNet-18") else {
        return;
    };
    let file = data.join("teachers/resnet18_imagenet1k_v1_layer1-3_bnfolded.npz");
    let (network, teacher) = read_published(&file).unwrap();
    agree(network.name, Size { width: 256, height: 256 }, Some(teacher), Judged::ByGaussians);
}

#[test]
fn efficientad_agrees_in_three_engines() {
    agree_on_efficientad("pdn-xs", Size { width: 128, height: 128 });
}

#[test]
fn the_medium_efficientad_agrees_on_an_input_that_is_not_square() {
    agree_on_efficientad("pdn-m", Size { width: 160, height: 128 });
}

#[test]
fn efficientad_agrees_at_full_size() {
    agree_on_efficientad("pdn-s", Size { width: 256, height: 256 });
}

#[test]
fn efficientad_on_a_shared_trunk_agrees_in_three_engines() {
    agree_on_efficientad("efficientnet-lite0", Size { width: 128, height: 128 });
    agree_on_efficientad("resnet18", Size { width: 160, height: 128 });
}

#[test]
fn flows_agree_in_three_engines() {
    agree_on_flows("efficientnet-lite0", Size { width: 128, height: 128 }, Context::Position);
    agree_on_flows("efficientnet-lite0", Size { width: 96, height: 128 }, Context::Both);
    agree_on_flows("resnet18", Size { width: 160, height: 96 }, Context::Neighbours);
}

#[test]
fn the_papers_map_is_the_product_of_the_levels_and_its_maximum_the_score() {
    tch::set_num_threads(1);
    let input = Size { width: 96, height: 64 };
    let network = Network::by_name("resnet18").unwrap();
    let teacher = random_weights(&network, 1);
    let student = nearly(&teacher);
    let image = &inputs(input)[0];
    let comparison = Comparison::Directions;
    let [targets, levels] = features(&network, (&teacher, &student), &comparison, image, input);
    let levels = comparison.distances(&targets, &levels);
    let map = levels.iter().map(|level| level.upsample_bilinear2d([64, 96], false, None, None));
    let map = map.reduce(|product, level| product * level).unwrap();
    let onnx = build_graph(&network, &teacher, &student, (&comparison, &Scoring::Paper), input, false);
    let mut tract = judge::Network::load(&onnx, [1, 3, 64, 96], &["anomaly_map", "score"], 1).unwrap();
    let ours = tract.run(image).unwrap();
    close(&ours[0], &to_array(&map).data, "the paper's map");
    close(&ours[1], &[map.max().double_value(&[]) as f32], "the paper's score");
}

/// How a student's residuals are judged.
#[derive(Clone, Copy, PartialEq)]
enum Judged {
    ByLength,
    ByGaussians,
}

fn agree(network: &str, input: Size, teacher: Option<Weights>, judged: Judged) {
    tch::set_num_threads(1);
    let network = Network::by_name(network).unwrap();
    let teacher = teacher.unwrap_or_else(|| random_weights(&network, 1));
    let student = nearly(&teacher);
    let images = inputs(input);
    let compute = Compute { device: Device::Cpu, kind: Kind::Float };
    let batch: Vec<Tensor> = images.iter().map(|image| normalised(&network, image, input)).collect();
    let seen = Frozen::new(&network, &teacher, compute).levels(&Tensor::cat(&batch, 0));
    let comparison = Comparison::Channels(seen.iter().map(measured).collect());
    let features = |image: &Vec<f32>| features(&network, (&teacher, &student), &comparison, image, input);
    let gaussians = (judged == Judged::ByGaussians).then(|| {
        let [targets, student] = features(&images[1]);
        let residuals = comparison.residuals(&targets, &student);
        residuals.iter().map(|residual| any_gaussians(residual, input)).collect::<Vec<_>>()
    });
    let of = |image: &Vec<f32>| {
        let [targets, student] = features(image);
        let Some(gaussians) = &gaussians else { return comparison.distances(&targets, &student) };
        let residuals = comparison.residuals(&targets, &student);
        let levels = gaussians.iter().zip(&residuals);
        levels.map(|(gaussians, residual)| gaussians.load(Device::Cpu).distances(residual)).collect()
    };
    let levels: Vec<Vec<Tensor>> = images.iter().map(of).collect();
    let mean = |level: usize| {
        let sum = levels.iter().map(|levels| levels[level].mean(Kind::Double).double_value(&[])).sum::<f64>();
        (sum / levels.len() as f64) as f32
    };
    let scales: Vec<f32> = (0..network.levels.len()).map(mean).collect();
    let maps: Vec<Tensor> = levels.iter().map(|levels| combined(levels, &scales).unwrap()).collect();
    // The first part is stained, so it isn't a normal.
    let image_score = fitted(&maps[1..], 0, input);
    let scoring = Scoring::Common { gaussians, scales, image_score: Box::new(image_score.clone()) };
    let onnx = build_graph(&network, &teacher, &student, (&comparison, &scoring), input, true);

    let folder = tempfile::tempdir().unwrap();
    let python = tests::optional_data("NOMINAL_PYTHON", "onnx.checker and onnxruntime");
    let outputs = [&LEVEL_OUTPUTS[..], &["anomaly_map", "score"]].concat();
    let shape = [1, 3, input.height as usize, input.width as usize];
    let mut tract = judge::Network::load(&onnx, shape, &outputs, 1).unwrap();
    let mut scores = Vec::new();
    for (image, expected) in images.iter().zip(&levels) {
        let ours = tract.run(image).unwrap();
        for (level, (ours, expected)) in ours.iter().zip(expected).enumerate() {
            let expected = to_array(expected).data;
            close(ours, &expected, &format!("{} level {level}: tract against libtorch", network.name));
        }
        let theirs =
            python.as_deref().map(|python| onnxruntime(python, &onnx, image, &outputs, folder.path()));
        if let Some(theirs) = &theirs {
            for (name, (ours, theirs)) in outputs.iter().zip(ours.iter().zip(theirs)).take(4) {
                close(ours, theirs, &format!("{} {name}: tract against onnxruntime", network.name));
            }
        }
        scores.push((ours[4][0], theirs.map(|theirs| theirs[4][0])));
    }
    let mut normals: Vec<f32> = scores[1..].iter().map(|s| s.0).collect();
    normals.sort_by(f32::total_cmp);
    let spread = normals[normals.len() - 1] - normals[normals.len() / 2];
    assert!(spread > 0.0);
    let agree = |ours: f32, theirs: f32, engine: &str| {
        assert!(
            (ours - theirs).abs() <= SCORE_TOLERANCE * spread,
            "{engine}: {ours} against {theirs}, spread {spread}"
        );
    };
    for ((ours, theirs), map) in scores.into_iter().zip(&maps) {
        agree(ours, libtorch_score(map, &image_score), "libtorch");
        if let Some(theirs) = theirs {
            agree(ours, theirs, "onnxruntime");
        }
    }
}

/// Computes the common image score of a distance map with libtorch's own operators.
pub(super) fn libtorch_score(map: &Tensor, score: &ImageScorer) -> f32 {
    let standardised = (map.flatten(0, -1) - Tensor::from_slice(&score.positions.mean))
        / Tensor::from_slice(&score.positions.deviation);
    let told = SHARES.iter().zip(&score.shares).map(|(&share, usual)| {
        let count = (standardised.numel() * share).div_ceil(1000);
        let (worst, _) = standardised.topk(count as i64, 0, true, true);
        (worst.mean(Kind::Double).double_value(&[]) as f32 - usual.centre) / usual.spread
    });
    told.sum::<f32>() / SHARES.len() as f32
}

/// Fits the score to these maps of good parts, 1×1×h×w each.
fn fitted(maps: &[Tensor], margin: usize, input: Size) -> ImageScorer {
    let size = maps[0].size();
    let grid = [size[2] as usize, size[3] as usize];
    let parts = maps.iter().map(|map| vec![vec![to_array(map).data]]).collect();
    ImageScorer::fit(&HeldOut { grid, margin, tiles: Tiles::ONE, parts }, input, &mut |_| ()).unwrap().0
}

/// Compares teacher, student and autoencoder with random weights, in libtorch with its own operators and in the other
/// engines as exported.
fn agree_on_efficientad(network: &str, input: Size) {
    tch::set_num_threads(1);
    tch::manual_seed(3);
    let compute = Compute { device: Device::Cpu, kind: Kind::Float };
    let network = Network::by_name(network).unwrap();
    let layout = EfficientAdLayout::of(&network).unwrap();
    let weights = random_weights(&network, 1);
    let frozen = Frozen::new(&network, &weights, compute);
    let teacher = Teacher { name: "random".to_owned(), network: network.clone(), weights };
    let sides = [input.height as usize, input.width as usize];
    let student = TrainableChain::random(layout.student(), compute);
    let reproducer = TrainableChain::random(layout.autoencoder(input), compute);
    let mut images = inputs(input);
    // The larger networks take a second per frame.
    images.truncate(4);
    let tensors: Vec<Tensor> = images.iter().map(|image| normalised(&network, image, input)).collect();

    let levels = frozen.levels(&Tensor::cat(&tensors, 0));
    let channels = measured(&layout.target(&levels));
    let trunk = layout.trunk().map(|_| measured(&levels[0]));
    let half = layout.features() as i64;
    // The unscaled maps.
    let raw: Vec<[Tensor; 2]> = tensors
        .iter()
        .map(|image| {
            let levels = frozen.levels(image);
            let target = channels.normalise(&layout.target(&levels));
            let entry =
                trunk.as_ref().map_or_else(|| image.shallow_clone(), |trunk| trunk.normalise(&levels[0]));
            let (both, reproduced) =
                tch::no_grad(|| (student.forward(&entry, false), reproducer.forward(image, false)));
            let distance = |a: &Tensor, first: i64| {
                (a - both.narrow(1, first, half)).square().mean_dim([1i64].as_slice(), true, Kind::Float)
            };
            [distance(&target, 0), distance(&reproduced, half)]
        })
        .collect();
    let scales = [0, 1].map(|map| {
        MapScale::new(raw[1..].iter().flat_map(|maps: &[Tensor; 2]| to_array(&maps[map]).data).collect())
    });
    let mut weights = Weights::new();
    student.add_to(&mut weights, "student.");
    reproducer.add_to(&mut weights, "autoencoder.");
    let mut trained = Trained { layout, weights, channels, trunk, scales, image_score: None };
    let onnx = efficientad::build_graph(&teacher, &trained, input, 1.0).unwrap();

    let outputs = [&MAP_OUTPUTS[..], &["anomaly_map", "score"]].concat();
    let mut tract = judge::Network::load(&onnx, [1, 3, sides[0], sides[1]], &outputs, 1).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let python = tests::optional_data("NOMINAL_PYTHON", "onnx.checker and onnxruntime");
    let mut scores = Vec::new();
    let mut means = Vec::new();
    for (image, raw) in images.iter().zip(&raw) {
        let scaled = [0, 1].map(|map| {
            let MapScale { low, high } = scales[map];
            (&raw[map] - f64::from(low)) * (0.1 / f64::from(high - low))
        });
        let share = f64::from(layout.logical_share());
        let mean = &scaled[0] * (1.0 - share) + &scaled[1] * share;
        let grid = sides.map(|side| side as i64);
        let surrounded = match layout {
            EfficientAdLayout::Patches(_) => mean.constant_pad_nd([4, 4, 4, 4]),
            EfficientAdLayout::Trunk { .. } => smoothed(&mean),
        };
        let map = surrounded.upsample_bilinear2d(grid, false, None, None);
        let score = mean.max().double_value(&[]) as f32;
        let ours = tract.run(image).unwrap();
        let others = python.as_deref().map(|p| onnxruntime(p, &onnx, image, &outputs, folder.path()));
        let expected = [to_array(&raw[0]).data, to_array(&raw[1]).data, to_array(&map).data];
        let unscaled = |values: &[f32], map: usize| match scales.get(map) {
            Some(scale) => values.iter().map(|x| x / scale.factor() + scale.low).collect(),
            None => values.to_vec(),
        };
        for (at, expected) in expected.iter().enumerate() {
            let what = format!("{} {}: ", network.name, outputs[at]);
            close(&unscaled(&ours[at], at), expected, &format!("{what}tract against libtorch"));
            if let Some(others) = &others {
                close(&unscaled(&others[at], at), expected, &format!("{what}onnxruntime against libtorch"));
            }
        }
        scores.push((ours[3][0], score, others.map(|others| others[3][0])));
        means.push(mean);
    }
    let image_score = fitted(&means[1..], layout.margin(), input);
    trained.image_score = Some(image_score.clone());
    let onnx = efficientad::build_graph(&teacher, &trained, input, 1.0).unwrap();
    let mut tract =
        judge::Network::load(&onnx, [1, 3, sides[0], sides[1]], &["anomaly_map", "score"], 1).unwrap();
    let common: Vec<[f32; 2]> = images
        .iter()
        .zip(&means)
        .map(|(image, mean)| {
            let ours = tract.run(image).unwrap();
            assert_eq!(ours[0].len(), sides[0] * sides[1]);
            [ours[1][0], libtorch_score(mean, &image_score)]
        })
        .collect();
    for [ours, theirs] in &common {
        let tolerance = SCORE_TOLERANCE * (common[0][1] - common[1][1]).abs().max(1.0);
        assert!((ours - theirs).abs() <= tolerance, "{}: {common:?}", network.name);
    }
    let mut normals: Vec<f32> = scores[1..].iter().map(|s| s.1).collect();
    normals.sort_by(f32::total_cmp);
    let spread = normals[normals.len() - 1] - normals[normals.len() / 2];
    assert!(spread > 0.0);
    for (ours, libtorch, onnxruntime) in scores {
        for theirs in [Some(libtorch), onnxruntime].into_iter().flatten() {
            let difference = (ours - theirs).abs();
            // Untrained networks give all images the same score, up to a few roundings.
            let rounding = 8.0 * f32::EPSILON * theirs.abs();
            let tolerance = (SCORE_TOLERANCE * spread).max(rounding);
            assert!(difference <= tolerance, "{ours} against {theirs}, spread {spread}");
        }
    }
}

/// Compares flows whose blocks scale and shift at random, in libtorch with its own operators and in the other engines as exported.
fn agree_on_flows(network: &str, input: Size, context: Context) {
    tch::set_num_threads(1);
    tch::manual_seed(7);
    let compute = Compute { device: Device::Cpu, kind: Kind::Float };
    let network = Network::by_name(network).unwrap();
    let weights = random_weights(&network, 1);
    let frozen = Frozen::new(&network, &weights, compute);
    let teacher = Teacher { name: "random".to_owned(), network: network.clone(), weights };
    let mut images = inputs(input);
    images.truncate(4);
    let seen: Vec<Vec<Tensor>> =
        images.iter().map(|image| frozen.levels(&normalised(&network, image, input))).collect();
    // With the stained part, which would otherwise lie so far away that nothing else is compared.
    let all = |level: usize| Tensor::cat(&seen.iter().map(|of| &of[level]).collect::<Vec<_>>(), 0);
    let flows: Vec<LevelFlow> = (0..network.levels.len())
        .map(|level| {
            let features = all(level);
            let [_, channels, rows, columns] = features.size()[..] else { panic!("not four axes") };
            let grid = [rows as usize, columns as usize];
            let layout = LevelLayout { channels: channels as usize, grid, context, couplings: 4 };
            let mut flow = LevelFlow::new(layout, Kind::Float, Device::Cpu);
            flow.whitening = Whitening::of(&features);
            let second = flow.couplings.iter_mut().flat_map(|coupling| &mut coupling.second);
            tch::no_grad(|| second.for_each(|values| drop(values.normal_(0.0, 0.05))));
            flow
        })
        .collect();
    let of = |levels: &Vec<Tensor>| -> Vec<Tensor> {
        let pairs = flows.iter().zip(levels);
        tch::no_grad(|| pairs.map(|(flow, level)| flow.negative_log_likelihood(level)).collect())
    };
    let raw: Vec<Vec<Tensor>> = seen.iter().map(of).collect();
    let scales: Vec<_> = (0..flows.len())
        .map(|level| {
            let mut sums = LevelSums::default();
            raw[1..].iter().for_each(|of| sums.add(&of[level]));
            sums.scale().unwrap()
        })
        .collect();
    let maps: Vec<Tensor> = raw.iter().map(|levels| level_maps::combined(levels, &scales).unwrap()).collect();
    let image_score = fitted(&maps[1..], 0, input);
    let scoring = flow::Scoring { scales, image_score };
    let onnx = flow::build_graph(flow::teacher_graph(&teacher, input), &flows, &scoring, input, true);

    let outputs = [&flow::LEVEL_OUTPUTS[..], &["anomaly_map", "score"]].concat();
    let shape = [1, 3, input.height as usize, input.width as usize];
    let mut tract = judge::Network::load(&onnx, shape, &outputs, 1).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let python = tests::optional_data("NOMINAL_PYTHON", "onnx.checker and onnxruntime");
    let mut scores = vec![];
    for ((image, levels), map) in images.iter().zip(&raw).zip(&maps) {
        let ours = tract.run(image).unwrap();
        let theirs = python.as_deref().map(|p| onnxruntime(p, &onnx, image, &outputs, folder.path()));
        for (at, level) in levels.iter().enumerate() {
            let what = format!("{} {context:?} level {}", network.name, at + 1);
            let expected = to_array(level).data;
            close(&ours[at], &expected, &format!("{what}: tract against libtorch"));
            if let Some(theirs) = &theirs {
                close(&theirs[at], &expected, &format!("{what}: onnxruntime against libtorch"));
            }
        }
        if let Some(theirs) = &theirs {
            close(
                &ours[3],
                &theirs[3],
                &format!("{} {context:?} map: tract against onnxruntime", network.name),
            );
        }
        scores.push((
            ours[4][0],
            libtorch_score(map, &scoring.image_score),
            theirs.map(|theirs| theirs[4][0]),
        ));
    }
    let mut normals: Vec<f32> = scores[1..].iter().map(|s| s.1).collect();
    normals.sort_by(f32::total_cmp);
    let spread = normals[normals.len() - 1] - normals[normals.len() / 2];
    assert!(spread > 0.0);
    for (ours, libtorch, onnxruntime) in scores {
        for theirs in [Some(libtorch), onnxruntime].into_iter().flatten() {
            // The stained part may be thousands of spreads away: its score is as exact as its map.
            let tolerance = (SCORE_TOLERANCE * spread).max(MAP_TOLERANCE * theirs.abs());
            assert!((ours - theirs).abs() <= tolerance, "{ours} against {theirs}, spread {spread}");
        }
    }
}

/// Computes the mean and the deviation of each channel.
fn measured(features: &Tensor) -> Channels {
    let features = features.to_kind(Kind::Double);
    let over = [0i64, 2, 3];
    let mean = features.mean_dim(over.as_slice(), true, Kind::Double);
    let squares = (&features - &mean).square().sum_dim_intlist(over.as_slice(), false, Kind::Double);
    let list = |x: &Tensor| -> Vec<f64> { to_array(x).data.into_iter().map(f64::from).collect() };
    let size = features.size();
    Channels::new(&list(&mean), &list(&squares), (size[0] * size[2] * size[3]) as f64)
}

/// Smooths by a Gaussian of one position.
fn smoothed(map: &Tensor) -> Tensor {
    let [rows, columns] = [map.size()[2], map.size()[3]].map(|side| side as usize);
    let values = gaussian(rows, 1.0).apply(&to_array(map).data, &gaussian(columns, 1.0));
    Tensor::from_slice(&values).reshape([1, 1, rows as i64, columns as i64])
}

pub(super) fn normalised(network: &Network, image: &[f32], input: Size) -> Tensor {
    let channel = |values: [f32; 3]| Tensor::from_slice(&values).reshape([1, 3, 1, 1]);
    let image = Tensor::from_slice(image).reshape([1, 3, i64::from(input.height), i64::from(input.width)]);
    (image - channel(network.mean)) / channel(network.std)
}

/// Returns a student with almost its teacher's weights, as if trained.
fn nearly(teacher: &Weights) -> Weights {
    let mut student = teacher.clone();
    for (index, array) in student.values_mut().enumerate() {
        for (at, x) in array.data.iter_mut().enumerate() {
            *x *= 1.0 + 0.1 * ((at * 7 + index) as f32).sin();
        }
    }
    student
}

pub(super) fn inputs(input: Size) -> Vec<Vec<f32>> {
    let size = Size { width: 300, height: 200 };
    let frames = FrameRange { min: size, max: size };
    let mut preparer = Preparer::new(Recipe {
        input,
        roi: None,
        tiles: Tiles::ONE,
        colour: Colour::Grey,
        frames,
        alignment: None,
        ignore: None,
        reference_patch: None,
    });
    (0..NORMALS)
        .map(|seed| {
            let mut planes = Vec::new();
            preparer.prepare(&part(size, seed, seed == 0), &mut planes).unwrap();
            planes
        })
        .collect()
}

/// Computes the teacher's and the student's features that are compared.
fn features(
    network: &Network,
    (teacher, student): (&Weights, &Weights),
    comparison: &Comparison,
    image: &[f32],
    input: Size,
) -> [Vec<Tensor>; 2] {
    let compute = Compute { device: Device::Cpu, kind: Kind::Float };
    let image = normalised(network, image, input);
    let [teacher, student] =
        [teacher, student].map(|weights| Frozen::new(network, weights, compute).levels(&image));
    [comparison.targets(&teacher), student]
}

/// Returns Gaussians for residuals of this shape, different at each position and in each cell.
fn any_gaussians(residual: &Tensor, input: Size) -> ResidualGaussians {
    let shape = [1, 2, 3].map(|axis| residual.size()[axis] as usize);
    let [channels, rows, columns] = shape;
    let side = rows * CELL / input.height as usize;
    let values = |count: usize, scale: f32| -> Vec<f32> {
        (0..count).map(|at| scale * (at as f32 * 0.37).sin()).collect()
    };
    let mut whitening = values(rows / side * (columns / side) * channels * channels, 0.1);
    for (at, value) in whitening.iter_mut().enumerate() {
        if at % (channels * channels) % (channels + 1) == 0 {
            *value += 1.0;
        }
    }
    let mean = values(channels * rows * columns, 0.2 * residual.std(false).double_value(&[]) as f32);
    ResidualGaussians { shape, side, mean, whitening }
}

pub(super) fn onnxruntime(
    python: &Path,
    onnx: &[u8],
    image: &[f32],
    outputs: &[&str],
    folder: &Path,
) -> Vec<Vec<f32>> {
    let [model, source, target] = ["model.onnx", "image.f32", "out.json"].map(|name| folder.join(name));
    std::fs::write(&model, onnx).unwrap();
    std::fs::write(&source, image.iter().flat_map(|x| x.to_le_bytes()).collect::<Vec<u8>>()).unwrap();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/python/run_onnx.py");
    tests::succeed(Command::new(python).arg(script).args([&model, &source, &target]));
    let json: serde_json::Value = serde_json::from_slice(&std::fs::read(&target).unwrap()).unwrap();
    let values =
        |name: &&str| json[*name].as_array().unwrap().iter().map(|x| x.as_f64().unwrap() as f32).collect();
    outputs.iter().map(values).collect()
}

pub(super) fn close(ours: &[f32], theirs: &[f32], what: &str) {
    assert_eq!(ours.len(), theirs.len(), "{what}");
    let largest = theirs.iter().fold(0f32, |m, x| m.max(x.abs()));
    assert!(largest > 0.0, "{what}: nothing to compare");
    let difference = ours.iter().zip(theirs).fold(0f32, |m, (a, b)| m.max((a - b).abs()));
    assert!(difference <= MAP_TOLERANCE * largest, "{what}: {difference:e} of {largest:e}");
}
