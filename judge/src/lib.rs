//! Frame to verdict: the one judging path. The trainer on the host and the program on the device both call it, so the
//! scores that set a threshold and the scores that meet it come from the same code.
//!
//! | module | what it holds |
//! |---|---|
//! | [`frame`] | an upright image in memory, 8 or 16 bits, grey or colour |
//! | [`decode`](mod@decode) | bytes → frame; damaged or cut files are refused |
//! | [`encode`] | frame → PNG |
//! | [`prepare`] | frame → the network's input, as the recipe says |
//! | [`onnx`] | the messages that an ONNX file is made of |
//! | [`engine`] | runs an ONNX model; the only module that names the inference engine |
//! | [`scorer`] | frame → score and anomaly map |
//! | [`image_score`] | what the model says of a frame → the frame's score |
//! | [`region`] | anomaly map → the largest conspicuous region |
//! | [`bundle`] | the folder that the trainer ships, checked when it is opened |
//! | [`judge`] | a bundle judging frames: score → verdict |
//! | [`fault`] | why a frame got no trustworthy score |
//! | [`overlay`](mod@overlay) | a picture of the evidence, for people |
//!
//! ```
//! use judge::{Frame, Pixels, decode, encode_png};
//! use shared_format::Size;
//!
//! let size = Size { width: 2, height: 1 };
//! let frame = Frame::new(size, Pixels::Grey8(vec![0, 255]))?;
//! assert_eq!(decode(&encode_png(&frame)?)?, frame);
//! assert!(decode(b"not an image").is_err());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![forbid(unsafe_code)]

pub mod bundle;
pub mod decode;
pub mod encode;
pub mod engine;
pub mod fault;
pub mod frame;
pub mod image_score;
pub mod judge;
pub mod onnx;
pub mod overlay;
pub mod prepare;
pub mod region;
pub mod scorer;

mod guard;

pub use bundle::{Bundle, BundleError, GOLDEN_FOLDER, MODEL_FILE, THRESHOLD_FILE, file_sha256};
pub use decode::{
    DecodeError, IMAGE_EXTENSIONS, MAX_PIXELS, cut_jpeg, decode, decode_file, decode_file_within,
    decode_within, has_image_extension, read_file,
};
pub use encode::{EncodeError, encode_png};
pub use engine::{Engine, EngineError, Network, OperationTime, Replaced, VECTORS, check_arithmetic};
pub use fault::Fault;
pub use frame::{Frame, FrameError, Pixels};
pub use guard::{guarded, is_guarded};
pub use judge::{GoldenResult, Judge, Judgement};
pub use overlay::overlay;
pub use prepare::{PrepareError, Preparer, region_of_interest};
pub use region::{Region, largest_region};
pub use scorer::{AnomalyMap, Scored, Scorer, StageTimes};
