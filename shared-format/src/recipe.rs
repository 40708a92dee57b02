//! How a frame becomes the network's input. Kept only in the bundle, so that line and bench can't differ.

use serde::{Deserialize, Serialize};

use crate::alignment::Alignment;
use crate::ignore_mask::IgnoreMask;
use crate::reference_patch::ReferencePatch;

/// Width and height in pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Size {
    /// Pixels in a row.
    pub width: u32,
    /// Rows.
    pub height: u32,
}

/// A rectangle in pixels of the upright frame; as the region of interest, everything outside it is ignored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Roi {
    /// Left edge.
    pub x: u32,
    /// Upper edge.
    pub y: u32,
    /// Pixels in a row.
    pub width: u32,
    /// Rows.
    pub height: u32,
}

impl Roi {
    /// Returns whether it has an area, and its far edges are numbers.
    pub(crate) fn is_valid(&self) -> bool {
        self.width > 0
            && self.height > 0
            && self.x.checked_add(self.width).is_some()
            && self.y.checked_add(self.height).is_some()
    }
}

/// The grid that the region of interest is cut into; the network sees one tile at a time, resized to the input size.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tiles {
    /// Tiles in a row.
    pub columns: u8,
    /// Rows of tiles.
    pub rows: u8,
    /// Pixels of the network's input by which neighbouring tiles overlap. Absent in runs of earlier trainers.
    #[serde(default)]
    pub overlap: u16,
}

impl Tiles {
    /// One tile: the whole region of interest.
    pub const ONE: Self = Self::side_by_side(1, 1);

    /// Returns a grid of tiles without overlap.
    #[must_use]
    pub const fn side_by_side(columns: u8, rows: u8) -> Self {
        Self { columns, rows, overlap: 0 }
    }

    /// Returns the number of tiles in a frame.
    #[must_use]
    pub const fn count(self) -> usize {
        self.columns as usize * self.rows as usize
    }

    /// Returns the size of the picture that tiles of size `input` make up. It shows the whole region of interest.
    #[must_use]
    pub const fn picture(self, input: Size) -> Size {
        Size { width: self.side(self.columns, input.width), height: self.side(self.rows, input.height) }
    }

    /// Returns the left and the upper edge of a tile of size `input` in [`Self::picture`]. Tiles are counted row by row.
    #[must_use]
    pub const fn corner(self, tile: usize, input: Size) -> [u32; 2] {
        let columns = if self.columns == 0 { 1 } else { self.columns as usize };
        let overlap = self.overlap as u32;
        [
            (tile % columns) as u32 * input.width.saturating_sub(overlap),
            (tile / columns) as u32 * input.height.saturating_sub(overlap),
        ]
    }

    const fn side(self, tiles: u8, input: u32) -> u32 {
        (tiles as u32 * input).saturating_sub((tiles as u32).saturating_sub(1) * self.overlap as u32)
    }

    /// Returns whether there are tiles of size `input`, not too many, and no more than two of them overlap along an axis.
    #[must_use]
    pub fn is_valid(self, input: Size) -> bool {
        let fits = |tiles: u8, side: u32| tiles == 1 || 2 * u32::from(self.overlap) <= side;
        (1..=MAX_TILES).contains(&self.columns)
            && (1..=MAX_TILES).contains(&self.rows)
            && u32::from(self.overlap).is_multiple_of(INPUT_STEP)
            && fits(self.columns, input.width)
            && fits(self.rows, input.height)
            && (self.count() > 1 || self.overlap == 0)
    }
}

/// The colours that the network sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Colour {
    /// Red, green, blue. Grey frames are repeated into three channels.
    Rgb,
    /// Luma only (ITU-R BT.601 weights), repeated into three channels. Chosen if every training image was grey.
    Grey,
}

/// The range of frame sizes seen in training, upright and before the region of interest is cut out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct FrameRange {
    /// Smallest width and smallest height.
    pub min: Size,
    /// Largest width and largest height.
    pub max: Size,
}

impl FrameRange {
    /// Returns the largest width and height that an admitted frame can have.
    #[must_use]
    pub const fn max_admitted(&self) -> Size {
        Size { width: self.max.width.saturating_mul(2), height: self.max.height.saturating_mul(2) }
    }

    /// Returns whether a frame is close enough in size to the training frames for its score to mean anything: along each
    /// axis, at least half the smallest and at most twice the largest size seen. Any other frame is a fault (another
    /// camera mode, another crop).
    #[must_use]
    pub const fn admits(&self, frame: Size) -> bool {
        frame.width >= self.min.width.div_ceil(2)
            && frame.height >= self.min.height.div_ceil(2)
            && frame.width <= self.max_admitted().width
            && frame.height <= self.max_admitted().height
    }
}

/// How a frame becomes the network's input: upright → region of interest → tiles → antialiased bilinear resize →
/// RGB planes scaled to 0..1 → light corrected → aligned → ignored pixels blanked. A picture that is aligned is cut into tiles only
/// afterwards.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recipe {
    /// Size of the network's input.
    pub input: Size,
    /// The part of the frame that is judged; `None` for all of it.
    pub roi: Option<Roi>,
    /// The grid that the region of interest is cut into.
    pub tiles: Tiles,
    /// The colours that the network sees.
    pub colour: Colour,
    /// The range of frame sizes seen in training.
    pub frames: FrameRange,
    /// How a part's position is found and corrected. Absent in runs of earlier trainers.
    #[serde(default)]
    pub alignment: Option<Alignment>,
    /// The area of the region of interest that is not judged; `None` if all of it is judged. Absent in runs of earlier trainers.
    #[serde(default)]
    pub ignore: Option<IgnoreMask>,
    /// The area by which a frame's light is corrected; `None` if frames are judged as they are. Absent in runs of earlier trainers.
    #[serde(default)]
    pub reference_patch: Option<ReferencePatch>,
}

/// Smallest and largest input side that a recipe may have, in pixels; sides are multiples of [`INPUT_STEP`].
pub const INPUT_SIDES: core::ops::RangeInclusive<u32> = 64..=1024;
/// The coarsest feature map has one position per this many input pixels along an axis.
pub const INPUT_STEP: u32 = 32;
/// Maximum number of tiles along an axis.
pub const MAX_TILES: u8 = 16;

impl Recipe {
    /// Returns the size of the whole region of interest in pixels of the network's input: that of its tiles together.
    #[must_use]
    pub const fn picture(&self) -> Size {
        self.tiles.picture(self.input)
    }

    /// Returns whether every field is in its allowed range. Decoders call this, so no reader ever sees an absurd recipe.
    #[must_use]
    pub fn is_valid(&self) -> bool {
        let side = |n: u32| INPUT_SIDES.contains(&n) && n.is_multiple_of(INPUT_STEP);
        let roi_ok = self.roi.is_none_or(|roi| roi.is_valid());
        let FrameRange { min, max } = self.frames;
        side(self.input.width)
            && side(self.input.height)
            && roi_ok
            && self.tiles.is_valid(self.input)
            && self.alignment.is_none_or(|alignment| alignment.is_valid())
            && self.reference_patch.is_none_or(|patch| patch.is_valid())
            && min.width > 0
            && min.height > 0
            && min.width <= max.width
            && min.height <= max.height
    }
}
