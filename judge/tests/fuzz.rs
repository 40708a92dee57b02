//! Mutated images and models: each is judged or refused with a message, quickly, and none takes more memory than an
//! allowed one. tract's reader divides, indexes and allocates by what a model says.
// Clippy's test settings cover test functions only, not their helpers.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::io::Cursor;

use fuzzing::Fuzz;
use image::{DynamicImage, ImageFormat};
use judge::{DecodeError, EngineError, Network, decode_within};
use support::{JpegKind, PLAIN, bottleneck_onnx, branching_onnx, jpeg, onnx, size, window_onnx};

#[global_allocator]
static MEMORY: fuzzing::Memory = fuzzing::Memory;

/// Fewer on an emulated processor.
const fn count(usual: u64) -> u64 {
    if cfg!(target_arch = "x86_64") { usual } else { usual / 10 }
}

const SIDE: u32 = 24;

fn written(format: ImageFormat) -> Vec<u8> {
    let image = image::RgbImage::from_fn(SIDE, SIDE, |x, y| image::Rgb([(x * 9) as u8, (y * 7) as u8, 90]));
    let mut bytes = Cursor::new(Vec::new());
    DynamicImage::ImageRgb8(image).write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

fn valid_images() -> Vec<Vec<u8>> {
    let mut images: Vec<_> =
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
        images.push(jpeg(side, side, kind));
    }
    images
}

#[test]
fn images() {
    let max = size(SIDE * 2, SIDE * 2);
    let fuzz = Fuzz::new("images", count(100_000)).memory_mib(64).dictionary(&[
        b"\xff\xd8",
        b"\xff\xda",
        b"\xff\xc0",
        b"\xff\xc4",
        b"\xff\xd0",
        b"\xff\x00",
        b"\xff\xff\xff\x7f",
        b"IDAT",
        b"IHDR",
        b"RIFF",
        b"VP8 ",
        b"VP8L",
        b"VP8X",
        b"ANIM",
        b"99999999",
        b"P7\n",
    ]);
    let stats = fuzz.run(&valid_images(), |bytes| match decode_within(bytes, max) {
        Ok(frame) => {
            assert!(frame.size().width <= max.width && frame.size().height <= max.height);
            true
        }
        Err(error) => {
            assert!(!error.to_string().is_empty());
            false
        }
    });
    let refused = stats.inputs - stats.accepted;
    assert!(stats.accepted > stats.inputs / 20 && refused > stats.inputs / 4, "{stats:?}");
}

#[test]
fn every_format_is_refused_by_its_header_if_it_is_too_large() {
    for image in valid_images() {
        assert!(decode_within(&image, size(SIDE, SIDE)).is_ok());
        for max in [size(SIDE - 1, SIDE), size(SIDE, SIDE - 1)] {
            let error = decode_within(&image, max).unwrap_err();
            assert!(matches!(error, DecodeError::LargerThanAllowed { .. }), "{error}");
            assert!(error.to_string().contains("24 × 24 pixels"), "{error}");
        }
    }
}

const MODEL_SIDE: usize = 16;

/// Loads a model as a bundle's would be, and judges a frame.
fn loaded_and_run(bytes: &[u8]) -> Result<(), EngineError> {
    let mut network = Network::load(bytes, [1, 3, MODEL_SIDE, MODEL_SIDE], &["anomaly_map", "score"], 1)?;
    network.run(&[0.5; 3 * MODEL_SIDE * MODEL_SIDE]).map(drop)
}

#[test]
fn models() {
    let side = MODEL_SIDE as u64;
    let valid = [
        onnx(side, &["Abs"]),
        branching_onnx(side),
        bottleneck_onnx(side),
        window_onnx(side),
        window_onnx(side),
    ];
    for model in &valid {
        loaded_and_run(model).unwrap();
    }
    // Sizes as protobuf encodes them, and names with a meaning.
    let fuzz = Fuzz::new("models", count(6_000)).dictionary(&[
        b"\x80\x80\x80\x80\x10",
        b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
        b"\xff\xff\xff\xff\xff\xff\xff\xff\x7f",
        b"\x80\x20",
        b"\xff\xff\xff\xff\x07",
        b"Conv",
        b"Resize",
        b"ConvTranspose",
        b"Tile",
        b"Pad",
        b"Reshape",
        b"group",
        b"dilations",
        b"strides",
        b"auto_pad",
        b"image",
        b"peak",
        b"anomaly_map",
    ]);
    let stats = fuzz.run(&valid, |bytes| match loaded_and_run(bytes) {
        Ok(()) => true,
        Err(error) => {
            assert!(!error.to_string().is_empty());
            false
        }
    });
    let refused = stats.inputs - stats.accepted;
    assert!(stats.accepted > stats.inputs / 20 && refused > stats.inputs / 4, "{stats:?}");
}
