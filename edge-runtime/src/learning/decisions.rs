//! The decided records of a product.

use std::path::PathBuf;

use shared_format::Verdict;

use crate::record::RecordName;
use crate::review::{Decision, Entry, Review, ReviewError, ReviewedRecord};

/// A record that someone decided on, and its frame.
#[derive(Debug, Clone)]
pub struct DecidedRecord {
    /// Its name.
    pub name: RecordName,
    /// The decision.
    pub entry: Entry,
    /// The frame that decided the part.
    pub frame: PathBuf,
}

/// The decided records of a product, oldest first.
#[derive(Debug, Default)]
pub struct Decisions {
    /// Good parts that were rejected.
    pub false_alarms: Vec<DecidedRecord>,
    /// Bad parts, whether they were rejected or passed.
    pub defects: Vec<DecidedRecord>,
    /// Parts that nobody could tell.
    pub unsure: Vec<DecidedRecord>,
    /// One sentence for each record that can't be used.
    pub skipped: Vec<String>,
}

impl Decisions {
    /// Collects the decisions on records of a product that its bundle has judged: `is_judged` says whether it judges a view. Those of a view with a
    /// bundle of its own are left out.
    ///
    /// # Errors
    /// If the records can't be read.
    pub fn of(review: &Review, product: &str, is_judged: impl Fn(&str) -> bool) -> Result<Self, ReviewError> {
        let listing = review.list()?;
        let mut decisions = Self::default();
        decisions.skipped.extend(listing.damaged.iter().map(|damaged| damaged.reason.to_string()));
        for record in listing.records.iter().filter(|record| record.description.product == product) {
            let Some(entry) = record.decision() else { continue };
            if let Some(view) = record.description.view.as_deref().filter(|view| !is_judged(view)) {
                decisions.skipped.push(format!(
                    "{}: it shows the view {view}, which has a bundle of its own; teach that one with `edge-runtime teach --from`",
                    record.name
                ));
                continue;
            }
            match usable(record) {
                Ok(frame) => {
                    let decided = DecidedRecord { name: record.name, entry: entry.clone(), frame };
                    match entry.decision {
                        Decision::FalseAlarm => decisions.false_alarms.push(decided),
                        Decision::Defect => decisions.defects.push(decided),
                        Decision::Unsure | Decision::Undecided => decisions.unsure.push(decided),
                    }
                }
                Err(reason) => decisions.skipped.push(format!("{}: {reason}", record.name)),
            }
        }
        Ok(decisions)
    }

    /// Returns the number of usable decisions.
    #[must_use]
    pub fn len(&self) -> usize {
        self.false_alarms.len() + self.defects.len() + self.unsure.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

fn usable(record: &ReviewedRecord) -> Result<PathBuf, &'static str> {
    if record.description.of_part() == Verdict::Fault {
        return Err("its part was a fault, so there is no score to learn from");
    }
    record.frame().ok_or("its frame was not kept; set records.frames = true in the line file")
}
