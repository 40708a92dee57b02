//! Conversion to another float type.

use crate::parallel::{at, at_mut};
use crate::simd::{Element, Simd, SimdTask};

/// Returns the floats unchanged if they already have the type, otherwise rounded into `scratch`, which must be at least as long.
#[inline(always)]
pub(super) fn converted<'a, S: Simd>(s: S, floats: &'a [f32], scratch: &'a mut [S::E]) -> &'a [S::E] {
    if S::E::IS_SINGLE {
        return bytemuck::cast_slice(floats);
    }
    let scratch = &mut scratch[..floats.len()];
    s.run(Convert { floats, to: &mut *scratch });
    scratch
}

struct Convert<'a, E> {
    floats: &'a [f32],
    /// Of the same length.
    to: &'a mut [E],
}

impl<E: Element> SimdTask<E> for Convert<'_, E> {
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
                    // SAFETY: `count` floats remain.
                    parts[part] = unsafe { wide.load_some(at(self.floats, first + before, count), count) };
                }
            }
            // SAFETY: there is room for as many as were read.
            unsafe { s.store_some(at_mut(self.to, first, count), s.narrow(parts), count) };
        }
    }
}
