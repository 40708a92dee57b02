//! Images as training samples: prepared by the judge's own code, with the teacher's features.

use std::path::PathBuf;

use judge::{Preparer, decode_file};
use methods::Flip;
use networks::Network;
use shared_format::{Recipe, Size};
use tch::{Device, Kind, Tensor};

use crate::memory;
use crate::method::TrainError;
use crate::progress;
use crate::torch::{Compute, Frozen, channels_last};

/// Images (or their tiles) with the teacher's features of them.
#[derive(Debug)]
pub struct SampleBatch {
    /// N×3×H×W, normalised, in the requested number format.
    pub image: Tensor,
    /// The teacher's levels.
    pub targets: Vec<Tensor>,
}

/// The images of a set, and how they become samples.
#[derive(Debug)]
pub struct ImageSet {
    /// The files.
    pub paths: Vec<PathBuf>,
    /// How a frame becomes the network's input.
    pub recipe: Recipe,
    /// Mirrored copies beside the originals.
    pub flip: Flip,
}

impl ImageSet {
    fn per_image(&self) -> usize {
        self.recipe.tiles.count() * self.flip.copies()
    }
}

/// Images and targets are small numbers, for which half precision is finer than bf16 at the same memory size.
const STORED_KIND: Kind = Kind::Half;
/// Number of samples that the teacher processes at once.
const TEACHER_BATCH: i64 = 8;

/// The samples of one set. Those that fit are kept in memory, so each image is decoded, and processed by the
/// teacher, only once instead of once per epoch.
#[derive(Debug)]
pub struct Samples {
    set: ImageSet,
    preparer: Preparer,
    mean: Tensor,
    std: Tensor,
    compute: Compute,
    teacher: Frozen,
    cache: Vec<SampleBatch>,
}

impl Samples {
    /// Prepares the images of `set`, keeping at most `budget` bytes in memory.
    ///
    /// # Errors
    /// If an image that was readable can no longer be read.
    pub fn load(
        set: ImageSet,
        network: &Network,
        teacher: Frozen,
        compute: Compute,
        budget: usize,
        what: &str,
    ) -> Result<Self, TrainError> {
        let per_channel = |values: [f32; 3]| Tensor::from_slice(&values).reshape([1, 3, 1, 1]);
        let (mean, std) = (per_channel(network.mean), per_channel(network.std));
        let preparer = Preparer::new(set.recipe);
        let images = set.paths.len();
        let mut samples = Self { set, preparer, mean, std, compute, teacher, cache: vec![] };
        let bar = progress::bar(images as u64, what);
        let mut used = 0;
        for index in 0..images {
            if progress::stop_requested() {
                break;
            }
            for sample in samples.read(index)? {
                used += bytes(&sample.image) + sample.targets.iter().map(bytes).sum::<usize>();
                samples.cache.push(sample);
            }
            if used > budget {
                let kept = index + 1;
                progress::print(
                    &bar,
                    &format!("{what}: {kept} of {images} fit in memory; the others are read each time"),
                );
                break;
            }
            bar.inc(1);
        }
        bar.finish_and_clear();
        Ok(samples)
    }

    /// Returns the number of samples: images times tiles, twice as many with mirrored copies.
    #[must_use]
    pub fn count(&self) -> usize {
        self.set.paths.len() * self.set.per_image()
    }

    /// Returns the number of samples per image: its tiles, and as many of each mirrored copy.
    #[must_use]
    pub fn per_image(&self) -> usize {
        self.set.per_image()
    }

    /// Returns the size of the samples' images.
    #[must_use]
    pub fn input(&self) -> Size {
        self.set.recipe.input
    }

    /// Returns the number of samples per frame.
    #[must_use]
    pub fn tiles(&self) -> usize {
        self.set.recipe.tiles.count()
    }

    /// Returns the samples at these indices, on the computing device, with images in the number format `kind`.
    ///
    /// # Errors
    /// If an image that is not kept in memory can no longer be read.
    pub fn batch(&mut self, indices: &[usize], kind: Kind) -> Result<SampleBatch, TrainError> {
        let per_image = self.set.per_image();
        let mut fresh = Vec::new();
        let kept = self.cache.len();
        for &index in indices.iter().filter(|&&index| index >= kept) {
            fresh.push(self.read(index / per_image)?.swap_remove(index % per_image));
        }
        let mut fresh = fresh.iter();
        let chosen: Vec<&SampleBatch> =
            indices.iter().filter_map(|&index| self.cache.get(index).or_else(|| fresh.next())).collect();
        let gather = |part: &dyn Fn(&SampleBatch) -> Tensor| {
            let parts: Vec<Tensor> = chosen.iter().map(|sample| part(sample)).collect();
            channels_last(&Tensor::cat(&parts, 0).to_device(self.compute.device))
        };
        let levels = chosen.first().map_or(0, |sample| sample.targets.len());
        Ok(SampleBatch {
            image: gather(&|sample| sample.image.to_kind(kind)),
            targets: (0..levels)
                .map(|level| gather(&|sample| sample.targets[level].shallow_clone()))
                .collect(),
        })
    }

    /// Returns mean and deviation of the images' channels, 1×3×1×1 each, for RGB 0..1.
    pub fn channels(&self) -> [&Tensor; 2] {
        [&self.mean, &self.std]
    }

    /// Computes the teacher's levels of normalised images, N×3×H×W.
    #[must_use]
    pub fn teacher_features(&self, image: &Tensor) -> Vec<Tensor> {
        let parts: Vec<Vec<Tensor>> = image
            .split(TEACHER_BATCH, 0)
            .iter()
            .map(|part| self.teacher.levels(&part.to_kind(self.teacher.kind())))
            .collect();
        let levels = parts.first().map_or(0, Vec::len);
        (0..levels)
            .map(|level| Tensor::cat(&parts.iter().map(|part| &part[level]).collect::<Vec<_>>(), 0))
            .collect()
    }

    /// Reads one image's tiles, then their mirrored copies, on the CPU.
    fn read(&mut self, index: usize) -> Result<Vec<SampleBatch>, TrainError> {
        let path = &self.set.paths[index];
        let frame = decode_file(path).map_err(|source| TrainError::Decode { path: path.clone(), source })?;
        let mut planes = Vec::new();
        let prepared = self.preparer.prepare(&frame, &mut planes);
        prepared.map_err(|source| TrainError::Prepare { path: path.clone(), source })?;
        let input = self.set.recipe.input;
        let image =
            Tensor::from_slice(&planes).reshape([-1, 3, i64::from(input.height), i64::from(input.width)]);
        let image = match self.set.flip {
            Flip::None => image,
            Flip::Horizontal => Tensor::cat(&[&image, &image.flip([3])], 0),
            Flip::Vertical => Tensor::cat(&[&image, &image.flip([2])], 0),
        };
        let image = channels_last(&((image - &self.mean) / &self.std)).to_device(self.compute.device);
        let levels = self.teacher_features(&image);
        let stored = |x: &Tensor, tile: i64, kind| x.narrow(0, tile, 1).to_kind(kind).to_device(Device::Cpu);
        Ok((0..image.size()[0])
            .map(|tile| SampleBatch {
                image: stored(&image, tile, STORED_KIND),
                targets: levels.iter().map(|level| stored(level, tile, STORED_KIND)).collect(),
            })
            .collect())
    }
}

/// Returns the memory in bytes that samples may take: a third of what is available.
#[must_use]
pub fn memory_budget() -> usize {
    memory::available() / 3
}

fn bytes(tensor: &Tensor) -> usize {
    tensor.numel() * if tensor.kind() == Kind::Float { 4 } else { 2 }
}
