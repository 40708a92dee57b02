//! Convolutions and the operations fused with them.

#[cfg(not(any(feature = "half-emulation", target_arch = "aarch64")))]
use judge::EngineError;
use judge::{Arithmetic, Engine, Network, Options};

use super::graph::{Graph, SHAPE, agree};

/// The attributes of ResNet's max pool.
const HALVING: [(&str, &[i64]); 3] =
    [("kernel_shape", &[3, 3]), ("strides", &[2, 2]), ("pads", &[1, 1, 1, 1])];

#[test]
fn a_residual_network_becomes_kernels() {
    let mut g = Graph::default();
    let x = g.conv("x", [32, 3, 7, 7], &[("strides", &[2, 2]), ("pads", &[3, 3, 3, 3])]);
    let x = g.relu(&x);
    let x = g.node("MaxPool", &[&x], &HALVING);
    let y = g.conv(&x, [32, 32, 3, 3], &[("pads", &[1, 1, 1, 1])]);
    let y = g.relu(&y);
    let y = g.conv(&y, [32, 32, 3, 3], &[("pads", &[1, 1, 1, 1])]);
    let y = g.node("Add", &[&y, &x], &[]);
    let y = g.relu(&y);
    let z = g.conv(&y, [48, 32, 1, 1], &[("strides", &[2, 2])]);
    let sum = g.sum_of_channels(&z);
    let kernels = agree(&g.finish(&[&sum, &y]), &[&sum, &y]);
    assert_eq!(
        kernels,
        [
            "Winograd F(4×4, 4×4), ReLU, maximum",
            "Winograd F(4×4, 3×3), ReLU",
            "Winograd F(4×4, 3×3), residual, ReLU",
            "direct"
        ]
    );
}

#[test]
fn a_depthwise_network_becomes_kernels() {
    let mut g = Graph::default();
    let (low, high) = (g.constant(&[], |_| 0.0), g.constant(&[], |_| 6.0));
    let x = g.conv("x", [20, 3, 3, 3], &[("strides", &[2, 2]), ("pads", &[0, 0, 1, 1])]);
    let x = g.node("Clip", &[&x, &low, &high], &[]);
    let y = g.conv(&x, [20, 1, 5, 5], &[("group", &[20]), ("pads", &[2, 2, 2, 2])]);
    let y = g.node("Clip", &[&y, &low, &high], &[]);
    let y = g.conv(&y, [20, 20, 1, 1], &[]);
    let y = g.node("Add", &[&x, &y], &[]);
    let kernels = agree(&g.finish(&[&y]), &[&y]);
    assert_eq!(kernels, ["direct, ReLU6", "depthwise, ReLU6", "pointwise, residual"]);
}

/// Builds inverted bottlenecks, and returns the name of their result.
fn bottlenecks() -> (Vec<u8>, String) {
    let mut g = Graph::default();
    let (low, high) = (g.constant(&[], |_| 0.0), g.constant(&[], |_| 6.0));
    let mut x = g.conv("x", [16, 3, 3, 3], &[("strides", &[2, 2]), ("pads", &[0, 0, 1, 1])]);
    for (wide, kernel, stride, outputs) in [(96, 3, 1, 16), (64, 5, 2, 24), (40, 3, 1, 24)] {
        let inputs = if wide == 40 { 24 } else { 16 };
        let y = g.conv(&x, [wide, inputs, 1, 1], &[]);
        let y = g.node("Clip", &[&y, &low, &high], &[]);
        let around = (kernel - stride) / 2;
        let pads = [around, around, kernel - stride - around, kernel - stride - around];
        let attributes: [(&str, &[i64]); 3] =
            [("group", &[wide]), ("pads", &pads), ("strides", &[stride, stride])];
        let y = g.conv(&y, [wide, 1, kernel, kernel], &attributes);
        let y = g.node("Clip", &[&y, &low, &high], &[]);
        let y = g.conv(&y, [outputs, wide, 1, 1], &[]);
        x = if inputs == outputs { g.node("Add", &[&y, &x], &[]) } else { y };
    }
    (g.finish(&[&x]), x)
}

#[test]
fn inverted_bottlenecks_become_kernels() {
    let (onnx, x) = bottlenecks();
    let kernels = agree(&onnx, &[&x]);
    // 40 channels are not a whole number of blocks: three kernels instead of one.
    let expected = [
        "direct",
        "bottleneck, residual",
        "bottleneck",
        "pointwise, ReLU6",
        "depthwise, ReLU6",
        "pointwise, residual",
    ];
    assert_eq!(kernels, expected);
}

/// With 16-bit floats that the processor has or this build emulates.
#[cfg(any(feature = "half-emulation", target_arch = "aarch64"))]
#[test]
fn bottlenecks_alone_compute_with_sixteen_bits_where_that_is_asked_for() {
    let (onnx, x) = bottlenecks();
    let run = |engine, arithmetic| {
        let mut network =
            Network::load_with(onnx.as_slice(), SHAPE, &[&x], Options { engine, arithmetic, threads: 1 })
                .unwrap();
        (network.run(&super::graph::image()).unwrap().concat(), network.replacements().to_vec())
    };
    let (single, replacements) = run(Engine::Kernels, Arithmetic::Single);
    assert!(replacements.iter().all(|r| r.arithmetic == Arithmetic::Single));
    let (half, replacements) = run(Engine::Kernels, Arithmetic::Half);
    let in_half = replacements.iter().filter(|r| r.arithmetic == Arithmetic::Half);
    let words: Vec<&str> = in_half.map(|r| r.kernel.as_str()).collect();
    assert_eq!(words, ["bottleneck in 16 bits, residual", "bottleneck in 16 bits"]);
    let largest = single.iter().fold(0f32, |max, x| max.max(x.abs()));
    let apart = single.iter().zip(&half).map(|(a, b)| (a - b).abs()).fold(0f32, f32::max);
    assert!(apart > 1e-5 * largest && apart < 2e-2 * largest, "{apart} of {largest}");
    // tract computes with 32 bits whatever is requested.
    assert_eq!(run(Engine::Plain, Arithmetic::Half), run(Engine::Plain, Arithmetic::Single));
}

/// Neither silently rounded to 32-bit floats nor a panic.
#[cfg(not(any(feature = "half-emulation", target_arch = "aarch64")))]
#[test]
fn sixteen_bits_are_refused_where_nothing_computes_with_them() {
    let (onnx, x) = bottlenecks();
    let load = |engine| {
        Network::load_with(
            onnx.as_slice(),
            SHAPE,
            &[&x],
            Options { engine, arithmetic: Arithmetic::Half, threads: 1 },
        )
    };
    let error = load(Engine::Kernels).unwrap_err();
    assert!(matches!(error, EngineError::Half { .. }), "{error}");
    assert!(error.to_string().contains("32-bit floats where it was made"), "{error}");
    assert_eq!(judge::check_arithmetic(Arithmetic::Half), Err(error));
    assert_eq!(judge::check_arithmetic(Arithmetic::Single), Ok(()));
    // tract computes with 32 bits whatever is requested.
    assert!(load(Engine::Plain).is_ok());
}

#[test]
fn a_first_convolution_and_the_block_behind_it_become_one_kernel() {
    for channels in [3, 8] {
        let mut g = Graph::default();
        let (low, high) = (g.constant(&[], |_| 0.0), g.constant(&[], |_| 6.0));
        // Eight channels come from a separate kernel, channels last.
        let image = if channels == 3 { "x".to_owned() } else { g.conv("x", [8, 3, 2, 2], &[]) };
        let x = g.conv(&image, [32, channels, 3, 3], &[("strides", &[2, 2]), ("pads", &[0, 0, 1, 1])]);
        let x = g.node("Clip", &[&x, &low, &high], &[]);
        let x = g.conv(&x, [32, 1, 3, 3], &[("group", &[32]), ("pads", &[1; 4])]);
        let x = g.node("Clip", &[&x, &low, &high], &[]);
        let x = g.conv(&x, [16, 32, 1, 1], &[]);
        let kernels = agree(&g.finish(&[&x]), &[&x]);
        assert_eq!(kernels, if channels == 3 { &["bottleneck"][..] } else { &["direct", "bottleneck"] });
    }
}

#[test]
fn a_maximum_joins_the_convolution_before_it() {
    for read_by_others in [false, true] {
        let mut g = Graph::default();
        let x = g.conv("x", [24, 3, 3, 3], &[]);
        let x = g.conv(&x, [40, 24, 3, 3], &[("pads", &[1; 4])]);
        let x = g.relu(&x);
        let y = g.node("MaxPool", &[&x], &HALVING);
        if read_by_others {
            let kernels = agree(&g.finish(&[&y, &x]), &[&y, &x]);
            assert_eq!(kernels, ["direct", "Winograd F(4×4, 3×3), ReLU", "maximum"]);
        } else {
            let kernels = agree(&g.finish(&[&y]), &[&y]);
            assert_eq!(kernels, ["direct", "Winograd F(4×4, 3×3), ReLU, maximum"]);
        }
    }
    // A direct convolution leaves the max pool to its own kernel.
    let mut g = Graph::default();
    let x = g.conv("x", [24, 3, 3, 3], &[]);
    let y = g.node("MaxPool", &[&x], &HALVING);
    assert_eq!(agree(&g.finish(&[&y]), &[&y]), ["direct", "maximum"]);
}
