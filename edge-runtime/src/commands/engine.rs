//! Who computes the network, as a command line says it.

use judge::Engine;

/// Who computes the network's operations.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub(crate) enum EngineChoice {
    /// The project's own kernels where they match, tract for the rest.
    #[default]
    Kernels,
    /// tract alone, to compare with.
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
