//! Runs a network's nodes on several threads: nodes that don't depend on each other run side by side, and the kernels
//! share their blocks with idle threads.
//!
//! A teacher and a student, for example, read the same image and meet in the distance between their features. Every node
//! computes the same as in a plain run, so the results are bit-identical.

use std::cmp::Reverse;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use rayon::{Scope, ThreadPool};
use tract_core::internal::format_err;
use tract_core::ops::konst::Const;
use tract_core::prelude::*;

use crate::guard::guarded;

/// The dependencies between nodes. All vectors are indexed by node number.
#[derive(Debug)]
pub(super) struct NodeSchedule {
    /// The values known in advance: constants.
    constants: Vec<Option<TVec<TValue>>>,
    /// Number of inputs that have to be computed first.
    waits: Vec<usize>,
    /// Number of readers of the node's values; an output counts as one.
    uses: Vec<usize>,
    /// The nodes that read the node's values, once per input.
    readers: Vec<Vec<usize>>,
    /// Number of nodes on the longest path from here to the end: the larger, the sooner the node must run.
    priority: Vec<usize>,
    /// The nodes that need only the input and constants.
    first: Vec<usize>,
    /// Maximum number of nodes at the same depth, which can run side by side.
    width: usize,
    input: usize,
    outputs: Vec<OutletId>,
}

impl NodeSchedule {
    /// Returns the schedule of a plan with one input; `None` if the plan's own order has to be kept because shapes are
    /// only known after a node has run, or because nodes keep state.
    ///
    /// # Errors
    /// The plan can't be run at all.
    pub fn of(plan: &Arc<TypedRunnableModel>) -> TractResult<Option<Self>> {
        let model = plan.model();
        let nodes = model.nodes();
        let concrete = |n: &TypedNode| n.outputs.iter().all(|o| o.fact.shape.is_concrete());
        let remembers = plan.spawn()?.op_states.iter().any(Option::is_some);
        let &[input] = model.input_outlets()? else { return Ok(None) };
        if remembers || !nodes.iter().all(concrete) {
            return Ok(None);
        }
        let constants =
            nodes.iter().map(|n| n.op_as::<Const>().map(|c| tvec![c.val().clone().into_tvalue()]));
        let constants: Vec<_> = constants.collect();
        let (mut waits, mut uses) = (vec![0; nodes.len()], vec![0; nodes.len()]);
        let mut readers = vec![Vec::new(); nodes.len()];
        let computed: Vec<usize> =
            plan.order_without_consts().iter().copied().filter(|&id| id != input.node).collect();
        let mut depth = vec![0_usize; nodes.len()];
        for &id in &computed {
            for from in nodes[id].inputs.iter().map(|i| i.node) {
                uses[from] += 1;
                if constants[from].is_none() && from != input.node {
                    waits[id] += 1;
                }
                readers[from].push(id);
                depth[id] = depth[id].max(depth[from] + 1);
            }
        }
        let outputs = model.output_outlets()?.to_vec();
        for output in &outputs {
            uses[output.node] += 1;
        }
        let mut priority = vec![0; nodes.len()];
        for &id in computed.iter().rev() {
            priority[id] = 1 + readers[id].iter().map(|&reader| priority[reader]).max().unwrap_or(0);
        }
        let mut widths = vec![0; nodes.len() + 1];
        computed.iter().for_each(|&id| widths[depth[id]] += 1);
        let width = widths.into_iter().max().unwrap_or(0);
        let first = computed.iter().copied().filter(|&id| waits[id] == 0).collect();
        let input = input.node;
        Ok(Some(Self { constants, waits, uses, readers, priority, first, width, input, outputs }))
    }

    /// Returns the number of threads beyond which there is nothing to do, unless kernels share their blocks.
    pub const fn width(&self) -> usize {
        self.width
    }

    /// Runs the plan on the pool's threads. `states` are the plan's; more are added if a thread needs another one.
    ///
    /// # Errors
    /// A node's error or panic. The states are not usable afterwards.
    pub fn run(
        &self,
        plan: &Arc<TypedRunnableModel>,
        pool: &ThreadPool,
        states: &mut Vec<TypedSimpleState>,
        input: TValue,
    ) -> TractResult<TVec<TValue>> {
        let free = Mutex::new(std::mem::take(states));
        let progress = Mutex::new(self.start(input));
        let run = ScheduleRun { schedule: self, plan, free, progress, busy: AtomicUsize::new(0) };
        let first = self.by_ascending_priority(self.first.clone());
        pool.scope(|scope| first.into_iter().rev().for_each(|id| run.spawn(scope, id)));
        let ScheduleRun { free, progress, .. } = run;
        *states = free.into_inner().unwrap_or_else(PoisonError::into_inner);
        let mut progress = progress.into_inner().unwrap_or_else(PoisonError::into_inner);
        match progress.failure.take() {
            Some(failure) => Err(failure),
            None => self.outputs.iter().map(|&output| progress.value(output)).collect(),
        }
    }

    fn by_ascending_priority(&self, mut nodes: Vec<usize>) -> Vec<usize> {
        nodes.sort_by_key(|&id| (self.priority[id], Reverse(id)));
        nodes
    }

    fn start(&self, input: TValue) -> ScheduleProgress {
        let mut values = self.constants.clone();
        values[self.input] = Some(tvec![input]);
        ScheduleProgress { values, waits: self.waits.clone(), uses: self.uses.clone(), failure: None }
    }
}

/// The progress of a run.
struct ScheduleProgress {
    values: Vec<Option<TVec<TValue>>>,
    waits: Vec<usize>,
    uses: Vec<usize>,
    failure: Option<TractError>,
}

impl ScheduleProgress {
    fn value(&self, outlet: OutletId) -> TractResult<TValue> {
        let value = self.values[outlet.node].as_ref().and_then(|values| values.get(outlet.slot));
        value.cloned().ok_or_else(|| format_err!("a node's value is missing"))
    }

    /// Returns the values that a node reads. The last reader gets ownership, so it may write in place.
    fn inputs(&mut self, node: &TypedNode) -> TractResult<TVec<TValue>> {
        let inputs = node.inputs.iter().map(|&input| self.value(input)).collect();
        for input in &node.inputs {
            self.uses[input.node] -= 1;
            if self.uses[input.node] == 0 {
                self.values[input.node] = None;
            }
        }
        inputs
    }
}

struct ScheduleRun<'a> {
    schedule: &'a NodeSchedule,
    plan: &'a Arc<TypedRunnableModel>,
    /// States that no thread is using. A thread that waits for its kernel's blocks may take another node, and then needs a
    /// second state.
    free: Mutex<Vec<TypedSimpleState>>,
    progress: Mutex<ScheduleProgress>,
    /// Number of nodes being computed.
    busy: AtomicUsize,
}

impl ScheduleRun<'_> {
    fn spawn<'s>(&'s self, scope: &Scope<'s>, id: usize) {
        scope.spawn(move |scope| self.run_from(scope, id));
    }

    /// Computes a node, then the most urgent of the nodes that no longer wait for another, and so on; the other ready nodes
    /// are left to idle threads.
    fn run_from<'s>(&'s self, scope: &Scope<'s>, first: usize) {
        let mut next = Some(first);
        while let Some(id) = next {
            let Some(inputs) = self.inputs(id) else { return };
            let computed = inputs.and_then(|inputs| self.compute(id, inputs));
            let mut ready = self.finish(id, computed);
            next = ready.pop();
            ready.into_iter().rev().for_each(|id| self.spawn(scope, id));
        }
    }

    /// Returns the node's inputs; `None` after a failure.
    fn inputs(&self, id: usize) -> Option<TractResult<TVec<TValue>>> {
        let mut progress = lock(&self.progress);
        progress.failure.is_none().then(|| progress.inputs(self.plan.model().node(id)))
    }

    fn compute(&self, id: usize, inputs: TVec<TValue>) -> TractResult<TVec<TValue>> {
        let free = lock(&self.free).pop();
        let mut state = match free {
            Some(state) => state,
            None => self.plan.spawn()?,
        };
        let busy = self.busy.fetch_add(1, Ordering::Relaxed) + 1;
        let values = kernels::with_busy_threads(busy, || compute(&mut state, id, inputs));
        self.busy.fetch_sub(1, Ordering::Relaxed);
        lock(&self.free).push(state);
        values
    }

    /// Stores the node's values and returns the nodes that can run now, the most urgent last.
    fn finish(&self, id: usize, computed: TractResult<TVec<TValue>>) -> Vec<usize> {
        let mut progress = lock(&self.progress);
        let mut ready = Vec::new();
        match computed {
            Ok(values) => {
                progress.values[id] = Some(values);
                for &reader in &self.schedule.readers[id] {
                    progress.waits[reader] -= 1;
                    if progress.waits[reader] == 0 {
                        ready.push(reader);
                    }
                }
            }
            Err(failure) => progress.failure = Some(failure),
        }
        self.schedule.by_ascending_priority(ready)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn compute(state: &mut TypedSimpleState, id: usize, inputs: TVec<TValue>) -> TractResult<TVec<TValue>> {
    state.turn_state.values.resize(state.model().nodes().len(), None);
    let ran = guarded(|| state.compute_one_with_inputs(id, inputs));
    ran.unwrap_or_else(|panic| Err(format_err!("{panic}")))?;
    let values = state.turn_state.values.get_mut(id).and_then(Option::take);
    values.ok_or_else(|| format_err!("a node gave no value"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use tract_core::ops::math;

    #[test]
    fn branches_are_found_and_give_the_plans_values() -> TractResult<()> {
        let mut model = TypedModel::default();
        let image = model.add_source("image", f32::fact([3]))?;
        let offset = model.add_const("offset", tensor1(&[1.0_f32, 2.0, 3.0]))?;
        let start = model.wire_node("start", math::exp(), &[image])?[0];
        let left = model.wire_node("left", math::sqrt(), &[start])?[0];
        let right = model.wire_node("right", math::add(), &[start, offset])?[0];
        let sum = model.wire_node("sum", math::add(), &[left, right])?[0];
        model.select_output_outlets(&[sum, start])?;
        let plan = model.into_runnable()?;
        let schedule = NodeSchedule::of(&plan)?.ok_or_else(|| format_err!("no schedule"))?;
        assert_eq!(schedule.width(), 2);
        let image = tensor1(&[0.0_f32, 0.5, 1.0]).into_tvalue();
        for threads in [1, 2, 3] {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build()?;
            let mut states = Vec::new();
            let values = schedule.run(&plan, &pool, &mut states, image.clone())?;
            assert_eq!(values, plan.run(tvec![image.clone()])?);
            assert!(!states.is_empty());
        }
        Ok(())
    }
}
