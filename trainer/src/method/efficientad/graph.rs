//! The exported model: image → teacher, student and autoencoder → two maps → anomaly map and score.

use fit::network::{Array, Chain, Network, PdnSize, Step, Weights, autoencoder, normalise, to_onnx};
use fit::onnx::{GraphBuilder, Value};
use fit::resample::{bilinear, zero_padded};
use shared_format::Size;

use super::statistics::{Channels, MapScale};

/// Names of the outputs beside `anomaly_map` and `score`: where the student differs from the teacher, and where from the
/// autoencoder; 1×1×h×w each, 0 at the 0.9 quantile of the selection images and 0.1 at the 0.995 quantile.
pub const MAP_OUTPUTS: [&str; 2] = ["map_structural", "map_logical"];
/// Positions that a padded network would have more on each side: the map's margin has no features.
const MARGIN: usize = 4;

/// What training leaves behind.
#[derive(Debug, Clone, PartialEq)]
pub struct Trained {
    /// The networks' size.
    pub size: PdnSize,
    /// `student.…` and `autoencoder.…`.
    pub weights: Weights,
    /// The teacher's channels.
    pub channels: Channels,
    /// The scales of [`MAP_OUTPUTS`].
    pub scales: [MapScale; 2],
}

impl Trained {
    /// From a run's state.
    ///
    /// # Errors
    /// Names what is missing or out of range.
    pub fn from_state(size: PdnSize, state: Weights) -> Result<Self, String> {
        let channels = Channels::from_state(&state, size.features())?;
        let [structural, logical] = MAP_OUTPUTS.map(|name| MapScale::from_state(&state, name));
        Ok(Self { size, weights: state, channels, scales: [structural?, logical?] })
    }
}

/// Builds the ONNX model for input size `input`.
///
/// With T̂ the teacher's features, scaled to mean 0 and deviation 1, S and S′ the two halves of the student's and A the
/// autoencoder's:
/// * `map_structural` = 0.1 (m − q₀.₉) / (q₀.₉₉₅ − q₀.₉), m = mean over the channels of (T̂ − S)²; `map_logical` is the
///   same of (A − S′)²;
/// * `score` = maximum of their average;
/// * `anomaly_map` = their average, 4 zeros around it, resized to the image.
///
/// # Errors
/// Names a tensor that is missing or misshapen.
pub fn build(
    network: &Network,
    teacher: &Weights,
    trained: &Trained,
    input: Size,
) -> Result<Vec<u8>, String> {
    let sides = [input.height as usize, input.width as usize];
    let mut graph = GraphBuilder::new("efficientad");
    let g = &mut graph;
    let image = g.input("image", &[1, 3, sides[0], sides[1]]);
    let image = normalise(network, g, &image);
    let teacher = scaled(network, teacher, &trained.channels)?;
    let teacher = to_onnx(network, &teacher, g, &image, "teacher.");
    let student = student(g, trained, &image)?;
    let features = trained.size.features();
    let reproduced = autoencoder(sides, features).to_onnx(&trained.weights, g, &image, "autoencoder.")?;
    let pairs = teacher.iter().chain([&reproduced]).zip(&student);
    let mut maps = Vec::new();
    for (((a, b), scale), name) in pairs.zip(&trained.scales).zip(MAP_OUTPUTS) {
        let map = scaled_distance(g, (a, b), scale, features);
        g.output(name, &map);
        maps.push(map);
    }
    if let [structural, logical] = &maps[..] {
        let sum = g.add(structural, logical);
        let half = g.scalar(0.5);
        let average = g.mul(&sum, &half);
        let [rows, columns] = [0, 1].map(|axis| {
            let length = average.shape()[2 + axis];
            bilinear(length + 2 * MARGIN, sides[axis]).after(&zero_padded(length, MARGIN))
        });
        let map = g.resample(&average, &rows, &columns);
        g.output("anomaly_map", &map);
        // Before the zeros are put around it, which would hide that a whole map is below 0.
        let score = g.mean_of_largest(&average, 1);
        g.output("score", &score);
    }
    Ok(graph.finish())
}

/// The teacher's weights with its channels' scaling in the last convolution.
fn scaled(network: &Network, teacher: &Weights, channels: &Channels) -> Result<Weights, String> {
    let mut weights = teacher.clone();
    let last = network.convs().last().map(|conv| conv.name.clone()).unwrap_or_default();
    let mut change = |part: &str, f: &dyn Fn(f64, usize) -> f64| {
        let name = format!("{last}.{part}");
        let array = weights.get_mut(&name).ok_or_else(|| format!("the teacher has no tensor `{name}`"))?;
        let per_channel = (array.data.len() / channels.mean.len()).max(1);
        for (channel, values) in array.data.chunks_mut(per_channel).enumerate() {
            for value in values {
                *value = (f(f64::from(*value), channel) / f64::from(channels.deviation[channel])) as f32;
            }
        }
        Ok::<_, String>(())
    };
    change("weight", &|w, _| w)?;
    change("bias", &|b, channel| b - f64::from(channels.mean[channel]))?;
    Ok(weights)
}

/// The halves of the student's features: one trunk, and its last convolution as two.
fn student(g: &mut GraphBuilder, trained: &Trained, image: &Value) -> Result<[Value; 2], String> {
    let Chain { mut steps } = trained.size.student();
    let Some(Step::Conv(last)) = steps.pop() else { return Err("the student has no layers".to_owned()) };
    let trunk = Chain { steps }.to_onnx(&trained.weights, g, image, "student.")?;
    let mut half = |index: usize| {
        let mut constant = |part: &str, shape: &[usize]| {
            let name = format!("student.{}.{part}", last.name);
            let array: &Array =
                trained.weights.get(&name).ok_or_else(|| format!("it has no tensor `{name}`"))?;
            if array.shape != shape {
                return Err(format!("its tensor `{name}` has shape {:?}, not {shape:?}", array.shape));
            }
            let count = array.data.len() / 2;
            let mut halved = shape.to_vec();
            halved[0] /= 2;
            Ok(g.constant(&format!("{name}.{index}"), &halved, &array.data[index * count..][..count]))
        };
        let (weight, bias) = (constant("weight", &last.weight_shape())?, constant("bias", &[last.outputs])?);
        Ok::<_, String>(g.conv(&trunk, &weight, &bias, last.stride, (last.padding, last.padding), 1))
    };
    Ok([half(0)?, half(1)?])
}

/// The mean over the channels of (a − b)², by the scale.
fn scaled_distance(
    g: &mut GraphBuilder,
    (a, b): (&Value, &Value),
    scale: &MapScale,
    channels: usize,
) -> Value {
    let difference = g.sub(a, b);
    let square = g.mul(&difference, &difference);
    let sum = g.sum_channels(&square);
    // The mean's division and the scale are one factor.
    let factor = g.scalar(scale.factor() / channels as f32);
    let offset = g.scalar(scale.low * scale.factor());
    let scaled = g.mul(&sum, &factor);
    g.sub(&scaled, &offset)
}
