//! Takes good parts from a line's own camera and trigger.

use shared_format::Roi;

use super::{PartError, PartSource, SourcedPart};
use crate::capture::Captured;
use crate::line_file::LineFile;
use crate::trigger::parts::{LineParts, LinePartsError, Look};
use crate::trigger::waiting::TriggerError;

/// The parts seen by a line's camera and trigger, numbered from 1.
pub struct CountedParts {
    parts: LineParts,
    number: u64,
}

impl CountedParts {
    /// Opens camera and trigger; `region` is the region of interest of the product's bundle.
    ///
    /// # Errors
    /// [`LinePartsError`]
    pub fn open(line: &LineFile, region: Option<Roi>) -> Result<Self, LinePartsError> {
        Ok(Self { parts: LineParts::open(line, region)?, number: 0 })
    }
}

impl PartSource for CountedParts {
    fn next_part(&mut self) -> Result<Option<SourcedPart>, TriggerError> {
        let frames = loop {
            match self.parts.look()? {
                Look::Ended => return Ok(None),
                Look::Nothing => {}
                Look::Part(frames) => break frames,
            }
        };
        self.number += 1;
        let decode = |captured: &Captured| {
            captured.frame().cloned().map_err(|e| PartError::Undecodable(e.to_string()))
        };
        let frames = match frames {
            Ok(frames) => frames.iter().map(|captured| decode(captured)).collect(),
            Err(e) => Err(e.into()),
        };
        Ok(Some(SourcedPart { name: format!("part {}", self.number), frames }))
    }
}
