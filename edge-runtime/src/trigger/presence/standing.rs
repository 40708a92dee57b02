//! What differs from the empty belt and doesn't move: dirt, or a part on a stopped belt.

use std::time::Duration;

use super::belt::rate;
use super::share_of;

/// What is seen for this much longer than anything else stands.
const STANDING_TIME: Duration = Duration::from_secs(10);
/// Share of a cell's brightness by which it may change without showing something else.
const FLICKER: f32 = 0.25;
/// It has gone when the belt shows for this long: what passes over it may look like the belt.
const RELEASE_TIME: Duration = Duration::from_secs(1);
/// Time in which two thirds of a change of what may stand are learnt.
const LEARN_TIME: Duration = Duration::from_secs(1);

/// For each cell, what was seen there most of the time other than the belt, after the majority vote of Boyer and Moore: a part that
/// passes over dirt doesn't hide it for long.
#[derive(Debug)]
pub(super) struct Standing {
    columns: usize,
    candidates: Vec<f32>,
    /// For how much longer the candidate was seen than anything else.
    leads: Vec<Duration>,
    covered: Vec<bool>,
}

impl Standing {
    /// Starts with a first frame's cells, in rows of `columns`.
    pub(super) fn new(cells: &[f32], columns: usize) -> Self {
        let (leads, covered) = (vec![Duration::ZERO; cells.len()], vec![false; cells.len()]);
        Self { columns, candidates: cells.to_vec(), leads, covered }
    }

    /// Looks at the next frame, `passed` after the one before it.
    pub(super) fn watch(
        &mut self,
        cells: &[f32],
        gain: f32,
        differing: &[bool],
        contrast: f32,
        passed: Duration,
    ) {
        let learnt = rate(passed, LEARN_TIME);
        let seen = cells.iter().zip(differing);
        let mut is_new = false;
        let known = self.candidates.iter_mut().zip(&mut self.leads).zip(&mut self.covered);
        for (((candidate, lead), covered), (cell, differs)) in known.zip(seen) {
            let cell = cell / gain;
            // Bands of a flickering lamp change bright cells by more than dark ones.
            let is_candidate = *differs && (*candidate - cell).abs() <= contrast.max(FLICKER * *candidate);
            if is_candidate {
                *lead += passed;
                *candidate += (cell - *candidate) * learnt;
            } else {
                *lead = lead.saturating_sub(passed);
                if lead.is_zero() && !*covered {
                    *candidate = cell;
                }
            }
            *lead = (*lead).min(STANDING_TIME);
            let was_covered = *covered;
            *covered = *lead >= STANDING_TIME || *covered && *lead + RELEASE_TIME > STANDING_TIME;
            is_new |= *covered && !was_covered;
        }
        // Where parts pass over it, what stands takes longer to show.
        if is_new {
            for (lead, covered) in self.leads.iter_mut().zip(&mut self.covered) {
                if 2 * *lead >= STANDING_TIME && !*covered {
                    (*lead, *covered) = (STANDING_TIME, true);
                }
            }
        }
    }

    /// Returns the share of the cells in which something stands.
    pub(super) fn share(&self) -> f32 {
        share_of(&self.covered)
    }

    /// Returns whether something stands in each cell.
    pub(super) fn covered(&self) -> &[bool] {
        &self.covered
    }

    /// Returns what stands in the covered cells.
    pub(super) fn candidates(&self) -> &[f32] {
        &self.candidates
    }

    /// Returns whether most of what stands still differs from the belt in this frame.
    pub(super) fn is_there(&self, differing: &[bool]) -> bool {
        let covered = self.covered.iter().filter(|covered| **covered).count();
        let there = self.covered.iter().zip(differing).filter(|(covered, differs)| **covered && **differs);
        5 * there.count() >= 4 * covered
    }

    /// Returns the covered cells among those that differ.
    pub(super) fn present(&self, differing: &[bool]) -> Vec<bool> {
        self.covered.iter().zip(differing).map(|(covered, differs)| *covered && *differs).collect()
    }

    /// Compares with what stands instead of the belt: in covered cells the belt differs, or a part that looks like it.
    pub(super) fn compare(&self, differing: &mut [bool]) {
        differing.iter_mut().zip(&self.covered).for_each(|(differs, covered)| *differs ^= covered);
    }

    /// Returns whether most of the cells that differ from what stands are connected with it, and the belt shows where it stood: it
    /// moves. A part that touches it hides it instead.
    pub(super) fn has_moved(&self, differing: &[bool]) -> bool {
        let mut reached = self.covered.clone();
        let mut open: Vec<usize> = (0..reached.len()).filter(|at| reached.get(*at) == Some(&true)).collect();
        let covered = open.len();
        let freed = self.present(differing).iter().filter(|freed| **freed).count();
        let different = differing.iter().filter(|differs| **differs).count();
        if 8 * freed <= covered.min(different) {
            return false;
        }
        let mut moved = freed;
        while let Some(at) = open.pop() {
            let (row, column) = (at / self.columns, at % self.columns);
            for row in row.saturating_sub(1)..=row + 1 {
                for column in column.saturating_sub(1)..=(column + 1).min(self.columns - 1) {
                    let next = row * self.columns + column;
                    if differing.get(next) == Some(&true)
                        && let Some(reached) = reached.get_mut(next).filter(|reached| !**reached)
                    {
                        *reached = true;
                        moved += 1;
                        open.push(next);
                    }
                }
            }
        }
        2 * moved > different
    }

    /// Forgets everything.
    pub(super) fn clear(&mut self) {
        self.leads.fill(Duration::ZERO);
        self.covered.fill(false);
    }
}
