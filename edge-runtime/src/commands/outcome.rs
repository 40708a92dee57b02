//! Maps verdicts to the program's exit code.

use std::process::ExitCode;

use shared_format::Verdict;

/// How a command ended. Wrong usage (exit code 2) is reported by clap.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CommandOutcome {
    /// All frames pass, or all checks passed.
    Success,
    /// The command could not do its work, or a check failed.
    Error,
    /// At least one frame was rejected and none was a fault.
    Reject,
    /// At least one frame could not be judged.
    Fault,
}

impl From<CommandOutcome> for ExitCode {
    fn from(outcome: CommandOutcome) -> Self {
        Self::from(match outcome {
            CommandOutcome::Success => 0,
            CommandOutcome::Error => 1,
            CommandOutcome::Reject => 10,
            CommandOutcome::Fault => 11,
        })
    }
}

/// Number of frames per verdict.
#[derive(Debug, Default)]
pub struct VerdictTally {
    pass: usize,
    reject: usize,
    fault: usize,
}

impl VerdictTally {
    /// Counts one frame.
    pub fn count(&mut self, verdict: Verdict) {
        match verdict {
            Verdict::Pass => self.pass += 1,
            Verdict::Reject => self.reject += 1,
            Verdict::Fault => self.fault += 1,
        }
    }

    /// Returns the worst outcome. A fault outranks a reject: a frame that was not judged is worse than a rejected one.
    pub fn outcome(&self) -> CommandOutcome {
        if self.fault > 0 {
            CommandOutcome::Fault
        } else if self.reject > 0 {
            CommandOutcome::Reject
        } else {
            CommandOutcome::Success
        }
    }
}

impl std::fmt::Display for VerdictTally {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let frames = self.pass + self.reject + self.fault;
        let plural = if frames == 1 { "" } else { "s" };
        write!(f, "{frames} frame{plural}: {} pass, {} reject, {} fault", self.pass, self.reject, self.fault)
    }
}
