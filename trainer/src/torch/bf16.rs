//! Whether a CPU trains faster in bf16.

use std::time::{Duration, Instant};

use tch::{Device, Kind, Tensor};

/// Below this gain 32-bit floats are taken: they lose nothing.
const GAIN: f64 = 1.2;
const REPEATS: usize = 3;
/// Samples, channels and side of what is measured: a middle layer of the backbones in a small step.
const SAMPLES: i64 = 4;
const CHANNELS: i64 = 96;
const SIDE: i64 = 32;

/// Whether convolutions forwards and backwards, dense and by channel, take clearly less time in bf16. That a processor has
/// instructions for it says little: some libtorch builds and virtual machines are slower with them than without.
pub fn is_faster() -> bool {
    if !has_instructions() {
        return false;
    }
    let float = fastest(Kind::Float);
    float > fastest(Kind::BFloat16).mul_f64(GAIN)
}

/// Whether the CPU multiplies bf16 in hardware; emulated it is many times slower than f32.
fn has_instructions() -> bool {
    #[cfg(target_arch = "x86_64")]
    let has = std::arch::is_x86_feature_detected!("avx512bf16");
    #[cfg(target_arch = "aarch64")]
    let has = std::arch::is_aarch64_feature_detected!("bf16");
    #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
    let has = false;
    has
}

/// The shortest of a few times. The first is always a long one: code is generated, memory is fetched.
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
