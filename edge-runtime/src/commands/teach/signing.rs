//! Signs what is taught for a line.

use std::path::Path;

use anyhow::Result;
use judge::Bundle;
use signing::SignError;
use signing::manifest::is_plain_name;

use super::print_line;
use crate::line_file::LineFile;
use crate::trust::{BoardSigner, LineTrust};

/// Whom the line trusts, and the board's own key if it has one.
pub(super) struct Signing {
    trust: LineTrust,
    signer: Option<BoardSigner>,
    /// The product whose bundle is taught, if the line has one.
    product: Option<String>,
}

impl Signing {
    /// Reads the keys. Before anything is learned: what keeps the bundle from being signed, or used, is better known before it replaces
    /// another.
    ///
    /// # Errors
    /// If the keys can't be read, the line would refuse the bundle, or the bundle's name can't be signed.
    pub fn new(line: &LineFile, out: &Path) -> Result<Self> {
        let trust = LineTrust::of(line)?;
        let existing = out.canonicalize().ok();
        let is_in_use = existing.is_some()
            && line.products.iter().any(|product| product.bundle.canonicalize().ok() == existing);
        let signer = if is_in_use { BoardSigner::trusted(line, &trust)? } else { BoardSigner::of(line)? };
        let name = out.file_name().unwrap_or_default().to_string_lossy();
        if signer.is_some() && !is_plain_name(&name) {
            return Err(SignError::Name(name.into_owned()).into());
        }
        let product = line.products.iter().find(|product| product.bundle.file_name() == out.file_name());
        Ok(Self { trust, signer, product: product.map(|product| product.name.clone()) })
    }

    /// Returns the bundle that is replaced; `None` if there is none, or it is damaged, or the line wouldn't run it.
    pub fn old_bundle(&self, out: &Path) -> Option<Bundle> {
        self.trust.read(out, None).ok().map(|(bundle, _)| bundle)
    }

    /// Signs the new bundle, which is still in a temporary folder, with the board's own key. Returns its serial number; `None` if the
    /// board has no key.
    ///
    /// # Errors
    /// If the bundle can't be signed.
    pub fn sign(&self, new: &Path, out: &Path) -> Result<Option<u64>> {
        let sign = |signer: &BoardSigner| signer.sign(new, out, self.product.as_deref(), &self.trust);
        self.signer.as_ref().map(sign).transpose()
    }

    /// Says whether the bundle is signed, and whether the line will run it.
    pub fn report(&self, serial: Option<u64>) {
        match (&self.signer, serial) {
            (Some(signer), Some(serial)) => {
                print_line(&format!("signed by {}, serial number {serial}", signer.public()));
                if !self.trust.trusts(signer.public()) {
                    print_line(&format!(
                        "warning: the line doesn't trust this board's key and won't run the bundle; add it to the line file: trust = \
                         [\"{} this board\"]",
                        signer.public().text()
                    ));
                }
            }
            _ if self.trust.is_limited() => print_line(
                "warning: the line runs only signed bundles, and this one isn't; sign it with `trainer sign`, or give \
                 signing.board_key in the line file and teach again",
            ),
            _ => {}
        }
    }
}
