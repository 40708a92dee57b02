//! Follows a fleet's folder: fetches the bundles that its index names, has the line install them, and goes back if the line rejects too
//! much with them. `docs/fleet.md` sets up a fleet.
//!
//! | file | contents |
//! |---|---|
//! | `source` | where the fleet's folder is: on a web server or a share |
//! | `inbox` | where bundles wait for the line, whole or not at all |
//! | `kept` | what survives a restart: the index's serial number, bundles on trial, and those that the board went back from |
//! | `trial` | whether a bundle that was just installed rejects too much |
//! | `line` | what the line says about its bundles, and what is asked of it |
//! | `poll` | how often the index is fetched |
//! | `follow` | what is done for each product |
//! | `watch` | follows bundles on trial |
//! | `report` | what the board says about itself |
//!
//! The line decides: it takes only what a key of its own line file has signed, and what scores its golden frames as where it was made. What
//! is here decides only what to offer to it.

mod follow;
mod inbox;
mod kept;
mod line;
mod poll;
mod report;
mod source;
mod trial;
mod watch;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::{Context as _, Result};
use fleet::{Index, Progress};
use signing::Key;
use tokio::sync::{Notify, broadcast};

use crate::config::FleetConfig;
use crate::line::{Event, Hub};
use crate::page::RecordFolder;
use inbox::Inbox;
use kept::Kept;
use poll::Pauses;
pub(crate) use poll::jitter;
use source::Source;
pub use trial::{Judgement, Trial};

/// Follows a fleet's folder for one board.
pub struct Follower {
    config: FleetConfig,
    source: Source,
    keys: Vec<Key>,
    inbox: Inbox,
    records: RecordFolder,
    hub: Hub,
    /// Subscribed from the start, so that no event is missed.
    events: broadcast::Receiver<Event>,
    /// The line was connected, or changed its product.
    changed: Notify,
    /// Held while what must survive a restart is written.
    saving: tokio::sync::Mutex<()>,
    state: Mutex<State>,
}

/// What the parts of the follower share.
struct State {
    kept: Kept,
    index: Option<Arc<Index>>,
    /// The index's version, as the server calls it.
    etag: Option<String>,
    /// How far each product is.
    products: BTreeMap<String, ProductState>,
    /// Why the folder can't be followed.
    problem: Option<String>,
    /// Whether a report is due.
    is_changed: bool,
}

/// How far a product is.
#[derive(Debug, Clone, PartialEq)]
struct ProductState {
    progress: Progress,
    reason: Option<String>,
    identity: String,
    golden: Option<f32>,
    /// Pauses between attempts to install the same bundle.
    attempts: Option<(String, Pauses)>,
}

impl Default for ProductState {
    fn default() -> Self {
        Self {
            progress: Progress::Unknown,
            reason: None,
            identity: String::new(),
            golden: None,
            attempts: None,
        }
    }
}

impl Follower {
    /// Prepares it, without connecting.
    ///
    /// # Errors
    /// If a key, the trusted certificates or the gateway's own folder can't be used.
    pub fn new(config: FleetConfig, hub: Hub) -> Result<Self> {
        let source = Source::new(&config)?;
        let keys = keys(&config)?;
        let kept = Kept::read(&config.folder).with_context(|| {
            format!(
                "cannot use fleet.folder {}; check that it exists and belongs to this user",
                config.folder.display()
            )
        })?;
        let state = State {
            kept,
            index: None,
            etag: None,
            products: BTreeMap::new(),
            problem: None,
            is_changed: true,
        };
        Ok(Self {
            source,
            keys,
            inbox: Inbox::new(config.inbox.clone()),
            records: RecordFolder::new(config.records.clone()),
            events: hub.events(),
            hub,
            config,
            changed: Notify::new(),
            saving: tokio::sync::Mutex::new(()),
            state: Mutex::new(state),
        })
    }

    /// Follows the folder for as long as the gateway runs.
    pub async fn run(self) {
        let events = self.events.resubscribe();
        // Side by side in this task: parts are counted and bundles on trial are watched while the next one is fetched.
        tokio::select! {
            () = self.collect(events) => {}
            () = self.follow() => {}
            () = self.watch() => {}
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes how far a product is.
    fn set(&self, product: &str, progress: Progress, reason: Option<String>) {
        let mut state = self.state();
        let of = state.products.entry(product.to_owned()).or_default();
        if (of.progress, &of.reason) == (progress, &reason) {
            return;
        }
        (of.progress, of.reason) = (progress, reason);
        let because = of.reason.as_deref().map(|reason| format!(": {reason}")).unwrap_or_default();
        state.is_changed = true;
        drop(state);
        match progress {
            Progress::Failed | Progress::WentBack => {
                tracing::warn!("fleet: {product} {}{because}", progress.as_str());
            }
            _ => tracing::info!("fleet: {product} {}{because}", progress.as_str()),
        }
    }
}

fn keys(config: &FleetConfig) -> Result<Vec<Key>> {
    config.trust.iter().map(|key| Key::parse(key).context("fleet.trust can't be used")).collect()
}

/// Fetches the index and verifies it, without installing anything.
///
/// # Errors
/// If it can't be fetched, nobody whom the gateway file trusts has signed it, or the board's folders can't be used.
pub async fn check(config: &FleetConfig) -> Result<String> {
    let (source, keys) = (Source::new(config)?, keys(config)?);
    Inbox::new(config.inbox.clone()).check()?;
    Kept::read(&config.folder)?;
    let (index, _) =
        poll::fetch(&source, &keys, None).await?.context("the server says that nothing has changed")?;
    let named = index.rollouts.len();
    Ok(format!("{source}: the index has the serial number {} and {named} roll-out(s)", index.serial))
}
