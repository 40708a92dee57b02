//! Versions of programs: three numbers.

use std::fmt::{self, Display, Formatter};

/// A program's version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version(u32, u32, u32);

impl Version {
    /// The first version that reads manifests.
    pub const FIRST: Self = Self(0, 1, 0);

    /// Parses `MAJOR.MINOR.PATCH`; `None` if it is anything else.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let number = |text: &str| {
            let is_plain =
                text.bytes().all(|byte| byte.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
            text.parse().ok().filter(|_| is_plain)
        };
        let mut numbers = text.split('.').map(number);
        let version = Self(numbers.next()??, numbers.next()??, numbers.next()??);
        numbers.next().is_none().then_some(version)
    }

    /// Returns the version of this program, without what follows a `-`.
    #[must_use]
    pub fn of_this_program() -> Self {
        let text = env!("CARGO_PKG_VERSION");
        Self::parse(text.split('-').next().unwrap_or(text)).unwrap_or(Self::FIRST)
    }
}

impl Display for Version {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.0, self.1, self.2)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_have_an_order_and_one_form() {
        let version = |text| Version::parse(text).unwrap();
        assert!(version("0.9.10") > version("0.9.9") && version("1.0.0") > version("0.99.99"));
        assert_eq!(version("0.1.0").to_string(), "0.1.0");
        for wrong in
            ["", "1", "1.2", "1.2.3.4", "1.2.x", "01.2.3", "+1.2.3", "1..3", "4294967296.0.0", "1.2.3-a"]
        {
            assert_eq!(Version::parse(wrong), None, "{wrong}");
        }
        assert!(Version::of_this_program() >= Version::FIRST);
        assert_eq!(Version::of_this_program().to_string(), env!("CARGO_PKG_VERSION"));
    }
}
