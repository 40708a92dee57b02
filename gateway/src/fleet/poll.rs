//! How often the index is fetched.

use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use fleet::{INDEX_FILE, INDEX_SIGNATURE_FILE, Index, MAX_INDEX_BYTES, MAX_SIGNATURE_BYTES, read_signed};
use signing::Key;
use tokio::task::spawn_blocking;
use tokio::time::{Instant, sleep};

use super::Follower;
use super::source::{Small, Source};
use crate::advice;

/// The first pause after a failure; doubled each time.
const FIRST_PAUSE: Duration = Duration::from_secs(5);
/// The longest pause after failures, if the usual one isn't longer.
const MAX_PAUSE: Duration = Duration::from_secs(600);
/// Index and signature are two files: between them, another index may be published.
const AGAIN: Duration = Duration::from_millis(500);

/// Pauses that double after each failure.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pauses {
    pause: Duration,
    until: Instant,
}

impl Pauses {
    /// Begins after a first failure, or doubles the pause after another one.
    #[must_use]
    pub fn after(earlier: Option<Self>) -> Self {
        let pause = earlier.map_or(FIRST_PAUSE, |earlier| (earlier.pause * 2).min(MAX_PAUSE));
        Self { pause, until: Instant::now() + jitter(pause) }
    }

    /// When the next attempt may be made.
    #[must_use]
    pub const fn until(&self) -> Instant {
        self.until
    }
}

/// Returns three to five quarters of a pause, so that boards that were started together don't ask together.
pub fn jitter(pause: Duration) -> Duration {
    let random = RandomState::new().build_hasher().finish();
    pause.mul_f64(0.75 + 0.5 * (random >> 11) as f64 / (1_u64 << 53) as f64)
}

impl Follower {
    /// Fetches the index if it has changed, and keeps it if it is not older than the last one.
    pub(super) async fn refresh(&self) -> Result<()> {
        let etag = self.state().etag.clone();
        let Some((index, etag)) = fetch(&self.source, &self.keys, etag.as_deref()).await? else {
            return Ok(());
        };
        let mut kept = self.state().kept.clone();
        ensure!(
            index.serial >= kept.index,
            "the index has the serial number {}, and this board has seen {}; publish again with `nominal-fleet publish` from the newest \
             folder",
            index.serial,
            kept.index
        );
        if index.serial > kept.index {
            tracing::info!("fleet: the index has the serial number {}", index.serial);
            kept.index = index.serial;
            self.state().kept.index = index.serial;
            self.save().await;
        }
        let mut state = self.state();
        (state.index, state.etag) = (Some(Arc::new(index)), etag);
        Ok(())
    }

    /// Writes what must survive a restart. Without it the board would only ask the line once more than needed.
    pub(super) async fn save(&self) {
        // One after another, each with the newest: two at once would write one file.
        let _one = self.saving.lock().await;
        let (kept, folder) = (self.state().kept.clone(), self.config.folder.clone());
        let written = spawn_blocking(move || kept.write(&folder)).await;
        if let Ok(Err(e)) = written {
            crate::log::limited!(warn, "cannot write to fleet.folder: {e}; check free space and permissions");
        }
    }
}

/// Fetches the index and verifies it; `None` if it is still the version `etag`.
pub async fn fetch(
    source: &Source,
    keys: &[Key],
    etag: Option<&str>,
) -> Result<Option<(Index, Option<String>)>> {
    match fetch_once(source, keys, etag).await {
        Err(e) if e.is::<fleet::SignedError>() => {
            sleep(AGAIN).await;
            fetch_once(source, keys, None).await
        }
        fetched => fetched,
    }
    .map_err(|e| {
        let keys = advice::Keys { address: "fleet.source", tls: "fleet.source", ca_file: "fleet.ca_file" };
        let next = advice::after(&e, keys).unwrap_or_else(|| "check fleet.source and fleet.trust".to_owned());
        e.context(format!("cannot use the fleet's index of {source}; {next}"))
    })
}

async fn fetch_once(
    source: &Source,
    keys: &[Key],
    etag: Option<&str>,
) -> Result<Option<(Index, Option<String>)>> {
    let Small::Found(bytes, etag) = source.small(INDEX_FILE, MAX_INDEX_BYTES, etag).await? else {
        return Ok(None);
    };
    let signature = source.small(INDEX_SIGNATURE_FILE, MAX_SIGNATURE_BYTES, None).await?;
    let Small::Found(signature, _) = signature else {
        bail!(
            "the server answers 304 for {INDEX_SIGNATURE_FILE}, although it was asked for no certain version; check the server"
        );
    };
    let keys = keys.to_vec();
    // Hashing and parsing a few MiB takes longer than a neighbour should wait.
    let read = spawn_blocking(move || read_signed(&bytes, &signature, &keys));
    let index = read.await.context("the index could not be read")??;
    Ok(Some((index, etag)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_are_spread() {
        let pause = Duration::from_secs(100);
        let pauses: Vec<f64> = (0..1000).map(|_| jitter(pause).as_secs_f64()).collect();
        assert!(pauses.iter().all(|pause| (75.0..125.0).contains(pause)));
        let mean = pauses.iter().sum::<f64>() / 1000.0;
        // A uniform distribution's standard deviation is 14.4, that of the mean 0.46.
        assert!((mean - 100.0).abs() < 3.0, "{mean}");
    }

    #[tokio::test(start_paused = true)]
    async fn failures_are_tried_again_ever_more_slowly() {
        let begin = Instant::now();
        let mut pauses = Pauses::after(None);
        assert!(pauses.until() - begin <= FIRST_PAUSE.mul_f64(1.25));
        (0..20).for_each(|_| pauses = Pauses::after(Some(pauses)));
        let until = pauses.until() - begin;
        assert!((MAX_PAUSE.mul_f64(0.75)..MAX_PAUSE.mul_f64(1.25)).contains(&until), "{until:?}");
    }
}
