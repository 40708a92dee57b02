//! Converts between our arrays and libtorch's tensors.

use networks::Array;
use tch::{Device, Kind, Tensor};

/// Creates a tensor of 32-bit floats on the CPU.
pub fn from_array(array: &Array) -> Tensor {
    let shape: Vec<i64> = array.shape.iter().map(|&n| n as i64).collect();
    Tensor::from_slice(&array.data).reshape(shape)
}

/// Returns the tensor's values as 32-bit floats, row-major.
#[must_use]
pub fn to_array(tensor: &Tensor) -> Array {
    let tensor = tensor.detach().to_device(Device::Cpu).to_kind(Kind::Float).contiguous();
    let shape: Vec<usize> = tensor.size().iter().map(|&n| n as usize).collect();
    let mut data = vec![0f32; tensor.numel()];
    let count = data.len();
    tensor.copy_data(&mut data, count);
    Array { shape, data }
}

/// Stores a 4-D tensor with the channels innermost, the fastest layout for the CPU's convolutions.
pub fn channels_last(x: &Tensor) -> Tensor {
    x.permute([0, 2, 3, 1]).contiguous().permute([0, 3, 1, 2])
}
