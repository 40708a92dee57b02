//! Photos that were left out of learning as suspects, and their record in the bundle.

use std::io;
use std::path::Path;

use judge::{Bundle, ReadError, read_regular_file};
use serde::{Deserialize, Serialize};

use crate::suspects::Suspect;

/// The record's file in the bundle's folder; absent if nothing was left out.
pub const LEFT_OUT_FILE: &str = "left-out.json";
/// Maximum length of the file that is read.
const MAX_BYTES: u64 = 16 << 20;

/// Photos that were left out as suspects of showing bad parts: recorded in the bundle, and counted in its claim.
#[derive(Debug, Clone, Copy, Default)]
pub struct LeftOut<'a> {
    /// These photos.
    pub suspects: &'a [Suspect],
    /// Number of photos that were not left out, in all sets together.
    pub kept: usize,
}

impl LeftOut<'_> {
    /// Returns how many of them would have been among `normals` calibration normals, rounded up.
    pub(crate) fn among(&self, normals: u32) -> usize {
        (self.suspects.len() * normals as usize).div_ceil(self.kept.max(1))
    }
}

/// The record's contents.
#[derive(Debug, Serialize, Deserialize)]
struct Record {
    left_out: Vec<Suspect>,
}

/// Writes the record as JSON.
pub(crate) fn encode(left_out: &[Suspect]) -> io::Result<Vec<u8>> {
    Ok(serde_json::to_vec_pretty(&Record { left_out: left_out.to_vec() })?)
}

/// Reads the record of an opened bundle, as [`left_out`] does.
///
/// # Errors
/// If the record can't be read, isn't one, or isn't what was signed.
pub fn left_out_of(bundle: &Bundle) -> io::Result<Vec<Suspect>> {
    match bundle.read(LEFT_OUT_FILE, MAX_BYTES).map_err(io::Error::other)? {
        Some(bytes) => Ok(serde_json::from_slice::<Record>(&bytes)?.left_out),
        None => Ok(vec![]),
    }
}

/// Reads which photos a bundle's model was not allowed to learn from, highest score first; none if the bundle has no such record.
///
/// # Errors
/// If the record can't be read, or isn't one.
pub fn left_out(bundle: &Path) -> io::Result<Vec<Suspect>> {
    let bytes = match read_regular_file(&bundle.join(LEFT_OUT_FILE), MAX_BYTES) {
        Err(ReadError::Io(e)) if e.kind() == io::ErrorKind::NotFound => return Ok(vec![]),
        Err(ReadError::Io(e)) => return Err(e),
        bytes => bytes.map_err(io::Error::other)?,
    };
    let record: Record = serde_json::from_slice(&bytes)?;
    Ok(record.left_out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_calibration_set_has_its_share_of_what_is_left_out() {
        let suspect = Suspect { name: "a.png".to_owned(), score: 7.5 };
        let suspects = vec![suspect; 5];
        let among = |kept, normals| LeftOut { suspects: &suspects, kept }.among(normals);
        // A fitted method calibrates with all photos, a trained one with a fifth of them.
        assert_eq!([among(95, 95), among(95, 19), among(300, 60)], [5, 1, 1]);
        assert_eq!(LeftOut::default().among(40), 0);
    }

    #[test]
    fn a_record_is_read_back_and_a_damaged_one_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(left_out(folder.path()).unwrap(), []);
        let suspects = [Suspect { name: "a.png".to_owned(), score: 7.5 }];
        let written = encode(&suspects).unwrap();
        let path = folder.path().join(LEFT_OUT_FILE);
        std::fs::write(&path, &written).unwrap();
        assert_eq!(left_out(folder.path()).unwrap(), suspects);
        for damaged in [&written[..written.len() / 2], b"[]", b"\xff\xfe"] {
            std::fs::write(&path, damaged).unwrap();
            assert!(left_out(folder.path()).is_err());
        }
        std::fs::remove_file(&path).unwrap();
        std::fs::create_dir(&path).unwrap();
        let error = left_out(folder.path()).unwrap_err().to_string();
        assert!(error.contains("not a regular file"), "{error}");
    }
}
