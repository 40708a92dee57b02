//! Features of a part as a whole: the mean and the maximum of each channel over all positions.

use networks::onnx::{GraphBuilder, Value};
use networks::resample::bilinear;
use shared_format::Size;

/// Minimum deviation of a channel, as a share of the channels' mean magnitude: a channel that never varies must
/// not decide alone.
const MIN_DEVIATION: f64 = 1e-4;

/// Computes the mean of each channel over all positions.
pub(crate) fn mean_vector(vectors: &[f32], channels: usize) -> Vec<f64> {
    let positions = (vectors.len() / channels).max(1) as f64;
    let mut mean = vec![0.0; channels];
    for vector in vectors.chunks_exact(channels) {
        mean.iter_mut().zip(vector).for_each(|(m, &x)| *m += f64::from(x) / positions);
    }
    mean
}

/// Computes the maximum of each channel over all positions.
pub(crate) fn largest_vector(vectors: &[f32], channels: usize) -> Vec<f64> {
    let mut largest = vec![f64::NEG_INFINITY; channels];
    for vector in vectors.chunks_exact(channels) {
        largest.iter_mut().zip(vector).for_each(|(l, &x)| *l = l.max(f64::from(x)));
    }
    largest
}

/// Adds the mean of each channel: 1×channels×h×w → 1×channels.
pub(crate) fn add_mean_vector(graph: &mut GraphBuilder, features: &Value) -> Value {
    let [channels, rows, columns] = [features.shape()[1], features.shape()[2], features.shape()[3]];
    let by_channel = graph.reshape(features, &[1, channels, rows * columns]);
    graph.mean_of_last(&by_channel)
}

/// Adds the maximum of each channel: 1×channels×h×w → 1×channels.
pub(crate) fn add_largest_vector(graph: &mut GraphBuilder, features: &Value) -> Value {
    let [channels, rows, columns] = [features.shape()[1], features.shape()[2], features.shape()[3]];
    let by_channel = graph.reshape(features, &[1, channels, rows * columns]);
    graph.largest_of_last(&by_channel)
}

/// Adds the outputs of a model that doesn't localise: `score` (1), and `anomaly_map`, which repeats it everywhere.
pub(crate) fn add_score_everywhere(graph: &mut GraphBuilder, score: &Value, input: Size) {
    let everywhere = graph.reshape(score, &[1, 1, 1, 1]);
    let [rows, columns] = [input.height, input.width].map(|side| bilinear(1, side as usize));
    let map = graph.resample(&everywhere, &rows, &columns);
    graph.output("anomaly_map", &map);
    graph.output("score", score);
}

/// Mean and deviation of each channel over samples.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ChannelStats {
    pub mean: Vec<f64>,
    pub variance: Vec<f64>,
    /// At least the minimum deviation.
    pub deviation: Vec<f64>,
}

impl ChannelStats {
    /// Computes them for samples of `channels` values each.
    pub fn of(samples: &[f64], channels: usize) -> Self {
        let count = (samples.len() / channels).max(1) as f64;
        let mut mean = vec![0.0; channels];
        for sample in samples.chunks_exact(channels) {
            mean.iter_mut().zip(sample).for_each(|(m, x)| *m += x / count);
        }
        let mut variance = vec![0.0; channels];
        for sample in samples.chunks_exact(channels) {
            for ((v, x), m) in variance.iter_mut().zip(sample).zip(&mean) {
                *v += (x - m).powi(2) / count;
            }
        }
        let size = mean.iter().map(|m| m.abs()).sum::<f64>() / channels as f64;
        let least = if size > 0.0 { MIN_DEVIATION * size } else { 1.0 };
        let deviation = variance.iter().map(|v| v.sqrt().max(least)).collect();
        Self { mean, variance, deviation }
    }

    /// Returns samples in deviations from the mean.
    pub fn standardise(&self, samples: &[f64]) -> Vec<f64> {
        let standardised = |sample: &[f64]| -> Vec<f64> {
            sample.iter().zip(&self.mean).zip(&self.deviation).map(|((x, m), d)| (x - m) / d).collect()
        };
        samples.chunks_exact(self.mean.len()).flat_map(standardised).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn means_maxima_and_dead_channels() {
        let vectors = [1.0, 5.0, 3.0, -1.0];
        assert_eq!(mean_vector(&vectors, 2), [2.0, 2.0]);
        assert_eq!(largest_vector(&vectors, 2), [3.0, 5.0]);
        // The second channel never varies.
        let stats = ChannelStats::of(&[1.0, 7.0, 3.0, 7.0], 2);
        assert_eq!(stats.mean, [2.0, 7.0]);
        assert_eq!(stats.deviation, [1.0, MIN_DEVIATION * 4.5]);
        assert_eq!(stats.standardise(&[3.0, 7.0]), [1.0, 0.0]);
        assert_eq!(ChannelStats::of(&[0.0; 4], 2).deviation, [1.0, 1.0]);
    }
}
