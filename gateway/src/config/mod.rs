//! The gateway file: a single TOML file that says where the line is and which neighbours it has.
//!
//! | file | contents |
//! |---|---|
//! | `schema` | all keys |
//! | `check` | validation of values |
//! | `template.toml` | the file that `gateway init` writes: every key, explained |

mod check;
mod schema;

use std::path::{Path, PathBuf};

pub use schema::{
    Config, FleetConfig, LineConfig, MetricsConfig, ModbusConfig, MqttConfig, PageConfig, WebhookConfig,
    WordOrder,
};

use crate::regular_file;

/// The file that `gateway init` writes.
pub const TEMPLATE: &str = include_str!("template.toml");
/// Larger files are refused.
const MAX_BYTES: u64 = 1 << 20;

/// Why a gateway file can't be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The file can't be read.
    #[error("cannot read {path}: {source}; check the path, or write one with `gateway init`", path = path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The system's error.
        source: std::io::Error,
    },
    /// The file is too large.
    #[error("{path} is larger than {MAX_BYTES} bytes; check the path", path = path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
    },
    /// The file isn't valid TOML, or has an unknown key or a wrong type.
    #[error("cannot parse the gateway file {path}: {reason}", path = path.display())]
    Syntax {
        /// The file.
        path: PathBuf,
        /// Position and description of the error.
        reason: String,
    },
    /// The file has values that are not allowed.
    #[error("the gateway file {path} can't be used:\n  {list}", path = path.display(), list = problems.join("\n  "))]
    Values {
        /// The file.
        path: PathBuf,
        /// One sentence per problem, with key, value and what is allowed.
        problems: Vec<String>,
    },
    /// The file names no neighbour.
    #[error(
        "the gateway file names no neighbour; add [modbus], [mqtt], [metrics], [webhook], [page] or [fleet]"
    )]
    NoNeighbours,
}

impl Config {
    /// Reads and checks a gateway file. Relative paths in it are resolved against its folder.
    ///
    /// # Errors
    /// [`ConfigError`]; it lists every value that is not allowed.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        let bytes = regular_file::read(path, MAX_BYTES).map_err(|source| match source.kind() {
            std::io::ErrorKind::FileTooLarge => ConfigError::TooLarge { path: path.to_owned() },
            _ => ConfigError::Io { path: path.to_owned(), source },
        })?;
        Self::parse(&bytes, path)
    }

    /// Parses and checks the contents of the gateway file `path`.
    ///
    /// # Errors
    /// As [`Self::load`].
    pub fn parse(bytes: &[u8], path: &Path) -> Result<Self, ConfigError> {
        let syntax = |reason: String| ConfigError::Syntax { path: path.to_owned(), reason };
        let text = std::str::from_utf8(bytes).map_err(|e| syntax(format!("{e}; save it as UTF-8")))?;
        let mut config: Self =
            toml::from_str(text).map_err(|e| syntax(e.to_string().trim_end().to_owned()))?;
        let problems = check::problems(&config);
        if !problems.is_empty() {
            return Err(ConfigError::Values { path: path.to_owned(), problems });
        }
        config.resolve_paths(path.parent().unwrap_or(Path::new("")));
        Ok(config)
    }

    /// Whether the file names at least one neighbour.
    #[must_use]
    pub const fn has_neighbours(&self) -> bool {
        self.modbus.is_some()
            || self.mqtt.is_some()
            || self.metrics.is_some()
            || self.webhook.is_some()
            || self.page.is_some()
            || self.fleet.is_some()
    }

    fn resolve_paths(&mut self, folder: &Path) {
        let resolve = |path: &mut PathBuf| *path = folder.join(&*path);
        resolve(&mut self.line.socket);
        if let Some(mqtt) = &mut self.mqtt {
            mqtt.password_file.iter_mut().for_each(resolve);
            mqtt.ca_file.iter_mut().for_each(resolve);
            mqtt.store_folder.iter_mut().for_each(resolve);
        }
        if let Some(webhook) = &mut self.webhook {
            webhook.ca_file.iter_mut().for_each(resolve);
        }
        if let Some(fleet) = &mut self.fleet {
            [&mut fleet.inbox, &mut fleet.records, &mut fleet.folder].into_iter().for_each(resolve);
            fleet.ca_file.iter_mut().for_each(resolve);
            if !fleet.is_on_server() {
                fleet.source = folder.join(&fleet.source).to_string_lossy().into_owned();
            }
        }
        if let Some(page) = &mut self.page {
            resolve(&mut page.folder);
            [&mut page.records, &mut page.certificate, &mut page.key].into_iter().flatten().for_each(resolve);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Config, ConfigError> {
        Config::parse(text.as_bytes(), Path::new("/etc/nominal/gateway.toml"))
    }

    /// The template with all commented-out keys enabled: those are `#key = value`, prose is `# text`.
    fn with_every_key() -> String {
        let lines = TEMPLATE.lines().filter(|line| !line.starts_with("# "));
        lines.map(|line| format!("{}\n", line.strip_prefix('#').unwrap_or(line))).collect()
    }

    #[test]
    fn the_template_is_valid_and_turns_nothing_on() {
        assert!(!parse(TEMPLATE).unwrap().has_neighbours());
    }

    #[test]
    fn every_key_of_the_template_that_is_commented_out_is_a_key() {
        let config = parse(&with_every_key()).unwrap();
        let mqtt = config.mqtt.unwrap();
        let page = config.page.unwrap();
        assert_eq!(page.key.unwrap(), Path::new("/etc/nominal/page-key.pem"));
        assert_eq!(page.records.unwrap(), Path::new("/var/lib/nominal/records"));
        assert_eq!(config.fleet.unwrap().inbox, Path::new("/var/lib/nominal-inbox"));
        assert!(config.modbus.is_some() && config.metrics.is_some() && config.webhook.is_some());
        assert_eq!(mqtt.password_file.unwrap(), Path::new("/etc/nominal/mqtt-password"));
    }

    #[test]
    fn a_template_that_is_cut_short_is_read_or_refused() {
        let text = with_every_key();
        for length in 0..text.len() {
            let _ = Config::parse(&text.as_bytes()[..length], Path::new("gateway.toml"));
        }
    }

    #[test]
    fn values_out_of_range_are_named_with_what_is_allowed_and_all_at_once() {
        let text = r#"
            [line]
            socket = ""
            [modbus]
            listen = "0.0.0.0:502"
            max_clients = 0
            idle_s = 0
            [mqtt]
            host = "b"
            topic = "a/+/b"
            client_id = ""
            password_file = "p"
            store_mib = 1000
            until_stored = true
            store_hours = 0
            keep_alive_s = 1
            [webhook]
            url = "ftp://x"
            alarms = ["fire"]
            [page]
            listen = "192.168.0.5:80"
            folder = ""
            key = "k"
            proxy = true
            session_hours = 0
            max_browsers = 0
            [fleet]
            source = "https://user:secret@x"
            trust = ["RWx"]
            board = "../x"
            group = ""
            inbox = "i"
            records = "r"
            folder = "f"
            every_s = 0
            max_mib = 0
            watch_minutes = 20000
            max_reject_share = 1.5
        "#;
        let ConfigError::Values { problems, .. } = parse(text).unwrap_err() else { panic!("no values") };
        let keys = [
            "line.socket",
            "modbus.max_clients",
            "modbus.idle_s",
            "mqtt.topic",
            "mqtt.client_id",
            "mqtt.keep_alive_s",
            "mqtt.store_mib",
            "mqtt.store_hours",
            "mqtt.until_stored",
            "mqtt.password_file",
            "webhook.url",
            "webhook.alarms",
            "page.folder",
            "page.key",
            "page.proxy",
            "page.listen",
            "page.session_hours",
            "page.max_browsers",
            "fleet.source",
            "fleet.trust",
            "fleet.board",
            "fleet.group",
            "fleet.every_s",
            "fleet.max_mib",
            "fleet.watch_minutes",
            "fleet.max_reject_share",
        ];
        assert_eq!(problems.len(), keys.len(), "{problems:#?}");
        assert!(problems.iter().zip(keys).all(|(said, key)| said.starts_with(key)), "{problems:#?}");
    }

    #[test]
    fn unknown_keys_and_wrong_types_are_named() {
        for (wrong, named) in [
            ("[modbus]\nlisten = \"x\"", "listen"),
            ("[modbus]\nport = 502", "port"),
            ("[modbus]\nlisten = \"0.0.0.0:502\"\nwriters = [\"plc\"]", "writers"),
            ("[mqtt]\nhost = 5", "host"),
            ("\0", "TOML"),
        ] {
            let error = parse(&format!("[line]\nsocket = \"s\"\n{wrong}")).unwrap_err();
            let ConfigError::Syntax { reason, .. } = &error else { panic!("{error}") };
            assert!(reason.contains(named), "{wrong}: {reason}");
        }
        assert!(matches!(Config::load(Path::new("/nowhere")), Err(ConfigError::Io { .. })));
        let error = Config::load(Path::new("/dev/zero")).unwrap_err().to_string();
        assert!(error.contains("not a regular file"), "{error}");
        let folder = tempfile::tempdir().unwrap();
        let large = folder.path().join("large.toml");
        std::fs::write(&large, vec![b'#'; MAX_BYTES as usize + 1]).unwrap();
        assert!(matches!(Config::load(&large), Err(ConfigError::TooLarge { .. })));
    }
}
