//! Frame → the network's input, step by step by the recipe: region of interest → tiles → antialiased bilinear resize → RGB planes
//! scaled to 0..1 → light corrected → aligned → ignored pixels blanked. If there are several tiles to be aligned, the region of
//! interest is resized and aligned as a whole, and then cut.
//!
//! Resizing stays in the frame's own integers: integer arithmetic is the same on every processor, while floats may differ.

use fast_image_resize::images::{TypedCroppedImage, TypedImage, TypedImageRef};
use fast_image_resize::pixels::{U8, U8x3, U16, U16x3};
use fast_image_resize::{FilterType, PixelTrait, ResizeAlg, ResizeOptions, Resizer};
use shared_format::{Colour, Recipe, Roi, Size, Tiles};

use crate::align::{Aligner, AlignmentError, RigidTransform, warp};
use crate::frame::Pixels;
use crate::frame_area::{FrameArea, FrameRows, RowBuffers, RowSource};
use crate::ignore_mask::IgnoredPixels;
use crate::light::{self, LightError};
use crate::tiles::rows_of;

/// Why a frame can't become the network's input.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum PrepareError {
    /// The region of interest extends beyond the frame.
    #[error(
        "the region of interest {}×{} at {},{} does not fit into the frame of {}×{} pixels; set the camera to the \
         mode of the training images, or train with another --roi",
        roi.width, roi.height, roi.x, roi.y, frame.width, frame.height
    )]
    RoiOutside {
        /// The recipe's region.
        roi: Roi,
        /// The frame's size.
        frame: Size,
    },
    /// The frame's size is so unlike that of every training frame that its score would mean nothing.
    #[error(
        "the frame has {}×{} pixels, but training saw {}×{} to {}×{}; set the camera to the mode of the training \
         images, or train again with images of this size",
        frame.width, frame.height, min.width, min.height, max.width, max.height
    )]
    FrameSize {
        /// The frame's size.
        frame: Size,
        /// Smallest size seen in training.
        min: Size,
        /// Largest size seen in training.
        max: Size,
    },
    /// The light can't be corrected.
    #[error(transparent)]
    Light(#[from] LightError),
    /// The part's position can't be found.
    #[error(
        "the part's position can't be found: its best correlation with the good parts is {correlation:.2} and must be at \
         least {min:.2}; check that a part is in view, that it is this product, and that it lies as in the training images"
    )]
    NotLocked {
        /// The best normalised correlation with the reference.
        correlation: f64,
        /// The minimum that the recipe requires.
        min: f64,
    },
    /// The resizer failed.
    #[error("the frame cannot be resized to the network's input ({0}); report this with the frame")]
    Resize(String),
}

/// Returns the part of a frame that the recipe judges; the whole frame if it names none.
///
/// # Errors
/// [`PrepareError::RoiOutside`] if the recipe's region is not within the frame.
pub fn region_of_interest(recipe: &Recipe, frame: Size) -> Result<Roi, PrepareError> {
    let Some(roi) = recipe.roi else {
        return Ok(Roi { x: 0, y: 0, width: frame.width, height: frame.height });
    };
    let fits = |start: u32, length: u32, all: u32| {
        length > 0 && start.checked_add(length).is_some_and(|end| end <= all)
    };
    if fits(roi.x, roi.width, frame.width) && fits(roi.y, roi.height, frame.height) {
        Ok(roi)
    } else {
        Err(PrepareError::RoiOutside { roi, frame })
    }
}

/// Turns frames into the network's input; reuses its buffers from frame to frame.
#[derive(Debug)]
pub struct Preparer {
    recipe: Recipe,
    aligner: Option<Aligner>,
    /// The region of interest as a whole, if it is aligned before it is cut.
    picture: Vec<f32>,
    warp_buffer: Vec<f32>,
    ignored: IgnoredPixels,
    resizer: Resizer,
    row_buffers: RowBuffers,
    /// The region of interest, if its rows have to be computed.
    region8: Vec<u8>,
    luma8: Vec<u8>,
    luma16: Vec<u16>,
    tile8: Vec<u8>,
    tile16: Vec<u16>,
}

impl Preparer {
    /// Creates a preparer for one recipe.
    #[must_use]
    pub fn new(recipe: Recipe) -> Self {
        Self {
            aligner: recipe
                .alignment
                .map(|alignment| Aligner::new(&alignment, recipe.ignore.as_ref(), recipe.picture())),
            picture: Vec::new(),
            warp_buffer: Vec::new(),
            ignored: IgnoredPixels::new(&recipe),
            recipe,
            resizer: Resizer::new(),
            row_buffers: RowBuffers::default(),
            region8: Vec::new(),
            luma8: Vec::new(),
            luma16: Vec::new(),
            tile8: Vec::new(),
            tile16: Vec::new(),
        }
    }

    /// Returns the recipe.
    #[must_use]
    pub const fn recipe(&self) -> &Recipe {
        &self.recipe
    }

    /// Returns the number of values that [`Self::prepare`] writes: tiles × 3 × height × width.
    #[must_use]
    pub const fn input_len(&self) -> usize {
        self.recipe.tiles.count() * 3 * self.recipe.input.width as usize * self.recipe.input.height as usize
    }

    /// Fills `input` with tiles × 3 × height × width values 0..1: tiles row by row, each as red, green and blue planes. Returns
    /// the movement that was taken out, if the recipe has an alignment.
    ///
    /// # Errors
    /// [`PrepareError`] if the frame's size is far from that of the training frames, the region of interest doesn't fit into it,
    /// its light can't be corrected, or the part's position can't be found.
    pub fn prepare<'f>(
        &mut self,
        frame: impl Into<FrameArea<'f>>,
        input: &mut Vec<f32>,
    ) -> Result<Option<RigidTransform>, PrepareError> {
        let movement = self.resize_and_align(frame.into(), input)?;
        self.ignored.blank(input);
        Ok(movement)
    }

    /// Resizes the frame, corrects its light and moves the part onto the recipe's reference.
    fn resize_and_align(
        &mut self,
        frame: FrameArea<'_>,
        input: &mut Vec<f32>,
    ) -> Result<Option<RigidTransform>, PrepareError> {
        let Recipe { input: size, tiles, .. } = self.recipe;
        let Some(mut aligner) = self.aligner.take() else {
            self.resize(frame, tiles, size, input)?;
            self.correct_light(frame, size, input)?;
            return Ok(None);
        };
        let mut picture = std::mem::take(if tiles == Tiles::ONE { input } else { &mut self.picture });
        let whole = tiles.picture(size);
        let movement = self
            .resize(frame, Tiles::ONE, whole, &mut picture)
            .and_then(|()| self.correct_light(frame, whole, &mut picture))
            .and_then(|()| self.align(&mut aligner, &mut picture));
        self.aligner = Some(aligner);
        if tiles == Tiles::ONE {
            *input = picture;
        } else {
            cut(&picture, tiles, size, input);
            self.picture = picture;
        }
        movement.map(Some)
    }

    /// Gives planes of this size the light of the good parts, if the recipe has a reference patch.
    fn correct_light(
        &self,
        frame: FrameArea<'_>,
        size: Size,
        planes: &mut [f32],
    ) -> Result<(), PrepareError> {
        if let Some(patch) = &self.recipe.reference_patch {
            let gains = light::gains(patch, self.recipe.colour, frame)?;
            light::correct(planes, size.width as usize * size.height as usize, gains);
        }
        Ok(())
    }

    /// Moves the part in the picture onto the recipe's reference.
    fn align(
        &mut self,
        aligner: &mut Aligner,
        picture: &mut Vec<f32>,
    ) -> Result<RigidTransform, PrepareError> {
        let (movement, _) =
            aligner.find(picture).map_err(|AlignmentError { correlation }| PrepareError::NotLocked {
                correlation,
                min: self.recipe.alignment.map_or(0.0, |alignment| alignment.least_likeness()),
            })?;
        let Size { width, height } = self.recipe.picture();
        warp(picture, [width as usize, height as usize], movement, &mut self.warp_buffer);
        std::mem::swap(picture, &mut self.warp_buffer);
        Ok(movement)
    }

    /// Returns the pixels that the recipe ignores.
    #[must_use]
    pub const fn ignored(&self) -> &IgnoredPixels {
        &self.ignored
    }

    /// Fills `input` with the frame's tiles, resized to `to`.
    fn resize(
        &mut self,
        frame: FrameArea<'_>,
        tiles: Tiles,
        to: Size,
        input: &mut Vec<f32>,
    ) -> Result<(), PrepareError> {
        let size = frame.frame_size();
        let roi = region_of_interest(&self.recipe, size)?;
        if !self.recipe.frames.admits(size) {
            let (min, max) = (self.recipe.frames.min, self.recipe.frames.max);
            return Err(PrepareError::FrameSize { frame: size, min, max });
        }
        let roi = frame.locate(roi).ok_or(PrepareError::RoiOutside { roi, frame: size })?;
        let size = frame.size();
        input.resize(tiles.count() * 3 * to.width as usize * to.height as usize, 0.0);
        let resizer = &mut self.resizer;
        let to_luma = self.recipe.colour == Colour::Grey;
        let all = Roi { x: 0, y: 0, width: roi.width, height: roi.height };
        let tiles_of = |source, at, roi| TileResizer { source, size: at, roi, tiles, to };
        let cut = Size { width: roi.width, height: roi.height };
        let frame = match frame.source {
            RowSource::Rows(rows) => {
                let (is_grey, region) = (rows.channels() == 1, &mut self.region8);
                write_region(rows, roi, &mut self.row_buffers, region);
                if to_luma && !is_grey {
                    luma8(region, cut, all, &mut self.luma8);
                }
                let values: &[u8] = if to_luma && !is_grey { &self.luma8 } else { region };
                let tiles = tiles_of(values, cut, all);
                return if to_luma || is_grey {
                    tiles.resize::<U8>(resizer, &mut self.tile8, input)
                } else {
                    tiles.resize::<U8x3>(resizer, &mut self.tile8, input)
                };
            }
            RowSource::Frame(frame) => frame,
        };
        // Pixel types are named here rather than looked up by the resizer, which would pull in code for all of them.
        match frame.pixels() {
            Pixels::Grey8(v) => tiles_of(v, size, roi).resize::<U8>(resizer, &mut self.tile8, input),
            Pixels::Rgb8(v) if to_luma => {
                luma8(v, size, roi, &mut self.luma8);
                tiles_of(&self.luma8, cut, all).resize::<U8>(resizer, &mut self.tile8, input)
            }
            Pixels::Rgb8(v) => tiles_of(v, size, roi).resize::<U8x3>(resizer, &mut self.tile8, input),
            Pixels::Grey16(v) => {
                tiles_of(bytemuck::cast_slice(v), size, roi).resize::<U16>(resizer, &mut self.tile16, input)
            }
            Pixels::Rgb16(v) if to_luma => {
                luma16(v, size, roi, &mut self.luma16);
                let luma = bytemuck::cast_slice(&self.luma16);
                tiles_of(luma, cut, all).resize::<U16>(resizer, &mut self.tile16, input)
            }
            Pixels::Rgb16(v) => {
                tiles_of(bytemuck::cast_slice(v), size, roi).resize::<U16x3>(resizer, &mut self.tile16, input)
            }
        }
    }
}

/// Writes the pixels of a region, row by row.
fn write_region(rows: &dyn FrameRows, roi: Roi, buffers: &mut RowBuffers, region: &mut Vec<u8>) {
    let row_bytes = roi.width as usize * rows.channels();
    region.resize(row_bytes * roi.height as usize, 0);
    let xs = roi.x as usize..(roi.x + roi.width) as usize;
    for (y, row) in (roi.y as usize..).zip(region.chunks_exact_mut(row_bytes.max(1))) {
        rows.write_row(y, xs.clone(), buffers, row);
    }
}

/// A pixel value of an unsigned integer type.
trait PixelValue: bytemuck::Pod + Default {
    /// Scales the value to 0..1; 1 is the type's largest value.
    fn scaled(self) -> f32;
}

impl PixelValue for u8 {
    fn scaled(self) -> f32 {
        f32::from(self) / 255.0
    }
}

impl PixelValue for u16 {
    fn scaled(self) -> f32 {
        f32::from(self) / 65535.0
    }
}

/// The tiles of one frame, all resized to the same size.
struct TileResizer<'f> {
    /// Native bytes of the image.
    source: &'f [u8],
    size: Size,
    roi: Roi,
    tiles: Tiles,
    to: Size,
}

impl TileResizer<'_> {
    fn resize<P>(
        &self,
        resizer: &mut Resizer,
        tile: &mut Vec<P::Component>,
        input: &mut [f32],
    ) -> Result<(), PrepareError>
    where
        P: PixelTrait,
        P::Component: PixelValue,
    {
        let pixels = self.to.width as usize * self.to.height as usize;
        tile.resize(P::count_of_components() * pixels, P::Component::default());
        for (index, out) in input.chunks_exact_mut(3 * pixels).enumerate() {
            self.resize_tile::<P>(index, resizer, bytemuck::cast_slice_mut(tile))?;
            planes_of(tile, out);
        }
        Ok(())
    }

    fn resize_tile<P: PixelTrait>(
        &self,
        index: usize,
        resizer: &mut Resizer,
        tile: &mut [u8],
    ) -> Result<(), PrepareError> {
        let explain = |e: &dyn std::fmt::Display| PrepareError::Resize(e.to_string());
        let Size { width, height } = self.size;
        let image = TypedImageRef::<P>::from_buffer(width, height, self.source).map_err(|e| explain(&e))?;
        // The cut comes first: otherwise the resize filter would read pixels outside the region of interest.
        let Roi { x, y, width, height } = self.roi;
        let cut = TypedCroppedImage::from_ref(&image, x, y, width, height).map_err(|e| explain(&e))?;
        let mut out =
            TypedImage::<P>::from_buffer(self.to.width, self.to.height, tile).map_err(|e| explain(&e))?;
        let ([x, y], picture) = (self.tiles.corner(index, self.to), self.tiles.picture(self.to));
        let (left, tile_width) = span(self.roi.width, x, self.to.width, picture.width);
        let (top, tile_height) = span(self.roi.height, y, self.to.height, picture.height);
        let options = ResizeOptions::new().resize_alg(ResizeAlg::Convolution(FilterType::Bilinear)).crop(
            left,
            top,
            tile_width,
            tile_height,
        );
        resizer.resize_typed(&cut, &mut out, &options).map_err(|e| explain(&e))
    }
}

/// Returns the start and length, in fractional pixels of a side, of what `length` of the `all` pixels that show the side show, from
/// pixel `from` on.
fn span(side: u32, from: u32, length: u32, all: u32) -> (f64, f64) {
    let edge = |pixel: u32| f64::from(side) * f64::from(pixel) / f64::from(all);
    let start = edge(from);
    // A sum that is rounded up could reach beyond the frame.
    (start, (edge(from + length) - start).min(f64::from(side) - start))
}

/// Cuts a picture of three planes into tiles of size `input` of three planes each.
fn cut(picture: &[f32], tiles: Tiles, input: Size, out: &mut Vec<f32>) {
    let whole = tiles.picture(input);
    let plane = whole.width as usize * whole.height as usize;
    out.clear();
    for tile in 0..tiles.count() {
        for plane in picture.chunks_exact(plane.max(1)) {
            rows_of(plane, tiles, input, tile).for_each(|row| out.extend_from_slice(row));
        }
    }
}

/// Splits interleaved (or single) values into three planes.
fn planes_of<T: PixelValue>(values: &[T], planes: &mut [f32]) {
    let plane = planes.len() / 3;
    let (red, rest) = planes.split_at_mut(plane);
    let (green, blue) = rest.split_at_mut(plane);
    if values.len() == plane {
        for (out, &v) in red.iter_mut().zip(values) {
            *out = v.scaled();
        }
        green.copy_from_slice(red);
        blue.copy_from_slice(red);
    } else {
        let outs = red.iter_mut().zip(green).zip(blue);
        for (((r, g), b), &[red, green, blue]) in outs.zip(values.as_chunks().0) {
            (*r, *g, *b) = (red.scaled(), green.scaled(), blue.scaled());
        }
    }
}

/// Returns the values of one row of the region of interest; none if it is outside the frame.
fn row<T>(values: &[T], frame: Size, roi: Roi, y: u32) -> &[T] {
    let start = 3 * ((roi.y + y) as usize * frame.width as usize + roi.x as usize);
    values.get(start..start + 3 * roi.width as usize).unwrap_or_default()
}

/// BT.601 luma in 16-bit fixed point; the weights sum to 65536, so equal channels keep their value.
pub(crate) const LUMA_WEIGHTS: [u64; 3] = [19_595, 38_470, 7_471];

fn luma8(rgb: &[u8], frame: Size, roi: Roi, luma: &mut Vec<u8>) {
    let weights = LUMA_WEIGHTS.map(|weight| weight as u32);
    luma.clear();
    for y in 0..roi.height {
        luma.extend(row(rgb, frame, roi, y).chunks_exact(3).map(|p| {
            let sum: u32 = p.iter().zip(weights).map(|(&v, w)| u32::from(v) * w).sum();
            ((sum + 0x8000) >> 16) as u8
        }));
    }
}

fn luma16(rgb: &[u16], frame: Size, roi: Roi, luma: &mut Vec<u16>) {
    luma.clear();
    for y in 0..roi.height {
        luma.extend(row(rgb, frame, roi, y).chunks_exact(3).map(|p| {
            let sum: u64 = p.iter().zip(LUMA_WEIGHTS).map(|(&v, w)| u64::from(v) * w).sum();
            ((sum + 0x8000) >> 16) as u16
        }));
    }
}
