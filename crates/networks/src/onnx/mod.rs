//! Writes ONNX models: a graph builder over [`judge::onnx`]'s messages.
//!
//! The output follows the ONNX specification, IR version 8, operator set 17; `onnx.checker` accepts it.

mod graph;
mod operators;

pub use graph::{GraphBuilder, Value};
