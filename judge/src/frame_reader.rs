//! Bytes → what a recipe judges of a frame.

use std::cell::Cell;

use image::ImageFormat;
use image::metadata::Orientation;
use shared_format::{Recipe, Roi, Size};

use crate::decode::{DecodeError, JpegDecoder, check_size, decode_within, guess_format, upright_jpeg};
use crate::frame_area::FrameArea;
use crate::guard::guarded;
use crate::prepare::region_of_interest;

/// Decodes what a recipe judges of one frame after the other.
///
/// Of a JPEG, all bits are read and checked as by [`crate::decode()`], but samples are computed only for the region of interest and the
/// reference patch, and become pixels when somebody asks for a row. They are the same as in the whole frame. Memory is
/// allocated for the first frame and used again for the next ones.
#[derive(Default)]
pub struct FrameReader(JpegDecoder);

impl FrameReader {
    /// Reads what is judged of a frame, which must not be wider or higher than `max`, and calls `work` with it.
    ///
    /// # Errors
    /// As [`crate::decode_within`].
    pub fn read<T>(
        &mut self,
        bytes: &[u8],
        max: Size,
        recipe: &Recipe,
        work: impl FnOnce(FrameArea<'_>) -> T,
    ) -> Result<T, DecodeError> {
        if guess_format(bytes)? != ImageFormat::Jpeg {
            return Ok(work((&decode_within(bytes, max)?).into()));
        }
        let found = Cell::new((Size { width: 0, height: 0 }, [0, 0]));
        let admit = |size: Size, orientation: Orientation| {
            check_size(size, orientation, max)?;
            // One that is turned is turned as a whole.
            let area = judged_area(recipe, size).filter(|_| orientation == Orientation::NoTransforms);
            let area = area.unwrap_or(Roi { x: 0, y: 0, width: size.width, height: size.height });
            found.set((size, [area.x, area.y]));
            Ok(area)
        };
        let decoded = guarded(|| self.0.decode(bytes, &admit));
        let decoded = decoded.unwrap_or_else(|panic| {
            Err(DecodeError::Malformed { format: "JPEG", reason: panic.to_string() })
        })?;
        if decoded.orientation != Orientation::NoTransforms {
            return Ok(work((&upright_jpeg(&decoded)?).into()));
        }
        let (size, corner) = found.get();
        Ok(work(FrameArea::of_rows(&decoded, size, corner)))
    }
}

impl std::fmt::Debug for FrameReader {
    /// Omits the memory.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("FrameReader")
    }
}

/// Returns the smallest area with everything that the recipe reads of a frame; `None` if that doesn't fit into it, which is a fault
/// later.
fn judged_area(recipe: &Recipe, frame: Size) -> Option<Roi> {
    let roi = region_of_interest(recipe, frame).ok()?;
    let Some(patch) = recipe.reference_patch.map(|patch| patch.area) else { return Some(roi) };
    let (x, y) = (roi.x.min(patch.x), roi.y.min(patch.y));
    let right = (roi.x + roi.width).max(patch.x.checked_add(patch.width)?);
    let bottom = (roi.y + roi.height).max(patch.y.checked_add(patch.height)?);
    let fits = right <= frame.width && bottom <= frame.height;
    fits.then_some(Roi { x, y, width: right - x, height: bottom - y })
}
