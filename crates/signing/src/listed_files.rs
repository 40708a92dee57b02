//! Files with their length and hash, as a bundle's manifest and a fleet's index list them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Length and SHA-256 of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ListedFile {
    /// Length in bytes.
    pub bytes: u64,
    /// SHA-256.
    pub sha256: [u8; 32],
}

/// Files by their path, with `/` between folders.
pub type ListedFiles = BTreeMap<String, ListedFile>;

/// A file as it is written in JSON.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JsonFile {
    path: String,
    bytes: u64,
    sha256: String,
}

/// Returns the files as they are written in JSON.
#[must_use]
pub fn to_json(files: &ListedFiles) -> Vec<JsonFile> {
    let file = |(path, file): (&String, &ListedFile)| JsonFile {
        path: path.clone(),
        bytes: file.bytes,
        sha256: to_hex(&file.sha256),
    };
    files.iter().map(file).collect()
}

/// Reads files as they are written in JSON. Which paths may be there is for the caller to check.
///
/// # Errors
/// What isn't allowed.
pub fn from_json(json: Vec<JsonFile>) -> Result<ListedFiles, String> {
    let mut files = ListedFiles::new();
    for JsonFile { path, bytes, sha256 } in json {
        let sha256 =
            from_hex(&sha256).ok_or_else(|| format!("the SHA-256 of {path:?} is not one in lower case"))?;
        if files.insert(path.clone(), ListedFile { bytes, sha256 }).is_some() {
            return Err(format!("the path {path:?} is there twice"));
        }
    }
    Ok(files)
}

/// Returns a hash as 64 hexadecimal digits.
#[must_use]
pub fn to_hex(hash: &[u8; 32]) -> String {
    hash.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Reads a hash of 64 lower-case hexadecimal digits.
fn from_hex(text: &str) -> Option<[u8; 32]> {
    let digit = |byte: &u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    if !rest.is_empty() {
        return None;
    }
    let bytes: Option<Vec<u8>> =
        pairs.iter().map(|[high, low]| Some(digit(high)? << 4 | digit(low)?)).collect();
    bytes?.try_into().ok()
}
