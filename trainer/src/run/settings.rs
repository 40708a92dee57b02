//! The settings that reproduce a run, stored in `run.json`.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use bundle::Suspect;
use methods::Flip;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use shared_format::{Recipe, Zones};

use crate::compute::Precision;

const FORMAT: u32 = 2;
/// Maximum length of a training.
pub const MAX_STEPS: u64 = 100_000_000;
const MAX_BATCH: usize = 4096;

/// Everything that reproduces a run on the same machine.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunSettings {
    /// Version of this file's layout.
    format: u32,
    /// The method's name.
    pub method: String,
    /// The teacher's name.
    pub teacher: String,
    /// The data folder, absolute.
    pub data: PathBuf,
    /// How a frame becomes the network's input.
    pub recipe: Recipe,
    /// Areas with limits of their own, not yet fitted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zones: Option<Zones>,
    /// Seed for the split, the initial weights and the order of the images.
    pub seed: u64,
    /// Number of training steps; the maximum if `minutes` is set.
    pub steps: u64,
    /// If given, training ends early once the student stops improving, and after about this time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub minutes: Option<f64>,
    /// Samples in a step.
    pub batch: usize,
    /// Number format of the convolutions.
    pub precision: Precision,
    /// Number of threads; another number rounds differently.
    pub threads: i32,
    /// Mirrored copies that are also learned from.
    pub flip: Flip,
    /// The method's own options.
    pub options: Value,
    /// Images to learn from, relative to `data`.
    pub fit: Vec<PathBuf>,
    /// Images that choose the checkpoint; none for a fitted method.
    pub selection: Vec<PathBuf>,
    /// Images used only for calibration; none for a fitted method, which scores each image by a model of the others.
    pub calibration: Vec<PathBuf>,
    /// Images that aren't used, with the reason.
    pub skipped: Vec<(PathBuf, String)>,
    /// Images left out as suspects of showing bad parts, with their scores. Absent in older runs.
    #[serde(default)]
    pub left_out: Vec<(PathBuf, f32)>,
    /// Other files in the data folder that aren't used, a clause for each reason. Absent in older runs.
    #[serde(default)]
    pub unused: Vec<String>,
    /// Folder of known defects that are taught, absolute; `None` if none are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub defects: Option<PathBuf>,
}

impl RunSettings {
    /// Creates settings without images; [`super::Run::create`]'s caller fills the sets.
    #[must_use]
    pub fn new(method: &str, teacher: &str, data: &Path, recipe: Recipe, seed: u64) -> Self {
        Self {
            format: FORMAT,
            method: method.to_owned(),
            teacher: teacher.to_owned(),
            data: data.to_owned(),
            recipe,
            zones: None,
            seed,
            steps: 0,
            minutes: None,
            batch: 0,
            precision: Precision::Auto,
            threads: 1,
            flip: Flip::None,
            options: Value::Null,
            fit: vec![],
            selection: vec![],
            calibration: vec![],
            skipped: vec![],
            left_out: vec![],
            unused: vec![],
            defects: None,
        }
    }

    /// Reads settings that a trainer of this version or an earlier one wrote.
    ///
    /// # Errors
    /// If they are invalid; the error is a clause that names the cause.
    pub(super) fn read(json: &[u8]) -> Result<Self, String> {
        let mut json: Value = serde_json::from_slice(json).map_err(|e| e.to_string())?;
        upgrade(&mut json);
        let settings: Self = serde_json::from_value(json).map_err(|e| e.to_string())?;
        settings.check()?;
        Ok(settings)
    }

    /// Checks that a trainer of this version can have written them.
    fn check(&self) -> Result<(), &'static str> {
        let sets = [&self.fit, &self.selection, &self.calibration];
        let images: HashSet<&PathBuf> = sets.into_iter().flatten().collect();
        if self.format != FORMAT {
            Err("it was written by another version of the trainer")
        } else if !self.recipe.is_valid() {
            Err("its recipe is out of range")
        } else if !self.zones.as_ref().is_none_or(Zones::is_valid) {
            Err("its zones are out of range")
        } else if !(1..=MAX_STEPS).contains(&self.steps) || !(1..=MAX_BATCH).contains(&self.batch) {
            Err("its length is out of range")
        } else if self.fit.is_empty() || self.selection.is_empty() != self.calibration.is_empty() {
            Err("one of its image sets is empty")
        } else if images.len() != sets.iter().map(|set| set.len()).sum::<usize>() {
            Err("an image is in two of its sets")
        } else {
            Ok(())
        }
    }

    /// Returns the images left out, as a bundle records them.
    #[must_use]
    pub fn left_out(&self) -> Vec<Suspect> {
        let suspect =
            |(path, score): &(PathBuf, f32)| Suspect { name: path.display().to_string(), score: *score };
        self.left_out.iter().map(suspect).collect()
    }

    /// Returns the paths of one of the sets.
    #[must_use]
    pub fn paths(&self, set: &[PathBuf]) -> Vec<PathBuf> {
        set.iter().map(|path| self.data.join(path)).collect()
    }
}

/// Upgrades settings of format 1, which had separate keys for the options of all methods.
fn upgrade(json: &mut Value) {
    let Some(settings) = json.as_object_mut().filter(|settings| settings.get("format") == Some(&json!(1)))
    else {
        return;
    };
    let mut options = match settings.remove("fitting") {
        Some(Value::Object(fitting)) => fitting,
        _ => Map::new(),
    };
    for name in ["schedule", "natural"] {
        options.extend(settings.remove(name).map(|option| (name.to_owned(), option)));
    }
    settings.insert("options".to_owned(), Value::Object(options));
    settings.insert("format".to_owned(), json!(FORMAT));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_formats_options_are_found() {
        let mut json = json!({"format": 1, "method": "x", "schedule": "short", "fitting": {"bank": "9KiB"}});
        upgrade(&mut json);
        let options = json!({"bank": "9KiB", "schedule": "short"});
        assert_eq!(json, json!({"format": FORMAT, "method": "x", "options": options}));
        let now = json.clone();
        upgrade(&mut json);
        assert_eq!(json, now);
    }
}
