//! `trainer stress`

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use bundle::atomic::write_file;
use bundle::dataset::normal_images;
use judge::{Judge, decode_file_within};

use crate::progress;
use crate::stress::{Steps, report, stress};

/// Judge good photos again under changed light, out of focus, shifted, rotated and compressed, in steps, to find the strength at
/// which the bundle rejects more of them than it claims.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The bundle
    bundle: PathBuf,
    /// Photos of good parts, preferably ones that were not used for training
    #[arg(long)]
    data: PathBuf,
    /// Maximum number of photos, spread evenly over all
    #[arg(long, default_value_t = 40, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    photos: u32,
    /// Only these disturbances, separated by commas: gain, gamma, temperature, blur, noise, shift, rotation or jpeg at all their
    /// strengths, or one strength, such as gain=0.9,shift=2
    #[arg(long, value_name = "STEPS")]
    only: Option<Steps>,
    /// Write the outcomes as JSON
    #[arg(long)]
    json: Option<PathBuf>,
    /// Write a page with curves
    #[arg(long)]
    html: Option<PathBuf>,
    /// Number of threads of the engine
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=256))]
    threads: u16,
}

pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    progress::catch_interrupts();
    let found = normal_images(&args.data)?;
    found.unused.line(&args.data).iter().for_each(|line| eprintln!("{line}"));
    let mut judge = Judge::open(&args.bundle, args.threads.into())?;
    let most = judge.bundle().thresholds.recipe.frames.max_admitted();
    let (all, wanted) = (found.images.len(), found.images.len().min(args.photos as usize));
    let mut photos = Vec::new();
    for index in 0..wanted {
        let path = &found.images[index * all / wanted];
        match decode_file_within(path, most) {
            Ok(photo) => photos.push(photo),
            Err(reason) => eprintln!("skipped {}: {reason}", path.display()),
        }
    }
    if photos.is_empty() {
        bail!(
            "no photo in {} can be used; give photos like those that the bundle was made from",
            args.data.display()
        );
    }
    let steps = args.only.clone().unwrap_or_else(Steps::all);
    let rounds = 1 + steps.as_slice().len();
    let bar = progress::bar((photos.len() * rounds) as u64, "Judging");
    let outcomes = stress(&mut judge, &photos, &steps, &mut || {
        bar.inc(1);
        !progress::stop_requested()
    });
    bar.finish_and_clear();
    let Some(outcomes) = outcomes else { bail!("stopped; nothing was written") };
    print!("{}", report::table(&outcomes));
    let write = |path: &PathBuf, bytes: &[u8]| {
        write_file(path, bytes)
            .with_context(|| format!("can't write {}; check the path and free space", path.display()))
    };
    if let Some(path) = &args.json {
        write(path, &serde_json::to_vec_pretty(&outcomes)?)?;
    }
    if let Some(path) = &args.html {
        write(path, report::page(&outcomes).as_bytes())?;
        println!("page: {}", path.display());
    }
    Ok(ExitCode::SUCCESS)
}
