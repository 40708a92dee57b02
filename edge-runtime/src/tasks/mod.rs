//! What people ask of a running line through its gateway, apart from commands: another threshold, and another bundle, learned from
//! decisions or taught from photos that the line takes.
//!
//! | file | contents |
//! |---|---|
//! | `threshold` | how far a threshold may be moved, and the moved ones, in `thresholds.json` |
//! | `photos` | the photos that are taken of a product's parts, and which are left out |
//! | `board` | what people are told, in `tasks/state.json` below the records |
//! | `learner` | `edge-runtime learn` as a process that gives way to the line |
//!
//! [`crate::run`] carries the tasks out, on a thread of its own. Learning and teaching are another process's work: this program takes
//! photos, and takes the next bundle when that is in its place.

mod board;
mod learner;
mod photos;
mod threshold;

pub use board::{Board, PhotoState, TaskState, TaskStatus, ThresholdState};
pub use learner::{Learner, LearnerEnd, Lesson};
pub use photos::{PhotoError, Photos};
pub use threshold::{Bounds, Moved, MovedThresholds, ThresholdError};

/// The folder of the tasks' state and photos, below that of all records.
pub const TASKS_FOLDER: &str = "tasks";
