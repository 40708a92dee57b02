//! Image files in place of a camera.

use std::path::{Path, PathBuf};

use shared_format::Size;

use super::frame_pacer::FramePacer;
use super::{CaptureError, CapturedFrame, FrameData, FrameSource};
use crate::files::images;

/// The images of a file, folder or glob pattern, in name order and at a fixed frame rate.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    images: Vec<PathBuf>,
    pacer: FramePacer,
    repeat: bool,
    /// Size of the largest frame that is decoded.
    max_size: Option<Size>,
    delivered: usize,
}

impl Folder {
    /// Finds the images; each is read when it is due.
    ///
    /// # Errors
    /// [`CaptureError::Open`] if there are none or the folder can't be read.
    pub fn open(path: &Path, fps: f64, repeat: bool, max_size: Option<Size>) -> Result<Self, CaptureError> {
        let found = images::collect(&[path.to_owned()]);
        let found = found.map_err(|e| CaptureError::Open {
            camera: path.display().to_string(),
            // Includes the cause.
            reason: format!("{:#}", anyhow::Error::from(e)),
        })?;
        let images::ImageListing { paths: images, unused } = found;
        if !unused.is_empty() {
            tracing::warn!("camera {}: ignored: {unused}", path.display());
        }
        Ok(Self {
            path: path.to_owned(),
            images,
            pacer: FramePacer::new(fps),
            repeat,
            max_size,
            delivered: 0,
        })
    }
}

impl FrameSource for Folder {
    fn describe(&self) -> String {
        format!("{} images from {}", self.images.len(), self.path.display())
    }

    /// A file that can't be read counts as a frame that can't be decoded; the files after it still follow.
    fn next(&mut self) -> Result<CapturedFrame, CaptureError> {
        if !self.repeat && self.delivered >= self.images.len() {
            return Err(CaptureError::End);
        }
        let index = self.delivered.checked_rem(self.images.len()).unwrap_or(0);
        let path = self.images.get(index).ok_or(CaptureError::End)?;
        let data = judge::read_file(path).map_or_else(FrameData::Refused, FrameData::Encoded);
        let captured =
            CapturedFrame::new(data, self.pacer.wait(), self.delivered as u64).within(self.max_size);
        self.delivered += 1;
        Ok(captured)
    }

    fn warnings(&mut self) -> Vec<String> {
        vec![]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder() -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (name, width) in [("b.pgm", 2), ("a.pgm", 1), ("c.pgm", 3)] {
            let mut bytes = format!("P5 {width} 1 255\n").into_bytes();
            bytes.resize(bytes.len() + width, 7);
            std::fs::write(folder.path().join(name), bytes).unwrap();
        }
        folder
    }

    fn width(camera: &mut Folder) -> Option<u32> {
        camera.next().unwrap().frame().ok().map(|frame| frame.size().width)
    }

    #[test]
    fn files_come_in_order_and_end() {
        let folder = folder();
        let mut camera = Folder::open(folder.path(), 1000.0, false, None).unwrap();
        assert_eq!([width(&mut camera), width(&mut camera), width(&mut camera)], [Some(1), Some(2), Some(3)]);
        assert_eq!(camera.next().unwrap_err(), CaptureError::End);
        assert_eq!(camera.next().unwrap_err(), CaptureError::End);
    }

    #[test]
    fn a_repeated_folder_starts_over_and_lives_with_files_that_go() {
        let folder = folder();
        let mut camera = Folder::open(&folder.path().join("*.pgm"), 1000.0, true, None).unwrap();
        std::fs::remove_file(folder.path().join("b.pgm")).unwrap();
        let widths: Vec<_> = (0..4).map(|_| width(&mut camera)).collect();
        assert_eq!(widths, [Some(1), None, Some(3), Some(1)]);
        assert_eq!(camera.next().unwrap().sequence(), 4);
    }

    #[test]
    fn a_larger_frame_than_can_be_used_is_refused_before_it_is_decoded() {
        let folder = folder();
        let max_size = Some(Size { width: 2, height: 1 });
        let mut camera = Folder::open(folder.path(), 1000.0, false, max_size).unwrap();
        assert_eq!([width(&mut camera), width(&mut camera), width(&mut camera)], [Some(1), Some(2), None]);
    }

    #[test]
    fn nothing_to_show_is_told_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let error = Folder::open(folder.path(), 30.0, true, None).unwrap_err();
        assert!(error.to_string().contains("no images"), "{error}");
    }
}
