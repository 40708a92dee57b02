//! The manifest: which files a bundle consists of, its serial number, and the version that it needs.

use serde::{Deserialize, Serialize};

use crate::listed_files::{self, JsonFile, ListedFiles};
use crate::version::Version;

/// The manifest, in the bundle's folder.
pub const MANIFEST_FILE: &str = "manifest.json";
/// Its signature, in the bundle's folder, under the name that minisign looks for.
pub const SIGNATURE_FILE: &str = "manifest.json.minisig";
/// Larger manifests are refused.
pub const MAX_BYTES: u64 = 1 << 20;
/// The format that this program writes and reads.
const FORMAT: u32 = 1;
/// Longest name of a file or bundle, in bytes.
const MAX_NAME: usize = 100;
/// Most folders and files one in another.
const MAX_DEPTH: usize = 4;

/// Why a manifest can't be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ManifestError {
    /// It isn't the JSON of a manifest.
    #[error("{MANIFEST_FILE} is not a manifest: {0}; sign the bundle again")]
    Syntax(String),
    /// It has another format.
    #[error(
        "{MANIFEST_FILE} has the format {0}, and this program reads {FORMAT}; update it, or sign the bundle again"
    )]
    Format(u32),
    /// A value isn't allowed.
    #[error("{MANIFEST_FILE}: {0}; sign the bundle again")]
    Value(String),
}

/// What a bundle consists of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manifest {
    /// The bundle's name: that of its folder on the line.
    pub name: String,
    /// Rises with each bundle of this name; from 1.
    pub serial: u64,
    /// The oldest program that may use the bundle.
    pub minimum_version: Version,
    /// Its files.
    pub files: ListedFiles,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Json {
    format: u32,
    name: String,
    serial: u64,
    minimum_version: String,
    files: Vec<JsonFile>,
}

/// The one field that every format has.
#[derive(Deserialize)]
struct FormatOnly {
    format: u32,
}

impl Manifest {
    /// Parses a manifest. Verify its signature first.
    ///
    /// # Errors
    /// [`ManifestError`]
    pub fn parse(bytes: &[u8]) -> Result<Self, ManifestError> {
        let syntax = |e: serde_json::Error| ManifestError::Syntax(e.to_string());
        let FormatOnly { format } = serde_json::from_slice(bytes).map_err(syntax)?;
        if format != FORMAT {
            return Err(ManifestError::Format(format));
        }
        let json: Json = serde_json::from_slice(bytes).map_err(syntax)?;
        let value = |text: String| ManifestError::Value(text);
        if !is_plain_name(&json.name) {
            return Err(value(format!("the name {:?} is not allowed", json.name)));
        }
        if json.serial == 0 {
            return Err(value("the serial number 0 is not allowed".to_owned()));
        }
        let minimum_version = Version::parse(&json.minimum_version)
            .ok_or_else(|| value(format!("the version {:?} is not allowed", json.minimum_version)))?;
        let files = listed_files::from_json(json.files).map_err(value)?;
        if let Some(path) = files.keys().find(|path| !is_plain_path(path)) {
            return Err(value(format!("the path {path:?} is not allowed")));
        }
        Ok(Self { name: json.name, serial: json.serial, minimum_version, files })
    }

    /// Returns the manifest as JSON, to be signed.
    ///
    /// # Errors
    /// [`ManifestError::Syntax`] if it is larger than [`Self::parse`] is given, or can't be written as JSON.
    pub fn encode(&self) -> Result<Vec<u8>, ManifestError> {
        let json = Json {
            format: FORMAT,
            name: self.name.clone(),
            serial: self.serial,
            minimum_version: self.minimum_version.to_string(),
            files: listed_files::to_json(&self.files),
        };
        let mut bytes = serde_json::to_vec_pretty(&json).map_err(|e| ManifestError::Syntax(e.to_string()))?;
        bytes.push(b'\n');
        if bytes.len() as u64 > MAX_BYTES {
            return Err(ManifestError::Syntax("it would be larger than 1 MiB".to_owned()));
        }
        Ok(bytes)
    }

    /// Returns the files' hashes, with which the judge opens the bundle.
    #[cfg(feature = "bundles")]
    #[must_use]
    pub fn hashes(&self) -> judge::FileHashes {
        self.files.iter().map(|(path, file)| (path.clone(), file.sha256)).collect()
    }
}

/// Returns whether a bundle or a file may have this name: it means the same on every system and in every script.
#[must_use]
pub fn is_plain_name(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    !name.is_empty() && name.len() <= MAX_NAME && !name.starts_with('.') && name.bytes().all(plain)
}

/// Returns whether a path leads to a file below the bundle's folder, and only there.
#[must_use]
pub fn is_plain_path(path: &str) -> bool {
    path.split('/').count() <= MAX_DEPTH
        && path.split('/').all(is_plain_name)
        && path != MANIFEST_FILE
        && path != SIGNATURE_FILE
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::listed_files::ListedFile;

    fn manifest() -> Manifest {
        let file = |bytes, byte| ListedFile { bytes, sha256: [byte; 32] };
        let files = [("model.onnx", file(7, 0xa1)), ("golden/normal-1.png", file(9, 0x0f))];
        let files = files.into_iter().map(|(path, file)| (path.to_owned(), file)).collect();
        Manifest { name: "cap".to_owned(), serial: 3, minimum_version: Version::FIRST, files }
    }

    #[test]
    fn a_manifest_is_read_back() {
        let encoded = manifest().encode().unwrap();
        assert_eq!(Manifest::parse(&encoded).unwrap(), manifest());
        for length in 0..encoded.len() - 1 {
            assert!(Manifest::parse(&encoded[..length]).is_err(), "{length}");
        }
    }

    #[test]
    fn what_is_not_allowed_is_named() {
        let text = String::from_utf8(manifest().encode().unwrap()).unwrap();
        for (right, wrong, named) in [
            ("\"cap\"", "\"../cap\"", "name"),
            ("\"cap\"", "\".cap\"", "name"),
            ("\"serial\": 3", "\"serial\": 0", "serial"),
            ("\"serial\": 3", "\"serial\": -1", "manifest"),
            ("\"0.1.0\"", "\"0.1\"", "version"),
            ("golden/normal-1.png", "golden/../x", "path"),
            ("golden/normal-1.png", "/etc/passwd", "path"),
            ("golden/normal-1.png", "a//b", "path"),
            ("golden/normal-1.png", "a/b/c/d/e", "path"),
            ("golden/normal-1.png", "manifest.json", "path"),
            ("golden/normal-1.png", "model.onnx", "twice"),
            ("a1a1", "A1A1", "SHA-256"),
            ("a1a1", "a1", "SHA-256"),
            ("\"format\": 1", "\"format\": 2", "update"),
            ("\"format\": 1,", "\"format\": 1, \"more\": 1,", "more"),
            ("\"format\": 1,", "\"format\": 1, \"serial\": 9,", "duplicate"),
        ] {
            let changed = text.replacen(right, wrong, 1);
            assert_ne!(changed, text, "{right}");
            let refused = Manifest::parse(changed.as_bytes()).unwrap_err().to_string();
            assert!(refused.contains(named), "{wrong}: {refused}");
        }
    }
}
