//! Connects to the line's socket, and again when it is gone.

use std::io;
use std::time::Duration;

use anyhow::{Context, Result};
use shared_format::gateway::{Decoder, GatewayMessage, Hello, LineMessage, MAX_LEN, Message};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::time::{sleep, timeout};

use super::{CommandQueue, Hub};
use crate::config::LineConfig;
use crate::log::limited;

/// Pause between attempts to connect.
const RETRY_PAUSE: Duration = Duration::from_millis(500);
/// The line sends a status twice a second; a line that is silent for this long is taken for gone.
const SILENCE: Duration = Duration::from_secs(3);
/// How long a command may take to be written: the line reads all the time.
const WRITE_TIMEOUT: Duration = Duration::from_secs(2);
const READ_SIZE: usize = 4096;

/// Serves the connection for as long as the gateway runs.
pub async fn client(config: LineConfig, hub: Hub, mut commands: CommandQueue) {
    loop {
        let gone = session(&config, &hub, &mut commands).await;
        hub.disconnect();
        // A command is meant for now: none may reach the line after it was gone.
        while commands.try_recv().is_ok() {}
        let path = config.socket.display();
        limited!(
            warn,
            "the line's socket {path} can't be used: {gone}; start the line with [socket] in its line file, and check that this \
             user is in the socket's group"
        );
        sleep(RETRY_PAUSE).await;
    }
}

/// Connects, and serves the connection until it is gone. Returns why.
async fn session(config: &LineConfig, hub: &Hub, commands: &mut CommandQueue) -> io::Error {
    match serve(config, hub, commands).await {
        Ok(never) => match never {},
        Err(e) => e,
    }
}

async fn serve(
    config: &LineConfig,
    hub: &Hub,
    commands: &mut CommandQueue,
) -> io::Result<std::convert::Infallible> {
    let mut stream = UnixStream::connect(&config.socket).await?;
    send(&mut stream, GatewayMessage::Subscribe).await?;
    tracing::info!("the line is connected");
    let mut decoder = Decoder::default();
    let mut bytes = [0; READ_SIZE];
    loop {
        tokio::select! {
            // Results before commands.
            biased;
            read = timeout(SILENCE, stream.read(&mut bytes)) => {
                let read = read.map_err(|_| io::Error::other("it is silent"))??;
                if read == 0 {
                    return Err(io::Error::other("the line has ended"));
                }
                for byte in bytes.get(..read).unwrap_or_default() {
                    match decoder.push::<LineMessage>(*byte) {
                        Some(Ok(message)) => hub.apply(message),
                        Some(Err(e)) => limited!(warn, "a message from the line can't be read: {e}"),
                        None => {}
                    }
                }
            }
            Some(command) = commands.recv() => send(&mut stream, command).await?,
        }
    }
}

async fn send(stream: &mut UnixStream, message: GatewayMessage) -> io::Result<()> {
    let mut buffer = [0; MAX_LEN];
    let bytes = message.encode(&mut buffer).map_err(io::Error::other)?;
    timeout(WRITE_TIMEOUT, stream.write_all(bytes)).await.map_err(|_| io::Error::other("it doesn't read"))?
}

/// Connects to the line, waits for its first message, and describes the line.
///
/// # Errors
/// If the line isn't there.
pub async fn check(config: &LineConfig) -> Result<String> {
    let path = config.socket.display();
    let hello = timeout(SILENCE, first_message(config)).await;
    let hello: Hello =
        hello.map_err(|_| io::Error::other("it is silent")).and_then(|hello| hello).with_context(|| {
            format!(
                "cannot use the line's socket {path}; start the line with [socket] in its line file, and check that this user is \
                 in the socket's group"
            )
        })?;
    let accepts: Vec<_> = shared_format::gateway::CommandKind::ALL
        .into_iter()
        .filter(|kind| hello.accepts & kind.bit() != 0)
        .map(|kind| kind.as_str())
        .collect();
    let accepts = if accepts.is_empty() { "no commands".to_owned() } else { accepts.join(", ") };
    Ok(format!("{}, version {}, {} product(s), accepts {accepts}", hello.line, hello.version, hello.products))
}

async fn first_message(config: &LineConfig) -> io::Result<Hello> {
    let mut stream = UnixStream::connect(&config.socket).await?;
    let mut decoder = Decoder::default();
    loop {
        let byte = stream.read_u8().await?;
        match decoder.push::<LineMessage>(byte) {
            Some(Ok(LineMessage::Hello(hello))) => return Ok(hello),
            Some(Err(e)) => return Err(io::Error::other(e.to_string())),
            _ => {}
        }
    }
}
