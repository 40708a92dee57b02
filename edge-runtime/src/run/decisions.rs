//! Decisions on records that come from the gateway. They are kept as those of `edge-runtime review mark` are, by a thread of
//! their own: the disk may be slow, and another program may be marking records.

use std::io;
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};

use shared_format::gateway::{self, Answer, Decide, Outcome};

use crate::line_file::RecordsConfig;
use crate::log::limited;
use crate::realtime::side_thread;
use crate::record::RecordName;
use crate::review::{Decision, Entry, Kind, Marking, Review, ReviewError};

/// The largest number of decisions that wait for the disk.
const MAX_WAITING: usize = 64;

/// A decision, and the connection that it came over.
type Submitted = (u64, Decide);

/// The way to the thread that keeps decisions. The thread ends when this is dropped.
#[derive(Debug)]
pub(super) struct Decisions {
    submitted: SyncSender<Submitted>,
    answers: Receiver<(u64, Answer)>,
}

impl Decisions {
    /// Starts the thread; `None` if the line keeps no records.
    ///
    /// # Errors
    /// The system's error if it has no more threads.
    pub(super) fn start(records: &RecordsConfig) -> io::Result<Option<Self>> {
        let Some(folder) = records.folder.clone() else { return Ok(None) };
        let max_decided = u64::from(records.max_decided_mib) << 20;
        let (submitted, waiting) = sync_channel(MAX_WAITING);
        let (sender, answers) = channel();
        side_thread("decisions").spawn(move || {
            while let Ok(first) = waiting.recv() {
                let review = Review::open(&folder, max_decided);
                keep_all(review, first, &waiting, &sender);
            }
        })?;
        Ok(Some(Self { submitted, answers }))
    }

    /// Passes a decision on to the thread. Never blocks. Returns the outcome if it is known already.
    pub(super) fn submit(&self, connection: u64, decide: Decide) -> Option<Outcome> {
        self.submitted.try_send((connection, decide)).err().map(|_| Outcome::Busy)
    }

    /// Returns the answers since the last call.
    pub(super) fn answers(&self) -> Vec<(u64, Answer)> {
        self.answers.try_iter().collect()
    }
}

/// Keeps a decision, and those that wait behind it: the right to mark records is asked for once.
fn keep_all(
    review: Result<Review, ReviewError>,
    first: Submitted,
    waiting: &Receiver<Submitted>,
    answers: &Sender<(u64, Answer)>,
) {
    let mut marking = review
        .as_ref()
        .map_err(|e| e.to_string())
        .and_then(|review| review.lock().map_err(|e| e.to_string()));
    for (connection, decide) in std::iter::once(first).chain(waiting.try_iter().take(MAX_WAITING)) {
        let number = decide.number;
        let outcome = match &mut marking {
            Ok(marking) => keep(marking, &decide),
            Err(e) => {
                limited!(warn, "a decision from the gateway can't be kept: {e}");
                Outcome::Failed
            }
        };
        // The line may be ending.
        let _ = answers.send((connection, Answer { number, outcome }));
    }
}

fn keep(marking: &mut Marking<'_>, decide: &Decide) -> Outcome {
    let Some(name) = RecordName::parse(&decide.record) else { return Outcome::Refused };
    let kind = match decide.kind.as_str() {
        "" => Ok(None),
        kind => kind.parse::<Kind>().map(Some),
    };
    let entry = kind
        .and_then(|kind| Entry::new(decision(decide.decision), kind, None, decide.by.as_str().to_owned()));
    let Ok(entry) = entry else { return Outcome::Refused };
    match marking.mark(name, entry, decide.replace) {
        Ok(marked) => {
            if let Some(damage) = marked.damage {
                limited!(warn, "{name}: {damage}; earlier decisions are lost");
            }
            Outcome::Done
        }
        Err(ReviewError::Absent(_)) => Outcome::Gone,
        Err(ReviewError::Decided { .. }) => Outcome::Decided,
        Err(ReviewError::Passed(_)) => Outcome::Refused,
        Err(e) => {
            limited!(warn, "a decision from the gateway can't be kept: {e}");
            Outcome::Failed
        }
    }
}

const fn decision(of: gateway::Decision) -> Decision {
    match of {
        gateway::Decision::FalseAlarm => Decision::FalseAlarm,
        gateway::Decision::Defect => Decision::Defect,
        gateway::Decision::Unsure => Decision::Unsure,
        gateway::Decision::Undecided => Decision::Undecided,
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use shared_format::gateway::cut;

    use super::*;

    const REJECTED: &str = "20261125-030101-000012-00000345";
    const PASSED: &str = "20261125-030102-000012-00000346";

    fn records() -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (path, verdict) in [(REJECTED.to_owned(), "reject"), (format!("passed/{PASSED}"), "pass")] {
            let record = folder.path().join(path);
            std::fs::create_dir_all(&record).unwrap();
            let description = format!(
                "{{\"product\":\"cap\",\"verdict\":\"{verdict}\",\"score\":1.5,\"threshold\":1.0,\"region\":null,\"fault\":null,\
                 \"model_sha256\":\"00\"}}"
            );
            std::fs::write(record.join("record.json"), description).unwrap();
        }
        folder
    }

    fn decide(number: u32, record: &str, decision: gateway::Decision, kind: &str) -> Decide {
        Decide { number, record: cut(record), decision, kind: cut(kind), by: cut("anna"), replace: false }
    }

    fn answers(decisions: &Decisions, count: usize) -> Vec<(u64, u32, Outcome)> {
        let (mut all, end) = (vec![], Instant::now() + Duration::from_secs(20));
        while all.len() < count {
            assert!(Instant::now() < end, "{all:?}");
            std::thread::sleep(Duration::from_millis(2));
            all.extend(decisions.answers().into_iter().map(|(from, a)| (from, a.number, a.outcome)));
        }
        all
    }

    #[test]
    fn decisions_are_kept_as_by_the_command_and_each_is_answered() {
        use gateway::Decision::{Defect, FalseAlarm, Undecided, Unsure};
        let folder = records();
        let config = RecordsConfig { folder: Some(folder.path().to_owned()), ..RecordsConfig::default() };
        let decisions = Decisions::start(&config).unwrap().unwrap();
        let asked = [
            (decide(1, REJECTED, Defect, "scratch"), Outcome::Done),
            (decide(2, REJECTED, Unsure, ""), Outcome::Decided),
            (Decide { replace: true, ..decide(3, REJECTED, FalseAlarm, "") }, Outcome::Done),
            (decide(4, PASSED, FalseAlarm, ""), Outcome::Refused),
            (decide(5, "20261125-030101-000012-00000999", Unsure, ""), Outcome::Gone),
            (decide(6, "../../etc/passwd", Unsure, ""), Outcome::Refused),
            (decide(7, REJECTED, Defect, "../x"), Outcome::Refused),
            (decide(8, REJECTED, Unsure, "scratch"), Outcome::Refused),
            (Decide { by: cut("a\u{1b}"), ..decide(9, REJECTED, Undecided, "") }, Outcome::Refused),
        ];
        for (decide, outcome) in asked {
            let number = decide.number;
            assert_eq!(decisions.submit(3, decide), None);
            assert_eq!(answers(&decisions, 1), [(3, number, outcome)]);
        }
        let review = Review::open(folder.path(), 1 << 30).unwrap();
        let record = review.find(RecordName::parse(REJECTED).unwrap()).unwrap();
        assert_eq!(record.decision().unwrap().to_string(), "false alarm by anna");
        assert_eq!(record.history.entries().len(), 2);
    }

    #[test]
    fn while_another_program_marks_only_so_many_wait_and_none_is_lost() {
        let folder = records();
        let config = RecordsConfig { folder: Some(folder.path().to_owned()), ..RecordsConfig::default() };
        let decisions = Decisions::start(&config).unwrap().unwrap();
        let review = Review::open(folder.path(), 1 << 30).unwrap();
        let marking = review.lock().unwrap();
        let submitted = |number| decisions.submit(1, decide(number, REJECTED, gateway::Decision::Unsure, ""));
        let mut taken = 0;
        while submitted(taken).is_none() {
            taken += 1;
            assert!(taken < 200, "they are not bounded");
        }
        assert!(taken >= 64 && decisions.answers().is_empty());
        drop(marking);
        assert!(answers(&decisions, taken as usize).iter().all(|(_, _, outcome)| *outcome == Outcome::Done));
    }

    #[test]
    fn without_records_there_is_nothing_to_decide_and_a_folder_that_is_gone_is_a_failure() {
        assert!(Decisions::start(&RecordsConfig::default()).unwrap().is_none());
        let config = RecordsConfig { folder: Some("/nowhere/records".into()), ..RecordsConfig::default() };
        let decisions = Decisions::start(&config).unwrap().unwrap();
        assert_eq!(decisions.submit(1, decide(1, REJECTED, gateway::Decision::Unsure, "")), None);
        assert_eq!(answers(&decisions, 1), [(1, 1, Outcome::Failed)]);
    }
}
