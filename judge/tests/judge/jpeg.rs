//! JPEG files as cameras send them, and with bytes lost on the way.

use judge::{DecodeError, decode, decode_within};
use support::{JpegKind, PLAIN, jpeg, jpeg_of, size};

use crate::support;

const ROWS_APART: JpegKind = JpegKind { subsampled: true, restart: 10, ..PLAIN };

/// Returns the positions of a file's restart markers, and of its end.
fn markers(bytes: &[u8]) -> Vec<usize> {
    let is_marker = |w: &[u8]| w[0] == 0xFF && matches!(w[1], 0xD0..=0xD7 | 0xD9);
    bytes.windows(2).enumerate().filter(|(_, w)| is_marker(w)).map(|(at, _)| at).collect()
}

/// Draws a shaded part with some grain, as a camera sees it; each restart interval is one row.
fn part(width: u16, height: u16) -> Vec<u8> {
    let mut grain = 1_u32;
    let values: Vec<u8> = (0..usize::from(width) * usize::from(height) * 3)
        .map(|i| {
            grain = grain.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let (x, y) = (i / 3 % usize::from(width), i / 3 / usize::from(width));
            let shade = 128.0 + 60.0 * (x as f32 / 31.0).sin() + 40.0 * (y as f32 / 17.0).cos();
            shade as u8 + (grain >> 29) as u8
        })
        .collect();
    jpeg_of(&values, width, height, JpegKind { restart: width.div_ceil(16), ..ROWS_APART }, None)
}

/// Returns the file without its segments of one kind.
fn without(bytes: &[u8], marker: u8) -> Vec<u8> {
    let mut rest = bytes.to_vec();
    while let Some(at) = rest.windows(2).position(|w| w == [0xFF, marker]) {
        let length = usize::from(u16::from_be_bytes([rest[at + 2], rest[at + 3]]));
        rest.drain(at..at + 2 + length);
    }
    rest
}

#[test]
fn data_lost_within_a_restart_interval_are_a_fault() {
    let whole = part(320, 240);
    let found = markers(&whole);
    assert!(found.len() >= 14, "{found:?}");
    assert!(decode(&whole).is_ok());
    let (mut tried, mut ends, mut judged) = (0, 0, 0);
    for interval in found.windows(2) {
        let (start, end) = (interval[0] + 2, interval[1]);
        for lost in [20, 60, 150] {
            for from in (start..end.saturating_sub(lost)).step_by(23) {
                let short = [&whole[..from], &whole[from + lost..]].concat();
                tried += 1;
                match decode(&short) {
                    Err(error) => ends += usize::from(error.to_string().contains("data is missing")),
                    // The codes happen to resynchronise after the same number of blocks: libjpeg notices nothing
                    // either.
                    Ok(_) => judged += 1,
                }
            }
        }
    }
    assert!(tried > 100 && ends > tried / 3 && judged <= tried / 10, "{ends} and {judged} of {tried}");
}

#[test]
fn padding_before_a_marker_is_no_damage_and_much_else_is() {
    let whole = jpeg(160, 120, ROWS_APART);
    let frame = decode(&whole).unwrap();
    let at = markers(&whole)[2];
    let with = |stray: &[u8]| [&whole[..at], stray, &whole[at..]].concat();
    for padding in [&[0][..], &[0; 4], &[0xFF; 5], &[0x12, 0x34, 0x56]] {
        assert_eq!(decode(&with(padding)).unwrap(), frame, "{padding:?}");
    }
    assert!(decode(&with(&[0x12; 40])).is_err());
}

#[test]
fn a_restart_marker_that_is_lost_or_doubled_is_a_fault() {
    let whole = jpeg(160, 120, ROWS_APART);
    let found = markers(&whole);
    let lost = [&whole[..found[1]], &whole[found[1] + 2..]].concat();
    assert!(decode(&lost).is_err());
    let interval = &whole[found[1]..found[2]];
    let doubled = [&whole[..found[1]], interval, &whole[found[1]..]].concat();
    assert!(decode(&doubled).is_err());
}

#[test]
fn motion_jpeg_without_huffman_tables_is_read_with_the_typical_ones() {
    for kind in [PLAIN, ROWS_APART, JpegKind { grey: true, ..PLAIN }] {
        let whole = jpeg(64, 48, kind);
        let bare = without(&whole, 0xC4);
        assert!(bare.len() < whole.len());
        let frame = decode(&whole).unwrap();
        assert_eq!(decode(&bare).unwrap(), frame, "{kind:?}");
        // Whichever application segment comes first, or none.
        assert_eq!(decode(&without(&bare, 0xE0)).unwrap(), frame, "{kind:?}");
        let avi = [&[0xFF, 0xD8, 0xFF, 0xE0, 0, 7][..], b"AVI1\0", &without(&bare, 0xE0)[2..]].concat();
        assert_eq!(decode(&avi).unwrap(), frame, "{kind:?}");
    }
    // A progressive file always brings its own tables.
    let progressive = without(&jpeg(64, 48, JpegKind { progressive: true, ..PLAIN }), 0xC4);
    assert!(decode(&progressive).is_err());
}

#[test]
fn a_progressive_file_without_its_last_scans_is_a_fault() {
    let whole = jpeg(160, 120, JpegKind { progressive: true, ..PLAIN });
    let scans: Vec<_> =
        whole.windows(2).enumerate().filter(|(_, w)| *w == [0xFF, 0xDA]).map(|(at, _)| at).collect();
    assert!(scans.len() > 2);
    for at in &scans[1..] {
        // Whole scans, and an end: only the refinement is missing.
        let coarse = [&whole[..*at], &[0xFF, 0xD9]].concat();
        let error = decode(&coarse).unwrap_err().to_string();
        assert!(error.contains("scans"), "{error}");
    }
}

#[test]
fn coefficients_that_no_picture_has_are_a_fault() {
    let whole = jpeg(64, 48, JpegKind { grey: true, ..PLAIN });
    let at = whole.windows(2).position(|w| w == [0xFF, 0xDB]).unwrap();
    let mut coarse = whole.clone();
    // Sixteen times the steps: the same coefficients now describe a picture far beyond white.
    coarse[at + 5..at + 69].iter_mut().for_each(|step| *step = step.saturating_mul(16).max(200));
    let error = decode(&coarse).unwrap_err().to_string();
    assert!(error.contains("larger than any picture has"), "{error}");
}

#[test]
fn a_larger_frame_than_allowed_is_refused_by_its_header() {
    let bytes = jpeg(64, 48, PLAIN);
    assert!(decode_within(&bytes, size(64, 48)).is_ok());
    for max in [size(63, 48), size(64, 47)] {
        let error = decode_within(&bytes, max).unwrap_err();
        assert!(matches!(error, DecodeError::LargerThanAllowed { .. }), "{error}");
    }
    // Upright, it is 48 × 64.
    let exif = b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0";
    let turned = jpeg_of(&[90; 64 * 48 * 3], 64, 48, PLAIN, Some(exif));
    assert!(decode_within(&turned, size(48, 64)).is_ok());
    assert!(decode_within(&turned, size(64, 48)).is_err());
    // The data is not looked at: there is none.
    let header = &bytes[..bytes.windows(2).position(|w| w == [0xFF, 0xDA]).unwrap() + 14];
    let claim = [header, &[0xFF, 0xD9]].concat();
    assert!(matches!(decode_within(&claim, size(10, 10)), Err(DecodeError::LargerThanAllowed { .. })));
}

#[test]
fn kinds_of_jpeg_that_are_not_read_are_not_called_damaged() {
    let whole = jpeg(64, 48, PLAIN);
    let start_of_frame = whole.windows(2).position(|w| w == [0xFF, 0xC0]).unwrap();
    // Each by its own name, and by no other.
    let kinds = ["arithmetic", "lossless", "JPEG-LS", "hierarchical"];
    for (marker, words) in [
        (0xC9, &kinds[..1]),
        (0xCA, &kinds[..1]),
        (0xCB, &kinds[..2]),
        (0xC3, &kinds[1..2]),
        (0xF7, &kinds[2..3]),
        (0xDE, &kinds[3..]),
        (0xC5, &kinds[3..]),
        (0xCF, &kinds[3..]),
    ] {
        let mut other = whole.clone();
        other[start_of_frame + 1] = marker;
        let error = decode(&other).unwrap_err();
        assert!(matches!(error, DecodeError::Unsupported { .. }), "{marker:x}: {error}");
        let text = error.to_string();
        let named: Vec<&str> = kinds.into_iter().filter(|kind| text.contains(kind)).collect();
        assert_eq!(named, words, "{marker:x}: {text}");
    }
}
