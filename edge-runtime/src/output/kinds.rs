//! The list of all kinds of output.

use super::OutputKind;
use super::gpio::Gpio;
use super::serial::Serial;
use super::socket::Socket;
use super::stdout::Stdout;

/// All kinds of output in the order in which they are opened: first those whose levels hold the line.
pub const KINDS: [&dyn OutputKind; 4] = [&Gpio, &Stdout, &Serial, &Socket];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::line_file::{LineFile, TEMPLATE};
    use crate::link::Links;

    #[test]
    fn a_line_file_says_which_are_there_and_with_which_devices() {
        let line = |more: &str| -> LineFile { toml::from_str(&format!("{TEMPLATE}\n{more}")).unwrap() };
        let enabled = |line: &LineFile| KINDS.map(|kind| kind.is_enabled(line));
        assert_eq!(enabled(&line("")), [false, true, false, false]);
        let all = "[gpio]\nchip = \"/dev/a\"\ninput_chip = \"/dev/b\"\n[serial]\ndevice = \"/dev/c\"\n[socket]\npath = \"/run/d/line.sock\"";
        let all = line(all);
        assert_eq!(enabled(&all), [true; 4]);
        let devices: Vec<_> = KINDS.iter().flat_map(|kind| kind.devices(&all)).collect();
        let devices: Vec<_> = devices.iter().map(|(key, path)| (*key, path.to_str().unwrap())).collect();
        let expected = [("gpio.chip", "/dev/a"), ("gpio.input_chip", "/dev/b"), ("serial.device", "/dev/c")];
        assert_eq!(devices, expected);
    }

    #[test]
    fn what_a_line_file_does_not_name_is_not_opened() {
        let line: LineFile = toml::from_str(&TEMPLATE.replace("stdout = true", "")).unwrap();
        let links = Links::of(&line).unwrap();
        assert!(KINDS.iter().all(|kind| kind.open(&line, &links).unwrap().is_none()));
    }
}
