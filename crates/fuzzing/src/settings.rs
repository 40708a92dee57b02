//! Settings from the environment.

use std::path::PathBuf;
use std::time::{Duration, Instant};

/// The settings; see the crate's table of variables.
#[derive(Debug, Clone)]
pub(crate) struct FuzzSettings {
    pub end: End,
    pub seed: u64,
    /// Only this input is tried.
    pub input: Option<PathBuf>,
    /// Whether a run was requested explicitly, in which case it prints a summary.
    pub is_asked: bool,
}

/// When a run ends.
#[derive(Debug, Clone, Copy)]
pub(crate) enum End {
    After(u64),
    At(Instant),
}

impl End {
    /// Returns whether the run continues after this many inputs.
    pub fn continues_after(self, inputs: u64) -> bool {
        match self {
            Self::After(count) => inputs < count,
            Self::At(time) => Instant::now() < time,
        }
    }
}

impl FuzzSettings {
    /// Reads the settings from the environment; `count` is the default number of inputs.
    pub fn new(count: u64, variable: impl Fn(&str) -> Option<String>) -> Self {
        let number = |name: &str| {
            let text = variable(name)?;
            Some(text.parse::<u64>().unwrap_or_else(|_| panic!("{name} is {text:?}; set it to a number")))
        };
        let (minutes, asked) = (number("NOMINAL_FUZZ_MINUTES"), number("NOMINAL_FUZZ_COUNT"));
        let end = match minutes {
            Some(minutes) => End::At(Instant::now() + Duration::from_secs(60 * minutes)),
            None => End::After(asked.unwrap_or(count)),
        };
        let input = variable("NOMINAL_FUZZ_INPUT").map(PathBuf::from);
        let is_asked = minutes.is_some() || asked.is_some() || input.is_some();
        Self { end, seed: number("NOMINAL_FUZZ_SEED").unwrap_or(1), input, is_asked }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn minutes_stand_above_a_count_and_a_count_above_the_usual_one() {
        let of = |variables: &[(&str, &str)]| {
            let owned: Vec<(String, String)> =
                variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
            FuzzSettings::new(10, move |name| {
                owned.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone())
            })
        };
        let usual = of(&[]);
        assert!(matches!(usual.end, End::After(10)) && usual.seed == 1 && !usual.is_asked);
        let counted = of(&[("NOMINAL_FUZZ_COUNT", "3"), ("NOMINAL_FUZZ_SEED", "9")]);
        assert!(matches!(counted.end, End::After(3)) && counted.seed == 9 && counted.is_asked);
        assert!(counted.end.continues_after(2) && !counted.end.continues_after(3));
        let timed = of(&[("NOMINAL_FUZZ_COUNT", "3"), ("NOMINAL_FUZZ_MINUTES", "1")]);
        assert!(timed.end.continues_after(1000));
    }

    #[test]
    #[should_panic(expected = "set it to a number")]
    fn what_is_no_number_is_said() {
        FuzzSettings::new(1, |_| Some("many".to_owned()));
    }
}
