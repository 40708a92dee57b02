//! `trainer batch`

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::Context as _;
use judge::{file_sha256, read_regular_file};
use signing::SecretKey;
use signing::listed_files::to_hex;

use crate::batch::{Made, Outcome, Product, Products, Signer, hash, make};
use crate::progress;

const INTERRUPTED: u8 = 130;
/// Larger programs than this one don't exist.
const MAX_PROGRAM: u64 = 4 << 30;

/// Make the bundles of many products, as far as they are out of date.
///
/// PRODUCTS.toml lists them:
///
///   out = "made"                      # bundles are in made/bundles
///   key = "office.key"                # signs them; optional
///   train = ["--size", "256"]         # options for all, and below for one; likewise export
///   [[product]]
///   name = "cap"
///   data = "photos/cap"
///   export = ["--target-fpr", "0.005"]
///
/// A bundle is out of date if its photos, its options, a file that these name, or this program has changed. After an interruption or a
/// failure, the same command goes on.
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub struct Args {
    /// The file that lists the products
    #[arg(value_name = "PRODUCTS.toml")]
    file: PathBuf,
    /// The number of products that are made at a time; each takes its own memory
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=256))]
    jobs: u16,
    /// Make only this product; can be given several times
    #[arg(long, value_name = "NAME")]
    only: Vec<String>,
    /// Also make what is up to date
    #[arg(long)]
    anew: bool,
    /// Also write the summary to this file, as JSON
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let products = Products::read(&args.file)?;
    let is_known = |name: &&String| !products.products.iter().any(|product| product.name == **name);
    if let Some(unknown) = args.only.iter().find(is_known) {
        anyhow::bail!("{} lists no product {unknown}; correct --only", args.file.display());
    }
    let signer = products.key.as_deref().map(SecretKey::read).transpose()?.map(Signer);
    let program =
        std::env::current_exe().context("cannot find this program's file; start it by its full path")?;
    let program = to_hex(&file_sha256(&read_regular_file(&program, MAX_PROGRAM)?));
    progress::catch_interrupts();
    let chosen = |product: &&Product| args.only.is_empty() || args.only.contains(&product.name);
    let chosen: Vec<&Product> = products.products.iter().filter(chosen).collect();
    let (next, made) = (AtomicUsize::new(0), Mutex::new(vec![]));
    std::thread::scope(|scope| {
        for _ in 0..usize::from(args.jobs).min(chosen.len()) {
            scope.spawn(|| {
                while !progress::stop_requested()
                    && let Some(product) = chosen.get(next.fetch_add(1, Ordering::Relaxed))
                {
                    let one = match hash(&products, product, &program) {
                        Ok(inputs) => make(&products, product, &inputs, (signer.as_ref(), args.anew)),
                        Err(e) => Made {
                            product: product.name.clone(),
                            outcome: Outcome::Failed,
                            bundle: PathBuf::new(),
                            reason: Some(format!("{e:#}")),
                            seconds: 0.0,
                        },
                    };
                    eprintln!("{}", sentence(&one));
                    made.lock().unwrap_or_else(PoisonError::into_inner).push(one);
                }
            });
        }
    });
    let mut made = made.into_inner().unwrap_or_else(PoisonError::into_inner);
    made.sort_by(|a, b| a.product.cmp(&b.product));
    let count = |outcome| made.iter().filter(|one| one.outcome == outcome).count();
    let (failed, left) = (count(Outcome::Failed), chosen.len() - made.len() + count(Outcome::Interrupted));
    let mut out = std::io::stdout().lock();
    writeln!(
        out,
        "{} products: {} made, {} up to date, {failed} failed, {left} left",
        chosen.len(),
        count(Outcome::Made),
        count(Outcome::UpToDate)
    )?;
    if let Some(path) = &args.json {
        let json = serde_json::to_vec_pretty(&made)?;
        bundle::atomic::write_file(path, &json)
            .with_context(|| format!("cannot write {}; check the folder", path.display()))?;
    }
    Ok(match (left, failed) {
        (1.., _) => ExitCode::from(INTERRUPTED),
        (0, 1..) => ExitCode::FAILURE,
        (0, 0) => ExitCode::SUCCESS,
    })
}

fn sentence(made: &Made) -> String {
    let Made { product, outcome, bundle, reason, seconds } = made;
    match outcome {
        Outcome::UpToDate => format!("{product}: up to date"),
        Outcome::Made => format!("{product}: made in {seconds:.0} s, {}", bundle.display()),
        Outcome::Failed => format!("{product}: failed: {}", reason.as_deref().unwrap_or_default()),
        Outcome::Interrupted => format!("{product}: interrupted; the same command goes on"),
    }
}
