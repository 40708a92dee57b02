//! Compares one-pass bottlenecks with their three convolutions computed by definition.

use kernels::bottleneck::BottleneckStage;
use kernels::{Bottleneck, ConvSpec, Epilogue, Error, HalfIsa, Isa, Layout, Shape};
use proptest::prelude::*;
use reference::noise;

use crate::reference;

/// Sides, channels (input, expanded, output), kernel, stride, padding, and the kind of the first convolution.
#[derive(Debug, Clone, Copy)]
struct Block {
    height: usize,
    width: usize,
    channels: [usize; 3],
    kernel: usize,
    stride: usize,
    padding: [[usize; 2]; 2],
    residual: bool,
    first: First,
}

#[derive(Debug, Clone, Copy)]
enum First {
    Pointwise,
    /// 3×3 of stride 2, with a row and a column of zeros after the image, as in EfficientNet-Lite.
    Image(Layout),
    /// 2×2 of stride 1 without padding.
    Inner,
}

const SMALL: Block = Block {
    height: 6,
    width: 5,
    channels: [4, 96, 8],
    kernel: 3,
    stride: 1,
    padding: [[1; 2]; 2],
    residual: false,
    first: First::Pointwise,
};

struct Weights {
    specs: [ConvSpec; 3],
    weights: [Vec<f32>; 3],
    bias: [Vec<f32>; 3],
    epilogues: [Epilogue; 3],
}

impl Block {
    fn weights(self, seed: u64) -> Weights {
        let [inputs, wide, outputs] = self.channels;
        let shape = |channels, height, width| Shape { height, width, channels };
        let dense = |kernel| ConvSpec::new(shape(inputs, self.height, self.width), wide, [kernel; 2]);
        let expand = match self.first {
            First::Pointwise => dense(1),
            First::Image(layout) => ConvSpec { layout, stride: [2; 2], padding: [[0, 1]; 2], ..dense(3) },
            First::Inner => dense(2),
        };
        let depthwise = ConvSpec {
            stride: [self.stride; 2],
            padding: self.padding,
            depthwise: true,
            ..ConvSpec::new(expand.sums().unwrap(), wide, [self.kernel; 2])
        };
        let project = ConvSpec::new(depthwise.sums().unwrap(), outputs, [1, 1]);
        let project_epilogue = Epilogue { residual: self.residual, ..Epilogue::default() };
        let lengths = [
            inputs * wide * expand.kernel[0] * expand.kernel[1],
            self.kernel * self.kernel * wide,
            wide * outputs,
        ];
        let mut noises = (0..).map(|n| seed + n);
        let mut next = |length| noise(length, noises.next().unwrap());
        Weights {
            specs: [expand, depthwise, project],
            weights: lengths.map(&mut next),
            bias: [wide, wide, outputs].map(&mut next),
            epilogues: [Epilogue::relu6(), Epilogue::relu(), project_epilogue],
        }
    }
}

impl Weights {
    fn stage(&self, index: usize) -> BottleneckStage<'_> {
        BottleneckStage {
            spec: self.specs[index],
            weights: &self.weights[index],
            bias: &self.bias[index],
            epilogue: self.epilogues[index],
        }
    }

    fn pack(&self, isa: Isa) -> Result<Bottleneck, Error> {
        let [a, b, c] = [0, 1, 2].map(|index| self.stage(index));
        Bottleneck::new(&a, &b, &c, isa)
    }

    fn pack_half(&self, isa: HalfIsa) -> Result<Bottleneck, Error> {
        let [a, b, c] = [0, 1, 2].map(|index| self.stage(index));
        Bottleneck::new_half(&a, &b, &c, isa)
    }

    /// Packs for every instruction set, with the allowed error relative to the products' magnitude.
    fn pack_all(&self) -> Vec<(String, Bottleneck, f64)> {
        let single = Isa::all().into_iter();
        let single = single.map(|isa| (isa.name().to_owned(), self.pack(isa).unwrap(), 1e-5));
        let half = HalfIsa::all().into_iter();
        let half = half.map(|isa| (format!("{} in half", isa.name()), self.pack_half(isa).unwrap(), HALF));
        single.chain(half).collect()
    }
}

/// 16-bit floats have rounding errors of up to 2⁻¹¹, and those of three convolutions add up.
const HALF: f64 = 1e-2;

fn check(block: Block, seed: u64) {
    let weights = block.weights(seed);
    let input = noise(weights.specs[0].input.len(), seed + 10);
    let residual = block.residual.then(|| noise(weights.specs[2].sums().unwrap().len(), seed + 11));
    let mut image = input.clone();
    let (mut expected, mut magnitude) = (vec![], 0.0);
    for index in 0..3 {
        let stage = weights.stage(index);
        let residual = residual.as_deref().filter(|_| index == 2);
        (expected, magnitude) =
            reference::conv(&stage.spec, &image, stage.weights, stage.bias, &stage.epilogue, residual);
        image = expected.iter().map(|&x| x as f32).collect();
    }
    let pool = rayon::ThreadPoolBuilder::new().num_threads(3).build().unwrap();
    let mut half = None;
    for (isa, packed, tolerance) in weights.pack_all() {
        assert_eq!(packed.output(), weights.specs[2].sums().unwrap());
        let [mut alone, mut together] = [0, 1].map(|_| vec![f32::NAN; expected.len()]);
        packed.run(&input, residual.as_deref(), &mut alone).unwrap();
        pool.install(|| packed.run(&input, residual.as_deref(), &mut together)).unwrap();
        assert_eq!(alone, together, "threads change bits: {block:?}");
        if packed.is_half() {
            let first = half.get_or_insert_with(|| alone.clone());
            assert!(*first == alone, "{isa} rounds otherwise: {block:?}");
        }
        for (index, (&found, &expected)) in alone.iter().zip(&expected).enumerate() {
            let right = (f64::from(found) - expected).abs() <= tolerance * magnitude;
            assert!(right, "{isa}: {found} instead of {expected} at {index} of {block:?}");
        }
    }
}

fn block() -> impl Strategy<Value = Block> {
    let sides = (1_usize..40, 1_usize..40);
    let first = prop_oneof![
        2 => Just(First::Pointwise),
        1 => prop::sample::select(&[Layout::Planar, Layout::ChannelsLast][..]).prop_map(First::Image),
        1 => Just(First::Inner),
    ];
    let channels = (1_usize..40, 1_usize..8, 1_usize..40);
    let kernel = (1_usize..6, 1_usize..3, any::<[u8; 4]>(), any::<bool>());
    (sides, channels, kernel, first).prop_map(
        |((height, width), (inputs, groups, outputs), kernel, first)| {
            let (kernel, stride, pads, residual) = kernel;
            // The depthwise kernel must fit in the first convolution's sums.
            let side = |side: usize| match first {
                First::Pointwise => side,
                First::Image(_) => 2 * side,
                First::Inner => side + 1,
            };
            let kernel = kernel.min(height).min(width);
            let (height, width) = (side(height), side(width));
            let [a, b, c, d] = pads.map(|pad| usize::from(pad) % kernel);
            // With more channels, 3×3 is left to minimal filtering.
            let inputs = if matches!(first, First::Image(_)) { inputs.min(8) } else { inputs };
            let channels = [inputs, groups * 48, outputs];
            Block { height, width, channels, kernel, stride, padding: [[a, b], [c, d]], residual, first }
        },
    )
}

/// Fewer cases when the processor is emulated.
const CASES: u32 = if cfg!(target_arch = "aarch64") { 10 } else { 60 };

proptest! {
    #![proptest_config(ProptestConfig { cases: CASES, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn one_pass_computes_what_three_would(block in block(), seed in any::<u32>()) {
        check(block, seed.into());
    }
}

/// Divisor of the sides, larger for the board's processor because it is emulated.
const FEWER: usize = if cfg!(target_arch = "aarch64") { 2 } else { 1 };

#[test]
fn real_bottlenecks_are_right() {
    for (side, channels, kernel, stride, padding, residual) in [
        (128, [16, 96, 24], 3, 2, [[0, 1]; 2], false),
        (64, [24, 144, 24], 3, 1, [[1, 1]; 2], true),
        (16, [112, 672, 112], 5, 1, [[2, 2]; 2], true),
    ] {
        let (side, first) = (side / FEWER, First::Pointwise);
        check(Block { height: side, width: side, channels, kernel, stride, padding, residual, first }, 3);
    }
    let (channels, first) = ([3, 32, 16], First::Image(Layout::Planar));
    let side = 256 / FEWER;
    check(Block { height: side, width: side, channels, padding: [[1, 1]; 2], first, ..SMALL }, 4);
}

#[test]
fn not_a_number_is_not_cut_off() {
    let weights = SMALL.weights(1);
    let mut input = noise(weights.specs[0].input.len(), 2);
    input[17] = f32::NAN;
    for (isa, packed, _) in weights.pack_all() {
        let mut output = vec![0.0; packed.output().len()];
        packed.run(&input, None, &mut output).unwrap();
        assert!(output.iter().any(|x| x.is_nan()), "{isa}");
    }
}

#[test]
fn sixteen_bits_are_what_is_computed_with() {
    // Two inputs of 1, weighted by 1 and 2⁻¹¹: 32 bits can represent 1 + 2⁻¹¹, 16 bits round it to even.
    let small = Block { height: 1, width: 1, channels: [2, 32, 1], kernel: 1, padding: [[0; 2]; 2], ..SMALL };
    let mut weights = small.weights(1);
    weights.bias.iter_mut().for_each(|bias| bias.fill(0.0));
    weights.weights[0].chunks_exact_mut(2).for_each(|pair| pair.copy_from_slice(&[1.0, 1.0 / 2048.0]));
    weights.weights[1].fill(1.0);
    weights.weights[2].fill(0.0);
    weights.weights[2][5] = 1.0;
    for (isa, packed, tolerance) in weights.pack_all() {
        let mut output = [f32::NAN];
        packed.run(&[1.0, 1.0], None, &mut output).unwrap();
        let expected = if tolerance < HALF { 1.0 + 1.0 / 2048.0 } else { 1.0 };
        assert_eq!(output, [expected], "{isa}");
    }
}

#[test]
fn sixteen_bits_overflow_to_infinity() {
    let weights = SMALL.weights(1);
    let input = vec![1e5; weights.specs[0].input.len()];
    for isa in HalfIsa::all() {
        let packed = weights.pack_half(isa).unwrap();
        let mut output = vec![0.0; packed.output().len()];
        packed.run(&input, None, &mut output).unwrap();
        // Infinities of opposite sign add up to NaN. The frame's score is then NaN, too, and its verdict is a fault.
        assert!(output.iter().any(|x| x.is_nan()), "{}", isa.name());
    }
}

#[test]
fn what_is_no_bottleneck_is_refused() {
    let weights = SMALL.weights(1);
    let [a, b, c] = [0, 1, 2].map(|index| weights.stage(index));
    let isa = Isa::best();
    let refused = |a: &BottleneckStage<'_>, b: &BottleneckStage<'_>, c: &BottleneckStage<'_>| {
        Bottleneck::new(a, b, c, isa).unwrap_err()
    };
    assert!(matches!(refused(&b, &b, &c), Error::Unsupported(_)));
    assert!(matches!(refused(&a, &a, &c), Error::Unsupported(_)));
    // Minimal filtering needs fewer products for the first convolution.
    let inputs = Shape { channels: 16, ..a.spec.input };
    let dense = ConvSpec { padding: [[1, 1]; 2], ..ConvSpec::new(inputs, 96, [3, 3]) };
    let dense = BottleneckStage { spec: dense, weights: &[0.0; 16 * 9 * 96], ..a };
    assert!(matches!(refused(&dense, &b, &c), Error::Unsupported(_)));
    let far = BottleneckStage { spec: ConvSpec { padding: [[3, 1], [1, 1]], ..b.spec }, ..b };
    assert!(matches!(refused(&a, &far, &c), Error::Unsupported(_)));
    assert!(matches!(
        refused(&BottleneckStage { bias: &a.bias[1..], ..a }, &b, &c),
        Error::Length { what: "bias", .. }
    ));
    // No group size divides 40 channels.
    let odd = Block { channels: [4, 40, 8], ..SMALL }.weights(1);
    assert!(matches!(odd.pack(isa), Err(Error::Unsupported(_))));
    let packed = weights.pack(isa).unwrap();
    let (input, mut output) = (vec![0.0; 120], vec![0.0; 240]);
    assert!(packed.run(&input, None, &mut output).is_ok());
    assert!(matches!(packed.run(&input[1..], None, &mut output), Err(Error::Length { what: "input", .. })));
    assert!(matches!(packed.run(&input, None, &mut output[1..]), Err(Error::Length { what: "output", .. })));
}
