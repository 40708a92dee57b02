//! Connections to HTTP servers, and the server for metrics. [`hyper`] speaks the protocol.

use std::convert::Infallible;
use std::io::{self, ErrorKind};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::{BodyExt, Empty, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode, Uri};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

use crate::log::limited;
use crate::tls::{self, Tls, TlsError};

/// How long a request may take, in either direction.
const TIMEOUT: Duration = Duration::from_secs(10);
/// Maximum number of clients of the server at once.
const MAX_CLIENTS: usize = 16;
/// Maximum length of the head of a request or answer in bytes: the smallest that hyper allows is 8 KiB.
const MAX_HEAD: usize = 8 << 10;
/// The part of an answer's body that is read, so that the connection ends in order.
const MAX_BODY: usize = 64 << 10;
/// What is read of an answer at once, in bytes.
const READ_SIZE: usize = 64 << 10;
const USER_AGENT: &str = concat!("nominal-gateway/", env!("CARGO_PKG_VERSION"));
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Why a URL can't be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("give a URL such as https://server.example/path, without user and password")]
pub struct TargetError;

/// Where requests are sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    host: String,
    port: u16,
    is_tls: bool,
    authority: String,
    path: String,
}

impl Target {
    /// Reads a URL.
    ///
    /// # Errors
    /// [`TargetError`]
    pub fn parse(url: &str) -> Result<Self, TargetError> {
        let uri: Uri = url.parse().map_err(|_| TargetError)?;
        let is_tls = match uri.scheme_str() {
            Some("http") => false,
            Some("https") => true,
            _ => return Err(TargetError),
        };
        let authority = uri.authority().ok_or(TargetError)?;
        if authority.as_str().contains('@') || authority.host().is_empty() {
            return Err(TargetError);
        }
        Ok(Self {
            host: authority.host().trim_matches(['[', ']']).to_owned(),
            port: authority.port_u16().unwrap_or(if is_tls { 443 } else { 80 }),
            is_tls,
            authority: authority.as_str().to_owned(),
            path: uri.path_and_query().map_or("/", |path| path.as_str()).to_owned(),
        })
    }

    /// Prepares TLS if the URL asks for it.
    ///
    /// # Errors
    /// [`TlsError`]
    pub fn tls(&self, ca_file: Option<&Path>) -> Result<Option<Tls>, TlsError> {
        self.is_tls.then(|| Tls::new(&self.host, ca_file)).transpose()
    }

    /// Returns the URL without path, for messages: the path may be secret.
    #[must_use]
    pub fn server(&self) -> &str {
        &self.authority
    }

    /// Connects and hangs up.
    ///
    /// # Errors
    /// If the server can't be reached.
    pub async fn reach(&self, tls: Option<&Tls>) -> io::Result<()> {
        tls::connect(&self.host, self.port, tls).await.map(drop)
    }

    /// Posts JSON and returns the answer's status.
    ///
    /// # Errors
    /// If the server can't be reached or doesn't answer in time.
    pub async fn post(&self, tls: Option<&Tls>, json: Vec<u8>) -> io::Result<StatusCode> {
        let posted = async {
            let stream = tls::connect(&self.host, self.port, tls).await?;
            let handshake = hyper::client::conn::http1::Builder::new()
                .max_buf_size(MAX_HEAD)
                .handshake(TokioIo::new(stream))
                .await;
            let (mut sender, connection) = handshake.map_err(io::Error::other)?;
            let request = Request::post(&self.path)
                .header("host", &self.authority)
                .header("content-type", "application/json")
                .header("user-agent", USER_AGENT)
                .body(Full::new(Bytes::from(json)))
                .map_err(io::Error::other)?;
            let exchange = async {
                let response = sender.send_request(request).await.map_err(io::Error::other)?;
                let status = response.status();
                // A longer body is of no interest either.
                let _ = Limited::new(response.into_body(), MAX_BODY).collect().await;
                Ok(status)
            };
            tokio::select! {
                status = exchange => status,
                Err(e) = connection => Err(io::Error::other(e)),
            }
        };
        timeout(TIMEOUT, posted).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
    }
}

/// An answer whose body is read piece by piece.
pub struct Download {
    /// The answer's status.
    pub status: StatusCode,
    /// What the server calls this version.
    pub etag: Option<String>,
    body: Incoming,
    _connection: AbortOnDrop,
}

impl Download {
    /// Returns the next piece of the body; `None` after the last.
    ///
    /// # Errors
    /// If the connection is lost, or nothing comes in time.
    pub async fn next(&mut self) -> io::Result<Option<Bytes>> {
        loop {
            let frame = timeout(TIMEOUT, self.body.frame()).await.map_err(|_| ErrorKind::TimedOut)?;
            let Some(frame) = frame else { return Ok(None) };
            if let Ok(bytes) = frame.map_err(io::Error::other)?.into_data() {
                return Ok(Some(bytes));
            }
        }
    }
}

impl Target {
    /// Asks for a file below the URL, unless it is still the version `etag`.
    ///
    /// # Errors
    /// If the server can't be reached or doesn't answer in time.
    pub async fn get(&self, tls: Option<&Tls>, name: &str, etag: Option<&str>) -> io::Result<Download> {
        let asked = async {
            let stream = tls::connect(&self.host, self.port, tls).await?;
            let handshake = hyper::client::conn::http1::Builder::new()
                .max_buf_size(READ_SIZE)
                .handshake(TokioIo::new(stream))
                .await;
            let (mut sender, connection) = handshake.map_err(io::Error::other)?;
            // It ends with the answer, or is aborted with it.
            let connection = AbortOnDrop(tokio::spawn(async move {
                let _ = connection.await;
            }));
            let mut request = Request::get(format!("{}/{name}", self.path.trim_end_matches('/')))
                .header("host", &self.authority)
                .header("user-agent", USER_AGENT);
            if let Some(etag) = etag {
                request = request.header("if-none-match", etag);
            }
            let request = request.body(Empty::<Bytes>::new()).map_err(io::Error::other)?;
            let response = sender.send_request(request).await.map_err(io::Error::other)?;
            let etag = response.headers().get("etag").and_then(|etag| etag.to_str().ok()).map(str::to_owned);
            Ok(Download {
                status: response.status(),
                etag,
                body: response.into_body(),
                _connection: connection,
            })
        };
        timeout(TIMEOUT, asked).await.unwrap_or_else(|_| Err(ErrorKind::TimedOut.into()))
    }
}

/// A task that ends with what needs it.
struct AbortOnDrop(JoinHandle<()>);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Serves one page, made anew for each request, for as long as the gateway runs.
pub async fn serve<P>(listener: TcpListener, path: &'static str, content_type: &'static str, page: P)
where
    P: Fn() -> String + Clone + Send + Sync + 'static,
{
    let clients = Arc::new(Semaphore::new(MAX_CLIENTS));
    loop {
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(e) => {
                limited!(warn, "can't accept a request for metrics: {e}; raise the limit on open files");
                sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let Ok(permit) = Arc::clone(&clients).try_acquire_owned() else { continue };
        let page = page.clone();
        tokio::spawn(async move {
            let service = service_fn(move |request: Request<Incoming>| {
                let response = respond(&request, path, content_type, &page);
                async move { Ok::<_, Infallible>(response) }
            });
            let served = hyper::server::conn::http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(TIMEOUT)
                .max_buf_size(MAX_HEAD)
                .keep_alive(false)
                .serve_connection(TokioIo::new(stream), service);
            // The head has its own time-out; this one is for clients that don't read.
            if let Ok(Err(e)) = timeout(2 * TIMEOUT, served).await {
                tracing::debug!("a request for metrics failed: {e}");
            }
            drop(permit);
        });
    }
}

fn respond(
    request: &Request<Incoming>,
    path: &str,
    content_type: &'static str,
    page: &impl Fn() -> String,
) -> Response<Full<Bytes>> {
    let (status, content_type, text) = match (request.method(), request.uri().path()) {
        (&Method::GET, found) if found == path => (StatusCode::OK, content_type, page()),
        (_, found) if found == path => {
            (StatusCode::METHOD_NOT_ALLOWED, "text/plain", "only GET is allowed\n".to_owned())
        }
        _ => (StatusCode::NOT_FOUND, "text/plain", format!("there is only {path}\n")),
    };
    let mut response = Response::new(Full::new(Bytes::from(text)));
    *response.status_mut() = status;
    response.headers_mut().insert("content-type", hyper::header::HeaderValue::from_static(content_type));
    response
}

/// Returns whether an address is taken by another program.
pub(crate) fn is_taken(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::AddrInUse
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_taken_apart_and_wrong_ones_refused() {
        let of = |url: &str| Target::parse(url).map(|t| (t.host, t.port, t.is_tls, t.path));
        let expected = ("a.example".to_owned(), 443, true, "/x?y=1".to_owned());
        assert_eq!(of("https://a.example/x?y=1"), Ok(expected));
        assert_eq!(of("http://10.0.0.1:8080"), Ok(("10.0.0.1".to_owned(), 8080, false, "/".to_owned())));
        assert_eq!(of("http://[::1]:80/").unwrap().0, "::1");
        for wrong in
            ["", "/path", "ftp://a/b", "https://", "http://user:secret@a/", "a.example", "http://a b/"]
        {
            assert_eq!(of(wrong), Err(TargetError), "{wrong}");
        }
    }
}
