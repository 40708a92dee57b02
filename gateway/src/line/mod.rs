//! The connection to the line, and what is known of it.
//!
//! | file | contents |
//! |---|---|
//! | `state` | what is known of the line |
//! | `histogram` | a histogram with fixed limits, in seconds |
//! | `hub` | shares the line's state, its events and the way for commands |
//! | `client` | connects to the line's socket, and again when it is gone |

mod client;
mod histogram;
mod hub;
mod state;

#[cfg(test)]
pub(crate) use state::tests;

pub use client::{check, client};
pub use histogram::Histogram;
pub use hub::{
    CommandError, CommandQueue, DecisionRequest, Hub, ModbusCounts, MqttCounts, PendingOutcome, WebhookCounts,
};
pub use state::{Event, LINE_LOST, LineState, Part, RECENT, is_alarm, unix_ms};
