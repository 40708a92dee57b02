//! Turns level changes of GPIO lines into events.

use std::time::Duration;

use super::debouncer::{Debouncer, LevelChange};
use super::{Event, EventKind};
use crate::clock::{Moment, milliseconds};
use crate::line_file::GpioConfig;

/// How long the product inputs must be quiet, unless the debounce time is longer: their bits never change at exactly the
/// same time, and an intermediate number does not select a product.
pub const SELECT_SETTLE_TIME: Duration = Duration::from_millis(20);

/// Purpose of an input line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InputRole {
    /// A part is in front of the camera.
    Trigger,
    /// The belt has moved by a tick.
    Encoder,
    /// The belt runs.
    Belt,
    /// A rejected part has fallen.
    Confirm,
    /// A bit of the product's number.
    Select {
        /// Index of the bit, 0 being the lowest.
        bit: u8,
    },
}

/// An input line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InputLine {
    /// Its offset on the chip.
    pub line: u32,
    /// Whether low means active.
    pub active_low: bool,
    /// Its purpose.
    pub role: InputRole,
    /// Whether both edges matter. They do if an input is debounced: only the edge in between distinguishes a bounce from a
    /// second part. Otherwise rising edges alone are more reliable, as the kernel reads the level some 0.1 ms after the
    /// edge, when a pulse may already be over.
    pub both_edges: bool,
}

/// A level change as the kernel reports it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Edge {
    /// Offset of the line.
    pub line: u32,
    /// Whether it became active.
    pub active: bool,
    /// When it happened.
    pub at: Moment,
    /// Number of the edge on this line, counted from 1, wrapping; 0 if the kernel doesn't count.
    pub number: u32,
}

#[derive(Debug)]
struct InputState {
    input: InputLine,
    debouncer: Debouncer,
    /// Level and number of its last edge.
    seen: bool,
    number: u32,
}

/// The input lines of a line file, and the state derived from their edges.
#[derive(Debug)]
pub struct EdgeReader {
    lines: Vec<InputState>,
    debounce: Duration,
    /// The number that the product inputs show, and when they last changed.
    select: u8,
    select_changed: Option<Moment>,
    /// The number last reported.
    selected: Option<u8>,
    lost_edges: u64,
}

impl EdgeReader {
    /// Creates a reader for the inputs of the line file.
    #[must_use]
    pub fn new(gpio: &GpioConfig) -> Self {
        let debounce = milliseconds(gpio.debounce_ms);
        let single = [
            (gpio.trigger, InputRole::Trigger),
            (gpio.encoder, InputRole::Encoder),
            (gpio.belt, InputRole::Belt),
            (gpio.confirm, InputRole::Confirm),
        ];
        let bits = (0..).zip(&gpio.select).map(|(bit, pin)| (Some(*pin), InputRole::Select { bit }));
        let lines = single.into_iter().chain(bits).filter_map(|(pin, role)| {
            let pin = pin?;
            // The encoder is never debounced: its ticks are shorter than any bounce.
            let both_edges = match role {
                InputRole::Belt | InputRole::Select { .. } => true,
                InputRole::Trigger | InputRole::Confirm => !debounce.is_zero(),
                InputRole::Encoder => false,
            };
            let input = InputLine { line: pin.line, active_low: pin.active_low, role, both_edges };
            Some(InputState { input, debouncer: Debouncer::new(debounce, false), seen: false, number: 0 })
        });
        Self {
            lines: lines.collect(),
            debounce,
            select: 0,
            select_changed: None,
            selected: None,
            lost_edges: 0,
        }
    }

    /// Returns the lines to request from the kernel.
    pub fn lines(&self) -> impl ExactSizeIterator<Item = InputLine> {
        self.lines.iter().map(|line| line.input)
    }

    /// Takes the levels at the start, by line offset, and appends the events that follow from them: whether the belt runs
    /// and which product is selected.
    pub fn start(&mut self, now: Moment, level: impl Fn(u32) -> bool, events: &mut Vec<Event>) {
        let mut selects = false;
        for line in &mut self.lines {
            let active = level(line.input.line);
            (line.debouncer, line.seen) = (Debouncer::new(self.debounce, active), active);
            match line.input.role {
                InputRole::Belt => events.push(Event { at: now, kind: EventKind::Belt { running: active } }),
                InputRole::Select { bit } => {
                    selects = true;
                    self.select = with_bit(self.select, bit, active);
                }
                InputRole::Trigger | InputRole::Encoder | InputRole::Confirm => {}
            }
        }
        if selects {
            self.selected = Some(self.select);
            events.push(Event { at: now, kind: EventKind::Select(self.select) });
        }
    }

    /// Takes an edge and appends its events. A gap in the numbers shows edges that the kernel had no room for: on the encoder
    /// they are added as ticks, on the trigger they are unseen parts (possibly including bounces), on other inputs they
    /// are counted.
    pub fn edge(&mut self, edge: Edge, events: &mut Vec<Event>) {
        let Some(line) = self.lines.iter_mut().find(|line| line.input.line == edge.line) else { return };
        let InputLine { role, both_edges, .. } = line.input;
        let lost = lost_between(line.number, edge.number);
        let at = edge.at;
        let lost_rises = match (both_edges, line.seen) {
            (false, _) => lost,
            // Levels alternate, so of an odd number of edges, the kind that came first has one more.
            (true, true) => lost / 2,
            (true, false) => lost.div_ceil(2),
        };
        (line.number, line.seen) = (edge.number, edge.active);
        match role {
            InputRole::Encoder => {
                let ticks = lost.saturating_add(1);
                events.push(Event { at, kind: EventKind::Encoder { ticks } });
            }
            InputRole::Trigger if lost_rises > 0 => {
                events.push(Event { at, kind: EventKind::TriggersLost { parts: lost_rises } });
            }
            InputRole::Trigger => {}
            InputRole::Belt | InputRole::Confirm | InputRole::Select { .. } => {
                self.lost_edges += u64::from(lost)
            }
        }
        let changes = if both_edges {
            [line.debouncer.settle(at), line.debouncer.edge(edge.active, at, lost > 0)]
        } else {
            [None, Some(LevelChange { active: true, at })]
        };
        for change in changes.into_iter().flatten() {
            self.changed(role, change, events);
        }
    }

    /// Appends events that follow from the absence of edges: a level that stays, and the product number once its inputs are
    /// quiet.
    pub fn settle(&mut self, now: Moment, events: &mut Vec<Event>) {
        for index in 0..self.lines.len() {
            let Some(line) = self.lines.get_mut(index) else { break };
            let role = line.input.role;
            if let Some(change) = line.debouncer.settle(now) {
                self.changed(role, change, events);
            }
        }
        if self.select_wake().is_some_and(|wake| wake <= now)
            && let Some(at) = self.select_changed.take()
            && self.selected != Some(self.select)
        {
            self.selected = Some(self.select);
            events.push(Event { at, kind: EventKind::Select(self.select) });
        }
    }

    /// Returns when [`Self::settle`] is due.
    #[must_use]
    pub fn next_wake(&self) -> Option<Moment> {
        let debouncers = self.lines.iter().filter_map(|line| line.debouncer.next_wake());
        debouncers.chain(self.select_wake()).min()
    }

    /// Returns the number of edges of belt, confirm and select that the kernel had no room for.
    #[must_use]
    pub const fn lost_edges(&self) -> u64 {
        self.lost_edges
    }

    fn changed(&mut self, role: InputRole, change: LevelChange, events: &mut Vec<Event>) {
        let at = change.at;
        match (role, change.active) {
            (InputRole::Trigger, true) => events.push(Event { at, kind: EventKind::Trigger }),
            (InputRole::Confirm, true) => events.push(Event { at, kind: EventKind::Fell }),
            (InputRole::Belt, running) => events.push(Event { at, kind: EventKind::Belt { running } }),
            (InputRole::Select { bit }, on) => {
                self.select = with_bit(self.select, bit, on);
                self.select_changed = self.select_changed.max(Some(at));
            }
            (InputRole::Trigger | InputRole::Confirm, false) | (InputRole::Encoder, _) => {}
        }
    }

    fn select_wake(&self) -> Option<Moment> {
        self.select_changed.map(|at| at + self.debounce.max(SELECT_SETTLE_TIME))
    }
}

/// Returns the number of edges missing between two edge numbers. The kernel counts from 1; if it doesn't count, or the
/// number does not grow, nothing can be said, and the result is 0.
const fn lost_between(last: u32, number: u32) -> u32 {
    let step = number.wrapping_sub(last);
    if step > u32::MAX / 2 { 0 } else { step.saturating_sub(1) }
}

const fn with_bit(number: u8, bit: u8, on: bool) -> u8 {
    let mask = match 1u8.checked_shl(bit as u32) {
        Some(mask) => mask,
        None => 0,
    };
    if on { number | mask } else { number & !mask }
}

#[cfg(test)]
#[path = "edges_tests.rs"]
mod tests;
