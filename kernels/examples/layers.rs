//! Times the layers of the supported networks on one thread: `cargo run --release -p kernels --example layers [ISA [LAYER]]`, where
//! LAYER is a part of the line printed for a layer.

use std::time::Instant;

use kernels::conv::WinogradTile;
use kernels::{Algorithm, Conv, ConvSpec, Epilogue, Error, Isa, Layout, Shape};

/// side, channels, outputs, kernel, stride, padding, depthwise
type Layer = (usize, usize, usize, usize, usize, usize, bool);

const LAYERS: [Layer; 22] = [
    (256, 3, 64, 7, 2, 3, false),
    (64, 64, 64, 3, 1, 1, false),
    (64, 64, 128, 3, 2, 1, false),
    (64, 64, 128, 1, 2, 0, false),
    (32, 128, 128, 3, 1, 1, false),
    (32, 128, 256, 3, 2, 1, false),
    (16, 256, 256, 3, 1, 1, false),
    (256, 3, 128, 4, 1, 0, false),
    (126, 128, 256, 4, 1, 0, false),
    (61, 256, 256, 3, 1, 0, false),
    (59, 256, 384, 4, 1, 0, false),
    (59, 256, 768, 4, 1, 0, false),
    (64, 64, 64, 4, 1, 2, false),
    (256, 3, 32, 3, 2, 1, false),
    (128, 32, 32, 3, 1, 1, true),
    (128, 32, 16, 1, 1, 0, false),
    (128, 16, 96, 1, 1, 0, false),
    (128, 96, 96, 3, 2, 1, true),
    (64, 96, 24, 1, 1, 0, false),
    (64, 144, 144, 5, 2, 2, true),
    (32, 240, 240, 5, 1, 2, true),
    (16, 480, 80, 1, 1, 0, false),
];

fn main() -> Result<(), Error> {
    let [wanted, only] = [1, 2].map(|place| std::env::args().nth(place));
    let isa = Isa::all().into_iter().rfind(|p| wanted.as_deref().is_none_or(|name| name == p.name()));
    let isa = isa.unwrap_or(Isa::PORTABLE);
    println!("{:<44} {:<22} {:>9} {:>9}", isa.name(), "algorithm", "ms", "GMAC/s");
    for (side, channels, outputs, kernel, stride, padding, depthwise) in LAYERS {
        let input = Shape { height: side, width: side, channels };
        let spec = ConvSpec {
            layout: if channels == 3 { Layout::Planar } else { Layout::ChannelsLast },
            stride: [stride; 2],
            padding: [[padding; 2]; 2],
            depthwise,
            ..ConvSpec::new(input, outputs, [kernel; 2])
        };
        let sums = spec.sums()?;
        let per_output = if depthwise { 1 } else { channels } * kernel * kernel;
        let weights = vec![0.01; outputs * per_output];
        let image: Vec<f32> = (0..input.len()).map(|i| (i % 13) as f32 * 0.1).collect();
        let name = if depthwise { " depthwise" } else { "" };
        let layer = format!("{side}² {channels}→{outputs} {kernel}×{kernel} /{stride}{name}");
        let mut algorithms = vec![Algorithm::for_spec(&spec)];
        if kernel == 3 && stride == 1 && !depthwise {
            algorithms.push(Algorithm::Winograd(WinogradTile::F2x3));
        }
        if !depthwise && kernel > 1 && channels > 3 {
            algorithms.push(Algorithm::Direct);
        }
        for algorithm in algorithms {
            if only.as_ref().is_some_and(|only| !format!("{layer} {}", algorithm.name()).contains(only)) {
                continue;
            }
            let conv =
                Conv::with_algorithm(algorithm, spec, &weights, &vec![0.0; outputs], Epilogue::relu(), isa)?;
            let mut output = vec![0.0; conv.output().len()];
            let mut times = Vec::new();
            for _ in 0..12 {
                let start = Instant::now();
                conv.run(&image, None, &mut output)?;
                times.push(start.elapsed().as_secs_f64() * 1e3);
            }
            times.sort_by(f64::total_cmp);
            // The minimum: other load on the machine only adds to it.
            let ms = times[0];
            let macs = (sums.len() * per_output) as f64 / ms / 1e6;
            println!("{layer:<44} {:<22} {ms:>9.3} {macs:>9.1}", algorithm.name());
        }
    }
    Ok(())
}
