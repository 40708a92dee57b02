//! Space to depth: every 2 × 2 pixels become one pixel with four times the channels. This turns a first convolution of stride 2 into
//! one of stride 1, which minimal filtering computes with a quarter of the multiplications.

use crate::conv::Algorithm;
use crate::parallel::{self, SharedOutput};
use crate::spec::{ConvSpec, Error, Layout, Shape, check_length};
use crate::winograd::WinogradTile;

/// With fewer outputs, the transforms cost more than they save.
const MIN_OUTPUTS: usize = 16;
/// With smaller images, most of a tile is wasted.
const MIN_SIDE: usize = 8;

/// Rearranges a planar image's 2 × 2 blocks into pixels, channels last, ordered by row in the block, column in the block, channel.
/// Odd sides are padded with zeros.
#[derive(Debug, Clone, Copy)]
pub struct SpaceToDepth {
    input: Shape,
    output: Shape,
}

impl SpaceToDepth {
    /// Prepares for planar images of this shape.
    ///
    /// # Errors
    /// [`Error::Unsupported`] if the image is empty or too large for memory.
    pub fn new(input: Shape) -> Result<Self, Error> {
        let Shape { height, width, channels } = input.within_limits()?;
        if input.len() == 0 {
            return Err(Error::Unsupported("empty image".to_owned()));
        }
        let output = Shape { height: height.div_ceil(2), width: width.div_ceil(2), channels: 4 * channels };
        Ok(Self { input, output: output.within_limits()? })
    }

    /// Returns the shape of the output.
    #[must_use]
    pub const fn output(&self) -> Shape {
        self.output
    }

    /// Rearranges one image.
    ///
    /// # Errors
    /// [`Error::Length`] if a slice's length doesn't match the shapes.
    pub fn run(&self, input: &[f32], output: &mut [f32]) -> Result<(), Error> {
        check_length("input", self.input.len(), input)?;
        check_length("output", self.output.len(), output)?;
        let Shape { height, width, channels } = self.input;
        let line = self.output.width * self.output.channels;
        let target = SharedOutput::new(output);
        parallel::for_each(self.output.height, |row| {
            // SAFETY: each row belongs to one block.
            let line = unsafe { std::slice::from_raw_parts_mut(target.at(row * line, line), line) };
            for block_row in 0..2 {
                let y = 2 * row + block_row;
                for channel in 0..channels {
                    let from = (y < height).then(|| &input[(channel * height + y) * width..][..width]);
                    let first = block_row * 2 * channels + channel;
                    let pixels = line.chunks_exact_mut(4 * channels);
                    match from {
                        Some(from) => {
                            for (pixel, pair) in pixels.zip(from.chunks(2)) {
                                pixel[first] = pair[0];
                                pixel[first + channels] = pair.get(1).copied().unwrap_or(0.0);
                            }
                        }
                        None => {
                            for pixel in pixels {
                                pixel[first] = 0.0;
                                pixel[first + channels] = 0.0;
                            }
                        }
                    }
                }
            }
        });
        Ok(())
    }
}

/// Rewrites a convolution of stride 2 as one of stride 1 after [`SpaceToDepth`], and returns it with its algorithm and weights.
/// Returns `None` if that is impossible or not faster.
#[must_use]
pub fn fold_stride2(spec: &ConvSpec, weights: &[f32]) -> Option<(ConvSpec, Algorithm, Vec<f32>)> {
    let sums = spec.sums().ok()?;
    let channels = spec.input.channels;
    let has_stride2 = spec.stride == [2, 2] && !spec.depthwise && spec.layout == Layout::Planar;
    let large = spec.outputs >= MIN_OUTPUTS && sums.height.min(sums.width) >= MIN_SIDE;
    if !has_stride2 || !large || weights.len() != spec.outputs * spec.taps() {
        return None;
    }
    let input = SpaceToDepth::new(spec.input).ok()?.output();
    // A row or column of zero weights makes odd padding even.
    let zeros = [0, 1].map(|axis| spec.padding[axis][0] % 2);
    let kernel = [0, 1].map(|axis| (spec.kernel[axis] + zeros[axis]).div_ceil(2));
    // The remaining multiplications per output. Unless at least half are saved, the transforms cost more.
    let (tile, left) = match kernel {
        [4, 4] => (WinogradTile::F4x4, 49.0 / 16.0),
        [3, 3] => (WinogradTile::F4x3, 36.0 / 16.0),
        _ => return None,
    };
    if 4.0 * left > 0.5 * (spec.kernel[0] * spec.kernel[1]) as f64 {
        return None;
    }
    let mut padding = [[0; 2]; 2];
    for axis in 0..2 {
        let before = (spec.padding[axis][0] + zeros[axis]) / 2;
        let (side, sums) = ([input.height, input.width][axis], [sums.height, sums.width][axis]);
        padding[axis] = [before, (sums - 1 + kernel[axis]).checked_sub(before + side)?];
    }
    let [height, width] = spec.kernel;
    let folded = ConvSpec { padding, ..ConvSpec::new(input, spec.outputs, kernel) };
    let mut packed = vec![0.0; spec.outputs * folded.taps()];
    for (index, &weight) in weights.iter().enumerate() {
        let (x, y) = (index % width + zeros[1], index / width % height + zeros[0]);
        let (channel, output) = (index / (width * height) % channels, index / spec.taps());
        let deep = (y % 2 * 2 + x % 2) * channels + channel;
        packed[((output * 4 * channels + deep) * kernel[0] + y / 2) * kernel[1] + x / 2] = weight;
    }
    Some((folded, Algorithm::Winograd(tile), packed))
}
