//! Takes reports from an MQTT broker into the table.
//!
//! What the table has is confirmed to the boards under `PREFIX/BOARD/stored`. A board with `mqtt.until_stored` keeps its messages until
//! then, so that neither a broker that forgets nor a collector that is away loses any.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow, ensure};
use gateway::line::unix_ms;
use gateway::mqtt::{Happened, Login, Protocol, StoredMessage};
use gateway::tls::{self, Stream, Tls};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::{Instant, sleep, timeout, timeout_at};

use crate::table::{Added, Incoming, Kind, Table};

/// How long the broker may take for anything but the next message.
const TIMEOUT: Duration = Duration::from_secs(10);
const KEEP_ALIVE: Duration = Duration::from_secs(30);
/// Pauses after a connection was lost or refused; doubled each time.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const MAX_PAUSE: Duration = Duration::from_secs(30);
/// How much is read before what was read is written.
const READ_SIZE: usize = 256 << 10;
/// A board's report has some two hundred bytes for each product.
const MAX_PACKET: u32 = 256 << 10;
/// Longest name of a board, in bytes.
const MAX_BOARD: usize = 200;
/// How often what was added is logged.
const LOG_EVERY: Duration = Duration::from_secs(60);

/// Where the broker is, and what is collected.
#[derive(Debug, Clone)]
pub struct Config {
    /// The broker's name or address.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// Whether to use TLS.
    pub tls: bool,
    /// A PEM file with the certificates that are trusted instead of the system's.
    pub ca_file: Option<PathBuf>,
    /// The user's name.
    pub user: Option<String>,
    /// The user's password.
    pub password: Option<String>,
    /// What the boards' topics start with, before the board's name.
    pub topic: String,
    /// The client's name, which no other client of the broker may have.
    pub client_id: String,
}

/// Takes reports into a table.
pub struct Collector {
    config: Config,
    tls: Option<Tls>,
    table: Table,
    added: Added,
    logged: Instant,
}

impl Collector {
    /// Prepares it, without connecting.
    ///
    /// # Errors
    /// If the trusted certificates can't be used.
    pub fn new(config: Config, table: Table) -> Result<Self> {
        let tls = config.tls.then(|| Tls::new(&config.host, config.ca_file.as_deref())).transpose()?;
        Ok(Self { config, tls, table, added: Added::default(), logged: Instant::now() })
    }

    /// Collects until the table can't be written any more.
    ///
    /// # Errors
    /// If the table can't be written.
    pub async fn run(mut self) -> Result<()> {
        let mut pause = FIRST_PAUSE;
        loop {
            let begin = Instant::now();
            match self.session().await {
                Err(Ended::Table(e)) => return Err(e),
                Err(Ended::Broker(e)) => {
                    let broker = &self.config.host;
                    tracing::warn!(
                        "the MQTT broker {broker} can't be used: {e:#}; check --host, --port, user and password"
                    );
                }
                Ok(never) => match never {},
            }
            if begin.elapsed() > TIMEOUT {
                pause = FIRST_PAUSE;
            }
            sleep(pause).await;
            pause = (pause * 2).min(MAX_PAUSE);
        }
    }

    async fn session(&mut self) -> Result<std::convert::Infallible, Ended> {
        let login = Login {
            client_id: self.config.client_id.clone(),
            user: self.config.user.clone(),
            password: self.config.password.clone(),
            keep_alive_s: KEEP_ALIVE.as_secs() as u16,
            state_topic: String::new(),
            max_packet: MAX_PACKET,
        };
        let connected = tls::connect(&self.config.host, self.config.port, self.tls.as_ref());
        let mut stream = connected.await.map_err(anyhow::Error::from)?;
        let mut protocol = Protocol::start(&login, false).map_err(anyhow::Error::from)?;
        let mut happened = vec![];
        send(&mut stream, &mut protocol).await?;
        let end = Instant::now() + TIMEOUT;
        let mut bytes = vec![0; READ_SIZE];
        while !happened.contains(&Happened::Accepted) {
            let read = timeout_at(end, stream.read(&mut bytes))
                .await
                .map_err(|_| anyhow!("it doesn't answer the login"))?;
            receive(&mut protocol, &bytes, read.map_err(anyhow::Error::from)?, &mut happened)?;
        }
        for kind in ["parts", "alarm", "fleet"] {
            let topic = format!("{}/+/{kind}", self.config.topic);
            protocol.subscribe(&topic).map_err(anyhow::Error::from)?;
        }
        tracing::info!("the MQTT broker {} is connected", self.config.host);
        let (mut heard, mut is_asked) = (Instant::now(), false);
        loop {
            let incoming = self.incoming(&mut happened);
            if !incoming.is_empty() {
                self.keep(&incoming, &mut protocol)?;
            }
            // Confirmations to the broker among them: not before the messages are in the table.
            send(&mut stream, &mut protocol).await?;
            let next = heard + if is_asked { KEEP_ALIVE + TIMEOUT } else { KEEP_ALIVE / 2 };
            match timeout_at(next, stream.read(&mut bytes)).await {
                Ok(read) => {
                    receive(&mut protocol, &bytes, read.map_err(anyhow::Error::from)?, &mut happened)?;
                    (heard, is_asked) = (Instant::now(), false);
                }
                Err(_) if is_asked => return Err(anyhow!("it is silent").into()),
                Err(_) => {
                    is_asked = true;
                    protocol.ping().map_err(anyhow::Error::from)?;
                }
            }
        }
    }

    fn incoming(&self, happened: &mut Vec<Happened>) -> Vec<Incoming> {
        let message = |happened| match happened {
            Happened::Message { topic, payload } => self.message(&topic, payload),
            _ => None,
        };
        happened.drain(..).filter_map(message).collect()
    }

    fn message(&self, topic: &str, payload: Vec<u8>) -> Option<Incoming> {
        let (board, kind) = topic.strip_prefix(&self.config.topic)?.strip_prefix('/')?.split_once('/')?;
        let kind = match kind {
            "parts" => Kind::Part,
            "alarm" => Kind::Alarm,
            "fleet" => Kind::Report,
            _ => return None,
        };
        (!board.is_empty() && board.len() <= MAX_BOARD).then(|| Incoming {
            board: board.to_owned(),
            kind,
            payload,
        })
    }

    fn keep(&mut self, incoming: &[Incoming], protocol: &mut Protocol) -> Result<(), Ended> {
        let (added, stored) = self.table.add(incoming, unix_ms()).map_err(Ended::Table)?;
        for stored in stored {
            let topic = format!("{}/{}/stored", self.config.topic, stored.board);
            let message = StoredMessage { store: stored.store, up_to: stored.up_to };
            let json = serde_json::to_vec(&message).map_err(anyhow::Error::from)?;
            protocol.publish(&topic, &json, false).map_err(anyhow::Error::from)?;
        }
        self.added.new += added.new;
        self.added.twice += added.twice;
        self.added.unreadable += added.unreadable;
        if self.logged.elapsed() >= LOG_EVERY {
            let Added { new, twice, unreadable } = std::mem::take(&mut self.added);
            self.logged = Instant::now();
            tracing::info!("{new} messages are new, {twice} came twice, {unreadable} can't be read");
        }
        Ok(())
    }
}

/// Why a session has ended.
enum Ended {
    /// The broker can't be used; it may come back.
    Broker(anyhow::Error),
    /// The table can't be written.
    Table(anyhow::Error),
}

impl From<anyhow::Error> for Ended {
    fn from(e: anyhow::Error) -> Self {
        Self::Broker(e)
    }
}

async fn send(stream: &mut Box<dyn Stream>, protocol: &mut Protocol) -> Result<()> {
    let bytes = protocol.take_out();
    let sent = async {
        stream.write_all(&bytes).await?;
        stream.flush().await
    };
    timeout(TIMEOUT, sent).await.context("it doesn't take what is sent")?.context("it has hung up")
}

fn receive(protocol: &mut Protocol, bytes: &[u8], read: usize, happened: &mut Vec<Happened>) -> Result<()> {
    ensure!(read > 0, "it has hung up");
    Ok(protocol.receive(bytes.get(..read).unwrap_or_default(), happened)?)
}
