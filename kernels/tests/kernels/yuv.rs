//! Compares the conversion of YUV with its equations.

use kernels::yuv::{PIXELS, YuvPixels, yuv_to_rgb};
use proptest::prelude::*;

proptest! {
    #[test]
    fn yuv_is_within_two_of_the_equations(luma: [u8; PIXELS], blue: [u8; PIXELS / 2], red: [u8; PIXELS / 2]) {
        let mut rgb = [0; 3 * PIXELS];
        yuv_to_rgb(&YuvPixels { luma, blue, red }, &mut rgb);
        for (i, found) in rgb.chunks(3).enumerate() {
            let y = (f64::from(luma[i]) - 16.0) * 255.0 / 219.0;
            let (u, v) = (f64::from(blue[i / 2]) - 128.0, f64::from(red[i / 2]) - 128.0);
            let (u, v) = (u * 255.0 / 224.0, v * 255.0 / 224.0);
            // Kr = 0.299, Kb = 0.114.
            let green = y - 1.772 * 0.114 / 0.587 * u - 1.402 * 0.299 / 0.587 * v;
            for (found, exact) in found.iter().zip([y + 1.402 * v, green, y + 1.772 * u]) {
                prop_assert!((f64::from(*found) - exact.clamp(0.0, 255.0)).abs() <= 2.0);
            }
        }
    }
}
