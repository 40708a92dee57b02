//! Level changes of GPIO lines → events.

use std::time::Duration;

use super::{Event, Happening};
use crate::line_file::Gpio;
use crate::moment::{Moment, milliseconds};

/// The product inputs have to be quiet for so long, or for the debounce time where that is longer: their bits never
/// change at the same time, and a number on the way from one to the other is no product.
pub const SELECT_SETTLES: Duration = Duration::from_millis(20);

/// What an input line is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Use {
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
        /// Its place, 0 being the lowest.
        bit: u8,
    },
}

/// Which edges of a line matter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Edges {
    /// From inactive to active.
    Rising,
    /// Both.
    Both,
}

/// An input line and how it is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InputLine {
    /// Its offset on the chip.
    pub line: u32,
    /// Whether low means active.
    pub active_low: bool,
    /// What it is for.
    pub usage: Use,
    /// Which of its edges matter.
    pub edges: Edges,
    /// Shortest time that a level has to last; zero: every edge counts.
    pub debounce: Duration,
    /// Number of its last edge, where there was one.
    last: Option<u32>,
}

/// A level change as the kernel reports it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Edge {
    /// Offset of the line.
    pub line: u32,
    /// Whether it became active.
    pub active: bool,
    /// When.
    pub at: Moment,
    /// Counts the edges of this line from 1, wrapping; 0 where the kernel doesn't count.
    pub number: u32,
}

/// The input lines of a line file, and what became of their edges.
#[derive(Debug)]
pub struct EdgeReader {
    lines: Vec<InputLine>,
    /// The number that the product inputs show, and when they last changed.
    select: u8,
    select_changed: Option<Moment>,
    select_settles: Duration,
    /// The number that was last given out.
    selected: Option<u8>,
    lost_triggers: u64,
    lost_edges: u64,
}

impl EdgeReader {
    /// The inputs of the line file: every one but the encoder is debounced, for its ticks are shorter than any bounce
    /// time.
    #[must_use]
    pub fn new(gpio: &Gpio) -> Self {
        let debounce = milliseconds(gpio.debounce_ms);
        let single = [
            (gpio.trigger, Use::Trigger),
            (gpio.encoder, Use::Encoder),
            (gpio.belt, Use::Belt),
            (gpio.confirm, Use::Confirm),
        ];
        let bits = (0..).zip(&gpio.select).map(|(bit, pin)| (Some(*pin), Use::Select { bit }));
        let lines = single.into_iter().chain(bits).filter_map(|(pin, usage)| {
            let pin = pin?;
            let both = matches!(usage, Use::Belt | Use::Select { .. });
            Some(InputLine {
                line: pin.line,
                active_low: pin.active_low,
                usage,
                edges: if both { Edges::Both } else { Edges::Rising },
                debounce: if usage == Use::Encoder { Duration::ZERO } else { debounce },
                last: None,
            })
        });
        Self {
            lines: lines.collect(),
            select: 0,
            select_changed: None,
            select_settles: debounce.max(SELECT_SETTLES),
            selected: None,
            lost_triggers: 0,
            lost_edges: 0,
        }
    }

    /// The lines to ask the kernel for.
    #[must_use]
    pub fn lines(&self) -> &[InputLine] {
        &self.lines
    }

    /// Takes the levels as they are at the start, by offset of the line, and adds what they say: whether the belt runs
    /// and which product is selected.
    pub fn start(&mut self, now: Moment, level: impl Fn(u32) -> bool, events: &mut Vec<Event>) {
        for line in &self.lines {
            let active = level(line.line);
            match line.usage {
                Use::Belt => {
                    events.push(Event { at: now, what: Happening::Belt { running: active } });
                }
                Use::Select { bit } => self.select = with_bit(self.select, bit, active),
                Use::Trigger | Use::Encoder | Use::Confirm => {}
            }
        }
        if self.lines.iter().any(|line| matches!(line.usage, Use::Select { .. })) {
            self.selected = Some(self.select);
            events.push(Event { at: now, what: Happening::Select(self.select) });
        }
    }

    /// Takes an edge and adds what it means. Edges that the kernel had no room for are noticed by the gap in their
    /// numbers: those of the encoder are added as ticks, others counted.
    pub fn edge(&mut self, edge: Edge, events: &mut Vec<Event>) {
        let Some(line) = self.lines.iter_mut().find(|line| line.line == edge.line) else { return };
        let lost = lost_between(line.last, edge.number);
        line.last = Some(edge.number);
        let at = edge.at;
        let mut add = |what| events.push(Event { at, what });
        match line.usage {
            Use::Encoder => add(Happening::Encoder { ticks: lost.saturating_add(1) }),
            Use::Trigger => {
                self.lost_triggers += u64::from(lost);
                add(Happening::Trigger);
            }
            Use::Belt => add(Happening::Belt { running: edge.active }),
            Use::Confirm => add(Happening::Fell),
            Use::Select { bit } => {
                self.select = with_bit(self.select, bit, edge.active);
                self.select_changed = Some(at);
            }
        }
        if !matches!(line.usage, Use::Encoder | Use::Trigger) {
            self.lost_edges += u64::from(lost);
        }
    }

    /// Adds the product's number once its inputs are quiet.
    pub fn settle(&mut self, now: Moment, events: &mut Vec<Event>) {
        if self.next_wake().is_none_or(|wake| wake > now) {
            return;
        }
        if let Some(at) = self.select_changed.take()
            && self.selected != Some(self.select)
        {
            self.selected = Some(self.select);
            events.push(Event { at, what: Happening::Select(self.select) });
        }
    }

    /// When [`Self::settle`] is due.
    #[must_use]
    pub fn next_wake(&self) -> Option<Moment> {
        self.select_changed.map(|at| at + self.select_settles)
    }

    /// Trigger edges that the kernel had no room for: parts that went by unseen.
    #[must_use]
    pub const fn lost_triggers(&self) -> u64 {
        self.lost_triggers
    }

    /// Edges of belt, confirm and select that the kernel had no room for.
    #[must_use]
    pub const fn lost_edges(&self) -> u64 {
        self.lost_edges
    }
}

/// Edges that are missing between two numbers. The kernel counts from 1.
const fn lost_between(last: Option<u32>, number: u32) -> u32 {
    let before = match last {
        Some(last) => last,
        None => 0,
    };
    // No number, or one that does not grow: nothing can be told.
    match number.wrapping_sub(before) {
        0 => 0,
        _ if number == 0 && before == 0 => 0,
        step if step > u32::MAX / 2 => 0,
        step => step - 1,
    }
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
