//! Trains a candidate and judges the known defects.

use std::ffi::OsString;
use std::path::Path;
use std::time::Instant;

use anyhow::{Context as _, bail};
use judge::Judge;
use shared_format::Verdict;

use super::candidate::Candidate;
use super::defects::KnownDefects;
use crate::child::{program, succeed};
use crate::run::Run;
use crate::{progress, registry};

/// How a candidate scores the known defects.
#[derive(Debug, Clone, PartialEq)]
pub struct Measured {
    /// For each defect, the share of held-out normals that score lower, 0..1; equal scores count half. Their mean is the AUROC. A
    /// defect without a score has 0.
    pub ranks: Vec<f64>,
    /// Number of held-out normals.
    pub normals: usize,
    /// Defects that the exported threshold rejects.
    pub found: usize,
    /// Billions of multiply-adds per frame.
    pub gmac: f64,
    /// Milliseconds to judge a decoded frame on one thread: the median.
    pub frame_ms: f64,
    /// Seconds to train.
    pub train_s: f64,
}

/// What every candidate is given.
#[derive(Debug, Clone, Copy)]
pub struct Task<'a> {
    /// The folder of good images.
    pub data: &'a Path,
    /// The known defects.
    pub defects: &'a KnownDefects,
    /// The target false-positive rate of the threshold.
    pub target_fpr: f64,
    /// Further options of `trainer train`, the same for all candidates.
    pub options: &'a [OsString],
}

impl Measured {
    /// Returns the image AUROC of the known defects against the held-out normals.
    #[must_use]
    pub fn auroc(&self) -> f64 {
        self.ranks.iter().sum::<f64>() / self.ranks.len() as f64
    }

    /// Returns the AUROC of the kind that is found worst.
    #[must_use]
    pub fn worst_kind<'d>(&self, defects: &'d KnownDefects) -> Option<(&'d str, f64)> {
        let of = |(kind, count): (&'d str, usize)| {
            let ranks = self.ranks.iter().zip(&defects.images).filter(|(_, image)| image.1 == kind);
            (kind, ranks.map(|(rank, _)| rank).sum::<f64>() / count as f64)
        };
        defects.kinds().into_iter().map(of).min_by(|a, b| a.1.total_cmp(&b.1))
    }
}

/// Trains in `scratch`, an empty folder, by running this program again, so that a failure stays isolated.
///
/// # Errors
/// The last line of a failed step's output, or why nothing can be judged.
pub fn measure(candidate: &Candidate, task: Task<'_>, scratch: &Path) -> anyhow::Result<Measured> {
    let (run, bundle) = (scratch.join("run"), scratch.join("bundle"));
    let started = Instant::now();
    let mut train = program()?;
    train.arg("train").args(candidate.options()).args(task.options);
    succeed(train.arg("--data").arg(task.data).arg("--out").arg(&run))?;
    let train_s = started.elapsed().as_secs_f64();
    let mut export = program()?;
    export.arg("export").arg(&run).arg("--out").arg(&bundle);
    succeed(export.args(["--target-fpr", &task.target_fpr.to_string()]))?;

    let mut judge = Judge::open(&bundle, 1)?;
    let mut normals = normal_scores(&Run::open(&run)?, &mut judge)?;
    normals.sort_by(f32::total_cmp);
    let (mut ranks, mut found, mut times) = (vec![], 0, vec![]);
    for (path, _) in &task.defects.images {
        if progress::stop_requested() {
            bail!("stopped");
        }
        let (_, judgement) = judge.judge_from(|| judge::decode_file(path));
        found += usize::from(judgement.verdict == Verdict::Reject);
        if judgement.score.is_some() {
            times.push((judgement.times.total() - judgement.times.decode).as_secs_f64() * 1e3);
        }
        ranks.push(judgement.score.map_or(0.0, |score| rank(&normals, score)));
    }
    times.sort_by(f64::total_cmp);
    let frame_ms = times.get(times.len() / 2).copied().context("no known defect can be judged")?;
    let gmac = judge.multiply_adds() as f64 / 1e9;
    Ok(Measured { ranks, normals: normals.len(), found, gmac, frame_ms, train_s })
}

/// Returns the scores of normals that the model hasn't learned from.
fn normal_scores(run: &Run, judge: &mut Judge) -> anyhow::Result<Vec<f32>> {
    let method = registry::by_name(&run.settings.method).with_context(|| {
        format!("this trainer doesn't know the method {}; update it", run.settings.method)
    })?;
    if let Some((calibrator, _)) = method.calibrator(run)? {
        return Ok(calibrator.scores().to_vec());
    }
    let score = |path: &std::path::PathBuf| judge.judge_from(|| judge::decode_file(path)).1.score;
    Ok(run.settings.paths(&run.settings.calibration).iter().filter_map(score).collect())
}

/// Returns the share of ascending scores below `score`; equal ones count half.
fn rank(ascending: &[f32], score: f32) -> f64 {
    let below = ascending.partition_point(|normal| *normal < score);
    let up_to = ascending.partition_point(|normal| *normal <= score);
    if ascending.is_empty() { 0.0 } else { (below + up_to) as f64 / (2 * ascending.len()) as f64 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rank_is_the_share_of_normals_below() {
        let normals = [1.0, 2.0, 2.0, 3.0];
        assert_eq!([0.5, 2.0, 2.5, 9.0].map(|score| rank(&normals, score)), [0.0, 0.5, 0.75, 1.0]);
        assert_eq!(rank(&[], 1.0), 0.0);
    }

    #[test]
    fn the_kind_that_is_found_worst_is_named() {
        let image = |kind: &str| (std::path::PathBuf::new(), kind.to_owned());
        let images = vec![image("dent"), image("scratch"), image("scratch")];
        let defects = KnownDefects { images, unused: Default::default() };
        let ranks = vec![0.9, 0.5, 0.7];
        let measured = Measured { ranks, normals: 5, found: 0, gmac: 0.0, frame_ms: 0.0, train_s: 0.0 };
        let (kind, auroc) = measured.worst_kind(&defects).unwrap();
        assert_eq!(kind, "scratch");
        assert!((auroc - 0.6).abs() < 1e-12 && (measured.auroc() - 0.7).abs() < 1e-12);
    }
}
