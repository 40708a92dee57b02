//! The fleet's folder: signed bundles and the index.
//!
//! ```text
//! index.json, index.json.minisig    what each board is to run
//! bundles/NAME/SERIAL/              a bundle, as `trainer sign` has signed it; never changed
//! ```

use std::fs::{self, File, TryLockError};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use bundle::atomic::{write_file, write_folder, write_synced};
use fleet::{INDEX_FILE, INDEX_SIGNATURE_FILE, Index, IndexedBundle, MAX_INDEX_BYTES, Rollout};
use judge::{ReadError, file_sha256, read_regular_file};
use signing::listed_files::ListedFile;
use signing::verify::Extent;
use signing::{MANIFEST_FILE, Manifest, SIGNATURE_FILE, SecretKey, Trust, verify_bundle};

/// Index and signature as they are about to be: after a power cut between the two, both are written again from here.
const NEXT_FILE: &str = ".next-index.json";
const NEXT_SIGNATURE_FILE: &str = ".next-index.json.minisig";
/// Larger files are refused, as the judge refuses larger models.
const MAX_FILE_BYTES: u64 = 2 << 30;

/// The fleet's folder.
#[derive(Debug)]
pub struct Tree {
    folder: PathBuf,
    index: Index,
    /// Locked until the next index is written; none on a file system that has no locks.
    _lock: Option<File>,
}

impl Tree {
    /// Opens a fleet's folder, which is made if it doesn't exist. The index that is there must be from someone trusted: otherwise the next
    /// one would sign what somebody else has slipped in.
    ///
    /// # Errors
    /// If the folder can't be used, or the index isn't from someone trusted.
    pub fn open(folder: &Path, trust: &Trust) -> Result<Self> {
        fs::create_dir_all(folder).with_context(|| {
            format!("cannot make {}; check the path and its permissions", folder.display())
        })?;
        let lock = lock(folder)?;
        let next = read_index(folder, NEXT_FILE, NEXT_SIGNATURE_FILE, trust);
        if let Ok(Some((_, bytes, signature))) = next {
            replace_index(folder, &bytes, &signature)?;
        }
        let index = read_index(folder, INDEX_FILE, INDEX_SIGNATURE_FILE, trust)?;
        let index = index.map(|(index, ..)| index).unwrap_or_default();
        Ok(Self { folder: folder.to_owned(), index, _lock: lock })
    }

    /// Returns the index.
    #[must_use]
    pub const fn index(&self) -> &Index {
        &self.index
    }

    /// Returns the roll-out of a product for a group.
    pub fn rollout_mut(&mut self, product: &str, group: Option<&str>) -> Option<&mut Rollout> {
        self.index.rollouts.iter_mut().find(|it| it.product == product && it.group.as_deref() == group)
    }

    /// Copies a signed bundle into the folder. Boards don't see it before [`Self::write`].
    ///
    /// # Errors
    /// If nobody trusted has signed the bundle, or it can't be copied.
    pub fn add(&self, bundle: &Path, trust: &Trust) -> Result<IndexedBundle> {
        let unsigned = || format!("{} is not signed; sign it with `trainer sign`", bundle.display());
        let manifest = read_regular_file(&bundle.join(MANIFEST_FILE), signing::manifest::MAX_BYTES);
        let name = Manifest::parse(&manifest.with_context(unsigned)?)?.name;
        let signed = verify_bundle(bundle, &name, trust, Extent::All)?;
        let mut files = signed.manifest.files.keys().cloned().collect::<Vec<_>>();
        files.extend([MANIFEST_FILE, SIGNATURE_FILE].map(str::to_owned));
        let serial = signed.manifest.serial;
        let mut indexed = IndexedBundle { name, serial, files: Default::default() };
        let target = self.folder.join(indexed.folder());
        write_folder(&target, |copy| {
            for path in files {
                let bytes = read_regular_file(&bundle.join(&path), MAX_FILE_BYTES)
                    .with_context(|| format!("cannot read {path} of {}", bundle.display()))?;
                let to = copy.join(&path);
                let folder = to.parent().map_or(Ok(()), fs::create_dir_all);
                folder
                    .and_then(|()| write_synced(&to, &bytes))
                    .with_context(|| format!("cannot write {}", to.display()))?;
                let file = ListedFile { bytes: bytes.len() as u64, sha256: file_sha256(&bytes) };
                indexed.files.insert(path, file);
            }
            // What was copied, and not what was there a moment ago.
            verify_bundle(copy, &indexed.name, trust, Extent::All)?;
            anyhow::Ok(())
        })
        .with_context(|| format!("cannot add the bundle as {}", target.display()))?;
        Ok(indexed)
    }

    /// Rolls a bundle out, in the place of the earlier roll-out of this product for this group. Bundles that no roll-out names are not in the
    /// index any more; their files stay.
    pub fn roll_out(&mut self, rollout: Rollout, bundle: IndexedBundle) {
        let index = &mut self.index;
        index.rollouts.retain(|it| (&it.product, &it.group) != (&rollout.product, &rollout.group));
        index.bundles.retain(|it| (&it.name, it.serial) != (&bundle.name, bundle.serial));
        index.bundles.push(bundle);
        index.rollouts.push(rollout);
        index.rollouts.sort_by(|a, b| (&a.product, &a.group).cmp(&(&b.product, &b.group)));
        let rollouts = &index.rollouts;
        index.bundles.retain(|bundle| {
            rollouts.iter().any(|it| (&it.name, it.serial) == (&bundle.name, bundle.serial))
        });
    }

    /// Signs the index with the next serial number, and puts it in place. Returns that number.
    ///
    /// # Errors
    /// If it isn't allowed, or can't be written. Boards then see the one before.
    pub fn write(&mut self, secret: &SecretKey) -> Result<u64> {
        self.index.serial += 1;
        let bytes = self.index.encode()?;
        let comment = format!("index of a fleet, serial number {}", self.index.serial);
        let signature = secret.sign(&bytes, &comment)?.into_bytes();
        let write = |name: &str, bytes: &[u8]| {
            let path = self.folder.join(name);
            write_file(&path, bytes)
                .with_context(|| format!("cannot write {}; check free space", path.display()))
        };
        // Web servers tell versions apart by the second and the length.
        let is_fresh = |path: &Path| -> Option<bool> {
            Some(path.metadata().ok()?.modified().ok()?.elapsed().ok()? < Duration::from_millis(1100))
        };
        while is_fresh(&self.folder.join(INDEX_FILE)) == Some(true) {
            std::thread::sleep(Duration::from_millis(100));
        }
        write(NEXT_FILE, &bytes)?;
        write(NEXT_SIGNATURE_FILE, &signature)?;
        replace_index(&self.folder, &bytes, &signature)?;
        Ok(self.index.serial)
    }
}

/// Keeps others from publishing at the same time: one of the two indices would be lost.
fn lock(folder: &Path) -> Result<Option<File>> {
    let said = || format!("cannot use {}; check the path and its permissions", folder.display());
    let file = File::open(folder).with_context(said)?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => {
            bail!(
                "somebody else publishes to {} right now; run this again when that is done",
                folder.display()
            )
        }
        Err(TryLockError::Error(e)) if e.kind() == ErrorKind::Unsupported => Ok(None),
        Err(TryLockError::Error(e)) => Err(e).with_context(said),
    }
}

/// Writes index and signature, and removes what was there for the case of a power cut.
fn replace_index(folder: &Path, bytes: &[u8], signature: &[u8]) -> Result<()> {
    let replaced = || -> io::Result<()> {
        write_file(&folder.join(INDEX_SIGNATURE_FILE), signature)?;
        write_file(&folder.join(INDEX_FILE), bytes)?;
        for name in [NEXT_SIGNATURE_FILE, NEXT_FILE] {
            match fs::remove_file(folder.join(name)) {
                Err(e) if e.kind() != ErrorKind::NotFound => return Err(e),
                _ => {}
            }
        }
        Ok(())
    };
    replaced().with_context(|| format!("cannot write the index in {}; check free space", folder.display()))
}

/// An index with its bytes and their signature.
type SignedIndex = (Index, Vec<u8>, Vec<u8>);

/// Reads an index that someone trusted has signed, with its bytes and signature; `None` if there is none.
fn read_index(folder: &Path, name: &str, signature_name: &str, trust: &Trust) -> Result<Option<SignedIndex>> {
    let (path, signature_path) = (folder.join(name), folder.join(signature_name));
    let bytes = match read_regular_file(&path, MAX_INDEX_BYTES) {
        Err(ReadError::Io(e)) if e.kind() == ErrorKind::NotFound => return Ok(None),
        bytes => bytes.with_context(|| format!("cannot read {}", path.display()))?,
    };
    let signature = read_regular_file(&signature_path, fleet::MAX_SIGNATURE_BYTES)
        .with_context(|| format!("cannot read {}", signature_path.display()))?;
    trust.signer(&bytes, &signature, &signature_path).context(
        "the index that is there is from someone else: give the public key with --trust if you know whose it is",
    )?;
    let index = Index::parse(&bytes)?;
    ensure!(index.serial < u64::MAX, "the index has the highest serial number there is; begin a new folder");
    Ok(Some((index, bytes, signature)))
}

#[cfg(test)]
mod tests {
    use signing::{Version, sign_bundle};

    use super::*;

    struct Fixture {
        root: tempfile::TempDir,
        secret: SecretKey,
        trust: Trust,
    }

    impl Fixture {
        fn new() -> Self {
            let secret = SecretKey::generate().unwrap();
            let trust = Trust::new(vec![secret.public().unwrap()]);
            Self { root: tempfile::tempdir().unwrap(), secret, trust }
        }

        /// A signed bundle. Publishing parses none of its files, so they need not be real.
        fn bundle(&self, serial: u64) -> PathBuf {
            let folder = self.root.path().join(format!("cap-{serial}"));
            fs::create_dir_all(folder.join("golden")).unwrap();
            for name in ["model.onnx", "model.threshold", "golden/a.png"] {
                fs::write(folder.join(name), format!("{name} {serial}")).unwrap();
            }
            sign_bundle(&folder, "cap", serial, Version::FIRST, &self.secret).unwrap();
            folder
        }

        fn folder(&self) -> PathBuf {
            self.root.path().join("fleet")
        }

        fn publish(&self, serial: u64, group: Option<&str>) -> Result<u64> {
            let mut tree = Tree::open(&self.folder(), &self.trust)?;
            let bundle = tree.add(&self.bundle(serial), &self.trust)?;
            let rollout = Rollout {
                product: "cap".to_owned(),
                group: group.map(str::to_owned),
                name: bundle.name.clone(),
                serial,
                percent: 10,
                hold: false,
                withdrawn: false,
            };
            tree.roll_out(rollout, bundle);
            tree.write(&self.secret)
        }
    }

    #[test]
    fn what_is_published_is_what_was_signed() {
        let fixture = Fixture::new();
        assert_eq!(fixture.publish(3, None).unwrap(), 1);
        assert_eq!(fixture.publish(4, Some("pilot")).unwrap(), 2);
        assert_eq!(fixture.publish(5, None).unwrap(), 3);
        let tree = Tree::open(&fixture.folder(), &fixture.trust).unwrap();
        let serials: Vec<u64> = tree.index().bundles.iter().map(|bundle| bundle.serial).collect();
        assert_eq!((serials, tree.index().rollouts.len()), (vec![4, 5], 2));
        for bundle in &tree.index().bundles {
            let folder = fixture.folder().join(bundle.folder());
            verify_bundle(&folder, "cap", &fixture.trust, Extent::All).unwrap();
            for (path, file) in &bundle.files {
                let bytes = fs::read(folder.join(path)).unwrap();
                assert_eq!((bytes.len() as u64, file_sha256(&bytes)), (file.bytes, file.sha256), "{path}");
            }
        }
    }

    #[test]
    fn only_signed_bundles_and_an_index_of_ones_own_are_taken() {
        let fixture = Fixture::new();
        let tree = Tree::open(&fixture.folder(), &fixture.trust).unwrap();
        let bundle = fixture.bundle(1);
        fs::write(bundle.join("model.onnx"), "changed").unwrap();
        assert!(
            tree.add(&bundle, &fixture.trust)
                .unwrap_err()
                .to_string()
                .contains("not the file that was signed")
        );
        let said = format!("{:#}", tree.add(&fixture.folder(), &fixture.trust).unwrap_err());
        assert!(said.contains("trainer sign"), "{said}");
        let said = format!("{:#}", fixture.publish(2, None).unwrap_err());
        assert!(said.contains("somebody else publishes"), "{said}");
        drop(tree);
        fixture.publish(2, None).unwrap();
        let path = fixture.folder().join(INDEX_FILE);
        let changed = fs::read_to_string(&path).unwrap().replace("\"percent\": 10", "\"percent\": 99");
        fs::write(&path, changed).unwrap();
        let said = format!("{:#}", fixture.publish(3, None).unwrap_err());
        assert!(said.contains("--trust"), "{said}");
        let stranger = Trust::new(vec![SecretKey::generate().unwrap().public().unwrap()]);
        assert!(Tree::open(&fixture.folder(), &stranger).is_err());
    }

    #[test]
    fn a_power_cut_between_signature_and_index_is_made_good() {
        let fixture = Fixture::new();
        fixture.publish(1, None).unwrap();
        let old = fs::read(fixture.folder().join(INDEX_FILE)).unwrap();
        fixture.publish(2, None).unwrap();
        let read = |name| fs::read(fixture.folder().join(name)).unwrap();
        let (new, signature) = (read(INDEX_FILE), read(INDEX_SIGNATURE_FILE));
        fs::write(fixture.folder().join(NEXT_FILE), &new).unwrap();
        fs::write(fixture.folder().join(NEXT_SIGNATURE_FILE), &signature).unwrap();
        fs::write(fixture.folder().join(INDEX_FILE), &old).unwrap();
        let tree = Tree::open(&fixture.folder(), &fixture.trust).unwrap();
        assert_eq!((tree.index().serial, read(INDEX_FILE)), (2, new));
        drop(tree);
        // Cut while the next ones are written: they count only as a pair.
        fs::write(fixture.folder().join(NEXT_FILE), &old).unwrap();
        assert_eq!(Tree::open(&fixture.folder(), &fixture.trust).unwrap().index().serial, 2);
    }
}
