//! `cargo xtask demo`: goes from photos of good cells to verdicts on unseen ones, with the commands a user would type.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::setup::{self, Purpose, Ready};
use crate::{cache, samples, shell, teacher, workspace};

/// The results folder, relative to the root of the checkout.
const OUT: &str = "target/demo";
/// The exit code of `edge-runtime inspect` if frames were rejected.
const REJECTED: i32 = 10;
/// The share of good cells that may be rejected. The student's 94 calibration cells support this claim with a few to spare; the default
/// of 1 % needs 99.
const TARGET: &str = "0.05";
/// Number of cells of each kind that are judged one by one.
const CELLS: usize = 4;

/// Sets up, builds and runs the demo.
pub fn run() -> Result<()> {
    let ready = setup::run(Purpose::Demo)?;
    let mut timer = StepTimer::default();

    let programs = timer.take("build", || Programs::build(&ready))?;

    // An old result must not be mistaken for this run's.
    let out = ready.root.join(OUT);
    cache::remove(&out)?;
    std::fs::create_dir_all(&out).with_context(|| format!("can't make the folder {}", out.display()))?;
    let data = ready.samples.join("elpv");
    timer.take("import the teacher", || programs.import_teacher(&ready))?;

    let mut train = programs.trainer(&["train", "--data"]);
    train.arg(&data).args(["--out", "target/demo/run", "--teacher", teacher::NAME]);
    timer.run("fit", &mut train, &ready.root, &[0])?;
    let mut export = programs.trainer(&["export", "target/demo/run", "--out", "target/demo/bundle"]);
    export.args(["--target-fpr", TARGET]);
    timer.run("export", &mut export, &ready.root, &[0])?;

    let mut train = programs.trainer(&["train", "--method", "stpm", "--minutes", "2", "--data"]);
    train.arg(&data).args(["--out", "target/demo/stpm-run", "--teacher", teacher::NAME]);
    timer.run("train a student", &mut train, &ready.root, &[0])?;
    let mut export = programs.trainer(&["export", "target/demo/stpm-run", "--out", "target/demo/stpm"]);
    export.args(["--target-fpr", TARGET]);
    timer.run("export and calibrate the student", &mut export, &ready.root, &[0])?;

    let mut eval =
        programs.trainer(&["eval", "target/demo/bundle", "--beside", "target/demo/stpm", "--data"]);
    eval.arg(&data).args(["--json", "target/demo/eval.json", "--html", "target/demo/index.html"]);
    timer.run("measure both on unseen cells", &mut eval, &ready.root, &[0])?;

    let mut inspect = programs.command("edge-runtime", &["inspect", "--bundle", "target/demo/bundle"]);
    inspect.args(["--overlay", "target/demo/overlays"]).args(unseen_cells(&data)?);
    timer.run("judge cells one by one", &mut inspect, &ready.root, &[0, REJECTED])?;

    summary(&ready, &timer)
}

/// The built programs.
pub struct Programs {
    folder: PathBuf,
    root: PathBuf,
}

impl Programs {
    /// Builds the programs.
    pub fn build(ready: &Ready) -> Result<Self> {
        println!("\nbuilding the programs; this takes several minutes the first time");
        let mut build = workspace::cargo(&ready.root);
        build.args(["build", "--release", "-p", "trainer", "-p", "edge-runtime"]);
        print_and_run(&mut build, &ready.root)?;
        Ok(Self { folder: workspace::release_folder()?, root: ready.root.clone() })
    }

    /// Imports the teacher into the trainer unless it is already there.
    pub fn import_teacher(&self, ready: &Ready) -> Result<()> {
        if is_listed(&mut self.trainer(&["teacher", "list"]))? {
            println!("\nthe teacher {} is already imported", teacher::NAME);
            return Ok(());
        }
        let mut import = self.trainer(&["teacher", "import"]);
        import.arg(teacher::file(&ready.weights)).args(["--name", teacher::NAME]);
        print_and_run(&mut import, &ready.root)
    }

    fn command(&self, name: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new(self.folder.join(name));
        command.current_dir(&self.root).args(arguments);
        command
    }

    /// Returns a command that runs the trainer in the root of the checkout.
    pub fn trainer(&self, arguments: &[&str]) -> Command {
        self.command("trainer", arguments)
    }
}

/// Prints the command line and runs it.
fn print_and_run(command: &mut Command, root: &Path) -> Result<()> {
    println!("\n$ {}", shell::line(command, Some(root)));
    shell::run(command)
}

/// Runs steps and records how long each took.
#[derive(Default)]
struct StepTimer {
    steps: Vec<(&'static str, Duration)>,
}

impl StepTimer {
    /// Does the work and records how long it took.
    fn take<T>(&mut self, step: &'static str, work: impl FnOnce() -> Result<T>) -> Result<T> {
        let start = Instant::now();
        let done = work()?;
        self.steps.push((step, start.elapsed()));
        Ok(done)
    }

    /// Prints the command line and runs it. Fails if the exit code isn't one of the expected ones.
    fn run(
        &mut self,
        step: &'static str,
        command: &mut Command,
        root: &Path,
        expected: &[i32],
    ) -> Result<()> {
        let line = shell::line(command, Some(root));
        println!("\n$ {line}");
        let start = Instant::now();
        let status = command.status().with_context(|| format!("can't start `{line}`"))?;
        if !status.code().is_some_and(|code| expected.contains(&code)) {
            bail!("the demo's step \"{step}\" failed ({status}); its command line is above");
        }
        self.steps.push((step, start.elapsed()));
        Ok(())
    }
}

/// Returns whether the trainer lists the teacher.
fn is_listed(list: &mut Command) -> Result<bool> {
    let output = list.output().with_context(|| format!("can't start `{}`", shell::line(list, None)))?;
    let names = String::from_utf8_lossy(&output.stdout).into_owned();
    Ok(output.status.success() && names.split_whitespace().any(|word| word == teacher::NAME))
}

/// Returns a few test cells, good ones first, spread evenly over their folders.
fn unseen_cells(data: &Path) -> Result<Vec<PathBuf>> {
    let mut cells = Vec::new();
    for folder in ["test/good", "test/defective"] {
        let images = samples::images(&data.join(folder))?;
        cells.extend((0..CELLS).filter_map(|i| images.get(i * images.len() / CELLS).cloned()));
    }
    Ok(cells)
}

fn summary(ready: &Ready, timer: &StepTimer) -> Result<()> {
    let page = ready.root.join(OUT).join("index.html");
    anyhow::ensure!(page.is_file(), "the trainer didn't write {}", page.display());
    println!("\nDone. Time taken:");
    for (step, duration) in &timer.steps {
        println!("  {:<24} {:>7.1} s", step, duration.as_secs_f32());
    }
    println!("\nFigures: {OUT}/eval.json      Anomaly maps of the cells judged one by one: {OUT}/overlays");
    println!("The bundle, ready for a device: {OUT}/bundle");
    println!("Look at the results: file://{}", page.display());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_to_judge_are_spread_over_both_kinds() {
        let folder = tempfile::tempdir().unwrap();
        for (kind, count) in [("test/good", 12), ("test/defective", 3)] {
            std::fs::create_dir_all(folder.path().join(kind)).unwrap();
            for i in 0..count {
                std::fs::write(folder.path().join(kind).join(format!("{i:02}.png")), "").unwrap();
            }
        }
        let cells = unseen_cells(folder.path()).unwrap();
        let names: Vec<_> =
            cells.iter().map(|c| c.strip_prefix(folder.path()).unwrap().display().to_string()).collect();
        assert_eq!(
            names[..4],
            ["test/good/00.png", "test/good/03.png", "test/good/06.png", "test/good/09.png"]
        );
        assert!(names[4..].iter().all(|n| n.starts_with("test/defective/")));
    }

    #[test]
    fn a_reject_is_no_failure_and_another_exit_code_is() {
        let mut timer = StepTimer::default();
        let mut sh = |code: &str| {
            timer.run("step", Command::new("sh").args(["-c", code]), Path::new("/"), &[0, REJECTED]).is_ok()
        };
        assert!(sh("exit 0") && sh("exit 10"));
        assert!(!sh("exit 1") && !sh("exit 12") && !sh("kill -9 $$"));
        assert_eq!(timer.steps.len(), 2);
    }

    #[test]
    fn a_teacher_is_found_by_its_whole_name() {
        let lists = |text: &str| is_listed(Command::new("echo").arg(text)).unwrap();
        assert!(lists("efficientnet-lite0  Apache-2.0\nresnet18"));
        assert!(!lists("efficientnet-lite0-old") && !lists(""));
    }
}
