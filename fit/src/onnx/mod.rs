//! Writes ONNX models: the few protobuf messages that are needed, and a graph builder.
//!
//! The messages follow the ONNX specification (`onnx.proto`, IR version 8, operator set 17); `onnx.checker` accepts
//! what is written here.

mod graph;
pub mod proto;

pub use graph::{GraphBuilder, Value};
