//! All keys of the gateway file.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use serde::Deserialize;

/// A complete gateway file.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Where the line is.
    pub line: LineConfig,
    /// The Modbus TCP server; off by default.
    #[serde(default)]
    pub modbus: Option<ModbusConfig>,
    /// The MQTT client; off by default.
    #[serde(default)]
    pub mqtt: Option<MqttConfig>,
    /// The metrics for Prometheus; off by default.
    #[serde(default)]
    pub metrics: Option<MetricsConfig>,
    /// Alarms to an HTTP server; off by default.
    #[serde(default)]
    pub webhook: Option<WebhookConfig>,
    /// The live page for browsers; off by default.
    #[serde(default)]
    pub page: Option<PageConfig>,
}

/// Where the line is.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LineConfig {
    /// The socket that the line file names in `socket.path`.
    pub socket: PathBuf,
}

/// The Modbus TCP server.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModbusConfig {
    /// Address and port to listen on.
    pub listen: SocketAddr,
    /// Addresses of the clients that may write; none by default.
    #[serde(default)]
    pub writers: Vec<IpAddr>,
    /// Maximum number of connected clients, writers not included.
    #[serde(default = "default_max_clients")]
    pub max_clients: u16,
    /// Seconds without a complete request after which a client is disconnected.
    #[serde(default = "default_idle_s")]
    pub idle_s: u32,
    /// The order of the two registers of a 32-bit value.
    #[serde(default)]
    pub word_order: WordOrder,
}

const fn default_max_clients() -> u16 {
    64
}

const fn default_idle_s() -> u32 {
    60
}

/// The order of the two registers of a 32-bit value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WordOrder {
    /// The more significant one first.
    #[default]
    HighFirst,
    /// The less significant one first.
    LowFirst,
}

/// The MQTT client.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MqttConfig {
    /// The broker's name or address.
    pub host: String,
    /// Its port; 1883 by default, 8883 with TLS.
    #[serde(default)]
    pub port: Option<u16>,
    /// What every topic starts with.
    #[serde(default = "default_topic")]
    pub topic: String,
    /// The client's name, which no other client of the broker may have.
    #[serde(default = "default_client_id")]
    pub client_id: String,
    /// The user's name.
    #[serde(default)]
    pub user: Option<String>,
    /// A file with the user's password.
    #[serde(default)]
    pub password_file: Option<PathBuf>,
    /// Whether to use TLS.
    #[serde(default)]
    pub tls: bool,
    /// A PEM file with the certificates that are trusted instead of the system's.
    #[serde(default)]
    pub ca_file: Option<PathBuf>,
    /// Seconds without traffic after which the broker is asked whether it is there.
    #[serde(default = "default_keep_alive_s")]
    pub keep_alive_s: u16,
    /// Seconds between two statuses.
    #[serde(default = "default_status_every_s")]
    pub status_every_s: u32,
    /// Maximum size of the messages that wait for the broker, in MiB.
    #[serde(default = "default_store_mib")]
    pub store_mib: u32,
    /// Maximum time that a message waits for the broker, in hours.
    #[serde(default = "default_store_hours")]
    pub store_hours: u32,
    /// Whether commands are taken from the broker.
    #[serde(default)]
    pub commands: bool,
}

fn default_topic() -> String {
    "nominal/line".to_owned()
}

fn default_client_id() -> String {
    "nominal".to_owned()
}

const fn default_keep_alive_s() -> u16 {
    30
}

const fn default_status_every_s() -> u32 {
    10
}

const fn default_store_mib() -> u32 {
    4
}

const fn default_store_hours() -> u32 {
    24
}

/// The metrics for Prometheus.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MetricsConfig {
    /// Address and port to listen on.
    pub listen: SocketAddr,
}

/// Alarms to an HTTP server.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WebhookConfig {
    /// Where alarms are posted, starting with `http://` or `https://`.
    pub url: String,
    /// A PEM file with the certificates that are trusted instead of the system's.
    #[serde(default)]
    pub ca_file: Option<PathBuf>,
    /// The alarms that are posted; all by default.
    #[serde(default)]
    pub alarms: Option<Vec<String>>,
}

/// The live page for browsers.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PageConfig {
    /// Address and port to listen on. Other than this machine's own addresses need a certificate.
    pub listen: SocketAddr,
    /// The folder for passwords and the log of changes. It must exist and belong to this user.
    pub folder: PathBuf,
    /// The line's folder of records; without it the page shows none.
    #[serde(default)]
    pub records: Option<PathBuf>,
    /// A PEM file with the page's certificate and those that vouch for it.
    #[serde(default)]
    pub certificate: Option<PathBuf>,
    /// A PEM file with the certificate's key.
    #[serde(default)]
    pub key: Option<PathBuf>,
    /// Whether browsers reach the page through a proxy with TLS.
    #[serde(default)]
    pub proxy: bool,
    /// Hours after which a person has to log in again.
    #[serde(default = "default_session_hours")]
    pub session_hours: u32,
    /// Maximum number of browsers that show the line at once.
    #[serde(default = "default_max_browsers")]
    pub max_browsers: u16,
}

const fn default_session_hours() -> u32 {
    12
}

const fn default_max_browsers() -> u16 {
    50
}
