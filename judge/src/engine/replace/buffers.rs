//! Output tensors that are reused from frame to frame: after the first frame, our operations allocate nothing.

use std::sync::{Mutex, PoisonError};

use tract_core::internal::*;

/// The tensors of one network's operations. Clones share them.
#[derive(Debug, Clone, Default)]
pub(super) struct Buffers(Arc<Mutex<Vec<Arc<Tensor>>>>);

impl Buffers {
    /// Fills a tensor of 32-bit floats with `fill`, which has to write every value: the previous contents are
    /// arbitrary.
    pub fn fill(
        &self,
        shape: &[usize],
        fill: impl FnOnce(&mut [f32]) -> TractResult<()>,
    ) -> TractResult<TValue> {
        let mut tensor = match self.take(shape) {
            Some(tensor) => tensor,
            None => Arc::new(Tensor::zero::<f32>(shape)?),
        };
        let values = Arc::get_mut(&mut tensor).ok_or_else(|| format_err!("a free tensor is in use"))?;
        fill(values.try_as_plain_ram_mut()?.as_slice_mut::<f32>()?)?;
        self.lock().push(tensor.clone());
        Ok(tensor.into_tvalue())
    }

    /// Returns the most recently used tensor that is no longer read: it is still in a cache.
    fn take(&self, shape: &[usize]) -> Option<Arc<Tensor>> {
        let mut tensors = self.lock();
        // Only this list creates more owners, so a single owner stays single while the list is locked.
        let free = |tensor: &Arc<Tensor>| Arc::strong_count(tensor) == 1 && tensor.shape() == shape;
        let index = tensors.iter().rposition(free)?;
        Some(tensors.swap_remove(index))
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Arc<Tensor>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tensor_is_used_again_once_nobody_reads_it() -> TractResult<()> {
        let buffers = Buffers::default();
        let filled = |value: f32| {
            buffers.fill(&[2], |values| {
                values.fill(value);
                Ok(())
            })
        };
        let first = filled(1.0)?;
        let place = first.try_as_plain_ram()?.as_slice::<f32>()?.as_ptr();
        let second = filled(2.0)?;
        assert_eq!(first.try_as_plain_ram()?.as_slice::<f32>()?, [1.0, 1.0]);
        drop(first);
        let third = filled(3.0)?;
        assert_eq!(third.try_as_plain_ram()?.as_slice::<f32>()?.as_ptr(), place);
        assert_eq!(second.try_as_plain_ram()?.as_slice::<f32>()?, [2.0, 2.0]);
        Ok(())
    }
}
