//! Which bundles a line runs: those that someone has signed whom the line file trusts, and none older than it has run before.
//!
//! | file | contents |
//! |---|---|
//! | `line_trust` | opens a line's bundles: signature first, then everything else |
//! | `serials` | the highest serial numbers that the line has run |
//! | `board_signer` | signs what is made on this board with its own key |
//!
//! Without `trust` and `signing.root` in the line file, every bundle is opened, as if there were no signatures.

mod board_signer;
mod line_trust;
mod serials;

pub use board_signer::BoardSigner;
pub use line_trust::{LineTrust, LineTrustError, describe, describe_unverified};
pub use serials::SerialsError;
