//! Winograd's minimal filtering for kernels of stride 1 (Lavin & Gray 2016): tiles of the input are transformed, multiplied
//! with transformed filters as A² matrix products, and transformed back.

mod block;
mod transform;

use crate::buffer::{Buffer, lend};
use crate::share::{self, Target};
use crate::simd::Path;
use crate::spec::{ConvSpec, Epilogue, Shape};

use block::{Block, room};
use transform::{F2x3, F4x3, F4x4, Transform};

/// Which minimal filtering: outputs of a tile's side, and taps of the kernel's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Tile {
    /// F(2×2, 3×3): 2.25 times fewer multiplications.
    F2x3,
    /// F(4×4, 3×3): 4 times fewer.
    F4x3,
    /// F(4×4, 4×4): 5.2 times fewer.
    F4x4,
}

impl Tile {
    /// Sides of a tile of input and of output.
    const fn sides(self) -> (usize, usize) {
        match self {
            Self::F2x3 => (4, 2),
            Self::F4x3 => (6, 4),
            Self::F4x4 => (7, 4),
        }
    }

    /// Taps of the kernel's side.
    pub(crate) const fn kernel(self) -> usize {
        let (points, outputs) = self.sides();
        points + 1 - outputs
    }

    const fn filter_transform(self) -> &'static [&'static [f64]] {
        match self {
            Self::F2x3 => <F2x3 as Transform<4, 2>>::FILTER,
            Self::F4x3 => <F4x3 as Transform<6, 4>>::FILTER,
            Self::F4x4 => <F4x4 as Transform<7, 4>>::FILTER,
        }
    }
}

/// Intermediate values of a block should stay near a core's second-level cache: floats of half a MiB.
const BLOCK_FLOATS: usize = 1 << 17;
/// Fewer tiles a block read the filters, which are larger than that cache, too often; more add nothing.
const BLOCK_TILES: (usize, usize) = (64, 96);
/// Output channels computed at a time.
const GROUP: usize = 128;

/// A Winograd convolution with its transformed filters.
#[derive(Debug)]
pub(crate) struct Winograd {
    tile: Tile,
    input: Shape,
    before: [usize; 2],
    /// Sums that are needed: without the odd row and column that pooling drops.
    sums: Shape,
    epilogue: Epilogue,
    /// [group of outputs][point][panel][channel][lane].
    filters: Buffer,
    bias: Buffer,
    /// Channels rounded up to whole vectors.
    channels: usize,
    /// Outputs rounded up to whole panels.
    outputs: usize,
    group: usize,
    tiles_across: usize,
    tiles: usize,
    block_tiles: usize,
}

impl Winograd {
    pub fn new(
        path: Path,
        tile: Tile,
        spec: &ConvSpec,
        sums: Shape,
        weights: &[f32],
        bias: &[f32],
        epilogue: Epilogue,
    ) -> Self {
        let (points, side) = tile.sides();
        let panel = 2 * path.lanes();
        let outputs = spec.outputs.next_multiple_of(panel);
        let group = GROUP.min(outputs);
        let channels = spec.input.channels.next_multiple_of(path.lanes());
        let even = |side: usize| if epilogue.average_pool { side / 2 * 2 } else { side };
        let sums = Shape { height: even(sums.height), width: even(sums.width), ..sums };
        let tiles_across = sums.width.div_ceil(side);
        let tiles = tiles_across * sums.height.div_ceil(side);
        let per_tile = points * points * (channels + group);
        let most = (BLOCK_FLOATS / per_tile).clamp(BLOCK_TILES.0, BLOCK_TILES.1);
        let block_tiles = tiles.div_ceil(tiles.div_ceil(most).max(1));
        let filters = transform_filters(tile, spec, (outputs, group, panel), weights);
        Self {
            tile,
            input: spec.input,
            before: [spec.padding[0][0], spec.padding[1][0]],
            sums,
            epilogue,
            filters,
            bias: Buffer::padded(bias, panel),
            channels,
            outputs,
            group,
            tiles_across,
            tiles,
            block_tiles,
        }
    }

    /// The slices have the lengths that the shapes say.
    pub fn run(&self, path: Path, input: &[f32], residual: Option<&[f32]>, output: &mut [f32]) {
        let output = Target::new(output);
        let blocks = self.tiles.div_ceil(self.block_tiles.max(1));
        share::for_each(blocks, |block| {
            let tiles = block * self.block_tiles..((block + 1) * self.block_tiles).min(self.tiles);
            lend(room(self, tiles.len()), |room| {
                let block = Block { winograd: self, input, residual, output, tiles, room };
                match self.tile {
                    Tile::F2x3 => path.run(block.with::<F2x3, 4, 2>()),
                    Tile::F4x3 => path.run(block.with::<F4x3, 6, 4>()),
                    Tile::F4x4 => path.run(block.with::<F4x4, 7, 4>()),
                }
            });
        });
    }
}

/// G g Gᵀ of every filter, in f64, in the order in which a block reads them: rounded outputs in groups of panels.
fn transform_filters(
    tile: Tile,
    spec: &ConvSpec,
    (outputs, group, columns): (usize, usize, usize),
    weights: &[f32],
) -> Buffer {
    let (points, _) = tile.sides();
    let taps = tile.kernel();
    let g = tile.filter_transform();
    let channels = spec.input.channels;
    let mut filters = Buffer::zeros(points * points * channels * outputs);
    let target = filters.floats_mut();
    for (index, filter) in weights.chunks_exact(taps * taps).enumerate() {
        let (output, channel) = (index / channels, index % channels);
        let first = output / group * group;
        // The last group may be narrower.
        let width = group.min(outputs - first);
        let within = output - first;
        let mut half = [[0.0; 4]; 7];
        for (row, g) in half.iter_mut().zip(g) {
            for (column, value) in row.iter_mut().enumerate().take(taps) {
                *value = (0..taps).map(|k| g[k] * f64::from(filter[k * taps + column])).sum();
            }
        }
        for y in 0..points {
            for x in 0..points {
                let value: f64 = (0..taps).map(|k| half[y][k] * g[x][k]).sum();
                let panel = first * points * points * channels
                    + (y * points + x) * channels * width
                    + within / columns * channels * columns;
                target[panel + channel * columns + within % columns] = value as f32;
            }
        }
    }
    filters
}
