//! The size of EfficientAD's networks, as an option.

use networks::PdnSize;

/// How large EfficientAD's networks are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum SizeClass {
    /// A quarter of the width of s, for a board's CPU
    Xs,
    /// The paper's small networks
    S,
    /// The paper's medium networks
    M,
}

impl SizeClass {
    /// The networks.
    pub const fn pdn(self) -> PdnSize {
        match self {
            Self::Xs => PdnSize::Xs,
            Self::S => PdnSize::S,
            Self::M => PdnSize::M,
        }
    }
}
