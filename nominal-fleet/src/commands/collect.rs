//! `collect`: keeps what the boards report in a table.

use std::path::PathBuf;

use anyhow::{Context as _, Result};

use crate::collector::{Collector, Config};
use crate::table::Table;

/// Arguments of `collect`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The SQLite file, which is made if it doesn't exist.
    #[arg(long, value_name = "FILE")]
    table: PathBuf,
    /// The MQTT broker's name or address.
    #[arg(long)]
    host: String,
    /// Its port; 1883 by default, 8883 with --tls.
    #[arg(long)]
    port: Option<u16>,
    /// Use TLS.
    #[arg(long)]
    tls: bool,
    /// A PEM file with the certificates that are trusted instead of the system's.
    #[arg(long, value_name = "FILE", requires = "tls")]
    ca_file: Option<PathBuf>,
    /// The user's name.
    #[arg(long)]
    user: Option<String>,
    /// A file with the user's password.
    #[arg(long, value_name = "FILE", requires = "user")]
    password_file: Option<PathBuf>,
    /// What the boards' `mqtt.topic` starts with; the rest, which has no slash, is the board's name in the table.
    #[arg(long, default_value = "nominal")]
    topic: String,
    /// The client's name, which no other client of the broker may have.
    #[arg(long, default_value = "nominal-collect")]
    client_id: String,
}

/// Collects until the table can't be written any more.
pub fn run(args: Args) -> Result<()> {
    tracing_subscriber::fmt().with_writer(std::io::stderr).with_ansi(false).with_target(false).init();
    let password = args.password_file.as_ref().map(|path| {
        let text = std::fs::read_to_string(path);
        let text = text
            .with_context(|| format!("cannot read {}; check the path and its permissions", path.display()))?;
        anyhow::Ok(text.trim_end_matches(['\r', '\n']).to_owned())
    });
    let config = Config {
        port: args.port.unwrap_or(if args.tls { 8883 } else { 1883 }),
        host: args.host,
        tls: args.tls,
        ca_file: args.ca_file,
        user: args.user,
        password: password.transpose()?,
        topic: args.topic.trim_end_matches('/').to_owned(),
        client_id: args.client_id,
    };
    let collector = Collector::new(config, Table::open(&args.table)?)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.context("cannot start; raise the limits on open files and threads")?.block_on(collector.run())
}
