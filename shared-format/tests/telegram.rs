//! Telegrams, byte by byte as the specification shows them, and damaged ones.

#![allow(clippy::unwrap_used, reason = "tests say what they expect by unwrapping")]

use proptest::prelude::*;
use shared_format::telegram::{DELIMITER, Decoder, MAX_LEN};
use shared_format::{Disposition, Reason, Telegram, TelegramError, Verdict};

/// Written by hand from SPEC.md, not by this crate.
const EXAMPLE: [u8; 25] = [
    0x05, 0x01, 0x07, 0xd2, 0x09, 0x04, 0x01, 0x01, 0x01, 0x02, 0x01, 0x01, 0x04, 0x60, 0x3f, 0x01, 0x01,
    0x01, 0x06, 0x3f, 0x99, 0x08, 0x7a, 0xd4, 0x00,
];

fn example() -> Telegram {
    Telegram {
        run: 7,
        part: 1234,
        product: 0,
        verdict: Some(Verdict::Reject),
        disposition: Disposition::Reject,
        reason: Reason::Verdict,
        score: Some(0.875),
        threshold: Some(0.5),
    }
}

fn largest() -> Telegram {
    Telegram {
        run: u32::MAX,
        part: u64::MAX,
        product: u16::MAX,
        verdict: Some(Verdict::Fault),
        disposition: Disposition::Reject,
        reason: Reason::Swept,
        score: Some(f32::MAX),
        threshold: Some(f32::MIN),
    }
}

fn encoded(telegram: &Telegram) -> Vec<u8> {
    telegram.encode(&mut [0; MAX_LEN]).unwrap().to_vec()
}

fn decoded(bytes: &[u8]) -> Vec<Result<Telegram, TelegramError>> {
    Decoder::new().extend(bytes).collect()
}

/// Any content, COBS-encoded with a valid checksum.
fn framed(checked: &[u8]) -> Vec<u8> {
    let mut content = checked.to_vec();
    content.extend(crc32fast::hash(checked).to_le_bytes());
    let mut stuffed = vec![0; content.len() + content.len() / 254 + 1];
    let len = cobs::encode(&content, &mut stuffed);
    stuffed.truncate(len);
    stuffed.push(DELIMITER);
    stuffed
}

fn valid() -> impl Strategy<Value = Telegram> {
    let finite = || proptest::option::of(any::<f32>().prop_filter("finite", |x| x.is_finite()));
    let verdict = prop_oneof![
        Just(None),
        Just(Some(Verdict::Pass)),
        Just(Some(Verdict::Reject)),
        Just(Some(Verdict::Fault))
    ];
    let disposition = prop_oneof![Just(Disposition::Pass), Just(Disposition::Reject)];
    let reason = prop_oneof![
        Just(Reason::Verdict),
        Just(Reason::Fault),
        Just(Reason::Missing),
        Just(Reason::Overflow),
        Just(Reason::Held),
        Just(Reason::Challenge),
        Just(Reason::Swept),
        Just(Reason::Missed),
        Just(Reason::TriggerLost),
        Just(Reason::TrackingLost),
        Just(Reason::OtherProduct)
    ];
    (any::<(u32, u64, u16)>(), verdict, disposition, reason, finite(), finite()).prop_map(
        |((run, part, product), verdict, disposition, reason, score, threshold)| Telegram {
            run,
            part,
            product,
            verdict,
            disposition,
            reason,
            score,
            threshold,
        },
    )
}

fn hex(text: &str) -> Vec<u8> {
    text.split_whitespace().map(|byte| u8::from_str_radix(byte, 16).unwrap()).collect()
}

#[test]
fn the_example_is_written_and_read_byte_by_byte() {
    assert_eq!(encoded(&example()), EXAMPLE);
    assert_eq!(decoded(&EXAMPLE), [Ok(example())]);
}

#[test]
fn the_specification_shows_the_example() {
    let text = include_str!("../SPEC.md");
    let block = |name: &str| {
        let start = text.split_once(&format!("```{name}\n")).unwrap().1;
        start.split_once("```").unwrap().0
    };
    let mut content = Vec::new();
    for line in block("telegram").lines() {
        let mut columns = line.split("  ");
        assert_eq!(usize::from_str_radix(columns.next().unwrap(), 16), Ok(content.len()), "{line}");
        content.extend(hex(columns.next().unwrap()));
    }
    let sent = hex(block("sent"));
    assert_eq!(sent, EXAMPLE);
    assert_eq!(framed(&content[..content.len() - 4]), EXAMPLE);
    assert!(text.contains(&format!("{} bytes: part 1234", EXAMPLE.len())));
    assert!(text.contains(&format!("at\nmost {MAX_LEN} bytes long")));
    assert!(text.contains(&format!("At most {} bytes since then", MAX_LEN - 1)));
}

#[test]
fn the_largest_telegram_is_as_long_as_any_may_be() {
    assert_eq!(encoded(&largest()).len(), MAX_LEN);
    assert_eq!(decoded(&encoded(&largest())), [Ok(largest())]);
}

#[test]
fn a_buffer_too_small_is_refused_at_every_length() {
    for telegram in [example(), largest()] {
        let len = encoded(&telegram).len();
        for short in 0..len {
            assert_eq!(telegram.encode(&mut vec![0; short]), Err(TelegramError::Buffer), "{short} bytes");
        }
        assert_eq!(telegram.encode(&mut vec![0xaa; len]).unwrap().len(), len);
    }
}

#[test]
fn scores_that_are_not_finite_are_neither_written_nor_read() {
    for score in [f32::NAN, f32::INFINITY] {
        let telegram = Telegram { score: Some(score), ..example() };
        assert_eq!(telegram.encode(&mut [0; MAX_LEN]), Err(TelegramError::Malformed));
        let payload = postcard::to_slice(&telegram, &mut [0; MAX_LEN]).unwrap().to_vec();
        assert_eq!(decoded(&framed(&[&[1], &payload[..]].concat())), [Err(TelegramError::Malformed)]);
    }
}

#[test]
fn bytes_without_a_meaning_are_malformed_and_other_versions_are_named() {
    let content = [0x01, 0x07, 0x01, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00];
    assert!(decoded(&framed(&content))[0].is_ok());
    let with = |at: usize, byte: u8| {
        let mut content = content;
        content[at] = byte;
        decoded(&framed(&content))
    };
    // Verdict neither absent nor present, disposition 2, reason 11, score and threshold declared but missing.
    for (at, byte) in [(4, 2), (5, 2), (6, 11), (7, 1), (8, 1)] {
        assert_eq!(with(at, byte), [Err(TelegramError::Malformed)], "byte {at}");
    }
    assert_eq!(decoded(&framed(&[&content[..], &[0]].concat())), [Err(TelegramError::Malformed)]);
    assert_eq!(with(0, 2), [Err(TelegramError::Version(2))]);
    assert_eq!(decoded(&framed(&[])), [Err(TelegramError::Framing)]);
}

#[test]
fn silence_is_no_telegram_and_what_never_ends_takes_no_memory() {
    let mut decoder = Decoder::new();
    assert_eq!(decoder.extend(&[0; 100]).count(), 0);
    for _ in 0..1000 {
        assert_eq!(decoder.extend(&[0x55; 1000]).count(), 0);
    }
    assert_eq!(decoder.push(DELIMITER), Some(Err(TelegramError::TooLong)));
    assert_eq!(decoder.extend(&EXAMPLE).collect::<Vec<_>>(), [Ok(example())]);
}

#[test]
fn every_error_says_what_to_do() {
    let errors = [
        TelegramError::TooLong,
        TelegramError::Framing,
        TelegramError::Checksum,
        TelegramError::Version(9),
        TelegramError::Malformed,
        TelegramError::Buffer,
    ];
    for error in errors {
        let text = error.to_string();
        assert!(["give", "check", "wait", "update"].iter().any(|verb| text.contains(verb)), "{text}");
    }
}

proptest! {
    #[test]
    fn what_is_written_is_read_back(telegram in valid()) {
        let bytes = encoded(&telegram);
        prop_assert_eq!(bytes.iter().filter(|byte| **byte == DELIMITER).count(), 1);
        prop_assert_eq!(decoded(&bytes), [Ok(telegram)]);
    }

    #[test]
    fn every_truncation_is_refused(telegram in valid()) {
        let bytes = encoded(&telegram);
        for len in 0..bytes.len() - 1 {
            prop_assert!(Telegram::decode(&bytes[..len]).is_err());
            // The beginning is lost.
            let rest = decoded(&bytes[len + 1..]);
            prop_assert!(rest.iter().all(Result::is_err), "{:?}", rest);
        }
        prop_assert_eq!(Telegram::decode(&bytes[..bytes.len() - 1]), Ok(telegram));
    }

    #[test]
    fn every_changed_byte_is_refused(telegram in valid(), flips in 1u8..) {
        let mut bytes = encoded(&telegram);
        for at in 0..bytes.len() {
            bytes[at] ^= flips;
            let read = decoded(&bytes);
            prop_assert!(read.iter().all(Result::is_err), "byte {}: {:?}", at, read);
            bytes[at] ^= flips;
        }
    }

    /// Whatever is intact between two delimiters is read, no matter what came before.
    #[test]
    fn garbage_between_telegrams_loses_only_what_it_hits(
        telegrams in proptest::collection::vec(valid(), 3),
        garbage in proptest::collection::vec(any::<u8>(), 0..120),
    ) {
        let [first, second, third] = [0, 1, 2].map(|i| encoded(&telegrams[i]));
        let bytes = [&first[..], &garbage, &second, &third].concat();
        let read: Vec<_> = decoded(&bytes).into_iter().filter_map(Result::ok).collect();
        prop_assert_eq!(read.first(), Some(&telegrams[0]));
        prop_assert_eq!(read.last(), Some(&telegrams[2]));
        // The second telegram runs into the garbage before it, unless the garbage ends with a delimiter.
        let spared = garbage.last().is_none_or(|byte| *byte == DELIMITER);
        prop_assert_eq!(read.len(), if spared { 3 } else { 2 });
    }

    #[test]
    fn bytes_one_by_one_or_in_pieces_are_the_same(
        telegrams in proptest::collection::vec(valid(), 1..5),
        size in 1usize..50,
    ) {
        let bytes: Vec<u8> = telegrams.iter().flat_map(encoded).collect();
        let mut decoder = Decoder::new();
        let mut read = Vec::new();
        for piece in bytes.chunks(size) {
            read.extend(decoder.extend(piece).map(Result::unwrap));
        }
        prop_assert_eq!(read, telegrams);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(10_000))]

    /// Neither panics nor invents a telegram, wherever bytes are changed, lost or inserted.
    #[test]
    fn mutated_bytes_are_refused_without_a_panic(
        telegram in valid(),
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0u8..3), 1..8),
    ) {
        let mut bytes = encoded(&telegram);
        for (at, byte, what) in changes {
            if bytes.is_empty() {
                break;
            }
            let at = at.index(bytes.len());
            match what {
                0 => bytes[at] = byte,
                1 => bytes.insert(at, byte),
                _ => drop(bytes.remove(at)),
            }
        }
        for read in decoded(&bytes) {
            prop_assert!(read.is_err() || read == Ok(telegram), "{:?}", read);
        }
    }
}
