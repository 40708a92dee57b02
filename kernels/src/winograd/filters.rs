//! Filter transforms, done once or for each block.

use std::marker::PhantomData;
use std::ops::Range;

use super::transform::Transform;
use crate::buffer::Buffer;
use crate::parallel::{at, at_mut};
use crate::simd::{Simd, SimdTask};

/// Channels whose filters are transformed at a time: as few as keep the products long enough.
pub(super) const CHANNELS: usize = 64;

/// The form in which a convolution stores its filters.
#[derive(Debug)]
pub(super) enum WinogradFilters {
    /// Transformed: [group of outputs][point][panel][channel][lane].
    Transformed(Buffer),
    /// Untransformed: [group of outputs][channel][panel][tap][lane].
    Plain(Buffer),
}

/// Packs filters (output × channel × tap) into groups of `group` outputs and panels of `columns`: [group][channel][panel][tap][lane].
pub(super) fn group_filters(
    (group, columns): (usize, usize),
    channels: usize,
    taps: usize,
    weights: &[f32],
) -> Buffer {
    let outputs = weights.len() / (channels * taps);
    let rounded = outputs.next_multiple_of(columns);
    let mut grouped = Buffer::zeros(rounded * channels * taps);
    let target = grouped.floats_mut();
    for (index, filter) in weights.chunks_exact(taps).enumerate() {
        let (output, channel) = (index / channels, index % channels);
        let first = output / group * group;
        // The last group may be narrower.
        let width = group.min(rounded - first);
        let panel = (first * channels + channel * width + (output - first) / columns * columns) * taps;
        for (tap, &weight) in filter.iter().enumerate() {
            target[panel + tap * columns + output % columns] = weight;
        }
    }
    grouped
}

/// A group's filters in the order of [`group_filters`].
#[derive(Clone, Copy)]
pub(super) struct PlainFilters<'a> {
    pub floats: &'a [f32],
    pub panels: usize,
}

impl PlainFilters<'_> {
    /// Computes G g Gᵀ of the group's filters for `channels`: [point][panel][channel][lane], with points `step` floats apart.
    ///
    /// # Safety
    /// The group must have the channels, and `transformed` must have room for them.
    #[inline(always)]
    pub unsafe fn transform<S, T, const A: usize, const M: usize, const R: usize>(
        self,
        s: S,
        channels: Range<usize>,
        (transformed, step): (&mut [f32], usize),
    ) where
        S: Simd<E = f32>,
        T: Transform<A, M, R>,
    {
        let columns = 2 * S::LANES;
        for channel in channels.start..channels.end {
            for vector in 0..2 * self.panels {
                let (panel, lane) = (vector / 2, vector % 2 * S::LANES);
                let from = (channel * self.panels + panel) * R * R * columns + lane;
                let to = (panel * channels.len() + channel - channels.start) * columns + lane;
                let mut half = [[s.splat(0.0); A]; R];
                for column in 0..R {
                    let mut g = [s.splat(0.0); R];
                    for row in 0..R {
                        let from = from + (row * R + column) * columns;
                        // SAFETY: guaranteed by the caller, here and below.
                        g[row] = unsafe { s.load(at(self.floats, from, S::LANES)) };
                    }
                    half[column] = T::filter(s, g);
                }
                for row in 0..T::FILTERS {
                    let mut g = [s.splat(0.0); R];
                    for column in 0..R {
                        g[column] = half[column][row];
                    }
                    let values = T::filter(s, g);
                    for column in 0..T::FILTERS {
                        let to = to + (row * T::FILTERS + column) * step;
                        // SAFETY: as above.
                        unsafe { s.store(at_mut(transformed, to, S::LANES), values[column]) };
                    }
                }
            }
        }
    }
}

/// Transforms all filters, for [`WinogradFilters::Transformed`].
pub(super) struct TransformAll<'a, T, const A: usize, const M: usize, const R: usize> {
    /// The filters in the order of [`group_filters`].
    pub plain: &'a [f32],
    pub channels: usize,
    /// Rounded up to whole panels.
    pub outputs: usize,
    pub group: usize,
    pub transform: PhantomData<T>,
}

impl<T: Transform<A, M, R>, const A: usize, const M: usize, const R: usize> SimdTask
    for TransformAll<'_, T, A, M, R>
{
    type Output = Buffer;

    #[inline(always)]
    fn run<S: Simd<E = f32>>(self, s: S) -> Buffer {
        let channels = self.channels;
        let points = T::FILTERS * T::FILTERS;
        let mut buffer = Buffer::zeros(points * channels * self.outputs);
        for first in (0..self.outputs).step_by(self.group) {
            let width = self.group.min(self.outputs - first);
            let floats = &self.plain[R * R * channels * first..];
            let plain = PlainFilters { floats, panels: width / (2 * S::LANES) };
            let group = &mut buffer.floats_mut()[points * channels * first..][..points * channels * width];
            // SAFETY: `group` holds `width` filters of all channels and points.
            unsafe { plain.transform::<S, T, A, M, R>(s, 0..channels, (group, channels * width)) };
        }
        buffer
    }
}
