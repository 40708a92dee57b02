//! Measures whether a CPU trains faster in bf16.

use std::time::{Duration, Instant};

use tch::{Device, Kind, Tensor};

/// Below this gain 32-bit floats are used, because they lose nothing.
const GAIN: f64 = 1.2;
const REPEATS: usize = 3;
/// Samples, channels and side of the measured tensor: a middle layer of the backbones in a small step.
const SAMPLES: i64 = 4;
const CHANNELS: i64 = 96;
const SIDE: i64 = 32;

/// Returns whether convolutions, forwards and backwards, dense and depthwise, take clearly less time in bf16. A processor's support
/// for it isn't enough: some libtorch builds and virtual machines are slower with these instructions than without.
pub fn is_faster() -> bool {
    if !has_instructions() {
        return false;
    }
    let float = fastest(Kind::Float);
    float > fastest(Kind::BFloat16).mul_f64(GAIN)
}

/// Returns whether the CPU multiplies bf16 in hardware; emulated bf16 is many times slower than f32.
fn has_instructions() -> bool {
    #[cfg(target_arch = "x86_64")]
    let has = std::arch::is_x86_feature_detected!("avx512bf16");
    #[cfg(target_arch = "aarch64")]
    let has = std::arch::is_aarch64_feature_detected!("bf16");
    #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
    let has = false;
    has
}

/// Returns the shortest of a few measured times. The first is always long: code is generated, memory is allocated.
fn fastest(kind: Kind) -> Duration {
    let tensor = |shape: [i64; 4]| Tensor::ones(shape, (Kind::Float, Device::Cpu));
    let image = super::channels_last(&tensor([SAMPLES, CHANNELS, SIDE, SIDE]));
    let [dense, by_channel] = [tensor([CHANNELS, CHANNELS, 3, 3]), tensor([CHANNELS, 1, 5, 5])]
        .map(|weight| super::channels_last(&weight).set_requires_grad(true));
    let once = || {
        let start = Instant::now();
        let x = image.to_kind(kind);
        let convolved = |x: &Tensor, weight: &Tensor, padding, groups| {
            x.conv2d(&weight.to_kind(kind), None::<Tensor>, [1, 1], [padding; 2], [1, 1], groups)
        };
        let x = convolved(&x, &dense, 1, 1);
        let x = convolved(&x, &by_channel, 2, CHANNELS);
        x.sum(Kind::Float).backward();
        start.elapsed()
    };
    (0..=REPEATS).map(|_| once()).skip(1).min().unwrap_or_default()
}
