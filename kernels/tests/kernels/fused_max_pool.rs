//! Compares a convolution fused with max pooling with the two run one after the other.

use kernels::conv::WinogradTile;
use kernels::max_pool::MaxPool;
use kernels::{Algorithm, Conv, ConvSpec, Epilogue, Error, Isa, Shape};
use proptest::prelude::*;
use reference::noise;

use crate::reference;

fn conv(algorithm: Algorithm, spec: ConvSpec, epilogue: Epilogue, isa: Isa) -> Conv {
    let weights = noise(spec.outputs * spec.input.channels * spec.kernel[0] * spec.kernel[1], 2);
    Conv::with_algorithm(algorithm, spec, &weights, &noise(spec.outputs, 3), epilogue, isa).unwrap()
}

fn window(input: Shape, kernel: usize, stride: usize, padding: [[usize; 2]; 2]) -> ConvSpec {
    let window = ConvSpec::new(input, input.channels, [kernel; 2]);
    ConvSpec { stride: [stride; 2], padding, depthwise: true, ..window }
}

/// Fewer cases when the processor is emulated.
const CASES: u32 = if cfg!(target_arch = "aarch64") { 10 } else { 60 };

proptest! {
    #![proptest_config(ProptestConfig { cases: CASES, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn one_pass_gives_the_bits_of_two(
        (height, width) in (4_usize..70, 4_usize..40),
        (inputs, outputs) in (1_usize..20, 1_usize..70),
        tile in prop::sample::select(&[(WinogradTile::F2x3, 3), (WinogradTile::F4x3, 3), (WinogradTile::F4x4, 4)][..]),
        (kernel, stride, padding) in (1_usize..5, 1_usize..6, any::<[u8; 4]>()),
    ) {
        let (tile, side) = tile;
        let input = Shape { height, width, channels: inputs };
        let spec = ConvSpec { padding: [[1, side - 2]; 2], ..ConvSpec::new(input, outputs, [side; 2]) };
        let image = noise(input.len(), 1);
        let [a, b, c, d] = padding.map(|pad| usize::from(pad) % kernel);
        let pool = rayon::ThreadPoolBuilder::new().num_threads(3).build().unwrap();
        for isa in Isa::all() {
            let mut conv = conv(Algorithm::Winograd(tile), spec, Epilogue::relu(), isa);
            let Ok(maximum) = MaxPool::new(window(conv.output(), kernel, stride, [[a, b], [c, d]]), isa) else {
                continue;
            };
            let mut between = vec![f32::NAN; conv.output().len()];
            conv.run(&image, None, &mut between).unwrap();
            let mut expected = vec![f32::NAN; maximum.output().len()];
            maximum.run(&between, &mut expected).unwrap();
            conv.fuse_max_pool(maximum).unwrap();
            let [mut alone, mut together] = [0, 1].map(|_| vec![f32::NAN; expected.len()]);
            conv.run(&image, None, &mut alone).unwrap();
            pool.install(|| conv.run(&image, None, &mut together)).unwrap();
            assert_eq!(alone, expected, "{}: {spec:?}", isa.name());
            assert_eq!(together, expected, "{}: threads change bits of {spec:?}", isa.name());
        }
    }
}

#[test]
fn what_it_does_not_take_stays_as_it_was() {
    let input = Shape { height: 12, width: 12, channels: 16 };
    let spec = ConvSpec { padding: [[1; 2]; 2], ..ConvSpec::new(input, 16, [3; 2]) };
    let isa = Isa::best();
    let maximum = |input| MaxPool::new(window(input, 3, 2, [[1; 2]; 2]), isa).unwrap();
    let winograd = Algorithm::Winograd(WinogradTile::F4x3);
    let refused = |mut conv: Conv, maximum| {
        let before = conv.output();
        assert!(matches!(conv.fuse_max_pool(maximum), Err(Error::Unsupported(_))));
        assert_eq!(conv.output(), before);
    };
    let plain = || conv(winograd, spec, Epilogue::default(), isa);
    refused(conv(Algorithm::Direct, spec, Epilogue::default(), isa), maximum(input));
    refused(conv(winograd, spec, Epilogue { residual: true, ..Epilogue::default() }, isa), maximum(input));
    refused(plain(), maximum(Shape { width: 14, ..input }));
    let mut pooled = plain();
    pooled.fuse_max_pool(maximum(input)).unwrap();
    let half = Shape { height: 6, width: 6, channels: 16 };
    assert_eq!(pooled.output(), half);
    refused(pooled, maximum(half));
}
