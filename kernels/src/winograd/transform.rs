//! Winograd's one-dimensional transforms, following Lavin & Gray 2016 (arXiv:1509.09308), after Toom and Cook.
//!
//! F(m, r) computes m outputs of a filter of r taps with m + r − 1 multiplications: output = Aᵀ((G g) ⊙ (Bᵀ d)). In two
//! dimensions, each transform is applied along both axes. The interpolation points are those with the smallest f32 rounding error
//! we found: small ones with exact reciprocals, see Barabasz et al. 2020 (arXiv:1803.10986).

use crate::simd::Simd;

/// F(M, R) with `A` points, which is M + R − 1 for stride 1.
pub(super) trait Transform<const A: usize, const M: usize, const R: usize>: Send + Sync {
    /// Distance between outputs, in input values.
    const STRIDE: usize = 1;
    /// Number of points with their own filter; the points after them share the last one.
    const FILTERS: usize = A;
    /// G, which maps a filter's R taps to A points.
    const FILTER: [[f64; R]; A];

    /// Computes G g.
    #[inline(always)]
    fn filter<S: Simd<E = f32>>(s: S, g: [S::V; R]) -> [S::V; A] {
        let mut values = [s.splat(0.0); A];
        for point in 0..Self::FILTERS {
            for tap in 0..R {
                if Self::FILTER[point][tap] != 0.0 {
                    let factor = s.splat(Self::FILTER[point][tap] as f32);
                    values[point] = s.fma(factor, g[tap], values[point]);
                }
            }
        }
        values
    }

    /// Computes Bᵀ d.
    fn input<S: Simd<E = f32>>(s: S, d: [S::V; A]) -> [S::V; A];
    /// Computes Aᵀ m.
    fn output<S: Simd<E = f32>>(s: S, m: [S::V; A]) -> [S::V; M];
}

/// Computes `start` + Σ factor · value.
#[inline(always)]
fn sum<S: Simd<E = f32>, const N: usize>(s: S, start: S::V, terms: [(f32, S::V); N]) -> S::V {
    let mut sum = start;
    for (factor, value) in terms {
        sum = s.fma(s.splat(factor), value, sum);
    }
    sum
}

/// F(4, 3) at 0, 1, −1, ½, −2 and infinity.
pub(super) struct F4x3;

impl Transform<6, 4, 3> for F4x3 {
    const FILTER: [[f64; 3]; 6] = [
        [1.0, 0.0, 0.0],
        [1.0 / 3.0, 1.0 / 3.0, 1.0 / 3.0],
        [-1.0 / 3.0, 1.0 / 3.0, -1.0 / 3.0],
        [-16.0 / 15.0, -8.0 / 15.0, -4.0 / 15.0],
        [1.0 / 15.0, -2.0 / 15.0, 4.0 / 15.0],
        [0.0, 0.0, 1.0],
    ];

    #[inline(always)]
    fn input<S: Simd<E = f32>>(s: S, d: [S::V; 6]) -> [S::V; 6] {
        let (odd, even) = (s.sub(d[3], d[1]), s.sub(d[4], d[2]));
        [
            sum(s, s.add(d[0], d[4]), [(-2.0, d[2]), (1.5, odd)]),
            sum(s, s.sub(d[4], d[1]), [(0.5, d[2]), (2.5, d[3])]),
            sum(s, s.add(d[4], d[1]), [(-2.5, d[2]), (0.5, d[3])]),
            sum(s, even, [(2.0, odd)]),
            sum(s, even, [(-0.5, odd)]),
            sum(s, s.add(d[1], d[5]), [(-2.0, d[3]), (1.5, even)]),
        ]
    }

    #[inline(always)]
    fn output<S: Simd<E = f32>>(s: S, m: [S::V; 6]) -> [S::V; 4] {
        let (even, odd) = (s.add(m[1], m[2]), s.sub(m[1], m[2]));
        [
            s.add(s.add(m[0], even), s.add(m[3], m[4])),
            sum(s, odd, [(0.5, m[3]), (-2.0, m[4])]),
            sum(s, even, [(0.25, m[3]), (4.0, m[4])]),
            sum(s, s.add(odd, m[5]), [(0.125, m[3]), (-8.0, m[4])]),
        ]
    }
}

/// F(4, 4) at 0, 1, −1, ½, −½, 2 and infinity.
pub(super) struct F4x4;

impl Transform<7, 4, 4> for F4x4 {
    const FILTER: [[f64; 4]; 7] = [
        [-2.0, 0.0, 0.0, 0.0],
        [-2.0 / 3.0, -2.0 / 3.0, -2.0 / 3.0, -2.0 / 3.0],
        [-2.0 / 9.0, 2.0 / 9.0, -2.0 / 9.0, 2.0 / 9.0],
        [16.0 / 9.0, 8.0 / 9.0, 4.0 / 9.0, 2.0 / 9.0],
        [16.0 / 15.0, -8.0 / 15.0, 4.0 / 15.0, -2.0 / 15.0],
        [2.0 / 45.0, 4.0 / 45.0, 8.0 / 45.0, 16.0 / 45.0],
        [0.0, 0.0, 0.0, 1.0],
    ];

    #[inline(always)]
    fn input<S: Simd<E = f32>>(s: S, d: [S::V; 7]) -> [S::V; 7] {
        [
            sum(s, d[5], [(-0.5, d[0]), (0.25, d[1]), (2.5, d[2]), (-1.25, d[3]), (-2.0, d[4])]),
            sum(s, s.sub(d[5], d[4]), [(0.5, d[1]), (0.25, d[2]), (-2.25, d[3])]),
            sum(s, d[5], [(-0.5, d[1]), (0.75, d[2]), (1.75, d[3]), (-3.0, d[4])]),
            sum(s, s.add(d[5], d[1]), [(-2.0, d[3]), (1.5, s.sub(d[2], d[4]))]),
            sum(s, s.sub(d[5], d[1]), [(2.5, s.sub(d[2], d[4]))]),
            sum(s, d[5], [(0.25, d[1]), (-1.25, d[3])]),
            sum(s, d[6], [(-0.5, d[1]), (0.25, d[2]), (2.5, d[3]), (-1.25, d[4]), (-2.0, d[5])]),
        ]
    }

    #[inline(always)]
    fn output<S: Simd<E = f32>>(s: S, m: [S::V; 7]) -> [S::V; 4] {
        let (even, odd) = (s.add(m[1], m[2]), s.sub(m[1], m[2]));
        let (half_even, half_odd) = (s.add(m[3], m[4]), s.sub(m[3], m[4]));
        [
            s.add(s.add(s.add(m[0], even), half_even), m[5]),
            sum(s, odd, [(0.5, half_odd), (2.0, m[5])]),
            sum(s, even, [(0.25, half_even), (4.0, m[5])]),
            sum(s, s.add(odd, m[6]), [(0.125, half_odd), (8.0, m[5])]),
        ]
    }
}

/// F(2, 3) at 0, 1, −1 and infinity.
pub(super) struct F2x3;

impl Transform<4, 2, 3> for F2x3 {
    const FILTER: [[f64; 3]; 4] = [[-1.0, 0.0, 0.0], [0.5, 0.5, 0.5], [0.5, -0.5, 0.5], [0.0, 0.0, 1.0]];

    #[inline(always)]
    fn input<S: Simd<E = f32>>(s: S, d: [S::V; 4]) -> [S::V; 4] {
        [s.sub(d[2], d[0]), s.add(d[1], d[2]), s.sub(d[2], d[1]), s.sub(d[3], d[1])]
    }

    #[inline(always)]
    fn output<S: Simd<E = f32>>(s: S, m: [S::V; 4]) -> [S::V; 2] {
        [s.add(m[0], s.add(m[1], m[2])), s.add(s.sub(m[1], m[2]), m[3])]
    }
}

/// F(4, 3) with stride 2: F(4, 2) at 0, 1, −1, ½ and infinity for the outer taps, which meet every other value, and four products for
/// the middle tap.
pub(super) struct F4x3Stride2;

impl Transform<9, 4, 3> for F4x3Stride2 {
    const STRIDE: usize = 2;
    const FILTERS: usize = 6;
    const FILTER: [[f64; 3]; 9] = [
        [2.0, 0.0, 0.0],
        [1.0, 0.0, 1.0],
        [-1.0 / 3.0, 0.0, 1.0 / 3.0],
        [-8.0 / 3.0, 0.0, -4.0 / 3.0],
        [0.0, 0.0, 1.0],
        [0.0, 1.0, 0.0],
        [0.0, 1.0, 0.0],
        [0.0, 1.0, 0.0],
        [0.0, 1.0, 0.0],
    ];

    #[inline(always)]
    fn input<S: Simd<E = f32>>(s: S, d: [S::V; 9]) -> [S::V; 9] {
        let (near, far) = (s.sub(d[6], d[2]), s.sub(d[8], d[4]));
        [
            sum(s, near, [(0.5, d[0]), (-0.5, d[4])]),
            sum(s, d[6], [(-0.5, d[2]), (0.5, d[4])]),
            sum(s, d[6], [(0.5, d[2]), (-1.5, d[4])]),
            near,
            sum(s, far, [(-0.5, near)]),
            d[1],
            d[3],
            d[5],
            d[7],
        ]
    }

    #[inline(always)]
    fn output<S: Simd<E = f32>>(s: S, m: [S::V; 9]) -> [S::V; 4] {
        let (even, odd) = (s.add(m[1], m[2]), s.sub(m[1], m[2]));
        [
            s.add(s.add(m[0], m[5]), s.add(even, m[3])),
            sum(s, s.add(odd, m[6]), [(0.5, m[3])]),
            sum(s, s.add(even, m[7]), [(0.25, m[3])]),
            sum(s, s.add(odd, s.add(m[4], m[8])), [(0.125, m[3])]),
        ]
    }
}
