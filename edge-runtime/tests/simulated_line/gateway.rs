//! A gateway that was taken over: it sends commands and garbage as it likes, as bytes on the socket.

use std::sync::mpsc::{Receiver, channel};

use bundle::seeded::Seeded;
use edge_runtime::clock::Moment;
use edge_runtime::gate::Gate;
use edge_runtime::input::EventKind;
use edge_runtime::input::gateway::GatewayCommands;
use edge_runtime::line_file::{LineFile, TEMPLATE};
use shared_format::gateway::{Command, Decoder, GatewayMessage, MAX_LEN, Message};

pub struct HostileGateway {
    commands: GatewayCommands,
    decoder: Decoder,
    events: Receiver<EventKind>,
    random: Seeded,
    /// How many of its commands were carried out.
    pub carried_out: u64,
}

impl HostileGateway {
    pub fn new(seed: u64) -> Self {
        let text = format!("{TEMPLATE}\n[socket]\npath = \"s\"\naccept = [\"product\", \"acknowledge\"]");
        let line: LineFile = toml::from_str(&text).unwrap();
        let (sender, events) = channel();
        let commands = GatewayCommands::new(&line, Box::new(move |event| sender.send(event.kind).unwrap()));
        Self { commands, decoder: Decoder::default(), events, random: Seeded::new(seed, 3), carried_out: 0 }
    }

    /// Sends something; what the line accepts of it reaches the gate.
    pub fn attack(&mut self, now: Moment, gate: &mut Gate) {
        let mut buffer = [0; MAX_LEN];
        let mut bytes = self.message().encode(&mut buffer).unwrap().to_vec();
        if self.random.below(4) == 0 {
            let at = self.random.below(bytes.len());
            bytes[at] ^= 1 << self.random.below(8);
        }
        for byte in bytes {
            if let Some(Ok(GatewayMessage::Command { command, .. })) = self.decoder.push(byte) {
                self.commands.execute(command, now);
            }
        }
        for event in self.events.try_iter() {
            self.carried_out += 1;
            match event {
                EventKind::Acknowledge => gate.acknowledge(),
                EventKind::Product(0) => {}
                other => panic!("the line doesn't accept {other:?}"),
            }
        }
    }

    fn message(&mut self) -> GatewayMessage {
        let value = self.random.below(1 << 16) as u16;
        let command = match self.random.below(6) {
            0 => return GatewayMessage::Subscribe,
            1 => Command::Trigger { count: value.max(1) },
            2 => Command::Encoder { count: value.into() },
            3 => Command::Product { index: value % 3 },
            4 => Command::Challenge,
            _ => Command::Acknowledge,
        };
        GatewayMessage::Command { number: value.into(), command }
    }
}
