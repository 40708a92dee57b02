//! One connection to the broker.

use std::io;
use std::sync::atomic::Ordering;
use std::time::Duration;

use anyhow::{Result, anyhow};
use tokio::io::{AsyncReadExt, AsyncWriteExt, ReadHalf, WriteHalf, split};
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until, timeout};

use super::messages;
use super::protocol::{Happened, Protocol};
use super::{Client, ProtocolError};
use crate::log::limited;
use crate::tls::{self, Stream};

/// How long the broker may take to accept the login, and to take what is sent.
const TIMEOUT: Duration = Duration::from_secs(10);
/// How long the broker may take to confirm a message.
const CONFIRM_TIMEOUT: Duration = Duration::from_secs(30);
/// The largest number of messages of the store that the broker has not confirmed.
const MAX_IN_FLIGHT: usize = 32;
/// Nothing is added to what is being sent while it is longer than this.
const MAX_OUT: usize = 64 << 10;
/// Shortest time between two statuses.
const STATUS_PAUSE: Duration = Duration::from_millis(200);
/// Largest number of commands per second; more are ignored.
const MAX_COMMANDS_PER_S: u32 = 20;
const READ_SIZE: usize = 4096;

/// One connection to the broker.
pub(super) struct Session<'c> {
    client: &'c Client,
    /// Whether the broker has accepted the login.
    pub(super) was_connected: bool,
    /// Commands since the start of the current second.
    commands: (Instant, u32),
}

/// An established connection.
struct Established {
    protocol: Protocol,
    read: ReadHalf<Box<dyn Stream>>,
    write: WriteHalf<Box<dyn Stream>>,
    /// Bytes that are being sent.
    out: Vec<u8>,
    sent: usize,
    /// Whether something written may still be in TLS's buffer.
    is_unflushed: bool,
    /// When the broker last took something, or there was nothing to take.
    progress: Instant,
    /// When the broker last said something.
    heard: Instant,
    /// When it was last asked whether it is there.
    asked: Instant,
    /// The number of messages that it has not confirmed.
    unconfirmed: u32,
    /// When it last confirmed one, or there was none to confirm.
    confirmed: Instant,
}

impl<'c> Session<'c> {
    pub(super) fn new(client: &'c Client) -> Self {
        Self { client, was_connected: false, commands: (Instant::now(), 0) }
    }

    /// Connects and logs in, with the last will if `will` is set.
    pub(super) async fn log_in(&mut self, will: bool) -> Result<()> {
        self.establish(will).await.map(drop)
    }

    /// Publishes until the connection is lost, or `stopped` says so.
    pub(super) async fn run(&mut self, stopped: &mut watch::Receiver<bool>) -> Result<()> {
        let established = tokio::select! {
            established = self.establish(true) => established?,
            _ = stopped.changed() => return Ok(()),
        };
        self.was_connected = true;
        let counts = self.client.hub.mqtt();
        counts.connections.fetch_add(1, Ordering::Relaxed);
        counts.connected.store(1, Ordering::Relaxed);
        tracing::info!("the MQTT broker {} is connected", self.client.config.host);
        let result = self.serve(established, stopped).await;
        self.client.store().unsend();
        result
    }

    async fn establish(&mut self, will: bool) -> Result<Established> {
        let client = self.client;
        let stream = tls::connect(&client.config.host, client.port(), client.tls.as_ref()).await?;
        let (mut read, mut write) = split(stream);
        let mut protocol = Protocol::start(&client.login, will)?;
        let login = async {
            write.write_all(&protocol.take_out()).await?;
            write.flush().await?;
            let mut happened = vec![];
            let mut bytes = [0; READ_SIZE];
            while !happened.contains(&Happened::Accepted) {
                let read = read.read(&mut bytes).await?;
                if read == 0 {
                    return Err(anyhow!("it has hung up during the login"));
                }
                protocol.receive(bytes.get(..read).unwrap_or_default(), &mut happened)?;
            }
            Ok(())
        };
        timeout(TIMEOUT, login).await.unwrap_or_else(|_| Err(anyhow!("it doesn't answer the login")))?;
        let now = Instant::now();
        Ok(Established {
            protocol,
            read,
            write,
            out: vec![],
            sent: 0,
            is_unflushed: false,
            progress: now,
            heard: now,
            asked: now,
            unconfirmed: 0,
            confirmed: now,
        })
    }

    async fn serve(&mut self, mut broker: Established, stopped: &mut watch::Receiver<bool>) -> Result<()> {
        let client = self.client;
        broker.publish(client.topics.state(), b"online", true)?;
        if client.config.commands {
            broker.protocol.subscribe(&client.topics.commands())?;
        }
        if client.config.until_stored {
            broker.protocol.subscribe(client.topics.stored())?;
        }
        let every = Duration::from_secs(client.config.status_every_s.into());
        let mut next_status = Instant::now();
        let mut bytes = [0; READ_SIZE];
        loop {
            let now = Instant::now();
            self.fill(&mut broker)?;
            if now >= next_status && broker.has_room() {
                next_status = now + every;
                let status = messages::status(&client.hub.line());
                if let Some(status) = status {
                    broker.publish(client.topics.status(), &status, true)?;
                }
            }
            let deadline = broker.keep_alive(now, Duration::from_secs(client.config.keep_alive_s.into()))?;
            broker.collect_out();
            let (is_sending, is_unflushed) = (broker.is_sending(), broker.is_unflushed);
            let Established { read, write, out, sent, .. } = &mut broker;
            let rest = out.get(*sent..).unwrap_or_default();
            // Each branch can be given up without loss.
            tokio::select! {
                written = write_or_flush(write, rest), if is_sending || is_unflushed => {
                    *sent += written?;
                    broker.is_unflushed = is_sending;
                    broker.progress = Instant::now();
                }
                read = read.read(&mut bytes) => {
                    let read = read?;
                    if read == 0 {
                        return Err(anyhow!("it has hung up"));
                    }
                    broker.heard = Instant::now();
                    self.receive(&mut broker, bytes.get(..read).unwrap_or_default())?;
                }
                () = client.stored.notified() => {}
                () = client.changed.notified() => next_status = next_status.min(now + STATUS_PAUSE),
                () = sleep_until(deadline.min(next_status.max(now + Duration::from_millis(10)))) => {}
                _ = stopped.changed() => return take_leave(broker, client.topics.state()).await,
            }
        }
    }

    /// Adds messages of the store to what is being sent.
    fn fill(&self, broker: &mut Established) -> Result<(), ProtocolError> {
        let mut store = self.client.store();
        store.publish_again();
        while broker.has_room()
            && store.may_send(MAX_IN_FLIGHT)
            && let Some((topic, payload)) = store.to_send()
        {
            let packet = broker.publish(&topic, &payload, false)?;
            store.sent(packet);
            broker.collect_out();
        }
        Ok(())
    }

    fn receive(&mut self, broker: &mut Established, bytes: &[u8]) -> Result<(), ProtocolError> {
        let mut happened = vec![];
        broker.protocol.receive(bytes, &mut happened)?;
        for happened in happened {
            match happened {
                Happened::Confirmed(packet) => {
                    broker.unconfirmed = broker.unconfirmed.saturating_sub(1);
                    broker.confirmed = Instant::now();
                    let confirmed = u64::from(self.client.store().confirmed(packet));
                    self.client.hub.mqtt().published.fetch_add(confirmed, Ordering::Relaxed);
                    self.client.count();
                }
                Happened::Message { topic, payload } if topic == self.client.topics.stored() => {
                    self.client.take_stored(&payload);
                }
                Happened::Message { topic, payload } => self.command(&topic, &payload),
                Happened::Accepted => {}
            }
        }
        Ok(())
    }

    fn command(&mut self, topic: &str, payload: &[u8]) {
        let (since, count) = &mut self.commands;
        if since.elapsed() >= Duration::from_secs(1) {
            (*since, *count) = (Instant::now(), 0);
        }
        *count += 1;
        if *count > MAX_COMMANDS_PER_S {
            limited!(warn, "commands from the MQTT broker are ignored: there are too many");
            return;
        }
        let command = self.client.topics.command(topic, payload, &self.client.hub.line());
        let Some(command) = command else {
            limited!(warn, "a message on {topic:?} is not a command; docs/gateway.md lists them");
            return;
        };
        match self.client.hub.command(command) {
            Ok(_) => tracing::info!("from MQTT: {command:?}"),
            Err(e) => limited!(warn, "the command {command:?} from MQTT was not passed on: {e}"),
        }
    }
}

impl Established {
    fn publish(&mut self, topic: &str, payload: &[u8], retain: bool) -> Result<u16, ProtocolError> {
        if self.unconfirmed == 0 {
            self.confirmed = Instant::now();
        }
        self.unconfirmed += 1;
        self.protocol.publish(topic, payload, retain)
    }

    /// Moves what the protocol wants to send to what is being sent.
    fn collect_out(&mut self) {
        if self.sent == self.out.len() {
            self.out.clear();
            self.sent = 0;
            if !self.is_unflushed {
                self.progress = Instant::now();
            }
        }
        self.out.append(&mut self.protocol.take_out());
    }

    fn is_sending(&self) -> bool {
        self.sent < self.out.len()
    }

    fn has_room(&self) -> bool {
        self.out.len() - self.sent < MAX_OUT
    }

    /// Asks the broker whether it is there if it has been silent, and returns when to look again.
    ///
    /// # Errors
    /// If it has been silent for too long, doesn't take what is sent, or doesn't confirm it.
    fn keep_alive(&mut self, now: Instant, keep_alive: Duration) -> Result<Instant> {
        if now.duration_since(self.heard) > keep_alive + TIMEOUT {
            return Err(anyhow!("it is silent"));
        }
        if (self.is_sending() || self.is_unflushed) && now.duration_since(self.progress) > TIMEOUT {
            return Err(anyhow!("it doesn't take what is sent"));
        }
        if self.unconfirmed > 0 && now.duration_since(self.confirmed) > CONFIRM_TIMEOUT {
            return Err(anyhow!("it confirms nothing"));
        }
        // Half of the time, so that the broker never takes this client for gone.
        if now.duration_since(self.asked) >= keep_alive / 2 {
            self.asked = now;
            self.protocol.ping()?;
        }
        Ok(now + Duration::from_secs(1))
    }
}

/// Writes some of the bytes and returns how many; without any, sends what TLS still holds. If it is given up, nothing was
/// written.
async fn write_or_flush(write: &mut WriteHalf<Box<dyn Stream>>, bytes: &[u8]) -> io::Result<usize> {
    if bytes.is_empty() {
        return write.flush().await.map(|()| 0);
    }
    match write.write(bytes).await? {
        0 => Err(io::ErrorKind::WriteZero.into()),
        written => Ok(written),
    }
}

/// Tells the broker that the gateway goes on purpose.
async fn take_leave(mut broker: Established, state_topic: &str) -> Result<()> {
    broker.protocol.publish(state_topic, b"offline", true)?;
    broker.protocol.disconnect()?;
    broker.collect_out();
    let rest = broker.out.get(broker.sent..).unwrap_or_default();
    let sent = async {
        broker.write.write_all(rest).await?;
        broker.write.shutdown().await
    };
    timeout(Duration::from_secs(1), sent).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))?;
    Ok(())
}
