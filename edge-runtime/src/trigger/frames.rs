//! Triggers from the frames themselves: each frame is a part, or something other than the empty belt comes into view.

use std::sync::Arc;

use shared_format::Roi;

use super::presence::{PresenceDetector, PresenceSettings, PresenceState};
use crate::capture::CapturedFrame;
use crate::clock::milliseconds;
use crate::input::{Event, EventKind};
use crate::line_file::Trigger;

/// A callback that the capture thread calls for each frame, with the number of frames dropped before it.
pub type FrameListener = Box<dyn FnMut(&Arc<CapturedFrame>, u64) + Send>;

/// Returns the listener for a trigger; if the trigger doesn't come from frames, the listener does nothing. `on_event`
/// receives [`EventKind::Trigger`] and [`EventKind::TriggersLost`] with capture times. Presence is looked for in the trigger's
/// region, or else in the product's, or else in the whole frame: `regions` has one entry per product, and `product` returns
/// the index of the one that is inspected.
pub fn listener(
    trigger: &Trigger,
    regions: &[Option<Roi>],
    product: impl Fn() -> usize + Send + 'static,
    mut on_event: impl FnMut(Event) + Send + 'static,
) -> FrameListener {
    match trigger {
        Trigger::Frame => Box::new(move |captured, dropped| {
            let at = captured.captured_at();
            // Each dropped frame was a part that was not seen.
            if dropped > 0 {
                let parts = u32::try_from(dropped).unwrap_or(u32::MAX);
                on_event(Event { at, kind: EventKind::TriggersLost { parts } });
            }
            on_event(Event { at, kind: EventKind::Trigger });
        }),
        Trigger::Presence { share, contrast, region, part_ms, .. } => {
            let detector = |product: &Option<Roi>| {
                PresenceDetector::new(PresenceSettings {
                    share: *share,
                    contrast: *contrast,
                    region: region.or(*product),
                    part_time: part_ms.map(milliseconds),
                })
            };
            let mut products: Vec<PresenceDetector> = regions.iter().map(detector).collect();
            Box::new(move |captured, _| {
                if let (Some(presence), Ok(frame)) = (products.get_mut(product()), captured.frame())
                    && presence.update(frame, captured.captured_at()) == PresenceState::Enters
                {
                    on_event(Event { at: captured.captured_at(), kind: EventKind::Trigger });
                }
            })
        }
        Trigger::Gpio { .. } | Trigger::Serial { .. } | Trigger::Socket { .. } | Trigger::Interval { .. } => {
            Box::new(|_, _| {})
        }
    }
}
