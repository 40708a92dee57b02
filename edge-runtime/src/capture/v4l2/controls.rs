//! Exposure, gain, white balance and focus: whatever a camera adjusts by itself changes the scores.

use std::io;

use crate::capture::CaptureError;
use crate::line_file::V4l2Config;

/// Range of values that a control accepts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ControlRange {
    pub(super) low: i64,
    pub(super) high: i64,
    pub(super) step: i64,
}

/// A camera's controls, by V4L2 control ID.
pub(super) trait Controls {
    /// Returns the range of a control; `None` if the camera has no such control.
    fn range(&self, id: u32) -> Option<ControlRange>;
    /// Returns the current value.
    fn get(&self, id: u32) -> io::Result<i64>;
    /// Sets the value.
    fn set(&self, id: u32, value: i64) -> io::Result<()>;
}

/// A property of the picture: the control that holds it, and the one that lets the camera adjust it.
struct PictureProperty {
    key: &'static str,
    name: &'static str,
    /// Candidate controls; the first one that the camera has is used.
    ids: &'static [u32],
    automatic: u32,
    /// Value of `automatic` that stops the camera from adjusting the property.
    manual: i64,
    /// Units of the control per unit of the line file.
    units: f64,
    effect: &'static str,
}

const USER: u32 = 0x0098_0900;
const CAMERA: u32 = 0x009A_0900;
const IMAGE_SOURCE: u32 = 0x009E_0900;

/// Control IDs, menu values and units as in the kernel's `v4l2-controls.h` and its documentation.
const PROPERTIES: [PictureProperty; 4] = [
    PictureProperty {
        key: "exposure_ms",
        name: "exposure",
        // V4L2_CID_EXPOSURE_ABSOLUTE, in 100 µs; V4L2_CID_EXPOSURE_AUTO: 1 is manual.
        ids: &[CAMERA + 2],
        automatic: CAMERA + 1,
        manual: 1,
        units: 10.0,
        effect: "brightness and motion blur, and thus the scores",
    },
    PictureProperty {
        key: "gain",
        name: "gain",
        // V4L2_CID_GAIN, or V4L2_CID_ANALOGUE_GAIN for bare sensors; V4L2_CID_AUTOGAIN.
        ids: &[USER + 19, IMAGE_SOURCE + 3],
        automatic: USER + 18,
        manual: 0,
        units: 1.0,
        effect: "brightness and noise, and thus the scores",
    },
    PictureProperty {
        key: "white_balance_k",
        name: "white balance",
        // V4L2_CID_WHITE_BALANCE_TEMPERATURE, in kelvin; V4L2_CID_AUTO_WHITE_BALANCE.
        ids: &[USER + 26],
        automatic: USER + 12,
        manual: 0,
        units: 1.0,
        effect: "colours, and thus the scores",
    },
    PictureProperty {
        key: "focus",
        name: "focus",
        // V4L2_CID_FOCUS_ABSOLUTE; V4L2_CID_FOCUS_AUTO.
        ids: &[CAMERA + 10],
        automatic: CAMERA + 12,
        manual: 0,
        units: 1.0,
        effect: "sharpness, and thus the scores",
    },
];

/// A control that was set and read back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct LockedControl {
    key: &'static str,
    id: u32,
    value: i64,
}

/// Locks the controls that the line file names: switches automatic adjustment off, sets the value and reads it back.
///
/// # Errors
/// [`CaptureError::Control`] if the camera lacks the control, refuses the value or doesn't keep it.
pub(super) fn lock(
    camera: &impl Controls,
    settings: &V4l2Config,
) -> Result<Vec<LockedControl>, CaptureError> {
    let whole = |value: Option<i64>| value.map(|value| value as f64);
    let wanted =
        [settings.exposure_ms, whole(settings.gain), whole(settings.white_balance_k), whole(settings.focus)];
    let named = PROPERTIES.iter().zip(wanted).filter_map(|(property, wanted)| Some((property, wanted?)));
    named.map(|(property, wanted)| property.lock(camera, wanted)).collect()
}

/// Returns a sentence for each locked control whose value has changed, and for each automatic adjustment that is on.
pub(super) fn warnings(camera: &impl Controls, locked: &[LockedControl]) -> Vec<String> {
    PROPERTIES.iter().flat_map(|property| property.warnings(camera, locked)).collect()
}

impl PictureProperty {
    fn lock(&self, camera: &impl Controls, wanted: f64) -> Result<LockedControl, CaptureError> {
        let refused = |reason: String, allowed: String| CaptureError::Control {
            key: self.key,
            wanted: wanted.to_string(),
            reason,
            allowed,
        };
        let found = self.ids.iter().find_map(|&id| Some((id, camera.range(id)?)));
        let Some((id, range)) = found else {
            return Err(refused("it has no such control".to_owned(), format!("remove camera.{}", self.key)));
        };
        let (low, high) = (range.low as f64 / self.units, range.high as f64 / self.units);
        let allowed =
            format!("give a value from {low} to {high} in steps of {}", range.step as f64 / self.units);
        let value = (wanted * self.units).round() as i64;
        if !(range.low..=range.high).contains(&value) {
            return Err(refused("the value is out of range".to_owned(), allowed));
        }
        if camera.range(self.automatic).is_some() {
            let off = camera.set(self.automatic, self.manual);
            off.map_err(|e| {
                refused(format!("automatic adjustment can't be switched off ({e})"), allowed.clone())
            })?;
        }
        camera.set(id, value).map_err(|e| refused(e.to_string(), allowed.clone()))?;
        let kept = camera.get(id).map_err(|e| refused(e.to_string(), allowed.clone()))?;
        // Cameras round to the nearest value they support.
        if kept.abs_diff(value) > range.step.unsigned_abs().max(1) {
            return Err(refused(format!("the camera keeps it at {}", kept as f64 / self.units), allowed));
        }
        Ok(LockedControl { key: self.key, id, value: kept })
    }

    fn warnings(&self, camera: &impl Controls, locked: &[LockedControl]) -> Vec<String> {
        let Self { key, name, effect, .. } = self;
        let mut sentences = vec![];
        let locked = locked.iter().find(|locked| locked.key == *key);
        let advice = if locked.is_some() { "restart the camera" } else { "lock it in the line file" };
        let automatic = camera.range(self.automatic).and_then(|_| camera.get(self.automatic).ok());
        if automatic.is_some_and(|value| value != self.manual) {
            sentences.push(format!("automatic {name} is on: it changes {effect}; {advice} (camera.{key})"));
        }
        if let Some(LockedControl { id, value, .. }) = locked {
            match camera.get(*id) {
                Ok(now) if now == *value => {}
                Ok(now) => sentences.push(format!(
                    "{name} is {} but was locked to {}: that changes {effect}; {advice} (camera.{key})",
                    now as f64 / self.units,
                    *value as f64 / self.units
                )),
                Err(e) => sentences.push(format!("{name} can't be read back ({e}); {advice} (camera.{key})")),
            }
        }
        sentences
    }
}

#[cfg(test)]
#[path = "controls_tests.rs"]
mod tests;
