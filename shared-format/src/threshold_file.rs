//! `model.threshold`: turns the scores of one ONNX model into verdicts, and says on what evidence.
//!
//! The bytes are a header, a postcard payload and a CRC-32; see `SPEC.md`.

use heapless::{String, Vec};
use serde::{Deserialize, Serialize};

use crate::image_score::ImageScore;
use crate::recipe::{Colour, FrameRange, Recipe, Roi, Size, Tiles};

/// First bytes of every threshold file.
pub const MAGIC: [u8; 4] = *b"NMNL";
/// The format version that this crate writes; it reads [`FIRST_VERSION`] to this one.
pub const VERSION: u16 = 3;
/// The oldest format version that this crate reads.
pub const FIRST_VERSION: u16 = 2;
/// Magic, version and payload length.
pub const HEADER_LEN: usize = 4 + 2 + 4;
/// The CRC-32 at the end.
pub const TRAILER_LEN: usize = 4;
/// No valid file is larger; readers may use it to size a buffer.
pub const MAX_LEN: usize = 8192;
/// Most golden frames in a bundle.
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
    /// q99 − q50: the unit in which score differences between engines are judged.
    #[must_use]
    pub fn spread(&self) -> f32 {
        self.q99 - self.q50
    }

    fn is_valid(&self) -> bool {
        let all = [self.min, self.q05, self.q25, self.q50, self.q75, self.q95, self.q99, self.max];
        all.iter().all(|q| q.is_finite()) && all.is_sorted()
    }
}

/// How the scores of the calibration normals came about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Sample {
    /// By the model itself; none of the normals trained it or chose its checkpoint. The claim holds.
    HeldOut,
    /// Each by a model fitted to the other normals, while the shipped model was fitted to all of them: what the sample
    /// claims is an estimate.
    CrossFitted,
}

/// What the judge's kernels compute the network with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Arithmetic {
    /// 32-bit floats.
    #[default]
    Single,
    /// 16-bit floats (IEEE 754 binary16) in inverted bottlenecks, 32-bit floats in everything else. Scores differ from
    /// those of [`Self::Single`] by more than processors do, so thresholds belong to one or the other.
    Half,
}

/// What the threshold rests on.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Evidence {
    /// Calibration normals.
    pub normals: u32,
    /// The image threshold is the `rank`-th largest of their scores, or between that and the next larger one; on average at most `rank / (normals + 1)` of
    /// new normals are rejected.
    pub rank: u32,
    /// How their scores came about.
    pub sample: Sample,
    /// The false-positive rate that was asked for, 0..1.
    pub target_fpr: f32,
    /// Their scores.
    pub scores: ScoreQuantiles,
}

impl Evidence {
    /// The claimed bound on the average false-positive rate, 0..1.
    #[must_use]
    pub fn claimed_fpr(&self) -> f64 {
        crate::conformal::marginal_bound(self.normals, self.rank)
    }
}

/// A frame shipped in the bundle with its score.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Golden {
    /// File name below the bundle's `golden/` folder.
    pub file: String<64>,
    /// The score that the judge gave it where the model was exported; with another arithmetic, where it was calibrated for that.
    pub score: f32,
}

/// The decoded contents of `model.threshold`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ThresholdFile {
    /// Program and version that wrote the file, such as `nominal 0.1.0`.
    pub producer: String<32>,
    /// The method, such as `stpm`.
    pub method: String<32>,
    /// The teacher that the method used; empty where it used none.
    pub teacher: String<64>,
    /// SHA-256 of the ONNX file that the thresholds belong to.
    pub model_sha256: [u8; 32],
    /// How a frame becomes the model's input.
    pub recipe: Recipe,
    /// What the network is computed with; the thresholds and all scores of this file come from it.
    pub arithmetic: Arithmetic,
    /// What a frame's score is; the thresholds and all scores of this file are of this kind.
    pub image_score: ImageScore,
    /// A frame is rejected when its score is above this.
    pub image_threshold: f32,
    /// A map position belongs to a region when its value is above this.
    pub pixel_threshold: f32,
    /// How far a score may be from [`Golden::score`] on another processor, in score units.
    pub score_tolerance: f32,
    /// What the thresholds rest on.
    pub evidence: Evidence,
    /// Frames with known scores.
    pub golden: Vec<Golden, MAX_GOLDEN>,
}

/// Why bytes are not a threshold file, or a threshold file can't be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FormatError {
    /// The first bytes are not [`MAGIC`].
    #[error(
        "this is not a Nominal threshold file (its first bytes are not NMNL); give the bundle's model.threshold"
    )]
    Magic,
    /// Written by a program with another format.
    #[error(
        "the threshold file has format version {0}, this program reads {FIRST_VERSION} to {VERSION}; export the bundle again with the matching trainer, or update this program"
    )]
    Version(u16),
    /// Fewer bytes than the header announces.
    #[error("the threshold file is cut short: {found} bytes of {expected}; copy the bundle again")]
    Truncated {
        /// Bytes that a whole file would have (at least the header's, where that is cut).
        expected: usize,
        /// Bytes given.
        found: usize,
    },
    /// More bytes than the header announces.
    #[error("the threshold file has {extra} bytes too many; copy the bundle again")]
    Trailing {
        /// Bytes after the end.
        extra: usize,
    },
    /// The checksum doesn't match.
    #[error("the threshold file is damaged (its CRC-32 does not match); copy the bundle again")]
    Checksum,
    /// The checksum matches but the payload is not what this version writes, or a value is out of its range.
    #[error("the threshold file holds values that no trainer writes; export the bundle again")]
    Malformed,
    /// The buffer to encode into is too small; [`MAX_LEN`] bytes always suffice.
    #[error("the buffer is too small for a threshold file; give {MAX_LEN} bytes")]
    Buffer,
}

impl ThresholdFile {
    /// Encodes into `buffer` and returns the used part.
    ///
    /// # Errors
    /// [`FormatError::Buffer`] where the buffer is too small, [`FormatError::Malformed`] where a value is out of range:
    /// what could not be read back is not written.
    pub fn encode<'b>(&self, buffer: &'b mut [u8]) -> Result<&'b [u8], FormatError> {
        if !self.is_valid() {
            return Err(FormatError::Malformed);
        }
        let body = buffer.get_mut(HEADER_LEN..).ok_or(FormatError::Buffer)?;
        let payload_len = postcard::to_slice(self, body).map_err(|_| FormatError::Buffer)?.len();
        let checked_len = HEADER_LEN + payload_len;
        let file = buffer.get_mut(..checked_len + TRAILER_LEN).ok_or(FormatError::Buffer)?;
        let announced = u32::try_from(payload_len).map_err(|_| FormatError::Buffer)?;
        file[..4].copy_from_slice(&MAGIC);
        file[4..6].copy_from_slice(&VERSION.to_le_bytes());
        file[6..10].copy_from_slice(&announced.to_le_bytes());
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
        let announced = u32::from_le_bytes([header[6], header[7], header[8], header[9]]) as usize;
        let expected = announced.saturating_add(HEADER_LEN + TRAILER_LEN);
        if found < expected {
            return Err(FormatError::Truncated { expected, found });
        }
        if found > expected {
            return Err(FormatError::Trailing { extra: found - expected });
        }
        let (checked, crc) = file.split_at(HEADER_LEN + announced);
        if crc32fast::hash(checked).to_le_bytes() != *crc {
            return Err(FormatError::Checksum);
        }
        let payload = &checked[HEADER_LEN..];
        let mut buffer = [0; MAX_LEN];
        let payload = if version == 2 {
            of_version_2(payload, &mut buffer).ok_or(FormatError::Malformed)?
        } else {
            payload
        };
        match postcard::take_from_bytes::<Self>(payload) {
            Ok((decoded, [])) if decoded.is_valid() => Ok(decoded),
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
            && self.golden.iter().all(|g| g.score.is_finite() && is_plain_file_name(&g.file))
    }
}

/// A payload of version 2 as version 3 has it: with a recipe that neither aligns nor ignores anything.
fn of_version_2<'b>(payload: &[u8], buffer: &'b mut [u8; MAX_LEN]) -> Option<&'b [u8]> {
    type Recipe = (Size, Option<Roi>, Tiles, Colour, FrameRange);
    type ToRecipe = (String<32>, String<32>, String<64>, [u8; 32], Recipe);
    let (_, rest) = postcard::take_from_bytes::<ToRecipe>(payload).ok()?;
    const ABSENT: [u8; 2] = [0, 0];
    let before = payload.len() - rest.len();
    let upgraded = buffer.get_mut(..payload.len() + ABSENT.len())?;
    upgraded[..before].copy_from_slice(&payload[..before]);
    upgraded[before..before + ABSENT.len()].copy_from_slice(&ABSENT);
    upgraded[before + ABSENT.len()..].copy_from_slice(rest);
    Some(upgraded)
}

/// A name that stays inside the folder it is joined to.
fn is_plain_file_name(name: &str) -> bool {
    !name.is_empty() && name != "." && name != ".." && !name.contains(['/', '\\', '\0'])
}
