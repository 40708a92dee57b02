//! Checks what only becomes known with the shapes: values too large for any machine, windows larger than their image, and
//! models that would compute for minutes.

use std::collections::HashMap;
use std::fmt;

use tract_core::internal::*;
use tract_core::ops::array::Topk;
use tract_core::ops::cnn::{MaxPool, SumPool};
use tract_onnx::model::{OnnxOpRegister, ParsingContext};
use tract_onnx::pb::NodeProto;
use tract_onnx::tract_hir::infer::{
    Factoid, InferenceFact, InferenceModel, InferenceModelPatch, InferenceNode, InferenceOp,
};

use crate::engine::check::MAX_VALUES;
use crate::guard::guarded;

/// Maximum number of multiply-adds for one frame. The largest networks of the field take a hundredth of it.
const MAX_MULTIPLY_ADDS: u128 = 10_u128.pow(13);
/// Prefix of the names under which the original builders are registered.
const INNER: &str = "\0";

type BuildResult = TractResult<(Box<dyn InferenceOp>, Vec<String>)>;

/// Returns the register with every operator wrapped in limits.
pub(super) fn wrap_operators(register: OnnxOpRegister) -> OnnxOpRegister {
    let mut limited = OnnxOpRegister::default();
    for (name, builder) in register.0 {
        // A constant has been checked already, and tract looks it up by its type.
        if name == "Constant" {
            limited.0.insert(name, builder);
        } else {
            limited.0.insert(format!("{INNER}{name}"), builder);
            limited.0.insert(name, build);
        }
    }
    limited
}

fn build(context: &ParsingContext<'_>, node: &NodeProto) -> BuildResult {
    let builder = context.framework.op_register.0.get(&format!("{INNER}{}", node.op_type));
    let builder = builder.context("the engine does not support this operator")?;
    let (inner, closures) = builder(context, node)?;
    Ok((Box::new(LimitedOp { inner, window: PoolWindow::of(node)? }), closures))
}

/// The window of a pool.
#[derive(Clone)]
struct PoolWindow {
    /// Its extent along each axis, dilation included and padding subtracted.
    sides: Vec<usize>,
}

impl PoolWindow {
    /// Returns the window of a pool's node that has passed the check.
    fn of(node: &NodeProto) -> TractResult<Option<Self>> {
        if !matches!(node.op_type.as_str(), "MaxPool" | "AveragePool") {
            return Ok(None);
        }
        let kernel: Vec<usize> = node.get_attr_vec("kernel_shape")?;
        let list = |name, otherwise| -> TractResult<Vec<usize>> {
            Ok(node.get_attr_opt_vec(name)?.unwrap_or_else(|| vec![otherwise; 2 * kernel.len()]))
        };
        let (dilations, pads) = (list("dilations", 1)?, list("pads", 0)?);
        let is_padded_to_fit =
            node.get_attr_opt("auto_pad")?.is_some_and(|auto: &str| auto.starts_with("SAME"));
        let side = |axis: usize| {
            let padding = pads[axis] + pads[axis + kernel.len()];
            let side = ((kernel[axis] - 1) * dilations[axis] + 1).saturating_sub(padding);
            if is_padded_to_fit { 0 } else { side }
        };
        Ok(Some(Self { sides: (0..kernel.len()).map(side).collect() }))
    }

    fn check(&self, image: &InferenceFact) -> TractResult<()> {
        let Some(shape) = image.shape.concretize() else { return Ok(()) };
        let rank = shape.len();
        ensure!(
            rank == self.sides.len() + 2,
            "its window has {} axes, but its image has {rank}",
            self.sides.len()
        );
        let fits = shape[2..]
            .iter()
            .zip(&self.sides)
            .all(|(side, &window)| side.to_usize().is_ok_and(|side| window <= side));
        ensure!(fits, "its window is larger than its image of {shape:?}");
        Ok(())
    }
}

/// An operator whose results are refused before they are computed if they are too large.
///
/// tract evaluates constant expressions while it reads a model: without this, a few bytes asking for a constant of 2⁴⁰
/// values would abort the program.
#[derive(Clone)]
struct LimitedOp {
    inner: Box<dyn InferenceOp>,
    window: Option<PoolWindow>,
}

type Facts = TVec<InferenceFact>;

impl InferenceOp for LimitedOp {
    fn infer(
        &mut self,
        inputs: TVec<&InferenceFact>,
        outputs: TVec<&InferenceFact>,
        observed: TVec<&InferenceFact>,
    ) -> TractResult<(Facts, Facts, Facts)> {
        // Before tract's rules, which assume that the window has a side for each of the image's spatial axes.
        if let (Some(window), [image, ..]) = (&self.window, &inputs[..]) {
            window.check(image)?;
        }
        catch_panic(|| {
            let known = self.inner.infer_facts(inputs.clone(), outputs.clone(), observed.clone())?;
            let is_computed = known.0.iter().all(|input| input.value.is_concrete());
            known.1.iter().try_for_each(|output| check_size(output, is_computed))?;
            self.inner.infer(inputs, outputs, observed)
        })
    }

    fn infer_facts(
        &mut self,
        inputs: TVec<&InferenceFact>,
        outputs: TVec<&InferenceFact>,
        observed: TVec<&InferenceFact>,
    ) -> TractResult<(Facts, Facts, Facts)> {
        self.inner.infer_facts(inputs, outputs, observed)
    }

    fn observe_outlets(&self, model: &InferenceModel, node: &InferenceNode) -> TractResult<Vec<OutletId>> {
        self.inner.observe_outlets(model, node)
    }

    fn incorporate(
        &self,
        model: &InferenceModel,
        node: &InferenceNode,
    ) -> TractResult<Option<InferenceModelPatch>> {
        self.inner.incorporate(model, node)
    }

    fn nboutputs(&self) -> TractResult<usize> {
        self.inner.nboutputs()
    }

    fn to_typed(
        &self,
        source: &InferenceModel,
        node: &InferenceNode,
        target: &mut TypedModel,
        mapping: &HashMap<OutletId, OutletId>,
    ) -> TractResult<TVec<OutletId>> {
        catch_panic(|| self.inner.to_typed(source, node, target, mapping))
    }

    as_op!();
}

/// Turns a panic into an error here already, so that tract adds the node's name.
fn catch_panic<T>(work: impl FnOnce() -> TractResult<T>) -> TractResult<T> {
    guarded(work).unwrap_or_else(|panic| Err(format_err!("{panic}")))
}

/// Refuses a result with too many values, or one about to be computed whose size is unknown.
fn check_size(output: &InferenceFact, is_computed: bool) -> TractResult<()> {
    let Some(shape) = output.shape.concretize() else {
        ensure!(!is_computed, "the size of its result is unknown");
        return Ok(());
    };
    let product = shape.iter().try_fold(1_usize, |product, side| {
        let side = side.to_usize().ok().filter(|&side| side <= MAX_VALUES)?;
        product.checked_mul(side).filter(|&product| product <= MAX_VALUES)
    });
    ensure!(product.is_some(), "its result {shape:?} exceeds {MAX_VALUES} values");
    Ok(())
}

impl Op for LimitedOp {
    fn name(&self) -> StaticName {
        self.inner.name()
    }

    fn info(&self) -> TractResult<Vec<String>> {
        self.inner.info()
    }

    not_a_typed_op!();
}

impl EvalOp for LimitedOp {
    fn eval(&self, context: &EvalContext<'_>, inputs: TVec<TValue>) -> TractResult<TVec<TValue>> {
        self.inner.eval(context, inputs)
    }

    fn eval_out_of_plan(&self, inputs: TVec<TValue>) -> TractResult<Option<TVec<TValue>>> {
        self.inner.eval_out_of_plan(inputs)
    }

    fn state(&self, context: &EvalContext<'_>) -> TractResult<Option<Box<dyn OpState>>> {
        self.inner.state(context)
    }
}

impl fmt::Debug for LimitedOp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}

/// Operators that are not typed are never compared.
impl PartialEq for LimitedOp {
    fn eq(&self, _: &Self) -> bool {
        false
    }
}

impl Eq for LimitedOp {}

/// Returns the multiply-adds for a frame. Refuses a model that would take far too long per frame, and one that selects more
/// of the largest values than there are.
pub(super) fn count_multiply_adds(model: &TypedModel) -> TractResult<u64> {
    let (mut together, mut multiply_adds) = (0_u128, 0_u64);
    for node in model.nodes() {
        let inputs = model.node_input_facts(node.id)?;
        if let (Some(top), [values, ..]) = (node.op_as::<Topk>(), &inputs[..]) {
            let [of, count] = [&values.shape[top.axis], &node.outputs[0].fact.shape[top.axis]];
            let fits = of.to_i64().ok().zip(count.to_i64().ok()).is_some_and(|(of, count)| count <= of);
            ensure!(fits, "node `{}` takes the top {count} of {of} values", node.name);
        }
        let counts = node.op.cost(&inputs).unwrap_or_default();
        let fused = counts.iter().filter(|(what, _)| matches!(what, Cost::FMA(_)));
        multiply_adds +=
            fused.filter_map(|(_, count)| count.to_i64().ok()).map(i64::unsigned_abs).sum::<u64>();
        let counts = counts.iter().filter(|(what, _)| what.is_compute()).map(|(_, count)| count);
        let counted =
            counts.filter_map(|count| count.to_i64().ok()).map(|count| u128::from(count.unsigned_abs()));
        together += counted.sum::<u128>() + pool_reads(node);
        ensure!(
            together <= MAX_MULTIPLY_ADDS,
            "up to node `{}`, the model takes {together} multiply-adds; the maximum is {MAX_MULTIPLY_ADDS}",
            node.name
        );
    }
    Ok(multiply_adds)
}

/// Returns how many values a pool reads.
fn pool_reads(node: &TypedNode) -> u128 {
    let maximum = node.op_as::<MaxPool>().map(|pool| &pool.pool_spec);
    let Some(spec) = maximum.or(node.op_as::<SumPool>().map(|pool| &pool.pool_spec)) else { return 0 };
    let results = node.outputs[0].fact.shape.volume().to_i64().unwrap_or_default();
    spec.kernel_shape.iter().map(|&side| side as u128).product::<u128>() * u128::from(results.unsigned_abs())
}
