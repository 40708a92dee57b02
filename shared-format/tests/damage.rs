//! Damaged and absurd files are refused, each with the error that names the problem.

#![allow(clippy::unwrap_used, reason = "tests say what they expect by unwrapping")]

mod common;

use common::{encoded, example, framed, valid};
use proptest::prelude::*;
use shared_format::threshold_file::{FIRST_VERSION, HEADER_LEN, MAGIC, MAX_LEN, TRAILER_LEN, VERSION};
use shared_format::{
    Alignment, Descriptor, FormatError, Golden, IgnoreMask, ImageScore, Motion, Reference, ReferencePatch,
    Roi, Size, ThresholdFile, Tiles, Zone, ZoneMask, Zones,
};

proptest! {
    #[test]
    fn every_truncation_is_refused(file in valid()) {
        let bytes = encoded(&file);
        for found in 0..bytes.len() {
            let expected = if found < HEADER_LEN { HEADER_LEN } else { bytes.len() };
            prop_assert_eq!(
                ThresholdFile::decode(&bytes[..found]),
                Err(FormatError::Truncated { expected, found })
            );
        }
    }

    #[test]
    fn every_flipped_bit_is_refused(file in valid()) {
        let mut bytes = encoded(&file);
        for position in 0..bytes.len() {
            for bit in 0..8 {
                bytes[position] ^= 1 << bit;
                let error = ThresholdFile::decode(&bytes).unwrap_err();
                let is_right = match position {
                    0..4 => error == FormatError::Magic,
                    4..6 => match u16::from_le_bytes([bytes[4], bytes[5]]) {
                        version @ FIRST_VERSION..=VERSION => version != VERSION && error == FormatError::Checksum,
                        version => error == FormatError::Version(version),
                    },
                    6..HEADER_LEN => {
                        matches!(error, FormatError::Truncated { .. } | FormatError::Trailing { .. })
                    }
                    _ => error == FormatError::Checksum,
                };
                prop_assert!(is_right, "byte {} bit {}: {:?}", position, bit, error);
                bytes[position] ^= 1 << bit;
            }
        }
    }

    #[test]
    fn every_changed_byte_is_refused(file in valid(), at in any::<prop::sample::Index>(), flips in 1u8..) {
        let mut bytes = encoded(&file);
        let at = at.index(bytes.len());
        bytes[at] ^= flips;
        prop_assert!(ThresholdFile::decode(&bytes).is_err());
    }

    #[test]
    fn bytes_after_the_end_are_counted(file in valid(), extra in 1usize..40) {
        let mut bytes = encoded(&file);
        bytes.resize(bytes.len() + extra, 0);
        prop_assert_eq!(ThresholdFile::decode(&bytes), Err(FormatError::Trailing { extra }));
    }

    #[test]
    fn arbitrary_bytes_are_refused_without_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
        prop_assert!(ThresholdFile::decode(&bytes).is_err());
    }

    /// If the checksum is right, whatever decodes is a valid value: it can be written and read again.
    #[test]
    fn an_arbitrary_payload_with_a_right_checksum_is_refused_or_valid(
        noise in proptest::collection::vec(any::<u8>(), 0..300),
        file in valid(),
        at in any::<prop::sample::Index>(),
        flips in any::<u8>(),
    ) {
        let bytes = encoded(&file);
        let mut payload = bytes[HEADER_LEN..bytes.len() - TRAILER_LEN].to_vec();
        let at = at.index(payload.len());
        payload[at] ^= flips;
        for payload in [noise, payload] {
            match ThresholdFile::decode(&framed(&payload)) {
                Ok(read) => prop_assert_eq!(ThresholdFile::decode(&encoded(&read)), Ok(read)),
                Err(error) => prop_assert_eq!(error, FormatError::Malformed),
            }
        }
    }

    #[test]
    fn a_payload_cut_or_lengthened_under_a_right_checksum_is_malformed(file in valid(), cut in 1usize..40) {
        let bytes = encoded(&file);
        let payload = &bytes[HEADER_LEN..bytes.len() - TRAILER_LEN];
        prop_assert_eq!(
            ThresholdFile::decode(&framed(&payload[..payload.len() - cut])),
            Err(FormatError::Malformed)
        );
        let longer = [payload, &vec![0; cut]].concat();
        prop_assert_eq!(ThresholdFile::decode(&framed(&longer)), Err(FormatError::Malformed));
    }
}

fn alignment() -> Alignment {
    let reference = Reference::new(8, 9, &[7; 72]).unwrap();
    Alignment { motion: Motion::Shift, least_likeness: 500, reference }
}

fn patch(area: Roi, red: u16) -> ReferencePatch {
    ReferencePatch { area, mean: [red, 9, 9] }
}

#[test]
fn a_reference_has_as_many_cells_as_its_sides_say() {
    let mut file = example();
    file.recipe.alignment = Some(alignment());
    let payload = postcard::to_slice(&file, &mut [0; MAX_LEN]).unwrap().to_vec();
    let at = payload.windows(5).position(|bytes| bytes == [8, 9, 72, 7, 7]).unwrap();
    assert_eq!(ThresholdFile::decode(&framed(&payload)), Ok(file));
    for (offset, value) in [(0, 9), (0, 0), (1, 8), (1, 255), (2, 71), (2, 73)] {
        let mut damaged = payload.clone();
        damaged[at + offset] = value;
        assert_eq!(ThresholdFile::decode(&framed(&damaged)), Err(FormatError::Malformed), "{offset} {value}");
    }
    assert_eq!(Reference::new(7, 9, &[0; 63]), None, "side too short");
    assert_eq!(Reference::new(64, 65, &[0; 4160]), None, "too many cells");
}

#[test]
fn an_overlap_is_at_most_half_a_tile_along_each_axis_that_has_several() {
    let mut file = example();
    file.recipe.input = Size { width: 128, height: 64 };
    for (tiles, most) in [([2, 1], 64), ([1, 2], 32), ([2, 2], 32), ([16, 1], 64)] {
        for steps in 0..=5 {
            let overlap = 32 * steps;
            file.recipe.tiles = Tiles { columns: tiles[0], rows: tiles[1], overlap };
            let written = file.encode(&mut [0; MAX_LEN]).is_ok();
            assert_eq!(written, overlap <= most, "{tiles:?} {overlap}");
        }
    }
}

#[test]
fn an_ignore_mask_leaves_something_to_judge_and_is_written_one_way() {
    let mut file = example();
    let cells: Vec<bool> = (0..15).map(|cell| cell == 2 || cell == 9).collect();
    file.recipe.ignore = IgnoreMask::new(5, 3, &cells);
    let mask = file.recipe.ignore.unwrap();
    assert!(mask.ignores(2, 0) && mask.ignores(4, 1) && !mask.ignores(0, 0) && !mask.ignores(5, 1));
    assert!((mask.share() - 2.0 / 15.0).abs() < 1e-12);
    let payload = postcard::to_slice(&file, &mut [0; MAX_LEN]).unwrap().to_vec();
    let at = payload.windows(5).position(|bytes| bytes == [5, 3, 2, 0x04, 0x02]).unwrap();
    assert_eq!(ThresholdFile::decode(&framed(&payload)), Ok(file));
    let damages: [(&str, &[u8]); 6] = [
        ("more cells than bits", &[6, 3, 2, 0x04, 0x02]),
        ("no cells", &[0, 3, 2, 0x04, 0x02]),
        ("fewer cells than bits", &[2, 3, 2, 0x04, 0x02]),
        ("nothing ignored", &[5, 3, 2, 0, 0]),
        ("nothing judged", &[5, 3, 2, 0xff, 0x7f]),
        ("a bit after the last cell", &[5, 3, 2, 0x04, 0x82]),
    ];
    for (what, bytes) in damages {
        let mut damaged = payload.clone();
        damaged[at..at + 5].copy_from_slice(bytes);
        assert_eq!(ThresholdFile::decode(&framed(&damaged)), Err(FormatError::Malformed), "{what}");
    }
    assert_eq!(IgnoreMask::new(65, 64, &[true; 65 * 64]), None, "too many cells");
    assert_eq!(IgnoreMask::new(4, 4, &[true; 15]), None, "a cell is missing");
}

/// Three zones of 5 × 3 cells, and the payload of a file with them.
fn zones() -> (Zones, Vec<u8>) {
    let mask = ZoneMask::new(5, 3, &[0, 0, 1, 1, 2, 0, 0, 1, 1, 2, 0, 0, 1, 1, 2]).unwrap();
    let zones =
        Zones { mask, zones: [200, 100, 50].map(|level| Zone::new(level, 1.0)).into_iter().collect() };
    let file = ThresholdFile { image_score: ImageScore::Zones(zones.clone()), ..example() };
    let payload = postcard::to_slice(&file, &mut [0; MAX_LEN]).unwrap().to_vec();
    assert_eq!(ThresholdFile::decode(&framed(&payload)), Ok(file));
    (zones, payload)
}

#[test]
fn zones_cover_all_that_is_judged_and_are_written_one_way() {
    let (zones, payload) = zones();
    let mask = zones.mask;
    assert_eq!((mask.zone(4, 0), mask.zone(0, 1), mask.zone(3, 2), mask.zone(5, 0)), (2, 0, 1, 0));
    // Columns, rows, bytes, cells (two in a byte), zones, and the first zone's level and factor.
    let written = [5, 3, 8, 0x00, 0x11, 0x02, 0x10, 0x21, 0x00, 0x11, 0x02, 3, 200, 0, 0, 0x80, 0x3f];
    let at = payload.windows(written.len()).position(|bytes| bytes == written).unwrap();
    let damages: [(&str, usize, &[u8]); 14] = [
        ("more cells than written", 0, &[6]),
        ("fewer cells than written", 1, &[2]),
        ("no cells", 0, &[0]),
        ("fewer bytes than cells", 2, &[7]),
        ("more bytes than cells", 2, &[9]),
        ("a cell of a fourth zone", 3, &[0x30]),
        ("a cell after the last", 10, &[0x12]),
        ("a zone without a cell", 3, &[0, 0x11, 0, 0x10, 0x01, 0, 0x11, 0]),
        ("a zone more than written", 11, &[4]),
        ("a zone fewer than written", 11, &[2]),
        ("nine zones", 11, &[9]),
        ("levels not in order", 12, &[99]),
        ("two zones of one level", 12, &[100]),
        ("factor 0", 13, &[0, 0, 0, 0]),
    ];
    for (what, offset, bytes) in damages {
        let mut damaged = payload.clone();
        damaged[at + offset..at + offset + bytes.len()].copy_from_slice(bytes);
        assert_eq!(ThresholdFile::decode(&framed(&damaged)), Err(FormatError::Malformed), "{what}");
    }
    assert_eq!(ZoneMask::new(65, 64, &[0; 65 * 64]), None, "too many cells");
    assert_eq!(ZoneMask::new(4, 4, &[0; 15]), None, "a cell is missing");
    assert_eq!(ZoneMask::new(1, 1, &[16]), None, "more than four bits");
}

/// Every byte of the zones is either refused when it changes, or read as another valid value.
#[test]
fn no_changed_byte_of_zones_is_read_as_something_absurd() {
    let (_, payload) = zones();
    for at in 0..payload.len() {
        for value in 0..=u8::MAX {
            let mut damaged = payload.clone();
            damaged[at] = value;
            if let Ok(read) = ThresholdFile::decode(&framed(&damaged)) {
                assert_eq!(ThresholdFile::decode(&encoded(&read)), Ok(read), "byte {at}: {value}");
            }
        }
    }
}

#[test]
fn short_files_are_told_from_foreign_ones() {
    assert_eq!(ThresholdFile::decode(b""), Err(FormatError::Truncated { expected: HEADER_LEN, found: 0 }));
    assert_eq!(ThresholdFile::decode(b"NMN"), Err(FormatError::Truncated { expected: HEADER_LEN, found: 3 }));
    for foreign in [&b"\x89PNG"[..], b"NMX", b"n", b"\x08\x07\x12\x0apytorch-model"] {
        assert_eq!(ThresholdFile::decode(foreign), Err(FormatError::Magic));
    }
}

#[test]
fn a_length_beyond_any_memory_is_a_truncation() {
    let mut bytes = encoded(&example());
    bytes[6..10].copy_from_slice(&u32::MAX.to_le_bytes());
    assert!(matches!(ThresholdFile::decode(&bytes), Err(FormatError::Truncated { .. })));
}

/// Values that no writer lets through, put into a payload behind the writer's back.
#[test]
fn absurd_values_are_neither_written_nor_read() {
    type Change = fn(&mut ThresholdFile);
    let absurd: &[(&str, Change)] = &[
        ("threshold NaN", |f| f.image_threshold = f32::NAN),
        ("threshold infinite", |f| f.image_threshold = f32::INFINITY),
        ("pixel threshold NaN", |f| f.pixel_threshold = f32::NAN),
        ("tolerance NaN", |f| f.score_tolerance = f32::NAN),
        ("tolerance negative", |f| f.score_tolerance = -0.1),
        ("input of 17 pixels", |f| f.recipe.input.width = 17),
        ("input of 100 pixels", |f| f.recipe.input.height = 100),
        ("input of 32 pixels", |f| f.recipe.input.height = 32),
        ("input of 1056 pixels", |f| f.recipe.input.width = 1056),
        ("no tiles", |f| f.recipe.tiles = Tiles::side_by_side(0, 1)),
        ("17 rows of tiles", |f| f.recipe.tiles.rows = 17),
        ("an overlap of 16 pixels", |f| f.recipe.tiles.overlap = 16),
        ("an overlap of more than half a tile", |f| f.recipe.tiles.overlap = 160),
        ("an overlap of more than the tile", |f| f.recipe.tiles.overlap = 65_504),
        ("an overlap of a single tile", |f| f.recipe.tiles = Tiles { overlap: 32, ..Tiles::ONE }),
        ("product limit NaN", |f| f.product_limit = Some(f32::NAN)),
        ("reference patch without width", |f| {
            f.recipe.reference_patch = Some(patch(Roi { x: 0, y: 0, width: 0, height: 9 }, 9))
        }),
        ("reference patch beyond any frame", |f| {
            f.recipe.reference_patch = Some(patch(Roi { x: u32::MAX, y: 0, width: 1, height: 9 }, 9))
        }),
        ("reference patch without light", |f| {
            f.recipe.reference_patch = Some(patch(Roi { x: 0, y: 0, width: 9, height: 9 }, 0))
        }),
        ("region of interest without width", |f| {
            f.recipe.roi = Some(Roi { x: 0, y: 0, width: 0, height: 9 })
        }),
        ("region of interest without height", |f| {
            f.recipe.roi = Some(Roi { x: 0, y: 0, width: 9, height: 0 })
        }),
        ("region of interest beyond 32 bits", |f| {
            f.recipe.roi = Some(Roi { x: u32::MAX, y: 0, width: 1, height: 1 });
        }),
        ("likeness above 1", |f| {
            f.recipe.alignment = Some(Alignment { least_likeness: 1001, ..alignment() });
        }),
        ("frames without pixels", |f| f.recipe.frames.min = Size { width: 0, height: 1 }),
        ("frames with the minimum above the maximum", |f| f.recipe.frames.max.height = 239),
        ("descriptor's mean NaN", |f| {
            f.image_score =
                ImageScore::Descriptor(Descriptor { mean: [f32::NAN; 8], whitening: [[1.0; 8]; 8] });
        }),
        ("descriptor's weight infinite", |f| {
            let whitening = [[f32::INFINITY; 8]; 8];
            f.image_score = ImageScore::Descriptor(Descriptor { mean: [0.0; 8], whitening });
        }),
        ("a single zone", |f| change_zones(f, |zones| zones.zones.truncate(1))),
        ("a zone painted black", |f| change_zones(f, |zones| zones.zones[2].level = 0)),
        ("a factor below the smallest", |f| change_zones(f, |zones| zones.zones[1].factor = 0.09)),
        ("a factor above the largest", |f| change_zones(f, |zones| zones.zones[1].factor = 10.1)),
        ("a factor NaN", |f| change_zones(f, |zones| zones.zones[1].factor = f32::NAN)),
        ("a zone's centre infinite", |f| {
            change_zones(f, |zones| zones.zones[0].shares[2].centre = f32::NEG_INFINITY);
        }),
        ("a zone's spread 0", |f| change_zones(f, |zones| zones.zones[0].shares[1].spread = 0.0)),
        ("a zone's spread NaN", |f| change_zones(f, |zones| zones.zones[0].shares[1].spread = f32::NAN)),
        ("no normals", |f| f.evidence.normals = 0),
        ("rank 0", |f| f.evidence.rank = 0),
        ("rank above the normals", |f| f.evidence.rank = 300),
        ("target 0", |f| f.evidence.target_fpr = 0.0),
        ("target 1", |f| f.evidence.target_fpr = 1.0),
        ("target NaN", |f| f.evidence.target_fpr = f32::NAN),
        ("quantiles out of order", |f| f.evidence.scores.q25 = 0.0),
        ("quantile NaN", |f| f.evidence.scores.q50 = f32::NAN),
        ("quantile infinite", |f| f.evidence.scores.max = f32::INFINITY),
        ("golden score NaN", |f| f.golden[0].score = f32::NAN),
        ("golden name empty", |f| name(f, "")),
        ("golden name of the folder", |f| name(f, ".")),
        ("golden name of the folder above", |f| name(f, "..")),
        ("golden name with a folder", |f| name(f, "a/b.png")),
        ("golden name that is a path", |f| name(f, "/etc/passwd")),
        ("golden name with a backslash", |f| name(f, r"..\a.png")),
        ("golden name with NUL", |f| name(f, "a\0.png")),
    ];
    for (what, change) in absurd {
        let mut file = example();
        change(&mut file);
        assert_eq!(file.encode(&mut [0; MAX_LEN]), Err(FormatError::Malformed), "{what}");
        let payload = postcard::to_slice(&file, &mut [0; MAX_LEN]).unwrap().to_vec();
        assert_eq!(ThresholdFile::decode(&framed(&payload)), Err(FormatError::Malformed), "{what}");
    }
    let payload = postcard::to_slice(&example(), &mut [0; MAX_LEN]).unwrap().to_vec();
    assert_eq!(ThresholdFile::decode(&framed(&payload)), Ok(example()), "it decodes if unchanged");
}

fn change_zones(file: &mut ThresholdFile, change: fn(&mut Zones)) {
    let (mut zones, _) = zones();
    change(&mut zones);
    file.image_score = ImageScore::Zones(zones);
}

fn name(file: &mut ThresholdFile, name: &str) {
    file.golden[0] = Golden { file: name.try_into().unwrap(), score: 0.25 };
}

/// Bytes that encode no value, in places where the example has valid ones.
#[test]
fn bytes_without_a_meaning_are_malformed() {
    let bytes = encoded(&example());
    let with = |offset: usize, new: &[u8]| {
        let mut payload = bytes[HEADER_LEN..bytes.len() - TRAILER_LEN].to_vec();
        payload[offset - HEADER_LEN..offset - HEADER_LEN + new.len()].copy_from_slice(new);
        ThresholdFile::decode(&framed(&payload))
    };
    // The offsets are those of the example in SPEC.md.
    let cases: &[(&str, usize, &[u8])] = &[
        ("producer longer than its limit", 0x0a, &[33]),
        ("producer longer than the file", 0x0a, &[0xff, 0xff, 0xff, 0xff, 0x0f]),
        ("producer not UTF-8", 0x0b, &[0xff]),
        ("region of interest neither absent nor present", 0x54, &[2]),
        ("colour 2", 0x5e, &[2]),
        ("number of six bytes", 0x50, &[0x80, 0x80, 0x80, 0x80, 0x80, 0x01]),
        ("number above 32 bits", 0x50, &[0xff, 0xff, 0xff, 0xff, 0x7f]),
        ("alignment neither absent nor present", 0x67, &[2]),
        ("ignore mask neither absent nor present", 0x68, &[2]),
        ("reference patch neither absent nor present", 0x69, &[2]),
        ("arithmetic of a third kind", 0x6a, &[2]),
        ("score of a fourth kind", 0x6b, &[3]),
        ("a sample of a third kind", 0x7b, &[2]),
        ("five golden frames", 0xa0, &[5]),
        ("two golden frames declared, one given", 0xa0, &[2]),
        ("product limit neither absent nor present", 0xae, &[2]),
        ("product limit declared but missing", 0xae, &[1]),
    ];
    for (what, offset, new) in cases {
        assert_eq!(with(*offset, new), Err(FormatError::Malformed), "{what}");
    }
    assert_eq!(with(0x0a, &[13]), Ok(example()), "it decodes if unchanged");
}

#[test]
fn every_error_says_what_to_do() {
    let errors = [
        FormatError::Magic,
        FormatError::Version(9),
        FormatError::Truncated { expected: 174, found: 5 },
        FormatError::Trailing { extra: 3 },
        FormatError::Checksum,
        FormatError::Malformed,
        FormatError::Buffer,
    ];
    for error in errors {
        let text = error.to_string();
        assert!(["give", "export", "copy"].iter().any(|verb| text.contains(verb)), "{text}");
    }
    assert!(FormatError::Version(9).to_string().contains('9'));
    assert_eq!(MAGIC, *b"NMNL");
}
