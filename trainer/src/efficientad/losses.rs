//! The losses of EfficientAD's student and autoencoder. Features are N×C×h×w in 32-bit floats.

use tch::{Kind, Tensor};

/// Computes the mean of the squared differences that reach their quantile `hard` (0.999 in the paper), so that the student doesn't
/// learn to imitate the teacher where that is already easy.
pub fn hard_feature_loss(teacher: &Tensor, student: &Tensor, hard: f64) -> Tensor {
    let difference = teacher - student;
    let square = (&difference * &difference).flatten(0, -1);
    let elements = square.numel();
    // The quantile's position among the sorted elements, usually between two of them.
    let place = hard * (elements - 1) as f64;
    let hard = elements - place.ceil() as usize;
    let (hardest, _) = square.topk(hard as i64, 0, true, false);
    hardest.mean(Kind::Float)
}

/// Computes the mean squared difference of all elements.
pub fn mean_square(a: &Tensor, b: &Tensor) -> Tensor {
    let difference = a - b;
    (&difference * &difference).mean(Kind::Float)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_hardest_thousandth_counts() {
        // 10,000 differences 0 … 9,999: the quantile is 9,989.001, ten are above it.
        let student = Tensor::arange(10_000, (Kind::Float, tch::Device::Cpu)).reshape([1, 4, 50, 50]);
        let loss = hard_feature_loss(&student.zeros_like(), &student, 0.999).double_value(&[]);
        let expected = (9_990..10_000).map(|d| f64::from(d * d)).sum::<f64>() / 10.0;
        assert!((loss / expected - 1.0).abs() < 1e-6, "{loss} {expected}");
        // With only a few, the largest alone counts.
        let few = student.narrow(1, 0, 1).narrow(2, 0, 1).narrow(3, 0, 5);
        assert_eq!(hard_feature_loss(&few.zeros_like(), &few, 0.999).double_value(&[]), 16.0);
    }

    #[test]
    fn the_gradient_reaches_the_hardest_alone() {
        let student = Tensor::from_slice(&[1f32, -3.0, 2.0]).reshape([1, 3, 1, 1]).set_requires_grad(true);
        hard_feature_loss(&student.zeros_like().detach(), &student, 0.999).backward();
        assert!(student.grad().flatten(0, -1).equal(&Tensor::from_slice(&[0f32, -6.0, 0.0])));
    }
}
