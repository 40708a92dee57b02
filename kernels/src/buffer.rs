//! Memory that kernels keep: packed weights, and each thread's room for intermediate values.

use std::cell::RefCell;

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
pub(crate) struct Buffer(Vec<Line>);

impl Buffer {
    /// At least `length` zeros.
    pub fn zeros(length: usize) -> Self {
        Self(vec![Line([0.0; 16]); length.div_ceil(16)])
    }

    /// The values, with zeros up to a multiple of `step`.
    pub fn padded(values: &[f32], step: usize) -> Self {
        let mut padded = Self::zeros(values.len().next_multiple_of(step));
        padded.floats_mut()[..values.len()].copy_from_slice(values);
        padded
    }

    pub fn floats(&self) -> &[f32] {
        bytemuck::cast_slice(&self.0)
    }

    pub fn floats_mut(&mut self) -> &mut [f32] {
        bytemuck::cast_slice_mut(&mut self.0)
    }

    fn grow(&mut self, length: usize) {
        let lines = length.div_ceil(16);
        if self.0.len() < lines {
            self.0.resize(lines, Line([0.0; 16]));
        }
    }
}

thread_local! {
    static ROOM: RefCell<Buffer> = const { RefCell::new(Buffer(Vec::new())) };
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
