//! The size of a bank.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Minimum size: fewer entries can't cover a part.
const MIN: usize = 16;
/// Maximum size, at which a frame's search costs about ten times the backbone.
const MAX: usize = 65_536;

/// The size of a bank, as a user gives it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub enum BankSize {
    /// A share of all positions of the fit images, 0..=1.
    Share(f64),
    /// At most this many KiB in the model.
    Kibibytes(u32),
    /// At most this many milliseconds of search per tile, on one thread of the machine that fits.
    Milliseconds(f64),
}

impl BankSize {
    /// Returns the number of entries of `dimensions` 32-bit floats (plus one for their square) for `positions`
    /// positions of fit images. `milliseconds` returns the search time per entry.
    #[must_use]
    pub fn entries(self, positions: usize, dimensions: usize, milliseconds: impl FnOnce() -> f64) -> usize {
        let wanted = match self {
            Self::Share(share) => (positions as f64 * share).round() as usize,
            Self::Kibibytes(kib) => kib as usize * 1024 / (4 * (dimensions + 1)),
            Self::Milliseconds(budget) => (budget / milliseconds().max(1e-9)) as usize,
        };
        wanted.clamp(MIN, MAX)
    }
}

/// An invalid bank size.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("invalid bank size `{0}`: expected a share such as 5%, or a budget such as 512KiB or 8ms")]
pub struct BankSizeError(String);

impl fmt::Display for BankSize {
    /// Writes the size as it is parsed.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Share(share) => write!(f, "{}%", share * 100.0),
            Self::Kibibytes(kib) => write!(f, "{kib}KiB"),
            Self::Milliseconds(budget) => write!(f, "{budget}ms"),
        }
    }
}

impl From<BankSize> for String {
    fn from(size: BankSize) -> Self {
        size.to_string()
    }
}

impl TryFrom<String> for BankSize {
    type Error = BankSizeError;

    fn try_from(text: String) -> Result<Self, BankSizeError> {
        text.parse()
    }
}

impl FromStr for BankSize {
    type Err = BankSizeError;

    /// Parses `5%`, `512KiB` or `8ms`.
    fn from_str(text: &str) -> Result<Self, BankSizeError> {
        let refused = || BankSizeError(text.to_owned());
        let positive = |number: &str| number.trim().parse::<f64>().ok().filter(|&n| n > 0.0 && n.is_finite());
        if let Some(share) = text.strip_suffix('%') {
            let share = positive(share).filter(|&share| share <= 100.0).ok_or_else(refused)?;
            return Ok(Self::Share(share / 100.0));
        }
        let (number, unit) =
            text.find(|c: char| c.is_ascii_alphabetic()).map(|at| text.split_at(at)).ok_or_else(refused)?;
        if unit == "ms" {
            return positive(number).map(Self::Milliseconds).ok_or_else(refused);
        }
        let unit = match unit {
            "KiB" => 1.0,
            "MiB" => 1024.0,
            _ => return Err(refused()),
        };
        let kib = positive(number).map(|n| n * unit).filter(|&kib| kib >= 1.0 && kib <= f64::from(u32::MAX));
        kib.map(|kib| Self::Kibibytes(kib as u32)).ok_or_else(refused)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_as_written() {
        assert_eq!("5%".parse(), Ok(BankSize::Share(0.05)));
        assert_eq!("512KiB".parse(), Ok(BankSize::Kibibytes(512)));
        assert_eq!("2.5ms".parse(), Ok(BankSize::Milliseconds(2.5)));
        assert_eq!("1.5MiB".parse(), Ok(BankSize::Kibibytes(1536)));
        for written in ["5%", "7%", "0.1%", "512KiB", "2.5ms"] {
            let size: BankSize = written.parse().unwrap();
            assert_eq!(size.to_string().parse(), Ok(size), "{written}");
        }
        for bad in ["", "5", "0%", "101%", "-1%", "512KB", "KiB", "NaN%", "0KiB", "99999999MiB"] {
            assert!(bad.parse::<BankSize>().is_err(), "{bad}");
        }
    }

    #[test]
    fn entries_fit_the_budget() {
        let entries = BankSize::Kibibytes(512).entries(1_000_000, 127, || 1.0);
        assert_eq!(entries, 1024);
        assert_eq!(BankSize::Share(0.01).entries(102_400, 128, || 1.0), 1024);
        assert_eq!(BankSize::Share(0.01).entries(100, 128, || 1.0), 16);
        assert_eq!(BankSize::Milliseconds(3.0).entries(100, 128, || 0.01), 300);
    }
}
