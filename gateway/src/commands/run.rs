//! `run`: connects the line and its neighbours.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use sd_notify::NotifyState;
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::{JoinError, JoinHandle, JoinSet};
use tracing_subscriber::filter::LevelFilter;

use super::runtime;
use crate::config::{Config, ConfigError};
use crate::line::{self, Hub};
use crate::{fleet, metrics, modbus, mqtt, page, webhook};

/// Runs until SIGTERM or SIGINT.
pub(super) fn run(file: &Path, verbose: bool) -> Result<()> {
    let config = Config::load(file)?;
    if !config.has_neighbours() {
        return Err(ConfigError::NoNeighbours.into());
    }
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_ansi(false)
        .with_target(false)
        .with_max_level(if verbose { LevelFilter::DEBUG } else { LevelFilter::INFO })
        .init();
    runtime()?.block_on(serve(config))
}

async fn serve(config: Config) -> Result<()> {
    let signals = "cannot install the signal handlers";
    let mut terminate = signal(SignalKind::terminate()).context(signals)?;
    let mut interrupt = signal(SignalKind::interrupt()).context(signals)?;
    let (hub, commands) = Hub::new();
    let mut tasks = JoinSet::new();
    // Listening sockets first: if one can't be had, nothing has been told to anybody.
    if let Some(modbus) = config.modbus {
        let server = modbus::Server::bind(modbus, hub.clone()).await?;
        tasks.spawn(async move { server.serve().await });
    }
    if let Some(metrics) = config.metrics {
        let server = metrics::Server::bind(&metrics, hub.clone()).await?;
        tasks.spawn(async move { server.serve().await });
    }
    if let Some(page) = config.page {
        let server = page::Server::bind(&page, hub.clone()).await?;
        tasks.spawn(async move { server.serve().await });
    }
    let (stop, stopped) = tokio::sync::watch::channel(false);
    let mut mqtt_task = None;
    if let Some(mqtt) = config.mqtt {
        let client = mqtt::Client::new(mqtt, hub.clone())?;
        mqtt_task = Some(tokio::spawn(client.run(stopped)));
    }
    if let Some(webhook) = config.webhook {
        let sender = webhook::Sender::new(webhook, hub.clone())?;
        tasks.spawn(async move { sender.run().await });
    }
    if let Some(fleet) = config.fleet {
        let follower = fleet::Follower::new(fleet, hub.clone())?;
        tasks.spawn(async move { follower.run().await });
    }
    tasks.spawn(line::client(config.line, hub, commands));
    tasks.spawn(watchdog());
    notify(&[NotifyState::Ready]);
    tracing::info!("the gateway is running");
    let ended = tokio::select! {
        _ = terminate.recv() => Ok(()),
        _ = interrupt.recv() => Ok(()),
        ended = tasks.join_next() => Err(ended),
        ended = finished(&mut mqtt_task) => Err(Some(ended)),
    };
    notify(&[NotifyState::Stopping]);
    // The broker is told that the gateway goes on purpose.
    let _ = stop.send(true);
    if let Some(task) = mqtt_task.filter(|task| !task.is_finished()) {
        let _ = tokio::time::timeout(Duration::from_secs(2), task).await;
    }
    match ended {
        Ok(()) => Ok(()),
        Err(Some(Err(e))) => Err(e).context("a part of the gateway failed; report this"),
        Err(_) => bail!("a part of the gateway ended unexpectedly; report this"),
    }
}

/// Waits for a task to end; forever, if there is none.
async fn finished(task: &mut Option<JoinHandle<()>>) -> Result<(), JoinError> {
    match task {
        Some(task) => task.await,
        None => std::future::pending().await,
    }
}

/// Tells the service manager that the gateway gets on, if it wants to know.
async fn watchdog() {
    let every = sd_notify::watchdog_enabled().map_or(Duration::from_secs(3600), |limit| limit / 4);
    loop {
        tokio::time::sleep(every).await;
        notify(&[NotifyState::Watchdog]);
    }
}

fn notify(states: &[NotifyState<'_>]) {
    if let Err(e) = sd_notify::notify(states) {
        tracing::warn!("cannot notify the service manager: {e}; check NotifyAccess in the unit");
    }
}
