//! Metrics for Prometheus, in its text format. `docs/gateway.md` lists them.
//!
//! | file | contents |
//! |---|---|
//! | `text` | writes metrics in the text format |
//! | `page` | the line's metrics |
//! | `dashboard.json` | an example dashboard for Grafana |

mod page;
mod text;

use std::io;
use std::net::SocketAddr;

use anyhow::{Context, Result};
use tokio::net::TcpListener;

use crate::config::MetricsConfig;
use crate::http;
use crate::line::Hub;

pub use page::page;

const PATH: &str = "/metrics";
const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// A server for metrics.
pub struct Server {
    listener: TcpListener,
    hub: Hub,
}

impl Server {
    /// Listens at the address of the gateway file.
    ///
    /// # Errors
    /// If the address can't be had.
    pub async fn bind(config: &MetricsConfig, hub: Hub) -> Result<Self> {
        Ok(Self { listener: bind(config.listen).await?, hub })
    }

    /// Returns the address that it listens at.
    ///
    /// # Errors
    /// The system's error.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Serves metrics for as long as the gateway runs.
    pub async fn serve(self) {
        let hub = self.hub;
        http::serve(self.listener, PATH, CONTENT_TYPE, move || page(&hub)).await;
    }
}

async fn bind(address: SocketAddr) -> Result<TcpListener> {
    TcpListener::bind(address).await.with_context(|| {
        format!(
            "cannot serve metrics at {address}; check metrics.listen, and whether another program has the port"
        )
    })
}

/// Checks whether the address can be had, or is served already.
///
/// # Errors
/// If neither.
pub async fn check(config: &MetricsConfig) -> Result<String> {
    let address = config.listen;
    match bind(address).await {
        Ok(_) => Ok(format!("{address} is free")),
        Err(e) if e.downcast_ref().is_some_and(http::is_taken) => {
            Ok(format!("{address} is in use, presumably by the running gateway"))
        }
        Err(e) => Err(e),
    }
}
