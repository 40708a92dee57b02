//! Structural similarity (Wang, Bovik, Sheikh, Simoncelli, 2004), with windows of equal weights; as a loss of autoencoders: Bergmann et
//! al., *Improving Unsupervised Defect Segmentation by Applying Structural Similarity to Autoencoders*, 2018 (arXiv 1807.02011).

use networks::onnx::{GraphBuilder, Value};
use tch::Tensor;

use super::squared::add_mean_of_channels;

/// Side of a window in pixels, as in both papers.
const WINDOW: usize = 11;
/// The papers' constants for values from 0 to 1, (0.01)² and (0.03)²: without them, windows of a single colour divide 0 by 0.
const C1: f64 = 1e-4;
const C2: f64 = 9e-4;

/// Computes 1 − SSIM, the mean over the channels, in the window around each pixel of pictures with values from 0 to 1: N×1×H×W for
/// N×C×H×W. At the edges a window has only the pixels that exist.
pub fn dissimilarity(a: &Tensor, b: &Tensor) -> Tensor {
    let side = WINDOW as i64;
    let mean = |x: &Tensor| x.avg_pool2d([side; 2], [1, 1], [side / 2; 2], false, false, None);
    let (of_a, of_b) = (mean(a), mean(b));
    let (both, square_a, square_b) = (&of_a * &of_b, &of_a * &of_a, &of_b * &of_b);
    let covariance = mean(&(a * b)) - &both;
    let variances = mean(&(a * a + b * b)) - &square_a - &square_b;
    let numerator = (both * 2.0 + C1) * (covariance * 2.0 + C2);
    let denominator = (square_a + square_b + C1) * (variances + C2);
    let similarity: Tensor = numerator / denominator;
    1.0 - similarity.mean_dim([1i64].as_slice(), true, a.kind())
}

/// Adds [`dissimilarity`] to a model.
pub fn add_dissimilarity(g: &mut GraphBuilder, a: &Value, b: &Value) -> Value {
    let (of_a, of_b) = (g.local_mean(a, WINDOW), g.local_mean(b, WINDOW));
    let (both, square_a, square_b) = (g.mul(&of_a, &of_b), g.mul(&of_a, &of_a), g.mul(&of_b, &of_b));
    let product = g.mul(a, b);
    let product = g.local_mean(&product, WINDOW);
    let covariance = g.sub(&product, &both);
    let (own_a, own_b) = (g.mul(a, a), g.mul(b, b));
    let own = g.add(&own_a, &own_b);
    let own = g.local_mean(&own, WINDOW);
    let squares = g.add(&square_a, &square_b);
    let variances = g.sub(&own, &squares);
    let [c1, c2, one, two] = [C1, C2, 1.0, 2.0].map(|value| g.scalar(value as f32));
    let doubled = g.mul(&both, &two);
    let light = g.add(&doubled, &c1);
    let doubled = g.mul(&covariance, &two);
    let structure = g.add(&doubled, &c2);
    let numerator = g.mul(&light, &structure);
    let light = g.add(&squares, &c1);
    let structure = g.add(&variances, &c2);
    let denominator = g.mul(&light, &structure);
    let similarity = g.div(&numerator, &denominator);
    let mean = add_mean_of_channels(g, &similarity);
    g.sub(&one, &mean)
}

#[cfg(test)]
mod tests {
    use tch::{Device, Kind};

    use super::*;

    /// Computes 1 − SSIM of one channel in the window around a pixel, from its definition.
    fn by_definition(a: &Tensor, b: &Tensor, [row, column]: [i64; 2]) -> f64 {
        let size = a.size();
        let half = WINDOW as i64 / 2;
        let range = |centre: i64, length: i64| (centre - half).max(0)..(centre + half + 1).min(length);
        let pixels: Vec<[f64; 2]> = range(row, size[2])
            .flat_map(|y| range(column, size[3]).map(move |x| [0, 0, y, x]))
            .map(|at| [a.double_value(&at), b.double_value(&at)])
            .collect();
        let count = pixels.len() as f64;
        let mean = [0, 1].map(|of| pixels.iter().map(|pixel| pixel[of]).sum::<f64>() / count);
        let moment = |i: usize, j: usize| {
            pixels.iter().map(|pixel| (pixel[i] - mean[i]) * (pixel[j] - mean[j])).sum::<f64>() / count
        };
        let light = (2.0 * mean[0] * mean[1] + C1) / (mean[0].powi(2) + mean[1].powi(2) + C1);
        1.0 - light * (2.0 * moment(0, 1) + C2) / (moment(0, 0) + moment(1, 1) + C2)
    }

    #[test]
    fn it_is_the_definition_also_at_the_edges() {
        tch::manual_seed(2);
        let a = Tensor::rand([1, 1, 20, 24], (Kind::Float, Device::Cpu));
        let b = &a * 0.7 + Tensor::rand([1, 1, 20, 24], (Kind::Float, Device::Cpu)) * 0.2;
        let map = dissimilarity(&a, &b);
        for at in [[10, 12], [0, 0], [19, 3], [7, 23]] {
            let (ours, expected) = (map.double_value(&[0, 0, at[0], at[1]]), by_definition(&a, &b, at));
            assert!((ours - expected).abs() < 1e-5, "{at:?}: {ours} against {expected}");
        }
    }

    #[test]
    fn equal_pictures_have_none_even_of_one_colour() {
        for picture in [
            Tensor::rand([1, 3, 16, 16], (Kind::Float, Device::Cpu)),
            Tensor::zeros([1, 3, 16, 16], (Kind::Float, Device::Cpu)),
        ] {
            let largest = dissimilarity(&picture, &picture).abs().max().double_value(&[]);
            assert!(largest < 1e-4, "{largest:e}");
        }
    }
}
