//! Aligned memory for packed weights, and each thread's scratch space for intermediate values.

use std::cell::RefCell;
use std::marker::PhantomData;

use crate::simd::Element;

/// A cache line of sixteen floats.
#[derive(Debug, Clone, Copy)]
#[repr(C, align(64))]
struct Line([f32; 16]);

// SAFETY: all-zero bytes are valid floats.
unsafe impl bytemuck::Zeroable for Line {}
// SAFETY: sixteen floats fill the 64 bytes of the alignment, so there is no padding, and any bytes are valid floats.
unsafe impl bytemuck::Pod for Line {}

/// Floats that start on a cache line.
#[derive(Debug, Default)]
pub(crate) struct Buffer<E = f32> {
    lines: Vec<Line>,
    of: PhantomData<E>,
}

impl<E: Element> Buffer<E> {
    /// Creates at least `length` zeros.
    pub fn zeros(length: usize) -> Self {
        Self { lines: vec![Line([0.0; 16]); lines::<E>(length)], of: PhantomData }
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
        let lines = lines::<E>(length);
        if self.lines.len() < lines {
            self.lines.resize(lines, Line([0.0; 16]));
        }
    }
}

/// Returns the number of cache lines for `length` floats.
const fn lines<E>(length: usize) -> usize {
    length.div_ceil(size_of::<Line>() / size_of::<E>())
}

thread_local! {
    static ROOM: RefCell<Buffer> = const { RefCell::new(Buffer { lines: Vec::new(), of: PhantomData }) };
}

/// Lends the thread's scratch space of at least `length` floats, with arbitrary contents. It is allocated once, for the largest kernel.
/// `work` must not call `lend` again.
pub(crate) fn lend<T>(length: usize, work: impl FnOnce(&mut [f32]) -> T) -> T {
    ROOM.with(|room| match room.try_borrow_mut() {
        Ok(mut room) => {
            room.grow(length);
            work(room.floats_mut())
        }
        // A nested kernel would be a mistake, but it should only cost time, not the frame.
        Err(_) => work(Buffer::zeros(length).floats_mut()),
    })
}

/// Splits `length` floats of type `E` off scratch space from [`lend`]; the rest starts on a cache line.
pub(crate) fn cut_off<'a, E: Element>(room: &mut &'a mut [f32], length: usize) -> &'a mut [E] {
    let (cut, rest) = std::mem::take(room).split_at_mut(cut_length::<E>(length));
    *room = rest;
    &mut bytemuck::cast_slice_mut(cut)[..length]
}

/// Returns the length to request from [`lend`] for a [`cut_off`] of `length` floats.
pub(crate) const fn cut_length<E>(length: usize) -> usize {
    lines::<E>(length) * 16
}
