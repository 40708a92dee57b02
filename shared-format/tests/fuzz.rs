//! Mutated threshold files and telegrams: each is either read or refused, and whatever is read is valid.

#![allow(clippy::unwrap_used, reason = "tests say what they expect by unwrapping")]

#[allow(dead_code, reason = "each test program uses a part of it")]
mod common;

use common::{encoded, example, framed, largest};
use fuzzing::Fuzz;
use shared_format::telegram::{self, Decoder};
use shared_format::threshold_file::{HEADER_LEN, TRAILER_LEN};
use shared_format::{Disposition, Reason, Telegram, ThresholdFile, Verdict};

#[global_allocator]
static MEMORY: fuzzing::Memory = fuzzing::Memory;

/// Extreme numbers, and bytes that are not a number at all.
const NUMBERS: [&[u8]; 5] =
    [b"\xff\xff\xff\xff\x0f", b"\0\0\xc0\x7f", b"\0\0\x80\xff", b"\x80\x80\x80\x80\x80", b"\0\0\0\0"];

fn is_read(bytes: &[u8]) -> bool {
    match ThresholdFile::decode(bytes) {
        Ok(read) => {
            assert_eq!(ThresholdFile::decode(&encoded(&read)), Ok(read));
            true
        }
        Err(error) => {
            assert!(!error.to_string().is_empty());
            false
        }
    }
}

#[test]
fn threshold_files() {
    let valid = [encoded(&example()), encoded(&largest())];
    let stats = Fuzz::new("threshold_files", 5_000).memory_mib(1).dictionary(&NUMBERS).run(&valid, |bytes| {
        // A mutation rarely leaves the checksum right, so the payload is also tried with a correct one.
        let payload = bytes.get(HEADER_LEN..bytes.len().saturating_sub(TRAILER_LEN)).unwrap_or_default();
        is_read(bytes) | is_read(&framed(payload))
    });
    let refused = stats.inputs - stats.accepted;
    assert!(stats.accepted > stats.inputs / 50 && refused > stats.inputs / 4, "{stats:?}");
}

#[test]
fn telegrams() {
    let telegram = Telegram {
        run: 7,
        part: 1234,
        product: 0,
        verdict: Some(Verdict::Reject),
        disposition: Disposition::Reject,
        reason: Reason::Verdict,
        score: Some(0.875),
        threshold: Some(0.5),
    };
    let one = telegram.encode(&mut [0; telegram::MAX_LEN]).unwrap().to_vec();
    let valid = [one.clone(), one.repeat(3)];
    let stats = Fuzz::new("telegrams", 20_000).memory_mib(1).dictionary(&NUMBERS).run(&valid, |bytes| {
        let mut decoder = Decoder::new();
        let read: Vec<_> = decoder.extend(bytes).collect();
        for found in &read {
            assert!(found.is_err() || *found == Ok(telegram), "{found:?}");
        }
        read.contains(&Ok(telegram))
    });
    assert!(stats.accepted > stats.inputs / 20 && stats.accepted < stats.inputs, "{stats:?}");
}
