//! Compares the JPEG decoder's loops with plain arithmetic.

use kernels::jpeg::{
    interleave_rgb, inverse_dct, inverse_dct_dc_only, upsample_h1v2, upsample_h2v1, upsample_h2v2,
    ycbcr_to_rgb,
};
use proptest::prelude::*;

/// Computes the transform by its definition, in double precision (ITU-T T.81, A.3.3).
fn by_definition(coefficients: &[[i32; 8]; 8]) -> [[f64; 8]; 8] {
    let scale = |frequency: usize| if frequency == 0 { 0.5_f64.sqrt() } else { 1.0 };
    let wave = |place: usize, frequency: usize| {
        ((2 * place + 1) as f64 * frequency as f64 * std::f64::consts::PI / 16.0).cos()
    };
    let mut samples = [[0.0; 8]; 8];
    for y in 0..8 {
        for x in 0..8 {
            let mut sum = 0.0;
            for v in 0..8 {
                for u in 0..8 {
                    let value = f64::from(coefficients[v][u]);
                    sum += scale(u) * scale(v) * value * wave(x, u) * wave(y, v);
                }
            }
            samples[y][x] = sum / 4.0 + 128.0;
        }
    }
    samples
}

proptest! {
    #[test]
    fn a_block_is_within_one_of_its_definition(
        values in proptest::collection::vec((0usize..64, -300i32..300), 0..12),
    ) {
        let mut coefficients = [[0; 8]; 8];
        for (place, value) in values {
            coefficients[place / 8][place % 8] = value;
        }
        // Write into the middle of a plane.
        let mut plane = [77; 8 * 24];
        inverse_dct(&coefficients, &mut plane[8..], 24);
        let expected = by_definition(&coefficients);
        for y in 0..8 {
            for x in 0..24 {
                let found = f64::from(plane[y * 24 + x]);
                match x {
                    8..16 => prop_assert!((found - expected[y][x - 8].clamp(0.0, 255.0)).abs() <= 1.0),
                    _ => prop_assert!(found == 77.0),
                }
            }
        }
    }

    #[test]
    fn a_flat_block_is_the_same_by_either_way(dc in -2000i32..2000) {
        let mut coefficients = [[0; 8]; 8];
        coefficients[0][0] = dc;
        let (mut transformed, mut filled) = ([0; 64], [1; 64]);
        inverse_dct(&coefficients, &mut transformed, 8);
        inverse_dct_dc_only(dc, &mut filled, 8);
        prop_assert_eq!(transformed, filled);
    }

    #[test]
    fn rows_of_any_length_are_upsampled_and_coloured(
        samples in proptest::collection::vec(any::<[u8; 3]>(), 3..150),
    ) {
        let plane = |channel: usize| samples.iter().map(|s| s[channel]).collect::<Vec<u8>>();
        let planes = [plane(0), plane(1), plane(2)];
        let mut pixels = vec![0; 3 * samples.len()];
        let [luma, blue, red] = planes.each_ref().map(Vec::as_slice);
        ycbcr_to_rgb(luma, blue, red, &mut pixels);
        for (pixel, [y, cb, cr]) in pixels.chunks(3).zip(&samples) {
            let (y, cb, cr) = (f64::from(*y), f64::from(*cb) - 128.0, f64::from(*cr) - 128.0);
            let expected = [y + 1.402 * cr, y - 0.34414 * cb - 0.71414 * cr, y + 1.772 * cb];
            for (found, expected) in pixel.iter().zip(expected) {
                prop_assert!((f64::from(*found) - expected.clamp(0.0, 255.0)).abs() <= 0.51);
            }
        }
        interleave_rgb([luma, blue, red], &mut pixels);
        prop_assert!(pixels.as_chunks::<3>().0 == samples);

        let mix = |here: u8, near: u8| 3.0 * f64::from(here) + f64::from(near);
        let side = |i: usize| if i.is_multiple_of(2) { (i / 2).saturating_sub(1) } else { (i / 2 + 1).min(luma.len() - 1) };
        let mut out = vec![0; 2 * luma.len()];
        upsample_h2v1(luma, &mut out);
        for (i, found) in out.iter().enumerate() {
            prop_assert!((f64::from(*found) - mix(luma[i / 2], luma[side(i)]) / 4.0).abs() <= 0.51);
        }
        let mut sums = vec![0; luma.len()];
        upsample_h2v2(luma, blue, &mut sums, &mut out);
        for (i, found) in out.iter().enumerate() {
            let (here, next) = (mix(luma[i / 2], blue[i / 2]), mix(luma[side(i)], blue[side(i)]));
            prop_assert!((f64::from(*found) - (3.0 * here + next) / 16.0).abs() <= 0.51);
        }
        upsample_h1v2(luma, blue, 1, &mut out);
        for (i, found) in out.iter().take(luma.len()).enumerate() {
            prop_assert!((f64::from(*found) - mix(luma[i], blue[i]) / 4.0).abs() <= 0.51);
        }
    }
}
