//! Reads ground-truth masks at the map's resolution, split into connected regions.
//!
//! Any level above 0 is defective, as in MVTec LOCO and VisA, with three exceptions: in a JPEG, levels count from half of
//! the largest, since its background is never quite 0; in a mask of class numbers up to 20, 255 is a border that isn't
//! judged (Pascal VOC); and if the alpha channel varies, it is the mask, whatever the colours.

use std::path::{Path, PathBuf};

use judge::{DecodeError, Frame, Pixels, decode_with_alpha, read_file};
use shared_format::{Roi, Size};

/// Masks whose only levels are 0, 255 and those up to this are masks of class numbers (VOC has 20 classes), provided that
/// one of the latter occurs.
const MAX_CLASSES: u16 = 20;
const BORDER: u16 = 255;
/// The region of pixels whose truth is unknown.
pub const IGNORED: u32 = u32::MAX;

/// Why a mask can't be used.
#[derive(Debug, thiserror::Error)]
pub enum MaskError {
    /// It doesn't decode.
    #[error("the mask {path} can't be read: {source}", path = path.display())]
    Decode {
        /// The mask.
        path: PathBuf,
        /// What is wrong.
        source: DecodeError,
    },
    /// Its size isn't the image's.
    #[error(
        "the mask {path} has {}×{} pixels, but its image has {}×{}; use a mask of the image's size",
        found.width, found.height, expected.width, expected.height, path = path.display()
    )]
    Size {
        /// The mask.
        path: PathBuf,
        /// The mask's size.
        found: Size,
        /// The image's size.
        expected: Size,
    },
}

/// Samples the masks inside `roi` at the centres of a `width` × `height` map: 0 if the part is normal, [`IGNORED`] if
/// unknown, else the number (from 1) of its 8-connected region. What is defective in any of the masks is defective. `None`
/// if they mark no pixel, and so don't say where the defect is.
///
/// # Errors
/// If a mask doesn't decode or differs in size from its image.
pub fn regions(
    paths: &[PathBuf],
    frame: Size,
    roi: Roi,
    width: usize,
    height: usize,
) -> Result<Option<Vec<u32>>, MaskError> {
    let mut truth = vec![Truth::Normal; frame.width as usize * frame.height as usize];
    for path in paths {
        let mask = read(path)?;
        if mask.size != frame {
            return Err(MaskError::Size { path: path.to_owned(), found: mask.size, expected: frame });
        }
        truth.iter_mut().zip(mask.truth).for_each(|(so_far, this)| *so_far = this.max(*so_far));
    }
    if !truth.contains(&Truth::Defective) {
        return Ok(None);
    }
    let centre =
        |i: usize, n: usize, offset: u32, side: u32| offset + ((2 * i + 1) * side as usize / (2 * n)) as u32;
    let mut sampled = Vec::with_capacity(width * height);
    for row in 0..height {
        let y = centre(row, height, roi.y, roi.height);
        for column in 0..width {
            let x = centre(column, width, roi.x, roi.width);
            sampled.push(truth[(y * frame.width + x) as usize]);
        }
    }
    let inside: Vec<bool> = sampled.iter().map(|&truth| truth == Truth::Defective).collect();
    let mut labels = label(&inside, width);
    let unknown = labels.iter_mut().zip(sampled).filter(|(_, truth)| *truth == Truth::Unknown);
    unknown.for_each(|(label, _)| *label = IGNORED);
    Ok(Some(labels))
}

/// What a mask says about a pixel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Truth {
    Normal,
    Unknown,
    Defective,
}

struct Mask {
    size: Size,
    truth: Vec<Truth>,
}

fn read(path: &Path) -> Result<Mask, MaskError> {
    let failed = |source| MaskError::Decode { path: path.to_owned(), source };
    let bytes = read_file(path).map_err(failed)?;
    let (frame, alpha) = decode_with_alpha(&bytes).map_err(failed)?;
    let drawn_in_alpha = alpha.filter(|alpha| alpha.iter().any(|&a| a != alpha[0]));
    let levels = drawn_in_alpha.unwrap_or_else(|| levels(&frame));
    let is_jpeg = bytes.starts_with(&[0xff, 0xd8]);
    Ok(Mask { size: frame.size(), truth: truth(&levels, is_jpeg) })
}

/// Returns the largest of each pixel's values.
fn levels(mask: &Frame) -> Vec<u16> {
    match mask.pixels() {
        Pixels::Grey8(p) => p.iter().map(|&v| v.into()).collect(),
        Pixels::Grey16(p) => p.clone(),
        Pixels::Rgb8(p) => p.chunks_exact(3).map(|v| v.iter().copied().max().unwrap_or(0).into()).collect(),
        Pixels::Rgb16(p) => p.chunks_exact(3).map(|v| v.iter().copied().max().unwrap_or(0)).collect(),
    }
}

fn truth(levels: &[u16], is_jpeg: bool) -> Vec<Truth> {
    let limit = if is_jpeg { levels.iter().copied().max().unwrap_or(0) / 2 } else { 0 };
    let is_class = |&level: &u16| (1..=MAX_CLASSES).contains(&level);
    let has_border = !is_jpeg
        && levels.iter().any(is_class)
        && levels.iter().all(|level| *level == 0 || *level == BORDER || is_class(level));
    let of = |&level: &u16| match level {
        BORDER if has_border => Truth::Unknown,
        level if level > limit => Truth::Defective,
        _ => Truth::Normal,
    };
    levels.iter().map(of).collect()
}

/// Numbers the 8-connected regions of `true` from 1.
fn label(inside: &[bool], width: usize) -> Vec<u32> {
    let mut labels = vec![0u32; inside.len()];
    let (height, mut next, mut stack) = (inside.len() / width, 0, vec![]);
    for start in 0..inside.len() {
        if !inside[start] || labels[start] != 0 {
            continue;
        }
        next += 1;
        labels[start] = next;
        stack.push(start);
        while let Some(at) = stack.pop() {
            let (x, y) = (at % width, at / width);
            for v in y.saturating_sub(1)..(y + 2).min(height) {
                for u in x.saturating_sub(1)..(x + 2).min(width) {
                    let neighbour = v * width + u;
                    if inside[neighbour] && labels[neighbour] == 0 {
                        labels[neighbour] = next;
                        stack.push(neighbour);
                    }
                }
            }
        }
    }
    labels
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn diagonal_neighbours_are_one_region() {
        #[rustfmt::skip]
        let inside = [
            true,  false, false, true,
            false, true,  false, true,
            false, false, false, false,
            true,  true,  false, true,
        ];
        assert_eq!(label(&inside, 4), [1, 0, 0, 2, 0, 1, 0, 2, 0, 0, 0, 0, 3, 3, 0, 4]);
    }

    #[test]
    fn any_level_is_a_defect_but_for_the_softness_of_jpeg_and_voc_s_border() {
        use Truth::{Defective, Normal, Unknown};
        assert_eq!(truth(&[0, 80, 255], false), [Normal, Defective, Defective]);
        assert_eq!(truth(&[0, 1, 20], false), [Normal, Defective, Defective]);
        assert_eq!(truth(&[0, 1, 255], false), [Normal, Defective, Unknown]);
        assert_eq!(truth(&[0, 0, 255], false), [Normal, Normal, Defective]);
        assert_eq!(truth(&[3, 100, 250], true), [Normal, Normal, Defective]);
        assert_eq!(truth(&[0, 0], true), [Normal, Normal]);
    }

    #[test]
    fn masks_of_an_image_are_taken_together_and_ignored_pixels_stay_apart() {
        let folder = tempfile::tempdir().unwrap();
        let size = Size { width: 4, height: 1 };
        let write = |name: &str, values: [u8; 4]| {
            let path = folder.path().join(name);
            let frame = Frame::new(size, Pixels::Grey8(values.to_vec())).unwrap();
            std::fs::write(&path, judge::encode_png(&frame).unwrap()).unwrap();
            path
        };
        let (a, b) = (write("a.png", [0, 1, 0, 255]), write("b.png", [0, 0, 0, 200]));
        let empty = write("c.png", [0; 4]);
        let roi = Roi { x: 0, y: 0, width: 4, height: 1 };
        let of = |paths: &[PathBuf]| regions(paths, size, roi, 4, 1).unwrap();
        assert_eq!(of(std::slice::from_ref(&a)), Some(vec![0, 1, 0, IGNORED]));
        assert_eq!(of(&[a, b]), Some(vec![0, 1, 0, 2]));
        assert_eq!(of(&[empty]), None);
    }

    #[test]
    fn a_mask_drawn_in_the_alpha_channel_is_read_from_there() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("mask.png");
        // A red image of 2 × 1 pixels, the left one transparent, built chunk by chunk.
        let chunk = |kind: &[u8; 4], data: &[u8]| {
            let body = [&kind[..], data].concat();
            let length = (data.len() as u32).to_be_bytes();
            [&length[..], &body, &crc32(&body).to_be_bytes()].concat()
        };
        let header = [0, 0, 0, 2, 0, 0, 0, 1, 8, 6, 0, 0, 0];
        let row = [0, 255, 0, 0, 0, 255, 0, 0, 255];
        let stored = [&[0x78, 1, 1, 9, 0, 0xf6, 0xff][..], &row, &adler32(&row).to_be_bytes()].concat();
        let png = [
            &b"\x89PNG\r\n\x1a\n"[..],
            &chunk(b"IHDR", &header),
            &chunk(b"IDAT", &stored),
            &chunk(b"IEND", &[]),
        ];
        std::fs::write(&path, png.concat()).unwrap();
        let (size, roi) = (Size { width: 2, height: 1 }, Roi { x: 0, y: 0, width: 2, height: 1 });
        assert_eq!(regions(&[path], size, roi, 2, 1).unwrap(), Some(vec![0, 1]));
    }

    fn crc32(bytes: &[u8]) -> u32 {
        !bytes.iter().fold(!0u32, |crc, &byte| {
            (0..8).fold(crc ^ u32::from(byte), |crc, _| (crc >> 1) ^ (0xedb8_8320 * (crc & 1)))
        })
    }

    fn adler32(bytes: &[u8]) -> u32 {
        let (a, b) = bytes.iter().fold((1u32, 0u32), |(a, b), &byte| {
            let a = (a + u32::from(byte)) % 65521;
            (a, (b + a) % 65521)
        });
        b << 16 | a
    }
}
