//! The gate thread: takes in events and verdicts, and puts out levels and reports when they are due.

#[path = "gatekeeper_intake.rs"]
mod intake;

use std::io;
use std::panic::resume_unwind;
use std::sync::Arc;
use std::sync::mpsc::SyncSender;
use std::time::Duration;

use super::line_state::LineState;
use super::mailbox::{LostMessages, Mailbox};
use super::problems::add;
use super::unseen_parts::UnseenParts;
use crate::clock::{Moment, nanoseconds};
use crate::gate::{Action, Gate};
use crate::health::TimedStage;
use crate::input::encoder_watchdog::EncoderWatchdog;
use crate::input::{Event, Inputs};
use crate::log::panics;
use crate::output::Outputs;
use crate::part::{PartNumber, PartVerdict, Release};
use crate::realtime::Waiter;
use crate::report::PartReport;

/// Half a period of the heartbeat. A monitor may treat two missing edges as silence, and so react within 200 ms.
pub const HEARTBEAT: Duration = Duration::from_millis(50);

/// A triggered part, for the inspector.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TriggeredPart {
    /// The part's number.
    pub number: PartNumber,
    /// The index of its product in the line file.
    pub product: u16,
    /// When the part was triggered.
    pub triggered_at: Moment,
}

/// The gate thread's resources.
pub struct Gatekeeper {
    /// The gate, held as not ready.
    pub gate: Gate,
    /// The outputs, in their safe state: they are driven, and get each part's report.
    pub outputs: Outputs,
    /// The inputs, if there are any.
    pub inputs: Option<Box<dyn Inputs>>,
    /// Detects a silent encoder.
    pub encoder: EncoderWatchdog,
    /// Waits for deadlines, inputs and messages.
    pub waiter: Waiter,
    /// Messages from the other threads.
    pub mailbox: Mailbox,
    /// Parts for the inspector; if the channel is full, the part goes without a verdict.
    pub triggered_parts: SyncSender<TriggeredPart>,
    /// Shared with the other threads.
    pub shared: Arc<LineState>,
    /// The time between parts, if they are triggered by time.
    pub every: Option<Duration>,
    /// The names of the products, in the order of the line file.
    pub products: Vec<Arc<str>>,
    /// The names of the views, in the order of the line file; none on a line with one camera.
    pub views: Vec<Arc<str>>,
    /// The index of the product for each number on the product inputs.
    pub selected_by: Vec<(u8, u16)>,
    /// The number of this run.
    pub run: u32,
    /// The number of known-bad parts in a challenge.
    pub challenge: u16,
}

/// The gatekeeper's state while it serves the gate.
struct GateLoop {
    keeper: Gatekeeper,
    part: PartNumber,
    product: u16,
    next_part: Option<Moment>,
    next_beat: Moment,
    beat: bool,
    events: Vec<Event>,
    actions: Vec<Action>,
    unpublished: bool,
    /// Whether the inputs have disappeared.
    inputs_lost: bool,
    unseen_parts: UnseenParts,
    /// Losses of the mailbox that the gate has already accounted for.
    lost: LostMessages,
}

impl Gatekeeper {
    /// Serves the gate until it is told to stop, and leaves the outputs in their safe state. After a panic it does so too,
    /// and then resumes the panic.
    ///
    /// # Errors
    /// The system's error if waiting fails; the safe state is driven in that case, too.
    pub fn serve(self, first_events: Vec<Event>) -> io::Result<()> {
        let mut gate_loop = self.into_loop(Moment::now(), first_events);
        let result = panics::catch(|| gate_loop.run());
        // First, whatever has happened.
        let safe = gate_loop.keeper.outputs.safe_state();
        match result {
            Ok(result) => {
                gate_loop.close();
                result.and(safe)
            }
            Err(panic) => {
                match safe {
                    Ok(()) => tracing::error!("the gate thread panicked, the outputs are safe: {panic}"),
                    Err(e) => {
                        tracing::error!(
                            "the gate thread panicked, the outputs can't be driven ({e}): {panic}"
                        );
                    }
                }
                resume_unwind(panic.payload)
            }
        }
    }

    fn into_loop(self, now: Moment, first_events: Vec<Event>) -> GateLoop {
        let settings = self.gate.settings();
        let unseen_parts = UnseenParts::new(settings.unit, settings.distance);
        GateLoop {
            part: 0,
            product: 0,
            next_part: self.every.map(|every| now + every),
            next_beat: now,
            beat: false,
            events: first_events,
            actions: Vec::with_capacity(256),
            unpublished: true,
            inputs_lost: false,
            unseen_parts,
            lost: LostMessages::default(),
            keeper: self,
        }
    }
}

impl GateLoop {
    fn run(&mut self) -> io::Result<()> {
        loop {
            self.take_events();
            self.take_messages();
            if self.keeper.mailbox.is_stopped() {
                return Ok(());
            }
            let now = Moment::now();
            self.hold(now);
            self.keeper.shared.gate_round.begin(now);
            self.trigger_by_time(now);
            self.poll(now);
            self.heartbeat(now);
            if self.unpublished {
                self.unpublished = !self.keeper.shared.publish(&self.keeper.gate);
            }
            self.wait()?;
        }
    }

    /// Reports the parts still under way and publishes the final state.
    fn close(&mut self) {
        let mut actions = std::mem::take(&mut self.actions);
        loop {
            actions.clear();
            self.keeper.gate.close(Moment::now(), &mut actions);
            for action in &actions {
                if let Action::Released(release) = action {
                    self.report(*release);
                }
            }
            if self.keeper.gate.under_way() == 0 {
                break;
            }
        }
        self.keeper.shared.publish_last(&self.keeper.gate);
    }

    fn wait(&mut self) -> io::Result<()> {
        let keeper = &mut self.keeper;
        let inputs = keeper.inputs.as_ref();
        let wakes = [
            keeper.gate.next_wake(),
            self.next_part,
            Some(self.next_beat),
            self.unseen_parts.next_wake(),
            inputs.and_then(|inputs| inputs.next_wake()),
        ];
        // An output that has just failed must hold the line at once.
        let fails = keeper.outputs.is_failing() && !keeper.gate.alarms().output_failed;
        let deadline = if fails { Some(Moment::now()) } else { wakes.into_iter().flatten().min() };
        let fd = inputs.map(|inputs| inputs.fd());
        keeper.waiter.wait(deadline, fd.as_slice()).map(drop)
    }

    /// Sets the product from the next part on.
    fn set_product(&mut self, product: usize) {
        if let Ok(index) = u16::try_from(product)
            && product < self.keeper.products.len()
        {
            self.product = index;
            self.keeper.shared.set_product(index);
        }
    }

    fn trigger(&mut self, at: Moment) {
        self.part += 1;
        let part = TriggeredPart { number: self.part, product: self.product, triggered_at: at };
        self.keeper.gate.trigger(part.number, part.product, at);
        self.keeper.encoder.trigger(at);
        // If the queue is full, the inspector would be too late for this part anyway.
        if self.keeper.triggered_parts.try_send(part).is_err() {
            add(&self.keeper.shared.problems.queue_full, 1);
        }
        self.unpublished = true;
    }

    fn trigger_by_time(&mut self, now: Moment) {
        let (Some(every), Some(due)) = (self.keeper.every, self.next_part) else { return };
        if due > now {
            return;
        }
        self.trigger(due);
        // After a pause of the whole machine, the overdue parts don't come all at once, but each of them is counted.
        let period = nanoseconds(every).max(1);
        let passed = nanoseconds(now.since(due)) / period;
        let after = |parts: u64| Moment(due.0.saturating_add(period.saturating_mul(parts)));
        let gone = partition(passed, |part| self.keeper.gate.is_past_gate(after(part), now));
        self.lose_triggers(gone, after(gone));
        self.lose_triggers(passed - gone, after(passed));
        self.next_part = Some(after(passed + 1));
    }

    fn verdict(&mut self, verdict: PartVerdict) {
        if let Some(captured_at) = verdict.captured_at {
            self.keeper.shared.latencies.add(TimedStage::CapturedToWritten, Moment::now().since(captured_at));
        }
        self.keeper.gate.verdict(verdict);
    }

    fn poll(&mut self, now: Moment) {
        self.keeper.gate.poll(now, &mut self.actions);
        if self.actions.is_empty() {
            return;
        }
        self.unpublished = true;
        let actions = std::mem::take(&mut self.actions);
        // Levels first: a report must not delay a pulse.
        for action in &actions {
            if let Action::Set(signal, on) = action
                && self.keeper.outputs.set(*signal, *on).is_err()
            {
                add(&self.keeper.shared.problems.output_errors, 1);
            }
        }
        for action in &actions {
            if let Action::Released(release) = action {
                self.report(*release);
            }
        }
        self.actions = actions;
        self.actions.clear();
    }

    fn report(&self, release: Release) {
        let keeper = &self.keeper;
        keeper.shared.set_released(release.part);
        keeper.shared.latencies.add(TimedStage::Lateness, release.lateness);
        let Some(product) = keeper.products.get(usize::from(release.product)) else { return };
        let view = release.verdict.and_then(|verdict| verdict.view);
        let view = view.and_then(|view| keeper.views.get(usize::from(view))).map(Arc::clone);
        let report = PartReport { run: keeper.run, product: Arc::clone(product), view, release };
        keeper.outputs.deliver(&report);
    }

    fn heartbeat(&mut self, now: Moment) {
        if now < self.next_beat {
            return;
        }
        self.beat = !self.beat;
        // Failed outputs are retried here, which limits the rate of retries.
        let driven = self.keeper.outputs.heartbeat(self.beat);
        if driven.and_then(|()| self.keeper.outputs.retry()).is_err() {
            add(&self.keeper.shared.problems.output_errors, 1);
        }
        let next = self.next_beat + HEARTBEAT;
        self.next_beat = if next <= now { now + HEARTBEAT } else { next };
    }
}

/// Returns how many of the numbers 1 to `last` satisfy `holds`, which must be true up to some number and false beyond.
fn partition(last: u64, holds: impl Fn(u64) -> bool) -> u64 {
    let (mut held, mut end) = (0, last);
    while held < end {
        let middle = held + (end - held).div_ceil(2);
        if holds(middle) {
            held = middle;
        } else {
            end = middle - 1;
        }
    }
    held
}

#[cfg(test)]
#[path = "gatekeeper_losses_tests.rs"]
mod losses_tests;
#[cfg(test)]
#[path = "gatekeeper_tests.rs"]
mod tests;
