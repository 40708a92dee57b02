//! A folder of numbered photos.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result, anyhow};
use bundle::atomic::write_file;

use crate::capture::CapturedFrame;
use crate::files::parts;

/// A folder with `part-00001.jpg` or `.png` or, with several frames per part, `part-00001-1.jpg` and so on.
#[derive(Debug)]
pub(crate) struct Album {
    folder: PathBuf,
    parts: u32,
    /// The largest number used so far.
    last: u32,
}

impl Album {
    /// Creates the folder if it doesn't exist, and counts the parts in it.
    pub(crate) fn open(folder: &Path) -> Result<Self> {
        let unusable =
            || format!("cannot use the folder {}; check the path and permissions", folder.display());
        std::fs::create_dir_all(folder).with_context(unusable)?;
        let mut numbers = BTreeSet::new();
        for entry in std::fs::read_dir(folder).with_context(unusable)? {
            numbers.extend(entry.with_context(unusable)?.file_name().to_str().and_then(parts::number));
        }
        let parts = u32::try_from(numbers.len()).unwrap_or(u32::MAX);
        Ok(Self { folder: folder.to_owned(), parts, last: numbers.last().copied().unwrap_or(0) })
    }

    /// Returns the number of parts in the folder.
    pub(crate) const fn parts(&self) -> u32 {
        self.parts
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Writes the frames of a part losslessly, each file whole or not at all, and returns the name of the first.
    pub(super) fn add(&mut self, frames: &[Arc<CapturedFrame>]) -> Result<String> {
        let number =
            self.last.checked_add(1).context("the folder has no part number left; give another folder")?;
        let mut names = vec![];
        for (index, captured) in frames.iter().enumerate() {
            let (extension, bytes) = captured.to_photo().map_err(|e| anyhow!(e))?;
            let stem = parts::stem(number, (frames.len() > 1).then_some(index + 1));
            let name = format!("{stem}.{extension}");
            let path = self.folder.join(&name);
            write_file(&path, &bytes).with_context(|| {
                format!("cannot write {}; check free space and permissions", path.display())
            })?;
            names.push(name);
        }
        (self.last, self.parts) = (number, self.parts + 1);
        Ok(names.into_iter().next().unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use judge::{Frame, Pixels};
    use shared_format::Size;

    use super::*;
    use crate::capture::FrameData;
    use crate::clock::Moment;

    fn captured() -> Arc<CapturedFrame> {
        let frame = Frame::new(Size { width: 3, height: 2 }, Pixels::Grey8(vec![7; 6])).unwrap();
        Arc::new(CapturedFrame::new(FrameData::Frame(frame), Moment(0), 0))
    }

    #[test]
    fn numbers_go_on_where_an_earlier_run_ended() {
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("new/photos");
        let mut album = Album::open(&out).unwrap();
        assert_eq!(album.add(&[captured()]).unwrap(), "part-00001.png");
        assert_eq!(album.add(&[captured(), captured()]).unwrap(), "part-00002-1.png");
        std::fs::remove_file(out.join("part-00001.png")).unwrap();
        let mut album = Album::open(&out).unwrap();
        assert_eq!(album.parts(), 1);
        assert_eq!(album.add(&[captured()]).unwrap(), "part-00003.png");
        assert_eq!(album.parts(), 2);
        assert_eq!(judge::decode_file(&out.join("part-00002-2.png")).unwrap(), *captured().frame().unwrap());
    }

    #[test]
    fn a_folder_that_is_a_file_is_refused() {
        let file = tempfile::NamedTempFile::new().unwrap();
        assert!(Album::open(file.path()).unwrap_err().to_string().contains("cannot use the folder"));
    }
}
