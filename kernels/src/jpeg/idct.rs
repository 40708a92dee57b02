//! The inverse discrete cosine transform of 8×8 blocks.
//!
//! Bit-identical to libjpeg's `islow`: Loeffler, Ligtenberg and Moschytz, *Practical Fast 1-D DCT Algorithms with 11
//! Multiplications*, ICASSP 1989, with 13-bit constants. A frame decodes to the same pixels here as with libjpeg-turbo.

use super::lanes::{DctBlock, Lanes, dispatch_widest};

/// Fraction bits of the constants, and fraction bits kept by the first pass.
const CONST_BITS: i32 = 13;
const PASS_BITS: i32 = 2;

/// Converts a constant of the transform to fixed point.
const fn fixed(value: f64) -> i32 {
    (value * (1 << CONST_BITS) as f64 + 0.5) as i32
}

const F0_298: i32 = fixed(0.298631336);
const F0_390: i32 = fixed(0.390180644);
const F0_541: i32 = fixed(0.541196100);
const F0_765: i32 = fixed(0.765366865);
const F0_899: i32 = fixed(0.899976223);
const F1_175: i32 = fixed(1.175875602);
const F1_501: i32 = fixed(1.501321110);
const F1_847: i32 = fixed(1.847759065);
const F1_961: i32 = fixed(1.961570560);
const F2_053: i32 = fixed(2.053119869);
const F2_562: i32 = fixed(2.562915447);
const F3_072: i32 = fixed(3.072711026);

/// Transforms the columns, adds `offset` and drops `SHIFT` fraction bits.
#[inline(always)]
fn transform_columns<const SHIFT: i32, L: Lanes>(
    offset: i32,
    [r0, r1, r2, r3, r4, r5, r6, r7]: [L; 8],
) -> [L; 8] {
    // Even rows.
    let z1 = r2.plus(r6).times(F0_541);
    let t2 = z1.minus(r6.times(F1_847));
    let t3 = z1.plus(r2.times(F0_765));
    let t0 = r0.plus(r4).times(1 << CONST_BITS);
    let t1 = r0.minus(r4).times(1 << CONST_BITS);
    let (e0, e3, e1, e2) = (t0.plus(t3), t0.minus(t3), t1.plus(t2), t1.minus(t2));
    // Odd rows.
    let (z1, z2, z3, z4) = (r7.plus(r1), r5.plus(r3), r7.plus(r3), r5.plus(r1));
    let z5 = z3.plus(z4).times(F1_175);
    let (z1, z2) = (z1.times(-F0_899), z2.times(-F2_562));
    let (z3, z4) = (z5.minus(z3.times(F1_961)), z5.minus(z4.times(F0_390)));
    let o0 = r7.times(F0_298).plus(z1).plus(z3);
    let o1 = r5.times(F2_053).plus(z2).plus(z4);
    let o2 = r3.times(F3_072).plus(z2).plus(z3);
    let o3 = r1.times(F1_501).plus(z1).plus(z4);
    let round = L::splat((1 << (SHIFT - 1)) + (offset << SHIFT));
    let (e0, e1, e2, e3) = (e0.plus(round), e1.plus(round), e2.plus(round), e3.plus(round));
    [
        e0.plus(o3).shifted::<SHIFT>(),
        e1.plus(o2).shifted::<SHIFT>(),
        e2.plus(o1).shifted::<SHIFT>(),
        e3.plus(o0).shifted::<SHIFT>(),
        e3.minus(o0).shifted::<SHIFT>(),
        e2.minus(o1).shifted::<SHIFT>(),
        e1.minus(o2).shifted::<SHIFT>(),
        e0.minus(o3).shifted::<SHIFT>(),
    ]
}

#[inline(always)]
fn samples<L: Lanes>(coefficients: &DctBlock) -> [[u8; 8]; 8] {
    let rows = L::load(coefficients);
    let rows = L::transposed(transform_columns::<{ CONST_BITS - PASS_BITS }, L>(0, rows));
    // Three more bits, because each pass scales by √8. Samples are centred on 128.
    let rows = L::transposed(transform_columns::<{ CONST_BITS + PASS_BITS + 3 }, L>(128, rows));
    L::bytes(rows)
}

/// Transforms a block of dequantised coefficients, row by row in natural order, and writes the samples to eight rows of `out` that are
/// `stride` apart.
#[inline]
pub fn inverse_dct(coefficients: &DctBlock, out: &mut [u8], stride: usize) {
    let rows = dispatch_widest!(samples(coefficients));
    for (row, out) in rows.iter().zip(out.chunks_mut(stride)) {
        if let Some(out) = out.first_chunk_mut::<8>() {
            *out = *row;
        }
    }
}

/// Writes the samples of a block that has only a DC coefficient.
pub fn inverse_dct_dc_only(dc: i32, out: &mut [u8], stride: usize) {
    // Rounded as by the two passes.
    let value = ((dc << PASS_BITS) + (1 << (PASS_BITS + 2))) >> (PASS_BITS + 3);
    let value = (value + 128).clamp(0, 255) as u8;
    for out in out.chunks_mut(stride) {
        if let Some(out) = out.first_chunk_mut::<8>() {
            *out = [value; 8];
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_processor_finds_the_same_samples() {
        let mut state = 1_u32;
        let mut random = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 20) as i32 - 2048
        };
        for round in 0..500 {
            // From faint blocks to ones that no picture contains.
            let block = std::array::from_fn(|_| std::array::from_fn(|_| random() >> (round % 10)));
            let mut widest = [0; 64];
            inverse_dct(&block, &mut widest, 8);
            assert_eq!(samples::<[i32; 8]>(&block).as_flattened(), widest, "{block:?}");
        }
    }
}
