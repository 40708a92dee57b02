//! How much of each sample belongs to each component.

use super::em::Samples;

/// Rounds of the power iteration that finds the direction of a split.
const ROUNDS: usize = 50;

/// samples × components; each sample's sum is 1.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Responsibilities {
    components: usize,
    values: Vec<f64>,
}

impl Responsibilities {
    /// All samples belong to one component.
    pub fn one(samples: usize) -> Self {
        Self { components: 1, values: vec![1.0; samples] }
    }

    /// Computes them from ln(share · density), and the log-likelihood of all samples.
    pub fn of(log_densities: &[f64], samples: usize) -> (Self, f64) {
        let components = (log_densities.len() / samples.max(1)).max(1);
        let (mut values, mut sum) = (Vec::with_capacity(log_densities.len()), 0.0);
        for of_sample in log_densities.chunks_exact(components) {
            let largest = of_sample.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            let total: f64 = of_sample.iter().map(|d| (d - largest).exp()).sum();
            values.extend(of_sample.iter().map(|d| (d - largest).exp() / total));
            sum += largest + total.ln();
        }
        (Self { components, values }, sum)
    }

    pub fn iter(&self) -> impl Iterator<Item = &[f64]> {
        self.values.chunks_exact(self.components)
    }

    /// Returns how many samples belong to each component.
    pub fn totals(&self) -> Vec<f64> {
        let mut totals = vec![0.0; self.components];
        self.iter().for_each(|shares| totals.iter_mut().zip(shares).for_each(|(t, s)| *t += s));
        totals
    }

    /// Returns the mean of each component: components × channels.
    pub fn means(&self, samples: &Samples) -> Vec<f64> {
        let channels = samples.channels;
        let mut means = vec![0.0; self.components * channels];
        for (sample, shares) in samples.iter().zip(self.iter()) {
            for (mean, share) in means.chunks_exact_mut(channels).zip(shares) {
                mean.iter_mut().zip(sample).for_each(|(m, x)| *m += share * x);
            }
        }
        for (mean, total) in means.chunks_exact_mut(channels).zip(self.totals()) {
            mean.iter_mut().for_each(|m| *m /= total.max(f64::MIN_POSITIVE));
        }
        means
    }

    /// Splits the component with the largest scatter along its direction of largest variance (Linde, Buzo, Gray: *An Algorithm for
    /// Vector Quantizer Design*, 1980): its samples on one side become a new component. `None` if no component varies.
    pub fn split(&self, samples: &Samples) -> Option<Self> {
        let means = self.means(samples);
        let directions: Vec<(f64, Vec<f64>)> =
            (0..self.components).map(|component| self.direction(samples, &means, component)).collect();
        let most = |a: &usize, b: &usize| directions[*a].0.total_cmp(&directions[*b].0);
        let chosen = (0..self.components).max_by(most)?;
        let (scatter, direction) = directions.get(chosen)?;
        if *scatter <= 0.0 {
            return None;
        }
        let mean = &means[chosen * samples.channels..(chosen + 1) * samples.channels];
        let mut values = Vec::with_capacity(self.values.len() + samples.count);
        for (sample, shares) in samples.iter().zip(self.iter()) {
            let beyond = along(sample, mean, direction) > 0.0;
            values.extend_from_slice(shares);
            let moved = if beyond { shares[chosen] } else { 0.0 };
            let at = values.len() - self.components + chosen;
            values[at] -= moved;
            values.push(moved);
        }
        Some(Self { components: self.components + 1, values })
    }

    /// Returns a component's scatter along its direction of largest variance, and that direction.
    fn direction(&self, samples: &Samples, means: &[f64], component: usize) -> (f64, Vec<f64>) {
        let mean = &means[component * samples.channels..(component + 1) * samples.channels];
        let share = |shares: &[f64]| shares[component];
        // The iteration starts from the sample that is farthest from the mean.
        let far = |(sample, shares): (&[f64], &[f64])| {
            let deviation: Vec<f64> = sample.iter().zip(mean).map(|(x, m)| x - m).collect();
            (share(shares) * deviation.iter().map(|d| d * d).sum::<f64>(), deviation)
        };
        let farthest = samples.iter().zip(self.iter()).map(far).max_by(|a, b| a.0.total_cmp(&b.0));
        let Some((_, mut direction)) = farthest else { return (0.0, vec![]) };
        let mut scatter = 0.0;
        for _ in 0..ROUNDS {
            let length = direction.iter().map(|d| d * d).sum::<f64>().sqrt();
            if length <= 0.0 {
                return (0.0, direction);
            }
            direction.iter_mut().for_each(|d| *d /= length);
            let mut next = vec![0.0; samples.channels];
            scatter = 0.0;
            for (sample, shares) in samples.iter().zip(self.iter()) {
                let projected = along(sample, mean, &direction);
                let weight = share(shares) * projected;
                scatter += weight * projected;
                next.iter_mut().zip(sample.iter().zip(mean)).for_each(|(n, (x, m))| *n += weight * (x - m));
            }
            direction = next;
        }
        let length = direction.iter().map(|d| d * d).sum::<f64>().sqrt();
        direction.iter_mut().for_each(|d| *d /= length.max(f64::MIN_POSITIVE));
        (scatter, direction)
    }
}

fn along(sample: &[f64], mean: &[f64], direction: &[f64]) -> f64 {
    sample.iter().zip(mean).zip(direction).map(|((x, m), d)| (x - m) * d).sum()
}
