//! Simulates a user's machine in a temporary folder: a home with a teacher, and the programs to run there.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;

use networks::Network;
use networks::teacher::write_safetensors;
use tempfile::TempDir;

use crate::teachers::random_weights;
use crate::{program, succeed};

/// The teacher of every workshop: a network with random weights, usually EfficientNet-Lite0, which is small.
pub const TEACHER: &str = "random";
const TEACHER_FILE: &str = "random.safetensors";

/// The temporary folder, which is removed on drop.
#[derive(Debug)]
pub struct Workshop {
    root: TempDir,
}

impl Default for Workshop {
    fn default() -> Self {
        Self::with_network("efficientnet-lite0")
    }
}

/// Returns a teacher as it is after its import, which is the same for all workshops of a test program and takes a second.
fn imported_teacher(network: &'static str) -> Vec<u8> {
    static IMPORTED: Mutex<BTreeMap<&str, Vec<u8>>> = Mutex::new(BTreeMap::new());
    let mut imported = IMPORTED.lock().unwrap();
    let import = || {
        let workshop = Workshop { root: tempfile::tempdir().unwrap() };
        let weights = random_weights(&Network::by_name(network).unwrap(), 1);
        let file = workshop.path(TEACHER_FILE);
        std::fs::write(&file, write_safetensors(&weights, Default::default())).unwrap();
        workshop.import(&file, TEACHER);
        std::fs::read(workshop.path("home/teachers").join(TEACHER_FILE)).unwrap()
    };
    imported.entry(network).or_insert_with(import).clone()
}

impl Workshop {
    /// Creates a workshop whose teacher is this network.
    #[must_use]
    pub fn with_network(name: &'static str) -> Self {
        let workshop = Self { root: tempfile::tempdir().unwrap() };
        let teachers = workshop.path("home/teachers");
        std::fs::create_dir_all(&teachers).unwrap();
        std::fs::write(teachers.join(TEACHER_FILE), imported_teacher(name)).unwrap();
        workshop
    }

    /// Returns a path below the folder.
    #[must_use]
    pub fn path(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    /// Returns the trainer with this workshop's home.
    #[must_use]
    pub fn trainer(&self) -> Command {
        let mut command = program("trainer");
        command.env("NOMINAL_HOME", self.path("home"));
        command
    }

    /// Imports a valid weight file.
    ///
    /// # Panics
    /// If it can't be imported.
    pub fn import(&self, file: &Path, name: &str) {
        succeed(self.trainer().args(["teacher", "import", "--name", name]).arg(file));
    }

    /// Returns `trainer train` from one folder of this workshop into another, short and on one thread unless `extra`
    /// overrides that.
    #[must_use]
    pub fn train(&self, data: &Path, run: &str, extra: &[&str]) -> Command {
        let mut command = self.trainer();
        command.args(["train", "--threads", "1", "--data"]).arg(data);
        command.arg("--out").arg(self.path(run)).args(extra);
        if !extra.contains(&"--teacher") {
            command.args(["--teacher", TEACHER]);
        }
        if !extra.contains(&"--method") {
            command.args(["--method", "stpm"]);
        }
        for (option, value) in [("--size", "64"), ("--steps", "2")] {
            let has_length = extra.iter().any(|given| ["--epochs", "--minutes"].contains(given));
            let is_given = extra.contains(&option) || (option == "--steps" && has_length);
            if !is_given {
                command.args([option, value]);
            }
        }
        command
    }

    /// Returns `trainer export`.
    #[must_use]
    pub fn export(&self, run: &str, bundle: &Path, extra: &[&str]) -> Command {
        let mut command = self.trainer();
        command.arg("export").arg(self.path(run)).arg("--out").arg(bundle).args(extra);
        command
    }

    /// Makes a bundle with PaDiM, which takes a second, from the good parts of a folder.
    ///
    /// # Panics
    /// If it can't be made.
    #[must_use]
    pub fn bundle_of(&self, data: &Path) -> PathBuf {
        let mut train = self.trainer();
        train.args(["train", "--method", "padim", "--teacher", TEACHER, "--size", "64", "--data"]);
        succeed(train.arg(data).arg("--out").arg(self.path("padim-run")));
        let bundle = self.path("bundle");
        succeed(&mut self.export("padim-run", &bundle, &[]));
        bundle
    }
}
