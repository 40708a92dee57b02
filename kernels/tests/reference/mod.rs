//! Convolutions by their definition, in f64.
// Each test program uses only a part of it.
#![allow(dead_code)]

use kernels::{ConvSpec, Epilogue, Layout, Shape};

/// Returns the output and the largest sum of the products' magnitudes, to which rounding errors are compared.
pub fn conv(
    spec: &ConvSpec,
    input: &[f32],
    weights: &[f32],
    bias: &[f32],
    epilogue: &Epilogue,
    residual: Option<&[f32]>,
) -> (Vec<f64>, f64) {
    let sums = spec.sums().unwrap();
    let Shape { height, width, channels } = spec.input;
    let per_filter = if spec.depthwise { 1 } else { channels };
    let [kernel_height, kernel_width] = spec.kernel;
    let pixel = |y: usize, x: usize, channel: usize| match spec.layout {
        Layout::ChannelsLast => input[(y * width + x) * channels + channel],
        Layout::Planar => input[(channel * height + y) * width + x],
    };
    let (mut values, mut magnitude) = (vec![0.0; sums.len()], 0f64);
    for oy in 0..sums.height {
        for ox in 0..sums.width {
            for output in 0..sums.channels {
                let (mut sum, mut size) = (f64::from(bias[output]), f64::from(bias[output].abs()));
                for c in 0..per_filter {
                    let channel = if spec.depthwise { output } else { c };
                    for ky in 0..kernel_height {
                        let y = (oy * spec.stride[0] + ky).wrapping_sub(spec.padding[0][0]);
                        for kx in 0..kernel_width {
                            let x = (ox * spec.stride[1] + kx).wrapping_sub(spec.padding[1][0]);
                            if y < height && x < width {
                                let weight = weights
                                    [((output * per_filter + c) * kernel_height + ky) * kernel_width + kx];
                                let product = f64::from(weight) * f64::from(pixel(y, x, channel));
                                sum += product;
                                size += product.abs();
                            }
                        }
                    }
                }
                let at = (oy * sums.width + ox) * sums.channels + output;
                sum += residual.map_or(0.0, |r| f64::from(r[at]));
                values[at] = sum.max(f64::from(epilogue.low)).min(f64::from(epilogue.high));
                magnitude = magnitude.max(size);
            }
        }
    }
    if epilogue.average_pool {
        values = pooled(&values, sums);
    }
    (values, magnitude)
}

fn pooled(values: &[f64], sums: Shape) -> Vec<f64> {
    let at = |y: usize, x: usize, c: usize| values[(y * sums.width + x) * sums.channels + c];
    let mut means = Vec::new();
    for y in 0..sums.height / 2 {
        for x in 0..sums.width / 2 {
            for c in 0..sums.channels {
                let (y, x) = (2 * y, 2 * x);
                means.push((at(y, x, c) + at(y, x + 1, c) + at(y + 1, x, c) + at(y + 1, x + 1, c)) / 4.0);
            }
        }
    }
    means
}

/// Returns pseudo-random values between −1 and 1.
pub fn noise(length: usize, seed: u64) -> Vec<f32> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 40) as f32 / (1 << 23) as f32 - 1.0
    };
    (0..length).map(|_| next()).collect()
}
