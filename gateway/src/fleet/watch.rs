//! Follows bundles on trial.

use std::collections::BTreeMap;
use std::time::Duration;

use fleet::Progress;
use shared_format::gateway::Task;
use shared_format::{Reason, Verdict};
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;
use tokio::time::{Instant, sleep};

use super::Follower;
use super::poll::Pauses;
use super::trial::{Judgement, Limits, Trial};
use crate::line::{Event, Part};

/// How often bundles on trial are looked at.
const TICK: Duration = Duration::from_secs(1);
/// How often the counts of a trial are written.
const SAVE_EVERY: u64 = 30;
/// How often the board reports without a change.
const REPORT_EVERY: Duration = Duration::from_secs(600);
/// The alarm that speaks against a bundle; others speak of cameras, gates and encoders.
const ALARM: &str = "rejects_in_a_row";

impl Follower {
    /// Counts parts and alarms of bundles on trial.
    pub(super) async fn collect(&self, mut events: Receiver<Event>) {
        loop {
            match events.recv().await {
                Ok(Event::Part(part)) => self.count(&part),
                Ok(Event::Alarm { name: ALARM, active: true, .. }) => self.note_alarm(),
                Ok(Event::Changed) => self.changed.notify_one(),
                // This task takes events as they come; a few parts more or less change no trial.
                Ok(Event::Alarm { .. } | Event::Fleet(_)) | Err(RecvError::Lagged(_)) => {}
                Err(RecvError::Closed) => return,
            }
        }
    }

    fn count(&self, part: &Part) {
        let telegram = &part.message.telegram;
        // What the bundle has no part in, such as a held line or a lost trigger, doesn't count.
        let is_of_bundle = matches!(
            telegram.reason,
            Reason::Verdict | Reason::Fault | Reason::Missing | Reason::OtherProduct
        );
        let mut state = self.state();
        let trial = state.kept.trials.iter_mut().find(|trial| trial.product == part.product);
        if let Some(trial) = trial.filter(|trial| trial.begun && is_of_bundle) {
            trial.parts += 1;
            trial.rejected += u64::from(telegram.verdict != Some(Verdict::Pass));
        }
    }

    fn note_alarm(&self) {
        let product = self.hub.line().product().to_owned();
        let mut state = self.state();
        let trial = state.kept.trials.iter_mut().find(|trial| trial.product == product);
        // An alarm that stands since before the gateway was started speaks of the bundle before.
        if let Some(trial) = trial.filter(|trial| trial.begun && trial.rejected > 0) {
            trial.alarm.get_or_insert_with(|| ALARM.to_owned());
        }
    }

    /// Looks at bundles on trial, and reports what has changed.
    pub(super) async fn watch(&self) {
        let mut reported: Option<Instant> = None;
        let mut pauses = BTreeMap::new();
        loop {
            sleep(TICK).await;
            self.look(&mut pauses).await;
            let is_changed = std::mem::take(&mut self.state().is_changed);
            if is_changed || reported.is_none_or(|at| at.elapsed() >= REPORT_EVERY) {
                reported = Some(Instant::now());
                self.report();
            }
        }
    }

    /// Looks at each bundle on trial. `pauses` are those between attempts to go back, by product.
    async fn look(&self, pauses: &mut BTreeMap<String, Pauses>) {
        let trials = self.state().kept.trials.clone();
        if trials.is_empty() || !self.hub.line().connected {
            return;
        }
        // The follower says why if it can't be read.
        let Ok(in_use) = self.in_use().await else { return };
        for trial in trials {
            let is_in_use = in_use.get(&trial.product) == Some(&trial.identity);
            match (is_in_use, trial.begun, &trial.back) {
                (false, _, Some(why)) => self.went_back(&trial, why).await,
                // The line has another one by now, from a person or an earlier round.
                (false, true, None) => self.end(&trial).await,
                // It was not taken up yet.
                (false, false, None) => {}
                (true, _, Some(why)) => {
                    let earlier = pauses.get(&trial.product).copied();
                    if earlier.is_some_and(|pauses| Instant::now() < pauses.until()) {
                        continue;
                    }
                    if self.go_back(&trial, why).await {
                        pauses.remove(&trial.product);
                    } else {
                        pauses.insert(trial.product.clone(), Pauses::after(earlier));
                    }
                }
                (true, _, None) => self.judge(&trial).await,
            }
        }
    }

    async fn judge(&self, seen: &Trial) {
        let limits = Limits {
            seconds: 60 * u64::from(self.config.watch_minutes),
            max_share: self.config.max_reject_share,
        };
        let judgement = {
            let mut state = self.state();
            let Some(trial) = state.kept.trials.iter_mut().find(|trial| is_same(trial, seen)) else { return };
            trial.begun = true;
            trial.seconds += TICK.as_secs();
            let judgement = trial.judge(limits);
            if let Judgement::GoBack(why) = &judgement {
                trial.back = Some(why.clone());
            }
            if judgement == Judgement::Wait && !trial.seconds.is_multiple_of(SAVE_EVERY) && trial.seconds > 1
            {
                return;
            }
            judgement
        };
        match judgement {
            Judgement::Passed => self.end(seen).await,
            // The next look goes back: first the disk, so that a power cut changes nothing about it.
            Judgement::GoBack(_) | Judgement::Wait => self.save().await,
        }
    }

    /// Has the line go back. Returns whether it did.
    async fn go_back(&self, trial: &Trial, why: &str) -> bool {
        let Some(number) = self.hub.line().number_of(&trial.product) else { return true };
        tracing::warn!("fleet: {} goes back: {why}", trial.product);
        match self.carry_out(number, Task::RollBack, "roll_back").await {
            Ok(_) => {
                self.went_back(trial, why).await;
                true
            }
            Err(e) => {
                self.set(
                    &trial.product,
                    Progress::Failed,
                    Some(format!("{why}, but it can't go back: {e:#}")),
                );
                false
            }
        }
    }

    async fn went_back(&self, trial: &Trial, why: &str) {
        self.state().kept.refuse(&trial.product, &trial.identity, why);
        self.save().await;
        self.set(&trial.product, Progress::WentBack, Some(why.to_owned()));
        self.changed.notify_one();
    }

    async fn end(&self, ended: &Trial) {
        self.state().kept.trials.retain(|trial| !is_same(trial, ended));
        self.save().await;
        self.changed.notify_one();
    }
}

fn is_same(a: &Trial, b: &Trial) -> bool {
    (&a.product, &a.identity) == (&b.product, &b.identity)
}
