//! What the two processes tell each other, as JSON: some 200 bytes a frame.

use serde::{Deserialize, Serialize};

/// Longer messages are refused.
pub(crate) const MAX_MESSAGE: usize = 16 << 10;
/// Longer texts are cut: a sentence for a person.
const MAX_TEXT: usize = 1000;
/// More sentences are left out.
const MAX_TEXTS: usize = 20;

/// From the receiver.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
pub(crate) enum Request {
    /// Open this camera.
    Open(serde_json::Value),
    /// The frame in this slot was copied.
    Release(u32),
}

/// From the sender.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
pub(crate) enum Reply {
    /// The camera is open; the message carries the file.
    Opened { greeting: Greeting, slots: u32, slot_bytes: u64 },
    /// The camera can't be opened.
    Refused(Refusal),
    /// A frame lies in a slot.
    Frame { slot: u32, bytes: u64, info: FrameInfo },
    /// Sentences about what can shift scores.
    Warnings(Vec<String>),
    /// The camera has delivered all its frames.
    End,
}

/// What the capture process says of an open camera.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Greeting {
    /// The camera in words.
    pub description: String,
    /// Whether it may repeat a picture on purpose.
    pub may_repeat: bool,
}

/// Why a camera can't be opened, or was lost.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(deny_unknown_fields)]
#[error("{reason}")]
pub struct Refusal {
    /// A sentence.
    pub reason: String,
}

/// A frame's properties.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FrameInfo {
    /// The driver's frame number. A gap means frames that were dropped.
    pub sequence: u64,
    /// Time of capture in nanoseconds of `CLOCK_MONOTONIC`.
    pub captured_at: u64,
    /// Name of the pixels' format; by the programs' agreement.
    pub format: String,
    /// Width in pixels; 0 if the bytes tell it.
    pub width: u32,
    /// Height in pixels; 0 if the bytes tell it.
    pub height: u32,
    /// Why the frame can't be used, if it can't: packets are missing, or the driver reports damage.
    pub damage: Option<String>,
}

/// Cuts texts from another process to a length that logs and status can hold.
pub(crate) fn limited(mut texts: Vec<String>) -> Vec<String> {
    texts.truncate(MAX_TEXTS);
    texts.into_iter().map(limited_text).collect()
}

pub(crate) fn limited_text(mut text: String) -> String {
    text.truncate(text.floor_char_boundary(MAX_TEXT));
    // A line of the log must stay one.
    text.retain(|character| !character.is_control());
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_cut_between_characters_and_stay_on_one_line() {
        assert_eq!(limited_text("one\ntwo\u{1b}[31m".to_owned()), "onetwo[31m");
        let long = limited_text("é".repeat(2000));
        assert_eq!(long.len(), 1000);
        assert_eq!(limited(vec![String::new(); 300]).len(), MAX_TEXTS);
    }
}
