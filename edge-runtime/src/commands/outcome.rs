//! Verdicts → exit code.

use std::process::ExitCode;

use shared_format::Verdict;

/// How a command ended, apart from wrong usage (2), which clap reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// All frames pass; everything holds.
    Fine,
    /// The command could not do its work, or found that something doesn't hold.
    Error,
    /// At least one frame was rejected and none was a fault.
    Reject,
    /// At least one frame could not be judged.
    Fault,
}

impl From<Outcome> for ExitCode {
    fn from(outcome: Outcome) -> Self {
        Self::from(match outcome {
            Outcome::Fine => 0,
            Outcome::Error => 1,
            Outcome::Reject => 10,
            Outcome::Fault => 11,
        })
    }
}

/// How many frames got which verdict.
#[derive(Debug, Default)]
pub struct Tally {
    pass: usize,
    reject: usize,
    fault: usize,
}

impl Tally {
    /// Counts one frame.
    pub fn count(&mut self, verdict: Verdict) {
        match verdict {
            Verdict::Pass => self.pass += 1,
            Verdict::Reject => self.reject += 1,
            Verdict::Fault => self.fault += 1,
        }
    }

    /// Fault wins over reject: a frame that was not judged is worse than one that was rejected.
    pub fn outcome(&self) -> Outcome {
        if self.fault > 0 {
            Outcome::Fault
        } else if self.reject > 0 {
            Outcome::Reject
        } else {
            Outcome::Fine
        }
    }
}

impl std::fmt::Display for Tally {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let frames = self.pass + self.reject + self.fault;
        let plural = if frames == 1 { "" } else { "s" };
        write!(f, "{frames} frame{plural}: {} pass, {} reject, {} fault", self.pass, self.reject, self.fault)
    }
}
