//! Trains, exports and evaluates, as a user would.

use std::path::Path;
use std::time::Instant;

use anyhow::Context as _;
use bundle::dataset::{GOOD, TestSet, test_images};
use bundle::evaluate::{ImageOutcome, evaluate, figures};
use judge::{Bundle, Judge};
use shared_format::Verdict;

use super::job::Job;
use super::row::{Measured, Shares};
use crate::child::{program, succeed};
use crate::progress;
use crate::run::Run;

/// Trains in `scratch`, which must not exist yet, by running this program again, so that a failure stays isolated.
///
/// # Errors
/// The last line of a failed step's output, or why a test image can't be used.
pub fn measure(job: &Job<'_>, scratch: &Path) -> anyhow::Result<Measured> {
    let TestSet { images, .. } = test_images(&job.set.folder)?;
    let run = scratch.join("run");
    let bundles = ["0.01", "0.05"].map(|target| (target, scratch.join(target)));
    let started = Instant::now();
    let mut train = program()?;
    train.args(["train", "--method", job.method, "--teacher", &job.teacher, "--recipe", job.recipe.name()]);
    train.args(["--seed", &job.seed.to_string(), "--data"]).arg(&job.set.folder).arg("--out").arg(&run);
    succeed(&mut train)?;
    let train_s = started.elapsed().as_secs_f64();
    for (target, bundle) in &bundles {
        let mut export = program()?;
        succeed(export.arg("export").arg(&run).arg("--out").arg(bundle).args(["--target-fpr", target]))?;
    }
    let settings = Run::open(&run)?.settings;
    let normals = settings.fit.len() + settings.selection.len() + settings.calibration.len();
    let [(_, strict), (_, loose)] = &bundles;
    let mut judge = Judge::open(strict, 1)?;
    let loose = Bundle::open(loose)?.thresholds.image_threshold;
    let bar = progress::bar(images.len() as u64, "Judging");
    let outcomes = evaluate(&mut judge, &images, &mut || {
        bar.inc(1);
        !progress::stop_requested()
    });
    bar.finish_and_clear();
    let outcomes = outcomes.context("stopped")?;
    let mut times: Vec<f64> =
        outcomes.iter().filter(|o| o.score.is_some()).map(|o| o.took.as_secs_f64() * 1e3).collect();
    times.sort_by(f64::total_cmp);
    Ok(Measured {
        normals,
        figures: figures(&outcomes, judge.bundle().thresholds.image_threshold),
        at_5_percent: shares(&outcomes, loose),
        scores: outcomes.iter().filter_map(|o| Some((o.score?, o.kind != GOOD))).collect(),
        gmac: judge.multiply_adds() as f64 / 1e9,
        frame_ms: times.get(times.len() / 2).copied().context("no test image can be judged")?,
        train_s,
    })
}

/// Returns the shares that another threshold rejects.
fn shares(outcomes: &[ImageOutcome], threshold: f32) -> Shares {
    // Without the pixels: there are many, and no share needs them.
    let again = |outcome: &ImageOutcome| ImageOutcome {
        path: outcome.path.clone(),
        kind: outcome.kind.clone(),
        verdict: outcome.score.map_or(Verdict::Fault, |score| Verdict::of(score, threshold)),
        score: outcome.score,
        zone: outcome.zone,
        took: outcome.took,
        problem: None,
        mask: outcome.mask,
        pixels: None,
    };
    let all = figures(&outcomes.iter().map(again).collect::<Vec<_>>(), threshold).all;
    Shares {
        good: all.fpr_at_threshold,
        defective: all.tpr_at_threshold,
        good_interval: all.intervals.fpr_at_threshold,
        defective_interval: all.intervals.tpr_at_threshold,
    }
}
