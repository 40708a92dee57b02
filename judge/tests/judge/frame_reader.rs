//! What is read of a frame: the same pixels as in the whole frame, of any area and any kind of file.

use fuzzing::Rng;
use jpeg_encoder::{ColorType, Encoder, SamplingFactor};
use judge::{
    DecodeError, Fault, Frame, FrameArea, FrameReader, Judge, Pixels, Preparer, Recipe, Roi, Size, decode,
    encode_png,
};
use shared_format::{FrameRange, ReferencePatch};
use support::{PLAIN, jpeg, jpeg_of, recipe, size, write_thresholds, write_usual_bundle};

use crate::support;

const ANY: Size = Size { width: u32::MAX, height: u32::MAX };
const SAMPLINGS: [SamplingFactor; 8] = [
    SamplingFactor::F_1_1,
    SamplingFactor::F_2_1,
    SamplingFactor::F_1_2,
    SamplingFactor::F_2_2,
    SamplingFactor::F_4_1,
    SamplingFactor::F_4_2,
    SamplingFactor::F_1_4,
    SamplingFactor::F_2_4,
];

/// Encodes a picture of shades and noise, of a random kind.
fn some_jpeg(rng: &mut Rng, width: usize, height: usize) -> Vec<u8> {
    let colour = if rng.percent(20) { ColorType::Luma } else { ColorType::Rgb };
    let channels = if colour == ColorType::Luma { 1 } else { 3 };
    let values: Vec<u8> = (0..width * height * channels)
        .map(|i| (i / channels % width * 3 + i % channels * 50 + rng.below(60)) as u8)
        .collect();
    let mut bytes = vec![];
    let mut encoder = Encoder::new(&mut bytes, rng.choose(&[30, 75, 95]));
    encoder.set_sampling_factor(rng.choose(&SAMPLINGS));
    encoder.set_progressive(rng.percent(25));
    if rng.percent(40) {
        encoder.set_restart_interval(rng.between(1, 9) as u16);
    }
    encoder.encode(&values, width as u16, height as u16, colour).unwrap();
    bytes
}

fn values(frame: &Frame) -> (usize, &[u8]) {
    match frame.pixels() {
        Pixels::Grey8(values) => (1, values),
        Pixels::Rgb8(values) => (3, values),
        other => panic!("{other:?}"),
    }
}

/// Returns the pixels of a region.
fn cut(frame: &Frame, roi: Roi) -> Vec<u8> {
    let (channels, values) = values(frame);
    let row = |y: u32| channels * (y * frame.size().width + roi.x) as usize;
    (roi.y..roi.y + roi.height)
        .flat_map(|y| &values[row(y)..][..channels * roi.width as usize])
        .copied()
        .collect()
}

fn with_roi(roi: Option<Roi>) -> Recipe {
    Recipe { roi, frames: FrameRange { min: size(1, 1), max: ANY }, ..recipe() }
}

/// Reads a frame, or an area of it.
fn read(reader: &mut FrameReader, bytes: &[u8], roi: Option<Roi>) -> Result<Frame, DecodeError> {
    reader.read(bytes, ANY, &with_roi(roi), |area| area.to_frame().unwrap())
}

#[test]
fn every_area_has_the_pixels_of_the_whole_frame() {
    let mut rng = Rng::default();
    let mut reader = FrameReader::default();
    for round in 0..400 {
        let (width, height) = (rng.between(1, 90), rng.between(1, 90));
        let bytes = some_jpeg(&mut rng, width, height);
        let (x, y) = (rng.below(width), rng.below(height));
        let (w, h) = (rng.between(1, width - x), rng.between(1, height - y));
        let [x, y, width, height] = [x, y, w, h].map(|side| side as u32);
        let roi = Roi { x, y, width, height };
        let whole = decode(&bytes).unwrap();
        let found = reader.read(&bytes, ANY, &with_roi(Some(roi)), |area| {
            assert_eq!(area.frame_size(), whole.size());
            assert_eq!(area.locate(roi), Some(Roi { x: 0, y: 0, ..roi }), "more than needed was decoded");
            area.to_frame().unwrap()
        });
        let of = whole.size();
        assert_eq!(values(&found.unwrap()).1, cut(&whole, roi), "round {round}: {roi:?} of {of:?}");
        assert_eq!(read(&mut reader, &bytes, None).unwrap(), whole, "round {round}");
    }
}

#[test]
fn an_area_is_prepared_to_the_same_values_as_the_whole_frame() {
    let bytes = jpeg(90, 80, support::JpegKind { subsampled: true, ..PLAIN });
    let whole = decode(&bytes).unwrap();
    let roi = Roi { x: 21, y: 13, width: 50, height: 41 };
    let patch = ReferencePatch { area: Roi { x: 3, y: 60, width: 9, height: 9 }, mean: [25_000; 3] };
    for reference_patch in [None, Some(patch)] {
        let recipe = Recipe { reference_patch, ..with_roi(Some(roi)) };
        let mut reader = FrameReader::default();
        let prepared = |area: FrameArea<'_>| {
            let mut input = vec![];
            Preparer::new(recipe).prepare(area, &mut input).unwrap();
            input
        };
        let expected = prepared((&whole).into());
        for bytes in [bytes.clone(), encode_png(&whole).unwrap()] {
            assert_eq!(reader.read(&bytes, ANY, &recipe, prepared).unwrap(), expected);
        }
    }
}

#[test]
fn nothing_of_a_frame_is_left_in_the_next_one() {
    let kind = |grey| support::JpegKind { grey, subsampled: true, ..PLAIN };
    let frames = [(90, 70, false), (40, 90, true), (90, 70, true), (17, 5, false), (64, 64, false)];
    let frames = frames.map(|(width, height, grey)| jpeg(width, height, kind(grey)));
    let mut reader = FrameReader::default();
    for next in frames.iter().cycle().take(12) {
        let damaged = &next[..next.len() - 9];
        assert!(read(&mut reader, damaged, None).is_err());
        assert_eq!(read(&mut reader, next, None).unwrap(), decode(next).unwrap());
    }
    // Tables that the last file defined are not this one's.
    let whole = jpeg(64, 48, PLAIN);
    let mut bare = whole.clone();
    while let Some(at) = bare.windows(2).position(|w| w == [0xFF, 0xDB]) {
        let length = usize::from(u16::from_be_bytes([bare[at + 2], bare[at + 3]]));
        bare.drain(at..at + 2 + length);
    }
    read(&mut reader, &whole, None).unwrap();
    assert!(read(&mut reader, &bare, None).is_err());
}

#[test]
fn damage_outside_the_area_is_a_fault_as_well() {
    let bytes = jpeg(160, 160, support::JpegKind { restart: 10, ..PLAIN });
    let roi = Some(Roi { x: 0, y: 0, width: 16, height: 16 });
    let mut reader = FrameReader::default();
    assert!(read(&mut reader, &bytes, roi).is_ok());
    // Lost bytes of the last rows, far below the area.
    let marker = bytes.windows(2).rposition(|w| w[0] == 0xFF && matches!(w[1], 0xD0..=0xD7)).unwrap();
    let mut refused = 0;
    for lost in 1..=40 {
        let short = [&bytes[..marker + 12], &bytes[marker + 12 + lost..]].concat();
        let found = read(&mut reader, &short, roi).is_err();
        assert_eq!(found, decode(&short).is_err(), "{lost}");
        refused += usize::from(found);
    }
    // Few bytes are often lost within a block, which nobody can tell.
    assert!(refused > 10, "{refused}");
    assert!(read(&mut reader, &bytes[..bytes.len() - 2], roi).is_err());
    assert!(reader.read(&bytes, size(159, 160), &with_roi(roi), |_| ()).is_err());
}

#[test]
fn a_turned_frame_and_a_region_outside_are_read_as_a_whole() {
    let exif = b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0";
    let values: Vec<u8> = (0..64 * 48 * 3).map(|i| (i * 7 % 251) as u8).collect();
    let turned = jpeg_of(&values, 64, 48, PLAIN, Some(exif));
    let mut reader = FrameReader::default();
    let roi = Some(Roi { x: 4, y: 8, width: 20, height: 30 });
    let found = read(&mut reader, &turned, roi).unwrap();
    assert_eq!(found, decode(&turned).unwrap());
    assert_eq!(found.size(), size(48, 64));
    let outside = Some(Roi { x: 40, y: 8, width: 40, height: 30 });
    let bytes = jpeg(64, 48, PLAIN);
    assert_eq!(read(&mut reader, &bytes, outside).unwrap().size(), size(64, 48));
}

#[test]
fn bytes_are_judged_as_the_decoded_frame_is() {
    let folder = tempfile::tempdir().unwrap();
    let mut file = write_usual_bundle(folder.path());
    file.recipe.roi = Some(Roi { x: 11, y: 9, width: 70, height: 60 });
    write_thresholds(folder.path(), &file);
    let mut judge = Judge::open(folder.path(), 1).unwrap();
    for kind in
        [PLAIN, support::JpegKind { subsampled: true, ..PLAIN }, support::JpegKind { grey: true, ..PLAIN }]
    {
        let bytes = jpeg(100, 90, kind);
        let expected = judge.judge(&decode(&bytes).unwrap());
        let (found, seen) = judge.judge_bytes_within(&bytes, ANY, |area| area.size());
        assert_eq!(seen, Some(size(70, 60)));
        assert_eq!(found.score.map(f32::to_bits), expected.score.map(f32::to_bits));
        assert_eq!((found.map, found.region), (expected.map, expected.region));
    }
    let (judgement, seen) = judge.judge_bytes_within(&jpeg(100, 90, PLAIN), size(99, 90), |_| ());
    assert!(matches!(judgement.fault, Some(Fault::Decode(_))) && seen.is_none());
}
