//! Signs what is made on this board with its own key.

use std::fs;
use std::io;
use std::path::Path;

use anyhow::{Context as _, Result, bail};
use bundle::atomic::{sync_folder, write_folder};
use signing::verify::Extent;
use signing::{Key, SecretKey, Trust, Version, board_key, sign_bundle, verify_bundle};

use super::line_trust::LineTrust;
use crate::line_file::LineFile;

/// The board's own key.
pub struct BoardSigner {
    secret: SecretKey,
    public: Key,
}

impl BoardSigner {
    /// Returns the board's key, which is made when it is first needed; `None` if the line file has no folder for it.
    ///
    /// # Errors
    /// If the key can't be made or read.
    pub fn of(line: &LineFile) -> Result<Option<Self>> {
        let Some(folder) = &line.signing.board_key else { return Ok(None) };
        let secret = board_key(folder)?;
        let public = Key::named(secret.public()?.text(), "this board")?;
        Ok(Some(Self { secret, public }))
    }

    /// Like [`Self::of`], for a bundle that the line is to run.
    ///
    /// # Errors
    /// If the line would refuse the bundle, because there is no key or it isn't trusted.
    pub fn trusted(line: &LineFile, trust: &LineTrust) -> Result<Option<Self>> {
        let signer = Self::of(line)?;
        match &signer {
            None if trust.is_limited() => bail!(
                "this line opens only signed bundles, and the board has no key to sign a new one; give signing.board_key in the line \
                 file, and trust the key that is then made"
            ),
            Some(signer) if !trust.trusts(&signer.public) => bail!(
                "this line doesn't trust the board's own key; add it to the line file: trust = [\"{} this board\"]",
                signer.public.text()
            ),
            _ => Ok(signer),
        }
    }

    /// Returns the public key.
    #[must_use]
    pub const fn public(&self) -> &Key {
        &self.public
    }

    /// Signs a new bundle that is to be put in the place `place` of an older one, with the next serial number. Returns that number.
    ///
    /// # Errors
    /// If the bundle can't be signed.
    pub fn sign(&self, folder: &Path, place: &Path, product: Option<&str>, trust: &LineTrust) -> Result<u64> {
        let name = place.file_name().context("the bundle's path has no name; give that of a folder")?;
        let name = name.to_str().context("the bundle's name is not UTF-8; rename its folder")?;
        let serial = self.next_serial(place, name, product, trust);
        sign_bundle(folder, name, serial, Version::FIRST, &self.secret)?;
        Ok(serial)
    }

    /// Returns the number after those of the bundle in place and of all that were run. A number that nobody trusted has signed doesn't
    /// count: it could be the largest of all.
    fn next_serial(&self, place: &Path, name: &str, product: Option<&str>, trust: &LineTrust) -> u64 {
        let own = Trust::new(vec![self.public.clone()]);
        let in_place = match trust.verify(place, place.file_name(), None) {
            Ok(Some(signed)) => signed.manifest.serial,
            _ => verify_bundle(place, name, &own, Extent::All).map_or(0, |signed| signed.manifest.serial),
        };
        in_place.max(trust.highest(product)).saturating_add(1)
    }

    /// Changes a copy of the bundle at `place`, signs it and puts it in place in one step.
    ///
    /// # Errors
    /// If `change` fails, or the copy can't be made, signed or put in place; the bundle is then unchanged.
    pub fn replace<T>(
        &self,
        place: &Path,
        product: &str,
        trust: &LineTrust,
        change: impl FnOnce(&Path) -> Result<T>,
    ) -> Result<(T, u64)> {
        // A link to the folder stays one; the bundle's name is that of the link.
        let target = place.canonicalize().with_context(|| format!("cannot find {}", place.display()))?;
        let mut result = None;
        write_folder(&target, |copy| {
            copy_folder(&target, copy).context("cannot copy the bundle; check free space")?;
            // The bundle was verified a while ago. This key must not vouch for what has changed since.
            trust.verify(copy, place.file_name(), Some(product))?;
            let changed = change(copy)?;
            result = Some((changed, self.sign(copy, place, Some(product), trust)?));
            anyhow::Ok(())
        })?;
        result.context("the bundle was not changed; report this")
    }
}

/// Copies the files and folders of a folder, with their permissions.
fn copy_folder(from: &Path, to: &Path) -> io::Result<()> {
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            fs::create_dir(&target)?;
            copy_folder(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), &target)?;
            fs::File::open(&target)?.sync_all()?;
        }
    }
    fs::set_permissions(to, from.metadata()?.permissions())?;
    sync_folder(to)
}
