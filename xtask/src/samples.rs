//! The demo's sample set: photos of solar cells, sorted into good and defective images.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::cache::{self, Cache};
use crate::pip::Pip;
use crate::split::{self, Subset};
use crate::wheel::{self, Wheel};

/// The package with the images.
pub const WHEEL: Wheel = Wheel {
    package: "elpv-dataset",
    version: "1.0.0.post1",
    what: "photos of solar cells (ELPV)",
    licence: "CC BY-NC-SA 4.0",
    megabytes: 90.8,
    sha256: "85e31c1126ee9b48e62d3a0232c58f58b2d189b0814a45c13642fa0415af4a4c",
};
/// Version of the split.
const LAYOUT: u32 = 1;
const UNPACKED: &str = ".wheel";

/// The attribution that the licence requires, and the changes made.
const ATTRIBUTION: &str = "\
ELPV: electroluminescence images of solar cells, from https://github.com/zae-bayern/elpv-dataset
(Python package elpv-dataset 1.0.0.post1). Licence of the images: CC BY-NC-SA 4.0, see LICENSE.md in this folder:
attribution, no commercial use, share alike. They are not part of Nominal.

Cite:
  Buerhop-Lutz et al., A Benchmark for Visual Identification of Defective Solar Cells in Electroluminescence Imagery,
    EU PVSEC 2018, doi:10.4229/35thEUPVSEC20182018-5CV.3.15
  Deitsch et al., Automatic classification of defective photovoltaic module cells in electroluminescence images,
    Solar Energy 185, 2019, doi:10.1016/j.solener.2019.02.067
  Deitsch et al., Segmentation of photovoltaic module cells in uncalibrated electroluminescence images,
    Machine Vision and Applications 32, 2021, doi:10.1007/s00138-021-01191-9

Changes: only the monocrystalline cells are included, sorted into folders; the images themselves are as published.
  good = defect probability 0, defective = probability 1, uncertain = in between (not used).
  Of the good cells, ordered by file name, every fifth is in test/good, the others are in train/good.
Cells of one solar module look alike and are on both sides of this split, so measured figures are better than for cells
of an unseen module.
";

/// Downloads the sample set if it is missing, and returns the folder that contains it (as `elpv`).
pub fn ensure(cache: &Cache, pip: &Pip) -> Result<PathBuf> {
    let samples = cache.path("samples");
    let place = samples.join("elpv");
    let stamp = stamp();
    if cache::is_installed(&place, &stamp) && counts(&place).is_ok_and(|c| c.iter().all(|n| *n > 0)) {
        println!("sample set ELPV (CC BY-NC-SA 4.0) is in {}", place.display());
        return Ok(samples);
    }
    cache::install(&place, &stamp, |part| {
        let unpacked = part.join(UNPACKED);
        let rules =
            ["elpv_dataset/data/=", "elpv_dataset-1.0.0.post1.dist-info/licenses/LICENSE.md=LICENSE.md"];
        wheel::unpack(&[(&WHEEL, &rules)], &unpacked, cache, pip)?;
        cache::rename(&unpacked.join("LICENSE.md"), &part.join("LICENSE.md"))?;
        fs::write(part.join("ATTRIBUTION.txt"), ATTRIBUTION)?;
        lay_out(&unpacked, part)?;
        cache::remove(&unpacked)
    })?;
    wheel::forget(&[&WHEEL], cache)?;
    let [train, good, defective, uncertain] = counts(&place)?;
    println!("{}\n{ATTRIBUTION}", "-".repeat(100));
    println!(
        "{train} good cells for training, {good} good and {defective} defective ones for testing, \
         {uncertain} uncertain ones set aside, in {}\n{}",
        place.display(),
        "-".repeat(100)
    );
    Ok(samples)
}

fn stamp() -> String {
    format!("layout {LAYOUT}\n{}", WHEEL.requirement())
}

/// Moves the unpacked images into their folders below `place`.
fn lay_out(unpacked: &Path, place: &Path) -> Result<()> {
    let labels =
        fs::read_to_string(unpacked.join("labels.csv")).context("can't read the sample set's labels.csv")?;
    for folder in Subset::ALL {
        fs::create_dir_all(place.join(folder.folder()))?;
    }
    for (path, to) in split::subsets(&labels)? {
        let Some(name) = Path::new(&path).file_name() else {
            bail!("the sample set's labels.csv names `{path}`, which isn't a file name");
        };
        cache::rename(&unpacked.join(&path), &place.join(to.folder()).join(name))?;
    }
    Ok(())
}

/// Counts the files in each folder, in the order of [`Subset::ALL`].
fn counts(place: &Path) -> Result<[usize; 4]> {
    let mut counts = [0; 4];
    for (count, folder) in counts.iter_mut().zip(Subset::ALL) {
        *count = images(&place.join(folder.folder()))?.len();
    }
    Ok(counts)
}

/// Returns a folder's files, ordered by name.
pub fn images(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries = fs::read_dir(folder).with_context(|| format!("can't read {}", folder.display()))?;
    let mut paths = entries.map(|e| Ok(e?.path())).collect::<Result<Vec<_>>>()?;
    paths.sort();
    Ok(paths)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_installed_set_is_left_alone_and_one_that_lost_its_images_is_not_taken_for_whole() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::open_at(folder.path()).unwrap();
        let place = cache.path("samples/elpv");
        cache::install(&place, &stamp(), |part| {
            for to in Subset::ALL {
                fs::create_dir_all(part.join(to.folder()))?;
                fs::write(part.join(to.folder()).join("a.png"), "")?;
            }
            Ok(())
        })
        .unwrap();
        let no_python = Pip::with_program("no-such-program-here".into());
        let before = place.metadata().unwrap().modified().unwrap();
        assert_eq!(ensure(&cache, &no_python).unwrap(), cache.path("samples"));
        assert_eq!(place.metadata().unwrap().modified().unwrap(), before);
        fs::remove_file(place.join("test/good/a.png")).unwrap();
        assert!(ensure(&cache, &no_python).is_err(), "it has to be fetched again");
    }

    #[test]
    fn images_are_moved_to_their_places_and_counted() {
        let folder = tempfile::tempdir().unwrap();
        let (unpacked, place) = (folder.path().join("in"), folder.path().join("out"));
        fs::create_dir_all(unpacked.join("images")).unwrap();
        let mut labels = String::new();
        for (name, rest) in
            [("a", "0.0 mono"), ("b", "1.0 mono"), ("c", "0.3333 mono"), ("d", "0.0 poly"), ("e", "0.0 mono")]
        {
            fs::write(unpacked.join(format!("images/{name}.png")), name).unwrap();
            labels += &format!("images/{name}.png {rest}\n");
        }
        fs::write(unpacked.join("labels.csv"), &labels).unwrap();
        lay_out(&unpacked, &place).unwrap();
        assert_eq!(counts(&place).unwrap(), [2, 0, 1, 1]);
        assert_eq!(fs::read_to_string(place.join("test/defective/b.png")).unwrap(), "b");
        assert!(unpacked.join("images/d.png").exists(), "polycrystalline cells are left out");

        fs::write(unpacked.join("labels.csv"), "images/missing.png 0.0 mono\n").unwrap();
        assert!(format!("{:#}", lay_out(&unpacked, &place).unwrap_err()).contains("missing.png"));
    }
}
