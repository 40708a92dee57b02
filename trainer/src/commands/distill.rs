//! `trainer teacher distill`.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use networks::teacher::Library;

use super::size_class::SizeClass;
use crate::compute::{DeviceChoice, Precision};
use crate::efficientad::distill::{Request, STEPS, distill, work_folder};
use crate::method::TrainOutcome;
use crate::progress;
use crate::run::MAX_STEPS;
use crate::schedule::Schedule;
use crate::torch::{Compute, keep_freed_memory};

const INTERRUPTED: u8 = 130;

/// `trainer teacher distill`
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The imported backbone
    #[arg(long)]
    from: String,
    /// Size of the small network that learns
    #[arg(long, visible_alias = "size", value_enum)]
    size_class: SizeClass,
    /// Folder of natural photos, or of subfolders with them
    #[arg(long)]
    images: PathBuf,
    /// Output file for the teacher (safetensors)
    #[arg(long)]
    out: PathBuf,
    /// Number of steps of 16 photos
    #[arg(long, default_value_t = STEPS, value_parser = clap::value_parser!(u64).range(1..=MAX_STEPS))]
    steps: u64,
    /// Published: the paper's rate, from whole photos; short: ten times the rate, falling to 0 at the last step, from a
    /// window of 160² of each photo (a step takes a CPU a third of the time)
    #[arg(long, value_enum, default_value = "published")]
    schedule: Schedule,
    /// Seed for the initial weights and the order of the photos
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Device to compute on
    #[arg(long, value_enum, default_value = "auto")]
    device: DeviceChoice,
    /// Number format of the small network's convolutions while it learns
    #[arg(long, value_enum, default_value = "auto")]
    precision: Precision,
    /// Number of threads; all cores by default
    #[arg(long, value_parser = clap::value_parser!(i32).range(1..=1024))]
    threads: Option<i32>,
}

pub(super) fn run(args: &Args, library: &Library) -> anyhow::Result<ExitCode> {
    progress::catch_interrupts();
    keep_freed_memory();
    if let Some(threads) = args.threads {
        tch::set_num_threads(threads);
    }
    let compute = Compute::resolve(args.device, args.precision)?;
    let from = library.load(&args.from).context("--from does not name a usable backbone")?;
    let (size, out) = (args.size_class.pdn(), args.out.display());
    let request = Request {
        from: &from,
        size,
        images: &args.images,
        out: &args.out,
        steps: args.steps,
        schedule: args.schedule,
        seed: args.seed,
        compute,
    };
    let network = size.network_name();
    eprintln!(
        "{network} from {} ({}), {} steps, {}",
        from.name,
        from.network.name,
        args.steps,
        compute.describe()
    );
    match distill(&request)? {
        TrainOutcome::Finished { .. } | TrainOutcome::Fitted { .. } => {
            let work = work_folder(&args.out);
            eprintln!("{out} is written; {} can be deleted", work.display());
            eprintln!("next: trainer teacher import {out} --name {network}");
            Ok(ExitCode::SUCCESS)
        }
        TrainOutcome::Interrupted { step } => {
            eprintln!("stopped after step {step} of {}; run the same command to resume", args.steps);
            Ok(ExitCode::from(INTERRUPTED))
        }
    }
}
