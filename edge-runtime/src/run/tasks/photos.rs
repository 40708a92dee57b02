//! Photos of parts, as the line takes them.

use std::sync::atomic::Ordering;

use shared_format::conformal::marginal_bound;
use shared_format::gateway::{CommandKind, Outcome};

use super::{NONE, Worker};
use crate::capture::CapturedFrame;
use crate::log::limited;
use crate::tasks::{PhotoError, PhotoState, Photos};

/// The most photos that can be asked for.
const MAX_WANTED: u16 = 1000;

impl Worker {
    /// Finds the photos of an earlier run.
    pub(super) fn find_photos(&mut self) {
        if !self.line.accepts(CommandKind::Teach) {
            return;
        }
        for (index, product) in (0..).zip(&self.line.products) {
            let opened = Photos::open(&self.records, &product.name, self.line.records.max_photos_mib);
            if let Ok(photos) = opened
                && photos.numbers(false).chain(photos.numbers(true)).next().is_some()
            {
                self.photos = Some((index, photos));
                self.show_photos(|_| {});
                return;
            }
        }
    }

    /// Returns the photos of a product.
    pub(super) fn photos_of(&mut self, product: u16) -> Option<&mut Photos> {
        if self.photos.as_ref().is_none_or(|(of, _)| *of != product) {
            let name = &self.line.products.get(usize::from(product))?.name;
            match Photos::open(&self.records, name, self.line.records.max_photos_mib) {
                Ok(photos) => {
                    self.common.product.store(NONE, Ordering::Relaxed);
                    self.photos = Some((product, photos));
                    self.board.photos = None;
                }
                Err(e) => {
                    limited!(warn, "{e}");
                    return None;
                }
            }
        }
        self.photos.as_mut().map(|(_, photos)| photos)
    }

    /// Shows the photos, after a change.
    pub(super) fn show_photos(&mut self, change: impl FnOnce(&mut PhotoState)) {
        let Some((product, photos)) = &self.photos else { return };
        let count = u32::try_from(photos.count()).unwrap_or(u32::MAX);
        let before = self.board.photos.take();
        let before_taught = before.as_ref().map(|state| state.taught.clone());
        let mut state = PhotoState {
            product: *product,
            folder: photos.name().to_owned(),
            taking: before.as_ref().is_some_and(|state| state.taking),
            wanted: before.as_ref().map_or(0, |state| state.wanted),
            taught: photos.numbers(false).collect(),
            out: photos.numbers(true).collect(),
            claim: marginal_bound(count, 1),
            problem: before.and_then(|state| state.problem),
        };
        change(&mut state);
        if let Some(task) = self.board.task.as_mut().filter(|task| task.product == *product) {
            task.is_current &= before_taught.is_none_or(|taught| taught == state.taught);
        }
        self.common.product.store(if state.taking { *product } else { NONE }, Ordering::Relaxed);
        self.board.photos = Some(state);
        self.is_changed = true;
    }

    pub(super) fn take_photos(&mut self, product: u16, parts: u16) -> Outcome {
        if parts > MAX_WANTED {
            return Outcome::Refused;
        }
        let Some(photos) = self.photos_of(product) else { return Outcome::Failed };
        let taking = photos.count() < usize::from(parts);
        self.show_photos(|state| (state.taking, state.wanted, state.problem) = (taking, parts, None));
        Outcome::Begun
    }

    pub(super) fn add_photo(&mut self, product: u16, frame: &CapturedFrame) {
        let is_taking = self.board.photos.as_ref().is_some_and(|state| state.taking);
        let Some((of, photos)) = &mut self.photos else { return };
        if !is_taking || *of != product {
            return;
        }
        let added = frame
            .to_photo()
            .and_then(|(extension, bytes)| photos.add(extension, &bytes).map_err(|e| e.to_string()));
        let count = photos.count();
        let problem = added.err();
        if let Some(problem) = &problem {
            limited!(warn, "no more photos are taken: {problem}");
        }
        self.show_photos(|state| {
            state.taking = problem.is_none() && count < usize::from(state.wanted);
            state.problem = problem;
        });
    }

    pub(super) fn leave_out(&mut self, product: u16, photo: u32, out: bool) -> Outcome {
        let Some(photos) = self.photos_of(product) else { return Outcome::Failed };
        let outcome = match photos.leave_out(photo, out) {
            Ok(()) => Outcome::Done,
            Err(PhotoError::Gone(_)) => Outcome::Gone,
            Err(e) => {
                limited!(warn, "{e}");
                Outcome::Failed
            }
        };
        self.show_photos(|_| {});
        outcome
    }

    pub(super) fn discard_photos(&mut self, product: u16) -> Outcome {
        let Some(photos) = self.photos_of(product) else { return Outcome::Failed };
        let discarded = photos.discard();
        self.show_photos(|state| state.taking = false);
        match discarded {
            Ok(()) => Outcome::Done,
            Err(e) => {
                limited!(warn, "{e}");
                Outcome::Failed
            }
        }
    }
}
