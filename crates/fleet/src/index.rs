//! The index: the bundles of a fleet, and who is to run them.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use signing::listed_files::{self, JsonFile, ListedFiles, to_hex};
use signing::manifest::{is_plain_name, is_plain_path};
use signing::{MANIFEST_FILE, SIGNATURE_FILE};

use crate::{IDENTITY_FILE, MAX_INDEX_BYTES};

/// The format that this program writes and reads.
const FORMAT: u32 = 1;
/// Larger files are refused, as the judge refuses larger models.
const MAX_FILE_BYTES: u64 = 2 << 30;
/// Longest name of a product, in bytes, as in the messages of a line.
const MAX_PRODUCT: usize = 64;

/// Why an index can't be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum IndexError {
    /// It isn't the JSON of an index.
    #[error("it is not the index of a fleet: {0}; publish again with `nominal-fleet publish`")]
    Syntax(String),
    /// It has another format.
    #[error("the index has the format {0}, and this program reads {FORMAT}; update this program")]
    Format(u32),
    /// A value isn't allowed.
    #[error("the index is not allowed: {0}; publish again with `nominal-fleet publish`")]
    Value(String),
}

/// The bundles of a fleet, and who is to run them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Index {
    /// Rises with each change, from 1; boards refuse a lower one than they have seen.
    pub serial: u64,
    /// The bundles that roll-outs name.
    pub bundles: Vec<IndexedBundle>,
    /// Who is to run what; one for each product and group.
    pub rollouts: Vec<Rollout>,
}

/// A bundle. Its files are in `bundles/NAME/SERIAL` below the fleet's folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IndexedBundle {
    /// The name that it was signed with: that of its folder on a line.
    pub name: String,
    /// The serial number that it was signed with.
    pub serial: u64,
    /// All files by their path, manifest and signature included.
    pub files: ListedFiles,
}

/// Which boards are to run a bundle.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rollout {
    /// The product's name in the line files.
    pub product: String,
    /// The group of boards; `None` for all boards whose group has no roll-out of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// The bundle's name.
    pub name: String,
    /// The bundle's serial number.
    pub serial: u64,
    /// The share of the boards that are to run it, in percent: those whose [`crate::share`] is below it.
    pub percent: u8,
    /// Whether no more boards change to it for now.
    #[serde(default)]
    pub hold: bool,
    /// Whether boards that run it go back to what they ran before.
    #[serde(default)]
    pub withdrawn: bool,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Json {
    format: u32,
    serial: u64,
    bundles: Vec<JsonBundle>,
    rollouts: Vec<Rollout>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct JsonBundle {
    name: String,
    serial: u64,
    files: Vec<JsonFile>,
}

/// The one field that every format has.
#[derive(Deserialize)]
struct FormatOnly {
    format: u32,
}

impl Index {
    /// Parses an index. Verify its signature first: [`crate::read_signed`].
    ///
    /// # Errors
    /// [`IndexError`]
    pub fn parse(bytes: &[u8]) -> Result<Self, IndexError> {
        let syntax = |e: serde_json::Error| IndexError::Syntax(e.to_string());
        let FormatOnly { format } = serde_json::from_slice(bytes).map_err(syntax)?;
        if format != FORMAT {
            return Err(IndexError::Format(format));
        }
        let json: Json = serde_json::from_slice(bytes).map_err(syntax)?;
        let bundles = json.bundles.into_iter().map(IndexedBundle::of).collect::<Result<_, _>>()?;
        let index = Self { serial: json.serial, bundles, rollouts: json.rollouts };
        index.check()?;
        Ok(index)
    }

    /// Returns the index as JSON, to be signed.
    ///
    /// # Errors
    /// [`IndexError`] if [`Self::parse`] would refuse it.
    pub fn encode(&self) -> Result<Vec<u8>, IndexError> {
        self.check()?;
        let bundles = self.bundles.iter().map(IndexedBundle::to_json).collect();
        let json = Json { format: FORMAT, serial: self.serial, bundles, rollouts: self.rollouts.clone() };
        let mut bytes = serde_json::to_vec_pretty(&json).map_err(|e| IndexError::Syntax(e.to_string()))?;
        bytes.push(b'\n');
        if bytes.len() as u64 > MAX_INDEX_BYTES {
            return Err(value(format!(
                "it would be larger than {MAX_INDEX_BYTES} bytes, with too many bundles"
            )));
        }
        Ok(bytes)
    }

    /// Returns the bundle of this name and serial number.
    #[must_use]
    pub fn bundle(&self, name: &str, serial: u64) -> Option<&IndexedBundle> {
        self.bundles.iter().find(|bundle| bundle.name == name && bundle.serial == serial)
    }

    fn check(&self) -> Result<(), IndexError> {
        if self.serial == 0 {
            return Err(value("the serial number 0; serial numbers begin with 1".to_owned()));
        }
        let mut seen = BTreeSet::new();
        for bundle in &self.bundles {
            bundle.check()?;
            if !seen.insert((&bundle.name, bundle.serial)) {
                return Err(value(format!("the bundle {} {} is there twice", bundle.name, bundle.serial)));
            }
        }
        let mut seen = BTreeSet::new();
        for rollout in &self.rollouts {
            let product = &rollout.product;
            if product.is_empty() || product.len() > MAX_PRODUCT || product.chars().any(char::is_control) {
                return Err(value(format!("the product {product:?}")));
            }
            if let Some(group) = rollout.group.as_deref().filter(|group| !is_plain_name(group)) {
                return Err(value(format!("the group {group:?}")));
            }
            if rollout.percent > 100 {
                return Err(value(format!("{} percent of {product}", rollout.percent)));
            }
            if self.bundle(&rollout.name, rollout.serial).is_none() {
                return Err(value(format!(
                    "{product} is to be judged with {} {}, which is not among the bundles",
                    rollout.name, rollout.serial
                )));
            }
            if !seen.insert((product, &rollout.group)) {
                return Err(value(format!("{product} has two roll-outs for one group")));
            }
        }
        Ok(())
    }
}

impl IndexedBundle {
    /// Returns the folder of its files below the fleet's folder, with `/` between folders.
    #[must_use]
    pub fn folder(&self) -> String {
        format!("bundles/{}/{}", self.name, self.serial)
    }

    /// Returns the length of all files together, in bytes.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.files.values().fold(0, |sum, file| sum.saturating_add(file.bytes))
    }

    /// Returns what identifies the bundle on a board: the SHA-256 of its threshold file, in hexadecimal.
    #[must_use]
    pub fn identity(&self) -> String {
        self.files.get(IDENTITY_FILE).map(|file| to_hex(&file.sha256)).unwrap_or_default()
    }

    fn of(json: JsonBundle) -> Result<Self, IndexError> {
        let files = listed_files::from_json(json.files)
            .map_err(|e| value(format!("{e}, in the bundle {:?}", json.name)))?;
        Ok(Self { name: json.name, serial: json.serial, files })
    }

    fn to_json(&self) -> JsonBundle {
        let files = listed_files::to_json(&self.files);
        JsonBundle { name: self.name.clone(), serial: self.serial, files }
    }

    fn check(&self) -> Result<(), IndexError> {
        let name = &self.name;
        if !is_plain_name(name) || self.serial == 0 {
            return Err(value(format!("the bundle {name:?} with the serial number {}", self.serial)));
        }
        for needed in [MANIFEST_FILE, SIGNATURE_FILE, IDENTITY_FILE] {
            if !self.files.contains_key(needed) {
                return Err(value(format!("the bundle {name} lacks {needed}")));
            }
        }
        for (path, file) in &self.files {
            let is_allowed = path == MANIFEST_FILE || path == SIGNATURE_FILE || is_plain_path(path);
            if !is_allowed {
                return Err(value(format!("the path {path:?} of the bundle {name}")));
            }
            if file.bytes > MAX_FILE_BYTES {
                return Err(value(format!("{path} of the bundle {name} with {} bytes", file.bytes)));
            }
        }
        Ok(())
    }
}

fn value(text: String) -> IndexError {
    IndexError::Value(text)
}

#[cfg(test)]
pub(crate) mod tests {
    use signing::listed_files::ListedFile;

    use super::*;

    pub fn bundle(serial: u64) -> IndexedBundle {
        let byte = u8::try_from(serial % 251).unwrap();
        let file = |bytes| ListedFile { bytes, sha256: [byte; 32] };
        let files = [
            (MANIFEST_FILE, file(300)),
            (SIGNATURE_FILE, file(310)),
            (IDENTITY_FILE, file(512)),
            ("model.onnx", file(5_000_000)),
            ("golden/normal-1.png", file(9000)),
        ];
        let files = files.into_iter().map(|(path, file)| (path.to_owned(), file)).collect();
        IndexedBundle { name: "cap".to_owned(), serial, files }
    }

    pub fn rollout(group: Option<&str>, serial: u64, percent: u8) -> Rollout {
        Rollout {
            product: "red cap".to_owned(),
            group: group.map(str::to_owned),
            name: "cap".to_owned(),
            serial,
            percent,
            hold: false,
            withdrawn: false,
        }
    }

    pub fn index() -> Index {
        let rollouts = vec![rollout(None, 1, 100), rollout(Some("pilot"), 2, 25)];
        Index { serial: 7, bundles: vec![bundle(1), bundle(2)], rollouts }
    }

    #[test]
    fn an_index_is_read_back_and_a_cut_one_is_refused() {
        let encoded = index().encode().unwrap();
        let read = Index::parse(&encoded).unwrap();
        assert_eq!(read, index());
        let of = read.bundle("cap", 2).unwrap();
        assert_eq!((of.folder().as_str(), of.bytes()), ("bundles/cap/2", 5_010_122));
        assert_eq!(of.identity(), "02".repeat(32));
        for length in 0..encoded.len() - 1 {
            assert!(Index::parse(&encoded[..length]).is_err(), "{length}");
        }
    }

    #[test]
    fn what_is_not_allowed_is_named() {
        let text = String::from_utf8(index().encode().unwrap()).unwrap();
        for (right, wrong, named) in [
            ("\"format\": 1", "\"format\": 2", "update"),
            ("\"serial\": 7", "\"serial\": 0", "serial number 0"),
            ("\"serial\": 7,", "\"serial\": 7, \"more\": 1,", "more"),
            ("\"name\": \"cap\"", "\"name\": \"../cap\"", "../cap"),
            ("\"model.threshold\"", "\"model.thresholds\"", "lacks model.threshold"),
            ("\"manifest.json\"", "\"manifest.jso\"", "lacks manifest.json"),
            ("golden/normal-1.png", "golden/../../x", "path"),
            ("golden/normal-1.png", "/etc/passwd", "path"),
            ("golden/normal-1.png", "model.onnx", "twice"),
            ("5000000", "5000000000000", "bytes"),
            ("0101", "0x01", "SHA-256"),
            ("\"percent\": 25", "\"percent\": 101", "percent"),
            ("\"percent\": 25", "\"percent\": 256", "256"),
            ("\"pilot\"", "\"pi lot\"", "group"),
            ("\"red cap\"", "\"\\u0000\"", "product"),
            ("\"serial\": 2,\n      \"percent\"", "\"serial\": 3,\n      \"percent\"", "not among"),
            ("\"serial\": 2,\n      \"files\"", "\"serial\": 1,\n      \"files\"", "twice"),
            ("\"group\": \"pilot\",", "", "two roll-outs"),
        ] {
            let changed = text.replacen(right, wrong, 1);
            assert_ne!(changed, text, "{right}");
            let refused = Index::parse(changed.as_bytes()).unwrap_err().to_string();
            assert!(refused.contains(named), "{wrong}: {refused}");
        }
    }

    #[test]
    fn mutated_indexes_are_read_or_refused() {
        let encoded = index().encode().unwrap();
        for bit in 0..8 * encoded.len() {
            let mut flipped = encoded.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            if let Ok(read) = Index::parse(&flipped) {
                assert_eq!(Index::parse(&read.encode().unwrap()), Ok(read), "bit {bit}");
            }
        }
    }
}
