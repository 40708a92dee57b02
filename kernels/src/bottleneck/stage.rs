//! One of the three convolutions.

use std::ops::Range;

use crate::spec::{ConvSpec, Epilogue};

/// A convolution of a bottleneck, with the arguments of [`crate::Conv::new`].
#[derive(Debug, Clone, Copy)]
pub struct BottleneckStage<'a> {
    /// The geometry.
    pub spec: ConvSpec,
    /// Output × channel × row × column.
    pub weights: &'a [f32],
    /// One value per output.
    pub bias: &'a [f32],
    /// The operations applied to its sums.
    pub epilogue: Epilogue,
}

impl BottleneckStage<'_> {
    /// Returns the weights and bias of some outputs.
    pub(super) fn of(&self, outputs: Range<usize>) -> (&[f32], &[f32]) {
        let taps = self.spec.taps();
        (&self.weights[outputs.start * taps..outputs.end * taps], &self.bias[outputs])
    }
}
