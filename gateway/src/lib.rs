//! The gateway between a line and networks: a PLC (Modbus TCP), an MQTT broker, Prometheus, a webhook, browsers and a fleet's folder.
//!
//! The program that holds the gate has no network. This one connects to it over a local socket and passes its results on; it
//! may crash, be flooded or be attacked without the gate noticing. What comes back from the networks, such as the selection of
//! a product, is checked by the line, which carries out only what its line file accepts.
//!
//! | module | contents |
//! |---|---|
//! | [`config`] | the gateway file |
//! | [`mod@line`] | the connection to the line, and what is known of it |
//! | [`modbus`] | a Modbus TCP server |
//! | [`mqtt`] | an MQTT client that stores messages while the broker is gone |
//! | [`metrics`] | metrics for Prometheus |
//! | [`webhook`] | alarms to an HTTP server |
//! | [`fleet`] | follows a fleet's folder: fetches bundles and has the line install them |
//! | [`page`] | a page for browsers: the line live, its records and decisions on them, thresholds, teaching |
//! | [`http`] | connections to HTTP servers, and the server for metrics |
//! | [`tls`] | trusted certificates, connections with or without TLS, and the page's own certificate |
//! | [`advice`] | what to do about a neighbour that can't be reached |
//! | [`log`] | rate limiting of log lines |
//! | [`commands`] | one file per command |
//!
//! Everything runs on one thread. Whatever a neighbour can make grow (connections, waiting messages, a request's length) has a
//! limit, and whatever it can make wait has a time-out.

// Neighbours send whatever they like: an index out of range is handled explicitly.
#![deny(clippy::indexing_slicing)]

pub mod advice;
pub mod commands;
pub mod config;
pub mod fleet;
pub mod http;
pub mod line;
pub mod log;
pub mod metrics;
pub mod modbus;
pub mod mqtt;
pub mod page;
mod regular_file;
pub mod tls;
pub mod webhook;
