//! Opens a line's bundles: signature first, then everything else.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use judge::{Bundle, Engine, Judge};
use signing::verify::Extent;
use signing::{Key, KeyError, SignedBundle, Trust, TrustError, unverified, verify_bundle};

use super::serials::{Serials, SerialsError};
use crate::files::bundles::OpenBundleError;
use crate::line_file::{LineFile, Product};

/// Why a line can't tell whom it trusts.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LineTrustError {
    /// A key of the line file is damaged.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The key list can't be used.
    #[error(transparent)]
    List(#[from] TrustError),
    /// The key list is older than one that the line has used.
    #[error(
        "the key list {} has the serial number {serial}, and this line has used {highest}; copy the newest list, or start once \
         with --allow-downgrade",
        path.display()
    )]
    OldList {
        /// The list.
        path: PathBuf,
        /// Its serial number.
        serial: u64,
        /// The highest that was used.
        highest: u64,
    },
    /// The serial numbers can't be read.
    #[error(transparent)]
    Serials(#[from] SerialsError),
}

/// Whom a line trusts, and what it has run.
#[derive(Debug, Default)]
pub struct LineTrust {
    /// `None` if every bundle is opened.
    trust: Option<Trust>,
    state: Option<PathBuf>,
    serials: Serials,
    /// Of the key list; 0 without one.
    list_serial: u64,
    allow_downgrade: bool,
}

impl LineTrust {
    /// Reads the key list, if the line file names one, and the serial numbers.
    ///
    /// # Errors
    /// [`LineTrustError`]; no bundle may be opened then.
    pub fn of(line: &LineFile) -> Result<Self, LineTrustError> {
        if !line.is_trust_limited() {
            return Ok(Self::default());
        }
        let keys =
            |texts: &[String]| texts.iter().map(|text| Key::parse(text)).collect::<Result<Vec<_>, _>>();
        let mut trust = Trust::new(keys(&line.trust)?);
        let state = line.health.state.clone();
        let serials = state.as_deref().map(Serials::read).transpose()?.unwrap_or_default();
        let allow_downgrade = line.signing.allow_downgrade;
        let mut list_serial = 0;
        if let Some(path) = &line.signing.key_list {
            (trust, list_serial) = trust.with_list(&keys(&line.signing.root)?, path)?;
            let highest = serials.key_list;
            if list_serial < highest && !allow_downgrade {
                return Err(LineTrustError::OldList { path: path.clone(), serial: list_serial, highest });
            }
        }
        Ok(Self { trust: Some(trust), state, serials, list_serial, allow_downgrade })
    }

    /// Returns whether only signed bundles are opened.
    #[must_use]
    pub const fn is_limited(&self) -> bool {
        self.trust.is_some()
    }

    /// Returns whether bundles that this key has signed are opened.
    #[must_use]
    pub fn trusts(&self, key: &Key) -> bool {
        self.trust.as_ref().is_none_or(|trust| trust.trusts(key))
    }

    /// Opens a product's bundle. Returns who signed it, if only signed bundles are opened.
    ///
    /// # Errors
    /// [`OpenBundleError`]; nothing of the bundle has been parsed before its signature was verified.
    pub fn open(
        &self,
        engine: Engine,
        product: &Product,
        threads: usize,
    ) -> Result<(Judge, Option<SignedBundle>), OpenBundleError> {
        self.open_folder(engine, &product.bundle, Some(&product.name), threads)
    }

    /// Opens a bundle that may be put in the place of a product's: its folder has the same name. Without a product, its serial
    /// number doesn't matter.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn open_folder(
        &self,
        engine: Engine,
        folder: &Path,
        product: Option<&str>,
        threads: usize,
    ) -> Result<(Judge, Option<SignedBundle>), OpenBundleError> {
        self.open_as(engine, folder, folder.file_name(), product, threads)
    }

    /// Opens a bundle that may be put in the place of a product's, from a folder of another name.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn open_as(
        &self,
        engine: Engine,
        folder: &Path,
        name: Option<&OsStr>,
        product: Option<&str>,
        threads: usize,
    ) -> Result<(Judge, Option<SignedBundle>), OpenBundleError> {
        let (bundle, signed) = self.read_as(folder, name, product)?;
        let judge = Judge::load(engine, bundle, threads)
            .map_err(|source| OpenBundleError::Refused { bundle: folder.to_owned(), source })?;
        Ok((judge, signed))
    }

    /// Reads a bundle without loading its model. Without a product, its serial number doesn't matter.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn read(
        &self,
        folder: &Path,
        product: Option<&str>,
    ) -> Result<(Bundle, Option<SignedBundle>), OpenBundleError> {
        self.read_as(folder, folder.file_name(), product)
    }

    fn read_as(
        &self,
        folder: &Path,
        name: Option<&OsStr>,
        product: Option<&str>,
    ) -> Result<(Bundle, Option<SignedBundle>), OpenBundleError> {
        let signed = self.verify(folder, name, product)?;
        let bundle = match &signed {
            Some(signed) => Bundle::open_listed(folder, signed.manifest.hashes()),
            None => Bundle::open(folder),
        };
        let bundle =
            bundle.map_err(|source| OpenBundleError::Refused { bundle: folder.to_owned(), source })?;
        Ok((bundle, signed))
    }

    /// Verifies a bundle's signature, its serial number and all files but model and threshold file, which are checked when they are
    /// read. `None` if every bundle is opened.
    ///
    /// # Errors
    /// [`OpenBundleError::Signature`], [`OpenBundleError::Downgrade`]
    pub fn verify(
        &self,
        folder: &Path,
        name: Option<&OsStr>,
        product: Option<&str>,
    ) -> Result<Option<SignedBundle>, OpenBundleError> {
        let Some(trust) = &self.trust else { return Ok(None) };
        let name = name.unwrap_or_default().to_string_lossy();
        let signed = verify_bundle(folder, &name, trust, Extent::AllButJudged)
            .map_err(|source| OpenBundleError::Signature { source: Box::new(source) })?;
        let (serial, highest) = (signed.manifest.serial, self.highest(product));
        if serial < highest && !self.allow_downgrade {
            return Err(OpenBundleError::Downgrade { bundle: folder.to_owned(), serial, highest });
        }
        Ok(Some(signed))
    }

    /// Returns the highest serial number that was run for a product; 0 if none was.
    pub(super) fn highest(&self, product: Option<&str>) -> u64 {
        product.and_then(|product| self.serials.bundles.get(product)).copied().unwrap_or(0)
    }

    /// Remembers the serial numbers of the bundles that the line runs. With `allow_downgrade` in the line file or on the command line,
    /// lower ones are the highest from now on.
    ///
    /// # Errors
    /// [`SerialsError`]
    pub fn remember(&self, opened: &[(&str, Option<&SignedBundle>)]) -> Result<(), SerialsError> {
        let (Some(_), Some(folder)) = (&self.trust, &self.state) else { return Ok(()) };
        let mut serials = self.serials.clone();
        if self.list_serial > 0 {
            serials.key_list = self.list_serial;
        }
        for (product, signed) in opened {
            if let Some(signed) = signed {
                serials.bundles.insert((*product).to_owned(), signed.manifest.serial);
            }
        }
        if serials == self.serials { Ok(()) } else { serials.write(folder) }
    }
}

/// Says who signed a bundle.
#[must_use]
pub fn describe(signed: &SignedBundle) -> String {
    format!("signed by {}, serial number {}", signed.signer, signed.manifest.serial)
}

/// Says who claims to have signed a bundle if nobody is asked for trust; `None` if it isn't signed.
#[must_use]
pub fn describe_unverified(folder: &Path) -> Option<String> {
    let (serial, id) = unverified(folder)?;
    Some(format!(
        "names key {id}, serial number {serial}; not verified: give --line FILE with `trust` in it, or run `trainer verify`"
    ))
}
