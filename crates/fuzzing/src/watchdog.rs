//! Ends the program if an input takes too long or too much memory, which the thread that tries it can't do.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::time::{Duration, Instant};

use crate::memory;

/// How often the watchdog checks.
const PERIOD: Duration = Duration::from_millis(20);

/// An input that is being tried.
pub(crate) struct Attempt {
    pub bytes: Vec<u8>,
    pub seed: u64,
    pub index: u64,
    since: Instant,
}

impl Attempt {
    pub fn new(bytes: Vec<u8>, seed: u64, index: u64) -> Self {
        Self { bytes, seed, index, since: Instant::now() }
    }
}

/// A thread that watches the input being tried.
pub(crate) struct Watchdog {
    attempt: Arc<Mutex<Option<Attempt>>>,
    name: &'static str,
}

impl Watchdog {
    /// Starts the thread, which ends when the value is dropped.
    pub fn start(name: &'static str, timeout: Duration) -> Self {
        let attempt = Arc::new(Mutex::new(None));
        let seen = Arc::downgrade(&attempt);
        let (ready, is_ready) = mpsc::channel();
        let watchdog = move || {
            memory::exempt_this_thread();
            let _ = ready.send(());
            while let Some(attempt) = seen.upgrade() {
                if let Some(attempt) = &*lock(&attempt) {
                    let why = if memory::is_exceeded() {
                        Some("takes more memory than it may".to_owned())
                    } else {
                        let late = attempt.since.elapsed() > timeout;
                        late.then(|| format!("is not done after {} seconds", timeout.as_secs()))
                    };
                    if let Some(why) = why {
                        end(name, attempt, &why);
                    }
                }
                drop(attempt);
                std::thread::sleep(PERIOD);
            }
        };
        std::thread::Builder::new().name("watch".to_owned()).spawn(watchdog).expect("a thread starts");
        // Until then the watchdog itself could be blocked.
        let _ = is_ready.recv();
        Self { attempt, name }
    }

    /// Records that the input is being tried.
    pub fn begin(&self, attempt: Attempt) {
        *lock(&self.attempt) = Some(attempt);
    }

    /// Records that the input is done.
    pub fn done(&self) -> Option<Attempt> {
        lock(&self.attempt).take()
    }

    /// Saves an input that fails; the returned sentence says how to try it again.
    pub fn keep(&self, attempt: &Attempt, why: &str) -> String {
        keep(self.name, attempt, why)
    }
}

fn lock(attempt: &Mutex<Option<Attempt>>) -> std::sync::MutexGuard<'_, Option<Attempt>> {
    attempt.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Ends the program, since the thread that tries the input can't be stopped.
fn end(name: &str, attempt: &Attempt, why: &str) -> ! {
    let sentence = keep(name, attempt, why);
    // Straight to the file: the test harness captures what the print macros write.
    let _ = writeln!(std::io::stderr(), "\n{sentence}");
    std::process::exit(101);
}

fn keep(name: &str, attempt: &Attempt, why: &str) -> String {
    let Attempt { bytes, seed, index, .. } = attempt;
    let folder = folder().join(name);
    let path = folder.join(format!("{seed}-{index}"));
    let kept = std::fs::create_dir_all(&folder).and_then(|()| std::fs::write(&path, bytes));
    let place = match kept {
        Ok(()) => {
            format!("it is kept; try it with `cargo xtask fuzz --target {name} --input {}`", path.display())
        }
        Err(error) => format!("{} can't be written: {error}; its bytes are {bytes:?}", path.display()),
    };
    format!("input {index} of {name} with seed {seed} {why}: {place}")
}

/// Returns the folder `fuzz` in Cargo's build folder.
fn folder() -> PathBuf {
    // …/debug/deps/fuzz-0123456789abcdef, or …/debug/program.
    let program = std::env::current_exe().unwrap_or_default();
    let profile = program.ancestors().skip(1).find(|folder| !folder.ends_with("deps"));
    profile.and_then(Path::parent).map_or_else(std::env::temp_dir, Path::to_owned).join("fuzz")
}
