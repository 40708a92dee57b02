//! The program that runs on the device: captures frames, judges them with a bundle from the trainer, and drives the
//! reject gate.
//!
//! A part passes through the modules in this order:
//!
//! | module | contents |
//! |---|---|
//! | [`line_file`] | the TOML file that describes a line |
//! | [`capture`] | cameras and their stand-ins, the most recent frames, and the thread that keeps the camera running |
//! | [`trigger`] | detects when a part is in front of the camera |
//! | [`part`] | a part: its number, the votes of its frames and its disposition |
//! | [`input`] | what happens on the line: edges, encoder ticks, commands |
//! | [`gate`] | the queue between trigger and gate, and the levels of the outputs |
//! | [`output`] | receivers of dispositions: levels on GPIO lines, JSON on standard output, a peer on the serial port, a gateway on a local socket |
//! | [`run`] | a running line: its threads and how they are connected |
//!
//! These support them:
//!
//! | module | contents |
//! |---|---|
//! | [`clock`] | points in time on the monotonic clock; wall-clock time, for people |
//! | [`realtime`] | priority, locked memory and precise wake-ups for the gate's thread |
//! | [`link`] | bidirectional links (the serial port, a local socket), shared by an output and an input |
//! | [`report`] | reports on frames and parts, as text, JSON and telegrams |
//! | [`record`] | rejected frames and a sample of the passed ones on disk, limited by size and age |
//! | [`health`] | counters, latencies, drift and status |
//! | [`tasks`] | another threshold or another bundle, asked for through the gateway |
//! | [`log`] | log lines and panic messages, written without blocking |
//!
//! These work on files instead of a line:
//!
//! | module | contents |
//! |---|---|
//! | [`commands`] | one file per command |
//! | [`calibration`] | computes thresholds, with their evidence, from good parts |
//! | [`review`] | what people decide about records |
//! | [`learning`] | makes the next bundle from these decisions |
//! | [`files`] | opens bundles; finds and writes image files |
//! | [`trust`] | whose bundles a line runs |

// Nothing on a part's path may panic: an index out of range is handled explicitly.
#![deny(clippy::indexing_slicing)]

// A panic in a decoder or in the network makes its part a fault, a panic in the gate's thread leaves the outputs in
// their safe state, and the supervisor reports any other thread that ends. All of this relies on unwinding.
#[cfg(panic = "abort")]
compile_error!(
    "with panic = \"abort\" a damaged frame could end the program and leave the outputs as they are; build edge-runtime \
     with panic = \"unwind\""
);

pub mod calibration;
pub mod capture;
pub mod clock;
pub mod commands;
pub mod files;
pub mod gate;
pub mod health;
pub mod input;
pub mod learning;
pub mod line_file;
pub mod link;
pub mod log;
pub mod output;
pub mod part;
pub mod realtime;
pub mod record;
pub mod report;
pub mod review;
pub mod run;
pub mod tasks;
pub mod trigger;
pub mod trust;

#[cfg(test)]
mod testing;
