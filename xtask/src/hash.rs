//! SHA-256 of files.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use anyhow::{Context, Result, bail};
use sha2::{Digest, Sha256};

/// Returns the file's SHA-256 in lower-case hexadecimal.
pub fn sha256(path: &Path) -> Result<String> {
    let mut file = File::open(path).with_context(|| format!("can't open {}", path.display()))?;
    let mut hasher = Sha256::new();
    let mut block = vec![0; 1 << 16];
    loop {
        let n = file.read(&mut block).with_context(|| format!("can't read {}", path.display()))?;
        if n == 0 {
            break;
        }
        hasher.update(&block[..n]);
    }
    Ok(hex(&hasher.finalize()))
}

/// Returns the text's SHA-256 in lower-case hexadecimal.
pub fn sha256_of_text(text: &str) -> String {
    hex(&Sha256::digest(text.as_bytes()))
}

/// Returns an error if the file's SHA-256 is different.
pub fn check(path: &Path, expected: &str) -> Result<()> {
    let found = sha256(path)?;
    if found != expected {
        bail!(
            "{} has the wrong SHA-256: {found} instead of {expected}. Delete it and run the command again; if the error \
             persists, the download is being modified in transit",
            path.display()
        );
    }
    Ok(())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    // From FIPS 180-2, appendix B.1.
    const ABC: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

    #[test]
    fn a_whole_file_is_accepted_and_a_damaged_one_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        std::fs::write(&path, "abc").unwrap();
        check(&path, ABC).unwrap();
        for damaged in ["abb", "ab", "abc\n", ""] {
            std::fs::write(&path, damaged).unwrap();
            let error = check(&path, ABC).unwrap_err().to_string();
            assert!(error.contains(ABC) && error.contains("Delete it"), "{error}");
        }
        std::fs::remove_file(&path).unwrap();
        assert!(check(&path, ABC).is_err());
    }

    #[test]
    fn text_and_file_agree() {
        assert_eq!(sha256_of_text("abc"), ABC);
    }
}
