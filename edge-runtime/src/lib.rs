//! The program on the device: captures frames, judges them with a bundle that the trainer wrote, and drives the reject
//! gate.
//!
//! A part passes the modules in this order:
//!
//! | module | what it holds |
//! |---|---|
//! | [`line_file`] | the TOML file that says all there is to say about a line |
//! | [`capture`] | cameras and what stands in for them, the last frames, and a thread that keeps the camera going |
//! | [`trigger`] | when there is a part in front of the camera |
//! | [`part`] | a part: its number, the votes of its frames, what becomes of it |
//! | [`input`] | what happens on the line: edges, encoder ticks, commands |
//! | [`gate`] | the queue between trigger and gate, and the levels of the outputs |
//! | [`output`] | who takes dispositions: levels on GPIO lines, JSON on standard output, a peer on the serial port |
//! | [`run`] | a running line: its threads, and how they are joined |
//!
//! These serve them:
//!
//! | module | what it holds |
//! |---|---|
//! | [`clock`] | points in time on the monotonic clock; the wall clock, for people |
//! | [`realtime`] | priority, memory and exact waking of the gate's thread |
//! | [`link`] | links with two ends, such as the serial port: an output and an input |
//! | [`report`] | what is told of frames and parts: as text, JSON and telegram |
//! | [`record`] | rejected frames on disk, bounded by bytes and age |
//! | [`health`] | counters, latencies, drift and status |
//! | [`log`] | log lines and panic messages that nobody waits for |
//!
//! And these work on files instead of a line:
//!
//! | module | what it holds |
//! |---|---|
//! | [`commands`] | one file per command of the program |
//! | [`calibration`] | good parts → thresholds with their evidence |
//! | [`files`] | bundles opened; image files found and written |

// No panic on a part's way: a place that is not there is a case of its own.
#![deny(clippy::indexing_slicing)]

// A panic in a decoder or in the network makes its part a fault, one of the gate's thread leaves the outputs in their safe
// state, and any other thread that ends is told by the one that watches. All of that is done by unwinding.
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
pub mod line_file;
pub mod link;
pub mod log;
pub mod output;
pub mod part;
pub mod realtime;
pub mod record;
pub mod report;
pub mod run;
pub mod trigger;

#[cfg(test)]
mod testing;
