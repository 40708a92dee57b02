//! Runs a model on the tiles of a frame: several tiles side by side, one on each thread.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use shared_format::Recipe;
use tract_core::internal::format_err;

use super::reader::{self, SplitModel};
use super::{EngineError, Network, Options, describe_shape, in_one_line, load, run_state};
use crate::guard::guarded;

/// Name of the value that a model for all tiles of a frame computes for each tile by itself.
pub const TILE_FEATURES: &str = "tile_features";

/// A model for the tiles of a frame.
///
/// Most models judge one tile. A model that judges all of them together, its input having as many images, computes
/// [`TILE_FEATURES`] from each tile by itself, and everything else from the features of all. It is run in these two parts, so that the
/// memory for a tile's intermediate values is needed only once a thread.
#[derive(Debug)]
pub struct TiledNetwork {
    /// Runs on a tile.
    tile: Network,
    /// Runs on the features of all tiles; `None` if tiles are judged one by one.
    frame: Option<Network>,
    tiles: usize,
}

impl TiledNetwork {
    /// Loads a model for a recipe's tiles. `outputs` names the results to compute, in this order. If `onnx` is passed by value, it is
    /// freed as soon as it has been read.
    ///
    /// # Errors
    /// As [`Network::load_with`].
    pub fn load(
        onnx: impl Into<Vec<u8>>,
        recipe: &Recipe,
        outputs: &[&str],
        options: Options,
    ) -> Result<Self, EngineError> {
        Self::load_with(onnx, recipe, outputs, None, options)
    }

    /// Like [`Self::load`]; if the model has an output with the name `optional`, it is computed too, as the last one.
    ///
    /// # Errors
    /// As [`Self::load`].
    pub fn load_with(
        onnx: impl Into<Vec<u8>>,
        recipe: &Recipe,
        outputs: &[&str],
        optional: Option<&str>,
        options: Options,
    ) -> Result<Self, EngineError> {
        let loaded = guarded(|| load_parts(onnx, recipe, outputs, optional, options));
        loaded.unwrap_or_else(|panic| Err(EngineError::Model(panic.to_string())))
    }

    /// Runs the model on the tiles' values and returns the outputs' values: for each tile, or once if [`Self::judges_frames`].
    ///
    /// # Errors
    /// As [`Network::run`].
    pub fn run(&mut self, tiles: &[f32]) -> Result<Vec<Vec<Vec<f32>>>, EngineError> {
        let expected = self.tiles * self.tile.input_len();
        if tiles.len() != expected {
            return Err(EngineError::InputLength { expected, found: tiles.len() });
        }
        let outputs = self.tile.run_each(tiles)?;
        let Some(frame) = &mut self.frame else { return Ok(outputs) };
        // Both parts run on the same threads.
        frame.pool.clone_from(&self.tile.pool);
        let features: Vec<f32> = outputs.into_iter().flatten().flatten().collect();
        Ok(vec![frame.run(&features)?])
    }

    /// Returns whether the model judges a frame's tiles together.
    #[must_use]
    pub const fn judges_frames(&self) -> bool {
        self.frame.is_some()
    }

    /// Returns the shapes of the outputs, in the order of their names at [`Self::load`].
    #[must_use]
    pub fn output_shapes(&self) -> &[Vec<usize>] {
        self.frame.as_ref().unwrap_or(&self.tile).output_shapes()
    }

    /// Returns the multiply-adds for a frame; see [`Network::multiply_adds`].
    #[must_use]
    pub const fn multiply_adds(&self) -> u64 {
        let frame = match &self.frame {
            Some(frame) => frame.multiply_adds(),
            None => 0,
        };
        self.tile.multiply_adds() * self.tiles as u64 + frame
    }

    /// Returns the network that runs on a tile.
    pub const fn tile_network(&mut self) -> &mut Network {
        &mut self.tile
    }

    /// Returns the network that runs on the features of all tiles; `None` if tiles are judged one by one.
    pub const fn frame_network(&mut self) -> Option<&mut Network> {
        self.frame.as_mut()
    }
}

fn load_parts(
    onnx: impl Into<Vec<u8>>,
    recipe: &Recipe,
    outputs: &[&str],
    optional: Option<&str>,
    options: Options,
) -> Result<TiledNetwork, EngineError> {
    let tiles = recipe.tiles.count();
    let input = |images| [images, 3, recipe.input.height as usize, recipe.input.width as usize];
    let model = reader::decode(onnx.into())?;
    let present = optional.filter(|name| reader::has_output(&model, name));
    let outputs: Vec<&str> = outputs.iter().copied().chain(present).collect();
    let model = if tiles > 1 {
        reader::split(model, input(tiles), TILE_FEATURES)?
    } else {
        SplitModel::Whole(Box::new(model))
    };
    let (tile, frame) = match model {
        SplitModel::Whole(model) => (load(*model, input(1), &outputs, options)?, None),
        SplitModel::Parts(tile, frame) => {
            let tile = load(*tile, input(1), &[TILE_FEATURES], options)?;
            let features = &tile.output_shapes()[0];
            let &[1, channels, rows, columns] = &features[..] else {
                return Err(EngineError::Output {
                    name: TILE_FEATURES.to_owned(),
                    found: describe_shape(features),
                    expected: "channels of one image".to_owned(),
                });
            };
            let frame = load(*frame, [tiles, channels, rows, columns], &outputs, options)?;
            (tile, Some(frame))
        }
    };
    Ok(TiledNetwork { tile, frame, tiles })
}

impl Network {
    /// Runs the model on several inputs and returns each one's outputs, the same as those of [`Self::run`]. With several threads, each
    /// takes one input after the other; only if most of them would have nothing left to do, they share the last inputs' kernels.
    ///
    /// # Errors
    /// As [`Self::run`].
    pub fn run_each(&mut self, inputs: &[f32]) -> Result<Vec<Vec<Vec<f32>>>, EngineError> {
        let length = self.input_len();
        if length == 0 || !inputs.len().is_multiple_of(length) {
            return Err(EngineError::InputLength { expected: length, found: inputs.len() });
        }
        let count = inputs.len() / length;
        let left = count % self.threads;
        let shares = !self.replacements.is_empty() && 2 * left <= self.threads;
        let apart = match (count, self.threads) {
            (1, _) | (_, 1) => 0,
            _ if shares => count - left,
            _ => count,
        };
        let (apart, together) = inputs.split_at(apart * length);
        let mut outputs = if apart.is_empty() { vec![] } else { self.run_apart(apart)? };
        for input in together.chunks_exact(length) {
            outputs.push(self.run(input)?);
        }
        Ok(outputs)
    }

    /// Runs each input on one of the threads.
    fn run_apart(&mut self, inputs: &[f32]) -> Result<Vec<Vec<Vec<f32>>>, EngineError> {
        let pool = self.pool()?;
        let (plan, shape) = (&self.plan, self.input);
        let inputs: Vec<&[f32]> = inputs.chunks_exact(self.input_len()).collect();
        let states = Mutex::new(std::mem::take(&mut self.states));
        let results = Mutex::new(vec![None; inputs.len()]);
        let next = AtomicUsize::new(0);
        let ran = pool.broadcast(|_| {
            let state = lock(&states).pop();
            let mut state = match state {
                Some(state) => state,
                None => plan.spawn()?,
            };
            loop {
                let index = next.fetch_add(1, Ordering::Relaxed);
                let Some(input) = inputs.get(index) else { break };
                let ran = guarded(|| kernels::alone(|| run_state(&mut state, shape, input)));
                let outputs = ran.unwrap_or_else(|panic| Err(format_err!("{panic}")))?;
                lock(&results)[index] = Some(outputs);
            }
            lock(&states).push(state);
            Ok(())
        });
        self.states = states.into_inner().unwrap_or_else(PoisonError::into_inner);
        let failure = ran.into_iter().find_map(Result::err);
        let results = results.into_inner().unwrap_or_else(PoisonError::into_inner);
        let outputs: Option<Vec<Vec<Vec<f32>>>> = results.into_iter().collect();
        match (failure, outputs) {
            (None, Some(outputs)) if !self.states.is_empty() => Ok(outputs),
            (failure, _) => {
                self.forget()?;
                let failure = failure.unwrap_or_else(|| format_err!("a tile gave no value"));
                Err(EngineError::Run(in_one_line(&failure)))
            }
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
