//! Memory that kernels keep: packed weights, and each thread's room for intermediate values.

use std::cell::RefCell;
use std::marker::PhantomData;

use crate::simd::Element;

/// Sixteen floats on a cache line of their own.
#[derive(Debug, Clone, Copy)]
#[repr(C, align(64))]
struct Line([f32; 16]);

// SAFETY: zero bytes are floats of zero.
unsafe impl bytemuck::Zeroable for Line {}
// SAFETY: sixteen floats fill the 64 bytes of the alignment, so there is no padding, and any bytes are floats.
unsafe impl bytemuck::Pod for Line {}

/// Floats that start on a cache line.
#[derive(Debug, Default)]
pub(crate) struct Buffer<E = f32> {
    lines: Vec<Line>,
    of: PhantomData<E>,
}

impl<E: Element> Buffer<E> {
    /// At least `length` zeros.
    pub fn zeros(length: usize) -> Self {
        Self { lines: vec![Line([0.0; 16]); lines::<E>(length)], of: PhantomData }
    }

    /// The values, with zeros up to a multiple of `step`.
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

/// Cache lines that so many floats fill.
const fn lines<E>(length: usize) -> usize {
    length.div_ceil(size_of::<Line>() / size_of::<E>())
}

thread_local! {
    static ROOM: RefCell<Buffer> = const { RefCell::new(Buffer { lines: Vec::new(), of: PhantomData }) };
}

/// Lends the thread's own room of at least `length` floats, which hold anything. It is allocated once, for the largest
/// kernel. `work` must not lend again.
pub(crate) fn lend<T>(length: usize, work: impl FnOnce(&mut [f32]) -> T) -> T {
    ROOM.with(|room| match room.try_borrow_mut() {
        Ok(mut room) => {
            room.grow(length);
            work(room.floats_mut())
        }
        // A kernel within a kernel would be a mistake; it costs time then, not the frame.
        Err(_) => work(Buffer::zeros(length).floats_mut()),
    })
}

/// Cuts floats of type `E` off a room that [`lend`] gave; what is left starts on a cache line.
pub(crate) fn cut_off<'a, E: Element>(room: &mut &'a mut [f32], length: usize) -> &'a mut [E] {
    let (cut, rest) = std::mem::take(room).split_at_mut(cut_length::<E>(length));
    *room = rest;
    &mut bytemuck::cast_slice_mut(cut)[..length]
}

/// What [`lend`] has to lend for [`cut_off`] of so many.
pub(crate) const fn cut_length<E>(length: usize) -> usize {
    lines::<E>(length) * 16
}
