//! Whether a bundle that was just installed rejects too much.

use serde::{Deserialize, Serialize};

/// A bundle that is watched since it was installed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Trial {
    /// The product's name.
    pub product: String,
    /// The bundle's serial number.
    pub serial: u64,
    /// What identifies the bundle: the SHA-256 of its threshold file, in hexadecimal.
    pub identity: String,
    /// Whether the line has begun to judge with it.
    pub begun: bool,
    /// Seconds that the line has judged with it. Not the time of day: a board's clock may jump.
    pub seconds: u64,
    /// Parts that were judged with it, or should have been.
    pub parts: u64,
    /// Those among them that were rejected, or couldn't be judged in time.
    pub rejected: u64,
    /// An alarm that speaks against it.
    pub alarm: Option<String>,
    /// Why the board is going back.
    pub back: Option<String>,
}

/// What becomes of a bundle on trial.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Judgement {
    /// Too little is known yet.
    Wait,
    /// It stays.
    Passed,
    /// The board goes back to the bundle before it.
    GoBack(String),
}

/// Limits of a trial.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Limits {
    /// How long a bundle is watched, in seconds.
    pub seconds: u64,
    /// The share of parts that may be rejected.
    pub max_share: f64,
}

impl Trial {
    /// Begins with a bundle that the line doesn't use yet.
    #[must_use]
    pub fn new(product: &str, serial: u64, identity: &str) -> Self {
        Self {
            product: product.to_owned(),
            serial,
            identity: identity.to_owned(),
            begun: false,
            seconds: 0,
            parts: 0,
            rejected: 0,
            alarm: None,
            back: None,
        }
    }

    /// Judges the bundle by what the line has done with it so far.
    #[must_use]
    pub fn judge(&self, limits: Limits) -> Judgement {
        if let Some(alarm) = &self.alarm {
            return Judgement::GoBack(format!("the alarm {alarm} was raised"));
        }
        if lowest_share(self.rejected, self.parts) > limits.max_share {
            return Judgement::GoBack(format!(
                "{} of {} parts were rejected, more than fleet.max_reject_share = {} allows",
                self.rejected, self.parts, limits.max_share
            ));
        }
        if self.seconds >= limits.seconds { Judgement::Passed } else { Judgement::Wait }
    }
}

/// Returns the lowest share of rejected parts that goes with these counts, so that a handful of bad parts at the start is no reason to go
/// back: the lower end of Wilson's score interval (Wilson, "Probable inference, the law of succession, and statistical inference", 1927) at
/// three standard deviations, because it is looked at again and again.
fn lowest_share(rejected: u64, parts: u64) -> f64 {
    const Z2: f64 = 9.0;
    if parts == 0 {
        return 0.0;
    }
    let count = parts as f64;
    let share = rejected as f64 / count;
    let centre = share + Z2 / (2.0 * count);
    let spread = (Z2 * (share * (1.0 - share) / count + Z2 / (4.0 * count * count))).sqrt();
    ((centre - spread) / (1.0 + Z2 / count)).max(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits { seconds: 3600, max_share: 0.1 };

    fn after(seconds: u64, rejected: u64, parts: u64) -> Judgement {
        Trial { seconds, parts, rejected, ..Trial::new("cap", 1, "a") }.judge(LIMITS)
    }

    #[test]
    fn a_few_rejects_are_no_reason_and_many_are() {
        assert_eq!(after(10, 0, 0), Judgement::Wait);
        assert_eq!(after(10, 1, 1), Judgement::Wait);
        assert_eq!(after(10, 2, 10), Judgement::Wait);
        assert_eq!(after(3599, 100, 1000), Judgement::Wait);
        assert_eq!(after(3600, 100, 1000), Judgement::Passed);
        for (rejected, parts) in [(5, 5), (10, 20), (140, 1000)] {
            let Judgement::GoBack(why) = after(10, rejected, parts) else { panic!("{rejected} of {parts}") };
            assert!(why.contains(&format!("{rejected} of {parts}")), "{why}");
        }
        // The end of the trial makes a bad bundle no better.
        assert!(matches!(after(9999, 500, 1000), Judgement::GoBack(_)));
    }

    #[test]
    fn the_interval_is_wilsons() {
        // (0.5 + 0.045 - 3·√(0.0025 + 0.000225)) / 1.09
        assert!((lowest_share(50, 100) - 0.356_326).abs() < 1e-6, "{}", lowest_share(50, 100));
        assert_eq!(lowest_share(0, 100), 0.0);
        assert!((lowest_share(7, 7) - 7.0 / 16.0).abs() < 1e-12);
    }

    #[test]
    fn an_alarm_is_a_reason_at_once() {
        let mut trial = Trial::new("cap", 1, "a");
        trial.alarm = Some("rejects_in_a_row".to_owned());
        assert!(matches!(trial.judge(LIMITS), Judgement::GoBack(why) if why.contains("rejects_in_a_row")));
    }
}
