//! A bottleneck's weights, packed for one group of channels at a time.

use std::ops::Range;

use super::expand::Expand;
use super::stage::Stage;
use crate::depthwise::{BLOCK, Depthwise};
use crate::pointwise::Pointwise;
use crate::simd::{Element, Vectors};
use crate::spec::{ConvSpec, Epilogue, Error, Shape};

/// A group of the expanded channels.
#[derive(Debug)]
pub(super) struct Group<E> {
    pub parts: Vec<Part<E>>,
    pub project: Pointwise<E>,
}

/// The blocks that are expanded together.
#[derive(Debug)]
pub(super) struct Part<E> {
    pub expand: Expand<E>,
    pub blocks: Vec<Depthwise<E>>,
}

/// Returns the number of channels that are expanded together: a tile's.
fn part<E: Element>(path: E::Path) -> usize {
    BLOCK.max(2 * path.lanes())
}

impl<E: Element> Group<E> {
    pub fn new(
        path: E::Path,
        expand: &Stage<'_>,
        depthwise: &Stage<'_>,
        project: &Stage<'_>,
        channels: Range<usize>,
    ) -> Result<Self, Error> {
        let (wide, outputs) = (expand.spec.outputs, project.spec.outputs);
        // The rows are already padded with zeros.
        let Shape { height, width, .. } = depthwise.spec.input;
        let [rows, columns] = depthwise.spec.padding;
        let input = Shape { height, width: width + columns[0] + columns[1], channels: BLOCK };
        let spec = ConvSpec { input, outputs: BLOCK, padding: [rows, [0, 0]], ..depthwise.spec };
        let sums = spec.sums()?;
        let block = |first: usize| {
            let (weights, bias) = depthwise.of(first..first + BLOCK);
            Depthwise::new(path, &spec, sums, weights, bias, &depthwise.epilogue)
        };
        let most = part::<E>(path);
        let parts = channels.clone().step_by(most).map(|first| {
            let channels = first..(first + most).min(channels.end);
            let blocks = channels.clone().step_by(BLOCK).map(block).collect();
            Part { expand: Expand::new(path, expand, depthwise.spec.input, channels), blocks }
        });
        let parts = parts.collect();

        // The first group adds the bias; the last one applies the epilogue to the complete sums.
        let rows = project.weights.chunks_exact(wide);
        let weights: Vec<f32> = rows.flat_map(|row| &row[channels.clone()]).copied().collect();
        let bias = if channels.start == 0 { project.bias.to_vec() } else { vec![0.0; outputs] };
        let last = channels.end == wide;
        let epilogue = if last { project.epilogue } else { Epilogue::default() };
        Ok(Self { parts, project: Pointwise::new(path, channels.len(), outputs, &weights, &bias, &epilogue) })
    }
}
