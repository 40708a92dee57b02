//! What writing registers and coils asks of the line.
//!
//! All of it goes by change, so that a PLC can write the whole block in each of its cycles.

use shared_format::gateway::Command;

use crate::config::WordOrder;
use crate::line::{CommandError, Hub};

const PRODUCT: usize = 0;
const TRIGGERS: usize = 1;
const ACKNOWLEDGE: usize = 2;
const CHALLENGE: usize = 3;
const ENCODER: usize = 4;
/// The first coil that can be written; it and the next are the registers [`ACKNOWLEDGE`] and [`CHALLENGE`].
const FIRST_COIL: u16 = 16;

/// A request to write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Write {
    /// Registers from this address on.
    Registers(u16, Vec<u16>),
    /// Coils from this address on.
    Coils(u16, Vec<bool>),
}

/// Why a write is refused: the exception that the client gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// The client may not write, or the line doesn't accept the command: exception 1.
    NotAllowed,
    /// There is no such register or coil to write: exception 2.
    Address,
    /// The value is not allowed: exception 3.
    Value,
    /// Too many commands wait for the line: exception 6.
    Busy,
    /// The line is not connected: exception 11.
    NoLine,
}

impl From<CommandError> for Refusal {
    fn from(error: CommandError) -> Self {
        match error {
            CommandError::NotConnected => Self::NoLine,
            CommandError::SwitchedOff => Self::NotAllowed,
            CommandError::Busy => Self::Busy,
        }
    }
}

/// The registers that clients write, as they were written last.
#[derive(Debug, Clone)]
pub struct Writes {
    registers: [u16; 6],
    /// The trigger count that the next difference is taken from.
    triggers: Option<u16>,
    order: WordOrder,
}

impl Writes {
    /// Starts with nothing written.
    #[must_use]
    pub const fn new(order: WordOrder) -> Self {
        Self { registers: [0; 6], triggers: None, order }
    }

    /// Returns the registers as they were written last.
    #[must_use]
    pub const fn registers(&self) -> [u16; 6] {
        self.registers
    }

    /// Carries out a write. If one of its values is not allowed, none is written; if a command can't be passed on, those
    /// before it have been.
    ///
    /// # Errors
    /// [`Refusal`]
    pub fn write(&mut self, write: &Write, hub: &Hub) -> Result<(), Refusal> {
        match write {
            Write::Registers(address, values) => self.write_registers(usize::from(*address), values, hub),
            Write::Coils(address, values) => {
                let first = address.checked_sub(FIRST_COIL).ok_or(Refusal::Address)?;
                let first = usize::from(first) + ACKNOWLEDGE;
                if first + values.len() > ENCODER {
                    return Err(Refusal::Address);
                }
                let values: Vec<u16> = values.iter().map(|on| u16::from(*on)).collect();
                self.write_registers(first, &values, hub)
            }
        }
    }

    fn write_registers(&mut self, first: usize, values: &[u16], hub: &Hub) -> Result<(), Refusal> {
        let mut new = self.registers;
        let written = new.get_mut(first..first + values.len()).ok_or(Refusal::Address)?;
        written.copy_from_slice(values);
        let is_written = |register: usize| (first..first + values.len()).contains(&register);
        // Half an encoder count would be a jump.
        if is_written(ENCODER) != is_written(ENCODER + 1) {
            return Err(Refusal::Value);
        }
        let [product, triggers, acknowledge, challenge, high, low] = new;
        if is_written(PRODUCT) {
            self.select(product, hub)?;
        }
        if is_written(TRIGGERS) {
            self.trigger(triggers, hub)?;
        }
        for (register, value, command) in
            [(ACKNOWLEDGE, acknowledge, Command::Acknowledge), (CHALLENGE, challenge, Command::Challenge)]
        {
            if is_written(register) && value != 0 && self.registers.get(register) != Some(&value) {
                hub.command(command)?;
            }
            self.set(register, value);
        }
        if is_written(ENCODER) {
            let (high, low) = match self.order {
                WordOrder::HighFirst => (high, low),
                WordOrder::LowFirst => (low, high),
            };
            hub.command(Command::Encoder { count: u32::from(high) << 16 | u32::from(low) })?;
        }
        self.registers = new;
        Ok(())
    }

    fn set(&mut self, register: usize, value: u16) {
        if let Some(register) = self.registers.get_mut(register) {
            *register = value;
        }
    }

    /// Selects a product, unless it is selected already.
    fn select(&self, product: u16, hub: &Hub) -> Result<(), Refusal> {
        let (products, current) = {
            let line = hub.line();
            (line.products.len(), line.status.map(|status| status.product))
        };
        if !hub.line().connected {
            return Err(Refusal::NoLine);
        }
        if usize::from(product) >= products {
            return Err(Refusal::Value);
        }
        if current != Some(product) {
            hub.command(Command::Product { index: product })?;
        }
        Ok(())
    }

    /// Takes a trigger count. The first one only sets the starting point, and so does one that ran back.
    fn trigger(&mut self, count: u16, hub: &Hub) -> Result<(), Refusal> {
        let Some(last) = self.triggers.replace(count) else { return Ok(()) };
        match count.wrapping_sub(last) {
            0 => Ok(()),
            parts @ 1..=0x7fff => {
                hub.command(Command::Trigger { count: parts })?;
                Ok(())
            }
            _ => Err(Refusal::Value),
        }
    }
}

#[cfg(test)]
mod tests {
    use shared_format::gateway::{GatewayMessage, LineMessage};

    use super::*;
    use crate::line::CommandQueue;
    use crate::line::tests::{hello, status};

    struct Fixture {
        writes: Writes,
        hub: Hub,
        queue: CommandQueue,
    }

    impl Fixture {
        fn new(accepts: u16) -> Self {
            let (hub, queue) = Hub::new();
            hub.apply(hello(accepts));
            hub.apply(LineMessage::Status(status(0, 0, 0)));
            Self { writes: Writes::new(WordOrder::HighFirst), hub, queue }
        }

        fn registers(&mut self, address: u16, values: &[u16]) -> Result<(), Refusal> {
            self.writes.write(&Write::Registers(address, values.to_vec()), &self.hub)
        }

        fn commands(&mut self) -> Vec<Command> {
            let next = || match self.queue.try_recv() {
                Ok(GatewayMessage::Command { command, .. }) => Some(command),
                _ => None,
            };
            std::iter::from_fn(next).collect()
        }
    }

    #[test]
    fn the_whole_block_can_be_written_in_each_cycle_and_only_changes_count() {
        let mut plc = Fixture::new(31);
        plc.registers(0, &[0, 5, 0, 0, 0, 100]).unwrap();
        assert_eq!(plc.commands(), [Command::Encoder { count: 100 }]);
        plc.registers(0, &[1, 6, 1, 0, 1, 0]).unwrap();
        let all = [
            Command::Product { index: 1 },
            Command::Trigger { count: 1 },
            Command::Acknowledge,
            Command::Encoder { count: 0x1_0000 },
        ];
        assert_eq!(plc.commands(), all);
        plc.hub.apply(LineMessage::Status(status(0, 1, 0)));
        plc.registers(0, &[1, 6, 1, 1, 1, 0]).unwrap();
        assert_eq!(plc.commands(), [Command::Challenge, Command::Encoder { count: 0x1_0000 }]);
        plc.registers(2, &[0, 0]).unwrap();
        plc.registers(2, &[1]).unwrap();
        assert_eq!(plc.commands(), [Command::Acknowledge]);
    }

    #[test]
    fn triggers_that_were_not_reported_one_by_one_are_told_with_their_number() {
        let mut plc = Fixture::new(31);
        for (count, expected) in [
            (65_534, Ok(vec![])),
            (65_534, Ok(vec![])),
            (65_535, Ok(vec![Command::Trigger { count: 1 }])),
            (2, Ok(vec![Command::Trigger { count: 3 }])),
            (1, Err(Refusal::Value)),
            (2, Ok(vec![Command::Trigger { count: 1 }])),
        ] {
            let written = plc.registers(1, &[count]);
            let commands = plc.commands();
            assert_eq!(written.map(|()| commands), expected, "{count}");
        }
    }

    #[test]
    fn what_is_out_of_range_or_not_accepted_is_refused_and_changes_nothing() {
        let mut plc = Fixture::new(0);
        for (address, values, refusal) in [
            (6, &[0][..], Refusal::Address),
            (0, &[0; 7], Refusal::Address),
            (5, &[1, 2], Refusal::Address),
            (u16::MAX, &[1], Refusal::Address),
            (0, &[2], Refusal::Value),
            (4, &[1], Refusal::Value),
            (5, &[1], Refusal::Value),
            (0, &[1], Refusal::NotAllowed),
            (2, &[1], Refusal::NotAllowed),
            (4, &[1, 1], Refusal::NotAllowed),
        ] {
            assert_eq!(plc.registers(address, values), Err(refusal), "{address}: {values:?}");
        }
        assert!(plc.commands().is_empty());
        assert_eq!(plc.writes.registers(), [0; 6]);
        // What changes nothing needs no permission.
        plc.registers(0, &[0, 0, 0, 0]).unwrap();
        plc.hub.disconnect();
        assert_eq!(plc.registers(0, &[0]), Err(Refusal::NoLine));
        assert_eq!(plc.registers(2, &[1]), Err(Refusal::NoLine));
    }

    #[test]
    fn coils_are_momentary_switches() {
        let mut plc = Fixture::new(31);
        let mut coils = |address, values: &[bool]| {
            let written = plc.writes.write(&Write::Coils(address, values.to_vec()), &plc.hub);
            let mut commands = vec![];
            while let Ok(GatewayMessage::Command { command, .. }) = plc.queue.try_recv() {
                commands.push(command);
            }
            written.map(|()| commands)
        };
        assert_eq!(coils(16, &[true]), Ok(vec![Command::Acknowledge]));
        assert_eq!(coils(16, &[true, true]), Ok(vec![Command::Challenge]));
        assert_eq!(coils(16, &[false, false]), Ok(vec![]));
        assert_eq!(coils(17, &[true]), Ok(vec![Command::Challenge]));
        for (address, count) in [(0, 1), (15, 2), (16, 3), (18, 1)] {
            assert_eq!(coils(address, &vec![true; count]), Err(Refusal::Address), "{address}");
        }
    }
}
