//! Who may use the page.
//!
//! | file | contents |
//! |---|---|
//! | `passwords` | the file with the hashes of both passwords |
//! | `sessions` | who is logged in |
//! | `attempts` | slows down whoever guesses |
//! | `audit` | the log of who changed what |

mod attempts;
mod audit;
mod passwords;
mod sessions;

use serde::{Deserialize, Serialize};

pub use attempts::Attempts;
pub use audit::AuditLog;
pub use passwords::{PasswordError, hash_of, passwords_file, set_password, verify};
pub use sessions::{Session, Sessions};

/// What a person may do.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, clap::ValueEnum,
)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Sees the line, decides on records, acknowledges alarms, chooses the product, takes photos, tries what another bundle would change.
    Operator,
    /// Also changes thresholds and bundles, replaces other people's decisions and reads the log.
    Engineer,
}

impl Role {
    /// Returns its lower-case word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Operator => "operator",
            Self::Engineer => "engineer",
        }
    }
}
