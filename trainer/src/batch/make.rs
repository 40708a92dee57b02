//! Makes one product's bundle, or goes on where it was interrupted.

use std::fs::{self, File};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result, bail};
use bundle::atomic::write_file;
use judge::{THRESHOLD_FILE, file_sha256, read_regular_file};
use serde::{Deserialize, Serialize};
use signing::listed_files::to_hex;
use signing::{SecretKey, Version, sign_bundle};

use super::products::{Product, Products};
use crate::{child, progress};

/// What the last bundle was made from, in the product's folder.
const MADE: &str = "made.json";
/// What the run in the product's folder was begun with.
const BEGUN: &str = "begun.json";
const MAX_BYTES: u64 = 1 << 20;
/// The exit code of `trainer train` after an interruption.
const INTERRUPTED: i32 = 130;
/// What is shown of a log.
const LAST_WORDS: usize = 300;

/// Signs bundles.
pub struct Signer(pub SecretKey);

/// What became of a product.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The bundle is the one that would be made.
    UpToDate,
    /// It was made.
    Made,
    /// It could not be made; the bundle before is still there.
    Failed,
    /// Someone interrupted it; the next time it goes on.
    Interrupted,
}

/// What became of a product, for people and programs.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Made {
    /// The product.
    pub product: String,
    /// What became of it.
    pub outcome: Outcome,
    /// The bundle.
    pub bundle: PathBuf,
    /// Why, if it failed.
    pub reason: Option<String>,
    /// How long it took.
    pub seconds: f64,
}

#[derive(Serialize, Deserialize)]
struct Record {
    /// The hash of all inputs.
    inputs: String,
    /// The SHA-256 of the bundle's threshold file, in hexadecimal; empty before there is one.
    #[serde(default)]
    bundle: String,
}

/// Makes a product's bundle from these inputs, if it isn't there already or `anew` is set.
#[must_use]
pub fn make(
    products: &Products,
    product: &Product,
    inputs: &str,
    (signer, anew): (Option<&Signer>, bool),
) -> Made {
    let begin = Instant::now();
    let place = Place::new(products, product);
    let (outcome, reason) = if !anew && place.is_up_to_date(inputs) {
        (Outcome::UpToDate, None)
    } else {
        match place.make(products, product, inputs, signer) {
            Ok(true) => (Outcome::Made, None),
            Ok(false) => (Outcome::Interrupted, None),
            Err(e) => (Outcome::Failed, Some(format!("{e:#}"))),
        }
    };
    let seconds = begin.elapsed().as_secs_f64();
    Made { product: product.name.clone(), outcome, bundle: place.bundle, reason, seconds }
}

/// Where a product is made.
struct Place {
    folder: PathBuf,
    run: PathBuf,
    bundle: PathBuf,
    log: PathBuf,
}

impl Place {
    fn new(products: &Products, product: &Product) -> Self {
        let folder = products.out.join("work").join(&product.name);
        let bundle = products.out.join("bundles").join(&product.name);
        Self { run: folder.join("run"), log: folder.join("log.txt"), folder, bundle }
    }

    fn is_up_to_date(&self, inputs: &str) -> bool {
        let Some(made) = read(&self.folder.join(MADE)) else { return false };
        made.inputs == inputs && identity(&self.bundle).is_some_and(|bundle| bundle == made.bundle)
    }

    /// Returns whether it was made; if not, it was interrupted.
    fn make(
        &self,
        products: &Products,
        product: &Product,
        inputs: &str,
        signer: Option<&Signer>,
    ) -> Result<bool> {
        let said = || format!("cannot write to {}; check free space and permissions", self.folder.display());
        fs::create_dir_all(&self.folder).with_context(said)?;
        let begun = read(&self.folder.join(BEGUN)).is_some_and(|begun| begun.inputs == inputs);
        let run = self.run.to_string_lossy().into_owned();
        let can_resume = begun && self.run.join("run.json").is_file();
        File::create(&self.log).with_context(said)?;
        let mut train = vec!["train".to_owned(), "--out".to_owned(), run.clone()];
        if can_resume {
            train.push("--resume".to_owned());
        } else {
            match fs::remove_dir_all(&self.run) {
                Err(e) if e.kind() != ErrorKind::NotFound => return Err(e).with_context(said),
                _ => {}
            }
            let begun = Record { inputs: inputs.to_owned(), bundle: String::new() };
            write(&self.folder.join(BEGUN), &begun).with_context(said)?;
            train.extend(["--data".to_owned(), product.data.to_string_lossy().into_owned()]);
            train.extend(products.train_options(product));
        }
        if !self.run_command(products, &train)? {
            return Ok(false);
        }
        let mut export =
            vec!["export".to_owned(), run, "--out".to_owned(), self.bundle.to_string_lossy().into_owned()];
        export.extend(products.export_options(product));
        if !self.run_command(products, &export)? {
            return Ok(false);
        }
        if let Some(Signer(key)) = signer {
            let now = SystemTime::now().duration_since(UNIX_EPOCH);
            let serial = now.context("this machine's clock is before 1970; set it")?.as_secs();
            sign_bundle(&self.bundle, &product.name, serial, Version::FIRST, key)?;
        }
        let bundle =
            identity(&self.bundle).with_context(|| format!("{} is not there", self.bundle.display()))?;
        write(&self.folder.join(MADE), &Record { inputs: inputs.to_owned(), bundle }).with_context(said)?;
        // The next change begins anew.
        let _ = fs::remove_dir_all(&self.run);
        let _ = fs::remove_file(self.folder.join(BEGUN));
        Ok(true)
    }

    /// Runs one of this program's commands. Returns whether it went through; if not, it was interrupted.
    fn run_command(&self, products: &Products, arguments: &[String]) -> Result<bool> {
        let log = || File::options().append(true).open(&self.log);
        let status = child::program()?
            .args(arguments)
            .current_dir(&products.folder)
            .stdin(Stdio::null())
            .stdout(log()?)
            .stderr(log()?)
            .status()
            .context("cannot start `trainer`; check memory")?;
        match status.code() {
            Some(0) => Ok(true),
            Some(INTERRUPTED) => Ok(false),
            // By a signal: an interruption of all, or memory that ran out.
            None if progress::stop_requested() => Ok(false),
            _ => bail!("{}; {} has all of it", self.last_words(), self.log.display()),
        }
    }

    fn last_words(&self) -> String {
        let text = fs::read(&self.log).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        let last = text
            .lines()
            .rfind(|line| !line.trim().is_empty())
            .unwrap_or("it was ended, perhaps because memory ran out");
        last.trim_start_matches("error: ").chars().take(LAST_WORDS).collect()
    }
}

fn read(path: &Path) -> Option<Record> {
    serde_json::from_slice(&read_regular_file(path, MAX_BYTES).ok()?).ok()
}

fn write(path: &Path, record: &Record) -> std::io::Result<()> {
    write_file(path, &serde_json::to_vec_pretty(record)?)
}

fn identity(bundle: &Path) -> Option<String> {
    Some(to_hex(&file_sha256(&read_regular_file(&bundle.join(THRESHOLD_FILE), MAX_BYTES).ok()?)))
}
