//! How a user asks for parts to be aligned.

use std::fmt;
use std::str::FromStr;

use crate::parse::{by_name, name_of};

/// Which movement of parts is removed before they are judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Align {
    /// Nothing.
    Off,
    /// Shifts.
    Shift,
    /// Shifts and rotations.
    Rigid,
    /// Shifts and rotations, if the normals show that it helps.
    #[default]
    Auto,
}

impl Align {
    const NAMES: [(&'static str, Self); 4] =
        [("off", Self::Off), ("shift", Self::Shift), ("rigid", Self::Rigid), ("auto", Self::Auto)];
}

impl fmt::Display for Align {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(name_of(&Self::NAMES, self))
    }
}

/// An unknown way to align.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown alignment `{0}`; write off, shift, rigid or auto")]
pub struct UnknownAlign(String);

impl FromStr for Align {
    type Err = UnknownAlign;

    fn from_str(text: &str) -> Result<Self, UnknownAlign> {
        by_name(&Self::NAMES, text).ok_or_else(|| UnknownAlign(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_they_are_written() {
        for (name, align) in Align::NAMES {
            assert_eq!(name.parse(), Ok(align));
            assert_eq!(align.to_string(), name);
        }
        assert!("both".parse::<Align>().is_err());
    }
}
