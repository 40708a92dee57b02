//! The live page: what the line does, its records and what people decide about them, in a browser.
//!
//! | module | contents |
//! |---|---|
//! | `server` | accepts browsers, with or without TLS, and bounds their number |
//! | `answer` | answers with the headers that every one has |
//! | `routes` | who may ask for what |
//! | `access` | passwords, sessions, attempts to log in, the log of changes |
//! | `live` | the line's state as browsers get it, twice a second |
//! | `records` | finds records and opens their pictures |
//! | `changes` | commands and decisions of people |
//! | `tasks` | other thresholds, learning and teaching |
//! | `assets` | what the browser runs; every text that people read is in `texts.en.json` |
//!
//! Without a login there is nothing but the login form and `/health`. A browser changes nothing itself: what it asks for goes to
//! the line, which carries out what its line file accepts.

mod access;
mod answer;
mod assets;
mod changes;
mod live;
mod records;
mod routes;
mod server;
mod tasks;

use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Result;
use tokio::sync::Semaphore;

use crate::config::PageConfig;
use crate::line::Hub;
use access::{Attempts, AuditLog, Sessions};
use live::Live;

pub use access::{PasswordError, Role, set_password};
pub(crate) use records::RecordFolder;
pub use server::{Server, check};

/// What the page's requests share.
#[derive(Debug)]
pub struct Page {
    hub: Hub,
    live: Live,
    records: Option<RecordFolder>,
    passwords: PathBuf,
    sessions: Sessions,
    attempts: Attempts,
    audit: Arc<AuditLog>,
    /// Checking a password takes 19 MiB and a processor: one at a time.
    checking: Semaphore,
    /// Whether browsers reach the page over TLS, so that their cookies must too.
    is_secure: bool,
    /// One permit for each browser that is told what happens.
    listeners: Arc<Semaphore>,
}

impl Page {
    /// Prepares the page of a line.
    ///
    /// # Errors
    /// If its folder can't be used.
    pub fn new(config: &PageConfig, hub: Hub) -> Result<Arc<Self>> {
        Ok(Arc::new(Self {
            live: Live::new(hub.clone()),
            hub,
            records: config.records.clone().map(RecordFolder::new),
            passwords: access::passwords_file(&config.folder),
            sessions: Sessions::new(config.session_hours),
            attempts: Attempts::default(),
            audit: Arc::new(AuditLog::open(&config.folder)?),
            checking: Semaphore::new(1),
            is_secure: config.certificate.is_some() || config.proxy,
            listeners: Arc::new(Semaphore::new(config.max_browsers.into())),
        }))
    }
}

/// Returns what counts as one address: of IPv6, whoever has one has the whole network.
fn neighbour(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => IpAddr::V6((u128::from(address) >> 64 << 64).into()),
    }
}
