//! YUV to RGB by the BT.601 equations for limited range (Y 16 to 235, U and V 16 to 240), in 8-bit fixed point.

use crate::multiversion::multiversion;

/// Number of pixels that are converted at once.
pub const PIXELS: usize = 32;

/// Brightness and colours of neighbouring pixels of a row; two of them share their colour.
#[derive(Debug, Clone, Copy)]
pub struct YuvPixels {
    /// Y.
    pub luma: [u8; PIXELS],
    /// U.
    pub blue: [u8; PIXELS / 2],
    /// V.
    pub red: [u8; PIXELS / 2],
}

impl Default for YuvPixels {
    fn default() -> Self {
        Self { luma: [0; PIXELS], blue: [0; PIXELS / 2], red: [0; PIXELS / 2] }
    }
}

multiversion! {
    /// Converts pixels to interleaved red, green and blue.
    pub fn yuv_to_rgb(pixels: &YuvPixels, out: &mut [u8; 3 * PIXELS]) {
        let mut colours = [[0_u8; PIXELS]; 3];
        for i in 0..PIXELS {
            let (u, v) = (i32::from(pixels.blue[i / 2]) - 128, i32::from(pixels.red[i / 2]) - 128);
            let y = 298 * (i32::from(pixels.luma[i]) - 16) + 128;
            colours[0][i] = ((y + 409 * v) >> 8).clamp(0, 255) as u8;
            colours[1][i] = ((y - 100 * u - 208 * v) >> 8).clamp(0, 255) as u8;
            colours[2][i] = ((y + 516 * u) >> 8).clamp(0, 255) as u8;
        }
        for i in 0..PIXELS {
            for (colour, out) in colours.iter().zip(&mut out[3 * i..]) {
                *out = colour[i];
            }
        }
    }
}
