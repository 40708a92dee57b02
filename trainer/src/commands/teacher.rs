//! `trainer teacher`

use std::path::PathBuf;
use std::process::ExitCode;

#[cfg(feature = "libtorch")]
use super::distill;
use networks::teacher::import::import;

use crate::teachers::user_library;

/// `trainer teacher …`
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Import published weights under a name
    ///
    /// Reads ResNet-18, 34, 50 and Wide ResNet-50-2 as torchvision publishes them, EfficientNet-Lite0 to 4 as their PyTorch
    /// port does, and EfficientAD's teachers (teacher_small.pth, teacher_medium.pth, anomalib's): `.pth` (both the zip layout and
    /// the older one; nothing in the file is executed), `.safetensors`, `.npz`; with BatchNorm or with BatchNorm folded into the
    /// convolutions.
    Import {
        /// The weight file
        file: PathBuf,
        /// The name to keep it under
        #[arg(long)]
        name: String,
    },
    /// List the available teachers
    List,
    /// Make a teacher for efficientad: a small network learns to reproduce a backbone's features
    ///
    /// Ctrl-C leaves a checkpoint beside --out, in the folder FILE.distill; the same command resumes from it. That folder
    /// also keeps the backbone's features of each photo (0.6 to 1.6 MB); it can be deleted at the end.
    #[cfg(feature = "libtorch")]
    Distill(distill::Args),
}

pub(super) fn run(command: Command) -> anyhow::Result<ExitCode> {
    let library = user_library();
    match command {
        #[cfg(feature = "libtorch")]
        Command::Distill(args) => return distill::run(&args, &library),
        Command::Import { file, name } => {
            let teacher = import(&library, &file, &name)?;
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
            for name in names {
                let shipped = if library.is_shipped(&name) { "  comes with trainer" } else { "" };
                match library.load(&name) {
                    Ok(teacher) => println!("{name}  {}{shipped}", teacher.network.name),
                    Err(e) => println!("{name}  unusable: {e}"),
                }
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}
