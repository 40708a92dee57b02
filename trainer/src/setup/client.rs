//! The HTTP client: the system's root certificates, its proxy, and time limits.

use std::sync::Arc;
use std::time::Duration;

use ureq::http::Response;
use ureq::tls::{Certificate, RootCerts, TlsConfig};
use ureq::{Agent, Body};

/// How long a connection, an answer or the next bytes may take. A slow line takes long as a whole, and is never silent for that long.
const PATIENCE: Duration = Duration::from_secs(30);

/// Fetches files.
#[derive(Debug)]
pub struct Client {
    agent: Agent,
    has_roots: bool,
}

impl Client {
    /// Prepares the client. `HTTPS_PROXY` and `HTTP_PROXY` are respected, and so are `SSL_CERT_FILE` and `SSL_CERT_DIR`.
    #[must_use]
    pub fn new() -> Self {
        // Those of the system and not a list of this program's: a factory's proxy may have a root of its own.
        let roots: Vec<Certificate<'static>> = rustls_native_certs::load_native_certs()
            .certs
            .iter()
            .map(|root| Certificate::from_der(root).to_owned())
            .collect();
        let has_roots = !roots.is_empty();
        let tls = TlsConfig::builder()
            .root_certs(RootCerts::Specific(Arc::new(roots)))
            .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .build();
        let agent = Agent::config_builder()
            .tls_config(tls)
            .http_status_as_error(false)
            .user_agent(concat!("nominal-trainer/", env!("CARGO_PKG_VERSION")))
            .timeout_connect(Some(PATIENCE))
            .timeout_recv_response(Some(PATIENCE))
            .timeout_per_read(Some(PATIENCE))
            .build()
            .new_agent();
        Self { agent, has_roots }
    }

    /// Asks for a file, from byte `from` on.
    ///
    /// # Errors
    /// A sentence, if there is no answer. A status other than success is an answer.
    pub(super) fn get(&self, url: &str, from: u64) -> Result<Response<Body>, String> {
        if url.starts_with("https:") && !self.has_roots {
            return Err(
                "this machine has no root certificates; install the package ca-certificates".to_owned()
            );
        }
        let mut request = self.agent.get(url);
        if from > 0 {
            request = request.header("Range", format!("bytes={from}-"));
        }
        request.call().map_err(|e| e.to_string())
    }
}

impl Default for Client {
    fn default() -> Self {
        Self::new()
    }
}
