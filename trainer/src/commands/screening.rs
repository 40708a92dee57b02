//! `trainer train --drop-suspects`: leaves photos that may show bad parts out before anything is learned.

use std::path::PathBuf;

use anyhow::{Context as _, bail};
use bundle::frame_score;
use methods::cross_fit::{CrossFit, steps};
use methods::screening::screen;
use methods::{DynMethod, Flip, METHODS};
use networks::teacher::Teacher;
use serde_json::Value;
use shared_format::{Recipe, Zones};

use crate::method::Method;
use crate::progress;

/// How photos are scored.
pub(super) struct Screening<'a> {
    pub(super) method: Box<dyn DynMethod>,
    pub(super) teacher: &'a Teacher,
    pub(super) recipe: Recipe,
    pub(super) zones: Option<&'a Zones>,
    pub(super) flip: Flip,
    pub(super) seed: u64,
    pub(super) threads: i32,
}

/// Returns the method that scores photos: a fitted method itself; for a trained one, which would have to be trained several times, the
/// default method.
///
/// # Errors
/// If neither can learn from the teacher.
pub(super) fn screening_method(
    method: &dyn Method,
    options: &Value,
    teacher: &Teacher,
) -> anyhow::Result<Box<dyn DynMethod>> {
    if let Some(fitted) = methods::by_name(method.name()) {
        return Ok(fitted.recorded(options.clone())?);
    }
    let default = METHODS.first().context("there is no fitted method")?;
    if !default.supports(teacher) {
        bail!(
            "--drop-suspects looks for suspects with {}, which can't learn from the teacher {}; give a backbone as --teacher, or omit \
             --drop-suspects",
            default.name,
            teacher.name
        );
    }
    Ok(default.defaults())
}

impl Screening<'_> {
    /// Removes the suspects from `normals`, lists them and returns them with their scores.
    ///
    /// # Errors
    /// If there are too many of them, or an image has no score.
    pub(super) fn leave_out(&self, normals: &mut Vec<PathBuf>) -> anyhow::Result<Vec<(PathBuf, f32)>> {
        let parts: Vec<Vec<PathBuf>> = normals.iter().map(|path| vec![path.clone()]).collect();
        let task = CrossFit {
            teacher: self.teacher,
            recipe: self.recipe,
            zones: self.zones,
            method: self.method.as_ref(),
            parts: &parts,
            defects: None,
            seed: self.seed,
            threads: self.threads.max(1) as usize,
        };
        let bar = progress::bar(steps(parts.len(), parts.len(), 0) as u64, "Looking for suspects");
        let suspects =
            screen(&task, self.flip, &|frames| frames.first().map(|zones| frame_score(zones)), &mut || {
                bar.inc(1);
                !progress::stop_requested()
            });
        bar.finish_and_clear();
        let Some(suspects) = suspects? else { bail!("stopped before learning began; nothing was written") };
        let left_out: Vec<(PathBuf, f32)> =
            suspects.iter().map(|suspect| (normals[suspect.part].clone(), suspect.score)).collect();
        eprintln!(
            "{} of {} photos left out as suspects; the files stay where they are",
            left_out.len(),
            normals.len()
        );
        for (path, score) in &left_out {
            eprintln!("left out: {} scores {score:.2}", path.display());
        }
        normals.retain(|path| left_out.iter().all(|(suspect, _)| suspect != path));
        Ok(left_out)
    }
}
