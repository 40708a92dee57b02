//! The program on the device: captures frames, judges them with a bundle that the trainer wrote, and drives the reject
//! gate.
//!
//! A part passes the modules in this order:
//!
//! | module | what it holds |
//! |---|---|
//! | [`line_file`] | the TOML file that says all there is to say about a line |
//! | [`moment`] | points in time on the monotonic clock |
//! | [`capture`] | cameras and what stands in for them, the last frames, and a thread that keeps the camera going |
//! | [`presence`] | something other than the empty belt is in sight: a trigger from the frames themselves |
//! | [`part`] | a part: its number, the votes of its frames, what becomes of it |
//! | [`input`] | what happens on the line: triggers, encoder ticks, commands |
//! | [`gate`] | the queue between trigger and gate, and the levels of the outputs |
//! | [`output`] | levels on GPIO lines; reports as JSON, text and telegram |
//! | [`realtime`] | priority, memory and exact waking of the gate's thread |
//! | [`record`] | rejected frames on disk, bounded by bytes and age |
//! | [`health`] | counters, latencies, drift, status and log |
//! | [`run`] | a running line: its threads, and how they are joined |
//!
//! Beside them, for files instead of a line:
//!
//! | module | what it holds |
//! |---|---|
//! | [`commands`] | one file per command |
//! | [`triggers`], [`line_parts`] | parts from a line's own trigger and camera, without a gate |
//! | [`calibration`] | good parts → thresholds with their evidence |
//! | [`inputs`] | files, folders and patterns → image paths |
//! | [`report`] | one judged frame as a line of text or JSON |
//! | [`overlays`] | overlay pictures, written by rename |
//! | [`latency`] | percentiles of stage times |
//! | [`luma`] | brightness of a frame, sampled on a coarse grid |
//! | [`system`] | what the machine is and has |
//! | [`wall`] | the wall clock, for people |
//! | [`outcome`] | verdicts → exit code |

pub mod calibration;
pub mod capture;
pub mod commands;
pub mod gate;
pub mod health;
pub mod input;
pub mod inputs;
pub mod latency;
pub mod line_file;
pub mod line_parts;
pub mod luma;
pub mod moment;
pub mod outcome;
pub mod output;
pub mod overlays;
pub mod part;
pub mod presence;
pub mod realtime;
pub mod record;
pub mod report;
pub mod run;
pub mod system;
pub mod triggers;
pub mod wall;

#[cfg(test)]
mod emulated;
#[cfg(test)]
mod small_disk;
