//! Messages between a line and its gateway, the program that passes its results on to networks. They travel over a local
//! socket in the frame of a [`crate::telegram`]; see `SPEC.md`.
//!
//! The line sends [`LineMessage`]s, the gateway [`GatewayMessage`]s.

use heapless::String;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::frame::{self, FrameSplitter};
use crate::{Telegram, TelegramError};

pub use crate::frame::DELIMITER;

/// The version of the messages that this crate writes and reads.
pub const VERSION: u8 = 1;
/// Maximum length of a valid message, delimiter included.
pub const MAX_LEN: usize = frame::max_len(MAX_CONTENT_LEN);
/// Maximum length of a name in bytes.
pub const MAX_NAME: usize = 64;
/// Maximum length of a problem's sentence in bytes.
pub const MAX_TEXT: usize = 240;

/// A status has the longest content: 27 counters of 10 bytes and some 40 more. A problem has some 250 bytes, a decision 210.
const MAX_CONTENT_LEN: usize = 400;

/// The alarms in the order of the bits in [`LineStatus::alarms`], lowest first; `docs/line.md` explains them.
pub const ALARMS: [&str; 9] = [
    "not_ready",
    "blind",
    "output_failed",
    "rejects_in_a_row",
    "challenge_missed",
    "unconfirmed",
    "missed",
    "triggers_lost",
    "tracking_lost",
];
/// The bits of the alarms that hold the line in its safe state.
pub const HELD: u16 = 0b111;
/// The timed stages in the order of [`StageLatency::stage`].
pub const STAGES: [&str; 7] =
    ["captured_to_written", "triggered_to_verdict", "decode", "prepare", "infer", "decide", "lateness"];

/// What the line tells the gateway.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum LineMessage {
    /// The first message of a connection.
    Hello(Hello),
    /// A product of the line; follows the hello, once for each product.
    Product(Product),
    /// A part has passed the gate. Sent only after [`GatewayMessage::Subscribe`].
    Part(PartMessage),
    /// The line's status, at least once a second; latencies and problems follow it.
    Status(LineStatus),
    /// A stage's latency over the last minutes.
    Latency(StageLatency),
    /// One of the problems that the last status announced.
    Problem(Problem),
    /// What became of a command.
    Answer(Answer),
}

/// What the gateway tells the line.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum GatewayMessage {
    /// Asks for reports on parts. From now on the gateway counts as connected.
    Subscribe,
    /// Asks the line to do something; it answers with the same number.
    Command {
        /// The number, chosen by the gateway.
        number: u32,
        /// What to do.
        command: Command,
    },
    /// A person has decided on a record; the line keeps the decision and answers with the same number, after other commands
    /// if the disk is slow.
    Decide(Decide),
    /// A person asks for another threshold or another bundle; the line answers with the same number, and what comes of it is in
    /// `tasks/state.json` below the records.
    Task(TaskRequest),
}

/// What a person asks for. It needs one of the kinds that [`Task::kinds`] returns.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TaskRequest {
    /// The number, chosen by the gateway.
    pub number: u32,
    /// The product's index in the line file, from 0.
    pub product: u16,
    /// Who asks, in at most [`MAX_NAME`] bytes.
    pub by: String<MAX_NAME>,
    /// What to do.
    pub task: Task,
}

/// What a person can ask for.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub enum Task {
    /// Parts are judged with this threshold from now on.
    SetThreshold {
        /// The threshold; finite, and within the limits of the line file.
        value: f32,
    },
    /// Parts are judged with the bundle's own threshold again.
    ResetThreshold,
    /// Finds out what learning from the decisions on records would change.
    TryLearning,
    /// Learns from them and judges with the next bundle, unless that would be less strict.
    Learn,
    /// Judges with the bundle again that the one in use has replaced.
    RollBack,
    /// Takes a photo of each part that comes, until there are this many.
    TakePhotos {
        /// The number of photos, those that are there already included; at least 1.
        parts: u16,
    },
    /// Leaves a photo out, or takes it in again.
    LeaveOut {
        /// The photo's number.
        photo: u32,
        /// Whether it is left out.
        out: bool,
    },
    /// Throws all photos away.
    DiscardPhotos,
    /// Finds out what a bundle from the photos alone would change.
    TryTeaching,
    /// Teaches it and judges with it, unless it would be less strict.
    Teach,
    /// Stops taking photos, trying, learning or teaching.
    Stop,
    /// Judges with the bundle in the inbox that the line file names, once its signature and golden frames have been checked.
    Install,
}

/// What a person has decided on a record. It needs [`CommandKind::Decide`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decide {
    /// The number, chosen by the gateway.
    pub number: u32,
    /// The record's name.
    pub record: String<MAX_NAME>,
    /// The decision.
    pub decision: Decision,
    /// The kind of a defect; empty if it wasn't named.
    pub kind: String<MAX_NAME>,
    /// Who decided, in at most [`MAX_NAME`] bytes.
    pub by: String<MAX_NAME>,
    /// Whether an earlier decision that says otherwise is replaced.
    pub replace: bool,
}

/// What a person can decide on a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Decision {
    /// The part is good, although it was rejected.
    FalseAlarm,
    /// The part is bad.
    Defect,
    /// The person can't tell.
    Unsure,
    /// An earlier decision is taken back.
    Undecided,
}

/// The first message of a connection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// The line's name, cut after [`MAX_NAME`] bytes.
    pub line: String<MAX_NAME>,
    /// The version of the line's program.
    pub version: String<16>,
    /// The number of the line's run.
    pub run: u32,
    /// The number of products.
    pub products: u16,
    /// The commands that the line file accepts: bit *n* for the [`CommandKind`] with the number *n*.
    pub accepts: u16,
}

/// A product of the line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Product {
    /// Its index in the line file, from 0.
    pub index: u16,
    /// Its name.
    pub name: String<MAX_NAME>,
}

/// A part that has passed the gate.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct PartMessage {
    /// What became of it.
    pub telegram: Telegram,
    /// The number of its frames that were judged.
    pub frames: u16,
    /// From the capture of the deciding frame to the release, in microseconds; absent if no frame was judged.
    pub capture_to_release_us: Option<u32>,
    /// From the trigger to the release, in microseconds.
    pub trigger_to_release_us: u32,
    /// How late the part was released, in microseconds.
    pub lateness_us: u32,
}

/// The line's status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct LineStatus {
    /// Seconds since the program was started.
    pub uptime_s: u32,
    /// Index of the product that is inspected.
    pub product: u16,
    /// The camera's state.
    pub camera: Camera,
    /// The alarms, one bit each in the order of [`ALARMS`].
    pub alarms: u16,
    /// Parts between trigger and gate.
    pub under_way: u16,
    /// Known-bad parts of a challenge that are still to come.
    pub challenge_left: u16,
    /// Memory of the line's program in KiB; 0 if the system doesn't say.
    pub memory_kib: u32,
    /// The number of problems that follow.
    pub problems: u8,
    /// The counters over all runs.
    pub counters: Counters,
}

/// State of the camera.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Camera {
    /// No frame has arrived yet.
    Starting,
    /// Its frames can be judged.
    Live,
    /// It delivers no frames.
    Silent,
    /// It keeps delivering the same picture.
    Frozen,
    /// Its picture is black.
    Black,
    /// Its picture is burnt out.
    BurntOut,
    /// It is gone.
    Lost,
    /// It has delivered all its frames.
    Ended,
}

/// The line's counters over all its runs. `docs/line.md` explains them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the fields are those of status.json, which docs/line.md explains")]
pub struct Counters {
    pub triggered: u64,
    pub passed: u64,
    pub rejected: u64,
    pub abandoned: u64,
    pub reject_verdicts: u64,
    pub faults: u64,
    pub missing: u64,
    pub overflowed: u64,
    pub held: u64,
    pub missed: u64,
    pub triggers_lost: u64,
    pub tracking_lost: u64,
    pub challenged: u64,
    pub challenges_missed: u64,
    pub swept: u64,
    pub late_verdicts: u64,
    pub stray_verdicts: u64,
    pub unconfirmed: u64,
    pub unexpected_falls: u64,
    pub stops: u64,
    pub frames_captured: u64,
    pub frames_dropped: u64,
    pub frames_lost: u64,
    pub frames_stale: u64,
    pub camera_reopened: u64,
    pub reports_dropped: u64,
    pub records_written: u64,
}

/// A stage's latency over the last minutes, in microseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct StageLatency {
    /// The stage, as an index into [`STAGES`].
    pub stage: u8,
    /// Number of times measured.
    pub count: u32,
    /// Median.
    pub p50_us: u32,
    /// 99th percentile.
    pub p99_us: u32,
    /// Maximum.
    pub max_us: u32,
}

/// A problem of the line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// Its index, below [`LineStatus::problems`].
    pub index: u8,
    /// A sentence, cut after [`MAX_TEXT`] bytes.
    pub text: String<MAX_TEXT>,
}

/// What a gateway can ask of the line. The line carries out only the kinds that its line file accepts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Command {
    /// A part is in front of the camera. A `count` above 1 means that others came before it, unreported: the line treats
    /// them as lost triggers.
    Trigger {
        /// The number of parts since the last trigger, at least 1.
        count: u16,
    },
    /// The encoder is at this count, which wraps.
    Encoder {
        /// The count.
        count: u32,
    },
    /// The parts that follow are of this product.
    Product {
        /// Its index in the line file, from 0.
        index: u16,
    },
    /// Known-bad parts follow.
    Challenge,
    /// The alarms are acknowledged.
    Acknowledge,
}

/// The kinds of command, by the number of their bit in [`Hello::accepts`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CommandKind {
    /// [`Command::Trigger`]
    Trigger,
    /// [`Command::Encoder`]
    Encoder,
    /// [`Command::Product`]
    Product,
    /// [`Command::Challenge`]
    Challenge,
    /// [`Command::Acknowledge`]
    Acknowledge,
    /// [`GatewayMessage::Decide`]
    Decide,
    /// [`Task::SetThreshold`] and [`Task::ResetThreshold`]
    Threshold,
    /// [`Task::TryLearning`] and [`Task::Learn`]
    Learn,
    /// [`Task::TakePhotos`] and what can be done with the photos
    Teach,
    /// [`Task::Install`]
    Install,
}

/// What became of a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    /// The command's number.
    pub number: u32,
    /// What became of it.
    pub outcome: Outcome,
}

/// What became of a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It was carried out.
    Done,
    /// The line file doesn't accept commands of this kind.
    SwitchedOff,
    /// The line has no such product, or the command doesn't fit it.
    Refused,
    /// The encoder's count ran back or jumped: the parts under way go to the safe side.
    Jump,
    /// The record is not there any more.
    Gone,
    /// Someone has decided otherwise on the record.
    Decided,
    /// Too many decisions wait.
    Busy,
    /// The decision, or the threshold, could not be written; the line's log says why.
    Failed,
    /// It was begun and takes a while.
    Begun,
}

impl Command {
    /// Returns its kind.
    #[must_use]
    pub const fn kind(self) -> CommandKind {
        match self {
            Self::Trigger { .. } => CommandKind::Trigger,
            Self::Encoder { .. } => CommandKind::Encoder,
            Self::Product { .. } => CommandKind::Product,
            Self::Challenge => CommandKind::Challenge,
            Self::Acknowledge => CommandKind::Acknowledge,
        }
    }
}

impl Task {
    /// Returns the kinds of which one must be accepted for it.
    #[must_use]
    pub const fn kinds(self) -> &'static [CommandKind] {
        match self {
            Self::SetThreshold { .. } | Self::ResetThreshold => &[CommandKind::Threshold],
            Self::TryLearning | Self::Learn => &[CommandKind::Learn],
            Self::TakePhotos { .. }
            | Self::LeaveOut { .. }
            | Self::DiscardPhotos
            | Self::TryTeaching
            | Self::Teach => &[CommandKind::Teach],
            Self::RollBack | Self::Stop => &[CommandKind::Learn, CommandKind::Teach, CommandKind::Install],
            Self::Install => &[CommandKind::Install],
        }
    }

    /// Whether it may be carried out where these kinds are accepted, one bit each.
    #[must_use]
    pub fn is_accepted(self, accepts: u16) -> bool {
        self.kinds().iter().any(|kind| accepts & kind.bit() != 0)
    }
}

impl CommandKind {
    /// All kinds, in the order of their bits.
    pub const ALL: [Self; 10] = [
        Self::Trigger,
        Self::Encoder,
        Self::Product,
        Self::Challenge,
        Self::Acknowledge,
        Self::Decide,
        Self::Threshold,
        Self::Learn,
        Self::Teach,
        Self::Install,
    ];

    /// Returns its bit in [`Hello::accepts`].
    #[must_use]
    pub const fn bit(self) -> u16 {
        1 << self as u16
    }

    /// Returns its lower-case word, as in the line file.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Trigger => "trigger",
            Self::Encoder => "encoder",
            Self::Product => "product",
            Self::Challenge => "challenge",
            Self::Acknowledge => "acknowledge",
            Self::Decide => "decide",
            Self::Threshold => "threshold",
            Self::Learn => "learn",
            Self::Teach => "teach",
            Self::Install => "install",
        }
    }
}

impl Outcome {
    /// Returns its lower-case word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::SwitchedOff => "switched_off",
            Self::Refused => "refused",
            Self::Jump => "jump",
            Self::Gone => "gone",
            Self::Decided => "decided",
            Self::Busy => "busy",
            Self::Failed => "failed",
            Self::Begun => "begun",
        }
    }
}

impl Camera {
    /// Returns its lower-case word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Live => "live",
            Self::Silent => "silent",
            Self::Frozen => "frozen",
            Self::Black => "black",
            Self::BurntOut => "burnt_out",
            Self::Lost => "lost",
            Self::Ended => "ended",
        }
    }
}

/// Copies as much of a text as fits, cut between two characters.
#[must_use]
pub fn cut<const N: usize>(text: &str) -> String<N> {
    let mut short = String::new();
    for character in text.chars() {
        if short.push(character).is_err() {
            break;
        }
    }
    short
}

/// A message that can be framed.
pub trait Message: Serialize + DeserializeOwned {
    /// Whether all values are allowed.
    #[must_use]
    fn is_valid(&self) -> bool;

    /// Encodes into `buffer` and returns the used part, delimiter included. Never allocates, never panics.
    ///
    /// # Errors
    /// [`TelegramError::Buffer`] if the buffer is too small ([`MAX_LEN`] bytes suffice), [`TelegramError::Malformed`] if a
    /// value is not allowed.
    fn encode<'b>(&self, buffer: &'b mut [u8]) -> Result<&'b [u8], TelegramError> {
        if !self.is_valid() {
            return Err(TelegramError::Malformed);
        }
        Ok(frame::encode::<MAX_CONTENT_LEN>(VERSION, self, buffer)?)
    }

    /// Decodes the bytes of one message, without its delimiter. Never allocates, never panics.
    ///
    /// # Errors
    /// The first check that fails, in the order length, framing, checksum, version, contents.
    fn decode(stuffed: &[u8]) -> Result<Self, TelegramError> {
        let message: Self = frame::decode::<_, MAX_LEN>(VERSION, stuffed)?;
        if message.is_valid() { Ok(message) } else { Err(TelegramError::Malformed) }
    }
}

impl Message for LineMessage {
    fn is_valid(&self) -> bool {
        match self {
            Self::Part(part) => part.telegram.is_valid(),
            Self::Latency(latency) => usize::from(latency.stage) < STAGES.len(),
            _ => true,
        }
    }
}

impl Message for GatewayMessage {
    fn is_valid(&self) -> bool {
        match self {
            Self::Command { command: Command::Trigger { count }, .. } => *count > 0,
            Self::Task(TaskRequest { task: Task::SetThreshold { value }, .. }) => value.is_finite(),
            Self::Task(TaskRequest { task: Task::TakePhotos { parts }, .. }) => *parts > 0,
            _ => true,
        }
    }
}

/// A decoder for messages in a stream of bytes. After garbage, it resynchronises at the next delimiter.
#[derive(Debug, Clone)]
pub struct Decoder(FrameSplitter<MAX_LEN>);

impl Default for Decoder {
    fn default() -> Self {
        Self(FrameSplitter::new())
    }
}

impl Decoder {
    /// Takes the next byte. At a delimiter that ends something, returns the message or the reason why it is not one.
    pub fn push<M: Message>(&mut self, byte: u8) -> Option<Result<M, TelegramError>> {
        Some(self.0.push(byte)?.map_or(Err(TelegramError::TooLong), M::decode))
    }
}
