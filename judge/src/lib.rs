//! Turns frames into verdicts: the one judging path. The trainer on the host and the program on the device both use it, so
//! the scores that set a threshold and the scores compared with it come from the same code.
//!
//! | module | contents |
//! |---|---|
//! | [`frame`] | an upright image in memory, 8 or 16 bits, grey or colour |
//! | [`decode`](mod@decode) | bytes → frame; damaged or truncated files are refused |
//! | [`frame_area`], [`frame_reader`] | bytes → the area of a frame that a recipe judges |
//! | [`encode`] | frame → PNG |
//! | [`prepare`] | frame → the network's input, by the recipe |
//! | [`align`] | finds and corrects how a part is shifted and turned in view |
//! | [`light`] | corrects a frame's light by a reference patch |
//! | [`ignore_mask`] | the pixels that an ignore mask covers |
//! | [`onnx`] | the protobuf messages of an ONNX file |
//! | [`engine`] | runs an ONNX model; the only module that names the inference engine |
//! | [`anomaly_map`] | the anomaly map of a frame |
//! | [`scorer`] | frame → score and anomaly map |
//! | [`image_score`] | the model's outputs → the frame's score |
//! | [`zones`] | anomaly map → the scores of zones with limits of their own |
//! | [`region`] | anomaly map → the largest anomalous region |
//! | [`bundle`] | the folder that the trainer ships, verified when it is opened |
//! | [`judge`] | judges frames with a bundle: score → verdict |
//! | [`fault`] | why a frame got no trustworthy score |
//! | [`overlay`](mod@overlay) | a picture of the evidence, for people |
//!
//! A bundle judges a frame. This one contains a model built on the spot, whose map is the brightest of each pixel's channels:
//!
//! ```
//! use judge::{Frame, Judge, Pixels, Size, Verdict};
//! # use judge::onnx::*;
//! # use judge::{Arithmetic, Colour, Evidence, FrameRange, ImageScore, Recipe, Sample, ScoreQuantiles, ThresholdFile, Tiles};
//! # use prost::Message;
//! #
//! # let maximum = |axes: &[i64], keep: i64, [input, output]: [&str; 2]| {
//! #     let axes = AttributeProto { name: "axes".into(), ints: axes.to_vec(), r#type: 7, ..Default::default() };
//! #     let keep = AttributeProto { name: "keepdims".into(), i: Some(keep), r#type: 2, ..Default::default() };
//! #     let (input, output) = (vec![input.into()], vec![output.into()]);
//! #     NodeProto { input, output, op_type: "ReduceMax".into(), attribute: vec![axes, keep], ..Default::default() }
//! # };
//! # let value = |name: &str, sides: &[i64]| {
//! #     let dim = sides.iter().map(|&side| DimensionProto { dim_value: Some(side) }).collect();
//! #     let kind = TensorTypeProto { elem_type: FLOAT, shape: Some(TensorShapeProto { dim }) };
//! #     ValueInfoProto { name: name.into(), r#type: Some(TypeProto { tensor_type: Some(kind) }) }
//! # };
//! # let graph = GraphProto {
//! #     node: vec![maximum(&[1], 1, ["image", "anomaly_map"]), maximum(&[1, 2, 3], 0, ["anomaly_map", "score"])],
//! #     input: vec![value("image", &[1, 3, 64, 64])],
//! #     output: vec![value("anomaly_map", &[1, 1, 64, 64]), value("score", &[])],
//! #     ..Default::default()
//! # };
//! # let opset_import = vec![OperatorSetIdProto { domain: String::new(), version: 17 }];
//! # let onnx = ModelProto { ir_version: 8, graph: Some(graph), opset_import, ..Default::default() }.encode_to_vec();
//! # let side = Size { width: 64, height: 64 };
//! # let frames = FrameRange { min: side, max: side };
//! # let scores = ScoreQuantiles { min: 0.1, q05: 0.1, q25: 0.1, q50: 0.2, q75: 0.2, q95: 0.3, q99: 0.3, max: 0.3 };
//! # let thresholds = ThresholdFile {
//! #     producer: "an example".try_into()?,
//! #     method: "brightest".try_into()?,
//! #     teacher: "".try_into()?,
//! #     model_sha256: judge::file_sha256(&onnx),
//! #     recipe: Recipe { input: side, roi: None, tiles: Tiles::ONE, colour: Colour::Rgb, frames, alignment: None, ignore: None, reference_patch: None },
//! #     arithmetic: Arithmetic::Single,
//! #     image_score: ImageScore::Model,
//! #     image_threshold: 0.5,
//! #     pixel_threshold: 0.5,
//! #     score_tolerance: 1e-4,
//! #     evidence: Evidence { normals: 99, rank: 1, sample: Sample::HeldOut, target_fpr: 0.01, scores },
//! #     golden: [].into_iter().collect(),
//! #     product_limit: None,
//! #     defects: None,
//! # };
//! # let folder = tempfile::tempdir()?;
//! # let bundle = folder.path();
//! # let mut buffer = [0; shared_format::threshold_file::MAX_LEN];
//! # std::fs::write(bundle.join(judge::THRESHOLD_FILE), thresholds.encode(&mut buffer)?)?;
//! # std::fs::write(bundle.join(judge::MODEL_FILE), onnx)?;
//! let mut judge = Judge::open(bundle, 1)?;
//! let size = Size { width: 64, height: 64 };
//! let mut pixels = vec![20; 64 * 64];
//! assert_eq!(judge.judge(&Frame::new(size, Pixels::Grey8(pixels.clone()))?).verdict, Verdict::Pass);
//!
//! // A bright spot.
//! pixels[5 * 64 + 8] = 230;
//! let judgement = judge.judge(&Frame::new(size, Pixels::Grey8(pixels))?);
//! assert_eq!(judgement.verdict, Verdict::Reject);
//! assert!(judgement.region.is_some_and(|region| (region.x, region.y, region.area) == (8, 5, 1)));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![forbid(unsafe_code)]
// Frames and bundles come from outside: an index out of range must be an error message, not a panic.
#![deny(clippy::indexing_slicing)]

pub mod align;
pub mod anomaly_map;
pub mod bundle;
pub mod decode;
pub mod encode;
#[expect(
    clippy::indexing_slicing,
    reason = "it works on graphs whose shapes were checked when the bundle was opened"
)]
pub mod engine;
pub mod fault;
pub mod frame;
pub mod frame_area;
pub mod frame_reader;
pub mod ignore_mask;
pub mod image_score;
pub mod judge;
pub mod light;
pub mod onnx;
pub mod overlay;
pub mod prepare;
pub mod region;
pub mod scorer;
pub mod zones;

mod guard;
mod regular_file;
mod tiles;

pub use anomaly_map::AnomalyMap;
pub use bundle::{Bundle, BundleError, FileHashes, GOLDEN_FOLDER, MODEL_FILE, THRESHOLD_FILE, file_sha256};
pub use decode::{
    DecodeError, IMAGE_EXTENSIONS, MAX_PIXELS, decode, decode_file, decode_file_within, decode_with_alpha,
    decode_within, has_image_extension, read_file, trim_jpeg,
};
pub use encode::{EncodeError, encode_png};
pub use engine::{
    Engine, EngineError, Network, OperationTime, Options, Replacement, TILE_FEATURES, TiledNetwork, VECTORS,
    check_arithmetic,
};
pub use fault::Fault;
pub use frame::{Frame, FrameError, Pixels};
pub use frame_area::{FrameArea, FrameRows, RowBuffers};
pub use frame_reader::FrameReader;
pub use guard::{CaughtPanic, guarded, is_guarded};
pub use ignore_mask::IgnoredPixels;
pub use judge::{GoldenResult, Judge, Judgement, LikeDefect};
pub use light::LightError;
pub use overlay::overlay;
pub use prepare::{PrepareError, Preparer, region_of_interest};
pub use region::{Region, largest_region};
pub use regular_file::{ReadError, read_regular_file};
pub use scorer::{FrameScore, Likeness, Scorer, StageTimes};
pub use zones::{ZoneEvidence, ZoneScore};

/// The types that a bundle's thresholds and verdicts are made of, from `shared-format`.
pub use shared_format::{
    Arithmetic, Colour, DefectKind, Descriptor, Evidence, FormatError, FrameRange, Golden, IgnoreMask,
    ImageScore, Recipe, ReferencePatch, Roi, Sample, ScoreQuantiles, Size, TaughtDefects, ThresholdFile,
    Tiles, Verdict, Zone, ZoneMask, Zones,
};
