//! `publish`: adds a signed bundle to the fleet's folder.

use std::io::Write as _;
use std::path::PathBuf;

use anyhow::Result;
use clap::value_parser;

use super::Keys;
use crate::tree::Tree;

/// Arguments of `publish`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The fleet's folder, which is made if it doesn't exist; a web server or a share shows it to the boards.
    #[arg(value_name = "FOLDER")]
    folder: PathBuf,
    /// The bundle, signed with `trainer sign`.
    #[arg(long, value_name = "FOLDER")]
    bundle: PathBuf,
    /// The product's name in the line files; by default, the name that the bundle was signed with.
    #[arg(long, value_name = "NAME")]
    product: Option<String>,
    /// The group of boards that it is for; by default, all boards whose group has no roll-out of its own.
    #[arg(long, value_name = "NAME")]
    group: Option<String>,
    /// The share of the boards that run it at once, in percent; `rollout` raises it.
    #[arg(long, default_value_t = 0, value_parser = value_parser!(u8).range(0..=100))]
    percent: u8,
    #[command(flatten)]
    keys: Keys,
}

/// Copies the bundle into the folder, and signs an index that names it.
pub fn run(args: &Args) -> Result<()> {
    let (secret, trust) = args.keys.read()?;
    let mut tree = Tree::open(&args.folder, &trust)?;
    let bundle = tree.add(&args.bundle, &trust)?;
    let product = args.product.clone().unwrap_or_else(|| bundle.name.clone());
    let (name, serial) = (bundle.name.clone(), bundle.serial);
    let rollout = fleet::Rollout {
        product: product.clone(),
        group: args.group.clone(),
        name: name.clone(),
        serial,
        percent: args.percent,
        hold: false,
        withdrawn: false,
    };
    tree.roll_out(rollout, bundle);
    let index = tree.write(&secret)?;
    let mut out = std::io::stdout().lock();
    writeln!(
        out,
        "{name}, serial number {serial}: in the index with the serial number {index}, for {} % of the boards",
        args.percent
    )?;
    if args.percent < 100 {
        let group = args.group.as_ref().map(|group| format!(" --group {group}")).unwrap_or_default();
        writeln!(
            out,
            "next: nominal-fleet rollout {} --product {product:?}{group} --percent {} --key {}",
            args.folder.display(),
            if args.percent < 10 { 10 } else { 100 },
            args.keys.key.display()
        )?;
    }
    Ok(())
}
