//! Measures the time of each of a network's operations.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use tract_core::prelude::*;

/// An operation and its time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OperationTime {
    /// The model's name for the result.
    pub name: String,
    /// What computes it: one of the project's kernels, or tract's name for the operation.
    pub operation: String,
    /// The median time.
    pub time: Duration,
}

pub(super) fn profile(
    plan: &Arc<TypedRunnableModel>,
    shape: [usize; 4],
    input: &[f32],
    rounds: usize,
) -> TractResult<Vec<OperationTime>> {
    let input = Tensor::from_shape(&shape, input)?.into_tvalue();
    let mut state = plan.spawn()?;
    let mut times: HashMap<usize, Vec<Duration>> = HashMap::new();
    // The first run allocates.
    for round in 0..=rounds.max(1) {
        state.run_plan_with_eval(tvec![input.clone()], |context, state, node, inputs| {
            let start = Instant::now();
            let values = tract_core::plan::eval(context, state, node, inputs);
            if round > 0 {
                times.entry(node.id).or_default().push(start.elapsed());
            }
            values
        })?;
    }
    let order = plan.order_without_consts().iter().filter_map(|&id| {
        let mut times = times.remove(&id)?;
        times.sort_unstable();
        let node = plan.model().node(id);
        let (name, operation) = (node.name.clone(), node.op.name().into_owned());
        Some(OperationTime { name, operation, time: times[times.len() / 2] })
    });
    Ok(order.collect())
}
