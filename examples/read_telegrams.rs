//! Prints the telegrams that a line sends over its serial port, from a device or a file: `read-telegrams PATH`.
//!
//! A device must be in raw mode at the line's bit rate, for instance after `stty -F /dev/ttyUSB0 115200 raw`.

use std::fs::File;
use std::io::Read;

use anyhow::Context as _;
use shared_format::telegram::Decoder;

fn main() -> anyhow::Result<()> {
    let path = std::env::args_os().nth(1).context("usage: read-telegrams PATH")?;
    let mut port = File::open(&path).with_context(|| format!("cannot open {}", path.display()))?;
    let (mut decoder, mut bytes) = (Decoder::new(), [0; 256]);
    loop {
        let count = port.read(&mut bytes)?;
        if count == 0 {
            return Ok(());
        }
        for telegram in decoder.extend(&bytes[..count]) {
            match telegram {
                Ok(telegram) => println!(
                    "run {} part {} product {}: {:?} ({:?}), score {:?}",
                    telegram.run,
                    telegram.part,
                    telegram.product,
                    telegram.disposition,
                    telegram.reason,
                    telegram.score
                ),
                // The decoder resumes at the next delimiter.
                Err(error) => eprintln!("{error}"),
            }
        }
    }
}
