//! A bottleneck's weights, packed for one group of channels at a time.

use std::ops::Range;

use super::expand::Expand;
use super::stage::BottleneckStage;
use crate::depthwise::{CHANNEL_BLOCK, Depthwise};
use crate::pointwise::Pointwise;
use crate::simd::{Dispatch, Element};
use crate::spec::{ConvSpec, Epilogue, Error, Shape};

/// A group of the expanded channels.
#[derive(Debug)]
pub(super) struct Group<E> {
    pub subgroups: Vec<Subgroup<E>>,
    pub project: Pointwise<E>,
}

/// The blocks that are expanded together.
#[derive(Debug)]
pub(super) struct Subgroup<E> {
    pub expand: Expand<E>,
    pub blocks: Vec<Depthwise<E>>,
}

/// Returns the number of channels that are expanded together: a tile's.
fn subgroup_channels<E: Element>(isa: E::Isa) -> usize {
    CHANNEL_BLOCK.max(2 * isa.lanes())
}

impl<E: Element> Group<E> {
    pub fn new(
        isa: E::Isa,
        expand: &BottleneckStage<'_>,
        depthwise: &BottleneckStage<'_>,
        project: &BottleneckStage<'_>,
        channels: Range<usize>,
    ) -> Result<Self, Error> {
        let (wide, outputs) = (expand.spec.outputs, project.spec.outputs);
        // The rows are already padded with zeros.
        let Shape { height, width, .. } = depthwise.spec.input;
        let [rows, columns] = depthwise.spec.padding;
        let input = Shape { height, width: width + columns[0] + columns[1], channels: CHANNEL_BLOCK };
        let spec = ConvSpec { input, outputs: CHANNEL_BLOCK, padding: [rows, [0, 0]], ..depthwise.spec };
        let sums = spec.sums()?;
        let block = |first: usize| {
            let (weights, bias) = depthwise.of(first..first + CHANNEL_BLOCK);
            Depthwise::new(isa, &spec, sums, weights, bias, &depthwise.epilogue)
        };
        let step = subgroup_channels::<E>(isa);
        let subgroups = channels.clone().step_by(step).map(|first| {
            let channels = first..(first + step).min(channels.end);
            let blocks = channels.clone().step_by(CHANNEL_BLOCK).map(block).collect();
            Subgroup { expand: Expand::new(isa, expand, depthwise.spec.input, channels), blocks }
        });
        let subgroups = subgroups.collect();

        // The first group adds the bias; the last one applies the epilogue to the complete sums.
        let rows = project.weights.chunks_exact(wide);
        let weights: Vec<f32> = rows.flat_map(|row| &row[channels.clone()]).copied().collect();
        let bias = if channels.start == 0 { project.bias.to_vec() } else { vec![0.0; outputs] };
        let last = channels.end == wide;
        let epilogue = if last { project.epilogue } else { Epilogue::default() };
        Ok(Self {
            subgroups,
            project: Pointwise::new(isa, channels.len(), outputs, &weights, &bias, &epilogue),
        })
    }
}
