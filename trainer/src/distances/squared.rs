//! The mean square of the difference over the channels.

use networks::onnx::{GraphBuilder, Value};
use tch::Tensor;

/// Computes the mean over the channels of (a − b)²: N×1×h×w for N×C×h×w.
pub fn squared(a: &Tensor, b: &Tensor) -> Tensor {
    let difference = a - b;
    (&difference * &difference).mean_dim([1i64].as_slice(), true, difference.kind())
}

/// Adds [`squared`] to a model.
pub fn add_squared(g: &mut GraphBuilder, a: &Value, b: &Value) -> Value {
    let difference = g.sub(a, b);
    let square = g.mul(&difference, &difference);
    add_mean_of_channels(g, &square)
}

/// Adds the mean over the channels to a model.
pub(super) fn add_mean_of_channels(g: &mut GraphBuilder, x: &Value) -> Value {
    let share = g.scalar(1.0 / x.shape()[1] as f32);
    let sum = g.sum_channels(x);
    g.mul(&sum, &share)
}

#[cfg(test)]
mod tests {
    use tch::{Device, Kind};

    use super::*;

    #[test]
    fn it_is_the_formula() {
        tch::manual_seed(1);
        let [a, b] = [(); 2].map(|()| Tensor::randn([2, 3, 2, 2], (Kind::Float, Device::Cpu)));
        let map = squared(&a, &b);
        assert_eq!(map.size(), [2, 1, 2, 2]);
        let expected =
            (0..3).map(|c| (a.double_value(&[1, c, 0, 1]) - b.double_value(&[1, c, 0, 1])).powi(2));
        assert!((map.double_value(&[1, 0, 0, 1]) - expected.sum::<f64>() / 3.0).abs() < 1e-6);
    }
}
