//! Tests of the gateway with real neighbours on loopback: clients and servers that are not ours, and hostile ones.
//!
//! The line is a stand-in that speaks the real protocol; `edge-runtime/tests/gateway_socket.rs` has the real one.
// Clippy's exemptions for tests cover test functions only, not their helpers.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod browser;
mod commands;
mod line;
mod metrics;
mod modbus;
mod mqtt;
mod page;
mod page_client;
mod page_in_browser;
mod process;
mod webhook;
