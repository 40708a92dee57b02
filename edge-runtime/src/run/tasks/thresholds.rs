//! Thresholds that people have moved.

use shared_format::gateway::{CommandKind, Outcome};

use super::{JudgedWith, Worker};
use crate::clock::WallTime;
use crate::learning::{has_earlier, identity};
use crate::line_file::{LineFile, Product};
use crate::log::limited;
use crate::report::significant;
use crate::run::bundles::LineBundles;
use crate::run::inspector::JudgeUpdate;
use crate::run::line_state::LineState;
use crate::tasks::{Moved, MovedThresholds, ThresholdState};

/// Sets the thresholds that people have moved, as far as the line file still allows them. Returns what each product is judged with.
pub(in crate::run) fn restore(
    line: &LineFile,
    bundles: &mut LineBundles,
    shared: &LineState,
) -> Vec<JudgedWith> {
    let kept = moved_thresholds(line);
    let LineBundles { judges, own, .. } = bundles;
    let products = line.products.iter().zip(own);
    let judged_with: Vec<_> = products
        .filter_map(|(product, &mut index)| {
            let judge = judges.get_mut(index)?;
            let bundle = identity(&product.bundle).unwrap_or_default();
            let mut with = JudgedWith::new(line, index, &judge.bundle().thresholds, bundle);
            let moved = kept.as_ref().and_then(|kept| kept.of(&product.name, &with.bundle, with.bounds));
            with.moved = moved.filter(|moved| judge.set_image_threshold(moved.value).is_ok()).cloned();
            Some(with)
        })
        .collect();
    shared.set_moved_thresholds(sentences(line, &judged_with));
    judged_with
}

/// Returns the thresholds that people have moved; `None` if the line file doesn't accept any, or they can't be read.
pub(super) fn moved_thresholds(line: &LineFile) -> Option<MovedThresholds> {
    let state = line.health.state.as_ref().filter(|_| line.accepts(CommandKind::Threshold))?;
    match MovedThresholds::read(state) {
        Ok(moved) => Some(moved),
        Err(e) => {
            tracing::warn!("parts are judged with the bundles' own thresholds: {e}");
            None
        }
    }
}

fn sentences(line: &LineFile, judged_with: &[JudgedWith]) -> Vec<String> {
    let of = |(product, with): (&Product, &JudgedWith)| {
        let moved = with.moved.as_ref()?;
        let (value, own) = (significant(moved.value), significant(with.own));
        Some(format!("{}: {value} instead of {own}, set by {} at {}", product.name, moved.by, moved.at))
    };
    line.products.iter().zip(judged_with).filter_map(of).collect()
}

impl Worker {
    /// Judges a product with another threshold, or with the bundle's own.
    pub(super) fn set_threshold(&mut self, product: usize, value: Option<f32>, by: &str) -> Outcome {
        let (Some(with), Some(of), Some(kept)) =
            (self.judged_with.get_mut(product), self.line.products.get(product), &mut self.moved)
        else {
            return Outcome::Failed;
        };
        if value.is_some_and(|value| !with.bounds.include(value)) {
            return Outcome::Refused;
        }
        let moved = value.filter(|value| *value != with.own).map(|value| Moved {
            product: of.name.clone(),
            bundle: with.bundle.clone(),
            value,
            by: by.to_owned(),
            at: WallTime::now(),
        });
        // First the disk: after a power cut the line judges as it said it would.
        if let Err(e) = kept.set(&of.name, moved.clone()) {
            limited!(warn, "{e}");
            return Outcome::Failed;
        }
        let before = with.used();
        with.moved = moved;
        let value = with.used();
        tracing::info!("{by} has set the threshold of {} to {value}, before {before}", of.name);
        let update = JudgeUpdate::Threshold { judge: with.judge, value };
        let is_sent = self.updates.try_send(update).is_ok();
        self.show_thresholds();
        if is_sent { Outcome::Done } else { Outcome::Failed }
    }

    pub(super) fn show_thresholds(&mut self) {
        let state = |(product, with): (&Product, &JudgedWith)| ThresholdState {
            product: product.name.clone(),
            bundle: with.bundle.clone(),
            own: with.own,
            used: with.used(),
            lowest: with.bounds.lowest,
            highest: with.bounds.highest,
            by: with.moved.as_ref().map(|moved| moved.by.clone()),
            at: with.moved.as_ref().map(|moved| moved.at),
            can_roll_back: has_earlier(&product.bundle),
        };
        self.board.thresholds = self.line.products.iter().zip(&self.judged_with).map(state).collect();
        self.shared.set_moved_thresholds(sentences(&self.line, &self.judged_with));
        self.is_changed = true;
    }
}
