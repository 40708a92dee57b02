//! What people are told about thresholds, photos and the task in hand: a file that the gateway reads.

use std::path::{Path, PathBuf};

use bundle::atomic::write_file;
use serde::Serialize;

use super::TASKS_FOLDER;
use crate::clock::WallTime;
use crate::learning::LearnReport;

/// The file, in the folder of tasks.
const FILE: &str = "state.json";

/// A product's threshold.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ThresholdState {
    /// The product's name.
    pub product: String,
    /// Identifies the bundle that parts are judged with: the SHA-256 of its threshold file, in hexadecimal.
    pub bundle: String,
    /// The bundle's own threshold.
    pub own: f32,
    /// The threshold that parts are judged with.
    pub used: f32,
    /// The lowest that is allowed.
    pub lowest: f32,
    /// The highest that is allowed.
    pub highest: f32,
    /// Who moved it; `None` if it is the bundle's own.
    pub by: Option<String>,
    /// When it was moved.
    pub at: Option<WallTime>,
    /// Whether there is an earlier bundle to roll back to.
    pub can_roll_back: bool,
}

/// The photos of a product.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PhotoState {
    /// The product's index in the line file.
    pub product: u16,
    /// The photos' folder below `tasks/photos`.
    pub folder: String,
    /// Whether photos are being taken.
    pub taking: bool,
    /// How many are wanted.
    pub wanted: u16,
    /// The numbers of those that are taught.
    pub taught: Vec<u32>,
    /// The numbers of those that are left out.
    pub out: Vec<u32>,
    /// The smallest share of false alarms that so many photos can claim.
    pub claim: f64,
    /// Why no more are taken.
    pub problem: Option<String>,
}

/// How far a task is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum TaskStatus {
    /// It is being carried out.
    Running,
    /// It was carried out.
    Done,
    /// The bundle in use was kept; the report says why.
    Refused,
    /// It failed; the report says why.
    Failed,
    /// Someone stopped it.
    Stopped,
}

/// The last task that took a while.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TaskState {
    /// Its word: `try_learning`, `learn`, `roll_back`, `try_teaching`, `teach` or `install`.
    pub task: &'static str,
    /// The product's index in the line file.
    pub product: u16,
    /// How far it is.
    pub status: TaskStatus,
    /// Who asked for it.
    pub by: String,
    /// When it was begun.
    pub at: WallTime,
    /// Whether parts are judged with what it made.
    pub in_use: bool,
    /// Whether the photos are still those that it saw.
    pub is_current: bool,
    /// What came of it.
    pub report: Option<LearnReport>,
}

#[derive(Debug, Serialize)]
struct Contents<'a> {
    at: WallTime,
    thresholds: &'a [ThresholdState],
    photos: Option<&'a PhotoState>,
    task: Option<&'a TaskState>,
}

/// The file, and what it says.
#[derive(Debug)]
pub struct Board {
    path: PathBuf,
    /// The thresholds of all products, in the order of the line file.
    pub thresholds: Vec<ThresholdState>,
    /// The photos of the product that is being taught.
    pub photos: Option<PhotoState>,
    /// The last task that took a while.
    pub task: Option<TaskState>,
}

impl Board {
    /// Creates it for a folder of records; nothing is written yet.
    #[must_use]
    pub fn new(records: &Path) -> Self {
        let path = records.join(TASKS_FOLDER).join(FILE);
        Self { path, thresholds: vec![], photos: None, task: None }
    }

    /// Writes the file, whole or not at all.
    ///
    /// # Errors
    /// The file system's error.
    pub fn write(&self) -> std::io::Result<()> {
        let contents = Contents {
            at: WallTime::now(),
            thresholds: &self.thresholds,
            photos: self.photos.as_ref(),
            task: self.task.as_ref(),
        };
        write_file(&self.path, &serde_json::to_vec(&contents)?)
    }
}
