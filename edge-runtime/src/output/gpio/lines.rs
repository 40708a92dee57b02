//! Output lines of a GPIO chip, through the kernel's character device.

use std::io;

use gpiocdev::Request;
use gpiocdev::line::{Value, Values};

use crate::gate::Signal;
use crate::line_file::{GpioConfig, Pin, Safe};
use crate::output::Output;

/// Why the output lines can't be requested.
#[derive(Debug, thiserror::Error)]
#[error(
    "cannot take the output lines {lines} of {chip}: {source}; check gpio.chip, the line offsets (`gpioinfo` shows them and \
     their consumers) and that this user may open the chip"
)]
pub struct GpioOutputError {
    chip: String,
    lines: String,
    source: gpiocdev::Error,
}

/// The output lines of one chip. Dropping it drives the safe state. What the lines do after that is up to the chip's driver,
/// so the wiring must be safe without a heartbeat (see `gpio.heartbeat`).
#[derive(Debug)]
pub struct GpioLines {
    /// `None` if the line file names no outputs.
    request: Option<Request>,
    pins: Pins,
    safe: Safe,
}

/// The output lines of a line file.
#[derive(Debug, Clone, Copy)]
struct Pins {
    signals: [(Signal, Option<Pin>); 4],
    heartbeat: Option<Pin>,
}

impl Pins {
    const fn new(gpio: &GpioConfig) -> Self {
        let signals = [
            (Signal::Reject, gpio.reject),
            (Signal::Pass, gpio.pass),
            (Signal::Fault, gpio.fault),
            (Signal::Strobe, gpio.strobe),
        ];
        Self { signals, heartbeat: gpio.heartbeat }
    }

    fn pin(&self, signal: Signal) -> Option<Pin> {
        self.signals.iter().find(|(of, _)| *of == signal).and_then(|(_, pin)| *pin)
    }

    /// Returns every output with its logical level in the safe state; the kernel inverts active-low lines.
    fn safe(&self, safe: Safe) -> impl Iterator<Item = (Pin, bool)> {
        let signals = self.signals.into_iter().map(move |(signal, pin)| (pin, signal.safe_level(safe)));
        signals.chain([(self.heartbeat, false)]).filter_map(|(pin, on)| Some((pin?, on)))
    }
}

impl GpioLines {
    /// Requests all output lines of the line file at once, in the safe state from the first moment.
    ///
    /// # Errors
    /// [`GpioOutputError`].
    pub fn open(gpio: &GpioConfig, safe: Safe) -> Result<Self, GpioOutputError> {
        let pins = Pins::new(gpio);
        let levels: Vec<_> = pins.safe(safe).collect();
        if levels.is_empty() {
            return Ok(Self { request: None, pins, safe });
        }
        let mut builder = Request::builder();
        builder.on_chip(&gpio.chip).with_consumer("nominal");
        for (pin, on) in &levels {
            builder.with_line(pin.line).as_output(Value::from(*on));
            if pin.active_low {
                builder.as_active_low();
            }
        }
        let request = builder.request().map_err(|source| GpioOutputError {
            chip: gpio.chip.display().to_string(),
            lines: levels.iter().map(|(pin, _)| pin.line.to_string()).collect::<Vec<_>>().join(", "),
            source,
        })?;
        Ok(Self { request: Some(request), pins, safe })
    }

    fn drive(&self, pin: Option<Pin>, on: bool) -> io::Result<()> {
        let (Some(request), Some(pin)) = (&self.request, pin) else { return Ok(()) };
        request.set_value(pin.line, Value::from(on)).map_err(io::Error::other)
    }
}

impl Output for GpioLines {
    fn set(&self, signal: Signal, on: bool) -> io::Result<()> {
        self.drive(self.pins.pin(signal), on)
    }

    fn heartbeat(&self, on: bool) -> io::Result<()> {
        self.drive(self.pins.heartbeat, on)
    }

    fn safe_state(&self) -> io::Result<()> {
        let Some(request) = &self.request else { return Ok(()) };
        let mut values = Values::default();
        for (pin, on) in self.pins.safe(self.safe) {
            values.set(pin.line, Value::from(on));
        }
        request.set_values(&values).map_err(io::Error::other)
    }
}

impl Drop for GpioLines {
    fn drop(&mut self) {
        // There is no one left to report an error to.
        let _ = self.safe_state();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn pin(line: u32) -> Option<Pin> {
        Some(Pin { line, active_low: line % 2 == 1 })
    }

    fn gpio() -> GpioConfig {
        GpioConfig {
            chip: "/nowhere/gpiochip9".into(),
            input_chip: None,
            reject: pin(17),
            pass: pin(27),
            fault: pin(22),
            heartbeat: pin(23),
            strobe: None,
            strobe_ms: None,
            trigger: pin(5),
            encoder: None,
            belt: None,
            confirm: None,
            select: vec![],
            debounce_ms: 0.0,
        }
    }

    #[test]
    fn every_output_that_there_is_has_a_safe_level() {
        let levels = |safe| Pins::new(&gpio()).safe(safe).map(|(pin, on)| (pin.line, on)).collect::<Vec<_>>();
        assert_eq!(levels(Safe::Reject), [(17, true), (27, false), (22, true), (23, false)]);
        assert_eq!(levels(Safe::Pass), [(17, false), (27, true), (22, true), (23, false)]);
        let pins = Pins::new(&gpio());
        assert_eq!((pins.pin(Signal::Pass), pins.pin(Signal::Strobe)), (pin(27), None));
    }

    #[test]
    fn a_chip_that_is_not_there_is_named_with_its_lines() {
        let text = GpioLines::open(&gpio(), Safe::Reject).unwrap_err().to_string();
        assert!(text.contains("17, 27, 22, 23") && text.contains("/nowhere/gpiochip9"), "{text}");
    }

    #[test]
    fn a_line_without_outputs_needs_no_chip() {
        let gpio = GpioConfig { reject: None, pass: None, fault: None, heartbeat: None, ..gpio() };
        let lines = GpioLines::open(&gpio, Safe::Reject).unwrap();
        lines.set(Signal::Reject, true).unwrap();
        lines.heartbeat(true).unwrap();
        lines.safe_state().unwrap();
    }
}
