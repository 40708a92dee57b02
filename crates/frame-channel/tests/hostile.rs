//! A capture process that an attacker has taken over, or that is of another version.
// Clippy's exemptions for tests cover test functions only, not their helpers.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::io::IoSlice;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::time::Duration;

use frame_channel::{
    ChannelError, FrameInfo, FrameReceiver, FrameSender, Greeting, MAX_SLOT_BYTES, Received, Refusal, Sent,
};
use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, ftruncate, memfd_create};
use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags};
use serde_json::{Value, json};

const WAIT: Duration = Duration::from_millis(200);

fn tell(socket: &OwnedFd, bytes: &[u8], file: Option<BorrowedFd<'_>>) {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    let files = file.map(|file| [file]);
    if let Some(files) = &files {
        assert!(control.push(SendAncillaryMessage::ScmRights(files)));
    }
    rustix::net::sendmsg(socket, &[IoSlice::new(bytes)], &mut control, SendFlags::NOSIGNAL).unwrap();
}

fn memory(bytes: u64, seals: SealFlags) -> OwnedFd {
    let fd = memfd_create("test", MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING).unwrap();
    ftruncate(&fd, bytes).unwrap();
    fcntl_add_seals(&fd, seals).unwrap();
    fd
}

fn opened(slots: u64, slot_bytes: u64) -> Vec<u8> {
    let greeting = json!({ "description": "x\ny", "may_repeat": false });
    json!({ "opened": { "greeting": greeting, "slots": slots, "slot_bytes": slot_bytes } })
        .to_string()
        .into_bytes()
}

/// Answers the receiver's request with these bytes and this file.
fn answer(bytes: &[u8], file: Option<&OwnedFd>) -> Result<(FrameReceiver, OwnedFd), ChannelError> {
    let (ours, theirs) = frame_channel::pair().unwrap();
    tell(&theirs, bytes, file.map(|file| file.as_fd()));
    let (receiver, greeting) = FrameReceiver::open(ours, Value::Null, MAX_SLOT_BYTES, WAIT)?;
    assert_eq!(greeting.description, "xy");
    Ok((receiver, theirs))
}

const SEALS: SealFlags = SealFlags::SHRINK.union(SealFlags::GROW);

#[test]
fn memory_that_is_not_as_agreed_is_refused() {
    let right = memory(4 * 108, SEALS);
    assert!(answer(&opened(4, 100), Some(&right)).is_ok());
    let (pipe, _end) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).unwrap();
    let disk: OwnedFd = std::fs::File::open(std::env::current_exe().unwrap()).unwrap().into();
    for (slots, slot_bytes, file) in [
        (4, 101, Some(&right)),
        (5, 100, Some(&right)),
        (0, 100, Some(&right)),
        (4, 0, Some(&right)),
        (4_000_000_000, 100, Some(&right)),
        (4, u64::MAX, Some(&right)),
        (4, 100, Some(&memory(4 * 108, SealFlags::SHRINK))),
        (4, 100, Some(&memory(4 * 108, SealFlags::GROW))),
        (4, 100, Some(&memory(4 * 108, SealFlags::empty()))),
        (4, 100, Some(&pipe)),
        (4, 100, Some(&disk)),
        (4, 100, None),
    ] {
        let error = answer(&opened(slots, slot_bytes), file).unwrap_err();
        assert!(matches!(error, ChannelError::Protocol(_)), "{slots} {slot_bytes} {file:?}: {error}");
    }
}

#[test]
fn messages_that_make_no_sense_are_refused() {
    let file = memory(4 * 108, SEALS);
    let info = json!({
        "sequence": 7, "captured_at": 1, "format": "grey", "width": 1, "height": 1, "damage": null
    });
    let frame = |slot: u64, bytes: u64| {
        json!({ "frame": { "slot": slot, "bytes": bytes, "info": info } }).to_string()
    };
    let long = format!("{{\"warnings\":[\"{}\"]}}", "x".repeat(20_000));
    let deep = "[".repeat(10_000);
    for message in [
        "x",
        "null",
        "{}",
        "\"frame\"",
        "\u{0}",
        &long,
        &deep,
        // Slots hold zeros, and not this frame's number.
        &frame(0, 10),
        &frame(4, 10),
        &frame(u64::from(u32::MAX), 10),
        &frame(u64::MAX, 10),
        &frame(0, 101),
        &frame(0, u64::MAX),
        &frame(0, 10).replace("\"grey\"", "5"),
        &frame(0, 10).replace("7", "-7"),
        &frame(0, 10).replace("7", "1e300"),
        &frame(0, 10).replace("\"width\"", "\"breadth\""),
        std::str::from_utf8(&opened(4, 100)).unwrap(),
    ] {
        let (mut receiver, theirs) = answer(&opened(4, 100), Some(&file)).unwrap();
        tell(&theirs, message.as_bytes(), None);
        let error = receiver.next(WAIT).unwrap_err();
        assert!(matches!(error, ChannelError::Protocol(_)), "{message:.60}: {error}");
        assert!(error.to_string().len() < 400, "{error}");
    }
}

#[test]
fn an_emptied_message_is_an_end_and_silence_a_time_out() {
    let file = memory(4 * 108, SEALS);
    let (mut receiver, theirs) = answer(&opened(4, 100), Some(&file)).unwrap();
    assert!(matches!(receiver.next(WAIT), Err(ChannelError::TimedOut)));
    drop(theirs);
    assert!(matches!(receiver.next(WAIT), Err(ChannelError::Closed)));
    let refusal = json!({ "refused": { "reason": "no camera\n".repeat(1000) } }).to_string();
    let error = answer(refusal.as_bytes(), None).unwrap_err();
    assert!(matches!(&error, ChannelError::Refused(Refusal { reason }) if reason.len() <= 1000), "{error}");
    let (ours, _theirs) = frame_channel::pair().unwrap();
    assert!(matches!(
        FrameReceiver::open(ours, Value::Null, MAX_SLOT_BYTES, WAIT),
        Err(ChannelError::TimedOut)
    ));
}

#[test]
fn damaged_messages_never_panic() {
    let file = memory(4 * 108, SEALS);
    let info =
        json!({ "sequence": 0, "captured_at": 1, "format": "grey", "width": 1, "height": 1, "damage": "x" });
    let valid = json!({ "frame": { "slot": 1, "bytes": 10, "info": info } }).to_string().into_bytes();
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state as usize
    };
    let (mut accepted, mut refused) = (0, 0);
    for _ in 0..3000 {
        let mut bytes = valid.clone();
        for _ in 0..next() % 3 {
            let at = next() % bytes.len();
            match next() % 3 {
                0 => bytes.truncate(at.max(1)),
                1 => bytes[at] = next() as u8,
                _ => bytes.insert(at, b'0' + (next() % 10) as u8),
            }
        }
        let (mut receiver, theirs) = answer(&opened(4, 100), Some(&file)).unwrap();
        tell(&theirs, &bytes, None);
        match receiver.next(WAIT) {
            Ok(_) => accepted += 1,
            Err(ChannelError::Protocol(_)) => refused += 1,
            Err(e) => panic!("{e}"),
        }
    }
    assert!(accepted > 300 && refused > 300, "{accepted} {refused}");
}

fn frame(sequence: u64) -> FrameInfo {
    FrameInfo {
        sequence,
        captured_at: sequence,
        format: "grey".to_owned(),
        width: 4,
        height: 2,
        damage: None,
    }
}

fn sender() -> (FrameSender, FrameReceiver) {
    let (ours, theirs) = frame_channel::pair().unwrap();
    let receiver = std::thread::spawn(|| {
        FrameReceiver::open(ours, json!("this one"), MAX_SLOT_BYTES, 20 * WAIT).unwrap().0
    });
    assert_eq!(frame_channel::request(&theirs, 20 * WAIT).unwrap(), json!("this one"));
    let greeting = Greeting { description: "a test".to_owned(), may_repeat: true };
    let sender = FrameSender::new(theirs, greeting, 8).unwrap();
    (sender, receiver.join().unwrap())
}

#[test]
fn a_number_that_does_not_increase_is_refused() {
    for second in [5, 4, 0] {
        let (mut sender, mut receiver) = sender();
        sender.send(frame(5), &[1; 8]).unwrap();
        sender.send(frame(second), &[2; 8]).unwrap();
        assert_eq!(receiver.next(WAIT).unwrap(), Received::Frame(frame(5), vec![1; 8]));
        assert!(matches!(receiver.next(WAIT), Err(ChannelError::Protocol(_))), "{second}");
    }
}

#[test]
fn what_was_sent_before_the_end_arrives_though_answers_to_it_do_not() {
    let (mut sender, mut receiver) = sender();
    for sequence in 0..3 {
        sender.send(frame(sequence), &[7; 8]).unwrap();
    }
    // Its answer stays unread.
    assert_eq!(receiver.next(WAIT).unwrap(), Received::Frame(frame(0), vec![7; 8]));
    sender.end().unwrap();
    for sequence in 1..3 {
        assert_eq!(receiver.next(WAIT).unwrap(), Received::Frame(frame(sequence), vec![7; 8]));
    }
    assert_eq!(receiver.next(WAIT).unwrap(), Received::End);
    assert!(matches!(receiver.next(WAIT), Err(ChannelError::Closed)));
}

#[test]
fn frames_that_do_not_fit_are_damaged_and_full_slots_drop() {
    let (mut sender, mut receiver) = sender();
    assert_eq!(sender.send(frame(0), &[0; 9]).unwrap(), Sent::TooLarge);
    let Received::Frame(info, bytes) = receiver.next(WAIT).unwrap() else { panic!() };
    assert!(bytes.is_empty() && info.damage.unwrap().contains("9 bytes"));
    for sequence in 1..=4 {
        assert_eq!(sender.send(frame(sequence), &[3; 8]).unwrap(), Sent::Delivered);
    }
    assert_eq!(sender.send(frame(5), &[3; 8]).unwrap(), Sent::Dropped);
    assert!(matches!(receiver.next(WAIT).unwrap(), Received::Frame(..)));
    assert_eq!(sender.send(frame(6), &[3; 8]).unwrap(), Sent::Delivered);
    drop(receiver);
    assert!(matches!(sender.send(frame(7), &[3; 8]), Err(ChannelError::Closed)));
}
