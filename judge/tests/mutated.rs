//! A hundred thousand image files with flipped, lost, doubled and inserted bytes: each is a frame or an error, and none
//! takes more memory than a frame that is allowed.
// The settings for tests cover test functions only, not their helpers.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;
#[path = "support/times.rs"]
mod times;

use std::io::Cursor;
use std::panic::{AssertUnwindSafe, catch_unwind};

use image::{DynamicImage, ImageFormat};
use judge::{DecodeError, decode_within};
use support::{Chance, JpegKind, PLAIN, jpeg, size};

const FILES: usize = if cfg!(target_arch = "x86_64") { 100_000 } else { 5_000 };
const SIDE: u32 = 24;

fn written(format: ImageFormat) -> Vec<u8> {
    let image = image::RgbImage::from_fn(SIDE, SIDE, |x, y| image::Rgb([(x * 9) as u8, (y * 7) as u8, 90]));
    let mut bytes = Cursor::new(Vec::new());
    DynamicImage::ImageRgb8(image).write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

fn seeds() -> Vec<Vec<u8>> {
    let mut seeds: Vec<_> =
        [ImageFormat::Png, ImageFormat::Bmp, ImageFormat::Tiff, ImageFormat::WebP, ImageFormat::Pnm]
            .map(written)
            .into();
    let side = SIDE as u16;
    for kind in [
        PLAIN,
        JpegKind { grey: true, ..PLAIN },
        JpegKind { subsampled: true, restart: 2, ..PLAIN },
        JpegKind { progressive: true, ..PLAIN },
        JpegKind { progressive: true, subsampled: true, restart: 1, ..PLAIN },
    ] {
        seeds.push(jpeg(side, side, kind));
    }
    seeds
}

#[test]
fn every_one_is_a_frame_or_an_error() {
    let (seeds, mut chance, most) = (seeds(), Chance::default(), size(SIDE * 2, SIDE * 2));
    let (mut frames, mut refused) = (0, 0);
    let files = FILES * times::times() as usize;
    for file in 0..files {
        let mut bytes = seeds[file % seeds.len()].clone();
        chance.mutate(&mut bytes);
        match catch_unwind(AssertUnwindSafe(|| decode_within(&bytes, most))) {
            Ok(Ok(frame)) => {
                assert!(frame.size().width <= most.width && frame.size().height <= most.height);
                frames += 1;
            }
            Ok(Err(error)) => {
                assert!(!error.to_string().is_empty());
                refused += 1;
            }
            Err(_) => panic!("file {file} panics: {bytes:?}"),
        }
    }
    assert!(frames > files / 20 && refused > files / 4, "{frames} frames, {refused} refused");
}

#[test]
fn every_format_is_refused_by_its_header_if_it_is_too_large() {
    for seed in seeds() {
        assert!(decode_within(&seed, size(SIDE, SIDE)).is_ok());
        for most in [size(SIDE - 1, SIDE), size(SIDE, SIDE - 1)] {
            let error = decode_within(&seed, most).unwrap_err();
            assert!(matches!(error, DecodeError::LargerThanAllowed { .. }), "{error}");
            assert!(error.to_string().contains("24 × 24 pixels"), "{error}");
        }
    }
}
