//! `model.threshold`: turns the scores of one ONNX model into verdicts, and records the evidence for its thresholds.
//!
//! The bytes are a header, a postcard payload and a CRC-32; see `SPEC.md`.

use heapless::{String, Vec};
use serde::{Deserialize, Serialize};

use crate::image_score::ImageScore;
use crate::recipe::{Colour, FrameRange, Recipe, Roi, Size};
use crate::taught_defects::TaughtDefects;

/// First bytes of every threshold file.
pub const MAGIC: [u8; 4] = *b"NMNL";
/// The format version that this crate writes; it reads versions [`FIRST_VERSION`] to this one.
pub const VERSION: u16 = 3;
/// The oldest format version that this crate reads.
pub const FIRST_VERSION: u16 = 2;
/// Magic, version and payload length.
pub const HEADER_LEN: usize = 4 + 2 + 4;
/// The CRC-32 at the end.
pub const TRAILER_LEN: usize = 4;
/// Maximum length of a valid file; readers may use it to size a buffer.
pub const MAX_LEN: usize = 10_240;
/// Maximum number of golden frames in a bundle.
pub const MAX_GOLDEN: usize = 4;

/// Scores of the calibration normals at fixed quantiles (linear interpolation between order statistics).
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct ScoreQuantiles {
    /// Smallest score.
    pub min: f32,
    /// 5 % quantile.
    pub q05: f32,
    /// 25 % quantile.
    pub q25: f32,
    /// Median.
    pub q50: f32,
    /// 75 % quantile.
    pub q75: f32,
    /// 95 % quantile.
    pub q95: f32,
    /// 99 % quantile.
    pub q99: f32,
    /// Largest score.
    pub max: f32,
}

impl ScoreQuantiles {
    /// Returns q99 − q50: the unit in which score differences between engines are judged.
    #[must_use]
    pub fn spread(&self) -> f32 {
        self.q99 - self.q50
    }

    fn is_valid(&self) -> bool {
        let all = [self.min, self.q05, self.q25, self.q50, self.q75, self.q95, self.q99, self.max];
        all.iter().all(|q| q.is_finite()) && all.is_sorted()
    }
}

/// How the calibration normals were scored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Sample {
    /// By the model itself; none of the normals was used to train it or to choose its checkpoint. The claim holds.
    HeldOut,
    /// Each by a model fitted to the other normals, while the shipped model was fitted to all of them: the claim is an estimate.
    CrossFitted,
}

/// The floats that the judge's kernels compute the network with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Arithmetic {
    /// 32-bit floats.
    #[default]
    Single,
    /// 16-bit floats (IEEE 754 binary16) in inverted bottlenecks, 32-bit floats in everything else. Scores differ from those of
    /// [`Self::Single`] by more than they do between processors, so thresholds are valid for only one of the two.
    Half,
}

/// The evidence that the thresholds rest on.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Evidence {
    /// Number of calibration normals, and of those left out of learning as suspects of showing bad parts.
    pub normals: u32,
    /// Those left out count as larger than all others: the claim then holds even if they were good. The image threshold is the `rank`-th largest of their scores, or lies between that and the next larger one; on average,
    /// at most `rank / (normals + 1)` of new normals are rejected.
    pub rank: u32,
    /// How they were scored.
    pub sample: Sample,
    /// The requested false-positive rate, 0..1.
    pub target_fpr: f32,
    /// Quantiles of the scores of those that were not left out.
    pub scores: ScoreQuantiles,
}

impl Evidence {
    /// Returns the claimed bound on the average false-positive rate, 0..1.
    #[must_use]
    pub fn claimed_fpr(&self) -> f64 {
        crate::conformal::marginal_bound(self.normals, self.rank)
    }
}

/// A frame shipped in the bundle together with its score.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Golden {
    /// File name inside the bundle's `golden/` folder.
    pub file: String<64>,
    /// The score that the judge gave it on the machine that exported the model; with another arithmetic, on the one that calibrated
    /// the bundle for that.
    pub score: f32,
}

/// The decoded contents of `model.threshold`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ThresholdFile {
    /// Program and version that wrote the file, such as `nominal 0.1.0`.
    pub producer: String<32>,
    /// The method, such as `stpm`.
    pub method: String<32>,
    /// The teacher that the method used; empty if it used none.
    pub teacher: String<64>,
    /// SHA-256 of the ONNX file that the thresholds belong to.
    pub model_sha256: [u8; 32],
    /// How a frame becomes the model's input.
    pub recipe: Recipe,
    /// The floats that the network is computed with; all thresholds and scores in this file come from them.
    pub arithmetic: Arithmetic,
    /// How a frame's score is defined; all thresholds and scores in this file are of this kind.
    pub image_score: ImageScore,
    /// A frame is rejected when its score is above this.
    pub image_threshold: f32,
    /// A map position belongs to a region when its value is above this.
    pub pixel_threshold: f32,
    /// How far a score may deviate from [`Golden::score`] on another processor, in score units.
    pub score_tolerance: f32,
    /// The evidence that the thresholds rest on.
    pub evidence: Evidence,
    /// Frames with known scores.
    pub golden: Vec<Golden, MAX_GOLDEN>,
    /// A frame is a fault, because it may show another product, when the lower quartile of its anomaly map is above this; `None` if
    /// this isn't checked. The quartile is that of [`crate::image_score::MAP_QUANTILES`].
    pub product_limit: Option<f32>,
    /// The limit for likeness to taught defects; `None` if none were taught.
    pub defects: Option<TaughtDefects>,
}

/// Why bytes are not a threshold file, or why a threshold file can't be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FormatError {
    /// The first bytes are not [`MAGIC`].
    #[error(
        "this is not a Nominal threshold file (its first bytes are not NMNL); give the bundle's model.threshold"
    )]
    Magic,
    /// Written by a program that uses another format version.
    #[error(
        "the threshold file has format version {0}, but this program reads {FIRST_VERSION} to {VERSION}; export the bundle again with the matching trainer, or update this program"
    )]
    Version(u16),
    /// Fewer bytes than the header declares.
    #[error("the threshold file is cut short: {found} bytes of {expected}; copy the bundle again")]
    Truncated {
        /// Bytes that a complete file would have (if the header is cut short: the header's length).
        expected: usize,
        /// Bytes given.
        found: usize,
    },
    /// More bytes than the header declares.
    #[error("the threshold file has {extra} bytes too many; copy the bundle again")]
    Trailing {
        /// Bytes after the end.
        extra: usize,
    },
    /// The checksum doesn't match.
    #[error("the threshold file is damaged (its CRC-32 does not match); copy the bundle again")]
    Checksum,
    /// The checksum matches, but the payload is not one that this version writes, or a value is out of range.
    #[error("the threshold file has invalid values; export the bundle again")]
    Malformed,
    /// The buffer to encode into is too small; [`MAX_LEN`] bytes always suffice.
    #[error("the buffer is too small for a threshold file; give it {MAX_LEN} bytes")]
    Buffer,
}

impl ThresholdFile {
    /// Encodes into `buffer` and returns the used part.
    ///
    /// # Errors
    /// [`FormatError::Buffer`] if the buffer is too small, [`FormatError::Malformed`] if a value is out of range: what could not
    /// be read back is never written.
    pub fn encode<'b>(&self, buffer: &'b mut [u8]) -> Result<&'b [u8], FormatError> {
        if !self.is_valid() {
            return Err(FormatError::Malformed);
        }
        let body = buffer.get_mut(HEADER_LEN..).ok_or(FormatError::Buffer)?;
        let payload_len = postcard::to_slice(self, body).map_err(|_| FormatError::Buffer)?.len();
        let checked_len = HEADER_LEN + payload_len;
        let file = buffer.get_mut(..checked_len + TRAILER_LEN).ok_or(FormatError::Buffer)?;
        let declared_len = u32::try_from(payload_len).map_err(|_| FormatError::Buffer)?;
        file[..4].copy_from_slice(&MAGIC);
        file[4..6].copy_from_slice(&VERSION.to_le_bytes());
        file[6..10].copy_from_slice(&declared_len.to_le_bytes());
        let crc = crc32fast::hash(&file[..checked_len]);
        file[checked_len..].copy_from_slice(&crc.to_le_bytes());
        Ok(file)
    }

    /// Decodes a whole file. Never allocates, never panics.
    ///
    /// # Errors
    /// The first check that fails, in the order magic, version, length, checksum, contents.
    pub fn decode(file: &[u8]) -> Result<Self, FormatError> {
        let found = file.len();
        let Some((header, _)) = file.split_at_checked(HEADER_LEN) else {
            let n = found.min(MAGIC.len());
            let is_ours = file[..n] == MAGIC[..n];
            return Err(if is_ours {
                FormatError::Truncated { expected: HEADER_LEN, found }
            } else {
                FormatError::Magic
            });
        };
        if header[..4] != MAGIC {
            return Err(FormatError::Magic);
        }
        let version = u16::from_le_bytes([header[4], header[5]]);
        if !(FIRST_VERSION..=VERSION).contains(&version) {
            return Err(FormatError::Version(version));
        }
        let declared_len = u32::from_le_bytes([header[6], header[7], header[8], header[9]]) as usize;
        let expected = declared_len.saturating_add(HEADER_LEN + TRAILER_LEN);
        if found < expected {
            return Err(FormatError::Truncated { expected, found });
        }
        if found > expected {
            return Err(FormatError::Trailing { extra: found - expected });
        }
        let (checked, crc) = file.split_at(HEADER_LEN + declared_len);
        if crc32fast::hash(checked).to_le_bytes() != *crc {
            return Err(FormatError::Checksum);
        }
        let payload = &checked[HEADER_LEN..];
        let mut buffer = [0; MAX_LEN];
        let payload = if version == 2 {
            upgrade_v2_payload(payload, &mut buffer).ok_or(FormatError::Malformed)?
        } else {
            payload
        };
        // Version 2 had no zones.
        let is_known = |file: &Self| version > 2 || !matches!(file.image_score, ImageScore::Zones(_));
        match postcard::take_from_bytes::<Self>(payload) {
            Ok((decoded, [])) if decoded.is_valid() && is_known(&decoded) => Ok(decoded),
            _ => Err(FormatError::Malformed),
        }
    }

    fn is_valid(&self) -> bool {
        let e = &self.evidence;
        self.recipe.is_valid()
            && self.image_score.is_valid()
            && self.image_threshold.is_finite()
            && self.pixel_threshold.is_finite()
            && self.score_tolerance.is_finite()
            && self.score_tolerance >= 0.0
            && e.normals > 0
            && (1..=e.normals).contains(&e.rank)
            && e.target_fpr > 0.0
            && e.target_fpr < 1.0
            && e.scores.is_valid()
            && self.product_limit.is_none_or(f32::is_finite)
            && self.defects.as_ref().is_none_or(TaughtDefects::is_valid)
            && self.golden.iter().all(|g| g.score.is_finite() && is_plain_file_name(&g.file))
    }
}

/// Upgrades a version 2 payload to version 3, in which what version 2 can't say is absent, and tiles don't overlap.
fn upgrade_v2_payload<'b>(payload: &[u8], buffer: &'b mut [u8; MAX_LEN]) -> Option<&'b [u8]> {
    type ToTiles = (String<32>, String<32>, String<64>, [u8; 32], Size, Option<Roi>, [u8; 2]);
    type ToFrames = (Colour, FrameRange);
    const NO_OVERLAP: &[u8] = &[0];
    /// Alignment, ignore mask and reference patch.
    const REST_OF_RECIPE: &[u8] = &[0; 3];
    /// Product limit and taught defects.
    const END: &[u8] = &[0; 2];
    let (_, after_tiles) = postcard::take_from_bytes::<ToTiles>(payload).ok()?;
    let (_, after_frames) = postcard::take_from_bytes::<ToFrames>(after_tiles).ok()?;
    let to_tiles = payload.strip_suffix(after_tiles)?;
    let to_frames = after_tiles.strip_suffix(after_frames)?;
    let mut length = 0;
    for part in [to_tiles, NO_OVERLAP, to_frames, REST_OF_RECIPE, after_frames, END] {
        buffer.get_mut(length..length + part.len())?.copy_from_slice(part);
        length += part.len();
    }
    buffer.get(..length)
}

/// Returns whether a name stays inside the folder that it is joined to.
fn is_plain_file_name(name: &str) -> bool {
    !name.is_empty() && name != "." && name != ".." && !name.contains(['/', '\\', '\0'])
}
