//! `edge-runtime learn` or `install` as a process of its own, which gives way to the line.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use super::TASKS_FOLDER;
use crate::learning::LearnReport;

/// The program that is running, even if its file has been replaced.
const THIS_PROGRAM: &str = "/proc/self/exe";
/// A limit far beyond any report.
const MAX_REPORT: u64 = 4 << 20;
/// What is kept of the last words of a program that wrote no report.
const MAX_WORDS: usize = 2000;

/// What the program is to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Lesson {
    /// Learn from decisions.
    Decisions {
        /// Whether the next bundle is put in place.
        apply: bool,
    },
    /// Teach from the photos in a folder.
    Photos {
        /// The folder.
        folder: PathBuf,
        /// Whether the next bundle is put in place.
        apply: bool,
    },
    /// Put the earlier bundle back.
    RollBack,
    /// Put the bundle in the inbox in place.
    Install,
}

/// How the program ended.
#[derive(Debug, Clone, PartialEq)]
pub enum LearnerEnd {
    /// It did what it was asked.
    Done(LearnReport),
    /// It kept the bundle in use, because the next one would be less strict.
    Refused(LearnReport),
    /// It failed, or someone ended it.
    Failed(LearnReport),
}

/// The running program; it is killed when this is dropped. A kill leaves the bundle in use or the next one in place.
#[derive(Debug)]
pub struct Learner {
    child: Child,
    report: PathBuf,
    words: PathBuf,
}

impl Learner {
    /// Starts the program for a product of a line file.
    ///
    /// # Errors
    /// The system's error.
    pub fn start(line: &Path, product: &str, records: &Path, lesson: &Lesson) -> io::Result<Self> {
        let folder = records.join(TASKS_FOLDER);
        std::fs::create_dir_all(&folder)?;
        let (report, words) = (folder.join("report.json"), folder.join("words.txt"));
        match std::fs::remove_file(&report) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
            _ => {}
        }
        let mut command = Command::new(THIS_PROGRAM);
        let program = if *lesson == Lesson::Install { "install" } else { "learn" };
        command.args([program, "--background", "--line"]).arg(line).args(["--product", product]);
        command.arg("--report").arg(&report);
        match lesson {
            Lesson::Decisions { apply: false } | Lesson::Install => {}
            Lesson::Decisions { apply: true } => drop(command.arg("--apply")),
            Lesson::Photos { folder, apply } => {
                command.arg("--anew").arg("--photos").arg(folder);
                if *apply {
                    command.arg("--apply");
                }
            }
            Lesson::RollBack => drop(command.arg("--roll-back")),
        }
        let said = File::create(&words)?;
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(said).spawn()?;
        Ok(Self { child, report, words })
    }

    /// Returns how it ended; `None` while it runs. Never waits.
    pub fn end(&mut self) -> Option<LearnerEnd> {
        let success = match self.child.try_wait() {
            Ok(None) => return None,
            Ok(Some(status)) => status.success(),
            Err(_) => false,
        };
        let bytes = judge::read_regular_file(&self.report, MAX_REPORT).ok();
        let report = bytes.and_then(|bytes| serde_json::from_slice::<LearnReport>(&bytes).ok());
        Some(match report {
            Some(report) if success => LearnerEnd::Done(report),
            Some(report) if !report.refusals.is_empty() && report.error.is_none() => {
                LearnerEnd::Refused(report)
            }
            Some(report) if report.error.is_some() => LearnerEnd::Failed(report),
            // It was killed, for example because memory ran out.
            _ => LearnerEnd::Failed(LearnReport { error: Some(self.last_words()), ..LearnReport::default() }),
        })
    }

    /// Ends it.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    fn last_words(&self) -> String {
        let mut text = String::new();
        let read = File::open(&self.words).and_then(|file| file.take(64 << 10).read_to_string(&mut text));
        let last = text.lines().last().unwrap_or_default();
        let last: String = last.chars().take(MAX_WORDS).collect();
        if read.is_err() || last.is_empty() {
            return "the program that learns was ended, perhaps because memory ran out; try again, with fewer photos".to_owned();
        }
        format!("the program that learns was ended; its last words: {last}")
    }
}

impl Drop for Learner {
    fn drop(&mut self) {
        self.kill();
        let _ = std::fs::remove_file(&self.report);
        let _ = std::fs::remove_file(&self.words);
    }
}
