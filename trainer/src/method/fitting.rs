//! What is common to the methods that are fitted and not trained.

use methods::features::{Extractor, FeatureError, FeatureSet, Levels, likeness};
use methods::padim::{self, Reduction};
use methods::patchcore::{self, BankSize, Score};
use networks::resample::{SMOOTHING, smoothing};
use serde::{Deserialize, Serialize};

use crate::compute::Resolved;
use crate::progress;
use crate::run::Run;

/// Why fitting failed.
pub(super) enum Fit<E> {
    /// Before the method had a part in it.
    Features(FeatureError),
    /// In the method.
    Method(E),
}

/// Hands the features of the run's images to `fit`, with a function that is to be called after each image and says
/// whether to go on.
pub(super) fn fit_images<M, E>(
    run: &Run,
    compute: &Resolved,
    levels: Levels,
    fit: impl FnOnce(&mut FeatureSet, &mut dyn FnMut() -> bool) -> Result<Option<M>, E>,
) -> Result<Option<M>, Fit<E>> {
    let settings = &run.settings;
    // There is nothing to select: those images are learned from, too.
    let paths = settings.paths(&[&settings.fit[..], &settings.selection[..]].concat());
    let threads = compute.threads.max(1) as usize;
    let extractor = Extractor::new(&run.teacher, settings.recipe, settings.flip, levels, threads)
        .map_err(Fit::Features)?;
    let bar = progress::bar(paths.len() as u64, "Looking at good parts");
    let mut set = FeatureSet::new(extractor, paths);
    let fitted = fit(&mut set, &mut || {
        bar.inc(1);
        !progress::stop_requested()
    });
    bar.finish_and_clear();
    let fitted = fitted.map_err(Fit::Method)?;
    if fitted.is_some() {
        warn_of_strangers(&mut set).map_err(Fit::Features)?;
    }
    Ok(fitted)
}

/// After fitting every image has been looked at: this costs nothing.
fn warn_of_strangers(set: &mut FeatureSet) -> Result<(), FeatureError> {
    let indices = all_images(set);
    let found = likeness(set, &indices)?;
    if found.identical {
        eprintln!(
            "warning: all images show the same picture; what good parts differ by can't be learned from them"
        );
    }
    for &index in &found.strangers {
        eprintln!(
            "warning: {} looks unlike the others; if it is no good part of this product, remove it and train again",
            set.path(index).display()
        );
    }
    Ok(())
}

/// The indices of all images of a set.
pub(super) fn all_images(set: &FeatureSet) -> Vec<usize> {
    (0..set.paths().len()).collect()
}

/// Choices for fitted methods; a run's settings record them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, clap::Args)]
#[serde(default)]
pub struct Fitting {
    /// patchcore: size of the bank, a share of all positions such as 5%, or a budget such as 512KiB, or 8ms of search a frame on this machine
    #[arg(long, value_name = "SIZE", default_value = Fitting::BANK, value_parser = bank)]
    pub bank: String,
    /// patchcore: nearest entries of the bank whose distances are averaged
    #[arg(long, value_name = "K", default_value_t = Fitting::NEIGHBOURS, value_parser = clap::value_parser!(u16).range(1..=64))]
    pub neighbours: u16,
    /// patchcore: the image's score: worst (mean of the worst 5 % of the map), standardised (the same in deviations of each place from good parts), maximum, or reweighted (as in the paper); unless given, worst for fewer than 40 images, else standardised
    #[arg(long, value_name = "SCORE", value_parser = scores())]
    pub score: Option<String>,
    /// patchcore: choose the bank by exact distances, not by those in a random projection
    #[arg(long)]
    pub exact: bool,
    /// patchcore, padim, and efficientad with a backbone: how far the map is smoothed, in positions of the features' grid (of 8 pixels; standard deviation of a Gaussian); more finds larger and fainter defects, less draws small ones sharper
    #[arg(long, value_name = "POSITIONS", default_value_t = SMOOTHING, value_parser = smoothing)]
    pub smoothing: f64,
    /// padim: dimensions that the features are reduced to
    #[arg(long, value_name = "D", default_value_t = Fitting::DIMENSIONS, value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub dimensions: u16,
    /// padim: covariances, full or diagonal (smaller by the number of dimensions)
    #[arg(long, value_name = "KIND", default_value = Fitting::FULL, value_parser = [Fitting::FULL, Fitting::DIAGONAL])]
    pub covariance: String,
    /// padim: how features are reduced, by orthogonal directions or to random channels
    #[arg(long, value_name = "KIND", default_value = Fitting::REDUCTION, value_parser = reductions())]
    pub reduction: String,
    /// padim: neighbouring positions that share a covariance, as the side of a square; each keeps a mean of its own
    #[arg(long, value_name = "SIDE", default_value_t = Fitting::CELL, value_parser = clap::value_parser!(u16).range(1..=64))]
    pub cell: u16,
    /// padim: share of the mean variance in each covariance, which steadies it where images are few
    #[arg(long, value_name = "SHARE", default_value_t = Fitting::SHRINKAGE, value_parser = share)]
    pub shrinkage: f64,
}

impl Fitting {
    const BANK: &'static str = "512KiB";
    const NEIGHBOURS: u16 = 1;
    const DIMENSIONS: u16 = 128;
    const FULL: &'static str = "full";
    const DIAGONAL: &'static str = "diagonal";
    const REDUCTION: &'static str = "orthogonal";
    const CELL: u16 = 2;
    const SHRINKAGE: f64 = 0.01;

    /// As PatchCore takes them.
    ///
    /// # Errors
    /// Names what no trainer writes.
    pub fn patchcore(&self, seed: u64) -> Result<patchcore::Options, String> {
        let bank: BankSize = self.bank.parse()?;
        let score = self
            .score
            .as_deref()
            .map(|name| Score::by_name(name).ok_or_else(|| format!("the score `{name}` is unknown")));
        let defaults = patchcore::Options::default();
        let sketch = defaults.sketch.filter(|_| !self.exact);
        Ok(patchcore::Options {
            bank,
            sketch,
            neighbours: self.neighbours.into(),
            score: score.transpose()?,
            smoothing: self.smoothing,
            seed,
            ..defaults
        })
    }

    /// As PaDiM takes them.
    ///
    /// # Errors
    /// Names what no trainer writes.
    pub fn padim(&self, seed: u64) -> Result<padim::Options, String> {
        let reduction = Reduction::by_name(&self.reduction)
            .ok_or_else(|| format!("the reduction `{}` is unknown", self.reduction))?;
        let full = self.covariance == Self::FULL;
        Ok(padim::Options {
            dimensions: self.dimensions.into(),
            reduction,
            full,
            cell: self.cell.into(),
            shrinkage: self.shrinkage,
            smoothing: self.smoothing,
            seed,
        })
    }
}

impl Default for Fitting {
    fn default() -> Self {
        Self {
            bank: Self::BANK.to_owned(),
            neighbours: Self::NEIGHBOURS,
            score: None,
            exact: false,
            smoothing: SMOOTHING,
            dimensions: Self::DIMENSIONS,
            covariance: Self::FULL.to_owned(),
            reduction: Self::REDUCTION.to_owned(),
            cell: Self::CELL,
            shrinkage: Self::SHRINKAGE,
        }
    }
}

fn bank(text: &str) -> Result<String, String> {
    text.parse::<BankSize>().map(|_| text.to_owned())
}

fn scores() -> clap::builder::PossibleValuesParser {
    Score::ALL.map(|(name, _)| name).into()
}

fn reductions() -> clap::builder::PossibleValuesParser {
    Reduction::ALL.map(|(name, _)| name).into()
}

fn share(text: &str) -> Result<f64, String> {
    let share = text.parse::<f64>().ok().filter(|share| (0.0..1.0).contains(share));
    share.ok_or_else(|| format!("`{text}` is no share; write a number from 0 to less than 1"))
}
