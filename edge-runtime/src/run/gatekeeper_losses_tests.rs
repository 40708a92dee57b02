//! Inputs that disappear or fall silent, lost messages, and outputs that can't be driven.

use super::*;
use crate::gate::Hold;
use crate::input::EventKind;
use crate::run::mailbox::{Blind, CAPACITY, Message};
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread::JoinHandle;
use std::time::Instant;

use shared_format::Verdict;

use crate::gate::{BeltUnit, GateCounts, GateSettings, Signal};
use crate::line_file::Safe;
use crate::part::{Disposition, Reason};
use crate::testing::outputs::{FailingOutput, ReportSink};

const LONG: Duration = Duration::from_secs(20);
const DISTANCE: u64 = 100;
/// The capacity of the inspector's queue.
const QUEUE: usize = 16;

/// A running gate thread with the gate 100 ticks behind the trigger.
struct TestLine {
    mailbox: Mailbox,
    outputs: FailingOutput,
    shared: Arc<LineState>,
    reports: Receiver<PartReport>,
    thread: JoinHandle<io::Result<()>>,
    _triggered_parts: Receiver<TriggeredPart>,
}

impl TestLine {
    fn start(encoder: EncoderWatchdog, inputs: Option<Box<dyn Inputs>>) -> Self {
        Self::prepared(encoder, inputs, |_| {})
    }

    /// Like `start`, but calls `first` before the thread starts.
    fn prepared(encoder: EncoderWatchdog, inputs: Option<Box<dyn Inputs>>, first: impl Fn(&Mailbox)) -> Self {
        let settings = GateSettings {
            unit: BeltUnit::Ticks,
            distance: DISTANCE,
            // A busy machine may be late by many milliseconds; a part is missed only if it is later than this.
            pulse: Duration::from_millis(100),
            gap: Duration::ZERO,
            safe: Safe::Reject,
            queue: 4096,
            stop_after_rejects: None,
            confirm_within: None,
            strobe: None,
        };
        let waiter = Waiter::new().unwrap();
        let mailbox = Mailbox::new(waiter.waker());
        mailbox.hold(Hold::NotReady, false);
        first(&mailbox);
        let outputs = FailingOutput::new();
        let shared = Arc::new(LineState::new(GateCounts::default(), Moment::now()));
        let (triggered_parts, receiver) = sync_channel(QUEUE);
        let (reports, reported) = sync_channel(8192);
        let reports = ReportSink(move |report: &PartReport| reports.try_send(report.clone()).unwrap());
        let keeper = Gatekeeper {
            gate: Gate::new(settings, GateCounts::default(), Moment::now()),
            outputs: Outputs::new(vec![Arc::new(outputs.clone()), Arc::new(reports)]),
            inputs,
            encoder,
            waiter,
            mailbox: mailbox.clone(),
            triggered_parts,
            shared: Arc::clone(&shared),
            every: None,
            products: vec!["part".into()],
            views: vec![],
            selected_by: vec![],
            run: 1,
            challenge: 0,
        };
        let thread = std::thread::spawn(move || keeper.serve(vec![]));
        Self { mailbox, outputs, shared, reports: reported, thread, _triggered_parts: receiver }
    }

    fn unwatched() -> Self {
        Self::start(EncoderWatchdog::new(None, false), None)
    }

    fn happen(&self, kind: EventKind) {
        self.mailbox.send(message(kind));
    }

    fn pass(&self, part: PartNumber) {
        let (score, threshold, frames) = (Some(0.1), 0.5, 1);
        let verdict = PartVerdict {
            part,
            verdict: Verdict::Pass,
            other_product: false,
            score,
            threshold,
            zone: None,
            view: None,
            frames,
            captured_at: None,
        };
        self.mailbox.send(Message::Verdict(verdict));
    }

    fn report(&self) -> (PartNumber, Disposition, Reason) {
        let release = self.reports.recv_timeout(LONG).unwrap().release;
        (release.part, release.disposition, release.reason)
    }

    fn until(&self, what: &str, reached: impl Fn(&crate::run::line_state::GateState) -> bool) {
        let until = Instant::now() + LONG;
        while !reached(&self.shared.gate()) {
            assert!(Instant::now() < until, "{what}: {:?}", self.shared.gate());
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    fn until_level(&self, signal: Signal, on: bool) {
        self.until("the level", |_| self.outputs.levels.level(signal) == Some(on));
    }

    fn problems(&self) -> String {
        self.shared.problems.sentences().join("; ")
    }

    fn end(self) {
        self.mailbox.stop();
        self.thread.join().unwrap().unwrap();
    }
}

fn message(kind: EventKind) -> Message {
    Message::Event(Event { at: Moment::now(), kind })
}

const WAY: EventKind = EventKind::Encoder { ticks: DISTANCE as u32 };

#[test]
fn a_blind_line_is_held_until_what_passed_unseen_is_behind_the_gate() {
    let line = TestLine::unwatched();
    line.until_level(Signal::Reject, false);
    line.mailbox.blind(Blind::Serial, true);
    line.until("the hold", |gate| gate.alarms.blind);
    line.until_level(Signal::Reject, true);
    line.mailbox.blind(Blind::Serial, false);
    // It sees again, but the belt has not moved.
    line.until("sight", |_| line.problems().contains("unseen parts"));
    line.happen(EventKind::Encoder { ticks: 99 });
    line.happen(EventKind::Trigger);
    line.pass(1);
    line.until("the part", |gate| gate.under_way == 1);
    assert!(line.shared.gate().alarms.blind);
    line.happen(EventKind::Encoder { ticks: 1 });
    line.until("the end of the hold", |gate| !gate.alarms.blind);
    line.until_level(Signal::Reject, false);
    assert_eq!(line.problems(), "");
    // What was triggered since is known.
    line.happen(EventKind::Encoder { ticks: 99 });
    assert_eq!(line.report(), (1, Disposition::Pass, Reason::Verdict));
    line.end();
}

#[test]
fn a_silent_encoder_holds_the_line_and_its_next_tick_loses_the_parts_under_way() {
    let line = TestLine::start(EncoderWatchdog::new(Some(Duration::from_millis(100)), false), None);
    line.happen(EventKind::Encoder { ticks: 5 });
    line.until_level(Signal::Reject, false);
    line.happen(EventKind::Trigger);
    line.pass(1);
    line.until("the hold", |gate| gate.alarms.blind);
    assert!(line.problems().contains("the encoder is silent"), "{}", line.problems());
    line.happen(EventKind::Encoder { ticks: 1 });
    line.until("the end of the hold", |gate| !gate.alarms.blind && gate.alarms.tracking_lost);
    assert_eq!(line.problems(), "1 times the encoder was silent while the belt moved");
    assert_eq!(line.outputs.levels.level(Signal::Reject), Some(true));
    line.happen(WAY);
    assert_eq!(line.report(), (1, Disposition::Reject, Reason::TrackingLost));
    line.end();
}

#[test]
fn a_count_that_jumped_loses_the_parts_under_way_and_no_others() {
    let line = TestLine::unwatched();
    line.happen(EventKind::Trigger);
    line.pass(1);
    line.happen(EventKind::Encoder { ticks: 7 });
    line.happen(EventKind::EncoderJump);
    line.happen(EventKind::Encoder { ticks: 3 });
    line.happen(EventKind::Trigger);
    line.pass(2);
    line.happen(WAY);
    assert_eq!(line.report(), (1, Disposition::Reject, Reason::TrackingLost));
    assert_eq!(line.report().0, 2);
    line.until_level(Signal::Reject, false);
    line.happen(EventKind::Trigger);
    line.pass(3);
    line.happen(WAY);
    assert_eq!(line.report(), (3, Disposition::Pass, Reason::Verdict));
    assert!(line.shared.gate().alarms.tracking_lost);
    assert!(
        line.problems().starts_with("1 encoder counts that ran backwards or jumped"),
        "{}",
        line.problems()
    );
    line.end();
}

#[test]
fn lost_triggers_get_their_numbers_before_the_trigger_that_shows_them() {
    let line = TestLine::unwatched();
    line.happen(EventKind::Trigger);
    line.pass(1);
    line.happen(EventKind::Encoder { ticks: 10 });
    line.happen(EventKind::TriggersLost { parts: 2 });
    line.happen(EventKind::Encoder { ticks: 20 });
    line.happen(EventKind::Trigger);
    line.pass(4);
    line.happen(EventKind::Encoder { ticks: 70 });
    line.happen(EventKind::Encoder { ticks: 30 });
    let told: Vec<_> = (0..4).map(|_| line.report()).collect();
    assert_eq!(told.iter().map(|(part, ..)| *part).collect::<Vec<_>>(), [1, 2, 3, 4]);
    for (_, disposition, reason) in &told[1..3] {
        assert_eq!((*disposition, *reason), (Disposition::Reject, Reason::TriggerLost));
    }
    line.until("the count", |gate| gate.counts.triggers_lost == 2 && gate.counts.triggered == 4);
    assert_eq!(line.problems(), "2 parts whose trigger was lost");
    line.end();
}

#[test]
fn what_a_full_mailbox_loses_is_on_the_safe_side() {
    // A part, as many messages as fit in, and then some that don't.
    let line = TestLine::prepared(EncoderWatchdog::new(None, false), None, |mailbox| {
        mailbox.send(message(EventKind::Trigger));
        (1..CAPACITY).for_each(|_| mailbox.send(message(EventKind::Fell)));
        (0..3).for_each(|_| mailbox.send(message(EventKind::Trigger)));
        mailbox.send(message(EventKind::Encoder { ticks: 5 }));
    });
    line.until("the count", |gate| gate.counts.triggered == 4 && gate.alarms.tracking_lost);
    assert!(line.shared.gate().alarms.triggers_lost);
    line.happen(EventKind::Trigger);
    line.pass(5);
    line.happen(WAY);
    let told: Vec<_> = (0..5).map(|_| line.report()).collect();
    assert_eq!(told.iter().map(|(part, ..)| *part).collect::<Vec<_>>(), [1, 2, 3, 4, 5]);
    assert!(told[..4].iter().all(|(_, way, _)| *way == Disposition::Reject), "{told:?}");
    line.end();
}

#[test]
fn outputs_that_fail_for_a_while_hold_the_line_and_are_then_as_they_should_be() {
    let line = TestLine::unwatched();
    line.until_level(Signal::Reject, false);
    line.until_level(Signal::Fault, false);
    line.outputs.fails.store(true, Ordering::Release);
    line.until("the hold", |gate| gate.alarms.output_failed);
    // A held line sends even a good part to the safe side.
    line.happen(EventKind::Trigger);
    line.pass(1);
    line.happen(WAY);
    assert_eq!(line.report(), (1, Disposition::Reject, Reason::Held));
    let (tried, begun) = (line.shared.problems.output_errors.load(Ordering::Relaxed), Instant::now());
    std::thread::sleep(Duration::from_millis(500));
    let tries = line.shared.problems.output_errors.load(Ordering::Relaxed) - tried;
    let most = begun.elapsed().as_millis() / HEARTBEAT.as_millis() + 2;
    assert!((1..=most).contains(&tries.into()), "{tries} tries in {:?}", begun.elapsed());
    assert!(line.problems().contains("times an output could not be driven"), "{}", line.problems());

    line.outputs.fails.store(false, Ordering::Release);
    line.until("the end of the hold", |gate| !gate.alarms.output_failed);
    line.until_level(Signal::Reject, false);
    line.until_level(Signal::Fault, false);
    // As soon as they could be driven, the outputs showed the hold.
    let changes = line.outputs.levels.changes();
    let held = changes.iter().rposition(|change| change.signal == Signal::Fault && change.on).unwrap();
    assert!(changes[held..].iter().any(|change| change.signal == Signal::Fault && !change.on));
    line.happen(EventKind::Trigger);
    line.pass(2);
    line.happen(WAY);
    assert_eq!(line.report(), (2, Disposition::Pass, Reason::Verdict));
    line.end();
}

#[test]
fn a_safe_state_that_fails_at_first_is_tried_again_at_the_end() {
    let line = TestLine::unwatched();
    line.until_level(Signal::Reject, false);
    line.outputs.safe_state_failures.store(3, Ordering::Release);
    let outputs = line.outputs.clone();
    line.end();
    assert_eq!(outputs.levels.level(Signal::Reject), Some(true));
}

/// Inputs that fail at the second read and have lost edges before.
struct Gone(std::io::PipeReader, u32);

impl Inputs for Gone {
    fn fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }

    fn read(&mut self, _: &mut Vec<Event>) -> io::Result<()> {
        self.1 += 1;
        if self.1 > 1 { Err(io::Error::other("unplugged")) } else { Ok(()) }
    }

    fn next_wake(&self) -> Option<Moment> {
        None
    }

    fn lost_edges(&self) -> u64 {
        7
    }
}

#[test]
fn inputs_that_are_gone_hold_the_line_and_are_told_with_the_edges_they_lost() {
    let (reader, _writer) = io::pipe().unwrap();
    let line = TestLine::start(EncoderWatchdog::new(None, false), Some(Box::new(Gone(reader, 0))));
    line.until("the hold", |gate| gate.alarms.blind);
    let told = line.problems();
    assert!(told.contains("7 edges on belt") && told.contains("the GPIO inputs are gone"), "{told}");
    line.end();
}

#[test]
fn a_part_that_finds_the_inspectors_queue_full_is_told() {
    let line = TestLine::unwatched();
    (0..QUEUE + 1).for_each(|_| line.happen(EventKind::Trigger));
    line.until("the parts", |gate| gate.counts.triggered > QUEUE as u64);
    assert_eq!(line.problems(), "1 parts not inspected: the inspector's queue was full");
    line.end();
}
