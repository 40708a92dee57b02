//! The encoded bytes are those of SPEC.md, and stay that way.

#![allow(clippy::unwrap_used, reason = "tests say what they expect by unwrapping")]

mod common;

use common::{crc32, encoded, example, framed, largest, valid};
use proptest::prelude::*;
use shared_format::threshold_file::{HEADER_LEN, MAX_LEN, TRAILER_LEN};
use shared_format::{FormatError, ThresholdFile};

/// Written by hand from SPEC.md, not by this crate.
const EXAMPLE: &[u8] = include_bytes!("data/example.threshold");
/// The same file in version 2.
const VERSION_2: &[u8] = include_bytes!("data/version-2.threshold");

#[test]
fn the_example_file_is_written_and_read_byte_by_byte() {
    assert_eq!(encoded(&example()), EXAMPLE);
    assert_eq!(ThresholdFile::decode(EXAMPLE), Ok(example()));
}

#[test]
fn the_version_before_is_read() {
    assert_eq!(ThresholdFile::decode(VERSION_2), Ok(example()));
    for cut in 0..VERSION_2.len() {
        assert!(ThresholdFile::decode(&VERSION_2[..cut]).is_err(), "{cut} bytes");
    }
}

/// The hexadecimal bytes of the example in SPEC.md; each line is `OFFSET  BYTES  WHAT`.
#[test]
fn the_specification_shows_the_example_file() {
    let text = include_str!("../SPEC.md");
    let listing = text.split_once("```hex\n").unwrap().1.split_once("```").unwrap().0;
    let mut bytes = Vec::new();
    for line in listing.lines() {
        let mut columns = line.split("  ");
        assert_eq!(usize::from_str_radix(columns.next().unwrap(), 16), Ok(bytes.len()), "{line}");
        let hex = columns.next().unwrap();
        bytes.extend(hex.split_whitespace().map(|byte| u8::from_str_radix(byte, 16).unwrap()));
    }
    assert_eq!(bytes, EXAMPLE);
    assert!(text.contains(&format!("{} bytes; also in", EXAMPLE.len())));
    assert!(text.contains(&format!("at\nmost {MAX_LEN} bytes long")));
}

#[test]
fn the_checksum_is_the_one_that_the_specification_names() {
    assert_eq!(crc32(b"123456789"), 0xCBF4_3926);
    let payload = &EXAMPLE[HEADER_LEN..EXAMPLE.len() - TRAILER_LEN];
    assert_eq!(framed(payload), EXAMPLE);
}

#[test]
fn the_largest_file_fits() {
    let bytes = encoded(&largest());
    // Header 10, texts 33 + 33 + 65, SHA-256 32, recipe 4 + 21 + 4 + 1 + 20, alignment 1 + 1 + 2 + 2 + 2 + 4096, ignore 1 + 2 + 2 + 512,
    // reference patch 1 + 20 + 9, arithmetic 1, score 1 + zones 2 + 2 + 2048 + 1 + 8 × 29, thresholds 12, evidence 5 + 5 + 1 + 36, golden
    // 1 + 4 × 69, limit 5, defects 1 + 8 + 5 + 1 + 16 × 43, CRC 4.
    assert_eq!(bytes.len(), 8209);
    assert!(bytes.len() <= MAX_LEN);
    assert_eq!(ThresholdFile::decode(&bytes), Ok(largest()));
}

#[test]
fn a_buffer_too_small_is_refused_at_every_length() {
    let len = EXAMPLE.len();
    for short in 0..len {
        assert_eq!(example().encode(&mut vec![0; short]), Err(FormatError::Buffer), "{short} bytes");
    }
    assert_eq!(example().encode(&mut vec![0xaa; len]), Ok(EXAMPLE));
}

proptest! {
    #[test]
    fn what_is_written_is_read_back(file in valid()) {
        let bytes = encoded(&file);
        prop_assert!(bytes.len() <= encoded(&largest()).len());
        let (checked, crc) = bytes.split_at(bytes.len() - TRAILER_LEN);
        prop_assert_eq!(&crc32(checked).to_le_bytes(), crc);
        prop_assert_eq!(ThresholdFile::decode(&bytes), Ok(file));
    }
}
