//! `trainer sign` and `trainer verify`

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, bail};
use judge::read_regular_file;
use signing::trust::signature_path;
use signing::verify::Extent;
use signing::{Key, KeyList, SecretKey, Trust, Version, key_list, sign_bundle, sign_file, verify_bundle};

/// Larger files have no signature.
const MAX_BYTES: u64 = 2 << 30;
/// Larger files are no public keys.
const MAX_KEY_BYTES: u64 = 4096;

/// Sign a bundle, or a file such as a key list.
///
/// A bundle gets a manifest of all its files and the manifest's signature. Sign it last: any later change of a file makes lines
/// refuse it.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The bundle's folder, or a file; a .toml file must be a key list
    path: PathBuf,
    /// The secret key, of `trainer key new` or minisign; its password is asked for
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
    /// The bundle's serial number: a line refuses lower ones than it has run. By default the seconds since 1970
    #[arg(long, value_name = "N")]
    serial: Option<u64>,
    /// The bundle's name: that of its folder on the line. By default that of the folder here
    #[arg(long)]
    name: Option<String>,
    /// The oldest version of edge-runtime that may run the bundle
    #[arg(long, value_name = "VERSION", value_parser = version, default_value_t = Version::FIRST)]
    min_version: Version,
}

/// Verify who signed a bundle or a file, and that nothing was changed since.
#[derive(Debug, clap::Args)]
pub struct VerifyArgs {
    /// The bundle's folder, or a file
    path: PathBuf,
    /// The public key that must have signed: a .pub file, or the key itself. Can be given several times
    #[arg(long = "key", value_name = "KEY", required = true)]
    keys: Vec<String>,
    /// The name that the bundle must be signed for. By default that of the folder
    #[arg(long)]
    name: Option<String>,
}

fn version(text: &str) -> Result<Version, String> {
    Version::parse(text).ok_or_else(|| "give three numbers, such as 0.1.0".to_owned())
}

pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let is_bundle = args.path.is_dir();
    if !is_bundle && (args.serial.is_some() || args.name.is_some()) {
        bail!(
            "{} is not a bundle's folder; omit --serial and --name, or correct the path",
            args.path.display()
        );
    }
    if !is_bundle && args.path.extension().is_some_and(|extension| extension == "toml") {
        let bytes = read_regular_file(&args.path, key_list::MAX_BYTES)
            .with_context(|| format!("cannot read {}", args.path.display()))?;
        KeyList::parse(&bytes).with_context(|| format!("{} is not a key list", args.path.display()))?;
    }
    let key = SecretKey::read(&args.key)?;
    if !is_bundle {
        let signature = sign_file(&args.path, &key)?;
        println!("{}: signed by {}", signature.display(), key.public()?);
        return Ok(ExitCode::SUCCESS);
    }
    let name = name_of(args.name.as_ref(), &args.path)?;
    let serial = match args.serial {
        Some(serial) => serial,
        None => SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .context("this machine's clock is before 1970; set it, or give --serial")?
            .as_secs(),
    };
    let (manifest, signer) = sign_bundle(&args.path, &name, serial, args.min_version, &key)?;
    println!(
        "{}: {} files signed by {} as {name}, serial number {serial}",
        args.path.display(),
        manifest.files.len(),
        signer
    );
    println!("the line file trusts it with: trust = [\"{}\"]", signer.text());
    Ok(ExitCode::SUCCESS)
}

pub(super) fn verify(args: &VerifyArgs) -> anyhow::Result<ExitCode> {
    let key = |text: &String| match Key::parse(text) {
        Ok(key) => Ok(key),
        Err(_) => public_key(Path::new(text)),
    };
    let trust = Trust::new(args.keys.iter().map(key).collect::<anyhow::Result<_>>()?);
    if args.path.is_dir() {
        let name = name_of(args.name.as_ref(), &args.path)?;
        let signed = verify_bundle(&args.path, &name, &trust, Extent::All)?;
        println!(
            "{}: signed by {} as {name}, serial number {}; all {} files are as they were signed",
            args.path.display(),
            signed.signer,
            signed.manifest.serial,
            signed.manifest.files.len()
        );
    } else {
        let signature = signature_path(&args.path);
        let read = |path: &Path| {
            read_regular_file(path, MAX_BYTES)
                .with_context(|| format!("cannot read {}; check the path", path.display()))
        };
        let signer = trust.signer(&read(&args.path)?, &read(&signature)?, &signature)?;
        println!("{}: signed by {signer}", args.path.display());
    }
    Ok(ExitCode::SUCCESS)
}

/// Reads a public key's file.
///
/// # Errors
/// If it can't be read, or isn't one.
pub(super) fn public_key(path: &Path) -> anyhow::Result<Key> {
    let bytes = read_regular_file(path, MAX_KEY_BYTES).with_context(|| {
        format!("cannot read the public key {}; give a .pub file, or the key's text itself", path.display())
    })?;
    Ok(Key::parse_file(&String::from_utf8_lossy(&bytes))?)
}

fn name_of(given: Option<&String>, folder: &Path) -> anyhow::Result<String> {
    if let Some(name) = given {
        return Ok(name.clone());
    }
    let folder = folder.canonicalize().with_context(|| format!("cannot find {}", folder.display()))?;
    let name = folder.file_name().and_then(|name| name.to_str());
    Ok(name.context("the folder has no name in UTF-8; give --name")?.to_owned())
}
