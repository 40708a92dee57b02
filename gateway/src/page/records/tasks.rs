//! What the line says about thresholds, learning and teaching, and the photos that it takes: the folder `tasks` below the records. Blocks:
//! call it from a thread that may.

use std::io::{self, ErrorKind, Read as _};

use serde_json::Value;

use super::RecordFolder;
use super::picture::Opened;

/// The folder below that of all records, as in the line's program.
const FOLDER: &str = "tasks";
/// A limit far beyond any state of tasks.
const MAX_STATE: u64 = 4 << 20;
/// Larger photos are not sent.
const MAX_PHOTO: u64 = 64 << 20;

impl RecordFolder {
    /// Reads the state of tasks.
    ///
    /// # Errors
    /// The system's error; [`ErrorKind::NotFound`] if the line has written none, [`ErrorKind::InvalidData`] if it is damaged.
    pub fn tasks(&self) -> io::Result<Value> {
        let (file, length) = self.open_below(&[FOLDER], "state.json")?;
        if length > MAX_STATE {
            return Err(ErrorKind::FileTooLarge.into());
        }
        let mut bytes = vec![];
        file.take(MAX_STATE).read_to_end(&mut bytes)?;
        let state: Value = serde_json::from_slice(&bytes)?;
        if state.is_object() { Ok(state) } else { Err(ErrorKind::InvalidData.into()) }
    }

    /// Opens a photo of the product that is being taught.
    ///
    /// # Errors
    /// The system's error; [`ErrorKind::NotFound`] if there is no such photo.
    pub fn photo(&self, number: u32) -> io::Result<Opened> {
        let state = self.tasks()?;
        let product = state.pointer("/photos/folder").and_then(Value::as_str).filter(|name| is_plain(name));
        let product = product.ok_or(ErrorKind::NotFound)?;
        for (place, extension, media_type) in [
            ("in", "jpg", "image/jpeg"),
            ("in", "png", "image/png"),
            ("out", "jpg", "image/jpeg"),
            ("out", "png", "image/png"),
        ] {
            let name = format!("part-{number:05}.{extension}");
            match self.open_below(&[FOLDER, "photos", product, place], &name) {
                Err(e) if e.kind() == ErrorKind::NotFound => {}
                Ok((_, length)) if length > MAX_PHOTO => return Err(ErrorKind::FileTooLarge.into()),
                opened => return opened.map(|(file, length)| (file, length, media_type)),
            }
        }
        Err(ErrorKind::NotFound.into())
    }
}

/// Whether a name is that of something in a folder, and not a way out of it.
fn is_plain(name: &str) -> bool {
    !name.is_empty() && name.len() <= 255 && !name.starts_with('.') && !name.contains(['/', '\0'])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn photos_are_found_in_their_folder_alone_and_damaged_states_are_refused() {
        let records = tempfile::tempdir().unwrap();
        let folder = RecordFolder::new(records.path().to_owned());
        assert_eq!(folder.tasks().unwrap_err().kind(), ErrorKind::NotFound);
        let photos = records.path().join("tasks/photos/cap");
        std::fs::create_dir_all(photos.join("in")).unwrap();
        std::fs::create_dir_all(photos.join("out")).unwrap();
        std::fs::write(photos.join("in/part-00001.jpg"), b"one").unwrap();
        std::fs::write(photos.join("out/part-00002.png"), b"two!").unwrap();
        std::fs::write(records.path().join("part-00003.png"), b"secret").unwrap();
        let state = |text: &str| std::fs::write(records.path().join("tasks/state.json"), text).unwrap();
        state(r#"{"photos": {"folder": "cap"}}"#);
        let found = |number| folder.photo(number).map(|(_, length, media_type)| (length, media_type));
        assert_eq!(found(1).unwrap(), (3, "image/jpeg"));
        assert_eq!(found(2).unwrap(), (4, "image/png"));
        assert_eq!(found(3).unwrap_err().kind(), ErrorKind::NotFound);
        for name in ["../../..", "..", "", "cap/../..", "/", ".hidden"] {
            state(&serde_json::json!({"photos": {"folder": name}}).to_string());
            assert_eq!(found(1).unwrap_err().kind(), ErrorKind::NotFound, "{name}");
        }
        std::os::unix::fs::symlink(records.path(), records.path().join("tasks/photos/link")).unwrap();
        state(r#"{"photos": {"folder": "link"}}"#);
        assert!(folder.photo(1).is_err());
        for damaged in ["", "{", "[]", "null", "\u{0}"] {
            state(damaged);
            assert!(folder.tasks().is_err(), "{damaged}");
        }
    }
}
