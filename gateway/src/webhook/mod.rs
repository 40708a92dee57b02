//! Posts alarms as JSON to an HTTP server: a bounded number, each tried again for a bounded time.

use std::collections::VecDeque;
use std::sync::atomic::Ordering;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result};
use serde::Serialize;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{Notify, broadcast};
use tokio::time::{Instant, sleep};

use crate::advice;
use crate::config::WebhookConfig;
use crate::http::Target;
use crate::line::{Event, Hub};
use crate::log::limited;
use crate::tls::Tls;

/// The largest number of alarms that wait; the oldest are dropped.
const MAX_WAITING: usize = 64;
/// Pauses after failures; doubled each time.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const MAX_PAUSE: Duration = Duration::from_secs(60);
/// An alarm that can't be posted for this long is dropped: nobody needs it any more.
const MAX_AGE: Duration = Duration::from_secs(600);

/// Posts alarms.
pub struct Sender {
    config: WebhookConfig,
    target: Target,
    tls: Option<Tls>,
    hub: Hub,
    /// Subscribed from the start, so that no event is missed.
    events: broadcast::Receiver<Event>,
    waiting: Mutex<VecDeque<Alarm>>,
    added: Notify,
}

/// An alarm to be posted.
#[derive(Debug, Clone, PartialEq, Serialize)]
struct Alarm {
    line: String,
    alarm: &'static str,
    active: bool,
    at_unix_ms: u64,
    #[serde(skip)]
    since: Instant,
}

impl Sender {
    /// Prepares it, without connecting.
    ///
    /// # Errors
    /// If the URL or the trusted certificates can't be used.
    pub fn new(config: WebhookConfig, hub: Hub) -> Result<Self> {
        let (target, tls) = prepare(&config)?;
        let events = hub.events();
        Ok(Self { config, target, tls, hub, events, waiting: Mutex::default(), added: Notify::new() })
    }

    /// Posts alarms for as long as the gateway runs.
    pub async fn run(self) {
        let events = self.events.resubscribe();
        // Side by side in this task: an alarm that is being posted isn't disturbed by the next.
        tokio::select! {
            () = self.collect(events) => {}
            () = self.deliver() => {}
        }
    }

    async fn collect(&self, mut events: broadcast::Receiver<Event>) {
        loop {
            match events.recv().await {
                Ok(event) => {
                    let Some(alarm) = self.alarm(&event) else { continue };
                    self.waiting().push_back(alarm);
                    self.forget();
                    self.added.notify_one();
                }
                // This task takes events as they come; the line would have to send a thousand at once.
                Err(RecvError::Lagged(events)) => limited!(warn, "{events} events passed the webhook by"),
                Err(RecvError::Closed) => return,
            }
        }
    }

    async fn deliver(&self) {
        let mut pause = FIRST_PAUSE;
        loop {
            self.forget();
            let next = self.waiting().front().cloned();
            let Some(alarm) = next else {
                self.added.notified().await;
                continue;
            };
            match self.post(&alarm).await {
                Ok(()) => {
                    let mut waiting = self.waiting();
                    // It may have been dropped meanwhile.
                    if waiting.front() == Some(&alarm) {
                        waiting.pop_front();
                    }
                    pause = FIRST_PAUSE;
                }
                Err(e) => {
                    self.hub.webhook().failures.fetch_add(1, Ordering::Relaxed);
                    limited!(
                        warn,
                        "can't post an alarm to {}: {e:#}; it is tried again",
                        self.target.server()
                    );
                    sleep(pause).await;
                    pause = (pause * 2).min(MAX_PAUSE);
                }
            }
        }
    }

    fn waiting(&self) -> MutexGuard<'_, VecDeque<Alarm>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn alarm(&self, event: &Event) -> Option<Alarm> {
        let Event::Alarm { name, active, at_unix_ms } = *event else { return None };
        let wanted = self.config.alarms.as_ref();
        wanted.is_none_or(|wanted| wanted.iter().any(|wanted| wanted == name)).then(|| Alarm {
            line: self
                .hub
                .line()
                .hello
                .as_ref()
                .map(|hello| hello.line.as_str().to_owned())
                .unwrap_or_default(),
            alarm: name,
            active,
            at_unix_ms,
            since: Instant::now(),
        })
    }

    /// Drops alarms that are too old, and the oldest if there are too many.
    fn forget(&self) {
        let mut waiting = self.waiting();
        while waiting.len() > MAX_WAITING
            || waiting.front().is_some_and(|alarm| alarm.since.elapsed() > MAX_AGE)
        {
            waiting.pop_front();
            self.hub.webhook().dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    async fn post(&self, alarm: &Alarm) -> Result<()> {
        let status = self.target.post(self.tls.as_ref(), serde_json::to_vec(alarm)?).await?;
        anyhow::ensure!(status.is_success(), "the server answered {status}");
        self.hub.webhook().delivered.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }
}

fn prepare(config: &WebhookConfig) -> Result<(Target, Option<Tls>)> {
    let target = Target::parse(&config.url).context("webhook.url can't be used")?;
    let tls = target.tls(config.ca_file.as_deref())?;
    Ok((target, tls))
}

/// Connects to the server, without posting anything.
///
/// # Errors
/// If it can't be reached.
pub async fn check(config: &WebhookConfig) -> Result<String> {
    let (target, tls) = prepare(config)?;
    let server = target.server();
    target.reach(tls.as_ref()).await.map_err(|e| {
        let e = anyhow::Error::from(e);
        let keys = advice::Keys { address: "webhook.url", tls: "webhook.url", ca_file: "webhook.ca_file" };
        let next = advice::after(&e, keys).unwrap_or_else(|| "check webhook.url".to_owned());
        e.context(format!("cannot reach {server} (webhook.url); {next}"))
    })?;
    Ok(format!("{server} can be reached"))
}
