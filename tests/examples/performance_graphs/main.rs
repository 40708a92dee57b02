//! Writes the networks whose speed is compared with other engines' into a folder, and below it, in `frames`, whole frames with bundles:
//! `performance_graphs FOLDER`.
//!
//! Weights are random, and students are close to their teachers where possible: speed doesn't depend on them.

mod default_method;
mod frames;

use std::path::Path;

use bundle::seeded::Seeded;
use methods::features::Projection;
use methods::image_score::ImageScorer;
use methods::patchcore;
use methods::smoothing::SMOOTHING;
use networks::teacher::Teacher;
use networks::{Network, Weights};
use shared_format::Size;
use tests::teachers::random_weights;
use trainer::channels::Channels;
use trainer::efficientad::{self, EfficientAdLayout, MapScale, Trained};
use trainer::stpm::{self, Comparison, Scoring};
use trainer::torch::{Compute, TrainableChain};

const INPUT: Size = Size { width: 256, height: 256 };
/// As many pixels in the shape of a long part.
const LONG: Size = Size { width: 416, height: 160 };

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = std::env::args_os().nth(1).ok_or("usage: performance_graphs FOLDER")?;
    let folder = Path::new(&folder);
    for name in ["resnet18", "efficientnet-lite0"] {
        let network = Network::by_name(name).ok_or("no such network")?;
        let teacher = random_weights(&network, 1);
        for side in [128, 256, 384, 512] {
            let scales = vec![0.1; network.levels.len()];
            let image_score = Box::new(ImageScorer::plain([side / 4, side / 4]));
            let scoring = Scoring::Common { gaussians: None, scales, image_score };
            let input = Size { width: side as u32, height: side as u32 };
            let student = nearly(&teacher);
            let channels = network.levels.iter().filter_map(|&level| network.channels(level)).map(plain);
            let comparison = Comparison::Channels(channels.collect());
            let graph = (&comparison, &scoring);
            let onnx = stpm::build_graph(&network, &teacher, &student, graph, input, false);
            std::fs::write(folder.join(format!("stpm-{name}-{side}.onnx")), onnx)?;
        }
    }
    for (name, teacher) in [("s", "pdn-s"), ("xs", "pdn-xs"), ("lite0", "efficientnet-lite0")] {
        std::fs::write(folder.join(format!("efficientad-{name}-256.onnx")), efficientad(teacher)?)?;
    }
    std::fs::write(folder.join("patchcore-resnet18-256.onnx"), patchcore()?)?;
    for (name, input) in [("256", INPUT), ("416x160", LONG)] {
        let file = format!("local-gaussians-efficientnet-lite0-{name}.onnx");
        std::fs::write(folder.join(file), default_method::onnx(input)?)?;
    }
    frames::write(&folder.join("frames"))
}

/// Channels without measured statistics.
fn plain(count: usize) -> Channels {
    Channels { mean: vec![0.0; count], deviation: vec![1.0; count] }
}

/// Builds PatchCore with the default bank of 512 KiB.
fn patchcore() -> Result<Vec<u8>, Box<dyn std::error::Error>> {
    let (channels, dimensions, entries, side) = (128 + 256, 128, 1016, 32);
    let network = Network::by_name("resnet18").ok_or("no such network")?;
    let weights = random_weights(&network, 1);
    let teacher = Teacher { name: "resnet18".to_owned(), network, weights };
    let mut random = Seeded::new(4, 0);
    let matrix = Projection::orthonormal(channels, dimensions, &mut random);
    let bank = (0..entries * dimensions).map(|_| random.below(1 << 16) as f32 / 65536.0 - 0.5).collect();
    let model = patchcore::Model {
        projection: Projection { outputs: dimensions, mean: vec![0.1; channels], matrix },
        bank,
        neighbours: 1,
        score: None,
        smoothing: SMOOTHING,
    };
    Ok(patchcore::build(&teacher, &model, INPUT, Some(&ImageScorer::plain([side, side]))))
}

fn nearly(teacher: &Weights) -> Weights {
    let mut student = teacher.clone();
    for (index, array) in student.values_mut().enumerate() {
        for (at, x) in array.data.iter_mut().enumerate() {
            *x *= 1.0 + 0.1 * ((at * 7 + index) as f32).sin();
        }
    }
    student
}

fn efficientad(teacher: &str) -> Result<Vec<u8>, Box<dyn std::error::Error>> {
    tch::manual_seed(3);
    let compute = Compute { device: tch::Device::Cpu, kind: tch::Kind::Float };
    let network = Network::by_name(teacher).ok_or("no such network")?;
    let layout = EfficientAdLayout::of(&network).ok_or("not a teacher for efficientad")?;
    let mut weights = Weights::new();
    TrainableChain::random(layout.student(), compute).add_to(&mut weights, "student.");
    TrainableChain::random(layout.autoencoder(INPUT), compute).add_to(&mut weights, "autoencoder.");
    let (trunk, scales) = (layout.trunk().map(plain), [MapScale { low: 0.0, high: 1.0 }; 2]);
    let side = INPUT.width as usize / if trunk.is_some() { 8 } else { 4 } - 2 * layout.margin();
    let image_score = Some(ImageScorer { margin: layout.margin(), ..ImageScorer::plain([side, side]) });
    let channels = plain(layout.features());
    let trained = Trained { layout, weights, channels, trunk, scales, image_score };
    let weights = random_weights(&network, 1);
    let teacher = Teacher { name: teacher.to_owned(), network, weights };
    Ok(efficientad::build_graph(&teacher, &trained, INPUT, SMOOTHING)?)
}
