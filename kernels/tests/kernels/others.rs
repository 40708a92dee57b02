//! Compares pooling, distances and resizing, with every instruction set of this processor, with their definitions.

use kernels::batch_matmul::BatchMatMul;
use kernels::channel_min::ChannelMin;
use kernels::distance::Distance;
use kernels::max_pool::MaxPool;
use kernels::normalise::Normalise;
use kernels::resample::Resample;
use kernels::space_to_depth::{SpaceToDepth, fold_stride2};
use kernels::top_k_mean::TopKMean;
use kernels::{Conv, ConvSpec, Epilogue, Error, Isa, Layout, Shape};
use proptest::prelude::*;
use reference::noise;

use crate::reference;

fn close(found: &[f32], expected: &[f64], what: &str) {
    assert_eq!(found.len(), expected.len(), "{what}");
    for (&found, &expected) in found.iter().zip(expected) {
        assert!((f64::from(found) - expected).abs() <= 1e-5, "{what}: {found} instead of {expected}");
    }
}

fn max_pool(spec: &ConvSpec, image: &[f32]) -> Vec<f64> {
    let (sums, Shape { height, width, channels }) = (spec.sums().unwrap(), spec.input);
    let mut values = Vec::new();
    for y in 0..sums.height {
        for x in 0..sums.width {
            for channel in 0..channels {
                let mut most = f64::NEG_INFINITY;
                for ky in 0..spec.kernel[0] {
                    for kx in 0..spec.kernel[1] {
                        let y = (y * spec.stride[0] + ky).wrapping_sub(spec.padding[0][0]);
                        let x = (x * spec.stride[1] + kx).wrapping_sub(spec.padding[1][0]);
                        if y < height && x < width {
                            most = most.max(f64::from(image[(y * width + x) * channels + channel]));
                        }
                    }
                }
                values.push(most);
            }
        }
    }
    values
}

fn channel_min(channels: usize, images: &[&[f32]]) -> Vec<f64> {
    let pixel = |pixel: usize| {
        let values = images.iter().flat_map(|image| &image[pixel * channels..(pixel + 1) * channels]);
        values.copied().map(f64::from).fold(f64::INFINITY, f64::min)
    };
    (0..images[0].len() / channels).map(pixel).collect()
}

fn resample(input: Shape, rows: (usize, &[f32]), columns: (usize, &[f32]), image: &[f32]) -> Vec<f64> {
    let mut values = Vec::new();
    for y in 0..rows.0 {
        for x in 0..columns.0 {
            for channel in 0..input.channels {
                let mut sum = 0.0;
                for from_y in 0..input.height {
                    for from_x in 0..input.width {
                        let weight = f64::from(rows.1[y * input.height + from_y])
                            * f64::from(columns.1[x * input.width + from_x]);
                        let place = (from_y * input.width + from_x) * input.channels + channel;
                        sum += weight * f64::from(image[place]);
                    }
                }
                values.push(sum);
            }
        }
    }
    values
}

fn distance(channels: usize, floor: Option<f32>, a: &[f32], b: &[f32]) -> Vec<f64> {
    let unit = |x: &[f32]| -> Vec<f64> {
        let length = x.iter().map(|&x| f64::from(x).powi(2)).sum::<f64>().sqrt();
        let length = floor.map_or(1.0, |floor| length.max(floor.into()));
        x.iter().map(|&x| f64::from(x) / length).collect()
    };
    let pairs = a.chunks_exact(channels).zip(b.chunks_exact(channels));
    pairs.map(|(a, b)| unit(a).iter().zip(unit(b)).map(|(a, b)| (a - b).powi(2)).sum()).collect()
}

/// Fewer cases when the processor is emulated.
const CASES: u32 = if cfg!(target_arch = "aarch64") { 40 } else { 100 };

proptest! {
    #![proptest_config(ProptestConfig { cases: CASES, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn they_compute_what_their_definitions_say(
        (height, width, channels) in (1_usize..12, 1_usize..12, 1_usize..40),
        (kernel, stride, padding) in (1_usize..4, 1_usize..3, 0_usize..3),
        (rows, columns) in (1_usize..15, 1_usize..15),
        seed in any::<u32>(),
    ) {
        let seed = u64::from(seed);
        let input = Shape { height, width, channels };
        let (image, other) = (noise(input.len(), seed), noise(input.len(), seed + 1));
        let sparse = |length: usize, seed: u64| -> Vec<f32> {
            noise(length, seed).into_iter().map(|x| if x < 0.2 { 0.0 } else { x }).collect()
        };
        let (by_row, by_column) = (sparse(rows * height, seed + 2), sparse(columns * width, seed + 3));
        for isa in Isa::all() {
            let spec = ConvSpec {
                stride: [stride; 2],
                padding: [[padding; 2]; 2],
                depthwise: true,
                ..ConvSpec::new(input, channels, [kernel; 2])
            };
            if let Ok(pool) = MaxPool::new(spec, isa) {
                let mut output = vec![f32::NAN; pool.output().len()];
                pool.run(&image, &mut output).unwrap();
                close(&output, &max_pool(&spec, &image), "maximum");
            }
            let matrices = ((rows, &by_row[..]), (columns, &by_column[..]));
            let kernel = Resample::new(input, matrices.0, matrices.1, isa).unwrap();
            let mut output = vec![f32::NAN; kernel.output().len()];
            kernel.run(&image, &mut output).unwrap();
            close(&output, &resample(input, matrices.0, matrices.1, &image), "resampling");

            let kernel = ChannelMin { pixels: height * width, channels, isa };
            let mut output = vec![f32::NAN; height * width];
            kernel.run(&[&image, &other], &mut output).unwrap();
            close(&output, &channel_min(channels, &[&image, &other]), "channel_min");

            let by: Vec<[f32; 2]> = (0..channels).map(|c| [(c % 5) as f32 * 0.1, 0.5 + (c % 3) as f32 * 0.25]).collect();
            let normalise = Normalise { pixels: height * width, channels: by.clone(), isa };
            let mut output = vec![f32::NAN; image.len()];
            normalise.run(&image, &mut output).unwrap();
            let expected = image.iter().enumerate().map(|(i, &x)| {
                let [mean, factor] = by[i / (height * width)].map(f64::from);
                (f64::from(x) - mean) * factor
            });
            close(&output, &expected.collect::<Vec<_>>(), "normalisation");

            for floor in [Some(0.5), None] {
                let kernel = Distance { pixels: height * width, channels, floor, isa };
                let mut output = vec![f32::NAN; height * width];
                kernel.run(&image, &other, &mut output).unwrap();
                close(&output, &distance(channels, floor, &image, &other), "distance");
            }
        }
    }
}

#[test]
fn what_does_not_fit_is_refused() {
    let input = Shape { height: 2, width: 2, channels: 1 };
    let isa = Isa::best();
    assert!(matches!(Resample::new(input, (3, &[0.0; 5]), (2, &[0.0; 4]), isa), Err(Error::Length { .. })));
    assert!(matches!(Resample::new(input, (0, &[]), (2, &[0.0; 4]), isa), Err(Error::Unsupported(_))));
    let spec = ConvSpec { depthwise: true, padding: [[1; 2]; 2], ..ConvSpec::new(input, 1, [1, 1]) };
    assert!(matches!(MaxPool::new(spec, isa), Err(Error::Unsupported(_))));
    let distance = Distance { pixels: 2, channels: 2, floor: None, isa };
    assert!(matches!(distance.run(&[0.0; 4], &[0.0; 3], &mut [0.0; 2]), Err(Error::Length { .. })));
    let channel_min = ChannelMin { pixels: 2, channels: 2, isa };
    assert!(matches!(channel_min.run(&[&[0.0; 4], &[0.0; 3]], &mut [0.0; 2]), Err(Error::Length { .. })));
    assert!(matches!(channel_min.run(&[], &mut [0.0; 2]), Err(Error::Unsupported(_))));
}

#[test]
fn the_mean_of_the_largest() {
    let values = noise(1000, 3);
    let mut sorted = values.clone();
    sorted.sort_by(|a, b| b.total_cmp(a));
    for count in [1, 2, 50, 999, 1000] {
        let kernel = TopKMean { values: values.len(), count };
        let mut output = [0.0];
        kernel.run(&values, &mut output).unwrap();
        let expected = sorted[..count].iter().copied().map(f64::from).sum::<f64>() / count as f64;
        assert!((f64::from(output[0]) - expected).abs() < 1e-6, "{count}");
        for no_number in [f32::NAN, -f32::NAN] {
            let mut values = values.clone();
            values[500] = no_number;
            kernel.run(&values, &mut output).unwrap();
            assert!(output[0].is_nan(), "{count}");
        }
    }
    for count in [0, 1001] {
        let kernel = TopKMean { values: 1000, count };
        assert!(matches!(kernel.run(&values, &mut [0.0]), Err(Error::Unsupported(_))));
    }
    let kernel = TopKMean { values: 999, count: 1 };
    assert!(matches!(kernel.run(&values, &mut [0.0]), Err(Error::Length { .. })));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: CASES, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn a_batch_of_products_is_the_sum_of_products(
        (batch, rows) in (1usize..5, 1usize..20),
        sides in [1usize..40, 1usize..40],
        centred in any::<bool>(),
        seed in any::<u32>(),
    ) {
        let (seed, [inputs, outputs]) = (u64::from(seed), sides);
        let input = noise(batch * rows * inputs, seed);
        let weights = noise(batch * inputs * outputs, seed ^ 1);
        let centres = noise(batch * inputs, seed ^ 2);
        let centre = |at: usize, k: usize| if centred { f64::from(centres[at * inputs + k]) } else { 0.0 };
        let mut expected = vec![];
        for at in 0..batch {
            for row in 0..rows {
                for n in 0..outputs {
                    let term = |k: usize| {
                        (f64::from(input[(at * rows + row) * inputs + k]) - centre(at, k))
                            * f64::from(weights[(at * inputs + k) * outputs + n])
                    };
                    expected.push((0..inputs).map(term).sum::<f64>());
                }
            }
        }
        for isa in Isa::all() {
            let centres = centred.then_some(&centres[..]);
            let kernel = BatchMatMul::new((batch, rows), sides, &weights, centres, isa).unwrap();
            let mut output = vec![f32::NAN; batch * rows * outputs];
            kernel.run(&input, &mut output).unwrap();
            close(&output, &expected, isa.name());
        }
    }
}

#[test]
fn a_batch_that_does_not_fit_is_refused() {
    let isa = Isa::best();
    let new = |batch, rows, sides: [usize; 2], weights: usize, centres: Option<usize>| {
        let centres = centres.map(|count| vec![0.0; count]);
        BatchMatMul::new((batch, rows), sides, &vec![0.0; weights], centres.as_deref(), isa)
    };
    for (batch, rows, sides) in [(0, 1, [1, 1]), (1, 0, [1, 1]), (1, 1, [0, 1]), (1, 1, [1, 0])] {
        assert!(matches!(
            new(batch, rows, sides, batch * sides[0] * sides[1], None),
            Err(Error::Unsupported(_))
        ));
    }
    assert!(matches!(new(usize::MAX, 2, [3, 4], 24, None), Err(Error::Unsupported(_))));
    assert!(matches!(new(2, 1, [3, 4], 23, None), Err(Error::Length { what: "weights", .. })));
    assert!(matches!(new(2, 1, [3, 4], 24, Some(5)), Err(Error::Length { what: "centres", .. })));
    let kernel = new(2, 1, [3, 4], 24, Some(6)).unwrap();
    assert!(matches!(kernel.run(&[0.0; 5], &mut [0.0; 8]), Err(Error::Length { what: "input", .. })));
    assert!(matches!(kernel.run(&[0.0; 6], &mut [0.0; 9]), Err(Error::Length { what: "output", .. })));
}

/// NaN must survive: such a frame has no score.
#[test]
fn not_a_number_survives() {
    let isa = Isa::best();
    for isa in Isa::all() {
        for channels in [3, 16, 35] {
            let mut output = [0.0];
            let images = vec![f32::NAN; channels];
            ChannelMin { pixels: 1, channels, isa }.run(&[&images, &images], &mut output).unwrap();
            assert!(output[0].is_nan(), "{isa:?} {channels}");
        }
    }
    for floor in [Some(1.0), None] {
        let distance = Distance { pixels: 1, channels: 9, floor, isa };
        let (mut a, mut output) = ([0.5; 9], [0.0]);
        a[8] = f32::NAN;
        distance.run(&a, &[0.5; 9], &mut output).unwrap();
        assert!(output[0].is_nan());
    }
}

/// A folded convolution after space to depth must give the original convolution's sums.
#[test]
fn a_folded_convolution_computes_the_same() {
    for (height, width, kernel, padding) in [
        (40, 37, 7, [[3, 3]; 2]),
        (33, 32, 7, [[3, 2], [2, 3]]),
        (24, 30, 8, [[2, 4]; 2]),
        (31, 29, 6, [[1, 3]; 2]),
    ] {
        let input = Shape { height, width, channels: 3 };
        let spec = ConvSpec {
            layout: Layout::Planar,
            stride: [2; 2],
            padding,
            ..ConvSpec::new(input, 20, [kernel; 2])
        };
        let (image, bias) = (noise(input.len(), 1), noise(20, 2));
        let weights = noise(20 * 3 * kernel * kernel, 3);
        let (expected, magnitude) = reference::conv(&spec, &image, &weights, &bias, &Epilogue::relu(), None);
        let deep = SpaceToDepth::new(input).unwrap();
        let mut blocks = vec![f32::NAN; deep.output().len()];
        deep.run(&image, &mut blocks).unwrap();
        let (folded, algorithm, packed) = fold_stride2(&spec, &weights).unwrap();
        assert_eq!(folded.input, deep.output());
        for isa in Isa::all() {
            let conv =
                Conv::with_algorithm(algorithm, folded, &packed, &bias, Epilogue::relu(), isa).unwrap();
            let mut output = vec![f32::NAN; conv.output().len()];
            assert_eq!(output.len(), expected.len());
            conv.run(&blocks, None, &mut output).unwrap();
            for (&found, &expected) in output.iter().zip(&expected) {
                let right = (f64::from(found) - expected).abs() <= 2e-5 * magnitude;
                assert!(right, "{found} instead of {expected} of {spec:?}");
            }
        }
    }
}

#[test]
fn what_gains_nothing_is_not_folded() {
    let input = Shape { height: 32, width: 32, channels: 3 };
    let plain = ConvSpec::new(input, 32, [7, 7]);
    let spec = ConvSpec { layout: Layout::Planar, stride: [2; 2], padding: [[3; 2]; 2], ..plain };
    let folds = |spec: ConvSpec| {
        let weights = vec![0.0; spec.outputs * 3 * spec.kernel[0] * spec.kernel[1]];
        fold_stride2(&spec, &weights).is_some()
    };
    assert!(folds(spec));
    assert!(!folds(ConvSpec { stride: [1, 1], ..spec }));
    assert!(!folds(ConvSpec { layout: Layout::ChannelsLast, ..spec }));
    assert!(!folds(ConvSpec { outputs: 8, ..spec }));
    assert!(!folds(ConvSpec { kernel: [3, 3], ..spec }));
    assert!(fold_stride2(&spec, &[0.0; 5]).is_none());
}
