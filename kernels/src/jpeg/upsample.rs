//! Upsampling of a component's rows to the frame's full size.

use crate::multiversion::multiversion;

multiversion! {
    /// Doubles the number of samples: each is ¾ of the nearest input sample plus ¼ of the next nearest.
    pub fn upsample_h2v1(samples: &[u8], out: &mut [u8]) {
        let (out, _) = out.as_chunks_mut::<2>();
        let inner = samples.windows(3).zip(out.iter_mut().skip(1));
        for (window, out) in inner {
            let [before, here, after] = [window[0], window[1], window[2]].map(u16::from);
            *out = [(3 * here + before + 1) >> 2, (3 * here + after + 2) >> 2].map(|value| value as u8);
        }
        let ([first, second, ..], [.., last_but_one, last]) = (samples, samples) else { return };
        if let Some(out) = out.first_mut() {
            *out = [*first, ((3 * u16::from(*first) + u16::from(*second) + 2) >> 2) as u8];
        }
        if let Some(out) = out.last_mut() {
            *out = [((3 * u16::from(*last) + u16::from(*last_but_one) + 1) >> 2) as u8, *last];
        }
    }
}

multiversion! {
    /// Computes ¾ of a row plus ¼ of the next nearest row.
    pub fn upsample_h1v2(samples: &[u8], near: &[u8], round: u16, out: &mut [u8]) {
        for ((here, near), out) in samples.iter().zip(near).zip(out) {
            *out = ((3 * u16::from(*here) + u16::from(*near) + round) >> 2) as u8;
        }
    }
}

multiversion! {
    /// Upsamples in both directions at once, without intermediate rounding.
    pub fn upsample_h2v2(samples: &[u8], near: &[u8], sums: &mut [u16], out: &mut [u8]) {
        for ((here, near), sum) in samples.iter().zip(near).zip(sums.iter_mut()) {
            *sum = 3 * u16::from(*here) + u16::from(*near);
        }
        let (out, _) = out.as_chunks_mut::<2>();
        let inner = sums.windows(3).zip(out.iter_mut().skip(1));
        for (window, out) in inner {
            let [before, here, after] = [window[0], window[1], window[2]];
            *out = [(3 * here + before + 8) >> 4, (3 * here + after + 7) >> 4].map(|value| value as u8);
        }
        let ([first, second, ..], [.., last_but_one, last]) = (&*sums, &*sums) else { return };
        if let Some(out) = out.first_mut() {
            *out = [(4 * first + 8) >> 4, (3 * first + second + 7) >> 4].map(|value| value as u8);
        }
        if let Some(out) = out.last_mut() {
            *out = [(3 * last + last_but_one + 8) >> 4, (4 * last + 7) >> 4].map(|value| value as u8);
        }
    }
}
