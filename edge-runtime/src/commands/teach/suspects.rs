//! `teach --drop-suspects`: leaves parts that may be bad out before anything is learned.

use std::path::PathBuf;

use anyhow::Result;
use bundle::Suspect;
use methods::Flip;
use methods::cross_fit::CrossFit;
use methods::screening::screen;

use super::print_line;

/// Lists the suspects among the task's parts. Returns the other parts, and the suspects as the bundle records them: a part's first
/// frame and its score.
///
/// # Errors
/// If there are too many, or a part has no score.
pub(super) fn leave_out(
    task: &CrossFit<'_>,
    flip: Flip,
    decide: &dyn Fn(&[Vec<f32>]) -> Option<f32>,
) -> Result<(Vec<Vec<PathBuf>>, Vec<Suspect>)> {
    let found = screen(task, flip, decide, &mut || true)?.unwrap_or_default();
    print_line(&format!(
        "{} of {} parts left out as suspects; their photos stay where they are",
        found.len(),
        task.parts.len()
    ));
    let mut left_out = vec![];
    for suspect in &found {
        let frame = task.parts.get(suspect.part).and_then(|frames| frames.first());
        let name = frame.map(|frame| frame.display().to_string()).unwrap_or_default();
        print_line(&format!("left out: {name} scores {:.2}", suspect.score));
        left_out.push(Suspect { name, score: suspect.score });
    }
    let is_kept = |part: usize| found.iter().all(|suspect| suspect.part != part);
    let kept = task.parts.iter().enumerate().filter(|(part, _)| is_kept(*part));
    Ok((kept.map(|(_, frames)| frames.clone()).collect(), left_out))
}
