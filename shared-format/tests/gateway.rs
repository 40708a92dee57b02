//! Messages between line and gateway: pinned bytes, limits, damage.

#![allow(clippy::unwrap_used, reason = "tests say what they expect by unwrapping")]

use shared_format::gateway::{
    ALARMS, Answer, Camera, Command, CommandKind, Counters, Decide, Decision, Decoder, GatewayMessage, Hello,
    LineMessage, LineStatus, MAX_LEN, MAX_NAME, MAX_TEXT, Message, Outcome, PartMessage, Problem, Product,
    STAGES, StageLatency, Task, TaskRequest, cut,
};
use shared_format::{Disposition, Reason, Telegram, TelegramError, Verdict};

fn part() -> PartMessage {
    let telegram = Telegram {
        run: u32::MAX,
        part: u64::MAX,
        product: u16::MAX,
        verdict: Some(Verdict::Fault),
        disposition: Disposition::Reject,
        reason: Reason::TrackingLost,
        score: Some(f32::MAX),
        threshold: Some(f32::MIN),
    };
    PartMessage {
        telegram,
        frames: u16::MAX,
        capture_to_release_us: Some(u32::MAX),
        trigger_to_release_us: u32::MAX,
        lateness_us: u32::MAX,
    }
}

fn counters() -> Counters {
    // postcard reads a struct as the sequence of its fields.
    let bytes = [[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01]; 27].concat();
    let (counters, rest) = postcard::take_from_bytes(&bytes).unwrap();
    assert!(rest.is_empty(), "another number of counters: change MAX_CONTENT_LEN, too");
    counters
}

/// One of each kind, as long as it can be.
fn largest() -> Vec<LineMessage> {
    let name = cut::<MAX_NAME>(&"é".repeat(100));
    assert_eq!(name.len(), MAX_NAME);
    vec![
        LineMessage::Hello(Hello {
            line: name.clone(),
            version: cut("0.1.0-something-long"),
            run: u32::MAX,
            products: u16::MAX,
            accepts: u16::MAX,
        }),
        LineMessage::Product(Product { index: u16::MAX, name }),
        LineMessage::Part(part()),
        LineMessage::Status(LineStatus {
            uptime_s: u32::MAX,
            product: u16::MAX,
            camera: Camera::Ended,
            alarms: u16::MAX,
            under_way: u16::MAX,
            challenge_left: u16::MAX,
            memory_kib: u32::MAX,
            problems: u8::MAX,
            counters: counters(),
        }),
        LineMessage::Latency(StageLatency {
            stage: 6,
            count: u32::MAX,
            p50_us: u32::MAX,
            p99_us: u32::MAX,
            max_us: u32::MAX,
        }),
        LineMessage::Problem(Problem { index: u8::MAX, text: cut::<MAX_TEXT>(&"x".repeat(1000)) }),
        LineMessage::Answer(Answer { number: u32::MAX, outcome: Outcome::Begun }),
    ]
}

fn decoded<M: Message>(bytes: &[u8]) -> Vec<Result<M, TelegramError>> {
    let mut decoder = Decoder::default();
    bytes.iter().filter_map(|byte| decoder.push(*byte)).collect()
}

#[test]
fn the_bytes_are_those_of_the_specification() {
    let message = GatewayMessage::Command { number: 42, command: Command::Product { index: 3 } };
    let mut buffer = [0; MAX_LEN];
    let bytes = message.encode(&mut buffer).unwrap();
    let spec = include_str!("../SPEC.md");
    let sent: Vec<u8> = spec
        .split("```command\n")
        .nth(1)
        .and_then(|text| text.split("```").next())
        .unwrap()
        .split_whitespace()
        .map(|byte| u8::from_str_radix(byte, 16).unwrap())
        .collect();
    assert_eq!(bytes, sent);
    assert_eq!(decoded(bytes), [Ok(message)]);
}

#[test]
fn the_largest_messages_fit_and_are_read_as_written() {
    for message in largest() {
        let mut buffer = [0; MAX_LEN];
        let bytes = message.encode(&mut buffer).unwrap();
        assert_eq!(decoded(bytes), [Ok(message)]);
    }
    let text = cut::<MAX_NAME>(&"é".repeat(100));
    let decide = GatewayMessage::Decide(Decide {
        number: u32::MAX,
        record: text.clone(),
        decision: Decision::Undecided,
        kind: text.clone(),
        by: text,
        replace: true,
    });
    let mut buffer = [0; MAX_LEN];
    let bytes = decide.encode(&mut buffer).unwrap();
    assert_eq!(decoded(bytes), [Ok(decide)]);
    for task in TASKS {
        let by = cut::<MAX_NAME>(&"é".repeat(100));
        let message = GatewayMessage::Task(TaskRequest { number: u32::MAX, product: u16::MAX, by, task });
        let mut buffer = [0; MAX_LEN];
        let bytes = message.encode(&mut buffer).unwrap();
        assert_eq!(decoded(bytes), [Ok(message)]);
    }
}

const TASKS: [Task; 12] = [
    Task::SetThreshold { value: f32::MIN },
    Task::ResetThreshold,
    Task::TryLearning,
    Task::Learn,
    Task::RollBack,
    Task::TakePhotos { parts: u16::MAX },
    Task::LeaveOut { photo: u32::MAX, out: true },
    Task::DiscardPhotos,
    Task::TryTeaching,
    Task::Teach,
    Task::Stop,
    Task::Install,
];

#[test]
fn every_task_has_the_number_of_the_specification_and_needs_its_own_kind() {
    for (number, task) in TASKS.into_iter().enumerate() {
        let mut buffer = [0; 16];
        let bytes = postcard::to_slice(&task, &mut buffer).unwrap();
        assert_eq!(usize::from(bytes[0]), number, "{task:?}");
    }
    let accepted = |accepts: &[CommandKind]| {
        let bits = accepts.iter().fold(0, |bits, kind| bits | kind.bit());
        TASKS.iter().filter(|task| task.is_accepted(bits)).count()
    };
    assert_eq!(accepted(&[CommandKind::Threshold]), 2);
    assert_eq!(accepted(&[CommandKind::Learn]), 4);
    assert_eq!(accepted(&[CommandKind::Teach]), 7);
    assert_eq!(accepted(&[CommandKind::Install]), 3);
    assert_eq!(accepted(&CommandKind::ALL[..6]), 0);
    assert_eq!(accepted(&CommandKind::ALL), TASKS.len());
}

#[test]
fn what_could_not_be_read_back_is_not_written() {
    let mut part = part();
    part.telegram.score = Some(f32::NAN);
    let wrong = [
        LineMessage::Part(part),
        LineMessage::Latency(StageLatency { stage: STAGES.len() as u8, ..StageLatency::default() }),
    ];
    for message in wrong {
        assert_eq!(message.encode(&mut [0; MAX_LEN]), Err(TelegramError::Malformed));
    }
    let none = GatewayMessage::Command { number: 1, command: Command::Trigger { count: 0 } };
    assert_eq!(none.encode(&mut [0; MAX_LEN]), Err(TelegramError::Malformed));
    for value in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        let task = Task::SetThreshold { value };
        let set = GatewayMessage::Task(TaskRequest { number: 1, product: 0, by: cut("anna"), task });
        assert_eq!(set.encode(&mut [0; MAX_LEN]), Err(TelegramError::Malformed));
    }
    assert_eq!(GatewayMessage::Subscribe.encode(&mut [0; 3]), Err(TelegramError::Buffer));
}

#[test]
fn every_flipped_bit_and_every_truncation_is_noticed_and_the_next_message_is_read() {
    let next = LineMessage::Answer(Answer { number: 7, outcome: Outcome::Done });
    let mut buffer = [0; MAX_LEN];
    let next_bytes = next.encode(&mut buffer).unwrap().to_vec();
    for message in largest() {
        let mut buffer = [0; MAX_LEN];
        let bytes = message.encode(&mut buffer).unwrap().to_vec();
        for bit in 0..8 * (bytes.len() - 1) {
            let mut damaged = bytes.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            damaged.extend(&next_bytes);
            let read = decoded::<LineMessage>(&damaged);
            assert!(!read.contains(&Ok(message.clone())), "bit {bit}");
            assert_eq!(read.last(), Some(&Ok(next.clone())), "bit {bit}");
        }
        for length in 1..bytes.len() - 1 {
            let cut = [&bytes[..length], &[0], &next_bytes].concat();
            let read = decoded::<LineMessage>(&cut);
            assert!(read[0].is_err() && read[1] == Ok(next.clone()), "{length} bytes: {read:?}");
        }
    }
    let long = [vec![1; 2 * MAX_LEN], vec![0], next_bytes].concat();
    assert_eq!(decoded::<LineMessage>(&long), [Err(TelegramError::TooLong), Ok(next)]);
}

#[test]
fn names_and_bits_go_together() {
    for (index, kind) in CommandKind::ALL.into_iter().enumerate() {
        assert_eq!(kind.bit(), 1 << index);
    }
    assert_eq!(Command::Acknowledge.kind().as_str(), "acknowledge");
    assert!(ALARMS.len() <= 16);
}
