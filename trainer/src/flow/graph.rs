//! Builds the exported model: image → teacher → flows → negative_log_likelihoods → anomaly map and score.

use networks::onnx::{GraphBuilder, Value};
use networks::teacher::Teacher;
use networks::{normalise, to_onnx, without_negligible};
use shared_format::Size;
use tch::Tensor;

use super::coupling::{CLAMP, Coupling};
use super::level::LevelFlow;
use super::maps::Scoring;
use crate::level_maps::add_combined;
use crate::torch::to_array;

/// Names of the additional outputs that a graph with levels has: the negative_log_likelihoods, 1×1×h×w each, finest first.
pub const LEVEL_OUTPUTS: [&str; 3] = ["level_1", "level_2", "level_3"];

/// Adds the teacher to a new graph for input size `input`; returns the graph and the teacher's levels.
#[must_use]
pub fn teacher_graph(teacher: &Teacher, input: Size) -> (GraphBuilder, Vec<Value>) {
    let mut graph = GraphBuilder::new("flow");
    let image = graph.input("image", &[1, 3, input.height as usize, input.width as usize]);
    let normalised = normalise(&teacher.network, &mut graph, &image);
    let levels = to_onnx(&teacher.network, &teacher.weights, &mut graph, &normalised, "teacher.");
    (graph, levels)
}

/// Completes the model from [`teacher_graph`]'s result. `with_levels` adds [`LEVEL_OUTPUTS`].
///
/// With uₗ the negative_log_likelihood of level l (see [`LevelFlow::negative_log_likelihood`]), mₗ and dₗ its mean and deviation on good parts, and Uₗ its
/// bilinear resizing, `anomaly_map` and `score` are those that all methods compute from a map ([`methods::image_score`]), here of the mean
/// over the levels of Uₗ (uₗ − mₗ) / dₗ on the finest grid.
#[must_use]
pub fn build(
    (mut graph, levels): (GraphBuilder, Vec<Value>),
    flows: &[LevelFlow],
    scoring: &Scoring,
    input: Size,
    with_levels: bool,
) -> Vec<u8> {
    let g = &mut graph;
    let mut maps = vec![];
    for (index, (level, flow)) in levels.iter().zip(flows).enumerate() {
        let name = format!("level_{}", index + 1);
        let negative_log_likelihood = negative_log_likelihood(g, level, flow, &name);
        if let (true, Some(name)) = (with_levels, LEVEL_OUTPUTS.get(index)) {
            g.output(name, &negative_log_likelihood);
        }
        maps.push(negative_log_likelihood);
    }
    if let Some(map) = add_combined(g, &maps, &scoring.scales) {
        scoring.image_score.add(g, &map, None, input);
    }
    graph.finish()
}

/// Adds a level's negative_log_likelihood, 1×1×h×w.
fn negative_log_likelihood(g: &mut GraphBuilder, level: &Value, flow: &LevelFlow, name: &str) -> Value {
    let mut x = level.clone();
    let mut log_determinant: Option<Value> = None;
    // The whitening is part of the first rotation.
    let mut before = Some((&flow.whitening.matrix, &flow.whitening.offset));
    for (index, coupling) in flow.couplings.iter().enumerate() {
        let name = format!("{name}.coupling_{}", index + 1);
        let (matrix, offset) = match before.take() {
            Some((matrix, offset)) => (
                coupling.rotation.matmul(matrix),
                Some(coupling.rotation.matmul(&offset.unsqueeze(1)).squeeze_dim(1)),
            ),
            None => (coupling.rotation.shallow_clone(), None),
        };
        let [y, scale] = block(g, &x, coupling, (&matrix, offset.as_ref()), &flow.encodings, &name);
        let summand = g.sum_channels(&scale);
        log_determinant = Some(match log_determinant {
            Some(sum) => g.add(&sum, &summand),
            None => summand,
        });
        x = y;
    }
    let square = g.mul(&x, &x);
    let squares = g.sum_channels(&square);
    let half = g.scalar(0.5);
    let halved = g.mul(&squares, &half);
    let sum = match log_determinant {
        Some(log_determinant) => g.sub(&halved, &log_determinant),
        None => halved,
    };
    let share = g.scalar(1.0 / flow.channels() as f32);
    g.mul(&sum, &share)
}

/// Adds a block, whose rotation is `matrix` x + `offset`; returns its result and the logarithms of its scales.
fn block(
    g: &mut GraphBuilder,
    x: &Value,
    coupling: &Coupling,
    (matrix, offset): (&Tensor, Option<&Tensor>),
    encodings: &[Tensor; 2],
    name: &str,
) -> [Value; 2] {
    let layout = coupling.layout();
    let (kept, changed) = (layout.kept() as i64, layout.changed() as i64);
    let matrix = matrix.unsqueeze(-1).unsqueeze(-1);
    let zeros = coupling.rotation.select(1, 0).zeros_like();
    let offset = offset.unwrap_or(&zeros);
    let mut convolved = |x: &Value, weight: &Tensor, bias: &Tensor, what: &str| {
        let padding = weight.size()[2] as usize / 2;
        let [weight, bias] = [(weight, "weight"), (bias, "bias")]
            .map(|(x, part)| constant(g, x, &format!("{name}.{what}.{part}")));
        g.conv(x, &weight, &bias, 1, (padding, padding), 1)
    };
    // Rows of a matrix instead of channels of its result: no engine has to copy them.
    let a = convolved(x, &matrix.narrow(0, 0, kept), &offset.narrow(0, 0, kept), "kept");
    let b = convolved(x, &matrix.narrow(0, kept, changed), &offset.narrow(0, kept, changed), "changed");
    let hidden = convolved(&a, &coupling.first[0], &coupling.first[1], "first");
    let hidden = match coupling.position_terms(encodings) {
        Some([rows, columns]) => {
            let rows = constant(g, &rows, &format!("{name}.rows"));
            let columns = constant(g, &columns, &format!("{name}.columns"));
            let with_rows = g.add(&hidden, &rows);
            g.add(&with_rows, &columns)
        }
        None => hidden,
    };
    let hidden = g.relu(&hidden);
    let [weight, bias] = &coupling.second;
    let mut convolved = |first: i64, factor: f64, what: &str| {
        let padding = weight.size()[2] as usize / 2;
        let [weight, bias] = [(weight, "weight"), (bias, "bias")].map(|(x, part)| {
            constant(g, &(x.narrow(0, first, changed) * factor), &format!("{name}.{what}.{part}"))
        });
        g.conv(&hidden, &weight, &bias, 1, (padding, padding), 1)
    };
    let (unclamped, shift) = (convolved(0, 1.0 / CLAMP, "scale"), convolved(changed, 1.0, "shift"));
    let bounded = g.tanh(&unclamped);
    let clamp = g.scalar(CLAMP as f32);
    let scale = g.mul(&bounded, &clamp);
    let factor = g.exp(&scale);
    let scaled = g.mul(&b, &factor);
    let shifted = g.add(&scaled, &shift);
    [g.concat_channels(&[a, shifted]), scale]
}

fn constant(g: &mut GraphBuilder, values: &Tensor, name: &str) -> Value {
    let array = to_array(values);
    g.constant(name, &array.shape, &without_negligible(&array.data))
}
