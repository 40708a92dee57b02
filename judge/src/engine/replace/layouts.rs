//! The memory layouts of the model's values, and conversions between them.

use kernels::space_to_depth::SpaceToDepth;
use kernels::{Layout, Shape};
use tract_core::internal::*;

use super::Rewriter;
use super::op::KernelOp;

/// Converts one image from channels × height × width to height × width × channels.
const TO_CHANNELS_LAST: AxisOp = AxisOp::Move(1, 3);
const TO_PLANAR: AxisOp = AxisOp::Move(3, 1);

impl Rewriter<'_> {
    /// Returns whether the source's outlet has been computed channels last.
    pub(super) fn is_channels_last(&self, outlet: OutletId) -> bool {
        self.channels_last.contains_key(&outlet)
    }

    /// Returns the source's outlet in the given layout.
    pub(super) fn in_layout(&mut self, image: OutletId, layout: Layout) -> TractResult<OutletId> {
        match layout {
            Layout::ChannelsLast => self.channels_last(image),
            Layout::Planar => self.planar(image),
        }
    }

    /// Returns the source's outlet in the source's layout.
    pub(super) fn planar(&mut self, outlet: OutletId) -> TractResult<OutletId> {
        if let Some(&planar) = self.planar.get(&outlet) {
            return Ok(planar);
        }
        let known = self.channels_last.get(&outlet).copied();
        self.convert_layout(outlet, known, TO_PLANAR, "planar")
    }

    pub(super) fn channels_last(&mut self, outlet: OutletId) -> TractResult<OutletId> {
        if let Some(&channels_last) = self.channels_last.get(&outlet) {
            return Ok(channels_last);
        }
        let known = self.planar.get(&outlet).copied();
        self.convert_layout(outlet, known, TO_CHANNELS_LAST, "channels_last")
    }

    fn convert_layout(
        &mut self,
        outlet: OutletId,
        from: Option<OutletId>,
        by: AxisOp,
        suffix: &str,
    ) -> TractResult<OutletId> {
        let name = &self.source.node(outlet.node).name;
        let from = from.ok_or_else(|| format_err!("the value `{name}` is read before it is computed"))?;
        let name = self.target.unique_name(format!("{name}.{suffix}")).into_owned();
        let to_planar = by == TO_PLANAR;
        let converted = self.target.wire_node(name, by, &[from])?[0];
        let known = if to_planar { &mut self.planar } else { &mut self.channels_last };
        known.insert(outlet, converted);
        Ok(converted)
    }

    /// Returns the source's planar image after space-to-depth, which several convolutions may read.
    pub(super) fn space_to_depth(&mut self, outlet: OutletId, shape: Shape) -> TractResult<OutletId> {
        if let Some(&space_to_depth) = self.space_to_depth.get(&outlet) {
            return Ok(space_to_depth);
        }
        let image = self.planar(outlet)?;
        let name = format!("{}.deep", self.source.node(outlet.node).name);
        let name = self.target.unique_name(name).into_owned();
        let kernel = SpaceToDepth::new(shape)?;
        let Shape { height, width, channels } = kernel.output();
        let (output, description) = ([1, height, width, channels], "space to depth".to_owned());
        let op = KernelOp::new(kernel, &output, description, &self.buffers);
        let space_to_depth = self.target.wire_node(name, op, &[image])?[0];
        self.space_to_depth.insert(outlet, space_to_depth);
        Ok(space_to_depth)
    }
}
