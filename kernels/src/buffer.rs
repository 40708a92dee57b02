//! Aligned memory for packed weights, and each thread's scratch space for intermediate values.

use std::cell::RefCell;
use std::marker::PhantomData;

use crate::simd::Element;

/// A cache line of sixteen floats.
#[derive(Debug, Clone, Copy)]
#[repr(C, align(64))]
struct CacheLine([f32; 16]);

// SAFETY: all-zero bytes are valid floats.
unsafe impl bytemuck::Zeroable for CacheLine {}
// SAFETY: sixteen floats fill the 64 bytes of the alignment, so there is no padding, and any bytes are valid floats.
unsafe impl bytemuck::Pod for CacheLine {}

/// Floats that start on a cache line.
#[derive(Debug, Default)]
pub(crate) struct Buffer<E = f32> {
    lines: Vec<CacheLine>,
    of: PhantomData<E>,
}

impl<E: Element> Buffer<E> {
    /// Creates at least `length` zeros.
    pub fn zeros(length: usize) -> Self {
        Self { lines: vec![CacheLine([0.0; 16]); cache_lines::<E>(length)], of: PhantomData }
    }

    /// Copies the values and pads them with zeros to a multiple of `step`.
    pub fn padded(values: &[f32], step: usize) -> Self {
        let mut padded = Self::zeros(values.len().next_multiple_of(step));
        padded.floats_mut().iter_mut().zip(values).for_each(|(to, &value)| *to = E::nearest(value));
        padded
    }

    pub fn floats(&self) -> &[E] {
        bytemuck::cast_slice(&self.lines)
    }

    pub fn floats_mut(&mut self) -> &mut [E] {
        bytemuck::cast_slice_mut(&mut self.lines)
    }

    fn grow(&mut self, length: usize) {
        let lines = cache_lines::<E>(length);
        if self.lines.len() < lines {
            self.lines.resize(lines, CacheLine([0.0; 16]));
        }
    }
}

/// Returns the number of cache lines for `length` floats.
const fn cache_lines<E>(length: usize) -> usize {
    length.div_ceil(size_of::<CacheLine>() / size_of::<E>())
}

thread_local! {
    static SCRATCH: RefCell<Buffer> = const { RefCell::new(Buffer { lines: Vec::new(), of: PhantomData }) };
}

/// Lends the thread's scratch space of at least `length` floats, with arbitrary contents. It is allocated once, for the largest kernel.
/// `work` must not call `with_scratch` again.
pub(crate) fn with_scratch<T>(length: usize, work: impl FnOnce(&mut [f32]) -> T) -> T {
    SCRATCH.with(|scratch| match scratch.try_borrow_mut() {
        Ok(mut scratch) => {
            scratch.grow(length);
            work(scratch.floats_mut())
        }
        // A nested kernel would be a mistake, but it should only cost time, not the frame.
        Err(_) => work(Buffer::zeros(length).floats_mut()),
    })
}

/// Splits `length` floats of type `E` off scratch space from [`with_scratch`]; the rest starts on a cache line.
pub(crate) fn split_off_aligned<'a, E: Element>(scratch: &mut &'a mut [f32], length: usize) -> &'a mut [E] {
    let (first, rest) = std::mem::take(scratch).split_at_mut(aligned_length::<E>(length));
    *scratch = rest;
    &mut bytemuck::cast_slice_mut(first)[..length]
}

/// Returns the length to request from [`with_scratch`] for a [`split_off_aligned`] of `length` floats.
pub(crate) const fn aligned_length<E>(length: usize) -> usize {
    cache_lines::<E>(length) * 16
}
