//! Where the fleet's folder is: on a web server or a share.

use std::fmt::{self, Display, Formatter};
use std::io::{self, ErrorKind, Read as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow};
use hyper::StatusCode;
use hyper::body::Bytes;
use signing::listed_files::ListedFile;
use tokio::sync::mpsc;
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use super::inbox::FileWriter;
use crate::config::FleetConfig;
use crate::http::Target;
use crate::regular_file;
use crate::tls::Tls;

/// Pieces of a file that wait for the disk.
const WAITING: usize = 8;
/// How long a file may take in any case, and the bytes a second that a longer one must have.
const MIN_TIME: Duration = Duration::from_secs(60);
const SLOWEST: u64 = 16 << 10;
/// What is read of a share at once, in bytes.
const READ_SIZE: usize = 64 << 10;

/// Where the fleet's folder is.
pub enum Source {
    /// On a web server.
    Server {
        /// The URL.
        target: Target,
        /// TLS, if the URL asks for it.
        tls: Option<Tls>,
    },
    /// In a folder of this machine, such as a mounted share.
    Folder(PathBuf),
}

/// A small file.
pub enum Small {
    /// It is the version that the caller has.
    Unchanged,
    /// Its bytes, and what the server calls this version.
    Found(Vec<u8>, Option<String>),
}

impl Display for Source {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Server { target, .. } => f.write_str(target.server()),
            Self::Folder(path) => write!(f, "{}", path.display()),
        }
    }
}

impl Source {
    /// Prepares it, without connecting.
    ///
    /// # Errors
    /// If the URL or the trusted certificates can't be used.
    pub fn new(config: &FleetConfig) -> Result<Self> {
        if !config.is_on_server() {
            return Ok(Self::Folder(config.source.clone().into()));
        }
        let target = Target::parse(&config.source).context("fleet.source can't be used")?;
        let tls = target.tls(config.ca_file.as_deref())?;
        Ok(Self::Server { target, tls })
    }

    /// Reads a small file, unless it is still the version `etag`.
    ///
    /// # Errors
    /// If it can't be read, or has more than `max` bytes.
    pub async fn small(&self, name: &str, max: u64, etag: Option<&str>) -> Result<Small> {
        match self {
            Self::Folder(folder) => {
                let path = folder.join(name);
                let said = format!("cannot read {}", path.display());
                let bytes = spawn_blocking(move || regular_file::read(&path, max)).await?;
                Ok(Small::Found(bytes.context(said)?, None))
            }
            Self::Server { target, tls } => {
                let mut download = target.get(tls.as_ref(), name, etag).await?;
                if download.status == StatusCode::NOT_MODIFIED {
                    return Ok(Small::Unchanged);
                }
                check(download.status, name)?;
                let received = async {
                    let mut bytes = vec![];
                    while let Some(piece) = download.next().await? {
                        if (bytes.len() + piece.len()) as u64 > max {
                            return Err(anyhow!("{name} is larger than {max} bytes"));
                        }
                        bytes.extend_from_slice(&piece);
                    }
                    anyhow::Ok(bytes)
                };
                let bytes = timeout(longest(max), received).await.context("the server is too slow")??;
                Ok(Small::Found(bytes, download.etag.take()))
            }
        }
    }

    /// Fetches a file of a bundle. It appears in `staging` under its path only if it is the one that the index names.
    ///
    /// # Errors
    /// If it can't be fetched or written, or is another one.
    pub async fn fetch(&self, folder: &str, path: &str, expected: ListedFile, staging: &Path) -> Result<()> {
        let (name, said) = (format!("{folder}/{path}"), || format!("cannot fetch {folder}/{path}"));
        let (staging, path) = (staging.to_owned(), path.to_owned());
        match self {
            Self::Folder(root) => {
                let from = root.join(&name);
                let copied = spawn_blocking(move || copy(&from, FileWriter::new(&staging, &path, expected)?));
                copied.await?.with_context(said)
            }
            Self::Server { target, tls } => {
                let mut download = target.get(tls.as_ref(), &name, None).await.with_context(said)?;
                check(download.status, &name)?;
                let (sender, mut pieces) = mpsc::channel::<Bytes>(WAITING);
                // The disk may be slow, and everything else of the gateway must not wait for it.
                let writing = spawn_blocking(move || {
                    let mut writer = FileWriter::new(&staging, &path, expected)?;
                    while let Some(piece) = pieces.blocking_recv() {
                        writer.write(&piece)?;
                    }
                    writer.finish()
                });
                let received = async {
                    while let Some(piece) = download.next().await? {
                        // A writer that has ended says why.
                        if sender.send(piece).await.is_err() {
                            break;
                        }
                    }
                    io::Result::Ok(())
                };
                let received = timeout(longest(expected.bytes), received).await;
                let received = received.unwrap_or_else(|_| Err(ErrorKind::TimedOut.into()));
                drop(sender);
                let written = writing.await?;
                received.and(written).with_context(said)
            }
        }
    }
}

/// Returns how long a file of this size may take, so that a server that never ends it keeps nothing else waiting.
fn longest(bytes: u64) -> Duration {
    MIN_TIME + Duration::from_secs(bytes / SLOWEST)
}

fn check(status: StatusCode, name: &str) -> Result<()> {
    anyhow::ensure!(status == StatusCode::OK, "the server answers {status} for {name}");
    Ok(())
}

fn copy(from: &Path, mut writer: FileWriter) -> io::Result<()> {
    // Opening a pipe would wait for its writer.
    if !std::fs::metadata(from)?.is_file() {
        return Err(ErrorKind::InvalidInput.into());
    }
    let mut file = std::fs::File::open(from)?;
    let mut bytes = vec![0; READ_SIZE];
    loop {
        match file.read(&mut bytes)? {
            0 => return writer.finish(),
            read => writer.write(bytes.get(..read).unwrap_or_default())?,
        }
    }
}
