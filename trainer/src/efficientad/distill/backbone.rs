//! Computes the backbone's levels of each photo once and keeps them on disk.

use std::path::{Path, PathBuf};

use shared_format::Size;
use tch::{Device, Kind, Tensor};

use crate::method::TrainError;
use crate::natural::Natural;
use crate::run::RunError;
use crate::torch::{Compute, Frozen, channels_last};
use networks::teacher::Teacher;

/// Side of the backbone's photos, twice that of the small network's.
const SIDE: u32 = 512;
/// The backbone's levels that are kept: strides 8 and 16.
const LEVELS: [usize; 2] = [1, 2];
const NAMES: [&str; 2] = ["fine", "coarse"];

/// A backbone with a folder of its stored levels.
#[derive(Debug)]
pub struct Backbone {
    frozen: Frozen,
    mean: Tensor,
    std: Tensor,
    compute: Compute,
    photos: Natural,
    folder: PathBuf,
}

impl Backbone {
    /// Opens a backbone that keeps its levels in `folder`.
    ///
    /// # Errors
    /// If there are no photos, their number differs from `count`, or the folder can't be created.
    pub fn open(
        teacher: &Teacher,
        images: &Path,
        count: usize,
        folder: PathBuf,
        compute: Compute,
    ) -> Result<Self, TrainError> {
        std::fs::create_dir_all(&folder).map_err(|source| RunError::Io { path: folder.clone(), source })?;
        // It processes each photo only once, so full precision is affordable.
        let compute = Compute { kind: Kind::Float, ..compute };
        let channel =
            |values: [f32; 3]| Tensor::from_slice(&values).reshape([1, 3, 1, 1]).to_device(compute.device);
        Ok(Self {
            frozen: Frozen::new(&teacher.network, &teacher.weights, compute),
            mean: channel(teacher.network.mean),
            std: channel(teacher.network.std),
            compute,
            photos: Natural::open(images, Size { width: SIDE, height: SIDE }, Some(count))?,
            folder,
        })
    }

    /// Returns the two levels of photo number `index`, 1×C×h×w in 32-bit floats.
    ///
    /// # Errors
    /// If no photo can be read or the disk can't be written.
    pub fn levels(&mut self, index: usize, grey: bool) -> Result<[Tensor; 2], TrainError> {
        let colour = if grey { "grey" } else { "colour" };
        let path = self.folder.join(format!("{index:07}-{colour}.safetensors"));
        // A truncated file is written again.
        let levels = match read_cached(&path) {
            Some(levels) => levels,
            None => self.compute(index, grey, &path)?,
        };
        Ok(levels.map(|level| level.to_device(self.compute.device).to_kind(Kind::Float)))
    }

    fn compute(&mut self, index: usize, grey: bool, path: &Path) -> Result<[Tensor; 2], TrainError> {
        let photo = self.photos.photo(index, grey)?.to_device(self.compute.device);
        let levels = self.frozen.levels(&channels_last(&((photo - &self.mean) / &self.std)));
        // Half precision: the values are small, and it is finer than bf16 at the same size.
        let levels =
            LEVELS.map(|level| levels[level].to_device(Device::Cpu).to_kind(Kind::Half).contiguous());
        let named: Vec<(&str, &Tensor)> = NAMES.into_iter().zip(&levels).collect();
        let partial = path.with_extension("part");
        Tensor::write_safetensors(&named, &partial)
            .map_err(std::io::Error::other)
            .and_then(|()| std::fs::rename(&partial, path))
            .map_err(|source| RunError::Io { path: path.to_owned(), source })?;
        Ok(levels)
    }
}

fn read_cached(path: &Path) -> Option<[Tensor; 2]> {
    if !path.is_file() {
        return None;
    }
    let mut named = Tensor::read_safetensors(path).ok()?;
    let mut take = |wanted: &str| {
        let index = named.iter().position(|(name, _)| name == wanted)?;
        Some(named.swap_remove(index).1)
    };
    Some([take(NAMES[0])?, take(NAMES[1])?])
}
