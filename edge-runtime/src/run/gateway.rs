//! Serves the gateway on the local socket: its commands, and the line's status.

use std::sync::Arc;

use shared_format::gateway::{
    self, ALARMS, Answer, Camera, Command, CommandKind, Decide, Hello, LineMessage, LineStatus, Outcome,
    Problem, Product, STAGES, StageLatency, TaskRequest, cut,
};

use super::decisions::Decisions;
use super::line_state::LineState;
use super::mailbox::{Blind, Mailbox, Message};
use super::snapshots::Snapshots;
use super::tasks::Tasks;
use crate::capture::CameraState;
use crate::clock::Moment;
use crate::gate::Alarms;
use crate::health::machine::rss_mib;
use crate::health::{self, TimedStage};
use crate::input::gateway::GatewayCommands;
use crate::input::serial::CommandCounts;
use crate::line_file::LineFile;
use crate::link::Links;
use crate::link::socket::{SocketLink, SocketReceiver};

// The numbers in the messages are those of the line's own lists.
const _: () = assert!(STAGES.len() == TimedStage::ALL.len());

/// The line's end of the gateway's socket, if the line file names one.
#[derive(Debug, Clone, Default)]
pub(super) struct GatewayListener {
    link: Option<Arc<SocketLink>>,
    counts: Arc<CommandCounts>,
    /// Whether the line depends on it for triggers or the belt's movement.
    is_needed: bool,
}

/// What is borrowed to listen to the gateway.
pub(super) struct GatewayContext<'l> {
    pub(super) line: &'l LineFile,
    pub(super) mailbox: &'l Mailbox,
    pub(super) snapshots: &'l Arc<Snapshots>,
    pub(super) run: u32,
    /// What carries out tasks; `None` if the line file allows none.
    pub(super) tasks: Option<Tasks>,
}

impl GatewayListener {
    /// Takes the link from a line's links. If the line depends on it, the line is blind until a gateway has subscribed.
    pub(super) fn new(line: &LineFile, links: &Links, mailbox: &Mailbox) -> (Self, GatewayCommands) {
        let is_needed = line.needs_socket();
        mailbox.blind(Blind::Gateway, is_needed);
        let events = mailbox.clone();
        let commands = GatewayCommands::new(line, Box::new(move |event| events.send(Message::Event(event))));
        let link = links.socket().map(Arc::clone);
        (Self { link, counts: commands.counts(), is_needed }, commands)
    }

    /// Starts listening if the line file names a socket.
    pub(super) fn listen(
        &self,
        context: GatewayContext<'_>,
        commands: GatewayCommands,
    ) -> std::io::Result<()> {
        let Some(link) = &self.link else { return Ok(()) };
        let hello = Hello {
            line: cut(&context.line.name),
            version: cut(env!("CARGO_PKG_VERSION")),
            run: context.run,
            products: u16::try_from(context.line.products.len()).unwrap_or(u16::MAX),
            accepts: commands.accepts(),
        };
        let decisions = if context.line.accepts(CommandKind::Decide) {
            Decisions::start(&context.line.records)?
        } else {
            None
        };
        let products = (0..).zip(&context.line.products);
        let products = products.map(|(index, product)| Product { index, name: cut(&product.name) });
        link.listen(Box::new(GatewayServer {
            hello: std::iter::once(LineMessage::Hello(hello))
                .chain(products.map(LineMessage::Product))
                .collect(),
            commands,
            decisions,
            tasks: context.tasks,
            started: Moment::now(),
            snapshots: Arc::clone(context.snapshots),
            mailbox: context.mailbox.clone(),
            is_needed: self.is_needed,
            told: None,
        }))
    }

    /// Ends the socket's thread, which holds a part of everything that it reports on.
    pub(super) fn stop(&self) {
        if let Some(link) = &self.link {
            link.stop();
        }
    }

    /// Describes what is wrong with the gateway, if anything.
    pub(super) fn problems(&self) -> Vec<String> {
        let Some(link) = &self.link else { return vec![] };
        let mut problems = vec![];
        if !link.is_open() {
            problems.push("the gateway's socket can't be made; check the folder of socket.path".to_owned());
        }
        if self.is_needed && !link.counts().connected {
            problems.push("the gateway is not connected, and the line is held; start the gateway".to_owned());
        }
        let counted = [
            (self.counts.refused(), "commands from the gateway refused"),
            (link.garbage(), "messages from the gateway that could not be read"),
        ];
        problems.extend(
            counted
                .into_iter()
                .filter(|(count, _)| *count > 0)
                .map(|(count, text)| format!("{count} {text}")),
        );
        problems
    }

    /// Whether the line depends on the gateway and the socket's thread has ended.
    pub(super) fn is_blind(&self) -> bool {
        self.is_needed && self.link.as_ref().is_some_and(|link| link.has_ended())
    }
}

/// Answers the gateway. All its methods are called on the socket's thread.
struct GatewayServer {
    hello: Vec<LineMessage>,
    commands: GatewayCommands,
    /// What carries out decisions; `None` if the line file doesn't accept them.
    decisions: Option<Decisions>,
    tasks: Option<Tasks>,
    started: Moment,
    snapshots: Arc<Snapshots>,
    mailbox: Mailbox,
    is_needed: bool,
    /// The alarms and the product that were told last.
    told: Option<(Alarms, u16)>,
}

impl GatewayServer {
    fn state(&self) -> &LineState {
        &self.snapshots.shared
    }
}

impl SocketReceiver for GatewayServer {
    fn connected(&mut self, on: bool) {
        self.mailbox.blind(Blind::Gateway, self.is_needed && !on);
    }

    fn execute(&mut self, command: Command, now: Moment) -> Outcome {
        self.commands.execute(command, now)
    }

    fn decide(&mut self, connection: u64, decide: Decide) -> Option<Outcome> {
        match &self.decisions {
            Some(decisions) => decisions.submit(connection, decide),
            None => Some(Outcome::SwitchedOff),
        }
    }

    fn task(&mut self, connection: u64, task: TaskRequest) -> Option<Outcome> {
        match &self.tasks {
            Some(tasks) if task.task.is_accepted(self.commands.accepts()) => tasks.submit(connection, task),
            _ => Some(Outcome::SwitchedOff),
        }
    }

    fn answers(&mut self) -> Vec<(u64, Answer)> {
        let decided = self.decisions.as_ref().map(Decisions::answers).unwrap_or_default();
        let asked = self.tasks.as_ref().map(Tasks::answers).unwrap_or_default();
        [decided, asked].concat()
    }

    fn hello(&mut self) -> Vec<LineMessage> {
        self.hello.clone()
    }

    fn status(&mut self) -> Vec<LineMessage> {
        let snapshot = self.snapshots.take();
        let (gate, product) = (self.state().gate(), self.state().product());
        self.told = Some((gate.alarms, product));
        let count = |count: usize| u16::try_from(count).unwrap_or(u16::MAX);
        // Drift comes first: there are at most a few sentences of it.
        let sentences: Vec<_> = snapshot.drift.iter().chain(&snapshot.problems).collect();
        let problems = u8::try_from(sentences.len()).unwrap_or(u8::MAX);
        let status = LineStatus {
            uptime_s: u32::try_from(Moment::now().since(self.started).as_secs()).unwrap_or(u32::MAX),
            product,
            camera: camera(&self.snapshots.camera_state()),
            alarms: alarm_bits(&gate.alarms),
            under_way: count(gate.under_way),
            challenge_left: gate.challenge_left,
            memory_kib: rss_mib().map_or(0, |mib| (mib * 1024.0) as u32),
            problems,
            counters: counters(&snapshot.counters),
        };
        let latencies = self.state().latencies.percentiles();
        let latencies = latencies.iter().filter_map(latency).map(LineMessage::Latency);
        let problems = (0..problems).zip(sentences);
        let problems = problems.map(|(index, text)| LineMessage::Problem(Problem { index, text: cut(text) }));
        std::iter::once(LineMessage::Status(status)).chain(latencies).chain(problems).collect()
    }

    fn is_urgent(&mut self) -> bool {
        self.told.is_none_or(|told| told != (self.state().gate().alarms, self.state().product()))
    }
}

fn camera(state: &CameraState) -> Camera {
    match state {
        CameraState::Starting => Camera::Starting,
        CameraState::Live => Camera::Live,
        CameraState::Silent => Camera::Silent,
        CameraState::Frozen => Camera::Frozen,
        CameraState::Black => Camera::Black,
        CameraState::BurntOut => Camera::BurntOut,
        CameraState::Lost(_) => Camera::Lost,
        CameraState::Ended => Camera::Ended,
    }
}

/// Returns the alarms as bits, in the order of [`ALARMS`].
fn alarm_bits(alarms: &Alarms) -> u16 {
    let all: [bool; ALARMS.len()] = [
        alarms.not_ready,
        alarms.blind,
        alarms.output_failed,
        alarms.rejects_in_a_row,
        alarms.challenge_missed,
        alarms.unconfirmed,
        alarms.missed,
        alarms.triggers_lost,
        alarms.tracking_lost,
    ];
    all.iter().rev().fold(0, |bits, on| bits << 1 | u16::from(*on))
}

fn latency(of: &health::StageLatency) -> Option<StageLatency> {
    let stage = STAGES.iter().position(|stage| *stage == of.stage)?;
    let in_us = |ms: f64| (ms * 1e3).round() as u32;
    Some(StageLatency {
        stage: u8::try_from(stage).ok()?,
        count: u32::try_from(of.count).unwrap_or(u32::MAX),
        p50_us: in_us(of.ms.p50),
        p99_us: in_us(of.ms.p99),
        max_us: in_us(of.ms.max),
    })
}

fn counters(of: &health::Counters) -> gateway::Counters {
    let health::Counters { gate, camera, .. } = of;
    gateway::Counters {
        triggered: gate.triggered,
        passed: gate.passed,
        rejected: gate.rejected,
        abandoned: gate.abandoned,
        reject_verdicts: gate.reject_verdicts,
        faults: gate.faults,
        missing: gate.missing,
        overflowed: gate.overflowed,
        held: gate.held,
        missed: gate.missed,
        triggers_lost: gate.triggers_lost,
        tracking_lost: gate.tracking_lost,
        challenged: gate.challenged,
        challenges_missed: gate.challenges_missed,
        swept: gate.swept,
        late_verdicts: gate.late_verdicts,
        stray_verdicts: gate.stray_verdicts,
        unconfirmed: gate.unconfirmed,
        unexpected_falls: gate.unexpected_falls,
        stops: gate.stops,
        frames_captured: camera.captured,
        frames_dropped: camera.dropped,
        frames_lost: camera.lost,
        frames_stale: camera.stale,
        camera_reopened: camera.reopened,
        reports_dropped: of.outputs_dropped,
        records_written: of.records.written,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_alarm_has_the_bit_of_its_name() {
        let all = serde_json::to_value(Alarms::default()).unwrap();
        assert_eq!(all.as_object().unwrap().len(), ALARMS.len());
        assert!(ALARMS.iter().all(|name| all.get(*name).is_some()));
        assert_eq!(alarm_bits(&Alarms { not_ready: true, ..Alarms::default() }), 1);
        assert_eq!(alarm_bits(&Alarms { tracking_lost: true, ..Alarms::default() }), 1 << 8);
        let held = Alarms { not_ready: true, blind: true, output_failed: true, ..Alarms::default() };
        assert_eq!(alarm_bits(&held), gateway::HELD);
    }

    #[test]
    fn every_stage_has_a_number() {
        for (stage, name) in TimedStage::ALL.into_iter().zip(STAGES) {
            assert_eq!(stage.as_str(), name);
        }
    }
}
