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
    /// Bundles from a fleet's folder; off by default.
    #[serde(default)]
    pub fleet: Option<FleetConfig>,
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
    /// A folder for the messages that wait for the broker; without it, they wait in memory. It must exist and belong to this user.
    #[serde(default)]
    pub store_folder: Option<PathBuf>,
    /// Maximum size of the messages that wait for the broker, in MiB.
    #[serde(default = "default_store_mib")]
    pub store_mib: u32,
    /// Maximum time that a message waits in memory for the broker, in hours.
    #[serde(default = "default_store_hours")]
    pub store_hours: u32,
    /// Whether messages stay until `nominal-fleet collect` has them in its table, and not just until the broker has them.
    #[serde(default)]
    pub until_stored: bool,
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

/// Bundles from a fleet's folder.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FleetConfig {
    /// Where the folder is: a URL that starts with `http://` or `https://`, or a path.
    pub source: String,
    /// A PEM file with the certificates that are trusted instead of the system's.
    #[serde(default)]
    pub ca_file: Option<PathBuf>,
    /// Public keys, each with the name of its owner after a blank, one of which must have signed the index.
    pub trust: Vec<String>,
    /// The board's name, which no other board of the fleet may have.
    pub board: String,
    /// The group of boards that it belongs to.
    #[serde(default)]
    pub group: Option<String>,
    /// The line's `socket.inbox`. It must exist, be this user's to write and the line's to read.
    pub inbox: PathBuf,
    /// The line's folder of records, in which it says what it runs.
    pub records: PathBuf,
    /// The folder for what must survive a restart. It must exist and belong to this user.
    pub folder: PathBuf,
    /// Seconds between two looks at the index.
    #[serde(default = "default_every_s")]
    pub every_s: u32,
    /// Maximum size of a bundle, in MiB.
    #[serde(default = "default_max_mib")]
    pub max_mib: u32,
    /// Minutes that a bundle is watched after it was installed.
    #[serde(default = "default_watch_minutes")]
    pub watch_minutes: u32,
    /// The share of rejected parts above which the board goes back while a bundle is watched.
    #[serde(default = "default_max_reject_share")]
    pub max_reject_share: f64,
}

impl FleetConfig {
    /// Whether the folder is on a web server.
    #[must_use]
    pub fn is_on_server(&self) -> bool {
        self.source.starts_with("http://") || self.source.starts_with("https://")
    }
}

const fn default_every_s() -> u32 {
    300
}

const fn default_max_mib() -> u32 {
    512
}

const fn default_watch_minutes() -> u32 {
    60
}

const fn default_max_reject_share() -> f64 {
    0.1
}
