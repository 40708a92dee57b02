//! A panic of the gate thread while nothing reads the log.

use std::io::Write as _;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::process::Stdio;
use std::time::Instant;

use super::*;
use crate::log::{self, panics};
use crate::testing::emulator;

const FILE: &str = "NOMINAL_TEST_SAFE_STATE";
const LONG: Duration = Duration::from_secs(30);

/// Returns a full pipe and its other end, which is never read.
fn full_pipe() -> (std::io::PipeReader, std::io::PipeWriter) {
    let (reader, mut writer) = std::io::pipe().unwrap();
    rustix::fs::fcntl_setfl(&writer, rustix::fs::OFlags::NONBLOCK).unwrap();
    while writer.write(&[b'x'; 512]).is_ok() {}
    rustix::fs::fcntl_setfl(&writer, rustix::fs::OFlags::empty()).unwrap();
    (reader, writer)
}

/// Not a test itself: the process that the next test starts with its standard error unread.
#[test]
#[ignore = "started by another test"]
fn panicking_child() {
    let file = std::env::var_os(FILE).expect("started by another test");
    let _log = log::set_up(false).unwrap();
    panics::install();
    // More lines than the log's queue holds.
    for line in 0..1000 {
        tracing::error!("line {line}");
    }
    let line = TestLine::start(None, true);
    line.mailbox.hold(Hold::NotReady, false);
    let part = line.trigger();
    line.verdict(part.number, Verdict::Pass);
    let TestLine { thread, levels, .. } = line;
    assert!(thread.join().is_err());
    let safe = [(Signal::Reject, true), (Signal::Pass, false), (Signal::Fault, true)];
    assert!(safe.into_iter().all(|(signal, on)| levels.level(signal) == Some(on)));
    std::fs::write(Path::new(&file), b"safe").unwrap();
}

#[test]
fn a_panic_drives_the_safe_state_though_nobody_reads_the_log() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("safe");
    let (_reader, writer) = full_pipe();
    let mut child = emulator::command(std::env::current_exe().unwrap())
        .args(["run::gatekeeper::tests::panic::panicking_child", "--exact", "--ignored"])
        .env(FILE, &file)
        .stdout(Stdio::null())
        .stderr(OwnedFd::from(writer))
        .spawn()
        .unwrap();
    let begin = Instant::now();
    while child.try_wait().unwrap().is_none() && begin.elapsed() < LONG {
        std::thread::sleep(Duration::from_millis(10));
    }
    let ended = child.try_wait().unwrap();
    let _ = child.kill();
    assert!(ended.is_some_and(|status| status.success()), "{ended:?}");
    assert_eq!(std::fs::read(file).unwrap(), b"safe");
}
