//! Eight 32-bit integers at a time, and blocks of eight such rows.

/// Eight rows of eight values.
pub(super) type DctBlock = [[i32; 8]; 8];

/// A row of eight values. Sums and products wrap, but no input that the decoder accepts comes close to overflowing.
pub(super) trait Lanes: Copy {
    fn load(block: &DctBlock) -> [Self; 8];
    fn splat(value: i32) -> Self;
    fn plus(self, other: Self) -> Self;
    fn minus(self, other: Self) -> Self;
    fn times(self, factor: i32) -> Self;
    /// Shifts right arithmetically.
    fn shifted<const BITS: i32>(self) -> Self;
    /// Transposes rows and columns.
    fn transposed(rows: [Self; 8]) -> [Self; 8];
    /// Clamps the values to 0..=255.
    fn bytes(rows: [Self; 8]) -> [[u8; 8]; 8];
}

/// The portable implementation.
impl Lanes for [i32; 8] {
    #[inline(always)]
    fn load(block: &DctBlock) -> [Self; 8] {
        *block
    }

    #[inline(always)]
    fn splat(value: i32) -> Self {
        [value; 8]
    }

    #[inline(always)]
    fn plus(self, other: Self) -> Self {
        std::array::from_fn(|i| self[i].wrapping_add(other[i]))
    }

    #[inline(always)]
    fn minus(self, other: Self) -> Self {
        std::array::from_fn(|i| self[i].wrapping_sub(other[i]))
    }

    #[inline(always)]
    fn times(self, factor: i32) -> Self {
        self.map(|value| value.wrapping_mul(factor))
    }

    #[inline(always)]
    fn shifted<const BITS: i32>(self) -> Self {
        self.map(|value| value >> BITS)
    }

    #[inline(always)]
    fn transposed(rows: [Self; 8]) -> [Self; 8] {
        std::array::from_fn(|column| rows.map(|row| row[column]))
    }

    #[inline(always)]
    fn bytes(rows: [Self; 8]) -> [[u8; 8]; 8] {
        rows.map(|row| row.map(|value| value.clamp(0, 255) as u8))
    }
}

#[cfg(target_arch = "x86_64")]
pub(super) mod avx2 {
    use std::arch::x86_64::*;

    use super::{DctBlock, Lanes};

    /// A row in a register, created only after AVX2 has been detected, see [`super::dispatch_widest`].
    #[derive(Clone, Copy)]
    pub(in super::super) struct Avx2Row(__m256i);

    // SAFETY, for every block in this impl: `dispatch_widest` calls this code only on a processor with AVX2.
    #[allow(clippy::undocumented_unsafe_blocks, reason = "the same for all, see above")]
    impl Lanes for Avx2Row {
        #[inline(always)]
        fn load(block: &DctBlock) -> [Self; 8] {
            block.map(|row| Self(bytemuck::cast(row)))
        }

        #[inline(always)]
        fn splat(value: i32) -> Self {
            Self(bytemuck::cast([value; 8]))
        }

        #[inline(always)]
        fn plus(self, other: Self) -> Self {
            Self(unsafe { _mm256_add_epi32(self.0, other.0) })
        }

        #[inline(always)]
        fn minus(self, other: Self) -> Self {
            Self(unsafe { _mm256_sub_epi32(self.0, other.0) })
        }

        #[inline(always)]
        fn times(self, factor: i32) -> Self {
            Self(unsafe { _mm256_mullo_epi32(self.0, Self::splat(factor).0) })
        }

        #[inline(always)]
        fn shifted<const BITS: i32>(self) -> Self {
            Self(unsafe { _mm256_srai_epi32::<BITS>(self.0) })
        }

        #[inline(always)]
        fn transposed(rows: [Self; 8]) -> [Self; 8] {
            let [a, b, c, d, e, f, g, h] = rows.map(|row| row.0);
            unsafe {
                // Pairs of columns, then fours, within each half of the registers …
                let low = |x, y| _mm256_unpacklo_epi32(x, y);
                let high = |x, y| _mm256_unpackhi_epi32(x, y);
                let (ab, cd, ef, gh) = (low(a, b), low(c, d), low(e, f), low(g, h));
                let (ab2, cd2, ef2, gh2) = (high(a, b), high(c, d), high(e, f), high(g, h));
                let low = |x, y| _mm256_unpacklo_epi64(x, y);
                let high = |x, y| _mm256_unpackhi_epi64(x, y);
                let upper = [low(ab, cd), high(ab, cd), low(ab2, cd2), high(ab2, cd2)];
                let lower = [low(ef, gh), high(ef, gh), low(ef2, gh2), high(ef2, gh2)];
                // … and the halves.
                let [u0, u1, u2, u3] = upper;
                let [l0, l1, l2, l3] = lower;
                let first = |x, y| _mm256_permute2x128_si256::<0x20>(x, y);
                let second = |x, y| _mm256_permute2x128_si256::<0x31>(x, y);
                [
                    first(u0, l0),
                    first(u1, l1),
                    first(u2, l2),
                    first(u3, l3),
                    second(u0, l0),
                    second(u1, l1),
                    second(u2, l2),
                    second(u3, l3),
                ]
                .map(Self)
            }
        }

        #[inline(always)]
        fn bytes(rows: [Self; 8]) -> [[u8; 8]; 8] {
            let [a, b, c, d, e, f, g, h] = rows.map(|row| row.0);
            unsafe {
                // Packing saturates and separates the two halves of a row.
                let order = bytemuck::cast([0_i32, 4, 1, 5, 2, 6, 3, 7]);
                let pack = |a, b, c, d| {
                    let words = _mm256_packus_epi16(_mm256_packs_epi32(a, b), _mm256_packs_epi32(c, d));
                    _mm256_permutevar8x32_epi32(words, order)
                };
                bytemuck::cast([pack(a, b, c, d), pack(e, f, g, h)])
            }
        }
    }
}

#[cfg(target_arch = "aarch64")]
pub(super) mod neon {
    use std::arch::aarch64::*;

    use super::{DctBlock, Lanes};

    /// A row in two registers, which every 64-bit ARM processor has.
    #[derive(Clone, Copy)]
    pub(in super::super) struct NeonRow([int32x4_t; 2]);

    impl NeonRow {
        #[inline(always)]
        fn both(self, other: Self, operation: impl Fn(int32x4_t, int32x4_t) -> int32x4_t) -> Self {
            let ([a, b], [c, d]) = (self.0, other.0);
            Self([operation(a, c), operation(b, d)])
        }
    }

    // SAFETY, for every block in this impl: NEON is part of the target.
    #[allow(unused_unsafe, clippy::undocumented_unsafe_blocks, reason = "the same for all, see above")]
    impl Lanes for NeonRow {
        #[inline(always)]
        fn load(block: &DctBlock) -> [Self; 8] {
            // SAFETY: each load reads half a row.
            block.map(|row| Self(unsafe { [vld1q_s32(row.as_ptr()), vld1q_s32(row.as_ptr().add(4))] }))
        }

        #[inline(always)]
        fn splat(value: i32) -> Self {
            Self([unsafe { vdupq_n_s32(value) }; 2])
        }

        #[inline(always)]
        fn plus(self, other: Self) -> Self {
            self.both(other, |a, b| unsafe { vaddq_s32(a, b) })
        }

        #[inline(always)]
        fn minus(self, other: Self) -> Self {
            self.both(other, |a, b| unsafe { vsubq_s32(a, b) })
        }

        #[inline(always)]
        fn times(self, factor: i32) -> Self {
            Self(self.0.map(|half| unsafe { vmulq_n_s32(half, factor) }))
        }

        #[inline(always)]
        fn shifted<const BITS: i32>(self) -> Self {
            Self(self.0.map(|half| unsafe { vshrq_n_s32::<BITS>(half) }))
        }

        #[inline(always)]
        fn transposed(rows: [Self; 8]) -> [Self; 8] {
            let four = |first_row: usize, half: usize| -> [int32x4_t; 4] {
                let [a, b, c, d] = [0, 1, 2, 3].map(|row| rows[first_row + row].0[half]);
                let wide = |x| unsafe { vreinterpretq_s64_s32(x) };
                let narrow = |x| unsafe { vreinterpretq_s32_s64(x) };
                unsafe {
                    let (ab, cd) = (wide(vtrn1q_s32(a, b)), wide(vtrn1q_s32(c, d)));
                    let (ab2, cd2) = (wide(vtrn2q_s32(a, b)), wide(vtrn2q_s32(c, d)));
                    [vtrn1q_s64(ab, cd), vtrn1q_s64(ab2, cd2), vtrn2q_s64(ab, cd), vtrn2q_s64(ab2, cd2)]
                        .map(narrow)
                }
            };
            let (left, right) = ([four(0, 0), four(4, 0)], [four(0, 1), four(4, 1)]);
            let row = |[upper, lower]: [[int32x4_t; 4]; 2], i: usize| Self([upper[i], lower[i]]);
            [
                row(left, 0),
                row(left, 1),
                row(left, 2),
                row(left, 3),
                row(right, 0),
                row(right, 1),
                row(right, 2),
                row(right, 3),
            ]
        }

        #[inline(always)]
        fn bytes(rows: [Self; 8]) -> [[u8; 8]; 8] {
            rows.map(|Self([a, b])| {
                let mut bytes = [0; 8];
                // SAFETY: a row of bytes is written.
                unsafe {
                    vst1_u8(bytes.as_mut_ptr(), vqmovun_s16(vcombine_s16(vqmovn_s32(a), vqmovn_s32(b))))
                };
                bytes
            })
        }
    }
}

/// Calls a function that is generic over [`Lanes`] with the processor's widest implementation.
macro_rules! dispatch_widest {
    ($function:ident($argument:expr)) => {{
        let argument = $argument;
        #[cfg(target_arch = "x86_64")]
        {
            #[target_feature(enable = "avx2")]
            fn with_avx2(argument: &$crate::jpeg::lanes::DctBlock) -> [[u8; 8]; 8] {
                $function::<$crate::jpeg::lanes::avx2::Avx2Row>(argument)
            }
            if std::arch::is_x86_feature_detected!("avx2") {
                // SAFETY: the processor has AVX2.
                unsafe { with_avx2(argument) }
            } else {
                $function::<[i32; 8]>(argument)
            }
        }
        #[cfg(target_arch = "aarch64")]
        {
            $function::<$crate::jpeg::lanes::neon::NeonRow>(argument)
        }
        #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
        {
            $function::<[i32; 8]>(argument)
        }
    }};
}

pub(super) use dispatch_widest;
