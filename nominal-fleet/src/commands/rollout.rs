//! `rollout`: shows which boards are to run which bundle, and changes it.

use std::io::Write as _;
use std::path::PathBuf;

use anyhow::{Context as _, Result, ensure};
use clap::value_parser;

use super::Keys;
use crate::tree::Tree;

/// Arguments of `rollout`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The fleet's folder.
    #[arg(value_name = "FOLDER")]
    folder: PathBuf,
    /// The product whose roll-out is changed.
    #[arg(long, value_name = "NAME")]
    product: Option<String>,
    /// The group whose roll-out is changed; by default, the one for all boards.
    #[arg(long, value_name = "NAME", requires = "product")]
    group: Option<String>,
    /// The share of the boards that are to run the bundle.
    #[arg(long, requires = "product", value_parser = value_parser!(u8).range(0..=100))]
    percent: Option<u8>,
    /// No more boards change to the bundle; those that run it keep it.
    #[arg(long, requires = "product")]
    hold: bool,
    /// Go on after --hold or --withdraw.
    #[arg(long, requires = "product", conflicts_with_all = ["hold", "withdraw"])]
    resume: bool,
    /// Boards that run the bundle go back to what they ran before.
    #[arg(long, requires = "product", conflicts_with = "hold")]
    withdraw: bool,
    #[command(flatten)]
    keys: Keys,
}

/// Changes a roll-out, if the arguments say so, and shows all.
pub fn run(args: &Args) -> Result<()> {
    let (secret, trust) = args.keys.read()?;
    let mut tree = Tree::open(&args.folder, &trust)?;
    ensure!(tree.index().serial > 0, "{} has no index; publish a bundle first", args.folder.display());
    let is_changed = args.percent.is_some() || args.hold || args.resume || args.withdraw;
    if let Some(product) = args.product.as_ref().filter(|_| is_changed) {
        let rollout = tree.rollout_mut(product, args.group.as_deref());
        let rollout = rollout.with_context(|| {
            format!("there is no roll-out of {product:?} for this group; publish a bundle for it first")
        })?;
        rollout.percent = args.percent.unwrap_or(rollout.percent);
        rollout.hold = (rollout.hold || args.hold) && !args.resume;
        rollout.withdrawn = (rollout.withdrawn || args.withdraw) && !args.resume;
        tree.write(&secret)?;
    }
    let mut out = std::io::stdout().lock();
    writeln!(out, "index {}", tree.index().serial)?;
    for rollout in &tree.index().rollouts {
        let group = rollout.group.as_deref().unwrap_or("all boards");
        let state = match (rollout.withdrawn, rollout.hold) {
            (true, _) => ", withdrawn",
            (false, true) => ", on hold",
            (false, false) => "",
        };
        writeln!(
            out,
            "{} ({group}): {} {} for {} %{state}",
            rollout.product, rollout.name, rollout.serial, rollout.percent
        )?;
    }
    Ok(())
}
