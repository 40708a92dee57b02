//! Waiting for the next trigger, without a gate.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::time::Duration;

use shared_format::Roi;

use super::frames::{self, FrameListener};
use crate::clock::{Moment, milliseconds};
use crate::gate::{Alarms, GateCounts};
use crate::input::encoder_count::EncoderCount;
use crate::input::serial::{Handlers, PeerCommands};
use crate::input::{self, Event, EventKind, InputError, Inputs};
use crate::line_file::{LineFile, Trigger};
use crate::link::serial::SerialLink;
use crate::link::{LinkError, Links};
use crate::realtime::Waiter;
use crate::report::text;

/// Maximum number of parts that wait for their photo; with more, the frames would be gone.
const MAX_WAITING: usize = 8;

/// Why no part will ever come.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TriggerError {
    /// The inputs can't be opened.
    #[error(transparent)]
    Inputs(#[from] InputError),
    /// The serial port can't be opened.
    #[error(transparent)]
    Link(#[from] LinkError),
    /// The line file has no input for triggers.
    #[error("the line file has no gpio.trigger; add it with the input's GPIO line")]
    NoInput,
    /// The line file has no serial port.
    #[error("the line file has no [serial] section; add it with the port's device")]
    NoSerial,
    /// The gateway's triggers are for a running line.
    #[error(
        "trigger.kind = \"socket\" is for running a line; give another trigger for taking photos, such as interval or presence"
    )]
    Gateway,
    /// The system can't provide the timer and event to wait for.
    #[error("cannot wait for events; raise the limit on open files")]
    Waiter(#[source] std::io::Error),
    /// The inputs can no longer be read.
    #[error("cannot read the GPIO inputs; check gpio.chip")]
    Read(#[source] std::io::Error),
    /// The system can no longer wait for the inputs.
    #[error("cannot wait for the GPIO inputs")]
    Wait(#[source] std::io::Error),
    /// The system can't start a thread for the serial port.
    #[error("cannot start the serial port's thread; raise the limit on threads")]
    Thread(#[source] std::io::Error),
}

/// A source of triggers.
pub trait TriggerSource {
    /// Waits up to `timeout` for the next part and returns the time of its trigger; `None` if no part came.
    ///
    /// # Errors
    /// If no part will ever come.
    fn next(&mut self, timeout: Duration) -> Result<Option<Moment>, TriggerError>;
}

/// Returns the triggers that a line file names, and the listener that must get the frames. Presence is looked for
/// within the region, or in the whole frame.
///
/// # Errors
/// If their device can't be opened.
pub fn open(
    line: &LineFile,
    region: Option<Roi>,
) -> Result<(Box<dyn TriggerSource>, FrameListener), TriggerError> {
    let (parts, on_event) = event_channel();
    let triggers: Box<dyn TriggerSource> = match &line.trigger {
        Trigger::Interval { every_ms } => {
            Box::new(IntervalTrigger { every: milliseconds(*every_ms), due: Moment::now() })
        }
        Trigger::Frame | Trigger::Presence { .. } => Box::new(parts),
        Trigger::Gpio { .. } => Box::new(GpioTrigger::open(line)?),
        Trigger::Serial { .. } => {
            let links = Links::of(line)?;
            let link = links.serial().ok_or(TriggerError::NoSerial)?;
            return Ok((Box::new(SerialTrigger::listen(line, link)?), Box::new(|_, _| {})));
        }
        Trigger::Socket { .. } => return Err(TriggerError::Gateway),
    };
    Ok((triggers, frames::listener(&line.trigger, &[region], || 0, on_event)))
}

/// A part at a fixed interval.
struct IntervalTrigger {
    every: Duration,
    due: Moment,
}

impl TriggerSource for IntervalTrigger {
    fn next(&mut self, timeout: Duration) -> Result<Option<Moment>, TriggerError> {
        let now = Moment::now();
        let left = self.due.since(now);
        std::thread::sleep(left.min(timeout));
        if left > timeout {
            return Ok(None);
        }
        let at = self.due.max(now);
        self.due = at + self.every;
        Ok(Some(at))
    }
}

/// Parts that another thread has seen.
struct ChannelTrigger(Receiver<Moment>);

/// Returns a [`ChannelTrigger`] and the callback for the other thread.
fn event_channel() -> (ChannelTrigger, impl FnMut(Event) + Send) {
    let (send, parts) = sync_channel(MAX_WAITING);
    let on_event = move |event: Event| {
        if event.kind == EventKind::Trigger {
            // Full: collecting is slower than the belt, and the part gets no photo.
            let _ = send.try_send(event.at);
        }
    };
    (ChannelTrigger(parts), on_event)
}

impl TriggerSource for ChannelTrigger {
    fn next(&mut self, timeout: Duration) -> Result<Option<Moment>, TriggerError> {
        match self.0.recv_timeout(timeout) {
            Ok(at) => Ok(Some(at)),
            Err(RecvTimeoutError::Timeout) => Ok(None),
            // The thread has ended because its camera has.
            Err(RecvTimeoutError::Disconnected) => Ok(None),
        }
    }
}

/// Edges on `gpio.trigger`.
struct GpioTrigger {
    inputs: Box<dyn Inputs>,
    waiter: Waiter,
    events: Vec<Event>,
}

impl GpioTrigger {
    fn open(line: &LineFile) -> Result<Self, TriggerError> {
        let mut events = vec![];
        let inputs = input::open(line, &mut events)?.ok_or(TriggerError::NoInput)?;
        let waiter = Waiter::new().map_err(TriggerError::Waiter)?;
        Ok(Self { inputs, waiter, events })
    }
}

impl TriggerSource for GpioTrigger {
    fn next(&mut self, timeout: Duration) -> Result<Option<Moment>, TriggerError> {
        let deadline = Moment::now() + timeout;
        loop {
            self.inputs.read(&mut self.events).map_err(TriggerError::Read)?;
            let index = self.events.iter().position(|event| event.kind == EventKind::Trigger);
            if let Some(index) = index {
                return Ok(self.events.drain(..=index).next_back().map(|event| event.at));
            }
            self.events.clear();
            if Moment::now() >= deadline {
                return Ok(None);
            }
            let wake = self.inputs.next_wake().map_or(deadline, |wake| wake.min(deadline));
            self.waiter.wait(Some(wake), &[self.inputs.fd()]).map_err(TriggerError::Wait)?;
        }
    }
}

/// Commands on the serial port.
struct SerialTrigger {
    parts: ChannelTrigger,
    /// Its thread sends the parts.
    _link: Arc<SerialLink>,
}

impl SerialTrigger {
    fn listen(line: &LineFile, link: &Arc<SerialLink>) -> Result<Self, TriggerError> {
        let (parts, on_event) = event_channel();
        // There is no gate: the status reports zero counts and not ready.
        let gate = (GateCounts::default(), Alarms { not_ready: true, ..Alarms::default() });
        let handlers = Handlers {
            products: line.products.iter().map(|product| product.name.as_str().into()).collect(),
            event: Box::new(on_event),
            triggers: true,
            // A peer that sends counts need not know that they aren't used here.
            encoder: EncoderCount::of(line),
            status: Box::new(move || text::status(&gate.0, &gate.1)),
            connected: Box::new(|_| {}),
        };
        link.listen(Box::new(PeerCommands::new(handlers))).map_err(TriggerError::Thread)?;
        Ok(Self { parts, _link: Arc::clone(link) })
    }
}

impl TriggerSource for SerialTrigger {
    fn next(&mut self, timeout: Duration) -> Result<Option<Moment>, TriggerError> {
        self.parts.next(timeout)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interval_is_kept_and_patience_has_an_end() {
        let mut triggers = IntervalTrigger { every: Duration::from_millis(30), due: Moment::now() };
        let first = triggers.next(Duration::from_secs(9)).unwrap().unwrap();
        assert_eq!(triggers.next(Duration::from_millis(1)).unwrap(), None);
        let second = triggers.next(Duration::from_secs(9)).unwrap().unwrap();
        assert!(second.since(first) >= Duration::from_millis(30));
    }

    #[test]
    fn what_another_thread_has_seen_is_waited_for_and_its_end_is_no_part() {
        let (mut triggers, mut on_event) = event_channel();
        on_event(Event { at: Moment(5), kind: EventKind::TriggersLost { parts: 2 } });
        on_event(Event { at: Moment(7), kind: EventKind::Trigger });
        assert_eq!(triggers.next(Duration::ZERO).unwrap(), Some(Moment(7)));
        assert_eq!(triggers.next(Duration::ZERO).unwrap(), None);
        drop(on_event);
        assert_eq!(triggers.next(Duration::from_secs(9)).unwrap(), None);
    }

    #[test]
    fn a_gate_that_is_not_there_has_counted_nothing_and_is_not_ready() {
        let alarms = Alarms { not_ready: true, ..Alarms::default() };
        assert_eq!(text::status(&GateCounts::default(), &alarms), "S 0 0 0 0 0 0 0 not-ready");
    }
}
