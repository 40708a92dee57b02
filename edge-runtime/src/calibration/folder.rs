//! Parts from a folder: each image is a part with one frame, each sub-folder a part with several.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use judge::{Frame, decode, file_sha256, has_image_extension, read_file};

use super::{PartSource, SourcedPart};

/// The parts of a folder, in name order.
#[derive(Debug)]
pub struct FolderParts {
    parts: std::vec::IntoIter<PathBuf>,
    /// What was read already: a copy is no further evidence.
    seen: HashMap<[u8; 32], PathBuf>,
}

impl FolderParts {
    /// Lists the folder.
    ///
    /// # Errors
    /// Where it can't be read, or holds neither an image nor a folder.
    pub fn open(folder: &Path) -> Result<Self> {
        let mut parts = entries(folder)
            .with_context(|| format!("cannot read the folder {}; check the path", folder.display()))?;
        parts.retain(|path| path.is_dir() || has_image_extension(path));
        if parts.is_empty() {
            bail!(
                "no parts in {}; give a folder with images, or with a folder for each part",
                folder.display()
            );
        }
        Ok(Self { parts: parts.into_iter(), seen: HashMap::new() })
    }

    fn frames(&mut self, part: &Path) -> Result<Vec<Frame>, String> {
        if !part.is_dir() {
            return Ok(vec![self.frame(part)?]);
        }
        let mut images =
            entries(part).map_err(|e| format!("it can't be read: {e}; check its permissions"))?;
        images.retain(|path| has_image_extension(path));
        images.iter().map(|path| self.frame(path)).collect()
    }

    fn frame(&mut self, path: &Path) -> Result<Frame, String> {
        let named = |reason: String| match path.file_name() {
            Some(name) => format!("{}: {reason}", name.to_string_lossy()),
            None => reason,
        };
        let bytes = read_file(path).map_err(|e| named(e.to_string()))?;
        let frame = decode(&bytes).map_err(|e| named(e.to_string()))?;
        match self.seen.insert(file_sha256(&bytes), path.to_owned()) {
            Some(original) => Err(named(format!("the same bytes as {}", original.display()))),
            None => Ok(frame),
        }
    }
}

impl PartSource for FolderParts {
    fn next_part(&mut self) -> Result<Option<SourcedPart>> {
        let Some(path) = self.parts.next() else { return Ok(None) };
        Ok(Some(SourcedPart { name: path.display().to_string(), frames: self.frames(&path) }))
    }
}

/// Everything in a folder but hidden files, in name order.
fn entries(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut paths = vec![];
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        if !entry.file_name().to_string_lossy().starts_with('.') {
            paths.push(entry.path());
        }
    }
    paths.sort();
    Ok(paths)
}
