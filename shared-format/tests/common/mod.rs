//! Valid threshold files for tests: the example of SPEC.md, the largest one, arbitrary ones.

use heapless::{String, Vec};
use proptest::prelude::*;
use shared_format::alignment::MAX_CELLS;
use shared_format::threshold_file::{MAX_LEN, VERSION};
use shared_format::zones::{FACTORS, MAX_ZONES};
use shared_format::{
    Alignment, Arithmetic, Colour, DefectKind, Descriptor, Evidence, FrameRange, Golden, IgnoreMask,
    ImageScore, Motion, Recipe, Reference, ReferencePatch, RobustStats, Roi, Sample, ScoreQuantiles, Size,
    TaughtDefects, ThresholdFile, Tiles, Zone, ZoneMask, Zones,
};

/// Encodes, or panics.
pub fn encoded(file: &ThresholdFile) -> std::vec::Vec<u8> {
    file.encode(&mut [0; MAX_LEN]).unwrap().to_vec()
}

/// Wraps a payload in a file with the right length and checksum.
pub fn framed(payload: &[u8]) -> std::vec::Vec<u8> {
    let mut file = [b"NMNL".as_slice(), &VERSION.to_le_bytes()].concat();
    file.extend(u32::try_from(payload.len()).unwrap().to_le_bytes());
    file.extend(payload);
    file.extend(crc32(&file).to_le_bytes());
    file
}

/// Computes the CRC-32 one bit at a time as SPEC.md describes it, as an independent check of the crate's own.
pub fn crc32(bytes: &[u8]) -> u32 {
    let mut crc = u32::MAX;
    for byte in bytes {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = if crc & 1 == 1 { (crc >> 1) ^ 0xEDB8_8320 } else { crc >> 1 };
        }
    }
    !crc
}

/// Returns the example of SPEC.md.
pub fn example() -> ThresholdFile {
    ThresholdFile {
        producer: "nominal 0.1.0".try_into().unwrap(),
        method: "stpm".try_into().unwrap(),
        teacher: "efficientnet-lite0".try_into().unwrap(),
        model_sha256: std::array::from_fn(|i| i as u8),
        recipe: Recipe {
            input: Size { width: 256, height: 256 },
            roi: Some(Roi { x: 10, y: 20, width: 300, height: 200 }),
            tiles: Tiles::side_by_side(2, 1),
            colour: Colour::Grey,
            frames: FrameRange {
                min: Size { width: 320, height: 240 },
                max: Size { width: 640, height: 480 },
            },
            alignment: None,
            ignore: None,
            reference_patch: None,
        },
        arithmetic: Arithmetic::Single,
        image_score: ImageScore::Model,
        image_threshold: 0.5,
        pixel_threshold: 0.75,
        score_tolerance: 1.0 / 1024.0,
        evidence: Evidence {
            normals: 299,
            rank: 2,
            sample: Sample::HeldOut,
            target_fpr: 0.01,
            scores: ScoreQuantiles {
                min: 0.125,
                q05: 0.1875,
                q25: 0.25,
                q50: 0.3125,
                q75: 0.375,
                q95: 0.4375,
                q99: 0.46875,
                max: 0.53125,
            },
        },
        golden: Vec::from_iter([Golden { file: "good.png".try_into().unwrap(), score: 0.25 }]),
        product_limit: None,
        defects: None,
    }
}

/// Returns the value with the longest encoding: full texts and lists, every number as long as it can be.
#[allow(dead_code, reason = "each test program uses its part of this module")]
pub fn largest() -> ThresholdFile {
    let golden = Golden { file: long("g"), score: 1.0 };
    let kind = DefectKind { name: long("k"), taught: u32::MAX, missed: u32::MAX };
    let far = Size { width: u32::MAX, height: u32::MAX };
    ThresholdFile {
        producer: long("p"),
        method: long("m"),
        teacher: long("t"),
        model_sha256: [0xff; 32],
        recipe: Recipe {
            input: Size { width: 1024, height: 1024 },
            roi: Some(Roi { x: 1 << 31, y: 1 << 31, width: 1 << 30, height: 1 << 30 }),
            tiles: Tiles { columns: 16, rows: 16, overlap: 512 },
            colour: Colour::Rgb,
            frames: FrameRange { min: far, max: far },
            alignment: Some(Alignment {
                motion: Motion::Rigid,
                least_likeness: 1000,
                reference: Reference::new(64, 64, &[0xff; MAX_CELLS]).unwrap(),
            }),
            ignore: IgnoreMask::new(64, 64, &std::array::from_fn::<_, MAX_CELLS, _>(|cell| cell > 0)),
            reference_patch: Some(ReferencePatch {
                area: Roi { x: 1 << 31, y: 1 << 31, width: 1 << 30, height: 1 << 30 },
                mean: [u16::MAX; 3],
            }),
        },
        arithmetic: Arithmetic::Single,
        image_score: ImageScore::Zones(Zones {
            mask: ZoneMask::new(64, 64, &std::array::from_fn::<_, MAX_CELLS, _>(|cell| (cell % 8) as u8))
                .unwrap(),
            zones: (0..8).map(|zone| Zone::new(255 - zone, 1.25)).collect(),
        }),
        evidence: Evidence {
            normals: u32::MAX,
            rank: u32::MAX,
            sample: Sample::CrossFitted,
            ..example().evidence
        },
        golden: Vec::from_iter(std::iter::repeat_n(golden, 4)),
        product_limit: Some(1.0),
        defects: Some(TaughtDefects {
            scale: 0.5,
            offset: -1.0,
            target_fnr: Some(0.001),
            kinds: Vec::from_iter(std::iter::repeat_n(kind, 16)),
        }),
        ..example()
    }
}

fn long<const N: usize>(letter: &str) -> String<N> {
    letter.repeat(N).as_str().try_into().unwrap()
}

/// Texts of at most `N` bytes, multi-byte characters included.
fn text<const N: usize>() -> impl Strategy<Value = String<N>> {
    proptest::collection::vec(any::<char>(), 0..=N).prop_map(|characters| {
        let mut text = String::new();
        for character in characters {
            // A character that doesn't fit is left out.
            let _ = text.push(character);
        }
        text
    })
}

fn finite() -> impl Strategy<Value = f32> {
    any::<f32>().prop_filter("finite", |x| x.is_finite())
}

/// Yields every float from `low` to `high`, both positive, alike often.
///
/// The bits of positive floats are in the order of their values. Proptest's own ranges of floats panic now
/// and then in their sampler ("assertion failed: self.low - result < initial.step").
fn between(low: f32, high: f32) -> impl Strategy<Value = f32> {
    (low.to_bits()..=high.to_bits()).prop_map(f32::from_bits)
}

fn size() -> impl Strategy<Value = Size> {
    (1u32.., 1u32..).prop_map(|(width, height)| Size { width, height })
}

fn roi() -> impl Strategy<Value = Roi> {
    (any::<u32>(), any::<u32>(), 1u32.., 1u32..).prop_map(|(x, y, width, height)| Roi {
        x: x.min(u32::MAX - width),
        y: y.min(u32::MAX - height),
        width,
        height,
    })
}

fn reference_patch() -> impl Strategy<Value = ReferencePatch> {
    (roi(), [1u16.., 1u16.., 1u16..]).prop_map(|(area, mean)| ReferencePatch { area, mean })
}

fn recipe() -> impl Strategy<Value = Recipe> {
    let frames = (size(), size()).prop_map(|(a, b)| FrameRange {
        min: Size { width: a.width.min(b.width), height: a.height.min(b.height) },
        max: Size { width: a.width.max(b.width), height: a.height.max(b.height) },
    });
    let colour = prop_oneof![Just(Colour::Rgb), Just(Colour::Grey)];
    let sides = (2u32..=32, 2u32..=32);
    let cut = sides.prop_flat_map(|(width, height)| {
        let input = Size { width: width * 32, height: height * 32 };
        tiles([width, height]).prop_map(move |tiles| (input, tiles))
    });
    let alignment = proptest::option::of(alignment());
    let patch = proptest::option::of(reference_patch());
    (proptest::option::of(roi()), cut, alignment, colour, frames, ignore_mask(), patch).prop_map(
        |(roi, (input, tiles), alignment, colour, frames, ignore, reference_patch)| Recipe {
            input,
            roi,
            tiles,
            colour,
            frames,
            alignment,
            ignore,
            reference_patch,
        },
    )
}

/// Tiles of an input whose sides are these multiples of 32 pixels.
fn tiles([width, height]: [u32; 2]) -> impl Strategy<Value = Tiles> {
    (1u8..=16, 1u8..=16).prop_flat_map(move |(columns, rows)| {
        let most = |tiles: u8, side: u32| if tiles > 1 { side / 2 } else { u32::MAX };
        let most = most(columns, width).min(most(rows, height));
        let most = if most == u32::MAX { 0 } else { most as u16 };
        (0..=most).prop_map(move |steps| Tiles { columns, rows, overlap: 32 * steps })
    })
}

/// `None` if all cells or none would be ignored.
fn ignore_mask() -> impl Strategy<Value = Option<IgnoreMask>> {
    (1u8..=9, 1u8..=9).prop_flat_map(|(columns, rows)| {
        let cells = proptest::collection::vec(any::<bool>(), usize::from(columns) * usize::from(rows));
        cells.prop_map(move |cells| IgnoreMask::new(columns, rows, &cells))
    })
}

/// Only a few cells, because the tests go through every byte.
fn alignment() -> impl Strategy<Value = Alignment> {
    let motion = prop_oneof![Just(Motion::Shift), Just(Motion::Rigid)];
    let sides = (8u8..=10, 8u8..=10);
    let reference = sides.prop_flat_map(|(columns, rows)| {
        let cells = proptest::collection::vec(any::<u8>(), usize::from(columns) * usize::from(rows));
        cells.prop_map(move |cells| Reference::new(columns, rows, &cells).unwrap())
    });
    (motion, 0u16..=1000, reference).prop_map(|(motion, least_likeness, reference)| Alignment {
        motion,
        least_likeness,
        reference,
    })
}

fn evidence() -> impl Strategy<Value = Evidence> {
    let scores = proptest::collection::vec(finite(), 8).prop_map(|mut q| {
        q.sort_by(f32::total_cmp);
        let [min, q05, q25, q50, q75, q95, q99, max] = q[..].try_into().unwrap();
        ScoreQuantiles { min, q05, q25, q50, q75, q95, q99, max }
    });
    let counts = (1u32..).prop_flat_map(|normals| (Just(normals), 1..=normals));
    let sample = prop_oneof![Just(Sample::HeldOut), Just(Sample::CrossFitted)];
    (counts, sample, between(1e-6, 0.999), scores).prop_map(
        |((normals, rank), sample, target_fpr, scores)| Evidence {
            normals,
            rank,
            sample,
            target_fpr,
            scores,
        },
    )
}

fn image_score() -> impl Strategy<Value = ImageScore> {
    let descriptor = proptest::collection::vec(finite(), 72).prop_map(|numbers| Descriptor {
        mean: numbers[..8].try_into().unwrap(),
        whitening: std::array::from_fn(|row| numbers[8 * (row + 1)..8 * (row + 2)].try_into().unwrap()),
    });
    prop_oneof![
        Just(ImageScore::Model),
        descriptor.prop_map(ImageScore::Descriptor),
        zones().prop_map(ImageScore::Zones)
    ]
}

fn zones() -> impl Strategy<Value = Zones> {
    let stats = || {
        (finite(), between(f32::MIN_POSITIVE, f32::MAX))
            .prop_map(|(centre, spread)| RobustStats { centre, spread })
    };
    let zone = (1u8.., between(*FACTORS.start(), *FACTORS.end()), [stats(), stats(), stats()])
        .prop_map(|(level, factor, shares)| Zone { level, factor, shares });
    let zones =
        proptest::collection::vec(zone, 2..=MAX_ZONES).prop_filter_map("levels differ", |mut zones| {
            zones.sort_by_key(|zone| std::cmp::Reverse(zone.level));
            zones.dedup_by_key(|zone| zone.level);
            (zones.len() >= 2).then_some(zones)
        });
    // Only a few cells, of which each zone has at least one.
    (zones, 4u8..=6, 2u8..=3, any::<u8>()).prop_map(|(zones, columns, rows, shuffle)| {
        let count = u8::try_from(zones.len()).unwrap();
        let cells: std::vec::Vec<u8> =
            (0..columns * rows).map(|cell: u8| cell.wrapping_add(shuffle % count) % count).collect();
        Zones { mask: ZoneMask::new(columns, rows, &cells).unwrap(), zones: zones.into_iter().collect() }
    })
}

fn golden() -> impl Strategy<Value = Golden> {
    let name = text::<64>().prop_map(|name| {
        let mut plain: String<64> = name.chars().filter(|c| !['/', '\\', '\0'].contains(c)).collect();
        if matches!(plain.as_str(), "" | "." | "..") {
            plain = "a".try_into().unwrap();
        }
        plain
    });
    (name, finite()).prop_map(|(file, score)| Golden { file, score })
}

fn defects() -> impl Strategy<Value = TaughtDefects> {
    let kind = (text::<32>(), 1u32.., any::<u32>()).prop_map(|(name, taught, missed)| DefectKind {
        name: if name.is_empty() { "a".try_into().unwrap() } else { name },
        taught,
        missed: missed.min(taught),
    });
    let kinds = proptest::collection::vec(kind, 1..=3);
    (between(1e-6, 1e6), finite(), proptest::option::of(between(1e-6, 0.999)), kinds).prop_map(
        |(scale, offset, target_fnr, kinds)| TaughtDefects {
            scale,
            offset,
            target_fnr,
            kinds: kinds.into_iter().collect(),
        },
    )
}

/// Any valid value.
pub fn valid() -> impl Strategy<Value = ThresholdFile> {
    let names = (text(), text(), text(), any::<[u8; 32]>());
    let thresholds = (finite(), finite(), finite());
    let golden = proptest::collection::vec(golden(), 0..=4);
    let limit = proptest::option::of(finite());
    let arithmetic = prop_oneof![Just(Arithmetic::Single), Just(Arithmetic::Half)];
    let last = (limit, proptest::option::of(defects()));
    (names, recipe(), (arithmetic, image_score()), thresholds, evidence(), golden, last).prop_map(
        |(
            names,
            recipe,
            (arithmetic, image_score),
            thresholds,
            evidence,
            golden,
            (product_limit, defects),
        )| {
            ThresholdFile {
                producer: names.0,
                method: names.1,
                teacher: names.2,
                model_sha256: names.3,
                recipe,
                arithmetic,
                image_score,
                image_threshold: thresholds.0,
                pixel_threshold: thresholds.1,
                score_tolerance: thresholds.2.abs(),
                evidence,
                golden: golden.into_iter().collect(),
                product_limit,
                defects,
            }
        },
    )
}
