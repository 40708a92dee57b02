//! Accepts clients and serves them.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, sleep, sleep_until, timeout, timeout_at};

use super::map::Image;
use super::request::{MAX_FRAME, answer, frame_len};
use super::writes::{Refusal, Write, Writes};
use crate::config::ModbusConfig;
use crate::line::Hub;
use crate::log::limited;

/// Maximum number of connections from addresses that may write: other clients can't keep the PLC out.
const MAX_WRITERS: usize = 16;
/// How long a client may take to read an answer.
const WRITE_TIMEOUT: Duration = Duration::from_secs(5);
/// Requests that are answered in a window to a client that may not write; more wait. A display needs far fewer, and so many of
/// them leave time for the PLC.
const MAX_REQUESTS: u32 = 20;
const WINDOW: Duration = Duration::from_millis(100);
/// Pause after a connection could not be accepted: the system has no more descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// A Modbus TCP server.
pub struct Server {
    listener: TcpListener,
    shared: Arc<Shared>,
    clients: Arc<Semaphore>,
    writers: Arc<Semaphore>,
}

struct Shared {
    config: ModbusConfig,
    hub: Hub,
    writes: Mutex<Writes>,
}

impl Server {
    /// Listens at the address of the gateway file.
    ///
    /// # Errors
    /// If the address can't be had.
    pub async fn bind(config: ModbusConfig, hub: Hub) -> Result<Self> {
        let listener = bind(config.listen).await?;
        let clients = Arc::new(Semaphore::new(config.max_clients.into()));
        let writes = Mutex::new(Writes::new(config.word_order));
        let shared = Arc::new(Shared { config, hub, writes });
        Ok(Self { listener, shared, clients, writers: Arc::new(Semaphore::new(MAX_WRITERS)) })
    }

    /// Returns the address that it listens at.
    ///
    /// # Errors
    /// The system's error.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Serves clients for as long as the gateway runs.
    pub async fn serve(self) {
        loop {
            let (stream, peer) = match self.listener.accept().await {
                Ok(accepted) => accepted,
                Err(e) => {
                    limited!(warn, "can't accept a Modbus client: {e}; raise the limit on open files");
                    sleep(ACCEPT_PAUSE).await;
                    continue;
                }
            };
            let counts = self.shared.hub.modbus();
            let address = peer.ip().to_canonical();
            let may_write = self.shared.config.writers.contains(&address);
            let room = if may_write { &self.writers } else { &self.clients };
            let Ok(permit) = Arc::clone(room).try_acquire_owned() else {
                add(&counts.turned_away);
                limited!(warn, "a Modbus client at {address} was turned away: there are too many");
                continue;
            };
            add(&counts.connections);
            let client = Client { shared: Arc::clone(&self.shared), address, may_write, _permit: permit };
            tokio::spawn(client.serve(stream));
        }
    }
}

struct Client {
    shared: Arc<Shared>,
    address: IpAddr,
    may_write: bool,
    _permit: OwnedSemaphorePermit,
}

impl Client {
    async fn serve(self, stream: TcpStream) {
        let clients = &self.shared.hub.modbus().clients;
        clients.fetch_add(1, Ordering::Relaxed);
        if let Err(e) = self.serve_until_gone(stream).await {
            tracing::debug!("the Modbus client at {} is gone: {e}", self.address);
        }
        self.shared.hub.modbus().clients.fetch_sub(1, Ordering::Relaxed);
    }

    async fn serve_until_gone(&self, mut stream: TcpStream) -> io::Result<()> {
        stream.set_nodelay(true)?;
        let idle = Duration::from_secs(self.shared.config.idle_s.into());
        let mut bytes = [0; MAX_FRAME];
        let mut filled = 0;
        let mut response = Vec::with_capacity(MAX_FRAME);
        let mut pace = Pace { since: Instant::now(), requests: 0 };
        // A request that arrives byte by byte doesn't extend it.
        let mut deadline = Instant::now() + idle;
        loop {
            while let Some(frame) = self.first_frame(bytes.get(..filled).unwrap_or_default())? {
                let length = frame.len();
                self.answer(frame, &mut response)?;
                let sent = timeout(WRITE_TIMEOUT, stream.write_all(&response)).await;
                sent.map_err(|_| io::Error::other("it doesn't read its answers"))??;
                bytes.copy_within(length..filled, 0);
                filled -= length;
                if !self.may_write {
                    pace.request().await;
                }
                deadline = Instant::now() + idle;
            }
            let room = bytes.get_mut(filled..).unwrap_or_default();
            let read = timeout_at(deadline, stream.read(room)).await;
            match read.map_err(|_| io::Error::other("it sent no request for a while"))?? {
                0 => return Ok(()),
                read => filled += read,
            }
        }
    }

    /// Returns the first complete request.
    fn first_frame<'b>(&self, bytes: &'b [u8]) -> io::Result<Option<&'b [u8]>> {
        let length = frame_len(bytes).map_err(|e| {
            add(&self.shared.hub.modbus().garbage);
            io::Error::other(e)
        })?;
        Ok(length.and_then(|length| bytes.get(..length)))
    }

    fn answer(&self, frame: &[u8], response: &mut Vec<u8>) -> io::Result<()> {
        let Shared { config, hub, writes } = &*self.shared;
        let mut writes = writes.lock().unwrap_or_else(PoisonError::into_inner);
        let image = Image::of(&hub.line(), config.word_order, writes.registers());
        let mut write = |write: Write| {
            if !self.may_write {
                limited!(
                    warn,
                    "a Modbus client at {} tried to write; if it may, add it to modbus.writers",
                    self.address
                );
                return Err(Refusal::NotAllowed);
            }
            tracing::debug!("the Modbus client at {} writes {write:?}", self.address);
            writes.write(&write, hub)
        };
        let exception = answer(frame, &image, &mut write, response).map_err(io::Error::other)?;
        add(&hub.modbus().requests);
        if exception {
            add(&hub.modbus().exceptions);
        }
        Ok(())
    }
}

/// Slows down a client that asks too often.
struct Pace {
    since: Instant,
    requests: u32,
}

impl Pace {
    /// Counts a request, and waits for the end of the window if it was the last one in it.
    async fn request(&mut self) {
        let now = Instant::now();
        if now >= self.since + WINDOW {
            (self.since, self.requests) = (now, 0);
        }
        self.requests += 1;
        if self.requests >= MAX_REQUESTS {
            sleep_until(self.since + WINDOW).await;
        }
    }
}

fn add(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

async fn bind(address: SocketAddr) -> Result<TcpListener> {
    TcpListener::bind(address).await.with_context(|| {
        format!(
            "cannot listen for Modbus clients at {address}; check modbus.listen, whether another program has the port, and that \
             this user may have a port below 1024 (CAP_NET_BIND_SERVICE)"
        )
    })
}

/// Checks whether the address can be had, or is served already.
///
/// # Errors
/// If neither.
pub async fn check(config: &ModbusConfig) -> Result<String> {
    let address = config.listen;
    let taken = match bind(address).await {
        Ok(_) => "free",
        Err(e) => {
            // A gateway that runs already has it.
            let io = e.downcast_ref::<io::Error>().map(io::Error::kind);
            if io != Some(io::ErrorKind::AddrInUse) {
                return Err(e);
            }
            "in use, presumably by the running gateway"
        }
    };
    let writers = match config.writers.len() {
        0 => "no client may write".to_owned(),
        count => format!("{count} client(s) may write"),
    };
    Ok(format!("{address} is {taken}; {writers}"))
}
