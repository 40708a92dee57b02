//! YUV to RGB by the BT.601 equations for limited range (Y 16 to 235, U and V 16 to 240), in 8-bit fixed point.

use shared_format::Size;

/// Converts packed YUV 4:2:2; `order` sorts the four bytes of a pair of pixels to Y, Y, U, V. `bytes` must have the length
/// that the size asks for.
pub(super) fn packed(size: Size, bytes: &[u8], order: impl Fn([u8; 4]) -> [u8; 4]) -> Vec<u8> {
    let width = size.width as usize;
    let mut rgb = Vec::with_capacity(width * size.height as usize * 3);
    for (row, pairs) in bytes.chunks_exact((width.div_ceil(2) * 4).max(1)).enumerate() {
        let (pairs, _) = pairs.as_chunks::<4>();
        rgb.extend(pairs.iter().flat_map(|&four| pair(order(four))));
        // In a row of odd length the last pair holds only one pixel.
        rgb.truncate((row + 1) * width * 3);
    }
    rgb
}

/// Converts NV12 with an even width and height; each colour is used for its two by two pixels. `bytes` must have the length that
/// the size asks for.
pub(super) fn nv12(size: Size, bytes: &[u8]) -> Vec<u8> {
    let (width, height) = (size.width as usize, size.height as usize);
    let (lumas, colours) = bytes.split_at_checked(width * height).unwrap_or((bytes, &[]));
    let mut rgb = Vec::with_capacity(width * height * 3);
    for (row, lumas) in lumas.chunks_exact(width.max(1)).enumerate() {
        let colours = colours.get(row / 2 * width..).unwrap_or(&[]);
        let (lumas, _) = lumas.as_chunks::<2>();
        let (colours, _) = colours.as_chunks::<2>();
        rgb.extend(lumas.iter().zip(colours).flat_map(|(&[y0, y1], &[u, v])| pair([y0, y1, u, v])));
    }
    rgb
}

#[inline]
fn pair([y0, y1, u, v]: [u8; 4]) -> [u8; 6] {
    let (u, v) = (i32::from(u) - 128, i32::from(v) - 128);
    let (red, green, blue) = (409 * v + 128, -100 * u - 208 * v + 128, 516 * u + 128);
    let (y0, y1) = (298 * (i32::from(y0) - 16), 298 * (i32::from(y1) - 16));
    let value = |sum: i32| (sum >> 8).clamp(0, 255) as u8;
    [
        value(y0 + red),
        value(y0 + green),
        value(y0 + blue),
        value(y1 + red),
        value(y1 + green),
        value(y1 + blue),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capture::raw::{RawFormat, decode};

    fn values(format: RawFormat, size: Size, bytes: &[u8]) -> Vec<u8> {
        let frame = decode(format, size, bytes).unwrap();
        let judge::Pixels::Rgb8(values) = frame.pixels() else { panic!("{frame:?}") };
        values.clone()
    }

    fn rgb(y: u8, u: u8, v: u8) -> [u8; 3] {
        let values = values(RawFormat::Yuyv, Size { width: 2, height: 1 }, &[y, u, y, v]);
        assert_eq!(values[..3], values[3..]);
        [values[0], values[1], values[2]]
    }

    #[test]
    fn colours_are_those_of_bt_601() {
        assert_eq!(rgb(16, 128, 128), [0, 0, 0]);
        assert_eq!(rgb(235, 128, 128), [255, 255, 255]);
        // 75 % colour bars: yellow, cyan, magenta, as in the standard's tables.
        for (yuv, bar) in [([162, 44, 142], [191, 191, 0]), ([131, 156, 44], [0, 191, 191])] {
            let found = rgb(yuv[0], yuv[1], yuv[2]);
            assert!(found.iter().zip(bar).all(|(&f, b): (&u8, u8)| f.abs_diff(b) <= 1), "{found:?} {bar:?}");
        }
        // Values beyond the range are clamped, they don't wrap.
        assert_eq!(rgb(255, 255, 255), [255, 125, 255]);
        assert_eq!(rgb(0, 0, 0), [0, 135, 0]);
    }

    #[test]
    fn every_triple_is_within_one_of_the_equations_in_floating_point() {
        for y in (0..=255).step_by(5) {
            for u in (0..=255).step_by(5) {
                for v in (0..=255).step_by(5) {
                    let (fy, fu, fv) = (f64::from(y) - 16.0, f64::from(u) - 128.0, f64::from(v) - 128.0);
                    let fy = fy * 255.0 / 219.0;
                    // Kr = 0.299, Kb = 0.114; chroma spans 224.
                    let red = fy + 1.402 * 255.0 / 224.0 * fv;
                    let blue = fy + 1.772 * 255.0 / 224.0 * fu;
                    let green =
                        fy - 255.0 / 224.0 * (1.772 * 0.114 / 0.587 * fu + 1.402 * 0.299 / 0.587 * fv);
                    let found = rgb(y, u, v);
                    for (found, exact) in found.iter().zip([red, green, blue]) {
                        let exact = exact.clamp(0.0, 255.0);
                        assert!((f64::from(*found) - exact).abs() <= 1.5, "{y} {u} {v}: {found} {exact}");
                    }
                }
            }
        }
    }

    #[test]
    fn odd_rows_lose_the_pixel_that_is_none() {
        let one = [0, 0, 0, 255, 255, 255, 255, 255, 255];
        let size = Size { width: 3, height: 2 };
        let yuyv = [16, 128, 235, 128, 235, 128, 16, 128];
        assert_eq!(values(RawFormat::Yuyv, size, &[yuyv, yuyv].concat()), [one, one].concat());
        let uyvy = [128, 16, 128, 235, 128, 235, 128, 16];
        assert_eq!(values(RawFormat::Uyvy, size, &[uyvy, uyvy].concat()), [one, one].concat());
    }

    /// Four by four pixels whose squares of two by two have one colour each: all formats can hold these.
    #[test]
    fn all_formats_give_the_same_colours() {
        let size = Size { width: 4, height: 4 };
        let luma = |x: usize, y: usize| (40 + 13 * x + 31 * y) as u8;
        let (u, v) = (
            |x: usize, y: usize| (60 + 40 * (x / 2) + 50 * (y / 2)) as u8,
            |x: usize, y: usize| (200 - 30 * (x / 2) - 60 * (y / 2)) as u8,
        );
        let (mut yuyv, mut uyvy) = (vec![], vec![]);
        let (mut lumas, mut colours) = (vec![], vec![]);
        for y in 0..4 {
            for x in [0, 2] {
                yuyv.extend([luma(x, y), u(x, y), luma(x + 1, y), v(x, y)]);
                uyvy.extend([u(x, y), luma(x, y), v(x, y), luma(x + 1, y)]);
                if y % 2 == 0 {
                    colours.extend([u(x, y), v(x, y)]);
                }
            }
            lumas.extend((0..4).map(|x| luma(x, y)));
        }
        let expected: Vec<u8> = (0..16)
            .flat_map(|n| {
                let (x, y) = (n % 4, n / 4);
                rgb(luma(x, y), u(x, y), v(x, y))
            })
            .collect();
        assert_eq!(values(RawFormat::Yuyv, size, &yuyv), expected);
        assert_eq!(values(RawFormat::Uyvy, size, &uyvy), expected);
        assert_eq!(values(RawFormat::Nv12, size, &[lumas, colours].concat()), expected);
    }
}
