//! Greedy k-centre coreset (Sener, Savarese: *Active Learning for Convolutional Neural Networks: A Core-Set Approach*,
//! 2018; in PatchCore: Roth et al., CVPR 2022): each chosen vector is the one farthest from those chosen so far.
//!
//! Vectors are processed in blocks. A block is reduced when it is full, and two reductions of the same generation are
//! merged and reduced to one of the next, so memory grows with the logarithm of the number of vectors.

use crate::features::{dot, squared_distance};
use bundle::seeded::Seeded;

const STREAM: u64 = 0xc0de;
/// Between reductions, this many times the final size is kept: it costs little and loses less.
const OVERSAMPLED: usize = 2;

/// How a coreset is chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CoresetSettings {
    /// Vectors to choose.
    pub size: usize,
    /// Dimensions of a random projection in which distances are compared (Johnson–Lindenstrauss); `None` compares the
    /// vectors themselves.
    pub sketch: Option<usize>,
    /// Vectors in a block; fewer are all compared at once.
    pub block: usize,
    /// Seeds the first choice and the random projection.
    pub seed: u64,
}

/// A coreset of a stream of vectors.
#[derive(Debug, Clone)]
pub struct Coreset {
    settings: CoresetSettings,
    dimensions: usize,
    pending: Vec<f32>,
    /// One reduction for each generation that has one.
    generations: Vec<Option<Vec<f32>>>,
}

impl Coreset {
    /// Starts a coreset of vectors with `dimensions` values.
    #[must_use]
    pub fn new(dimensions: usize, settings: CoresetSettings) -> Self {
        Self { settings, dimensions, pending: vec![], generations: vec![] }
    }

    /// Adds vectors.
    pub fn add(&mut self, vectors: &[f32]) {
        for some in vectors.chunks(self.dimensions * self.settings.block.max(1)) {
            self.pending.extend_from_slice(some);
            if self.pending.len() >= self.dimensions * self.settings.block {
                let block = std::mem::take(&mut self.pending);
                let reduced = self.reduce(&block, OVERSAMPLED * self.settings.size);
                self.carry(reduced);
            }
        }
    }

    /// Returns the chosen vectors: `size` of them, or fewer if there were not enough different ones.
    #[must_use]
    pub fn finish(mut self) -> Vec<f32> {
        let mut all = std::mem::take(&mut self.pending);
        for generation in std::mem::take(&mut self.generations).into_iter().flatten() {
            all.extend(generation);
        }
        self.reduce(&all, self.settings.size)
    }

    /// Merges a reduction into the generations, like a carry in binary addition.
    fn carry(&mut self, mut reduced: Vec<f32>) {
        for place in &mut self.generations {
            match place.take() {
                None => {
                    *place = Some(reduced);
                    return;
                }
                Some(other) => {
                    let both = [other, reduced].concat();
                    let size = OVERSAMPLED * self.settings.size;
                    reduced =
                        gather(&both, self.dimensions, &greedy(&both, self.dimensions, size, self.settings));
                }
            }
        }
        self.generations.push(Some(reduced));
    }

    fn reduce(&self, vectors: &[f32], size: usize) -> Vec<f32> {
        gather(vectors, self.dimensions, &greedy(vectors, self.dimensions, size, self.settings))
    }
}

fn gather(vectors: &[f32], dimensions: usize, indices: &[usize]) -> Vec<f32> {
    indices.iter().flat_map(|&i| &vectors[i * dimensions..(i + 1) * dimensions]).copied().collect()
}

/// Returns the indices of at most `size` vectors, in the order of choice. Ends early if all the remaining ones equal a
/// chosen one.
fn greedy(vectors: &[f32], dimensions: usize, size: usize, settings: CoresetSettings) -> Vec<usize> {
    let count = vectors.len() / dimensions;
    if count == 0 {
        return vec![];
    }
    let mut random = Seeded::new(settings.seed, STREAM);
    let first = random.below(count);
    let sketch =
        settings.sketch.filter(|&to| to < dimensions).map(|to| sketch(vectors, dimensions, to, &mut random));
    let (compared, width) = match &sketch {
        Some(sketch) => (sketch.as_slice(), settings.sketch.unwrap_or(dimensions)),
        None => (vectors, dimensions),
    };
    let mut nearest = vec![f32::INFINITY; count];
    let mut chosen = vec![first];
    let threads = std::thread::available_parallelism().map_or(1, usize::from).min(MAX_THREADS);
    while chosen.len() < size.min(count) {
        let last = chosen[chosen.len() - 1];
        let centre = &compared[last * width..(last + 1) * width];
        let (farthest, distance) = update(&mut nearest, compared, width, centre, threads);
        if distance <= 0.0 {
            break;
        }
        chosen.push(farthest);
    }
    chosen
}

const MAX_THREADS: usize = 8;
/// With fewer vectors, a thread costs more than it saves.
const WORTH_A_THREAD: usize = 8192;

/// Lowers `nearest` to the squared distance from `centre` where that is smaller, and returns the index and value of its
/// maximum.
fn update(
    nearest: &mut [f32],
    vectors: &[f32],
    width: usize,
    centre: &[f32],
    threads: usize,
) -> (usize, f32) {
    let share = nearest.len().div_ceil(threads).max(WORTH_A_THREAD);
    let parts = nearest.chunks_mut(share).zip(vectors.chunks(share * width));
    let results: Vec<(usize, f32)> = std::thread::scope(|scope| {
        let mut handles = vec![];
        let mut results = vec![];
        let mut parts = parts.enumerate();
        let first = parts.next();
        for (part, (nearest, vectors)) in parts {
            handles.push((part, scope.spawn(move || update_part(nearest, vectors, width, centre))));
        }
        if let Some((part, (nearest, vectors))) = first {
            let (at, distance) = update_part(nearest, vectors, width, centre);
            results.push((part * share + at, distance));
        }
        for (part, handle) in handles {
            if let Ok((at, distance)) = handle.join() {
                results.push((part * share + at, distance));
            }
        }
        results
    });
    // Ties go to the first, so that the number of threads doesn't affect the result.
    results.into_iter().fold((0, f32::NEG_INFINITY), |best, next| if next.1 > best.1 { next } else { best })
}

fn update_part(nearest: &mut [f32], vectors: &[f32], width: usize, centre: &[f32]) -> (usize, f32) {
    let mut best = (0, f32::NEG_INFINITY);
    for (index, (near, vector)) in nearest.iter_mut().zip(vectors.chunks_exact(width)).enumerate() {
        let distance = squared_distance(vector, centre);
        *near = near.min(distance);
        if *near > best.1 {
            best = (index, *near);
        }
    }
    best
}

/// Projects onto random signs, which preserves distances on average (Achlioptas: *Database-friendly random projections*,
/// 2003).
fn sketch(vectors: &[f32], dimensions: usize, to: usize, random: &mut Seeded) -> Vec<f32> {
    let scale = 1.0 / (to as f32).sqrt();
    let signs: Vec<f32> =
        (0..to * dimensions).map(|_| if random.below(2) == 0 { scale } else { -scale }).collect();
    let rows = vectors.chunks_exact(dimensions);
    rows.flat_map(|vector| signs.chunks_exact(dimensions).map(move |row| dot(row, vector))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SETTINGS: CoresetSettings = CoresetSettings { size: 20, sketch: None, block: 1000, seed: 3 };

    fn points(count: usize, dimensions: usize) -> Vec<f32> {
        let mut random = Seeded::new(7, 0);
        (0..count * dimensions).map(|_| random.below(2001) as f32 / 1000.0 - 1.0).collect()
    }

    /// Returns the largest distance of a point from its nearest chosen one.
    fn radius(points: &[f32], chosen: &[f32], dimensions: usize) -> f32 {
        let nearest = |p: &[f32]| {
            chosen.chunks(dimensions).map(|c| squared_distance(p, c)).fold(f32::INFINITY, f32::min).sqrt()
        };
        points.chunks(dimensions).map(nearest).fold(0.0, f32::max)
    }

    fn coreset(points: &[f32], dimensions: usize, settings: CoresetSettings) -> Vec<f32> {
        let mut coreset = Coreset::new(dimensions, settings);
        points.chunks(dimensions * 37).for_each(|some| coreset.add(some));
        coreset.finish()
    }

    #[test]
    fn greedy_choice_follows_its_definition() {
        let p = points(300, 3);
        let chosen = greedy(&p, 3, 10, SETTINGS);
        for step in 1..chosen.len() {
            let near = |i: usize| {
                let at = |i: usize| &p[3 * i..3 * i + 3];
                chosen[..step].iter().map(|&c| squared_distance(at(i), at(c))).fold(f32::INFINITY, f32::min)
            };
            let farthest = (0..300).map(near).fold(0.0, f32::max);
            assert_eq!(near(chosen[step]), farthest);
        }
    }

    #[test]
    fn a_stream_is_covered_nearly_as_well_as_all_at_once() {
        let p = points(20_000, 4);
        let whole = radius(&p, &coreset(&p, 4, CoresetSettings { block: 100_000, ..SETTINGS }), 4);
        let stream = coreset(&p, 4, SETTINGS);
        assert_eq!(stream.len(), 20 * 4);
        let streamed = radius(&p, &stream, 4);
        assert!(streamed <= 1.5 * whole, "{streamed} against {whole}");
        // A random choice covers less well.
        let random = radius(&p, &p[..20 * 4], 4);
        assert!(streamed < random, "{streamed} against {random}");
    }

    #[test]
    fn a_random_projection_chooses_nearly_as_well() {
        // Forty-eight dimensions, of which four vary strongly.
        let p: Vec<f32> = points(3000, 48)
            .iter()
            .enumerate()
            .map(|(i, x)| if i % 12 == 0 { *x } else { 0.02 * x })
            .collect();
        let exact = radius(&p, &coreset(&p, 48, SETTINGS), 48);
        let sketched = radius(&p, &coreset(&p, 48, CoresetSettings { sketch: Some(16), ..SETTINGS }), 48);
        assert!(sketched <= 1.6 * exact, "{sketched} against {exact}");
    }

    #[test]
    fn seeds_identical_vectors_and_none() {
        let p = points(500, 3);
        assert_eq!(coreset(&p, 3, SETTINGS), coreset(&p, 3, SETTINGS));
        assert_ne!(coreset(&p, 3, SETTINGS), coreset(&p, 3, CoresetSettings { seed: 4, ..SETTINGS }));
        assert_eq!(coreset(&[1.0; 3000], 3, SETTINGS), [1.0; 3]);
        assert!(coreset(&[], 3, SETTINGS).is_empty());
    }

    #[test]
    fn threads_change_nothing() {
        let p = points(40_000, 2);
        let mut one = vec![f32::INFINITY; 40_000];
        let mut four = one.clone();
        assert_eq!(update(&mut one, &p, 2, &p[..2], 1), update(&mut four, &p, 2, &p[..2], 4));
        assert_eq!(one, four);
    }
}
