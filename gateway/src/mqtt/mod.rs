//! An MQTT 3.1.1 client that stores messages while the broker is gone. `docs/gateway.md` lists the topics.
//!
//! | file | contents |
//! |---|---|
//! | `messages` | what is published: topics and JSON |
//! | `store` | messages that wait for the broker, bounded in size and age |
//! | `journal` | messages on the disk |
//! | `protocol` | the protocol's state, without input and output |
//! | `session` | one connection to the broker |
//!
//! Version 3.1.1, because every broker speaks it and nothing of version 5 is needed. [`mqtt_protocol_core`] encodes, decodes and
//! keeps the protocol's rules, but does no input and output: this client owns the connection, so that each step has a
//! time-out, a packet has a maximum length, and the only copy of a message that waits is in the store.

mod disk;
mod journal;
mod messages;
mod protocol;
mod session;
mod store;

use std::sync::atomic::Ordering;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{Notify, broadcast, watch};
use tokio::time::{sleep, timeout};

use crate::advice;
use crate::config::MqttConfig;
use crate::fleet::jitter;
use crate::line::{Event, Hub};
use crate::log::limited;
use crate::regular_file;
use crate::tls::Tls;
use messages::Topics;
pub use protocol::{Happened, Login, MAX_PACKET, Protocol, ProtocolError};
use session::Session;
pub use store::Store;

/// Pauses after a connection was lost or refused; doubled each time.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const MAX_PAUSE: Duration = Duration::from_secs(30);
/// A longer file is no password.
const MAX_PASSWORD: usize = 1024;
/// Maximum size of the file with the password, line ends included.
const MAX_PASSWORD_FILE: u64 = 4096;

/// What the collector says: all messages of a store up to this number are in its table.
#[derive(Debug, serde::Serialize, serde::Deserialize)]
pub struct StoredMessage {
    /// The store, as the messages name it.
    pub store: String,
    /// The highest number without a gap before it.
    pub up_to: u64,
}

/// Publishes a line's results.
pub struct Client {
    config: MqttConfig,
    login: Login,
    tls: Option<Tls>,
    topics: Topics,
    hub: Hub,
    /// Subscribed from the start, so that no event is missed.
    events: broadcast::Receiver<Event>,
    store: Mutex<Store>,
    /// The store has got a message.
    stored: Notify,
    /// The status has changed.
    changed: Notify,
}

impl Client {
    /// Prepares the client, without connecting.
    ///
    /// # Errors
    /// If the password's file, the trusted certificates or the folder of the store can't be used.
    pub fn new(config: MqttConfig, hub: Hub) -> Result<Self> {
        let topics = Topics::new(&config.topic);
        let login = login(&config)?;
        let tls = config.tls.then(|| Tls::new(&config.host, config.ca_file.as_deref())).transpose()?;
        let store = match &config.store_folder {
            None => Store::new(
                (config.store_mib as usize) << 20,
                Duration::from_secs(3600 * u64::from(config.store_hours)),
            ),
            Some(folder) => {
                let opened = Store::open(folder, u64::from(config.store_mib) << 20, config.until_stored);
                opened.with_context(|| {
                    format!(
                        "cannot use mqtt.store_folder {}; create it for this user, and give each gateway its own",
                        folder.display()
                    )
                })?
            }
        };
        let events = hub.events();
        let (stored, changed) = (Notify::new(), Notify::new());
        Ok(Self { config, login, tls, topics, hub, events, store: Mutex::new(store), stored, changed })
    }

    /// Publishes until `stopped` says so, and then takes leave of the broker.
    pub async fn run(self, mut stopped: watch::Receiver<bool>) {
        let events = self.events.resubscribe();
        // Side by side in this task: what happens is stored whatever the broker does.
        tokio::select! {
            () = self.collect(events) => {}
            () = self.publish(&mut stopped) => {}
        }
    }

    async fn collect(&self, mut events: broadcast::Receiver<Event>) {
        loop {
            match events.recv().await {
                Ok(event) => self.take(&event),
                // This task takes events as they come; the line would have to send a thousand at once.
                Err(RecvError::Lagged(events)) => {
                    self.hub.mqtt().dropped.fetch_add(events, Ordering::Relaxed);
                    limited!(warn, "{events} events passed the MQTT client by");
                }
                Err(RecvError::Closed) => return,
            }
        }
    }

    fn take(&self, event: &Event) {
        let line = self.hub.line();
        let message = match event {
            Event::Part(part) => messages::part(&line, part).map(|json| (self.topics.parts(), json)),
            Event::Alarm { name, active, at_unix_ms } => {
                self.changed.notify_one();
                messages::alarm(&line, name, *active, *at_unix_ms).map(|json| (self.topics.alarm(), json))
            }
            Event::Fleet(json) => Some((self.topics.fleet(), json.clone().into_bytes())),
            Event::Changed => return self.changed.notify_one(),
        };
        drop(line);
        if let Some((topic, json)) = message {
            self.store().push(topic, json);
            self.stored.notify_one();
        }
        self.count();
    }

    async fn publish(&self, stopped: &mut watch::Receiver<bool>) {
        let mut pause = FIRST_PAUSE;
        loop {
            let mut session = Session::new(self);
            let begin = Instant::now();
            let gone = session.run(stopped).await;
            // Two clients of one name throw each other out as soon as they are in.
            if std::mem::take(&mut session.was_connected) && begin.elapsed() > pause {
                pause = FIRST_PAUSE;
            }
            self.hub.mqtt().connected.store(0, Ordering::Relaxed);
            let Err(e) = gone else { return };
            let broker = &self.config.host;
            limited!(
                warn,
                "the MQTT broker {broker} can't be used: {e:#}; check mqtt.host, port, user and password, the firewall, and \
                 that no other client has this mqtt.client_id"
            );
            tokio::select! {
                () = sleep(jitter(pause)) => {}
                _ = stopped.changed() => return,
            }
            pause = (pause * 2).min(MAX_PAUSE);
        }
    }

    fn store(&self) -> MutexGuard<'_, Store> {
        self.store.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes what the collector says about what it has stored.
    fn take_stored(&self, payload: &[u8]) {
        match serde_json::from_slice::<StoredMessage>(payload) {
            Ok(StoredMessage { store, up_to }) => self.store().stored(&store, up_to),
            Err(e) => limited!(warn, "a message on {} can't be read: {e}", self.topics.stored()),
        }
        self.count();
        self.stored.notify_one();
    }

    /// Publishes the store's counts.
    fn count(&self) {
        let store = self.store();
        let counts = self.hub.mqtt();
        counts.waiting.store(store.len() as u64, Ordering::Relaxed);
        counts.waiting_bytes.store(store.bytes() as u64, Ordering::Relaxed);
        counts.dropped.fetch_max(store.dropped(), Ordering::Relaxed);
    }

    fn port(&self) -> u16 {
        self.config.port.unwrap_or(if self.config.tls { 8883 } else { 1883 })
    }
}

fn login(config: &MqttConfig) -> Result<Login> {
    let password = config.password_file.as_ref().map(|path| {
        let said = || {
            format!("cannot read mqtt.password_file {}; check the path and its permissions", path.display())
        };
        let bytes = regular_file::read(path, MAX_PASSWORD_FILE).with_context(said)?;
        let text = String::from_utf8(bytes).with_context(said)?;
        // Editors end files with a line feed.
        let password = text.trim_end_matches(['\r', '\n']).to_owned();
        ensure!(
            !password.is_empty() && password.len() <= MAX_PASSWORD,
            "mqtt.password_file {} holds no password; write one line",
            path.display()
        );
        Ok(password)
    });
    let topics = Topics::new(&config.topic);
    Ok(Login {
        client_id: config.client_id.clone(),
        user: config.user.clone(),
        password: password.transpose()?,
        keep_alive_s: config.keep_alive_s,
        state_topic: topics.state().to_owned(),
        max_packet: MAX_PACKET,
    })
}

/// Connects to the broker, logs in and hangs up, under another name than the running gateway's.
///
/// # Errors
/// If the broker can't be reached or refuses the login.
pub async fn check(config: &MqttConfig) -> Result<String> {
    let (hub, _commands) = Hub::new();
    let mut config = config.clone();
    config.client_id += "-check";
    // The running gateway has it open.
    config.store_folder = None;
    let client = Client::new(config, hub)?;
    let (host, port) = (&client.config.host, client.port());
    let reached = timeout(Duration::from_secs(10), Session::new(&client).log_in(false)).await;
    let reached = reached.unwrap_or_else(|_| anyhow::bail!("it doesn't answer"));
    reached.map_err(|e| {
        let next = next_action(&e).map(|action| format!("; {action}")).unwrap_or_default();
        e.context(format!("cannot use the broker {host}:{port}{next}"))
    })?;
    Ok(format!("the broker {host}:{port} accepts the login"))
}

/// Names the next action after a login failed; `None` if the error itself does.
fn next_action(error: &anyhow::Error) -> Option<String> {
    if error.downcast_ref::<ProtocolError>().is_some() {
        return None;
    }
    let keys = advice::Keys { address: "mqtt.host and mqtt.port", tls: "mqtt.tls", ca_file: "mqtt.ca_file" };
    let silent =
        "check mqtt.port and mqtt.tls: a broker that waits for TLS says nothing; its log may say why";
    advice::after(error, keys).or_else(|| Some(silent.to_owned()))
}
