//! The pass over the fit images that gives the teacher's channels their mean and deviation.

use tch::{Device, Kind, Tensor};

use super::statistics::Channels;
use crate::method::TrainError;
use crate::progress;
use crate::samples::Samples;
use crate::torch::to_array;

/// In two passes over the fit images; `None` where someone asked to stop.
///
/// # Errors
/// Where an image that is not kept in memory can't be read any more.
pub fn measure(fit: &mut Samples) -> Result<Option<Channels>, TrainError> {
    let count = fit.count();
    let bar = progress::bar(2 * count as u64, "Teacher's channels");
    let (mut mean, mut squares) = (Tensor::zeros([1], (Kind::Double, Device::Cpu)), None::<Tensor>);
    let mut positions = 0.0;
    for pass in 0..2 {
        let mut sum = None::<Tensor>;
        for index in 0..count {
            if progress::stop_requested() {
                return Ok(None);
            }
            for level in fit.batch(&[index], Kind::Float)?.targets {
                let level = level.to_device(Device::Cpu).to_kind(Kind::Double);
                let values = if pass == 0 {
                    positions += (level.size()[2] * level.size()[3]) as f64;
                    level
                } else {
                    (level - &mean).square()
                };
                let values = values.sum_dim_intlist([0i64, 2, 3].as_slice(), true, Kind::Double);
                sum = Some(sum.map_or_else(|| values.shallow_clone(), |sum| sum + &values));
            }
            bar.inc(1);
        }
        match sum {
            Some(sum) if pass == 0 => mean = sum / positions,
            sum => squares = sum,
        }
    }
    bar.finish_and_clear();
    let list = |tensor: &Tensor| -> Vec<f64> { to_array(tensor).data.into_iter().map(f64::from).collect() };
    Ok(squares.map(|squares| Channels::new(&list(&mean), &list(&squares), positions)))
}
