//! Floats as another type of float.

use crate::share::{at, at_mut};
use crate::simd::{Element, Simd, Task};

/// The floats as they are where they are of the type; else the nearest ones, in `room`, which has at least as many.
#[inline(always)]
pub(super) fn converted<'a, S: Simd>(s: S, floats: &'a [f32], room: &'a mut [S::E]) -> &'a [S::E] {
    if S::E::IS_SINGLE {
        return bytemuck::cast_slice(floats);
    }
    let room = &mut room[..floats.len()];
    s.run(Convert { floats, to: &mut *room });
    room
}

struct Convert<'a, E> {
    floats: &'a [f32],
    /// As many.
    to: &'a mut [E],
}

impl<E: Element> Task<E> for Convert<'_, E> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd<E = E>>(self, s: S) {
        let (wide, lanes) = (s.wide(), <S::Wide as Simd>::LANES);
        for first in (0..self.floats.len()).step_by(S::LANES) {
            let count = S::LANES.min(self.floats.len() - first);
            let mut parts = [wide.splat(0.0); 2];
            for part in 0..S::LANES / lanes {
                let (before, count) = (part * lanes, count.saturating_sub(part * lanes));
                if count > 0 {
                    let count = count.min(lanes);
                    // SAFETY: so many floats are left.
                    parts[part] = unsafe { wide.load_some(at(self.floats, first + before, count), count) };
                }
            }
            // SAFETY: there is room for as many as were read.
            unsafe { s.store_some(at_mut(self.to, first, count), s.narrow(parts), count) };
        }
    }
}
