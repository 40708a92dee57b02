//! The `--engine` option: which engine runs the network.

use judge::Engine;

/// The engine that runs the network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub(crate) enum EngineChoice {
    /// The project's kernels for the operations they support, tract for the rest.
    #[default]
    Kernels,
    /// tract alone, for comparison.
    Plain,
}

impl From<EngineChoice> for Engine {
    fn from(choice: EngineChoice) -> Self {
        match choice {
            EngineChoice::Kernels => Self::Kernels,
            EngineChoice::Plain => Self::Plain,
        }
    }
}
