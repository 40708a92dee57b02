//! Bytes → frame with real files, intact and damaged.

use std::io::Cursor;

use image::{ImageEncoder, ImageFormat};
use judge::{DecodeError, Frame, Pixels, decode, decode_file, encode_png};
use support::{JpegKind, PLAIN, jpeg, jpeg_of, size};

use crate::support;

fn ramp16(count: usize) -> Vec<u16> {
    (0..count).map(|i| (i * 2477 % 65536) as u16).collect()
}

fn ramp8(count: usize) -> Vec<u8> {
    (0..count).map(|i| (i * 37 % 256) as u8).collect()
}

/// Returns one 7×5 frame of each kind.
fn frames() -> [Frame; 4] {
    [
        Pixels::Grey8(ramp8(35)),
        Pixels::Rgb8(ramp8(105)),
        Pixels::Grey16(ramp16(35)),
        Pixels::Rgb16(ramp16(105)),
    ]
    .map(|pixels| Frame::new(size(7, 5), pixels).unwrap())
}

fn dynamic(frame: &Frame) -> image::DynamicImage {
    use image::DynamicImage as D;
    let (w, h) = (frame.size().width, frame.size().height);
    match frame.pixels() {
        Pixels::Grey8(v) => image::GrayImage::from_raw(w, h, v.clone()).map(D::ImageLuma8),
        Pixels::Rgb8(v) => image::RgbImage::from_raw(w, h, v.clone()).map(D::ImageRgb8),
        Pixels::Grey16(v) => image::ImageBuffer::from_raw(w, h, v.clone()).map(D::ImageLuma16),
        Pixels::Rgb16(v) => image::ImageBuffer::from_raw(w, h, v.clone()).map(D::ImageRgb16),
    }
    .unwrap()
}

fn written(image: &image::DynamicImage, format: ImageFormat) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    image.write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

/// Builds a little-endian EXIF block that contains only the orientation.
fn exif(orientation: u8) -> Vec<u8> {
    let mut block = b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0".to_vec();
    block.extend([orientation, 0, 0, 0, 0, 0, 0, 0]);
    block
}

#[test]
fn png_keeps_depth_channels_and_values() {
    for frame in frames() {
        assert_eq!(decode(&encode_png(&frame).unwrap()).unwrap(), frame);
    }
}

#[test]
fn lossless_formats_give_back_their_values() {
    let [grey8, rgb8, grey16, rgb16] = frames();
    for frame in [&grey8, &rgb8, &grey16, &rgb16] {
        assert_eq!(&decode(&written(&dynamic(frame), ImageFormat::Tiff)).unwrap(), frame);
    }
    for (frame, format) in [
        (&rgb8, ImageFormat::Bmp),
        (&rgb8, ImageFormat::WebP),
        (&rgb8, ImageFormat::Pnm),
        (&grey8, ImageFormat::Pnm),
    ] {
        assert_eq!(&decode(&written(&dynamic(frame), format)).unwrap(), frame, "{format:?}");
    }
}

#[test]
fn alpha_is_dropped_and_colours_stay() {
    let [grey8, rgb8, grey16, rgb16] = frames();
    let with_alpha = [
        (image::DynamicImage::ImageLumaA8(dynamic(&grey8).into_luma_alpha8()), &grey8),
        (image::DynamicImage::ImageRgba8(dynamic(&rgb8).into_rgba8()), &rgb8),
        (image::DynamicImage::ImageLumaA16(dynamic(&grey16).into_luma_alpha16()), &grey16),
        (image::DynamicImage::ImageRgba16(dynamic(&rgb16).into_rgba16()), &rgb16),
    ];
    for (image, frame) in with_alpha {
        assert_eq!(&decode(&written(&image, ImageFormat::Png)).unwrap(), frame);
    }
}

#[test]
fn jpeg_keeps_grey_and_comes_close_in_colour() {
    let grey = decode(&jpeg(33, 17, JpegKind { grey: true, ..PLAIN })).unwrap();
    assert!(grey.is_grey());
    assert_eq!(grey.size(), size(33, 17));
    let red: Vec<u8> = [200, 30, 40].repeat(16 * 16);
    let frame = decode(&jpeg_of(&red, 16, 16, PLAIN, None)).unwrap();
    let Pixels::Rgb8(values) = frame.pixels() else { panic!("{frame:?}") };
    assert!(values.iter().zip(&red).all(|(a, b)| a.abs_diff(*b) <= 3), "{:?}", &values[..3]);
}

/// Returns what the corners of an upright frame show: upper left, upper right, lower left, lower right.
fn corners(frame: &Frame) -> [u8; 4] {
    let (w, h) = (frame.size().width as usize, frame.size().height as usize);
    let Pixels::Grey8(v) = frame.pixels() else { panic!("{frame:?}") };
    // Rounded to tens: JPEG is slightly off.
    [0, w - 1, (h - 1) * w, h * w - 1].map(|i| v[i].saturating_add(5) / 10)
}

#[test]
fn every_exif_orientation_comes_out_upright() {
    let (a, b, c, d) = (2, 9, 16, 23);
    let stored: Vec<u8> =
        (0..32_usize * 16).map(|i| 10 * [[a, b], [c, d]][i / 16 / 16][i % 16 / 8]).collect();
    // TIFF 6.0, tag 274: which sides of the picture row 0 and column 0 are.
    let upright = [
        [a, b, c, d],
        [b, a, d, c],
        [d, c, b, a],
        [c, d, a, b],
        [a, c, b, d],
        [c, a, d, b],
        [d, b, c, a],
        [b, d, a, c],
    ];
    for (orientation, expected) in (1..=8).zip(upright) {
        let exif = exif(orientation);
        let jpeg = jpeg_of(&stored, 16, 32, JpegKind { grey: true, ..PLAIN }, Some(&exif));
        let mut png = Vec::new();
        let mut encoder = image::codecs::png::PngEncoder::new(&mut png);
        encoder.set_exif_metadata(exif).unwrap();
        encoder.write_image(&stored, 16, 32, image::ExtendedColorType::L8).unwrap();
        for bytes in [jpeg, png] {
            let frame = decode(&bytes).unwrap();
            let turned = if orientation < 5 { size(16, 32) } else { size(32, 16) };
            assert_eq!(frame.size(), turned, "orientation {orientation}");
            assert_eq!(corners(&frame), expected, "orientation {orientation}");
        }
    }
}

#[test]
fn damaged_exif_counts_as_upright() {
    for block in [&exif(9)[..], &exif(6)[..9], b"nonsense", b""] {
        let bytes = jpeg_of(&[100; 64 * 2], 8, 16, JpegKind { grey: true, ..PLAIN }, Some(block));
        assert_eq!(decode(&bytes).unwrap().size(), size(8, 16));
    }
}

fn jpeg_kinds() -> Vec<JpegKind> {
    let mut kinds = Vec::new();
    for grey in [false, true] {
        for subsampled in [false, true] {
            for progressive in [false, true] {
                for restart in [0, 1, 3] {
                    kinds.push(JpegKind { grey, subsampled, progressive, restart });
                }
            }
        }
    }
    kinds
}

#[test]
fn whole_jpegs_of_every_kind_and_small_size_are_read() {
    for kind in jpeg_kinds() {
        for (width, height) in [(1, 1), (7, 3), (8, 8), (9, 40), (16, 16), (17, 1), (40, 9), (64, 48)] {
            let textured = jpeg(width, height, kind);
            let flat = vec![128; usize::from(width) * usize::from(height) * 3];
            let flat = jpeg_of(&flat, width, height, kind, None);
            for bytes in [textured, flat] {
                let frame = decode(&bytes).unwrap_or_else(|e| panic!("{width}×{height} {kind:?}: {e}"));
                assert_eq!(frame.size(), size(width.into(), height.into()));
                assert_eq!(frame.is_grey(), kind.grey);
            }
        }
    }
}

#[test]
fn a_cut_jpeg_is_refused_wherever_it_is_cut() {
    for kind in jpeg_kinds() {
        let whole = jpeg(160, 120, kind);
        let n = whole.len();
        for cut in [2, 3, 20, n / 4, n / 2, n * 9 / 10, n - 20, n - 2, n - 1] {
            let error = decode(&whole[..cut]).expect_err(&format!("cut at {cut} of {n}, {kind:?}"));
            assert!(
                matches!(error, DecodeError::Truncated { .. } | DecodeError::UnknownFormat),
                "cut at {cut} of {n}, {kind:?}: {error}"
            );
        }
    }
}

/// Cameras that run out of buffer close the file properly; only the compressed data is short.
#[test]
fn a_jpeg_with_data_missing_before_its_end_marker_is_refused() {
    for kind in jpeg_kinds().into_iter().filter(|kind| !kind.progressive) {
        let whole = jpeg(160, 120, kind);
        let n = whole.len();
        for cut in [n / 4, n / 2, n * 9 / 10, n - 40] {
            let short = [&whole[..cut], &[0xFF, 0xD9]].concat();
            assert!(decode(&short).is_err(), "cut at {cut} of {n}, {kind:?}");
        }
    }
}

#[test]
fn a_progressive_jpeg_cut_within_its_first_scan_is_refused() {
    let whole = jpeg(160, 120, JpegKind { progressive: true, ..PLAIN });
    let scan = whole.windows(2).position(|w| w == [0xFF, 0xDA]).unwrap();
    let short = [&whole[..scan + 200], &[0xFF, 0xD9]].concat();
    assert!(decode(&short).is_err());
}

#[test]
fn what_follows_the_end_of_a_jpeg_is_ignored() {
    let whole = jpeg(40, 30, PLAIN);
    let frame = decode(&whole).unwrap();
    for tail in [vec![0; 512], vec![0xFF; 3], jpeg(16, 16, PLAIN), b"vendor data".to_vec()] {
        assert_eq!(decode(&[whole.clone(), tail].concat()).unwrap(), frame);
    }
}

/// Bit errors must never cause more than an error or a wrong picture.
#[test]
fn flipped_bytes_never_panic() {
    let files = [
        jpeg(48, 40, PLAIN),
        jpeg(48, 40, JpegKind { subsampled: true, restart: 2, ..PLAIN }),
        jpeg(48, 40, JpegKind { progressive: true, subsampled: true, ..PLAIN }),
        encode_png(&frames()[3]).unwrap(),
        written(&dynamic(&frames()[1]), ImageFormat::Tiff),
        written(&dynamic(&frames()[1]), ImageFormat::WebP),
        written(&dynamic(&frames()[1]), ImageFormat::Bmp),
    ];
    let mut refused = 0;
    for file in files {
        for at in 0..file.len() {
            for flip in [0x01, 0x80, 0xFF] {
                let mut damaged = file.clone();
                damaged[at] ^= flip;
                refused += u32::from(decode(&damaged).is_err());
            }
        }
    }
    assert!(refused > 1000, "{refused}");
}

#[test]
fn cut_files_of_other_formats_are_refused() {
    let frame = &frames()[1];
    for format in [ImageFormat::Png, ImageFormat::Bmp, ImageFormat::Tiff, ImageFormat::WebP, ImageFormat::Pnm]
    {
        let whole = written(&dynamic(frame), format);
        for cut in [whole.len() / 4, whole.len() / 2, whole.len() * 9 / 10] {
            assert!(decode(&whole[..cut]).is_err(), "{format:?} cut at {cut} of {}", whole.len());
        }
    }
}

#[test]
fn what_is_no_image_is_said_so_whatever_its_name() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("notes.png");
    std::fs::write(&path, "these are notes, not pixels").unwrap();
    let error = decode_file(&path).unwrap_err();
    assert!(matches!(error, DecodeError::UnknownFormat), "{error}");
    assert!(matches!(decode(b""), Err(DecodeError::UnknownFormat)));
    // A picture under a misleading name is still a picture.
    std::fs::write(&path, jpeg(9, 9, PLAIN)).unwrap();
    assert_eq!(decode_file(&path).unwrap().size(), size(9, 9));
}

#[test]
fn files_that_cannot_be_read_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let error = decode_file(&folder.path().join("absent.png")).unwrap_err();
    assert!(error.to_string().contains("absent.png"), "{error}");
    assert!(matches!(decode_file(folder.path()), Err(DecodeError::NotAFile { .. })));
}

#[test]
fn extreme_shapes_are_frames_and_absurd_ones_are_refused_unread() {
    for (width, height) in [(1, 1), (20000, 50)] {
        let frame =
            Frame::new(size(width, height), Pixels::Grey8(vec![7; (width * height) as usize])).unwrap();
        assert_eq!(decode(&encode_png(&frame).unwrap()).unwrap(), frame);
    }
    assert_eq!(decode(&jpeg(20000, 50, PLAIN)).unwrap().size(), size(20000, 50));
    // A header alone that claims 65500 × 65500 pixels.
    let mut bytes = jpeg(16, 16, PLAIN);
    let at = bytes.windows(2).position(|w| w == [0xFF, 0xC0]).unwrap();
    bytes[at + 5..at + 9].copy_from_slice(&[0xFF, 0xDC, 0xFF, 0xDC]);
    assert!(matches!(decode(&bytes), Err(DecodeError::TooLarge { .. })));
    let pnm = b"P5 60000 60000 255\n";
    assert!(matches!(decode(pnm), Err(DecodeError::TooLarge { .. })), "{:?}", decode(pnm));
    let float = image::DynamicImage::ImageRgb32F(image::ImageBuffer::new(2, 2));
    let error = decode(&written(&float, ImageFormat::Tiff)).unwrap_err();
    assert!(matches!(error, DecodeError::Unsupported { .. }), "{error}");
}

/// Builds a grey picture of 3 × 2 pixels as BigTIFF (Adobe Pagemaker's TIFF 6.0 with 64-bit offsets), in either byte
/// order.
fn big_tiff(values: [u8; 6], little: bool) -> Vec<u8> {
    let order = |bytes: &[u8]| if little { bytes.iter().rev().copied().collect() } else { bytes.to_vec() };
    let short = |n: u16| order(&n.to_be_bytes());
    let long8 = |n: u64| order(&n.to_be_bytes());
    let (first, directory) = (16, 24);
    let entry = |tag: u16, value: u16| [short(tag), short(3), long8(1), short(value), vec![0; 6]].concat();
    let tags = [(256, 3), (257, 2), (258, 8), (259, 1), (262, 1), (273, first), (277, 1), (278, 2), (279, 6)];
    let mut bytes = if little { b"II".to_vec() } else { b"MM".to_vec() };
    bytes.extend([short(43), short(8), short(0), long8(directory), values.to_vec(), vec![0; 2]].concat());
    bytes.extend(long8(tags.len() as u64));
    tags.iter().for_each(|&(tag, value)| bytes.extend(entry(tag, value)));
    bytes.extend(long8(0));
    bytes
}

#[test]
fn big_tiff_is_read() {
    let values = [1, 2, 3, 250, 251, 252];
    for little in [true, false] {
        let frame = decode(&big_tiff(values, little)).unwrap();
        assert_eq!(frame.size(), size(3, 2));
        assert_eq!(*frame.pixels(), Pixels::Grey8(values.to_vec()));
    }
    let whole = big_tiff(values, true);
    (0..whole.len() - 8).for_each(|end| assert!(decode(&whole[..end]).is_err(), "{end}"));
}

#[test]
fn alpha_is_kept_where_it_is_asked_for() {
    let image = image::RgbaImage::from_raw(2, 1, vec![1, 2, 3, 0, 4, 5, 6, 255]).unwrap();
    let png = written(&image::DynamicImage::ImageRgba8(image), ImageFormat::Png);
    let (frame, alpha) = judge::decode_with_alpha(&png).unwrap();
    assert_eq!((frame, alpha), (decode(&png).unwrap(), Some(vec![0, 255])));
    let grey = written(&image::DynamicImage::ImageLuma8(image::GrayImage::new(2, 1)), ImageFormat::Png);
    assert_eq!(judge::decode_with_alpha(&grey).unwrap().1, None);
}
