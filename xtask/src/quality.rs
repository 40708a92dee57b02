//! `cargo xtask quality`: measures how well each method detects defects, on the sample set and any other available sets; see
//! `trainer quality`.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context, Result, ensure};

use crate::demo::Programs;
use crate::setup::{self, Purpose};
use crate::{shell, teacher};

/// The image AUROC that each method reached on the sample set (`docs/methods.md`, EfficientNet-Lite0, seed 0).
const REACHED: [(&str, f64); 5] = [
    ("local-gaussians", 0.959),
    ("patchcore", 0.954),
    ("padim", 0.957),
    ("stpm", 0.937),
    ("efficientad", 0.948),
];
/// Tolerance for rounding differences between processors; seeds differ by less.
const TOLERANCE: f64 = 0.01;
/// The sample set's name.
const SAMPLES: &str = "elpv";
/// Other sets, if available, relative to the root of the checkout.
const EXTRA_DATA: &str = "../shared/data";
/// The file of known rows, relative to the root of the checkout.
const ROWS: &str = "docs/quality.json";

/// Measures on `sets`, or by default on the sample set and those beside the checkout. `passed_on` is passed on to `trainer quality`.
pub fn run(sets: &[PathBuf], passed_on: &[OsString]) -> Result<()> {
    let ready = setup::run(Purpose::Demo)?;
    let programs = Programs::build(&ready)?;
    programs.import_teacher(&ready)?;
    let mut all = sets.to_vec();
    if all.is_empty() {
        all.push(ready.samples.join(SAMPLES));
        all.extend(sets_in(&ready.root.join(EXTRA_DATA)));
    }
    let mut quality = programs.trainer(&["quality", "--teacher", teacher::NAME, "--json", ROWS]);
    quality.args(passed_on).args(&all);
    println!("\n$ {}", shell::line(&quality, Some(&ready.root)));
    let output = quality.stderr(Stdio::inherit()).output().context("can't start the trainer")?;
    let table = String::from_utf8_lossy(&output.stdout);
    print!("{table}");
    ensure!(output.status.success(), "`trainer quality` failed ({}); see the reason above", output.status);
    let worse: Vec<&str> = REACHED
        .iter()
        .filter(|(method, reached)| {
            image_auroc(&table, method).is_some_and(|found| found < reached - TOLERANCE)
        })
        .map(|(method, _)| *method)
        .collect();
    ensure!(
        worse.is_empty(),
        "worse on the sample set than before, by more than {TOLERANCE}: {}",
        worse.join(", ")
    );
    Ok(())
}

/// Returns the folders with photos for training and testing, ordered by name.
fn sets_in(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut sets: Vec<PathBuf> =
        entries.filter(|set| set.join("train/good").is_dir() && set.join("test").is_dir()).collect();
    sets.sort();
    sets
}

/// Reads the third cell of the method's row for the sample set, without its interval.
fn image_auroc(table: &str, method: &str) -> Option<f64> {
    let row = table.lines().find(|line| line.starts_with(&format!("| {SAMPLES} | {method} |")))?;
    row.split('|').nth(3)?.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_figure_is_the_methods_own_on_the_sample_set() {
        let table = "| set | method | image AUROC | pixel AUROC |\n|---|---|---|---|\n\
                     | caps | padim | 0.5 (0.4 to 0.6) | – |\n\
                     | elpv | padim, published | 0.800 (0.7 to 0.9) | – |\n\
                     | elpv | padim | 0.957 (0.940 to 0.970) | – |\n\
                     | elpv | stpm | training diverged ||\n";
        assert_eq!(image_auroc(table, "padim"), Some(0.957));
        assert_eq!(image_auroc(table, "stpm"), None);
        assert_eq!(image_auroc(table, "patchcore"), None);
    }

    #[test]
    fn sets_are_folders_to_learn_from_and_to_test_with() {
        let root = tempfile::tempdir().unwrap();
        for folder in
            ["b/train/good", "b/test/good", "a/train/good", "a/test/x", "frames/bolts", "c/train/good"]
        {
            std::fs::create_dir_all(root.path().join(folder)).unwrap();
        }
        assert_eq!(sets_in(root.path()), [root.path().join("a"), root.path().join("b")]);
        assert!(sets_in(&root.path().join("absent")).is_empty());
    }
}
