//! Times the bottlenecks of EfficientNet-Lite0 on one thread, in one pass (with weights in a near cache, and far from it) and in three:
//! `cargo run --release -p kernels --example bottlenecks`.

use std::time::Instant;

use kernels::bottleneck::BottleneckStage;
use kernels::{Bottleneck, Conv, ConvSpec, Epilogue, Error, Isa, Layout, Shape};

/// side, channels (input, expanded, output), kernel, stride
type Block = (usize, [usize; 3], usize, usize);

/// The first one expands the image itself, by 3×3 of stride 2.
const BLOCKS: [Block; 9] = [
    (256, [3, 32, 16], 3, 1),
    (128, [16, 96, 24], 3, 2),
    (64, [24, 144, 24], 3, 1),
    (64, [24, 144, 40], 5, 2),
    (32, [40, 240, 40], 5, 1),
    (32, [40, 240, 80], 3, 2),
    (16, [80, 480, 80], 3, 1),
    (16, [80, 480, 112], 5, 1),
    (16, [112, 672, 112], 5, 1),
];
const ROUNDS: usize = 200;

fn main() -> Result<(), Error> {
    let isa = Isa::best();
    println!(
        "{:<34} {:>9} {:>9} {:>9} {:>9}   expand, depthwise, project",
        isa.name(),
        "one",
        "far",
        "three",
        "GMAC/s"
    );
    for (side, [inputs, wide, outputs], kernel, stride) in BLOCKS {
        let shape = Shape { height: side, width: side, channels: inputs };
        let expand = if inputs == 3 {
            let (layout, padding) = (Layout::Planar, [[0, 1]; 2]);
            ConvSpec { layout, padding, stride: [2, 2], ..ConvSpec::new(shape, wide, [3, 3]) }
        } else {
            ConvSpec::new(shape, wide, [1, 1])
        };
        let depthwise = ConvSpec {
            stride: [stride; 2],
            padding: [[(kernel - stride) / 2, (kernel - stride).div_ceil(2)]; 2],
            depthwise: true,
            ..ConvSpec::new(expand.sums()?, wide, [kernel; 2])
        };
        let project = ConvSpec::new(depthwise.sums()?, outputs, [1, 1]);
        let specs = [expand, depthwise, project];
        let per_output = [inputs * expand.kernel[0] * expand.kernel[1], kernel * kernel, wide];
        let work: usize =
            specs.iter().zip(per_output).map(|(s, n)| s.sums().map_or(0, |sums| sums.len() * n)).sum();
        let weights = [0, 1, 2].map(|i| vec![0.01; specs[i].outputs * per_output[i]]);
        let bias = [0, 1, 2].map(|i| vec![0.1; specs[i].outputs]);
        let epilogues = [Epilogue::relu6(), Epilogue::relu6(), Epilogue::default()];
        let [a, b, c] = [0, 1, 2].map(|i| BottleneckStage {
            spec: specs[i],
            weights: &weights[i],
            bias: &bias[i],
            epilogue: epilogues[i],
        });
        let one = Bottleneck::new(&a, &b, &c, isa)?;
        let three = [a, b, c].map(|s| Conv::new(s.spec, s.weights, s.bias, s.epilogue, isa));
        // Enough copies that each one's weights have left the L2 cache before its next turn.
        let count = (8 << 20) / (4 * weights.iter().map(Vec::len).sum::<usize>()) + 1;
        let copies = (0..count).map(|_| Bottleneck::new(&a, &b, &c, isa)).collect::<Result<Vec<_>, _>>()?;
        let image: Vec<f32> = (0..shape.len()).map(|i| (i % 13) as f32 * 0.1).collect();
        let mut times = [const { Vec::new() }; 5];
        let mut output = vec![0.0; one.output().len()];
        let three = three.into_iter().collect::<Result<Vec<_>, _>>()?;
        // In turn, so that other load on the machine affects all alike.
        for round in 0..ROUNDS {
            one.run(&image, None, &mut output)?;
            let start = Instant::now();
            copies[round % count].run(&image, None, &mut output)?;
            times[4].push(start.elapsed().as_secs_f64() * 1e3);
            let start = Instant::now();
            one.run(&image, None, &mut output)?;
            times[3].push(start.elapsed().as_secs_f64() * 1e3);
            let mut image = image.clone();
            for (times, conv) in times.iter_mut().zip(&three) {
                let mut output = vec![0.0; conv.output().len()];
                let start = Instant::now();
                conv.run(&image, None, &mut output)?;
                times.push(start.elapsed().as_secs_f64() * 1e3);
                image = output;
            }
        }
        let [a, b, c, one, far] = times.map(|times| times.into_iter().fold(f64::INFINITY, f64::min));
        let name = format!("{side}² {inputs}→{wide}→{outputs} {kernel}×{kernel} /{stride}");
        let pace = work as f64 / one / 1e6;
        println!("{name:<34} {one:>9.3} {far:>9.3} {:>9.3} {pace:>9.1}   {a:.3} {b:.3} {c:.3}", a + b + c);
    }
    Ok(())
}
