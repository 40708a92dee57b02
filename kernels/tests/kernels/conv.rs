//! Compares every kernel, with every instruction set of this processor, with the definition.

use kernels::conv::WinogradTile;
use kernels::{Algorithm, Conv, ConvSpec, Epilogue, Error, Isa, Layout, Shape};
use proptest::prelude::*;
use reference::noise;

use crate::reference;

/// Allowed rounding error, relative to the sum of the products' magnitudes. Minimal filtering has larger errors.
fn rounding(algorithm: Algorithm) -> f64 {
    if matches!(algorithm, Algorithm::Winograd(_)) { 2e-5 } else { 1e-6 }
}

fn algorithms() -> [Algorithm; 7] {
    let [a, b, c, d] =
        [WinogradTile::F2x3, WinogradTile::F4x3, WinogradTile::F4x4, WinogradTile::F4x3Stride2]
            .map(Algorithm::Winograd);
    [a, b, c, d, Algorithm::Direct, Algorithm::Pointwise, Algorithm::Depthwise]
}

/// Runs the convolution with every instruction set and every applicable algorithm and compares the outputs.
fn check(spec: ConvSpec, epilogue: Epilogue, seed: u64) {
    let Ok(sums) = spec.sums() else { return };
    let input = noise(spec.input.len(), seed);
    let channels = if spec.depthwise { 1 } else { spec.input.channels };
    let weights = noise(spec.outputs * channels * spec.kernel[0] * spec.kernel[1], seed + 1);
    let bias = noise(spec.outputs, seed + 2);
    let residual = epilogue.residual.then(|| noise(sums.len(), seed + 3));
    let (expected, magnitude) =
        reference::conv(&spec, &input, &weights, &bias, &epilogue, residual.as_deref());
    let mut computed = 0;
    for algorithm in algorithms() {
        for isa in Isa::all() {
            let Ok(conv) = Conv::with_algorithm(algorithm, spec, &weights, &bias, epilogue, isa) else {
                continue;
            };
            computed += 1;
            let mut output = vec![f32::NAN; conv.output().len()];
            conv.run(&input, residual.as_deref(), &mut output).unwrap();
            assert_eq!(output.len(), expected.len());
            for (index, (&found, &expected)) in output.iter().zip(&expected).enumerate() {
                assert!(
                    (f64::from(found) - expected).abs() <= rounding(algorithm) * magnitude,
                    "{algorithm:?} {}: {found} instead of {expected} at {index} of {spec:?} {epilogue:?}",
                    isa.name()
                );
            }
        }
    }
    assert!(computed > 0 || epilogue.average_pool && spec.depthwise, "{spec:?} {epilogue:?}");
}

fn spec() -> impl Strategy<Value = ConvSpec> {
    let kernel = prop_oneof![
        3 => Just([3, 3]), 2 => Just([4, 4]), 2 => Just([1, 1]), 1 => Just([5, 5]), 1 => Just([7, 7]),
        2 => (1_usize..6, 1_usize..6).prop_map(|(a, b)| [a, b])
    ];
    let stride = prop_oneof![3 => Just([1, 1]), 2 => Just([2, 2]), 1 => Just([1, 3])];
    let pads = [[0_usize..4, 0..4], [0..4, 0..4]];
    let sides = (1_usize..20, 1_usize..20, 1_usize..40, 1_usize..70);
    (sides, kernel, stride, pads, any::<[bool; 2]>()).prop_map(
        |((height, width, channels, outputs), kernel, stride, padding, [planar, depthwise])| ConvSpec {
            input: Shape { height, width, channels },
            layout: if planar && !depthwise { Layout::Planar } else { Layout::ChannelsLast },
            outputs: if depthwise { channels } else { outputs },
            kernel,
            stride,
            padding,
            depthwise,
        },
    )
}

fn epilogue() -> impl Strategy<Value = Epilogue> {
    let plain = prop_oneof![Just(Epilogue::default()), Just(Epilogue::relu()), Just(Epilogue::relu6())];
    (plain, 0..3).prop_map(|(plain, more)| Epilogue { residual: more == 1, average_pool: more == 2, ..plain })
}

/// Fewer cases when the processor is emulated.
const CASES: u32 = if cfg!(target_arch = "aarch64") { 40 } else { 150 };

proptest! {
    #![proptest_config(ProptestConfig { cases: CASES, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn kernels_compute_what_the_definition_says(spec in spec(), epilogue in epilogue(), seed in any::<u32>()) {
        check(spec, epilogue, seed.into());
    }
}

#[test]
fn real_layers_are_right() {
    let layers = [
        // height, width, channels, outputs, kernel, stride, padding, depthwise
        (14, 14, 64, 64, 3, 1, 1, false),
        (9, 9, 136, 96, 3, 1, 1, false),
        (5, 6, 200, 150, 3, 1, 1, false),
        (18, 17, 128, 72, 4, 1, 0, false),
        (8, 8, 256, 100, 4, 1, 0, false),
        (40, 40, 3, 64, 7, 2, 3, false),
        (40, 38, 3, 128, 4, 1, 0, false),
        (16, 16, 64, 128, 3, 2, 1, false),
        (15, 14, 100, 140, 3, 2, 1, false),
        (16, 16, 64, 128, 1, 2, 0, false),
        (16, 16, 24, 144, 1, 1, 0, false),
        (28, 28, 144, 144, 3, 2, 1, true),
        (14, 14, 240, 240, 5, 1, 2, true),
        (8, 8, 64, 64, 8, 1, 0, false),
    ];
    for (height, width, channels, outputs, kernel, stride, padding, depthwise) in layers {
        let input = Shape { height, width, channels };
        let spec = ConvSpec {
            stride: [stride; 2],
            padding: [[padding; 2]; 2],
            depthwise,
            ..ConvSpec::new(input, outputs, [kernel; 2])
        };
        check(spec, Epilogue::relu(), 7);
        check(spec, Epilogue { residual: true, ..Epilogue::relu() }, 8);
        check(spec, Epilogue { average_pool: true, ..Epilogue::relu() }, 9);
        if !depthwise {
            check(ConvSpec { layout: Layout::Planar, ..spec }, Epilogue::relu6(), 10);
        }
    }
}

/// Checks every channel and position separately: one large value among zeros.
#[test]
fn extreme_values_stay_where_they_are() {
    let input = Shape { height: 11, width: 9, channels: 17 };
    for kernel in [3, 4, 5] {
        let spec = ConvSpec { padding: [[1; 2]; 2], ..ConvSpec::new(input, 19, [kernel; 2]) };
        let weights = noise(19 * 17 * kernel * kernel, 1);
        for value in [1e30_f32, -1e30, 1e-30, f32::MIN_POSITIVE] {
            let mut image = vec![0.0; input.len()];
            image[(5 * 9 + 4) * 17 + 16] = value;
            let (expected, magnitude) =
                reference::conv(&spec, &image, &weights, &[0.0; 19], &Epilogue::default(), None);
            for isa in Isa::all() {
                let conv = Conv::new(spec, &weights, &[0.0; 19], Epilogue::default(), isa).unwrap();
                let mut output = vec![f32::NAN; conv.output().len()];
                conv.run(&image, None, &mut output).unwrap();
                for (&found, &expected) in output.iter().zip(&expected) {
                    let allowed = (rounding(conv.algorithm()) * magnitude).max(f64::from(f32::MIN_POSITIVE));
                    assert!((f64::from(found) - expected).abs() <= allowed, "{found} instead of {expected}");
                }
            }
        }
    }
}

/// A frame that can't be judged must be recognised as such: ReLU must not turn NaN into zero.
#[test]
fn not_a_number_survives_the_epilogue() {
    let input = Shape { height: 8, width: 8, channels: 16 };
    for (kernel, depthwise) in [(3, false), (4, false), (1, false), (3, true)] {
        let spec = ConvSpec { depthwise, ..ConvSpec::new(input, 16, [kernel; 2]) };
        let channels = if depthwise { 1 } else { 16 };
        let weights = noise(16 * channels * kernel * kernel, 3);
        let mut image = noise(input.len(), 4);
        image[3 * 8 * 16 + 3 * 16] = f32::NAN;
        for isa in Isa::all() {
            for average_pool in [false, !depthwise] {
                let epilogue = Epilogue { average_pool, ..Epilogue::relu6() };
                let conv = Conv::new(spec, &weights, &[0.0; 16], epilogue, isa).unwrap();
                let mut output = vec![0.0; conv.output().len()];
                conv.run(&image, None, &mut output).unwrap();
                assert!(output.iter().any(|x| x.is_nan()), "{} {:?}", isa.name(), conv.algorithm());
            }
        }
    }
}

#[test]
fn threads_change_no_bit() {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(3).build().unwrap();
    for (side, channels, kernel, stride, depthwise) in [
        (37, 32, 3, 1, false),
        (37, 32, 4, 1, false),
        (37, 32, 3, 2, false),
        (37, 32, 1, 1, false),
        (37, 32, 5, 1, true),
        // Small enough that threads share its outputs.
        (9, 160, 3, 1, false),
        (9, 160, 3, 2, false),
    ] {
        let input = Shape { height: side, width: side + 4, channels };
        let spec = ConvSpec { stride: [stride; 2], depthwise, ..ConvSpec::new(input, channels, [kernel; 2]) };
        let weights = noise(channels * if depthwise { 1 } else { channels } * kernel * kernel, 5);
        let image = noise(input.len(), 6);
        let bias = vec![0.5; channels];
        let conv = Conv::new(spec, &weights, &bias, Epilogue::relu(), Isa::best()).unwrap();
        let [mut alone, mut together] = [0, 1].map(|_| vec![f32::NAN; conv.output().len()]);
        conv.run(&image, None, &mut alone).unwrap();
        pool.install(|| conv.run(&image, None, &mut together)).unwrap();
        assert_eq!(alone, together);
    }
}

#[test]
fn what_does_not_fit_is_refused() {
    let input = Shape { height: 4, width: 4, channels: 2 };
    let spec = ConvSpec::new(input, 3, [3, 3]);
    let new =
        |spec, weights: &[f32], bias: &[f32], epilogue| Conv::new(spec, weights, bias, epilogue, Isa::best());
    let (weights, bias, plain) = ([0.0; 54], [0.0; 3], Epilogue::default());
    assert!(new(spec, &weights, &bias, plain).is_ok());
    assert!(matches!(new(spec, &weights[1..], &bias, plain), Err(Error::Length { what: "weights", .. })));
    assert!(matches!(new(spec, &weights, &bias[1..], plain), Err(Error::Length { what: "bias", .. })));
    for spec in [
        ConvSpec { kernel: [5, 3], ..spec },
        ConvSpec { stride: [0, 1], ..spec },
        ConvSpec { outputs: 0, ..spec },
        ConvSpec { depthwise: true, ..spec },
    ] {
        assert!(matches!(new(spec, &weights, &bias, plain), Err(Error::Unsupported(_))), "{spec:?}");
    }
    let both = Epilogue { residual: true, average_pool: true, ..plain };
    assert!(matches!(new(spec, &weights, &bias, both), Err(Error::Unsupported(_))));

    let conv = new(spec, &weights, &bias, Epilogue { residual: true, ..plain }).unwrap();
    let mut output = [0.0; 12];
    assert!(conv.run(&[0.0; 32], Some(&[0.0; 12]), &mut output).is_ok());
    let error = conv.run(&[0.0; 31], Some(&[0.0; 12]), &mut output).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the input has 31 values instead of 32; pass a slice that matches the shapes"
    );
    assert!(matches!(conv.run(&[0.0; 32], None, &mut output), Err(Error::Length { what: "residual", .. })));
    assert!(matches!(
        conv.run(&[0.0; 32], Some(&[0.0; 12]), &mut []),
        Err(Error::Length { what: "output", .. })
    ));
}
