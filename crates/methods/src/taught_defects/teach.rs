//! Images of known defects → discriminants, and cross-fitted scores of good parts and defects.

use std::path::PathBuf;

use networks::teacher::Teacher;
use shared_format::{Recipe, RobustStats};

use super::discriminants::{ANOMALY_WEIGHT, Discriminants, MOST_DEVIATIONS, SHARE};
use super::evidence::{ExampleScore, TaughtScores};
use super::examples::{Example, Examples};
use super::location::{LocationError, Locator};
use super::normals::{NormalStats, NormalSums};
use crate::cross_fit::CrossFitError;
use crate::features::{Extractor, FeatureSet, Features, Flip, Levels, Projection, dot};
use crate::image_score::{Standardised, positions_in_share, stats_of};
use crate::method::ProgressCallback;

/// The result of teaching.
#[derive(Debug)]
pub(crate) struct Taught {
    pub(crate) discriminants: Discriminants,
    pub(crate) scores: TaughtScores,
}

/// What to learn from.
pub(crate) struct Lesson<'a> {
    pub(crate) teacher: &'a Teacher,
    pub(crate) recipe: Recipe,
    pub(crate) levels: Levels,
    pub(crate) threads: usize,
    pub(crate) examples: &'a Examples,
    /// Good parts: the frames of each.
    pub(crate) parts: &'a [Vec<PathBuf>],
    /// Their tiles' distances by a model of the other folds, standardised position by position.
    pub(crate) maps: &'a [Vec<Standardised>],
    /// The fold of each part.
    pub(crate) fold_of: &'a [usize],
    pub(crate) folds: usize,
}

/// A taught defect as the model of good parts sees it: its tiles' distances, standardised position by position, and its score.
pub(crate) type SeenDefect = (Standardised, f32);

impl From<LocationError> for CrossFitError {
    fn from(error: LocationError) -> Self {
        match error {
            LocationError::Defects(error) => Self::Defects(error),
            LocationError::Feature(error) => error.into(),
        }
    }
}

/// Discriminants of one fold: all kinds, then one for each taught defect, of its kind without it.
struct Heads {
    mean: Vec<f32>,
    directions: Vec<Vec<f32>>,
}

impl Lesson<'_> {
    /// Learns. `set` holds the good parts' frames in order, `see` scores a defect by the model of good parts. `progress` is called
    /// after each good part and each defect; `None` if it returns `false`.
    pub(crate) fn run(
        &self,
        set: &mut FeatureSet,
        see: &mut dyn FnMut(&Example) -> Result<SeenDefect, CrossFitError>,
        progress: ProgressCallback<'_>,
    ) -> Result<Option<Taught>, CrossFitError> {
        let extractor = Extractor::new(self.teacher, self.recipe, Flip::None, self.levels, self.threads)?;
        let paths = self.examples.images.iter().map(|example| example.path.clone()).collect();
        let mut defects = FeatureSet::new(extractor, paths);
        let [channels, rows, columns] = set.shape();
        let mut locator = Locator::new(self.recipe, [rows, columns]);
        let (mut vectors, mut seen) = (vec![], vec![]);
        for (index, example) in self.examples.images.iter().enumerate() {
            let (maps, score) = see(example)?;
            let positions = locator.positions(example, &maps)?;
            vectors.push(mean_of(&defects.of(index)?, &positions));
            seen.push((maps, score));
            if !progress() {
                return Ok(None);
            }
        }
        let mut sums = NormalSums::new(channels, self.folds);
        for (part, frames) in self.frames().enumerate() {
            for frame in frames {
                set.of(frame)?.iter().for_each(|sample| sums.add(self.fold_of[part], &sample.vectors));
            }
        }
        // Worst positions of each good part's frames and tiles, for each head of its fold.
        let heads: Vec<Heads> =
            (0..self.folds).map(|fold| self.heads(&sums.without(Some(fold)), &vectors)).collect();
        let copies = set.samples() / self.recipe.tiles.count();
        let mut pooled: Vec<Vec<Vec<Vec<f32>>>> = vec![];
        for (part, frames) in self.frames().enumerate() {
            let heads = &heads[self.fold_of[part]];
            let mut of_part = vec![];
            for (frame, maps) in frames.zip(&self.maps[part]) {
                // Mirrored copies are learned from, but not judged.
                let tiles = set.of(frame)?;
                let tiles = tiles.iter().step_by(copies).zip(maps);
                of_part.push(tiles.map(|(tile, map)| heads.pool(tile, map)).collect::<Vec<_>>());
            }
            pooled.push(of_part);
            if !progress() {
                return Ok(None);
            }
        }
        let heads_count = self.examples.kinds.len() + vectors.len();
        let stats: Vec<RobustStats> = (0..heads_count)
            .map(|column| stats_of(pooled.iter().flatten().flatten().map(|tile| tile[column]).collect()))
            .collect();
        let final_heads = self.heads(&sums.without(None), &vectors);
        let mut examples = vec![];
        for (index, (example, (maps, score))) in self.examples.images.iter().zip(&seen).enumerate() {
            let tiles = defects.of(index)?;
            let own = Some((index, example.kind));
            let of_tile = |(tile, map): (&Features, &Vec<f32>)| {
                self.likeness(&final_heads.pool(tile, map), &stats, own)
            };
            let likeness = tiles.iter().zip(maps).map(of_tile).fold(f32::NEG_INFINITY, f32::max);
            examples.push(ExampleScore { kind: example.kind, score: *score, likeness });
        }
        let of_frame = |frame: &Vec<Vec<f32>>| {
            frame.iter().map(|tile| self.likeness(tile, &stats, None)).fold(f32::NEG_INFINITY, f32::max)
        };
        let normals = pooled.iter().map(|part| part.iter().map(of_frame).collect()).collect();
        let discriminants = self.discriminants(&final_heads, &stats);
        Ok(Some(Taught { discriminants, scores: TaughtScores { normals, examples } }))
    }

    /// Returns each part's frames, as indices into the set.
    fn frames(&self) -> impl Iterator<Item = std::ops::Range<usize>> {
        self.parts.iter().scan(0, |at, frames| {
            let start = *at;
            *at += frames.len();
            Some(start..*at)
        })
    }

    fn heads(&self, normals: &NormalStats, vectors: &[Vec<f64>]) -> Heads {
        let of_kind = |kind: usize, without: Option<usize>| {
            let images = self.examples.images.iter().enumerate();
            let others = images.filter(|(index, example)| example.kind == kind && Some(*index) != without);
            let vectors: Vec<&Vec<f64>> = others.map(|(index, _)| &vectors[index]).collect();
            average(&vectors)
                .map_or_else(|| vec![0.0; normals.mean.len()], |mean| normals.discriminant(&mean))
        };
        let mut directions: Vec<Vec<f32>> =
            (0..self.examples.kinds.len()).map(|kind| of_kind(kind, None)).collect();
        let images = self.examples.images.iter().enumerate();
        directions.extend(images.map(|(index, example)| of_kind(example.kind, Some(index))));
        Heads { mean: normals.mean.iter().map(|x| *x as f32).collect(), directions }
    }

    /// Returns the largest likeness to any kind. A defect, given with its kind, is compared with its kind without itself.
    fn likeness(&self, pooled: &[f32], stats: &[RobustStats], own: Option<(usize, usize)>) -> f32 {
        let kinds = self.examples.kinds.len();
        let columns = (0..kinds).map(|kind| match own {
            Some((index, of_kind)) if of_kind == kind => kinds + index,
            _ => kind,
        });
        columns.map(|at| (pooled[at] - stats[at].centre) / stats[at].spread).fold(f32::NEG_INFINITY, f32::max)
    }

    fn discriminants(&self, heads: &Heads, stats: &[RobustStats]) -> Discriminants {
        let kinds = self.examples.kinds.clone();
        let scaled = heads.directions.iter().zip(stats).take(kinds.len());
        let matrix = scaled.flat_map(|(row, stats)| row.iter().map(|w| w / stats.spread)).collect();
        let projection = Projection { outputs: kinds.len(), mean: heads.mean.clone(), matrix };
        let weights = stats.iter().take(kinds.len()).map(|stats| ANOMALY_WEIGHT / stats.spread).collect();
        let offsets = stats.iter().take(kinds.len()).map(|stats| -stats.centre / stats.spread).collect();
        Discriminants { kinds, projection, weights, offsets }
    }
}

impl Heads {
    /// Returns, for each direction, the mean likeness over the worst positions of a tile; `map` has its standardised distances.
    fn pool(&self, tile: &Features, map: &[f32]) -> Vec<f32> {
        let positions = tile.vectors.len() / tile.channels;
        let count = positions_in_share(SHARE, positions);
        let pool = |direction: &Vec<f32>| {
            let shift = dot(direction, &self.mean);
            let vectors = tile.vectors.chunks_exact(tile.channels).zip(map);
            let likeness = vectors
                .map(|(vector, a)| dot(direction, vector) - shift + ANOMALY_WEIGHT * a.min(MOST_DEVIATIONS));
            let mut values: Vec<f32> = likeness.collect();
            if count < positions {
                values.select_nth_unstable_by(count - 1, |a, b| b.total_cmp(a));
            }
            values[..count].iter().sum::<f32>() / count as f32
        };
        self.directions.iter().map(pool).collect()
    }
}

/// Returns the mean vector of these positions of each tile.
fn mean_of(tiles: &[Features], positions: &[Vec<usize>]) -> Vec<f64> {
    let vectors = tiles.iter().zip(positions).flat_map(|(tile, positions)| {
        positions
            .iter()
            .map(|position| &tile.vectors[position * tile.channels..(position + 1) * tile.channels])
    });
    let vectors: Vec<Vec<f64>> = vectors.map(|v| v.iter().map(|x| f64::from(*x)).collect()).collect();
    average(&vectors.iter().collect::<Vec<_>>()).unwrap_or_default()
}

fn average(vectors: &[&Vec<f64>]) -> Option<Vec<f64>> {
    let mut sum = vec![0.0; vectors.first()?.len()];
    for vector in vectors {
        sum.iter_mut().zip(*vector).for_each(|(s, x)| *s += x / vectors.len() as f64);
    }
    Some(sum)
}
