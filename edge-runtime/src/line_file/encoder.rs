//! Encoder settings derived from the line file: where ticks come from, and when the encoder counts as silent.

use std::time::Duration;

use shared_format::gateway::CommandKind;

use super::{LineFile, Trigger};
use crate::clock::milliseconds;

/// Default time within which a running belt must give a tick: encoders on lines give tens to thousands of ticks per second,
/// and even a belt that is just starting has turned its encoder by then.
const DEFAULT_SILENCE: Duration = Duration::from_millis(500);

impl LineFile {
    /// Whether the encoder's counts come from the serial port.
    #[must_use]
    pub fn encoder_by_serial(&self) -> bool {
        self.encoder_by_peer() && !self.accepts(CommandKind::Encoder)
    }

    /// Whether the encoder's counts come from the gateway.
    #[must_use]
    pub fn encoder_by_socket(&self) -> bool {
        self.encoder_by_peer() && self.accepts(CommandKind::Encoder)
    }

    /// Whether the gateway provides triggers or encoder counts.
    #[must_use]
    pub fn needs_socket(&self) -> bool {
        matches!(self.trigger, Trigger::Socket { .. }) || self.encoder_by_socket()
    }

    /// Whether commands of this kind are accepted from the gateway.
    #[must_use]
    pub fn accepts(&self, kind: CommandKind) -> bool {
        self.socket.as_ref().is_some_and(|socket| socket.accept.contains(&kind))
    }

    fn encoder_by_peer(&self) -> bool {
        let by_gpio = self.gpio.as_ref().is_some_and(|gpio| gpio.encoder.is_some());
        self.gate.distance_ticks.is_some() && !by_gpio
    }

    /// Whether the serial port provides triggers or encoder counts.
    #[must_use]
    pub fn needs_serial(&self) -> bool {
        matches!(self.trigger, Trigger::Serial { .. }) || self.encoder_by_serial()
    }

    /// Returns the time without a tick after which the encoder counts as silent although the belt must be moving. `None` if
    /// that isn't monitored: without ticks, or without a belt input unless the line file sets a limit.
    #[must_use]
    pub fn encoder_silent(&self) -> Option<Duration> {
        self.gate.distance_ticks?;
        let belt = self.gpio.as_ref().is_some_and(|gpio| gpio.belt.is_some());
        self.gate.encoder_silent_ms.map(milliseconds).or(belt.then_some(DEFAULT_SILENCE))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::line_file::TEMPLATE;

    fn line(change: impl Fn(String) -> String) -> LineFile {
        toml::from_str(&change(TEMPLATE.to_owned())).unwrap()
    }

    fn by_ticks(gate: &str, gpio: &str) -> LineFile {
        let ticks = format!("distance_ticks = 1000\n{gate}");
        line(|text| text.replace("delay_ms = 400", &ticks) + "\n" + gpio)
    }

    const BELT: &str = "[gpio]\nchip = \"/dev/gpiochip0\"\nbelt = { line = 13 }";
    const ENCODER: &str = "[gpio]\nchip = \"/dev/gpiochip0\"\nencoder = { line = 6 }";

    #[test]
    fn the_serial_port_is_needed_for_triggers_and_for_ticks_that_nothing_else_brings() {
        assert!(!line(|text| text).needs_serial());
        assert!(
            line(|text| text.replace("kind = \"interval\"\nevery_ms = 500", "kind = \"serial\""))
                .needs_serial()
        );
        assert!(by_ticks("", "").needs_serial() && by_ticks("", BELT).encoder_by_serial());
        assert!(!by_ticks("", ENCODER).needs_serial());
    }

    #[test]
    fn the_gateway_is_needed_for_triggers_and_for_the_ticks_that_it_is_to_bring() {
        let socket = "[socket]\npath = \"x\"\naccept = [\"encoder\"]";
        let by_gateway = by_ticks("", socket);
        assert!(by_gateway.encoder_by_socket() && by_gateway.needs_socket() && !by_gateway.needs_serial());
        assert!(!by_ticks("", &format!("{ENCODER}\n{socket}")).needs_socket());
        assert!(!line(|text| text + socket).needs_socket(), "no ticks");
        let every = "kind = \"interval\"\nevery_ms = 500";
        assert!(line(|text| text.replace(every, "kind = \"socket\"")).needs_socket());
    }

    #[test]
    fn a_silent_encoder_is_watched_for_with_a_belt_input_or_a_limit() {
        assert_eq!(line(|text| text + BELT).encoder_silent(), None, "no ticks");
        assert_eq!(by_ticks("", ENCODER).encoder_silent(), None);
        assert_eq!(by_ticks("", BELT).encoder_silent(), Some(DEFAULT_SILENCE));
        let given = Some(Duration::from_millis(80));
        assert_eq!(by_ticks("encoder_silent_ms = 80", "").encoder_silent(), given);
        assert_eq!(by_ticks("encoder_silent_ms = 80", BELT).encoder_silent(), given);
    }
}
