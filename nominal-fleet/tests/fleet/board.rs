//! A board: a line, and the gateway's real tasks beside it, which can be killed and started again.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use gateway::config::{FleetConfig, LineConfig, MqttConfig};
use gateway::fleet::Follower;
use gateway::line::{Event, Hub, client};
use gateway::mqtt;
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::line::Line;
use super::workshop::{NAME, Workshop};

pub struct Board {
    pub line: Arc<Line>,
    pub name: String,
    folder: PathBuf,
    fleet: FleetConfig,
    mqtt: Option<MqttConfig>,
    gateway: Option<Gateway>,
}

/// A running gateway.
struct Gateway {
    tasks: JoinSet<()>,
    hub: Hub,
    /// Dropped with the gateway; a gateway that is stopped on purpose would say so first.
    _stop: watch::Sender<bool>,
}

/// What a board's gateway is set up for.
#[derive(Clone)]
pub struct Settings {
    pub source: String,
    pub group: Option<String>,
    pub broker_port: Option<u16>,
    pub every_s: u32,
}

impl Board {
    pub fn new(workshop: &Workshop, name: &str, bundle: &Path, settings: &Settings) -> Self {
        let folder = workshop.path(&format!("boards/{name}"));
        let line = Line::start(&folder, bundle, &workshop.trust);
        let fleet = FleetConfig {
            source: settings.source.clone(),
            ca_file: None,
            trust: vec![format!("{} office", workshop.key())],
            board: name.to_owned(),
            group: settings.group.clone(),
            inbox: folder.join("inbox"),
            records: folder.join("records"),
            folder: folder.join("gateway"),
            every_s: settings.every_s,
            max_mib: 1,
            watch_minutes: 60,
            max_reject_share: 0.1,
        };
        let mqtt = settings.broker_port.map(|port| MqttConfig {
            host: "127.0.0.1".to_owned(),
            port: Some(port),
            topic: format!("nominal/{name}"),
            client_id: name.to_owned(),
            user: None,
            password_file: None,
            tls: false,
            ca_file: None,
            keep_alive_s: 30,
            status_every_s: 3600,
            store_folder: Some(folder.join("store")),
            store_mib: 4,
            store_hours: 24,
            until_stored: true,
            commands: false,
        });
        Self { line, name: name.to_owned(), folder, fleet, mqtt, gateway: None }
    }

    /// Starts the gateway.
    pub fn start(&mut self) {
        let (hub, commands) = Hub::new();
        let mut tasks = JoinSet::new();
        let (stop, stopped) = watch::channel(false);
        if let Some(config) = self.mqtt.clone() {
            let client = mqtt::Client::new(config, hub.clone()).unwrap();
            tasks.spawn(client.run(stopped));
        }
        let follower = Follower::new(self.fleet.clone(), hub.clone()).unwrap();
        tasks.spawn(async move { follower.run().await });
        let line = LineConfig { socket: self.folder.join("line.sock") };
        tasks.spawn(client(line, hub.clone(), commands));
        self.gateway = Some(Gateway { tasks, hub, _stop: stop });
    }

    /// Ends the gateway at whatever it is doing.
    pub async fn kill(&mut self) {
        if let Some(mut gateway) = self.gateway.take() {
            gateway.tasks.shutdown().await;
        }
    }

    /// Returns what happens at the gateway from now on.
    pub fn events(&self) -> tokio::sync::broadcast::Receiver<Event> {
        self.gateway.as_ref().unwrap().hub.events()
    }

    /// Returns what the gateway keeps over a restart.
    pub fn kept(&self) -> serde_json::Value {
        let bytes = std::fs::read(self.folder.join("gateway/fleet.json"));
        bytes.map_or(serde_json::Value::Null, |bytes| serde_json::from_slice(&bytes).unwrap())
    }

    pub fn inbox(&self) -> PathBuf {
        self.folder.join("inbox").join(NAME)
    }
}
