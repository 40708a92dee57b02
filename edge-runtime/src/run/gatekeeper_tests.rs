use super::*;
use crate::gate::Hold;
use crate::input::EventKind;
use crate::run::mailbox::Message;
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread::JoinHandle;

use shared_format::Verdict;

use crate::gate::{BeltUnit, GateCounts, GateSettings, Signal};
use crate::line_file::Safe;
use crate::part::Disposition;
use crate::testing::outputs::{RecordedLevels, ReportSink};

const DELAY: Duration = Duration::from_millis(60);

/// A running gate thread with access to its mailbox, levels, triggered parts and reports.
struct TestLine {
    mailbox: Mailbox,
    levels: RecordedLevels,
    triggered_parts: Receiver<TriggeredPart>,
    reports: Receiver<PartReport>,
    thread: JoinHandle<io::Result<()>>,
}

/// Returns a gatekeeper, its triggered parts and its reports; delivering a report panics if `fails`.
fn keeper(
    levels: &RecordedLevels,
    every: Option<Duration>,
    fails: bool,
) -> (Gatekeeper, Receiver<TriggeredPart>, Receiver<PartReport>) {
    let settings = GateSettings {
        unit: BeltUnit::Time,
        distance: crate::clock::nanoseconds(DELAY),
        // A busy machine may be late by many milliseconds; a part is missed only if it is later than this.
        pulse: Duration::from_millis(500),
        gap: Duration::ZERO,
        safe: Safe::Reject,
        queue: 16,
        stop_after_rejects: None,
        confirm_within: None,
        strobe: None,
    };
    let waiter = Waiter::new().unwrap();
    let mailbox = Mailbox::new(waiter.waker());
    let (triggered_parts, receiver) = sync_channel(16);
    let (reports, reported) = sync_channel(64);
    let reports = ReportSink(move |report: &PartReport| {
        assert!(!fails, "a sink that fails");
        let _ = reports.try_send(report.clone());
    });
    let keeper = Gatekeeper {
        gate: Gate::new(settings, GateCounts::default(), Moment::now()),
        outputs: Outputs::new(vec![Arc::new(levels.clone()), Arc::new(reports)]),
        inputs: None,
        encoder: EncoderWatchdog::new(None, false),
        waiter,
        mailbox,
        triggered_parts,
        shared: Arc::new(LineState::new(GateCounts::default(), Moment::now())),
        every,
        products: vec!["part".into()],
        views: vec![],
        selected_by: vec![],
        run: 1,
        challenge: 0,
    };
    (keeper, receiver, reported)
}

impl TestLine {
    fn start(every: Option<Duration>, fails: bool) -> Self {
        let levels = RecordedLevels::new(Safe::Reject);
        let (keeper, triggered_parts, reports) = keeper(&levels, every, fails);
        let mailbox = keeper.mailbox.clone();
        let thread = std::thread::spawn(move || keeper.serve(vec![]));
        Self { mailbox, levels, triggered_parts, reports, thread }
    }

    fn trigger(&self) -> TriggeredPart {
        self.mailbox.send(Message::Event(Event { at: Moment::now(), kind: EventKind::Trigger }));
        self.triggered_parts.recv_timeout(Duration::from_secs(10)).unwrap()
    }

    fn verdict(&self, part: PartNumber, verdict: Verdict) {
        let (score, threshold, frames) = (Some(1.0), 0.5, 1);
        let (other_product, zone) = (false, None);
        let verdict = PartVerdict {
            part,
            verdict,
            other_product,
            score,
            threshold,
            zone,
            view: None,
            frames,
            captured_at: None,
        };
        self.mailbox.send(Message::Verdict(verdict));
    }

    fn report(&self) -> Release {
        self.reports.recv_timeout(Duration::from_secs(10)).unwrap().release
    }

    fn is_safe(&self) -> bool {
        [(Signal::Reject, true), (Signal::Pass, false), (Signal::Fault, true)]
            .into_iter()
            .all(|(signal, on)| self.levels.level(signal) == Some(on))
    }
}

#[test]
fn parts_are_served_between_two_safe_states() {
    let line = TestLine::start(None, false);
    assert!(line.is_safe());
    line.mailbox.hold(Hold::NotReady, false);
    for verdict in [Verdict::Pass, Verdict::Reject] {
        let part = line.trigger();
        line.verdict(part.number, verdict);
        let release = line.report();
        assert_eq!(release.part, part.number);
        assert_eq!(release.disposition == Disposition::Pass, verdict == Verdict::Pass);
        // Never early; how late depends on the machine.
        assert!(release.released_at.since(part.triggered_at) >= DELAY);
    }
    assert_eq!(line.levels.level(Signal::Fault), Some(false));
    // Parts under way at the end are reported, too.
    let last = line.trigger();
    line.mailbox.stop();
    line.thread.join().unwrap().unwrap();
    let release = line.reports.try_recv().unwrap().release;
    assert_eq!((release.part, release.disposition), (last.number, Disposition::Reject));
    let levels = &line.levels;
    assert_eq!([Signal::Reject, Signal::Fault].map(|signal| levels.level(signal)), [Some(true); 2]);
    assert!(levels.heartbeats() >= 2);
}

#[test]
fn a_clock_triggers_and_what_nobody_judges_is_rejected() {
    let line = TestLine::start(Some(Duration::from_millis(20)), false);
    line.mailbox.hold(Hold::NotReady, false);
    let parts: Vec<_> = (0..3).map(|_| line.report()).collect();
    assert_eq!(parts.iter().map(|release| release.part).collect::<Vec<_>>(), [1, 2, 3]);
    assert!(parts.iter().all(|release| release.disposition == Disposition::Reject));
    line.mailbox.stop();
    line.thread.join().unwrap().unwrap();
}

#[test]
fn a_panic_leaves_the_outputs_safe() {
    let line = TestLine::start(None, true);
    line.mailbox.hold(Hold::NotReady, false);
    let part = line.trigger();
    line.verdict(part.number, Verdict::Pass);
    let TestLine { thread, levels, .. } = line;
    assert!(thread.join().is_err());
    assert_eq!(levels.level(Signal::Reject), Some(true));
    assert_eq!(levels.level(Signal::Fault), Some(true));
    assert_eq!(levels.level(Signal::Pass), Some(false));
}

#[path = "gatekeeper_clock_tests.rs"]
mod clock;
#[path = "gatekeeper_panic_tests.rs"]
mod panic;
