//! Converts raw camera pixels to frames.

use judge::{DecodeError, Frame, Pixels};
use shared_format::Size;

/// Converts YUYV to RGB by the BT.601 equations for limited range (Y 16 to 235, U and V 16 to 240), in 8-bit fixed point.
///
/// # Errors
/// [`DecodeError::RawLength`] unless there are exactly four bytes per pair of pixels.
pub(super) fn yuyv(size: Size, bytes: &[u8]) -> Result<Frame, DecodeError> {
    let row_bytes = u64::from(size.width.div_ceil(2)) * 4;
    check(size, "YUYV", row_bytes, bytes)?;
    let width = size.width as usize;
    let mut rgb = Vec::with_capacity(bytes.len() / 2 * 3);
    for (row, pairs) in bytes.chunks_exact(usize::try_from(row_bytes).unwrap_or(usize::MAX)).enumerate() {
        let (pairs, _) = pairs.as_chunks::<4>();
        rgb.extend(pairs.iter().flat_map(pair));
        // In a row of odd length the last pair holds only one pixel.
        rgb.truncate((row + 1) * width * 3);
    }
    Frame::new(size, Pixels::Rgb8(rgb)).map_err(|e| malformed("YUYV", &e))
}

#[inline]
fn pair(&[y0, u, y1, v]: &[u8; 4]) -> [u8; 6] {
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

/// Converts 8-bit grey to a frame.
///
/// # Errors
/// [`DecodeError::RawLength`] unless there is exactly one byte per pixel.
pub(super) fn grey(size: Size, bytes: &[u8]) -> Result<Frame, DecodeError> {
    check(size, "GREY", size.width.into(), bytes)?;
    Frame::new(size, Pixels::Grey8(bytes.to_vec())).map_err(|e| malformed("GREY", &e))
}

fn check(size: Size, format: &'static str, row_bytes: u64, bytes: &[u8]) -> Result<(), DecodeError> {
    let (expected, found) = (row_bytes.saturating_mul(size.height.into()), bytes.len());
    if expected == 0 || expected != found as u64 {
        return Err(DecodeError::RawLength { format, size, expected, found });
    }
    Ok(())
}

fn malformed(format: &'static str, error: &judge::FrameError) -> DecodeError {
    DecodeError::Malformed { format, reason: error.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rgb(y: u8, u: u8, v: u8) -> [u8; 3] {
        let frame = yuyv(Size { width: 2, height: 1 }, &[y, u, y, v]).unwrap();
        let Pixels::Rgb8(values) = frame.pixels() else { panic!("{frame:?}") };
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
        let row = [16, 128, 235, 128, 235, 128, 16, 128];
        let frame = yuyv(Size { width: 3, height: 2 }, &[row, row].concat()).unwrap();
        let Pixels::Rgb8(values) = frame.pixels() else { panic!("{frame:?}") };
        let one = [0, 0, 0, 255, 255, 255, 255, 255, 255];
        assert_eq!(values[..], [one, one].concat());
    }

    #[test]
    fn the_number_of_bytes_has_to_fit() {
        let size = Size { width: 4, height: 2 };
        for wrong in [0, 15, 17, 32] {
            let error = yuyv(size, &vec![0; wrong]).unwrap_err();
            assert!(matches!(error, DecodeError::RawLength { expected: 16, found, .. } if found == wrong));
        }
        let error = grey(size, &[0; 7]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the GREY frame has 7 bytes, but 4 × 2 pixels take 8; check the camera's cable, format and size"
        );
        assert!(grey(size, &[0; 8]).is_ok());
        let huge = Size { width: u32::MAX, height: u32::MAX };
        assert!(yuyv(huge, &[]).is_err() && grey(Size { width: 0, height: 5 }, &[]).is_err());
    }
}
