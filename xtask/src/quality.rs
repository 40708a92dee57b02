//! `cargo xtask quality`: how well each method tells the sample set's good cells from bad ones.

use std::path::Path;
use std::time::Instant;

use anyhow::{Context, Result, ensure};

use crate::demo::Programs;
use crate::setup::{self, Purpose};
use crate::{cache, shell, teacher};

/// A method with its options, and the image AUROC that it reached (`docs/methods.md`, EfficientNet-Lite0).
const METHODS: [(&str, &[&str], f64); 4] = [
    ("patchcore", &[], 0.954),
    ("padim", &[], 0.957),
    ("stpm", &[], 0.942),
    ("efficientad", &["--size", "128"], 0.948),
];
/// What other processors' roundings may cost; seeds differ by less.
const ROOM: f64 = 0.01;
/// Where bundles go, below the root of the checkout.
const OUT: &str = "target/quality";

/// Trains, exports and measures each method.
pub fn run() -> Result<()> {
    let ready = setup::run(Purpose::Demo)?;
    let programs = Programs::build(&ready)?;
    programs.import_teacher(&ready)?;
    let data = ready.samples.join("elpv");
    let out = ready.root.join(OUT);
    cache::remove(&out)?;
    let mut rows = vec![];
    for (method, options, published) in METHODS {
        let folder = out.join(method);
        std::fs::create_dir_all(&folder).with_context(|| format!("can't make {}", folder.display()))?;
        let begin = Instant::now();
        let auroc = measure(&programs, method, options, &data, &folder)?;
        rows.push((method, auroc, published, begin.elapsed()));
    }
    println!("\n{:<14} {:>11} {:>10} {:>8}", "method", "image AUROC", "published", "seconds");
    for (method, auroc, published, took) in &rows {
        println!("{method:<14} {auroc:>11.4} {published:>10.3} {:>8.0}", took.as_secs_f64());
    }
    let worse: Vec<&str> =
        rows.iter().filter(|row| row.1 < row.2 - ROOM).map(|(method, ..)| *method).collect();
    ensure!(worse.is_empty(), "worse than published by more than {ROOM}: {}", worse.join(", "));
    Ok(())
}

/// The image AUROC of a bundle that this method makes.
fn measure(programs: &Programs, method: &str, options: &[&str], data: &Path, folder: &Path) -> Result<f64> {
    let (run, bundle) = (folder.join("run"), folder.join("bundle"));
    let mut train = programs.trainer(&["train", "--method", method, "--teacher", teacher::NAME, "--data"]);
    shell::run(train.arg(data).arg("--out").arg(&run).args(options))?;
    shell::run(programs.trainer(&["export"]).arg(&run).arg("--out").arg(&bundle))?;
    let figures = shell::output(programs.trainer(&["eval"]).arg(&bundle).arg("--data").arg(data))?;
    print!("{figures}");
    image_auroc(&figures).with_context(|| format!("`trainer eval` printed no image AUROC for {method}"))
}

/// The second word of the row `all`.
fn image_auroc(figures: &str) -> Option<f64> {
    let row = figures
        .lines()
        .map(str::split_whitespace)
        .find_map(|mut words| if words.next() == Some("all") { words.next() } else { None })?;
    row.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_figure_is_that_of_all_kinds() {
        let figures = "                 image AUROC  pixel AUROC  AUPRO@30%  rejected good  rejected bad\n\
                       defective             0.9000            –          –    6/117 5.1 %  254/313 81.2 %\n\
                       all                   0.9431            –          –    6/117 5.1 %  254/313 81.2 %\n";
        assert_eq!(image_auroc(figures), Some(0.9431));
        assert_eq!(image_auroc("all – – –"), None);
        assert_eq!(image_auroc("threshold 4.2522"), None);
    }
}
