//! Generates images: a woven texture, with or without a stain.

use std::path::Path;

use bundle::seeded::Seeded;
use judge::{Frame, Pixels, encode_png};
use shared_format::Size;

/// Returns a textured part of `size`, different for each seed. `stain` adds a bright blot.
///
/// # Panics
/// Never for sizes that fit in memory.
#[must_use]
pub fn part(size: Size, seed: u64, stain: bool) -> Frame {
    let mut random = Seeded::new(seed, 77);
    let (phase_x, phase_y) = (random.below(16) as f32, random.below(16) as f32);
    let centre = (0.3 + random.below(40) as f32 / 100.0, 0.3 + random.below(40) as f32 / 100.0);
    let mut pixels = Vec::with_capacity((size.width * size.height) as usize);
    for y in 0..size.height {
        for x in 0..size.width {
            let weave = ((x as f32 + phase_x) * 0.5).sin() * ((y as f32 + phase_y) * 0.4).cos();
            let noise = random.below(24) as f32;
            let (u, v) = (x as f32 / size.width as f32 - centre.0, y as f32 / size.height as f32 - centre.1);
            let blot = if stain && u * u + v * v < 0.01 { 110.0 } else { 0.0 };
            pixels.push((90.0 + 30.0 * weave + noise + blot).clamp(0.0, 255.0) as u8);
        }
    }
    Frame::new(size, Pixels::Grey8(pixels)).unwrap()
}

/// Returns a good part with a bright stripe, where no stain is.
///
/// # Panics
/// If the part is less than 32 pixels wide.
#[must_use]
pub fn striped_part(size: Size, seed: u64) -> Frame {
    let frame = part(size, seed, false);
    let Pixels::Grey8(mut pixels) = frame.pixels().clone() else { unreachable!("parts are grey") };
    for row in pixels.chunks_exact_mut(size.width as usize) {
        row[20..32].fill(215);
    }
    Frame::new(size, Pixels::Grey8(pixels)).unwrap()
}

/// Writes photos of `count` good parts to learn from into `folder`, and eight good and eight stained ones to test.
///
/// # Panics
/// If the folder can't be written.
pub fn write_set(folder: &Path, size: Size, count: u64) {
    write_parts(&folder.join("train/good"), size, count, false);
    for (kind, stain) in [("good", false), ("stain", true)] {
        let folder = folder.join("test").join(kind);
        std::fs::create_dir_all(&folder).unwrap();
        for seed in 0..8 {
            let png = encode_png(&part(size, 500 + seed, stain)).unwrap();
            std::fs::write(folder.join(format!("{seed}.png")), png).unwrap();
        }
    }
}

/// Writes `count` good parts as PNG into `folder`.
///
/// # Panics
/// If the folder can't be written.
pub fn write_parts(folder: &Path, size: Size, count: u64, stain: bool) {
    std::fs::create_dir_all(folder).unwrap();
    for seed in 0..count {
        let frame = part(size, seed + if stain { 1000 } else { 0 }, stain);
        std::fs::write(folder.join(format!("part-{seed:03}.png")), encode_png(&frame).unwrap()).unwrap();
    }
}

/// Returns a part as JPEG bytes, see [`part`].
///
/// # Panics
/// Never for sizes that JPEG allows.
#[must_use]
pub fn jpeg(size: Size, seed: u64, stain: bool) -> Vec<u8> {
    let frame = part(size, seed, stain);
    let Pixels::Grey8(pixels) = frame.pixels() else { unreachable!("parts are grey") };
    let mut bytes = Vec::new();
    let encoder = jpeg_encoder::Encoder::new(&mut bytes, 90);
    encoder.encode(pixels, size.width as u16, size.height as u16, jpeg_encoder::ColorType::Luma).unwrap();
    bytes
}
