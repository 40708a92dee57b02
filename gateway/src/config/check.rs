//! Validates the values of a gateway file.

use std::fmt::Display;
use std::ops::RangeInclusive;

use signing::Key;
use signing::manifest::is_plain_name;

use super::schema::{Config, FleetConfig, MqttConfig, PageConfig, WebhookConfig};
use crate::http::Target;
use crate::line::{LINE_LOST, is_alarm};

/// Returns one sentence for each value that is not allowed.
pub(super) fn problems(config: &Config) -> Vec<String> {
    let mut checker = Checker::default();
    if config.line.socket.as_os_str().is_empty() {
        checker.report("line.socket is empty; give the path in the line file's socket.path");
    }
    if let Some(modbus) = &config.modbus {
        checker.check_range("modbus.max_clients", modbus.max_clients, 1..=1000);
        checker.check_range("modbus.idle_s", modbus.idle_s, 1..=86_400);
    }
    if let Some(mqtt) = &config.mqtt {
        checker.mqtt(mqtt);
    }
    if let Some(webhook) = &config.webhook {
        checker.webhook(webhook);
    }
    if let Some(page) = &config.page {
        checker.page(page);
    }
    if let Some(fleet) = &config.fleet {
        checker.fleet(fleet);
    }
    checker.problems
}

#[derive(Default)]
struct Checker {
    problems: Vec<String>,
}

impl Checker {
    fn report(&mut self, sentence: impl Into<String>) {
        self.problems.push(sentence.into());
    }

    fn check_range<T: PartialOrd + Display>(&mut self, key: &str, value: T, allowed: RangeInclusive<T>) {
        if !allowed.contains(&value) {
            let (low, high) = (allowed.start(), allowed.end());
            self.report(format!("{key} = {value} is not allowed; give {low} to {high}"));
        }
    }

    fn mqtt(&mut self, mqtt: &MqttConfig) {
        if mqtt.host.trim().is_empty() {
            self.report("mqtt.host is empty; give the broker's name or address");
        }
        // Wildcards, and what brokers keep for themselves.
        let is_topic = !mqtt.topic.is_empty()
            && mqtt.topic.len() <= 200
            && !mqtt.topic.contains(['+', '#', '\0'])
            && !mqtt.topic.starts_with(['$', '/'])
            && !mqtt.topic.ends_with('/');
        if !is_topic {
            self.report(format!(
                "mqtt.topic = {:?} is not allowed; give 1 to 200 bytes without + and #, not starting or ending with / and not \
                 starting with $",
                mqtt.topic
            ));
        }
        if mqtt.client_id.is_empty() || mqtt.client_id.len() > 100 {
            self.report(format!("mqtt.client_id = {:?} is not allowed; give 1 to 100 bytes", mqtt.client_id));
        }
        self.check_range("mqtt.keep_alive_s", mqtt.keep_alive_s, 5..=3600);
        self.check_range("mqtt.status_every_s", mqtt.status_every_s, 1..=86_400);
        let most = if mqtt.store_folder.is_some() { 65_536 } else { 256 };
        self.check_range("mqtt.store_mib", mqtt.store_mib, 1..=most);
        self.check_range("mqtt.store_hours", mqtt.store_hours, 1..=8760);
        if mqtt.until_stored && mqtt.store_folder.is_none() {
            self.report("mqtt.until_stored needs mqtt.store_folder; add it, or remove until_stored");
        }
        if mqtt.password_file.is_some() && mqtt.user.is_none() {
            self.report("mqtt.password_file needs mqtt.user; add the user's name");
        }
        if mqtt.ca_file.is_some() && !mqtt.tls {
            self.report("mqtt.ca_file needs mqtt.tls = true; add it, or remove the file");
        }
    }

    fn page(&mut self, page: &PageConfig) {
        if page.folder.as_os_str().is_empty() {
            self.report("page.folder is empty; give the folder for passwords and the log of changes");
        }
        if page.certificate.is_some() != page.key.is_some() {
            self.report("page.key and page.certificate need each other; give both or neither");
        }
        let is_own = page.listen.ip().is_loopback();
        if page.proxy && (!is_own || page.certificate.is_some()) {
            self.report(
                "page.proxy needs a page.listen on this machine, such as 127.0.0.1:8080, and no certificate: the proxy has it",
            );
        }
        if !is_own && page.certificate.is_none() {
            self.report(format!(
                "page.listen = {} would send passwords unencrypted; give page.certificate and page.key, or listen on 127.0.0.1 \
                 behind a proxy with TLS",
                page.listen
            ));
        }
        self.check_range("page.session_hours", page.session_hours, 1..=168);
        self.check_range("page.max_browsers", page.max_browsers, 1..=100);
    }

    fn fleet(&mut self, fleet: &FleetConfig) {
        if fleet.source.is_empty() {
            self.report("fleet.source is empty; give the URL or the path of the fleet's folder");
        }
        if fleet.is_on_server()
            && let Err(e) = Target::parse(&fleet.source)
        {
            self.report(format!("fleet.source is not allowed: {e}"));
        }
        if fleet.trust.is_empty() {
            self.report("fleet.trust is empty; give the public key whose owner publishes for the fleet");
        }
        for key in &fleet.trust {
            if let Err(e) = Key::parse(key) {
                self.report(format!("fleet.trust: {e}"));
            }
        }
        let names = [("fleet.board", Some(&fleet.board)), ("fleet.group", fleet.group.as_ref())];
        for (key, name) in names.into_iter().filter_map(|(key, name)| Some((key, name?))) {
            if !is_plain_name(name) {
                self.report(format!(
                    "{key} = {name:?} is not allowed; give up to 100 letters, digits, -, _ and ., without a leading dot"
                ));
            }
        }
        for (key, path) in [
            ("fleet.inbox", &fleet.inbox),
            ("fleet.records", &fleet.records),
            ("fleet.folder", &fleet.folder),
        ] {
            if path.as_os_str().is_empty() {
                self.report(format!("{key} is empty; give a folder"));
            }
        }
        self.check_range("fleet.every_s", fleet.every_s, 1..=86_400);
        self.check_range("fleet.max_mib", fleet.max_mib, 1..=8192);
        self.check_range("fleet.watch_minutes", fleet.watch_minutes, 1..=10_080);
        self.check_range("fleet.max_reject_share", fleet.max_reject_share, 0.0..=1.0);
    }

    fn webhook(&mut self, webhook: &WebhookConfig) {
        if let Err(e) = Target::parse(&webhook.url) {
            self.report(format!("webhook.url = {:?} is not allowed: {e}", webhook.url));
        }
        for alarm in webhook.alarms.iter().flatten() {
            if !is_alarm(alarm) {
                self.report(format!(
                    "webhook.alarms: {alarm:?} is not an alarm; give {LINE_LOST} or one of {}",
                    shared_format::gateway::ALARMS.join(", ")
                ));
            }
        }
    }
}
