//! Measures mean and deviation of the teacher's channels over the fit images.

use tch::{Device, Kind, Tensor};

use super::Channels;
use crate::method::TrainError;
use crate::progress;
use crate::samples::Samples;
use crate::torch::to_array;

/// Measures the channels of each tensor (N×C×h×w) that `extract` computes from the teacher's levels, in two passes over the fit images.
/// Returns `None` if a stop was requested.
///
/// # Errors
/// If an image that is not kept in memory can no longer be read.
pub fn measure(
    fit: &mut Samples,
    extract: impl Fn(&[Tensor]) -> Vec<Tensor>,
) -> Result<Option<Vec<Channels>>, TrainError> {
    let count = fit.count();
    let bar = progress::bar(2 * count as u64, "Teacher's channels");
    let mut means: Vec<Tensor> = vec![];
    let mut positions: Vec<f64> = vec![];
    let mut sums: Vec<Tensor> = vec![];
    for pass in 0..2 {
        sums.clear();
        for index in 0..count {
            if progress::stop_requested() {
                return Ok(None);
            }
            for (at, seen) in extract(&fit.batch(&[index], Kind::Float)?.targets).into_iter().enumerate() {
                let mut values = seen.to_device(Device::Cpu).to_kind(Kind::Double);
                if let Some(mean) = means.get(at) {
                    values = (values - mean).square();
                } else {
                    let here = (values.size()[2] * values.size()[3]) as f64;
                    match positions.get_mut(at) {
                        Some(positions) => *positions += here,
                        None => positions.push(here),
                    }
                }
                let values = values.sum_dim_intlist([0i64, 2, 3].as_slice(), true, Kind::Double);
                match sums.get_mut(at) {
                    Some(sum) => *sum += values,
                    None => sums.push(values),
                }
            }
            bar.inc(1);
        }
        if pass == 0 {
            means = sums.iter().zip(&positions).map(|(sum, &positions)| sum / positions).collect();
        }
    }
    bar.finish_and_clear();
    let list = |tensor: &Tensor| -> Vec<f64> { to_array(tensor).data.into_iter().map(f64::from).collect() };
    let each = means.iter().zip(&sums).zip(positions);
    Ok(Some(
        each.map(|((mean, squares), positions)| Channels::new(&list(mean), &list(squares), positions))
            .collect(),
    ))
}
