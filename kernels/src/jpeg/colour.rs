//! Conversion from YCbCr to RGB (JFIF 1.02, full-range ITU-R BT.601), rounded as in libjpeg.

use crate::multiversion::multiversion;

const BITS: u32 = 16;
const HALF: i32 = 1 << (BITS - 1);

const fn fixed(value: f64) -> i32 {
    (value * (1 << BITS) as f64 + 0.5) as i32
}

const RED: i32 = fixed(1.402);
const GREEN_BLUE: i32 = fixed(0.344_14);
const GREEN_RED: i32 = fixed(0.714_14);
const BLUE: i32 = fixed(1.772);

/// Pixels computed before they are interleaved, because the two steps don't vectorise together.
const BLOCK: usize = 32;

multiversion! {
    /// Converts a row to interleaved red, green and blue.
    pub fn ycbcr_to_rgb(luma: &[u8], blue: &[u8], red: &[u8], out: &mut [u8]) {
        let inputs = luma.chunks(BLOCK).zip(blue.chunks(BLOCK)).zip(red.chunks(BLOCK));
        for (((luma, blue), red), out) in inputs.zip(out.chunks_mut(3 * BLOCK)) {
            match (luma.first_chunk(), blue.first_chunk(), red.first_chunk(), out.first_chunk_mut()) {
                (Some(luma), Some(blue), Some(red), Some(out)) => convert_block(luma, blue, red, out),
                _ => {
                    let mut whole = [0; 3 * BLOCK];
                    convert_block(&padded(luma), &padded(blue), &padded(red), &mut whole);
                    out.copy_from_slice(&whole[..out.len()]);
                }
            }
        }
    }
}

#[inline(always)]
fn convert_block(luma: &[u8; BLOCK], blue: &[u8; BLOCK], red: &[u8; BLOCK], out: &mut [u8; 3 * BLOCK]) {
    let mut colours = [[0_u8; BLOCK]; 3];
    for i in 0..BLOCK {
        let y = i32::from(luma[i]);
        let (cb, cr) = (i32::from(blue[i]) - 128, i32::from(red[i]) - 128);
        colours[0][i] = (y + ((RED * cr + HALF) >> BITS)).clamp(0, 255) as u8;
        colours[1][i] = (y + ((HALF - GREEN_BLUE * cb - GREEN_RED * cr) >> BITS)).clamp(0, 255) as u8;
        colours[2][i] = (y + ((BLUE * cb + HALF) >> BITS)).clamp(0, 255) as u8;
    }
    for i in 0..BLOCK {
        for (colour, out) in colours.iter().zip(&mut out[3 * i..]) {
            *out = colour[i];
        }
    }
}

/// Returns the last pixels of a row, padded with zeros.
fn padded(samples: &[u8]) -> [u8; BLOCK] {
    let mut whole = [0; BLOCK];
    let len = samples.len().min(BLOCK);
    whole[..len].copy_from_slice(&samples[..len]);
    whole
}

/// Interleaves planes that are already red, green and blue.
pub fn interleave_rgb(planes: [&[u8]; 3], out: &mut [u8]) {
    interleave(planes, out);
}

#[inline(always)]
fn interleave([red, green, blue]: [&[u8]; 3], out: &mut [u8]) {
    let (out, _) = out.as_chunks_mut::<3>();
    for (((red, green), blue), out) in red.iter().zip(green).zip(blue).zip(out) {
        *out = [*red, *green, *blue];
    }
}
