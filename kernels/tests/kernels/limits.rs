//! Shapes whose sizes overflow when multiplied: safe code must not be able to make a kernel write beyond its slices.

// Clippy's settings for tests cover test functions only, not their helpers.
use kernels::bottleneck::BottleneckStage;
use kernels::channel_min::ChannelMin;
use kernels::distance::Distance;
use kernels::max_pool::MaxPool;
use kernels::normalise::Normalise;
use kernels::resample::Resample;
use kernels::space_to_depth::{SpaceToDepth, fold_stride2};
use kernels::{Algorithm, Bottleneck, Conv, ConvSpec, Epilogue, Error, Isa, Layout, Shape};

const INPUT: Shape = Shape { height: 16, width: 16, channels: 16 };
const BITS: u32 = usize::BITS;

/// Large numbers whose products with small ones wrap to zero, to a small number, or to one that looks right.
fn large() -> impl Iterator<Item = usize> {
    (BITS / 2..BITS).flat_map(|bits| [1 << bits, (1 << bits) + 1]).chain([usize::MAX, usize::MAX - 15])
}

/// Returns geometries in which one number is `large`.
fn with(large: usize, depthwise: bool) -> Vec<ConvSpec> {
    let spec = ConvSpec { depthwise, ..ConvSpec::new(INPUT, 16, [3, 3]) };
    let mut specs = vec![];
    for axis in 0..2 {
        for side in 0..2 {
            let mut padded = spec;
            padded.padding[axis][side] = large;
            specs.push(padded);
            // With a stride that leaves few sums.
            padded.stride[axis] = large / 2;
            specs.push(padded);
        }
        let mut stepping = spec;
        stepping.stride[axis] = large;
        specs.push(stepping);
        let mut wide = spec;
        (wide.kernel[axis], wide.padding[axis]) = (large, [large / 2, large / 2]);
        specs.push(wide);
    }
    specs.push(ConvSpec { input: Shape { height: large, ..INPUT }, ..spec });
    specs.push(ConvSpec { input: Shape { width: large, ..INPUT }, ..spec });
    let channels = Shape { channels: large, ..INPUT };
    specs.push(ConvSpec { input: channels, outputs: if depthwise { large } else { 16 }, ..spec });
    if !depthwise {
        specs.push(ConvSpec { outputs: large, ..spec });
    }
    specs
}

fn refused<T>(made: Result<T, Error>, what: &dyn std::fmt::Debug) {
    let why = made.err().map(|error| error.to_string());
    assert!(why.as_ref().is_some_and(|why| why.contains("leave this")), "{what:?}: {why:?}");
}

#[test]
fn an_image_of_more_values_than_can_be_counted_is_no_slice_s() {
    assert_eq!(Shape { height: 1 << (BITS / 2), width: 1 << (BITS / 2), channels: 1 }.len(), usize::MAX);
    assert_eq!(Shape { height: 1 << (BITS / 2), width: 1 << (BITS / 2), channels: 0 }.len(), 0);
    assert_eq!(INPUT.len(), 4096);
}

#[test]
fn no_convolution_is_made_of_sizes_that_wrap() {
    let isa = Isa::PORTABLE;
    for large in large() {
        for depthwise in [false, true] {
            for spec in with(large, depthwise) {
                refused(spec.sums(), &spec);
                let weights = vec![0.5; 16 * 9 * if depthwise { 1 } else { 16 }];
                let made = |weights: &[f32]| Conv::new(spec, weights, &[0.0; 16], Epilogue::default(), isa);
                refused(made(&weights), &spec);
                refused(made(&[]), &spec);
                if depthwise {
                    refused(MaxPool::new(spec, isa), &spec);
                } else {
                    let direct = Algorithm::Direct;
                    let planar = ConvSpec { layout: Layout::Planar, ..spec };
                    let epilogue = Epilogue { average_pool: true, ..Epilogue::default() };
                    let made = Conv::with_algorithm(direct, planar, &weights, &[0.0; 16], epilogue, isa);
                    refused(made, &spec);
                    assert!(fold_stride2(&ConvSpec { stride: [2, 2], ..planar }, &weights).is_none());
                }
            }
        }
    }
}

#[test]
fn no_bottleneck_is_made_of_sizes_that_wrap() {
    let stage =
        |spec: ConvSpec| BottleneckStage { spec, weights: &[], bias: &[], epilogue: Epilogue::relu() };
    for large in large() {
        for spec in with(large, true) {
            let expand = stage(ConvSpec::new(spec.input, spec.input.channels, [1, 1]));
            let project = stage(ConvSpec::new(INPUT, 16, [1, 1]));
            refused(Bottleneck::new(&expand, &stage(spec), &project, Isa::PORTABLE), &spec);
        }
    }
}

#[test]
fn no_other_kernel_is_made_of_sizes_that_wrap() {
    for large in large() {
        for input in [
            Shape { height: large, ..INPUT },
            Shape { width: large, ..INPUT },
            Shape { channels: large, ..INPUT },
            Shape { height: 1, width: 1, channels: large },
        ] {
            refused(SpaceToDepth::new(input), &input);
            let rows = vec![0.5; input.height.min(16)];
            // The matrices' sizes wrap to the given lengths.
            let made = Resample::new(input, (1, &rows), (1, &rows), Isa::PORTABLE);
            assert!(made.is_err(), "{input:?}");
        }
        let half = 1 << (BITS / 2);
        let sides = Shape { height: half, width: half, channels: 1 };
        assert!(Resample::new(sides, (half, &[]), (half, &[]), Isa::PORTABLE).is_err());
        assert!(Resample::new(INPUT, (large, &[]), (16, &[0.0; 256]), Isa::PORTABLE).is_err());
    }
    refused(SpaceToDepth::new(Shape { width: 0, ..INPUT }), &"nothing");
}

#[test]
fn nothing_runs_on_slices_whose_length_only_seems_right() {
    let isa = Isa::PORTABLE;
    let is_length = |ran: Result<(), Error>| matches!(ran, Err(Error::Length { .. }));
    // Two pixels with this many channels are zero values if the product wraps.
    let (pixels, channels) = (2, 1 << (BITS - 1));
    let mut output = [0.0; 2];
    for floor in [None, Some(1e-12)] {
        assert!(is_length(Distance { pixels, channels, floor, isa }.run(&[], &[], &mut output)));
    }
    assert!(is_length(ChannelMin { pixels, channels, isa }.run(&[&[]], &mut output)));
    let normalise = Normalise { pixels: channels, channels: vec![[0.0, 1.0]; 2], isa };
    assert!(is_length(normalise.run(&[], &mut [])));
}
