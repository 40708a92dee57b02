//! When there is a part in front of the camera.
//!
//! | file | what it holds |
//! |---|---|
//! | [`presence`] | something other than the empty belt is in sight: a trigger from the frames themselves |
//! | [`parts`] | parts from a line's own trigger and camera, without a gate |

pub mod parts;
pub mod presence;

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::time::Duration;

use anyhow::Result;
use shared_format::Roi;

use crate::capture::Captured;
use crate::clock::{Moment, milliseconds};
use crate::line_file::{LineFile, Trigger};
use crate::trigger::presence::{Presence, Sight};

/// Parts that wait for their photo at most; of more the frames would be gone.
const WAITING: usize = 8;

/// Where parts come from.
pub trait Triggers {
    /// Waits for the next part, up to `patience`, and gives the time of its trigger; `None` where no part
    /// came.
    ///
    /// # Errors
    /// Where no part will ever come.
    fn next(&mut self, patience: Duration) -> Result<Option<Moment>>;
}

/// What the capture thread calls for each frame, with the number of frames that were dropped before it.
pub type Listener = Box<dyn FnMut(&Arc<Captured>, u64) + Send>;

/// The triggers that a line file names, and what has to listen to the frames for them. Presence is looked for within
/// the region, or in the whole frame.
///
/// # Errors
/// Where their device can't be had.
pub fn of(line: &LineFile, region: Option<Roi>) -> Result<(Box<dyn Triggers>, Listener)> {
    let silent = || -> Listener { Box::new(|_, _| {}) };
    match &line.trigger {
        Trigger::Interval { every_ms } => {
            let every = milliseconds(*every_ms);
            Ok((Box::new(Interval { every, due: Moment::now() }), silent()))
        }
        Trigger::Frame => {
            let (captured, parts) = sync_channel(WAITING);
            let listener = move |frame: &Arc<Captured>, _| {
                let _ = captured.try_send(frame.captured_at());
            };
            Ok((Box::new(Seen(parts)), Box::new(listener)))
        }
        Trigger::Presence { share, contrast, .. } => {
            let (entered, parts) = sync_channel(WAITING);
            let mut presence = Presence::new(*share, *contrast, region);
            let listener = move |captured: &Arc<Captured>, _| {
                let Ok(frame) = captured.frame() else { return };
                if presence.see(frame, captured.captured_at()) == Sight::Enters {
                    // Full: whoever collects is slower than the belt, and the part goes without photo.
                    let _ = entered.try_send(captured.captured_at());
                }
            };
            Ok((Box::new(Seen(parts)), Box::new(listener)))
        }
        Trigger::Gpio { .. } => Ok((gpio::triggers(line)?, silent())),
        Trigger::Serial { .. } => Ok((serial::triggers(line)?, silent())),
    }
}

/// A part every so often.
struct Interval {
    every: Duration,
    due: Moment,
}

impl Triggers for Interval {
    fn next(&mut self, patience: Duration) -> Result<Option<Moment>> {
        let now = Moment::now();
        let left = self.due.since(now);
        std::thread::sleep(left.min(patience));
        if left > patience {
            return Ok(None);
        }
        let at = self.due.max(now);
        self.due = at + self.every;
        Ok(Some(at))
    }
}

/// Parts that another thread has seen.
struct Seen(Receiver<Moment>);

impl Triggers for Seen {
    fn next(&mut self, patience: Duration) -> Result<Option<Moment>> {
        match self.0.recv_timeout(patience) {
            Ok(at) => Ok(Some(at)),
            Err(RecvTimeoutError::Timeout) => Ok(None),
            // The capture thread has ended, as its camera has.
            Err(RecvTimeoutError::Disconnected) => Ok(None),
        }
    }
}

#[cfg(feature = "gpio")]
mod gpio {
    use super::{Duration, LineFile, Moment, Result, Triggers};
    use crate::input::gpio::GpioInputs;
    use crate::input::{Event, Happening};
    use crate::realtime::Waiter;
    use anyhow::{Context as _, bail};

    /// Edges on `gpio.trigger`.
    struct Edges {
        inputs: GpioInputs,
        waiter: Waiter,
        events: Vec<Event>,
    }

    pub(super) fn triggers(line: &LineFile) -> Result<Box<dyn Triggers>> {
        let mut events = vec![];
        let inputs = match &line.gpio {
            Some(gpio) => GpioInputs::open(gpio, &mut events)?,
            None => None,
        };
        let Some(inputs) = inputs else { bail!("the line has no gpio.trigger; add the input's line") };
        let waiter = Waiter::new().context("cannot wait for events; raise the limit of open files")?;
        Ok(Box::new(Edges { inputs, waiter, events }))
    }

    impl Triggers for Edges {
        fn next(&mut self, patience: Duration) -> Result<Option<Moment>> {
            let deadline = Moment::now() + patience;
            loop {
                self.inputs.read(&mut self.events).context("cannot read the GPIO inputs; check gpio.chip")?;
                let found = self.events.iter().position(|event| event.what == Happening::Trigger);
                if let Some(place) = found {
                    return Ok(self.events.drain(..=place).next_back().map(|event| event.at));
                }
                self.events.clear();
                if Moment::now() >= deadline {
                    return Ok(None);
                }
                let wake = self.inputs.next_wake().map_or(deadline, |wake| wake.min(deadline));
                self.waiter
                    .wait(Some(wake), &[self.inputs.fd()])
                    .context("cannot wait for the GPIO inputs")?;
            }
        }
    }
}

#[cfg(not(feature = "gpio"))]
mod gpio {
    use super::{LineFile, Result, Triggers};

    pub(super) fn triggers(_line: &LineFile) -> Result<Box<dyn Triggers>> {
        anyhow::bail!("this build has no GPIO; build with --features gpio")
    }
}

#[cfg(feature = "serial")]
mod serial {
    use super::{Duration, LineFile, Moment, Receiver, Result, Seen, Triggers, WAITING, sync_channel};
    use crate::input::Happening;
    use crate::link::serial::{Handlers, SerialPeer};
    use anyhow::{Context as _, bail};

    /// Commands on the serial port.
    struct Commands {
        parts: Seen,
        /// Its thread sends the parts.
        _peer: SerialPeer,
    }

    pub(super) fn triggers(line: &LineFile) -> Result<Box<dyn Triggers>> {
        let Some(serial) = &line.serial else { bail!("the line has no [serial]; add it with its device") };
        let (send, parts): (_, Receiver<Moment>) = sync_channel(WAITING);
        let handlers = Handlers {
            products: line.products.iter().map(|product| product.name.as_str().into()).collect(),
            event: Box::new(move |event| {
                if event.what == Happening::Trigger {
                    let _ = send.try_send(event.at);
                }
            }),
            triggers: true,
            // A peer that counts need not know that nobody measures by it now.
            encoder: line.encoder_count(),
            status: Box::new(|| "S 0 0 0 0 0 0 0 not-ready".to_owned()),
            connected: Box::new(|_| {}),
        };
        let peer = SerialPeer::open(serial, handlers);
        let peer = peer.context("cannot start the serial port's thread; raise the limit of threads")?;
        Ok(Box::new(Commands { parts: Seen(parts), _peer: peer }))
    }

    impl Triggers for Commands {
        fn next(&mut self, patience: Duration) -> Result<Option<Moment>> {
            self.parts.next(patience)
        }
    }
}

#[cfg(not(feature = "serial"))]
mod serial {
    use super::{LineFile, Result, Triggers};

    pub(super) fn triggers(_line: &LineFile) -> Result<Box<dyn Triggers>> {
        anyhow::bail!("this build has no serial port; build with --features serial")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn interval() -> Interval {
        Interval { every: Duration::from_millis(30), due: Moment::now() }
    }

    #[test]
    fn an_interval_is_kept_and_patience_has_an_end() {
        let mut triggers = interval();
        let first = triggers.next(Duration::from_secs(9)).unwrap().unwrap();
        assert_eq!(triggers.next(Duration::from_millis(1)).unwrap(), None);
        let second = triggers.next(Duration::from_secs(9)).unwrap().unwrap();
        assert!(second.since(first) >= Duration::from_millis(30));
    }

    #[test]
    fn what_another_thread_has_seen_is_waited_for_and_its_end_is_no_part() {
        let (send, parts) = sync_channel(2);
        let mut triggers = Seen(parts);
        send.send(Moment(7)).unwrap();
        assert_eq!(triggers.next(Duration::ZERO).unwrap(), Some(Moment(7)));
        assert_eq!(triggers.next(Duration::ZERO).unwrap(), None);
        drop(send);
        assert_eq!(triggers.next(Duration::from_secs(9)).unwrap(), None);
    }
}
