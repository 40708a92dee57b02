//! Fleets of simulated boards that run the gateway's real code, against Debian's nginx and mosquitto on loopback.
//!
//! A board is a stand-in for the line, which speaks the real protocol and exchanges real signed folders, and the gateway's tasks. How many
//! there are, and how often servers and boards are killed: `NOMINAL_FLEET_BOARDS`, `NOMINAL_FLEET_KILLS`. `tests/tests/product/fleet.rs`
//! has the real line.
// Clippy's exemptions for tests cover test functions only, not their helpers.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod bad_bytes;
mod board;
mod kills;
mod line;
mod reports;
mod rollout;
mod servers;
mod workshop;

/// Returns a number from the environment, for longer runs.
fn number(name: &str, default: usize) -> usize {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}
