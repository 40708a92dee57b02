//! Triggers from the frames themselves: each frame is a part, or something other than the empty belt comes into view.

use std::sync::Arc;

use shared_format::Roi;

use super::presence::{Presence, Sight};
use crate::capture::Captured;
use crate::input::{Event, Happening};
use crate::line_file::Trigger;

/// A callback that the capture thread calls for each frame, with the number of frames dropped before it.
pub type Listener = Box<dyn FnMut(&Arc<Captured>, u64) + Send>;

/// Returns the listener for a trigger; if the trigger doesn't come from frames, the listener does nothing. `happened`
/// receives [`Happening::Trigger`] and [`Happening::TriggersLost`] with capture times. Presence is looked for in the
/// product's region, or in the whole frame if that is `None`: `regions` has one entry per product, and `product` returns
/// the index of the one that is inspected.
pub fn listener(
    trigger: &Trigger,
    regions: &[Option<Roi>],
    product: impl Fn() -> usize + Send + 'static,
    mut happened: impl FnMut(Event) + Send + 'static,
) -> Listener {
    match trigger {
        Trigger::Frame => Box::new(move |captured, dropped| {
            let at = captured.captured_at();
            // Each dropped frame was a part that was not seen.
            if dropped > 0 {
                let parts = u32::try_from(dropped).unwrap_or(u32::MAX);
                happened(Event { at, what: Happening::TriggersLost { parts } });
            }
            happened(Event { at, what: Happening::Trigger });
        }),
        Trigger::Presence { share, contrast, .. } => {
            let mut products: Vec<Presence> =
                regions.iter().map(|region| Presence::new(*share, *contrast, *region)).collect();
            Box::new(move |captured, _| {
                if let (Some(presence), Ok(frame)) = (products.get_mut(product()), captured.frame())
                    && presence.see(frame, captured.captured_at()) == Sight::Enters
                {
                    happened(Event { at: captured.captured_at(), what: Happening::Trigger });
                }
            })
        }
        Trigger::Gpio { .. } | Trigger::Serial { .. } | Trigger::Interval { .. } => Box::new(|_, _| {}),
    }
}
