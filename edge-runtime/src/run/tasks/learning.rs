//! Learning, teaching and installing, by another process, and the bundle that comes of it.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use judge::Engine;
use shared_format::Recipe;
use shared_format::gateway::{Outcome, TaskRequest};

use super::{JudgedWith, Running, Worker};
use crate::clock::WallTime;
use crate::files::bundles::{check_first_golden, warn_of_emulation, zone_levels};
use crate::learning::{self, LearnReport, beside_of, identity};
use crate::log::limited;
use crate::run::inspector::JudgeUpdate;
use crate::tasks::{Learner, LearnerEnd, Lesson, TaskState, TaskStatus};
use crate::trust::LineTrust;

impl Worker {
    pub(super) fn start_teaching(&mut self, request: &TaskRequest, apply: bool) -> Outcome {
        let Some(photos) = self.photos_of(request.product) else { return Outcome::Failed };
        let folder = if apply {
            match photos.keep(WallTime::now()) {
                Ok(folder) => folder,
                Err(e) => {
                    limited!(warn, "{e}");
                    return Outcome::Failed;
                }
            }
        } else {
            photos.folder(false)
        };
        self.show_photos(|state| state.taking = false);
        let word = if apply { "teach" } else { "try_teaching" };
        let outcome = self.start_learner(request, word, &Lesson::Photos { folder: folder.clone(), apply });
        match &mut self.learner {
            Some(running) if apply => running.kept = Some(folder),
            _ => {}
        }
        outcome
    }

    pub(super) fn start_learner(
        &mut self,
        request: &TaskRequest,
        task: &'static str,
        lesson: &Lesson,
    ) -> Outcome {
        let product = usize::from(request.product);
        let Some(name) = self.line.products.get(product).map(|product| &product.name) else {
            return Outcome::Refused;
        };
        match Learner::start(&self.line.path, name, &self.records, lesson) {
            Ok(learner) => {
                let applies = !matches!(
                    lesson,
                    Lesson::Decisions { apply: false } | Lesson::Photos { apply: false, .. }
                );
                self.learner = Some(Running { learner, product, applies, kept: None });
            }
            Err(e) => {
                limited!(
                    warn,
                    "cannot start the program for {task}: {e}; check memory, space and permissions"
                );
                return Outcome::Failed;
            }
        }
        self.board.task = Some(TaskState {
            task,
            product: request.product,
            status: TaskStatus::Running,
            by: request.by.as_str().to_owned(),
            at: WallTime::now(),
            in_use: false,
            is_current: true,
            report: None,
        });
        self.is_changed = true;
        Outcome::Begun
    }

    pub(super) fn stop(&mut self) -> Outcome {
        self.show_photos(|state| state.taking = false);
        if let Some(mut running) = self.learner.take() {
            running.learner.kill();
            self.finish(running, TaskStatus::Stopped, LearnReport::default());
        }
        Outcome::Done
    }

    pub(super) fn look_after_learner(&mut self) {
        let Some(mut running) = self.learner.take() else { return };
        let (status, report) = match running.learner.end() {
            None => {
                self.learner = Some(running);
                return;
            }
            Some(LearnerEnd::Done(report)) => (TaskStatus::Done, report),
            Some(LearnerEnd::Refused(report)) => (TaskStatus::Refused, report),
            Some(LearnerEnd::Failed(report)) => (TaskStatus::Failed, report),
        };
        self.finish(running, status, report);
    }

    /// Takes up the bundle that is in place by now, if it is another one, and shows what came of the task.
    pub(super) fn finish(&mut self, running: Running, mut status: TaskStatus, mut report: LearnReport) {
        let Running { product, applies, kept, learner } = running;
        drop(learner);
        let Some(of) = self.line.products.get(product).cloned() else { return };
        let in_place = identity(&of.bundle).ok();
        let is_other = self.judged_with.get(product).map(|with| &with.bundle) != in_place.as_ref();
        let mut in_use = false;
        if applies && is_other {
            match self.take_up(product) {
                Ok(()) => in_use = true,
                Err(e) => {
                    limited!(warn, "{}: the bundle that is in place can't be used yet: {e:#}", of.name);
                    status = TaskStatus::Failed;
                    report.error =
                        Some(format!("the bundle is in place, but is not used before the next start: {e:#}"));
                }
            }
        }
        if let Some(kept) = kept {
            let lesson_of =
                |bundle: &Path| learning::Lesson::read(bundle).ok().flatten().map(|lesson| lesson.photos());
            let of_lessons = [Some(of.bundle.clone()), beside_of(&of.bundle)].into_iter().flatten();
            let mut needed: Vec<PathBuf> = of_lessons.filter_map(|bundle| lesson_of(&bundle)).collect();
            if is_other {
                needed.push(kept);
            }
            if let Some((_, photos)) = self.photos.as_ref().filter(|(of, _)| usize::from(*of) == product) {
                photos.forget_all_but(&needed);
            }
        }
        if let Some(task) = &mut self.board.task {
            tracing::info!("{} of {}: {status:?}", task.task, of.name);
            (task.status, task.in_use, task.report) = (status, in_use, Some(report));
        }
        self.show_thresholds();
    }

    /// Opens the bundle that is in place and has the inspector judge with it.
    pub(super) fn take_up(&mut self, product: usize) -> Result<()> {
        let of = self.line.products.get(product).context("there is no such product")?;
        let trust = LineTrust::of(&self.line)?;
        let (mut judge, signed) = trust.open(Engine::default(), of, self.line.threads.into())?;
        warn_of_emulation(&mut judge);
        check_first_golden(&mut judge)?;
        let votes = self.line.vote_count(&zone_levels(&judge))?;
        let thresholds = &judge.bundle().thresholds;
        let before = self.judged_with.get(product).context("there is no such product")?;
        let mut with = JudgedWith::new(&self.line, before.judge, thresholds, identity(&of.bundle)?);
        let Recipe { roi, .. } = thresholds.recipe;
        ensure!(roi == before.roi, "it judges another region of the frames; restart the line");
        trust.remember(&[(of.name.as_str(), signed.as_ref())])?;
        let moved = self.moved.as_ref().and_then(|kept| kept.of(&of.name, &with.bundle, with.bounds));
        with.moved = moved.filter(|moved| judge.set_image_threshold(moved.value).is_ok()).cloned();
        let update = JudgeUpdate::Bundle { judge: with.judge, opened: Box::new(judge), votes };
        self.updates.try_send(update).ok().context("the inspector takes nothing up; restart the line")?;
        if let Some(place) = self.judged_with.get_mut(product) {
            *place = with;
        }
        Ok(())
    }
}
