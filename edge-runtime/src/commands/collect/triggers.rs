//! When there is a part in front of the camera.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::time::Duration;

use anyhow::{Result, bail};

use crate::capture::Captured;
use crate::line_file::Trigger;
use crate::moment::{Moment, milliseconds};
use crate::presence::{Presence, Sight};

/// Parts that wait for their photo at most; of more the frames would be gone.
const WAITING: usize = 8;

/// Where parts come from.
pub trait Triggers {
    /// Waits for the next part, up to `patience`, and gives the time from which a frame shows it; `None` where no part
    /// came.
    ///
    /// # Errors
    /// Where no part will ever come.
    fn next(&mut self, patience: Duration) -> Result<Option<Moment>>;
}

/// What the capture thread calls for each frame.
pub type Listener = Box<dyn FnMut(&Arc<Captured>) + Send>;

/// The triggers that a line file names, and what has to listen to the frames for them.
///
/// # Errors
/// For triggers that need a device of their own.
pub fn of(trigger: &Trigger) -> Result<(Box<dyn Triggers>, Listener)> {
    match trigger {
        Trigger::Interval { every_ms } => {
            let every = milliseconds(*every_ms);
            Ok((Box::new(Interval { every, due: Moment::now() }), Box::new(|_| {})))
        }
        Trigger::Presence { share, contrast } => {
            let (entered, parts) = sync_channel(WAITING);
            let mut presence = Presence::new(*share, *contrast, None);
            let listener = move |captured: &Arc<Captured>| {
                let Ok(frame) = captured.frame() else { return };
                if presence.see(frame, captured.captured_at()) == Sight::Enters {
                    // Full: whoever collects is slower than the belt, and the part goes without photo.
                    let _ = entered.try_send(captured.captured_at());
                }
            };
            Ok((Box::new(Entered(parts)), Box::new(listener)))
        }
        Trigger::Gpio { .. } | Trigger::Serial { .. } => bail!(
            "collect has no gpio or serial trigger; give trigger.kind = \"presence\" or \"interval\" in a line file for \
             collecting"
        ),
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

/// Parts that presence has seen.
struct Entered(Receiver<Moment>);

impl Triggers for Entered {
    fn next(&mut self, patience: Duration) -> Result<Option<Moment>> {
        match self.0.recv_timeout(patience) {
            Ok(at) => Ok(Some(at)),
            Err(RecvTimeoutError::Timeout) => Ok(None),
            // The capture thread has ended, as its camera has.
            Err(RecvTimeoutError::Disconnected) => Ok(None),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interval_is_kept_and_patience_has_an_end() {
        let trigger = Trigger::Interval { every_ms: 30.0 };
        let (mut triggers, _) = of(&trigger).unwrap();
        let first = triggers.next(Duration::from_secs(9)).unwrap().unwrap();
        assert_eq!(triggers.next(Duration::from_millis(1)).unwrap(), None);
        let second = triggers.next(Duration::from_secs(9)).unwrap().unwrap();
        assert!(second.since(first) >= Duration::from_millis(30));
    }

    #[test]
    fn triggers_that_need_a_device_are_refused_with_advice() {
        let error = of(&Trigger::Gpio { exposure_delay_ms: 0.0 }).err().unwrap();
        assert!(error.to_string().contains("presence"), "{error}");
    }
}
