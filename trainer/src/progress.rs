//! Progress bars with ETA, and Ctrl-C as a request to stop at a safe place.

use std::sync::atomic::{AtomicBool, Ordering};

use indicatif::{ProgressBar, ProgressStyle};

static STOP: AtomicBool = AtomicBool::new(false);

/// Turns the first Ctrl-C (or SIGTERM) into a request that [`stop_requested`] reports; the second one ends the program.
pub fn catch_interrupts() {
    let result = ctrlc::set_handler(|| {
        if STOP.swap(true, Ordering::SeqCst) {
            std::process::exit(130);
        }
        eprintln!("\nStopping after this step; press Ctrl-C again to stop at once.");
    });
    if let Err(e) = result {
        eprintln!("warning: Ctrl-C will stop the program without a checkpoint: {e}");
    }
}

/// Returns whether a stop was requested.
#[must_use]
pub fn stop_requested() -> bool {
    STOP.load(Ordering::SeqCst)
}

/// Creates a bar over `length` steps of `what`, with rate and time left. It is only drawn on a terminal.
#[must_use]
pub fn bar(length: u64, what: &str) -> ProgressBar {
    let template = "{msg:<24} {bar:32} {pos}/{len} [{elapsed} elapsed, {eta} left, {per_sec}]";
    let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(length).with_style(style).with_message(what.to_owned())
}

/// Prints a line above the bar, or on its own if no terminal shows the bar.
pub fn print(bar: &ProgressBar, line: &str) {
    if bar.is_hidden() { eprintln!("{line}") } else { bar.println(line) }
}
