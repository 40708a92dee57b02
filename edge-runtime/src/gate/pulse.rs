//! The level of an output that is driven in pulses.

use std::time::Duration;

use crate::clock::Moment;

/// An output with a pulse length. Overlapping pulses merge into one.
#[derive(Debug)]
pub struct Pulse {
    length: Duration,
    until: Option<Moment>,
}

impl Pulse {
    /// Creates an output at rest.
    #[must_use]
    pub const fn new(length: Duration) -> Self {
        Self { length, until: None }
    }

    /// Starts a pulse, or lengthens the current one.
    pub fn start(&mut self, at: Moment) {
        let end = at + self.length;
        self.until = Some(self.until.map_or(end, |until| until.max(end)));
    }

    /// Keeps the output on until `until`.
    pub const fn hold_until(&mut self, until: Moment) {
        self.until = Some(until);
    }

    /// Ends the pulse at once.
    pub const fn end(&mut self) {
        self.until = None;
    }

    /// Returns whether the output is on.
    #[must_use]
    pub const fn is_on(&self) -> bool {
        self.until.is_some()
    }

    /// Returns when the pulse ends, unless lengthened.
    #[must_use]
    pub const fn until(&self) -> Option<Moment> {
        self.until
    }

    /// Returns whether the pulse is over at `now`.
    #[must_use]
    pub fn is_over(&self, now: Moment) -> bool {
        self.until.is_some_and(|until| until <= now)
    }
}
