//! Takes good parts from a line's own camera and trigger.

use shared_format::Roi;

use super::{CalibrationPart, PartError, PartSource};
use crate::capture::CapturedFrame;
use crate::line_file::LineFile;
use crate::trigger::parts::{LineParts, LinePartsError, PollResult};
use crate::trigger::source::TriggerError;

/// The parts seen by a line's camera and trigger, numbered from 1.
pub struct CameraParts {
    parts: LineParts,
    number: u64,
}

impl CameraParts {
    /// Opens camera and trigger; `region` is the region of interest of the product's bundle.
    ///
    /// # Errors
    /// [`LinePartsError`]
    pub fn open(line: &LineFile, region: Option<Roi>) -> Result<Self, LinePartsError> {
        Ok(Self { parts: LineParts::open(line, region, None)?, number: 0 })
    }
}

impl PartSource for CameraParts {
    fn next_part(&mut self) -> Result<Option<CalibrationPart>, TriggerError> {
        let frames = loop {
            match self.parts.poll()? {
                PollResult::Ended => return Ok(None),
                PollResult::Nothing => {}
                PollResult::Part(frames) => break frames,
            }
        };
        self.number += 1;
        let decode = |captured: &CapturedFrame| {
            captured.frame().cloned().map_err(|e| PartError::Undecodable(e.to_string()))
        };
        let frames = match frames {
            Ok(frames) => frames.iter().map(|captured| decode(captured)).collect(),
            Err(e) => Err(e.into()),
        };
        Ok(Some(CalibrationPart { name: format!("part {}", self.number), frames }))
    }
}
