//! ONNX operators → tract's operations. What each computes is said by ONNX's operator documentation, set 17.

use tract_core::internal::*;
use tract_core::ops::array::{Gather, Topk, TypedConcat};
use tract_core::ops::cast::cast;
use tract_core::ops::cnn::{Conv, KernelFormat, MaxPool, PaddingSpec, PoolSpec, SumPool};
use tract_core::ops::einsum::EinSum;
use tract_core::ops::math;
use tract_core::ops::nn::{DataFormat, Reduce, Reducer};

use super::attributes::Attributes;
use crate::onnx::{FLOAT, INT64, NodeProto};

/// Adds the node's operation to the model, under `name`, and returns its outputs.
///
/// # Errors
/// An operator that isn't known, or one used in a way that isn't.
pub(super) fn wire(
    model: &mut TypedModel,
    name: &str,
    node: &NodeProto,
    inputs: &[OutletId],
) -> TractResult<TVec<OutletId>> {
    let mut wiring = Wiring { model, name, inputs, attributes: Attributes(&node.attribute) };
    match node.op_type.as_str() {
        "Identity" => Ok(tvec![wiring.input(0)?]),
        "Conv" => wiring.conv(),
        "MaxPool" => wiring.max_pool(),
        "AveragePool" => wiring.average_pool(),
        "Add" => wiring.broadcast(math::add()),
        "Sub" => wiring.broadcast(math::sub()),
        "Mul" => wiring.broadcast(math::mul()),
        "Div" => wiring.broadcast(math::div()),
        "Max" => wiring.broadcast(math::max()),
        "Min" => wiring.broadcast(math::min()),
        "Relu" => wiring.relu(),
        "Clip" => wiring.clip(),
        "Sqrt" => wiring.plain(math::sqrt()),
        "Log" => wiring.plain(math::ln()),
        "Exp" => wiring.plain(math::exp()),
        "Abs" => wiring.plain(math::abs()),
        "Neg" => wiring.plain(math::neg()),
        "Cast" => wiring.cast(),
        "ReduceSum" => wiring.reduce(Reducer::Sum),
        "ReduceMax" => wiring.reduce(Reducer::Max),
        "ReduceMin" => wiring.reduce(Reducer::Min),
        "ReduceMean" => wiring.reduce_mean(),
        "Reshape" => wiring.reshape(),
        "Transpose" => wiring.transpose(),
        "Concat" => wiring.concat(),
        "Gather" => wiring.gather(),
        "TopK" => wiring.top_k(),
        "MatMul" => wiring.mat_mul(),
        _ => bail!("the engine doesn't know this operator"),
    }
}

struct Wiring<'a> {
    model: &'a mut TypedModel,
    name: &'a str,
    inputs: &'a [OutletId],
    attributes: Attributes<'a>,
}

impl Wiring<'_> {
    fn input(&self, slot: usize) -> TractResult<OutletId> {
        self.inputs.get(slot).copied().ok_or_else(|| format_err!("its input {slot} is missing"))
    }

    fn shape(&self, slot: usize) -> TractResult<TVec<usize>> {
        let fact = self.model.outlet_fact(self.input(slot)?)?;
        fact.shape
            .as_concrete()
            .map(TVec::from_slice)
            .ok_or_else(|| format_err!("input {slot} has no fixed shape"))
    }

    /// The values of an input that is known beforehand.
    fn constant<T: Datum + Copy>(&self, slot: usize) -> TractResult<Vec<T>> {
        let fact = self.model.outlet_fact(self.input(slot)?)?;
        let value = fact.konst.as_ref().ok_or_else(|| format_err!("its input {slot} is not a constant"))?;
        Ok(value.try_as_plain_ram()?.as_slice::<T>()?.to_vec())
    }

    fn plain(&mut self, op: impl Into<Box<dyn TypedOp>>) -> TractResult<TVec<OutletId>> {
        let input = self.input(0)?;
        self.model.wire_node(self.name, op, &[input])
    }

    fn broadcast(&mut self, op: impl Into<Box<dyn TypedOp>>) -> TractResult<TVec<OutletId>> {
        let inputs = [self.input(0)?, self.input(1)?];
        wire_with_rank_broadcast(self.name, self.model, op, &inputs)
    }

    /// `op` of `x` and a single value.
    fn with_value(
        &mut self,
        step: &str,
        op: impl Into<Box<dyn TypedOp>>,
        x: OutletId,
        value: f32,
    ) -> TractResult<OutletId> {
        let rank = self.model.outlet_fact(x)?.rank();
        let value = tensor0(value).broadcast_into_rank(rank)?;
        let value = self.model.add_const(format!("{}.{step}.value", self.name), value)?;
        Ok(self.model.wire_node(format!("{}.{step}", self.name), op, &[x, value])?[0])
    }

    fn relu(&mut self) -> TractResult<TVec<OutletId>> {
        let x = self.input(0)?;
        Ok(tvec![self.with_value("low", math::max(), x, 0.0)?])
    }

    fn clip(&mut self) -> TractResult<TVec<OutletId>> {
        ensure!(self.inputs.len() == 3, "it lacks a limit");
        let (low, high) = (self.constant::<f32>(1)?, self.constant::<f32>(2)?);
        let (&[low], &[high]) = (low.as_slice(), high.as_slice()) else {
            bail!("a limit is not a single value")
        };
        let x = self.input(0)?;
        let above = self.with_value("low", math::max(), x, low)?;
        Ok(tvec![self.with_value("high", math::min(), above, high)?])
    }

    fn cast(&mut self) -> TractResult<TVec<OutletId>> {
        match self.attributes.int("to", 0)? {
            to if to == i64::from(FLOAT) => self.plain(cast(f32::datum_type())),
            to if to == i64::from(INT64) => self.plain(cast(i64::datum_type())),
            to => bail!("it casts to ONNX's type {to}"),
        }
    }

    fn pool_spec(&self, kernel: &[usize], channels: (usize, usize)) -> TractResult<PoolSpec> {
        let pads = self.attributes.sizes("pads")?.unwrap_or_else(|| vec![0; 2 * kernel.len()]);
        ensure!(pads.len() == 2 * kernel.len(), "{} pads for {} axes", pads.len(), kernel.len());
        ensure!(self.attributes.int("ceil_mode", 0)? == 0, "it rounds its size up");
        let auto = self.attributes.text("auto_pad")?;
        ensure!(matches!(auto, "" | "NOTSET"), "it has auto_pad {auto}");
        let (before, after) = pads.split_at(kernel.len());
        let axes = |name| -> TractResult<Option<TVec<usize>>> {
            let Some(sizes) = self.attributes.sizes(name)? else { return Ok(None) };
            ensure!(sizes.len() == kernel.len() && !sizes.contains(&0), "it has {name} {sizes:?}");
            Ok(Some(sizes.into()))
        };
        Ok(PoolSpec::new(
            DataFormat::NCHW,
            kernel.into(),
            PaddingSpec::Explicit(before.into(), after.into()),
            axes("dilations")?,
            axes("strides")?,
            channels.0,
            channels.1,
        ))
    }

    fn conv(&mut self) -> TractResult<TVec<OutletId>> {
        let (image, kernel) = (self.shape(0)?, self.shape(1)?);
        let (&[_, channels, ..], &[outputs, per_group, ref sides @ ..]) = (&*image, &*kernel) else {
            bail!("it takes {image:?} with a kernel of {kernel:?}")
        };
        ensure!(image.len() == kernel.len(), "it takes {image:?} with a kernel of {kernel:?}");
        let groups = usize::try_from(self.attributes.int("group", 1)?)?;
        ensure!(
            groups > 0 && per_group.checked_mul(groups) == Some(channels) && outputs % groups == 0,
            "{channels} channels in {groups} groups meet a kernel of {kernel:?}"
        );
        let spec = self.pool_spec(sides, (channels, outputs))?;
        let bias = if self.inputs.len() > 2 {
            ensure!(*self.shape(2)? == [outputs], "its bias has another shape than its {outputs} outputs");
            self.input(2)?
        } else {
            self.model.add_const(format!("{}.bias", self.name), tensor0(0_f32))?
        };
        let op = Conv::new(spec, KernelFormat::OIHW, groups, None);
        let inputs = [self.input(0)?, self.input(1)?, bias];
        self.model.wire_node(self.name, op, &inputs)
    }

    fn pool(&self) -> TractResult<PoolSpec> {
        let shape = self.shape(0)?;
        let kernel = self.attributes.sizes("kernel_shape")?.unwrap_or_default();
        ensure!(
            shape.len() == kernel.len() + 2 && !kernel.contains(&0),
            "it takes {shape:?} with a kernel of {kernel:?}"
        );
        self.pool_spec(&kernel, (shape[1], shape[1]))
    }

    fn max_pool(&mut self) -> TractResult<TVec<OutletId>> {
        let spec = self.pool()?;
        self.plain(MaxPool::new(spec, None))
    }

    fn average_pool(&mut self) -> TractResult<TVec<OutletId>> {
        let spec = self.pool()?;
        let count_padding = self.attributes.int("count_include_pad", 0)? != 0;
        self.plain(SumPool::new(spec, count_padding, true))
    }

    /// The axes to reduce, from the second input or, in older operator sets, from an attribute; and whether they stay.
    fn reduced_axes(&self) -> TractResult<(TVec<usize>, bool)> {
        let rank = self.shape(0)?.len();
        let listed =
            if self.inputs.len() > 1 { self.constant(1)? } else { self.attributes.ints("axes")?.to_vec() };
        let mut axes =
            listed.iter().map(|&axis| from_the_front(axis, rank)).collect::<TractResult<TVec<_>>>()?;
        if axes.is_empty() {
            axes = (0..rank).collect();
        }
        axes.sort_unstable();
        axes.dedup();
        Ok((axes, self.attributes.int("keepdims", 1)? != 0))
    }

    fn reduce(&mut self, reducer: Reducer) -> TractResult<TVec<OutletId>> {
        let (axes, keep) = self.reduced_axes()?;
        let reduced = self.plain(Reduce::new(axes.clone(), reducer))?[0];
        self.without_axes(reduced, &axes, keep)
    }

    fn reduce_mean(&mut self) -> TractResult<TVec<OutletId>> {
        let (axes, keep) = self.reduced_axes()?;
        let shape = self.shape(0)?;
        let count: usize = axes.iter().map(|&axis| shape[axis]).product();
        let sum = self.plain(Reduce::new(axes.clone(), Reducer::Sum))?[0];
        let mean = self.with_value("mean", math::div(), sum, count as f32)?;
        self.without_axes(mean, &axes, keep)
    }

    fn without_axes(&mut self, from: OutletId, axes: &[usize], keep: bool) -> TractResult<TVec<OutletId>> {
        let mut outlet = from;
        for &axis in axes.iter().rev().filter(|_| !keep) {
            outlet =
                self.model.wire_node(format!("{}.without_{axis}", self.name), AxisOp::Rm(axis), &[outlet])?
                    [0];
        }
        Ok(tvec![outlet])
    }

    fn reshape(&mut self) -> TractResult<TVec<OutletId>> {
        let (from, wanted) = (self.shape(0)?, self.constant::<i64>(1)?);
        let to = reshaped(&from, &wanted)?;
        let dims = |shape: &[usize]| shape.iter().map(|&side| side.to_dim()).collect();
        self.plain(AxisOp::Reshape(0, dims(&from), dims(&to)))
    }

    fn transpose(&mut self) -> TractResult<TVec<OutletId>> {
        let rank = self.shape(0)?.len();
        let order = self.attributes.sizes("perm")?.unwrap_or_else(|| (0..rank).rev().collect());
        let mut sorted = order.clone();
        sorted.sort_unstable();
        ensure!(sorted.into_iter().eq(0..rank), "{order:?} is no order of {rank} axes");
        let mut outlet = self.input(0)?;
        for (step, op) in tract_core::ops::change_axes::perm_to_ops(&order).into_iter().enumerate() {
            outlet = self.model.wire_node(format!("{}.move_{step}", self.name), op, &[outlet])?[0];
        }
        Ok(tvec![outlet])
    }

    fn concat(&mut self) -> TractResult<TVec<OutletId>> {
        let axis = from_the_front(self.attributes.int("axis", 0)?, self.shape(0)?.len())?;
        self.model.wire_node(self.name, TypedConcat::new(axis), self.inputs)
    }

    fn gather(&mut self) -> TractResult<TVec<OutletId>> {
        let axis = from_the_front(self.attributes.int("axis", 0)?, self.shape(0)?.len())?;
        let inputs = [self.input(0)?, self.input(1)?];
        self.model.wire_node(self.name, Gather::new(axis), &inputs)
    }

    fn top_k(&mut self) -> TractResult<TVec<OutletId>> {
        let shape = self.shape(0)?;
        let axis = from_the_front(self.attributes.int("axis", -1)?, shape.len())?;
        let count = self.constant::<i64>(1)?;
        let &[count] = count.as_slice() else { bail!("its count is {count:?}") };
        ensure!(count >= 0 && count as usize <= shape[axis], "it takes {count} of {}", shape[axis]);
        let largest = self.attributes.int("largest", 1)? != 0;
        let inputs = [self.input(0)?, self.input(1)?];
        let op = Topk { axis, largest, fallback_k: count.to_dim() };
        self.model.wire_node(self.name, op, &inputs)
    }

    fn mat_mul(&mut self) -> TractResult<TVec<OutletId>> {
        let (left, right) = (self.shape(0)?.len(), self.shape(1)?.len());
        ensure!(left > 1 && right > 1, "a factor is a vector");
        // Leading axes line up from the back, as everywhere in ONNX.
        let leading = left.max(right) - 2;
        ensure!(leading <= 8, "it has {} axes", leading + 2);
        let letters = |rank: usize| &"abcdefgh"[leading - (rank - 2)..leading];
        let axes = format!("{}mk,{}kn->{}mn", letters(left), letters(right), letters(leading + 2)).parse()?;
        let inputs = [self.input(0)?, self.input(1)?];
        self.model.wire_node(
            self.name,
            EinSum { axes, operating_dt: f32::datum_type(), q_params: None },
            &inputs,
        )
    }
}

/// Negative axes count from the back.
fn from_the_front(axis: i64, rank: usize) -> TractResult<usize> {
    let from_front = if axis < 0 { axis + rank as i64 } else { axis };
    let inside = usize::try_from(from_front).ok().filter(|&axis| axis < rank);
    inside.ok_or_else(|| format_err!("there is no axis {axis} among {rank}"))
}

/// The sides that `Reshape` asks for: 0 keeps the side at its place, one -1 takes what is left.
fn reshaped(from: &[usize], wanted: &[i64]) -> TractResult<Vec<usize>> {
    let mut to = Vec::new();
    let mut open = None;
    for (place, &side) in wanted.iter().enumerate() {
        to.push(match side {
            0 => *from.get(place).ok_or_else(|| format_err!("there is no side {place} to keep"))?,
            -1 if open.is_none() => {
                open = Some(place);
                1
            }
            side => usize::try_from(side)?,
        });
    }
    let product =
        |sides: &[usize]| sides.iter().try_fold(1_usize, |product, &side| product.checked_mul(side));
    let (values, known) = (product(from), product(&to));
    if let (Some(place), Some(values), Some(known)) = (open, values, known) {
        to[place] = values.checked_div(known).unwrap_or(0);
    }
    ensure!(values.is_some() && product(&to) == values, "{from:?} cannot take the shape {wanted:?}");
    Ok(to)
}
