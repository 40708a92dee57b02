//! What the registers, inputs and coils hold. `docs/plc.md` documents it; its version is in the first register.

use shared_format::gateway::{Answer, Camera, HELD, LineStatus, Outcome, PartMessage};
use shared_format::{Disposition, Verdict};

use crate::config::WordOrder;
use crate::line::{LineState, RECENT};

/// The version of the map: changed if a register changes its meaning, not if one is added.
pub const VERSION: u16 = 1;
/// The number of input registers before the recent parts.
const RECENT_AT: usize = 100;
/// Registers of a recent part.
const PER_PART: usize = 8;
/// The number of input registers.
const INPUTS: usize = RECENT_AT + RECENT * PER_PART;
/// The first holding register of the copy of the input registers.
const COPY_AT: u16 = 100;
/// The number of discrete inputs.
const DISCRETES: u16 = 32;
/// The number of coils that can be read.
pub(super) const COILS: u16 = 18;

/// The registers, inputs and coils at a moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    inputs: [u16; INPUTS],
    holding: [u16; 6],
    discretes: u32,
    coils: u32,
}

impl Image {
    /// Takes them from the line's state; `holding` are the registers that clients write.
    #[must_use]
    pub fn of(line: &LineState, order: WordOrder, holding: [u16; 6]) -> Self {
        let status = line.status.as_ref().filter(|_| line.connected);
        let alarms = status.map_or(0, |status| status.alarms);
        let last = line.recent.front();
        let bits = status_bits(line.connected, status, last);
        let heartbeat = line.statuses as u16;
        let is_ng = last.is_some_and(|part| part.telegram.disposition == Disposition::Reject);
        let coils = [is_ng, heartbeat & 1 == 1, bits & 2 != 0, bits & 4 != 0];
        let mut holding = holding;
        if let Some([product, ..]) = holding.first_chunk_mut::<1>()
            && let Some(status) = status
        {
            *product = status.product;
        }
        Self {
            inputs: inputs(line, order, bits, heartbeat),
            holding,
            discretes: u32::from(bits) | u32::from(alarms) << 16,
            coils: coils.iter().rev().fold(0, |all, on| all << 1 | u32::from(*on)),
        }
    }

    /// Returns input registers; `None` if one of them doesn't exist.
    pub fn inputs(&self, address: u16, count: u16) -> Option<&[u16]> {
        let start = usize::from(address);
        self.inputs.get(start..start + usize::from(count))
    }

    /// Returns holding registers; `None` if one of them doesn't exist.
    pub fn holding(&self, address: u16, count: u16) -> Option<&[u16]> {
        if let Some(address) = address.checked_sub(COPY_AT) {
            return self.inputs(address, count);
        }
        let start = usize::from(address);
        self.holding.get(start..start + usize::from(count))
    }

    /// Returns discrete inputs, the first in the lowest bit; `None` if one of them doesn't exist.
    #[must_use]
    pub fn discretes(&self, address: u16, count: u16) -> Option<u32> {
        bits_of(self.discretes, DISCRETES, address, count)
    }

    /// Returns coils, the first in the lowest bit; `None` if one of them doesn't exist.
    #[must_use]
    pub fn coils(&self, address: u16, count: u16) -> Option<u32> {
        bits_of(self.coils, COILS, address, count)
    }
}

fn bits_of(bits: u32, all: u16, address: u16, count: u16) -> Option<u32> {
    let exist = address < all && count <= all - address;
    exist.then(|| {
        let mask = if count >= 32 { u32::MAX } else { (1 << count) - 1 };
        bits >> address & mask
    })
}

/// Status bits: register 2 and discrete inputs 0 to 15.
fn status_bits(connected: bool, status: Option<&LineStatus>, last: Option<&PartMessage>) -> u16 {
    let alarms = status.map_or(0, |status| status.alarms);
    let bits = [
        connected,
        status.is_some() && alarms & HELD == 0,
        !connected || alarms != 0,
        status.is_some_and(|status| status.camera == Camera::Live),
        status.is_some_and(|status| status.challenge_left > 0),
        last.is_some_and(|part| part.telegram.disposition == Disposition::Pass),
        last.is_some_and(|part| part.telegram.disposition == Disposition::Reject),
    ];
    bits.iter().rev().fold(0, |all, on| all << 1 | u16::from(*on))
}

/// Fills registers from the start.
struct Filler<'r> {
    registers: std::slice::IterMut<'r, u16>,
    order: WordOrder,
}

impl Filler<'_> {
    fn word(&mut self, value: u16) {
        if let Some(register) = self.registers.next() {
            *register = value;
        }
    }

    fn long(&mut self, value: u32) {
        let (high, low) = ((value >> 16) as u16, value as u16);
        let [first, second] = match self.order {
            WordOrder::HighFirst => [high, low],
            WordOrder::LowFirst => [low, high],
        };
        self.word(first);
        self.word(second);
    }

    fn float(&mut self, value: Option<f32>) {
        self.long(value.unwrap_or(0.0).to_bits());
    }

    /// The lowest 32 bits of a counter, which wraps.
    fn counter(&mut self, value: u64) {
        self.long(value as u32);
    }
}

fn inputs(line: &LineState, order: WordOrder, bits: u16, heartbeat: u16) -> [u16; INPUTS] {
    let mut inputs = [0; INPUTS];
    let (first, recent) = inputs.split_at_mut(RECENT_AT);
    let mut fill = Filler { registers: first.iter_mut(), order };
    let status = line.status.as_ref();
    let last = line.recent.front();
    let telegram = last.map(|part| &part.telegram);
    fill.word(VERSION);
    fill.word(heartbeat);
    fill.word(bits);
    fill.word(status.map_or(0, |status| status.alarms));
    fill.word(status.map_or(0, |status| status.product));
    fill.word(line.parts as u16);
    // The last part.
    fill.counter(telegram.map_or(0, |telegram| telegram.part));
    fill.long(telegram.map_or(0, |telegram| telegram.run));
    fill.word(last.map_or(0, disposition));
    fill.word(last.map_or(0, verdict));
    fill.word(telegram.map_or(0, |telegram| telegram.reason as u16));
    fill.word(telegram.map_or(0, |telegram| telegram.product));
    fill.float(telegram.and_then(|telegram| telegram.score));
    fill.float(telegram.and_then(|telegram| telegram.threshold));
    fill.long(last.and_then(|part| part.capture_to_release_us).unwrap_or(0));
    fill.long(last.map_or(0, |part| part.trigger_to_release_us));
    fill.long(last.map_or(0, |part| part.lateness_us));
    // Registers 24 and 25: what became of the last command.
    let (number, outcome) = line.last_answer.map_or((0, 0), |answer| (answer.number as u16, code(answer)));
    fill.word(number);
    fill.word(outcome);
    // From register 26: counters over all runs.
    let counters = status.map(|status| status.counters).unwrap_or_default();
    for counter in [
        counters.triggered,
        counters.passed,
        counters.rejected,
        counters.faults,
        counters.missing,
        counters.overflowed,
        counters.held,
        counters.missed,
        counters.triggers_lost,
        counters.tracking_lost,
        counters.challenged,
        counters.challenges_missed,
        counters.swept,
        counters.unconfirmed,
        line.reports_lost,
    ] {
        fill.counter(counter);
    }
    // From register 56: each stage's median and 99th percentile.
    for latency in &line.latencies {
        let latency = latency.unwrap_or_default();
        fill.long(latency.p50_us);
        fill.long(latency.p99_us);
    }
    for (registers, part) in recent.chunks_exact_mut(PER_PART).zip(&line.recent) {
        let mut fill = Filler { registers: registers.iter_mut(), order };
        fill.counter(part.telegram.part);
        fill.word(disposition(part) << 8 | verdict(part));
        fill.word(part.telegram.reason as u16);
        fill.word(part.telegram.product);
        fill.word(part.frames);
        fill.float(part.telegram.score);
    }
    inputs
}

/// 1: passed, 2: rejected.
fn disposition(part: &PartMessage) -> u16 {
    match part.telegram.disposition {
        Disposition::Pass => 1,
        Disposition::Reject => 2,
    }
}

/// 0: none in time, 1: pass, 2: reject, 3: fault.
fn verdict(part: &PartMessage) -> u16 {
    match part.telegram.verdict {
        None => 0,
        Some(Verdict::Pass) => 1,
        Some(Verdict::Reject) => 2,
        Some(Verdict::Fault) => 3,
    }
}

/// 1: done, 2: switched off, 3: refused, 4: encoder jump.
fn code(answer: Answer) -> u16 {
    match answer.outcome {
        Outcome::Done | Outcome::Begun => 1,
        Outcome::SwitchedOff => 2,
        Outcome::Jump => 4,
        // The others answer decisions on records, which no PLC takes.
        Outcome::Refused | Outcome::Gone | Outcome::Decided | Outcome::Busy | Outcome::Failed => 3,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::line::tests::{line, part, status};
    use shared_format::gateway::LineMessage;

    fn image(line: &LineState) -> Image {
        Image::of(line, WordOrder::HighFirst, [0; 6])
    }

    #[test]
    fn the_registers_are_where_the_documentation_says() {
        let image = image(&line(0));
        let register = |address| image.inputs(address, 1).unwrap()[0];
        let long = |address| u32::from(register(address)) << 16 | u32::from(register(address + 1));
        assert_eq!([0, 1, 2, 3, 4, 5].map(register), [1, 1, 0b100_1011, 0, 1, 1]);
        assert_eq!((long(6), long(8)), (70_001, 7));
        assert_eq!([10, 11, 12, 13].map(register), [2, 2, 0, 1]);
        assert_eq!([14, 16].map(|at| f32::from_bits(long(at))), [0.875, 0.5]);
        assert_eq!([18, 20, 22].map(long), [31_000, 400_012, 12]);
        assert_eq!([26, 28, 30].map(long), [70_000, 69_990, 9]);
        assert_eq!(long(100), 70_001);
        assert_eq!([102, 103, 104, 105].map(register), [0x0202, 0, 1, 1]);
        assert_eq!(f32::from_bits(long(106)), 0.875);
        assert_eq!(long(108), 0, "there was only one part");
        assert_eq!((image.inputs(219, 1), image.inputs(219, 2)), (Some(&[0][..]), None));
        // Every input register can be read as a holding register, too.
        assert_eq!(image.holding(100, 100), image.inputs(0, 100));
        assert_eq!(image.holding(0, 6), Some(&[1, 0, 0, 0, 0, 0][..]));
        assert_eq!(
            (image.holding(5, 2), image.holding(99, 2), image.holding(u16::MAX, 1)),
            (None, None, None)
        );
    }

    #[test]
    fn the_words_of_long_values_can_be_swapped() {
        let image = Image::of(&line(0), WordOrder::LowFirst, [0; 6]);
        assert_eq!(image.inputs(6, 2), Some(&[(70_001 & 0xffff) as u16, 1][..]));
    }

    #[test]
    fn bits_tell_what_the_registers_tell() {
        let mut line = line(0);
        assert_eq!(image(&line).discretes(0, 32), Some(0b100_1011));
        assert_eq!(image(&line).coils(0, 4), Some(0b0111));
        line.apply(LineMessage::Status(status(0b10, 1, 0)), &mut vec![]);
        assert_eq!(image(&line).discretes(0, 32), Some(0b10 << 16 | 0b100_1101));
        assert_eq!(image(&line).discretes(17, 1), Some(1));
        assert_eq!(image(&line).coils(0, 4), Some(0b1001));
        let mut good = part(70_002);
        good.telegram.disposition = Disposition::Pass;
        line.apply(LineMessage::Part(good), &mut vec![]);
        assert_eq!(image(&line).coils(0, 1), Some(0));
        line.disconnect(&mut vec![]);
        assert_eq!(image(&line).discretes(0, 5), Some(0b00100), "not connected is a fault");
        for (address, count) in [(0, 33), (31, 2), (32, 1), (u16::MAX, 1)] {
            assert_eq!(image(&line).discretes(address, count), None);
        }
        assert_eq!((image(&line).coils(17, 1), image(&line).coils(17, 2)), (Some(0), None));
    }

    #[test]
    fn a_gateway_that_knows_nothing_says_so() {
        let image = image(&LineState::default());
        assert_eq!(image.inputs(0, 6), Some(&[1, 0, 0b100, 0, 0, 0][..]));
        assert!(image.inputs(6, 125).unwrap().iter().all(|register| *register == 0));
    }
}
