//! Winograd's minimal filtering (Lavin & Gray 2016): input tiles are transformed, multiplied by transformed filters as A² matrix
//! products, and transformed back.

mod block;
mod filters;
mod input;
mod max_pool;
mod output;
mod transform;

use std::marker::PhantomData;

use crate::buffer::{Buffer, with_scratch};
use crate::parallel::{self, SharedOutput};
use crate::simd::{Dispatch, Isa};
use crate::spec::{ConvSpec, Epilogue, Shape};

use block::{TileBlock, scratch_length};
use filters::{TransformAll, WinogradFilters, group_filters};
use transform::{F2x3, F4x3, F4x3Stride2, F4x4, Transform};

/// A minimal filtering algorithm, F(outputs per tile, taps of the kernel).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum WinogradTile {
    /// F(2×2, 3×3): 2.25 times fewer multiplications.
    F2x3,
    /// F(4×4, 3×3): 4 times fewer.
    F4x3,
    /// F(4×4, 4×4): 5.2 times fewer.
    F4x4,
    /// F(4×4, 3×3) with stride 2: 1.8 times fewer.
    F4x3Stride2,
}

impl WinogradTile {
    /// Returns the kernel's side and its stride.
    pub(crate) const fn kernel(self) -> (usize, usize) {
        match self {
            Self::F2x3 | Self::F4x3 => (3, 1),
            Self::F4x4 => (4, 1),
            Self::F4x3Stride2 => (3, 2),
        }
    }
}

/// How a convolution is split into parts whose values roughly fit a core's L2 cache.
#[derive(Debug, Clone, Copy)]
struct WinogradBlocking {
    /// Whether the transformed filters are stored; otherwise each block transforms them again.
    stores_filters: bool,
    /// Tiles per block.
    tiles: usize,
    /// Output channels computed at a time.
    group: usize,
}

impl WinogradBlocking {
    /// Chooses the blocking from the numbers of tiles and of transformed filter floats.
    const fn of(tiles: usize, filters: usize) -> Self {
        const MIB: usize = 1 << 18;
        if tiles <= 64 && filters > MIB {
            // The filters would be read from memory once per frame. Reading the untransformed ones, a quarter of the size, and
            // transforming them is faster.
            Self { stores_filters: false, tiles: 32, group: 32 }
        } else if filters > 4 * MIB {
            // Every block reads the filters from memory, so use fewer blocks.
            Self { stores_filters: true, tiles: 128, group: 256 }
        } else {
            Self { stores_filters: true, tiles: if filters > MIB { 64 } else { 24 }, group: 128 }
        }
    }
}

/// Runs `$body` with the transform of `$tile` and its dimensions.
macro_rules! with_transform {
    ($tile:expr, $T:ident, $A:ident, $M:ident, $R:ident => $body:expr) => {
        match $tile {
            WinogradTile::F2x3 => with_transform!(F2x3, 4, 2, 3, $T, $A, $M, $R => $body),
            WinogradTile::F4x3 => with_transform!(F4x3, 6, 4, 3, $T, $A, $M, $R => $body),
            WinogradTile::F4x4 => with_transform!(F4x4, 7, 4, 4, $T, $A, $M, $R => $body),
            WinogradTile::F4x3Stride2 => with_transform!(F4x3Stride2, 9, 4, 3, $T, $A, $M, $R => $body),
        }
    };
    ($transform:ty, $points:literal, $outputs:literal, $taps:literal, $T:ident, $A:ident, $M:ident, $R:ident => $body:expr) => {{
        type $T = $transform;
        const $A: usize = $points;
        const $M: usize = $outputs;
        const $R: usize = $taps;
        $body
    }};
}

/// A Winograd convolution with its packed filters.
#[derive(Debug)]
pub(crate) struct Winograd {
    tile: WinogradTile,
    /// Rows and columns of sums per tile.
    side: usize,
    /// Points per tile, and those with their own filter.
    points: [usize; 2],
    input: Shape,
    before: [usize; 2],
    /// The sums that are needed, without the odd row and column that pooling drops.
    sums: Shape,
    epilogue: Epilogue,
    filters: WinogradFilters,
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
        isa: Isa,
        tile: WinogradTile,
        spec: &ConvSpec,
        sums: Shape,
        weights: &[f32],
        bias: &[f32],
        epilogue: Epilogue,
    ) -> Self {
        let [points, side, taps, own] = with_transform!(tile, T, A, M, R => [A, M, R, T::FILTERS]);
        let (points, own) = (points * points, own * own);
        let panel = 2 * isa.lanes();
        let outputs = spec.outputs.next_multiple_of(panel);
        let channels = spec.input.channels.next_multiple_of(isa.lanes());
        let even = |side: usize| if epilogue.average_pool { side / 2 * 2 } else { side };
        let sums = Shape { height: even(sums.height), width: even(sums.width), ..sums };
        let tiles_across = sums.width.div_ceil(side);
        let tiles = tiles_across * sums.height.div_ceil(side);
        let blocking = WinogradBlocking::of(tiles, own * spec.input.channels * outputs);
        let group = blocking.group.next_multiple_of(panel).min(outputs);
        let block_tiles = tiles.div_ceil(tiles.div_ceil(blocking.tiles).max(1));
        let plain = group_filters((group, panel), spec.input.channels, taps * taps, weights);
        let filters = if blocking.stores_filters {
            let (plain, channels) = (plain.floats(), spec.input.channels);
            WinogradFilters::Transformed(with_transform!(tile, T, A, M, R => {
                let transform = PhantomData::<T>;
                isa.run(TransformAll::<T, A, M, R> { plain, channels, outputs, group, transform })
            }))
        } else {
            WinogradFilters::Plain(plain)
        };
        Self {
            tile,
            side,
            points: [points, own],
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

    /// Computes one image. The slices' lengths must match the shapes.
    pub fn run(&self, isa: Isa, input: &[f32], residual: Option<&[f32]>, output: &mut [f32]) {
        let output = SharedOutput::new(output);
        let blocks = self.tiles.div_ceil(self.block_tiles.max(1));
        // If there are fewer blocks than threads, several threads share a block, each computing some of its outputs.
        let groups = self.outputs.div_ceil(self.group);
        let parts = parallel::threads().div_ceil(blocks.max(1)).clamp(1, groups.max(1));
        parallel::for_each(blocks * parts, |index| {
            let (block, part) = (index / parts, index % parts);
            let [first, end] = [part, part + 1].map(|part| part * groups / parts * self.group);
            let outputs = first..end.min(self.outputs);
            let tiles = block * self.block_tiles..((block + 1) * self.block_tiles).min(self.tiles);
            with_scratch(scratch_length(self, tiles.len()), |scratch| {
                self.block(
                    isa,
                    TileBlock { winograd: self, input, residual, output, top: 0, tiles, outputs, scratch },
                );
            });
        });
    }

    /// Returns whether the sums are written directly, without average pooling or a residual.
    pub const fn writes_sums(&self) -> bool {
        !self.epilogue.average_pool && !self.epilogue.residual
    }

    fn block(&self, isa: Isa, block: TileBlock<'_>) {
        with_transform!(self.tile, T, A, M, R => isa.run(block.with::<T, A, M, R>()));
    }
}
