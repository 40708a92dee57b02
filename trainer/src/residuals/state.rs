//! Stores the Gaussians as named arrays between training and export.

use networks::{Array, StateError, Weights};
use shared_format::Size;

use super::{CELL, ResidualGaussians};

impl ResidualGaussians {
    /// Adds them to a run's state, under the level's name.
    pub fn add_to(&self, state: &mut Weights, level: &str) {
        let channels = self.shape[0];
        let [mean, whitening] = names(level);
        state.insert(mean, Array { shape: self.shape.to_vec(), data: self.mean.clone() });
        let shape = vec![self.cells().iter().product(), channels, channels];
        state.insert(whitening, Array { shape, data: self.whitening.clone() });
    }

    /// Reads what [`Self::add_to`] wrote for a level of a model with this input size; `None` if it wrote nothing.
    ///
    /// # Errors
    /// If a value is missing or out of range; the error names it.
    pub fn from_state(state: &Weights, level: &str, input: Size) -> Result<Option<Self>, StateError> {
        let names = names(level);
        let [Some(mean), whitening] = names.each_ref().map(|name| state.get(name)) else { return Ok(None) };
        let [mean_name, whitening_name] = names;
        let whitening = whitening.ok_or_else(|| StateError::missing(whitening_name.clone()))?;
        let cells = [input.height, input.width].map(|side| side as usize / CELL);
        let &[channels, rows, columns] = &mean.shape[..] else { return Err(StateError::Sides("residuals")) };
        let side = rows / cells[0].max(1);
        let tiled = side > 0 && [rows, columns] == cells.map(|count| count * side);
        if !tiled || whitening.shape != [cells[0] * cells[1], channels, channels] {
            return Err(StateError::Sides("residuals"));
        }
        for (array, name) in [(mean, mean_name), (whitening, whitening_name)] {
            if array.data.iter().any(|x| !x.is_finite()) {
                return Err(StateError::values(name));
            }
        }
        let (mean, whitening) = (mean.data.clone(), whitening.data.clone());
        Ok(Some(Self { shape: [channels, rows, columns], side, mean, whitening }))
    }
}

/// Returns the names of a level's mean and whitening.
fn names(level: &str) -> [String; 2] {
    ["residual_mean", "residual_whitening"].map(|part| format!("{level}.{part}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const INPUT: Size = Size { width: 96, height: 64 };

    #[test]
    fn what_is_kept_is_found_again_and_damage_is_named() {
        let gaussians =
            ResidualGaussians { shape: [2, 4, 6], side: 2, mean: vec![0.5; 48], whitening: vec![1.5; 24] };
        let mut state = Weights::new();
        let read = |state: &Weights| ResidualGaussians::from_state(state, "level_1", INPUT);
        assert_eq!(read(&state), Ok(None));
        gaussians.add_to(&mut state, "level_1");
        assert_eq!(read(&state), Ok(Some(gaussians)));
        let other_input = Size { width: 64, height: 64 };
        assert_eq!(
            ResidualGaussians::from_state(&state, "level_1", other_input),
            Err(StateError::Sides("residuals"))
        );
        for name in ["level_1.residual_mean", "level_1.residual_whitening"] {
            let mut damaged = state.clone();
            damaged.get_mut(name).unwrap().data[3] = f32::NAN;
            assert_eq!(read(&damaged), Err(StateError::values(name)));
            damaged.get_mut(name).unwrap().shape[0] = 1;
            assert_eq!(read(&damaged), Err(StateError::Sides("residuals")));
        }
        state.remove("level_1.residual_whitening");
        assert_eq!(read(&state), Err(StateError::missing("level_1.residual_whitening")));
    }
}
