//! What can be chosen of the methods that are fitted.

use fit::patchcore::{BankSize, Options, Score};
use serde::{Deserialize, Serialize};

/// Choices for fitted methods; a run's settings record them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, clap::Args)]
#[serde(default)]
pub struct Fitting {
    /// patchcore: size of the bank, a share of all positions such as 5%, or a budget such as 512KiB
    #[arg(long, value_name = "SIZE", default_value = Fitting::BANK, value_parser = bank)]
    pub bank: String,
    /// patchcore: nearest entries of the bank whose distances are averaged
    #[arg(long, value_name = "K", default_value_t = Fitting::NEIGHBOURS, value_parser = clap::value_parser!(u16).range(1..=64))]
    pub neighbours: u16,
    /// patchcore: the image's score: worst (mean of the worst 1 % of the map), maximum, or reweighted (as in the paper)
    #[arg(long, value_name = "SCORE", default_value = Fitting::SCORE, value_parser = scores())]
    pub score: String,
    /// patchcore: choose the bank by exact distances, not by those in a random projection
    #[arg(long)]
    pub exact: bool,
}

impl Fitting {
    const BANK: &'static str = "512KiB";
    const NEIGHBOURS: u16 = 1;
    const SCORE: &'static str = "worst";

    /// As PatchCore takes them.
    ///
    /// # Errors
    /// Names what no trainer writes.
    pub fn patchcore(&self, seed: u64) -> Result<Options, String> {
        let bank: BankSize = self.bank.parse()?;
        let score =
            Score::by_name(&self.score).ok_or_else(|| format!("the score `{}` is unknown", self.score))?;
        let defaults = Options::default();
        let sketch = defaults.sketch.filter(|_| !self.exact);
        Ok(Options { bank, score, sketch, neighbours: self.neighbours.into(), seed, ..defaults })
    }
}

impl Default for Fitting {
    fn default() -> Self {
        Self {
            bank: Self::BANK.to_owned(),
            neighbours: Self::NEIGHBOURS,
            score: Self::SCORE.to_owned(),
            exact: false,
        }
    }
}

fn bank(text: &str) -> Result<String, String> {
    text.parse::<BankSize>().map(|_| text.to_owned())
}

fn scores() -> clap::builder::PossibleValuesParser {
    Score::ALL.map(|(name, _)| name).into()
}
