//! Pixels of cameras' YUV, sorted for their conversion to RGB.

use kernels::yuv::{PIXELS, YuvPixels};

/// Returns up to [`PIXELS`] pixels of a row of packed YUV 4:2:2, from the pair `pair` on; `order` sorts a pair's four bytes to Y, Y, U, V.
pub(super) fn packed(row: &[u8], pair: usize, order: impl Fn([u8; 4]) -> [u8; 4]) -> YuvPixels {
    let mut pixels = YuvPixels::default();
    let (pairs, _) = row.as_chunks::<4>();
    let (lumas, _) = pixels.luma.as_chunks_mut::<2>();
    let to = lumas.iter_mut().zip(&mut pixels.blue).zip(&mut pixels.red);
    for (&pair, ((luma, blue), red)) in pairs.iter().skip(pair).zip(to) {
        let [y0, y1, u, v] = order(pair);
        (*luma, *blue, *red) = ([y0, y1], u, v);
    }
    pixels
}

/// Returns up to [`PIXELS`] pixels of NV12, from the pair `pair` of the row of Y and of the row of U and V on.
pub(super) fn nv12(lumas: &[u8], colours: &[u8], pair: usize) -> YuvPixels {
    let mut pixels = YuvPixels::default();
    let lumas = lumas.get(2 * pair..).unwrap_or_default();
    pixels.luma.iter_mut().zip(lumas).for_each(|(to, luma)| *to = *luma);
    let (colours, _) = colours.as_chunks::<2>();
    let to = pixels.blue.iter_mut().zip(&mut pixels.red);
    for (&[u, v], (blue, red)) in colours.iter().skip(pair).zip(to) {
        (*blue, *red) = (u, v);
    }
    pixels
}

/// Converts pixels `xs` of a row to `out`. `pixels` returns those from a pair on.
pub(super) fn write_rgb(xs: std::ops::Range<usize>, out: &mut [u8], pixels: impl Fn(usize) -> YuvPixels) {
    let mut rgb = [0; 3 * PIXELS];
    let first = xs.start / 2 * 2;
    for start in (first..xs.end).step_by(PIXELS) {
        kernels::yuv::yuv_to_rgb(&pixels(start / 2), &mut rgb);
        let wanted = start.max(xs.start)..(start + PIXELS).min(xs.end);
        let from = rgb.get(3 * (wanted.start - start)..3 * (wanted.end - start)).unwrap_or_default();
        let to = out.iter_mut().skip(3 * (wanted.start - xs.start));
        to.zip(from).for_each(|(to, value)| *to = *value);
    }
}

#[cfg(test)]
mod tests {
    use shared_format::Size;

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
    fn any_pixels_of_a_row_are_those_of_the_whole_row() {
        let bytes: Vec<u8> = (0..4 * 45).map(|i| (i * 37 % 256) as u8).collect();
        let order = |[y0, u, y1, v]: [u8; 4]| [y0, y1, u, v];
        let mut whole = [0; 3 * 90];
        super::write_rgb(0..90, &mut whole, |pair| super::packed(&bytes, pair, order));
        for (start, end) in [(0, 1), (1, 2), (3, 40), (31, 33), (32, 90), (63, 89), (5, 5)] {
            let mut part = vec![7; 3 * (end - start) + 3];
            super::write_rgb(start..end, &mut part, |pair| super::packed(&bytes, pair, order));
            assert_eq!(part[..3 * (end - start)], whole[3 * start..3 * end], "{start} {end}");
            assert_eq!(part[3 * (end - start)..], [7; 3]);
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
