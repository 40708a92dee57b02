//! A block's coefficients: their order, their quantisation, and how large they can be.

use super::error::Damage;

/// Natural position (row × 8 + column) by zigzag position (T.81, figure 5).
#[rustfmt::skip]
pub(super) const NATURAL: [u8; 64] = [
     0,  1,  8, 16,  9,  2,  3, 10, 17, 24, 32, 25, 18, 11,  4,  5,
    12, 19, 26, 33, 40, 48, 41, 34, 27, 20, 13,  6,  7, 14, 21, 28,
    35, 42, 49, 56, 57, 50, 43, 36, 29, 22, 15, 23, 30, 37, 44, 51,
    58, 59, 52, 45, 38, 31, 39, 46, 53, 60, 61, 54, 47, 55, 62, 63,
];

/// Largest norm of a block's coefficients. An orthonormal transform keeps the norm, which for 64 samples from −128 to
/// 127 is at most 1,024. A quarter is added for encoders that overshoot on purpose.
const LARGEST_NORM: i64 = 1024 / 4 * 5;
/// Its square, for doubled values.
const MAX_ENERGY: i64 = 4 * LARGEST_NORM * LARGEST_NORM;

/// Quantisation steps in zigzag order.
pub(super) type QuantTable = [u16; 64];

/// A block under construction.
///
/// Damaged data often decodes to valid codes, but to coefficients that no picture has. Their energy gives them away:
/// rounded by a quantiser, a value was at most half a step smaller before.
pub(super) struct CoefficientBlock<'s> {
    steps: &'s QuantTable,
    /// Dequantised, in natural order.
    pub(super) coefficients: [[i32; 8]; 8],
    /// Lower bound of the sum of squares of twice the values before quantisation.
    energy: i64,
    /// Last zigzag position that is not zero.
    pub(super) last: usize,
}

impl<'s> CoefficientBlock<'s> {
    #[inline]
    pub(super) const fn new(steps: &'s QuantTable) -> Self {
        Self { steps, coefficients: [[0; 8]; 8], energy: 0, last: 0 }
    }

    /// Sets the coefficient at a zigzag position to a non-zero value of at most 16 bits.
    #[inline]
    #[expect(
        clippy::indexing_slicing,
        reason = "64 elements and a mask: the compiler omits the checks, and this is the innermost loop"
    )]
    pub(super) fn set(&mut self, position: usize, value: i32) {
        let position = position & 63;
        let step = i32::from(self.steps[position]);
        // Allowed values fit into 32 bits; those that overflow are refused by their energy.
        let min_value = i64::from(2 * value.abs() - 1) * i64::from(step);
        self.energy = self.energy.saturating_add(min_value * min_value);
        let natural = usize::from(NATURAL[position]);
        self.coefficients[natural / 8][natural % 8] = value.wrapping_mul(step);
        self.last = self.last.max(position);
    }

    /// # Errors
    /// [`Damage::Range`] if no picture has such coefficients.
    #[inline]
    pub(super) const fn ensure_possible(&self) -> Result<(), Damage> {
        if self.energy > MAX_ENERGY { Err(Damage::Range) } else { Ok(()) }
    }
}
