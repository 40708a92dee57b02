//! Accepts browsers, with or without TLS, and bounds their number.

use std::collections::HashMap;
use std::convert::Infallible;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result};
use hyper::Request;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::spawn_blocking;
use tokio::time::{sleep, timeout};

use super::access::{PasswordError, Role, hash_of};
use super::{Page, neighbour};
use crate::config::PageConfig;
use crate::http;
use crate::line::Hub;
use crate::log::limited;
use crate::tls::Acceptor;

/// Maximum number of connections, of which a browser makes up to seven.
const MAX_CONNECTIONS: usize = 400;
/// Maximum number of connections from one address other than this machine's own, which a proxy may have.
const MAX_PER_ADDRESS: usize = 48;
/// How long a browser may take for TLS, and for the head of its next request.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a connection may last: one that doesn't read its answers gives its place back.
const LONGEST: Duration = Duration::from_secs(660);
/// Maximum length of the head of a request in bytes: the smallest that hyper allows.
const MAX_HEAD: usize = 8 << 10;
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// How often it is checked whether a password was changed.
const PASSWORD_INTERVAL: Duration = Duration::from_secs(2);

/// The server of the page.
pub struct Server {
    listener: TcpListener,
    acceptor: Option<Acceptor>,
    page: Arc<Page>,
}

impl Server {
    /// Listens at the address of the gateway file.
    ///
    /// # Errors
    /// If the address can't be had, or the folder or the certificate can't be used.
    pub async fn bind(config: &PageConfig, hub: Hub) -> Result<Self> {
        let acceptor = acceptor(config)?;
        let page = Page::new(config, hub)?;
        Ok(Self { listener: bind(config.listen).await?, acceptor, page })
    }

    /// Serves the page for as long as the gateway runs.
    pub async fn serve(self) {
        let accept = accept(&self.listener, self.acceptor.as_ref(), &self.page);
        tokio::join!(accept, self.page.live.run(), end_outdated_sessions(&self.page));
    }
}

async fn accept(listener: &TcpListener, acceptor: Option<&Acceptor>, page: &Arc<Page>) {
    let connections = Connections::default();
    loop {
        let (stream, address) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(e) => {
                limited!(warn, "can't accept a browser: {e}; raise the limit on open files");
                sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let peer = address.ip().to_canonical();
        let Some(place) = connections.take(peer) else { continue };
        let (page, acceptor) = (Arc::clone(page), acceptor.cloned());
        tokio::spawn(async move {
            let served = timeout(LONGEST, connect(stream, acceptor, peer, &page)).await;
            if let Ok(Err(e)) = served {
                tracing::debug!("a browser's connection failed: {e}");
            }
            drop(place);
        });
    }
}

async fn connect(
    stream: TcpStream,
    acceptor: Option<Acceptor>,
    peer: IpAddr,
    page: &Arc<Page>,
) -> io::Result<()> {
    stream.set_nodelay(true)?;
    match acceptor {
        Some(acceptor) => {
            let accepted = timeout(HEAD_TIMEOUT, acceptor.accept(stream)).await;
            page.serve(accepted.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??, peer).await
        }
        None => page.serve(stream, peer).await,
    }
}

impl Page {
    /// Answers the requests of a connection until it ends.
    ///
    /// # Errors
    /// If the connection fails, or what comes is not HTTP.
    pub async fn serve<S>(self: &Arc<Self>, stream: S, peer: IpAddr) -> io::Result<()>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let service = service_fn(move |request: Request<Incoming>| {
            let page = Arc::clone(self);
            async move { Ok::<_, Infallible>(page.respond(peer, request).await) }
        });
        let served = hyper::server::conn::http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEAD_TIMEOUT)
            .max_buf_size(MAX_HEAD)
            .serve_connection(TokioIo::new(stream), service);
        served.await.map_err(io::Error::other)
    }
}

/// Ends the sessions of a role whose password was changed.
async fn end_outdated_sessions(page: &Page) {
    let mut known: Option<SystemTime> = None;
    loop {
        let path = page.passwords.clone();
        let read = spawn_blocking(move || {
            let modified = path.metadata().and_then(|metadata| metadata.modified()).ok();
            (modified, [Role::Operator, Role::Engineer].map(|role| (role, hash_of(&path, role).ok())))
        });
        if let Ok((modified, hashes)) = read.await {
            if modified != known {
                let hash = |of: Role| hashes.iter().find(|(role, _)| *role == of)?.1.clone();
                page.sessions.end_outdated(hash);
            }
            known = modified;
        }
        sleep(PASSWORD_INTERVAL).await;
    }
}

/// The number of connections by address.
#[derive(Debug, Clone, Default)]
struct Connections(Arc<Mutex<HashMap<IpAddr, usize>>>);

/// A connection's place, given back when dropped.
struct ConnectionPlace {
    connections: Connections,
    address: IpAddr,
}

impl Connections {
    fn take(&self, peer: IpAddr) -> Option<ConnectionPlace> {
        let address = neighbour(peer);
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let all: usize = counts.values().sum();
        let own = counts.get(&address).copied().unwrap_or(0);
        if all >= MAX_CONNECTIONS || (own >= MAX_PER_ADDRESS && !peer.is_loopback()) {
            return None;
        }
        counts.insert(address, own + 1);
        Some(ConnectionPlace { connections: self.clone(), address })
    }
}

impl Drop for ConnectionPlace {
    fn drop(&mut self) {
        let mut counts = self.connections.0.lock().unwrap_or_else(PoisonError::into_inner);
        let left = counts.get(&self.address).map_or(0, |count| count - 1);
        if left == 0 {
            counts.remove(&self.address);
        } else {
            counts.insert(self.address, left);
        }
    }
}

fn acceptor(config: &PageConfig) -> Result<Option<Acceptor>> {
    match (&config.certificate, &config.key) {
        (Some(certificate), Some(key)) => Ok(Some(Acceptor::new(certificate, key)?)),
        _ => Ok(None),
    }
}

async fn bind(address: SocketAddr) -> Result<TcpListener> {
    TcpListener::bind(address).await.with_context(|| {
        format!(
            "cannot serve the page at {address}; check page.listen, and whether another program has the port"
        )
    })
}

/// Checks whether the address can be had, or is served already, and whether passwords, certificate and records are there.
///
/// # Errors
/// If not.
pub async fn check(config: &PageConfig) -> Result<String> {
    acceptor(config)?;
    let path = super::access::passwords_file(&config.folder);
    let roles = [Role::Operator, Role::Engineer].into_iter();
    let mut set = vec![];
    for role in roles {
        match hash_of(&path, role) {
            Ok(_) => set.push(role.as_str()),
            Err(PasswordError::NotSet) => {}
            Err(e) => return Err(e.into()),
        }
    }
    anyhow::ensure!(!set.is_empty(), "no password is set; run `gateway password operator GATEWAY-FILE`");
    if let Some(records) = &config.records {
        let folder = records.display();
        std::fs::read_dir(records).with_context(|| {
            format!("cannot read the records in {folder}; check page.records, and that this user is in the folder's group")
        })?;
    }
    let address = config.listen;
    let set = set.join(" and ");
    match bind(address).await {
        Ok(_) => Ok(format!("{address} is free; {set} can log in")),
        Err(e) if e.downcast_ref().is_some_and(http::is_taken) => {
            Ok(format!("{address} is in use, presumably by the running gateway; {set} can log in"))
        }
        Err(e) => Err(e),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_address_does_not_take_all_places_and_places_are_given_back() {
        let connections = Connections::default();
        let [greedy, other, proxy]: [IpAddr; 3] =
            ["10.0.0.1", "10.0.0.2", "127.0.0.1"].map(|text| text.parse().unwrap());
        let taken: Vec<_> = std::iter::from_fn(|| connections.take(greedy)).collect();
        assert_eq!(taken.len(), MAX_PER_ADDRESS);
        let more: Vec<_> = std::iter::from_fn(|| connections.take(proxy)).collect();
        assert_eq!(taken.len() + more.len(), MAX_CONNECTIONS);
        assert!(connections.take(other).is_none());
        drop((taken, more));
        assert!(connections.take(other).is_some() && connections.0.lock().unwrap().is_empty());
    }
}
