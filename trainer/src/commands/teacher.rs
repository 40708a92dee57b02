//! `trainer teacher`

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;

use super::size::SizeClass;
use crate::method::Ended;
use crate::method::efficientad::distill::{Request, STEPS, distill, work_folder};
use crate::progress;
use crate::run::MAX_STEPS;
use crate::teacher::Library;
use crate::torch::{Compute, DeviceChoice, Precision, keep_freed_memory};

const INTERRUPTED: u8 = 130;

/// `trainer teacher …`
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Read published weights and keep them under a name
    ///
    /// Reads ResNet-18 as torchvision publishes it, EfficientNet-Lite0 as its PyTorch port does, and EfficientAD's
    /// teachers (teacher_small.pth, teacher_medium.pth, anomalib's): `.pth` (the zip layout and the older one; nothing
    /// in the file is executed), `.safetensors`, `.npz`; with BatchNorm or with the BatchNorm folded.
    Import {
        /// The weight file
        file: PathBuf,
        /// The name to keep it under
        #[arg(long)]
        name: String,
    },
    /// List the teachers that are there
    List,
    /// Make a teacher for efficientad: a small network learns to give a backbone's features
    ///
    /// Ctrl-C leaves a checkpoint beside --out, in the folder FILE.distill; the same command goes on from it. That folder
    /// also keeps the backbone's features of each photo (0.6 to 1.6 MB); it can be removed at the end.
    Distill(Distill),
}

/// `trainer teacher distill`
#[derive(Debug, clap::Args)]
pub struct Distill {
    /// The imported backbone
    #[arg(long)]
    from: String,
    /// Size of the small network
    #[arg(long, visible_alias = "size", value_enum)]
    size_class: SizeClass,
    /// Folder of natural photos, or of folders with them
    #[arg(long)]
    images: PathBuf,
    /// The teacher's file (safetensors)
    #[arg(long)]
    out: PathBuf,
    /// Length in steps of 16 photos
    #[arg(long, default_value_t = STEPS, value_parser = clap::value_parser!(u64).range(1..=MAX_STEPS))]
    steps: u64,
    /// Seeds the first weights and the order of the photos
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Where to compute
    #[arg(long, value_enum, default_value = "auto")]
    device: DeviceChoice,
    /// Number format of the small network's convolutions while it learns
    #[arg(long, value_enum, default_value = "auto")]
    precision: Precision,
    /// Threads; all cores unless given
    #[arg(long, value_parser = clap::value_parser!(i32).range(1..=1024))]
    threads: Option<i32>,
}

pub(super) fn run(command: Command) -> anyhow::Result<ExitCode> {
    let library = Library::of_user();
    match command {
        Command::Distill(args) => return run_distill(&args, &library),
        Command::Import { file, name } => {
            let teacher = library.import(&file, &name)?;
            let parameters: usize = teacher.weights.values().map(|array| array.data.len()).sum();
            println!(
                "{name}: {}, {} convolutions, {:.1} million weights, kept in {}",
                teacher.network.name,
                teacher.network.convs().count(),
                parameters as f64 / 1e6,
                library.folder().display()
            );
        }
        Command::List => {
            let names = library.names()?;
            if names.is_empty() {
                eprintln!(
                    "no teachers yet in {}; import one with `trainer teacher import FILE --name NAME`",
                    library.folder().display()
                );
            }
            for name in names {
                match library.load(&name) {
                    Ok(teacher) => println!("{name}  {}", teacher.network.name),
                    Err(e) => println!("{name}  unusable: {e}"),
                }
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn run_distill(args: &Distill, library: &Library) -> anyhow::Result<ExitCode> {
    progress::catch_interrupts();
    keep_freed_memory();
    if let Some(threads) = args.threads {
        tch::set_num_threads(threads);
    }
    let compute = Compute::resolve(args.device, args.precision).map_err(anyhow::Error::msg)?;
    let from = library.load(&args.from).context("--from names no usable backbone")?;
    let (size, out) = (args.size_class.pdn(), args.out.display());
    let request = Request {
        from: &from,
        size,
        images: &args.images,
        out: &args.out,
        steps: args.steps,
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
        Ended::Finished { .. } => {
            let work = work_folder(&args.out);
            eprintln!("{out} is written; {} can be removed", work.display());
            eprintln!("next: trainer teacher import {out} --name {network}");
            Ok(ExitCode::SUCCESS)
        }
        Ended::Interrupted { step } => {
            eprintln!("stopped after step {step} of {}; the same command goes on", args.steps);
            Ok(ExitCode::from(INTERRUPTED))
        }
    }
}
