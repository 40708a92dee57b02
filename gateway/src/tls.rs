//! Trusted certificates, connections with or without TLS, and the page's own certificate.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore, ServerConfig};
use tokio_rustls::server::TlsStream;
use tokio_rustls::{TlsAcceptor, TlsConnector};

use crate::regular_file;

/// Maximum size of a PEM file: all certificates that a system trusts take a tenth of that.
const MAX_PEM_BYTES: u64 = 4 << 20;
/// How long a connection may take to be made, TLS included.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// A connection to a server.
pub trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Stream for S {}

/// Why TLS can't be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TlsError {
    /// The file with certificates can't be read.
    #[error("cannot read certificates from {path}: {reason}; give a PEM file", path = path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// The reason.
        reason: String,
    },
    /// The page's certificate and its key can't be used.
    #[error("cannot use the certificate {certificate} with the key {key}: {reason}; give PEM files that belong together",
        certificate = certificate.display(), key = key.display())]
    Own {
        /// The file with the certificate.
        certificate: PathBuf,
        /// The file with the key.
        key: PathBuf,
        /// The reason.
        reason: String,
    },
    /// There are no certificates.
    #[error(
        "found no trusted certificates; install the package ca-certificates, or give a file with ca_file"
    )]
    NoCertificates,
    /// The name can't be in a certificate.
    #[error("{0:?} is neither a host name nor an address")]
    Name(String),
    /// The library refuses its settings.
    #[error(transparent)]
    Settings(#[from] tokio_rustls::rustls::Error),
}

/// What connects to a server with TLS.
#[derive(Clone)]
pub struct Tls {
    connector: TlsConnector,
    name: ServerName<'static>,
}

impl Tls {
    /// Prepares connections to the server of this name, trusting the certificates in a PEM file, or the system's.
    ///
    /// # Errors
    /// [`TlsError`]
    pub fn new(name: &str, ca_file: Option<&Path>) -> Result<Self, TlsError> {
        let mut roots = RootCertStore::empty();
        match ca_file {
            Some(path) => {
                let failed = |e: &dyn std::fmt::Display| TlsError::File {
                    path: path.to_owned(),
                    reason: e.to_string(),
                };
                let pem = regular_file::read(path, MAX_PEM_BYTES).map_err(|e| failed(&e))?;
                for certificate in CertificateDer::pem_slice_iter(&pem) {
                    roots.add(certificate.map_err(|e| failed(&e))?).map_err(|e| failed(&e))?;
                }
            }
            None => {
                // Those that can't be read are left out, as in any other program.
                roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
            }
        }
        if roots.is_empty() {
            return Err(TlsError::NoCertificates);
        }
        let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        let name = ServerName::try_from(name.to_owned()).map_err(|_| TlsError::Name(name.to_owned()))?;
        Ok(Self { connector: TlsConnector::from(Arc::new(config)), name })
    }
}

/// What accepts connections with TLS.
#[derive(Clone)]
pub struct Acceptor(TlsAcceptor);

impl Acceptor {
    /// Prepares connections with the certificate, and those that vouch for it, in one PEM file and its key in another.
    ///
    /// # Errors
    /// [`TlsError::Own`], [`TlsError::Settings`]
    pub fn new(certificate: &Path, key: &Path) -> Result<Self, TlsError> {
        let failed = |e: &dyn std::fmt::Display| TlsError::Own {
            certificate: certificate.to_owned(),
            key: key.to_owned(),
            reason: e.to_string(),
        };
        let read = |path| regular_file::read(path, MAX_PEM_BYTES).map_err(|e| failed(&e));
        let pem = read(certificate)?;
        let chain = CertificateDer::pem_slice_iter(&pem);
        let chain: Vec<_> = chain.collect::<Result<_, _>>().map_err(|e| failed(&e))?;
        if chain.is_empty() {
            return Err(failed(&"there is no certificate in the file"));
        }
        let private = PrivateKeyDer::from_pem_slice(&read(key)?).map_err(|e| failed(&e))?;
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(chain, private)
            .map_err(|e| failed(&e))?;
        Ok(Self(TlsAcceptor::from(Arc::new(config))))
    }

    /// Accepts a connection.
    ///
    /// # Errors
    /// If the other end doesn't speak TLS.
    pub async fn accept(&self, stream: TcpStream) -> io::Result<TlsStream<TcpStream>> {
        self.0.accept(stream).await
    }
}

/// Connects to a server, with TLS if given.
///
/// # Errors
/// The system's or TLS's error.
pub async fn connect(host: &str, port: u16, tls: Option<&Tls>) -> io::Result<Box<dyn Stream>> {
    let connected = async {
        let stream = TcpStream::connect((host, port)).await?;
        stream.set_nodelay(true)?;
        Ok(match tls {
            Some(tls) => Box::new(tls.connector.connect(tls.name.clone(), stream).await?) as Box<dyn Stream>,
            None => Box::new(stream),
        })
    };
    timeout(CONNECT_TIMEOUT, connected).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_without_certificates_are_refused() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let of = |bytes: &[u8]| {
            std::fs::write(file.path(), bytes).unwrap();
            Tls::new("broker", Some(file.path())).err().unwrap().to_string()
        };
        assert!(of(b"").contains("no trusted certificates"));
        let damaged = b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        for bytes in [&damaged[..], b"-----BEGIN CERTIFICATE-----\n\xff\xfe"] {
            let said = of(bytes);
            assert!(said.contains(&file.path().display().to_string()), "{said}");
        }
        assert!(matches!(Tls::new("b", Some(Path::new("/nowhere"))), Err(TlsError::File { .. })));
        let own = |path: &Path| Acceptor::new(path, path).err().unwrap().to_string();
        for bytes in [&b""[..], damaged, b"\xff\xfe"] {
            std::fs::write(file.path(), bytes).unwrap();
            assert!(own(file.path()).contains(&file.path().display().to_string()));
        }
        assert!(own(Path::new("/nowhere")).contains("cannot use the certificate /nowhere"));
    }
}
