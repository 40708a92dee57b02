//! Convolutions with packed weights, ready to run.

use crate::depthwise::Depthwise;
use crate::direct::Direct;
use crate::max_pool::MaxPool;
use crate::pointwise::Pointwise;
use crate::simd::Isa;
use crate::spec::{ConvSpec, Epilogue, Error, Layout, Shape, check_length};
use crate::winograd::Winograd;
pub use crate::winograd::WinogradTile;

/// The algorithm that computes a convolution.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Algorithm {
    /// Minimal filtering, for kernels with the tile's side and stride.
    Winograd(WinogradTile),
    /// All products of the definition, for any dense convolution.
    Direct,
    /// All products of the definition, for 1×1 kernels of stride 1.
    Pointwise,
    /// All products of the definition, with one filter per channel.
    Depthwise,
}

/// With fewer channels, the transforms cost more than they save.
const MIN_CHANNELS: usize = 16;
/// With smaller images, most of a 4 × 4 tile is wasted.
const MIN_SIDE: usize = 4;

impl Algorithm {
    /// Returns the fastest algorithm for a convolution.
    #[must_use]
    pub fn for_spec(spec: &ConvSpec) -> Self {
        if spec.depthwise {
            return Self::Depthwise;
        }
        let winograd =
            spec.layout == Layout::ChannelsLast && spec.input.channels.min(spec.outputs) >= MIN_CHANNELS;
        let small = spec.sums().is_ok_and(|sums| sums.height.min(sums.width) < MIN_SIDE);
        match (spec.kernel, spec.stride) {
            ([3, 3], [1, 1]) if winograd && small => Self::Winograd(WinogradTile::F2x3),
            ([3, 3], [1, 1]) if winograd => Self::Winograd(WinogradTile::F4x3),
            ([3, 3], [2, 2]) if winograd && !small => Self::Winograd(WinogradTile::F4x3Stride2),
            ([4, 4], [1, 1]) if winograd && !small => Self::Winograd(WinogradTile::F4x4),
            _ if Self::Pointwise.fits(spec) => Self::Pointwise,
            _ => Self::Direct,
        }
    }

    pub(crate) fn fits(self, spec: &ConvSpec) -> bool {
        match self {
            Self::Winograd(tile) => {
                let (kernel, stride) = tile.kernel();
                !spec.depthwise
                    && spec.stride == [stride; 2]
                    && spec.kernel == [kernel; 2]
                    && spec.layout == Layout::ChannelsLast
            }
            Self::Direct => !spec.depthwise,
            Self::Pointwise => {
                !spec.depthwise
                    && spec.kernel == [1, 1]
                    && spec.stride == [1, 1]
                    && spec.padding == [[0, 0], [0, 0]]
                    && spec.layout == Layout::ChannelsLast
            }
            Self::Depthwise => spec.depthwise && spec.layout == Layout::ChannelsLast,
        }
    }

    /// Returns a readable name, for lists of replaced nodes.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Winograd(WinogradTile::F2x3) => "Winograd F(2×2, 3×3)",
            Self::Winograd(WinogradTile::F4x3) => "Winograd F(4×4, 3×3)",
            Self::Winograd(WinogradTile::F4x4) => "Winograd F(4×4, 4×4)",
            Self::Winograd(WinogradTile::F4x3Stride2) => "Winograd F(4×4, 3×3) /2",
            Self::Direct => "direct",
            Self::Pointwise => "pointwise",
            Self::Depthwise => "depthwise",
        }
    }
}

#[derive(Debug)]
enum PackedKernel {
    Winograd(Winograd),
    Direct(Direct),
    Pointwise(Pointwise),
    Depthwise(Depthwise),
}

/// A convolution for one input shape, with packed weights.
#[derive(Debug)]
pub struct Conv {
    input: Shape,
    output: Shape,
    residual: bool,
    algorithm: Algorithm,
    isa: Isa,
    packed: PackedKernel,
    max_pool: Option<MaxPool>,
}

impl Conv {
    /// Packs `weights` (output × channel × row × column, as in ONNX; one channel if depthwise) and `bias` (one value per output) for
    /// the algorithm that suits the shape.
    ///
    /// # Errors
    /// [`Error::Unsupported`] for shapes that don't fit together or a combination that no kernel supports; [`Error::Length`] if
    /// weights or bias have the wrong length.
    pub fn new(
        spec: ConvSpec,
        weights: &[f32],
        bias: &[f32],
        epilogue: Epilogue,
        isa: Isa,
    ) -> Result<Self, Error> {
        let algorithm = match Algorithm::for_spec(&spec) {
            // Pooling needs whole rows.
            Algorithm::Pointwise if epilogue.average_pool => Algorithm::Direct,
            algorithm => algorithm,
        };
        Self::with_algorithm(algorithm, spec, weights, bias, epilogue, isa)
    }

    /// [`Self::new`] with a given algorithm.
    ///
    /// # Errors
    /// As [`Self::new`], and [`Error::Unsupported`] if the algorithm can't compute the convolution.
    pub fn with_algorithm(
        algorithm: Algorithm,
        spec: ConvSpec,
        weights: &[f32],
        bias: &[f32],
        epilogue: Epilogue,
        isa: Isa,
    ) -> Result<Self, Error> {
        let sums = spec.sums()?;
        if !algorithm.fits(&spec) {
            return Err(Error::Unsupported(format!("{} can't compute {spec:?}", algorithm.name())));
        }
        let pools = !matches!(algorithm, Algorithm::Depthwise | Algorithm::Pointwise);
        if epilogue.average_pool && (epilogue.residual || !pools) {
            let message = format!("pooling with a residual, or after a {} convolution", algorithm.name());
            return Err(Error::Unsupported(message));
        }
        check_length("weights", spec.outputs * spec.taps(), weights)?;
        check_length("bias", spec.outputs, bias)?;
        let packed = match algorithm {
            Algorithm::Winograd(tile) => {
                PackedKernel::Winograd(Winograd::new(isa, tile, &spec, sums, weights, bias, epilogue))
            }
            Algorithm::Direct => {
                PackedKernel::Direct(Direct::new(isa, &spec, sums, weights, bias, &epilogue))
            }
            Algorithm::Pointwise => {
                let (inputs, outputs) = (spec.input.channels, spec.outputs);
                PackedKernel::Pointwise(Pointwise::new(isa, inputs, outputs, weights, bias, &epilogue))
            }
            Algorithm::Depthwise => {
                PackedKernel::Depthwise(Depthwise::new(isa, &spec, sums, weights, bias, &epilogue))
            }
        };
        let output = if epilogue.average_pool {
            Shape { height: sums.height / 2, width: sums.width / 2, ..sums }
        } else {
            sums
        };
        Ok(Self {
            input: spec.input,
            output,
            residual: epilogue.residual,
            algorithm,
            isa,
            packed,
            max_pool: None,
        })
    }

    /// Appends a max pooling, so that the convolution's own output never leaves the cache.
    ///
    /// # Errors
    /// [`Error::Unsupported`] if the algorithm doesn't support it or the pooling's input doesn't have the output's shape. The
    /// convolution is then unchanged.
    pub fn fuse_max_pool(&mut self, pool: MaxPool) -> Result<(), Error> {
        let whole = match &self.packed {
            PackedKernel::Winograd(winograd) => winograd.writes_sums(),
            _ => false,
        };
        if !whole || self.max_pool.is_some() || pool.input() != self.output {
            let message = format!("max pooling of {} with output {:?}", self.algorithm.name(), self.output);
            return Err(Error::Unsupported(message));
        }
        self.output = pool.output();
        self.max_pool = Some(pool);
        Ok(())
    }

    /// Returns the shape of the output.
    #[must_use]
    pub const fn output(&self) -> Shape {
        self.output
    }

    /// Returns the algorithm.
    #[must_use]
    pub const fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// Computes one image. `output` and `residual` (if the epilogue has one) have the output's shape, channels last. On a thread of a
    /// rayon pool, the pool's idle threads take part; the values are bit-identical.
    ///
    /// # Errors
    /// [`Error::Length`] if a slice's length doesn't match the shapes.
    pub fn run(&self, input: &[f32], residual: Option<&[f32]>, output: &mut [f32]) -> Result<(), Error> {
        let residual = check_images((self.input, input), (self.output, output), (self.residual, residual))?;
        match (&self.packed, &self.max_pool) {
            (PackedKernel::Winograd(winograd), Some(pool)) => {
                winograd.run_with_max_pool(self.isa, pool, input, output)
            }
            (PackedKernel::Winograd(winograd), None) => winograd.run(self.isa, input, residual, output),
            (PackedKernel::Direct(direct), _) => direct.run(self.isa, input, residual, output),
            (PackedKernel::Pointwise(pointwise), _) => pointwise.run(self.isa, input, residual, output),
            (PackedKernel::Depthwise(depthwise), _) => depthwise.run(self.isa, input, residual, output),
        }
        Ok(())
    }
}

/// Checks a convolution's arguments and returns the residual, or `None` if its epilogue has none.
pub(crate) fn check_images<'a>(
    (input_shape, input): (Shape, &[f32]),
    (output_shape, output): (Shape, &[f32]),
    (wanted, residual): (bool, Option<&'a [f32]>),
) -> Result<Option<&'a [f32]>, Error> {
    check_length("input", input_shape.len(), input)?;
    check_length("output", output_shape.len(), output)?;
    check_length("residual", if wanted { output_shape.len() } else { 0 }, residual.unwrap_or_default())?;
    Ok(residual.filter(|_| wanted))
}
