use std::io::ErrorKind;
use std::sync::Barrier;

use super::super::record_name;
use super::*;
use crate::clock::WallTime;
use crate::record::{Limits, RecordStore};
use crate::testing::small_disk::SmallDisk;

const LARGE: u64 = 1 << 30;
const LIMITS: Limits = Limits { bytes: 1 << 30, age: Duration::from_secs(86_400) };

fn name(part: u64) -> RecordName {
    RecordName { run: 1, part, frame: 1, captured: WallTime::parse("20261125-030000").unwrap() }
}

fn json(verdict: &str) -> Vec<u8> {
    format!(
        "{{\"line\":\"a\",\"product\":\"cap\",\"verdict\":\"{verdict}\",\"part_verdict\":\"{verdict}\",\"score\":0.75,\
         \"threshold\":0.5,\"region\":null,\"fault\":null,\"model_sha256\":\"abababababab\"}}\n"
    )
    .into_bytes()
}

/// Writes these records, of four blocks each: folder, description and a frame of two.
fn write(store: &mut RecordStore, parts: impl IntoIterator<Item = u64>, verdict: &str) {
    for part in parts {
        let files = [("record.json", json(verdict)), ("frame.jpg", vec![7; 5000])];
        store.write(name(part), &files).unwrap();
    }
}

fn records(parts: impl IntoIterator<Item = u64>) -> tempfile::TempDir {
    let root = tempfile::tempdir().unwrap();
    write(&mut RecordStore::open(root.path(), LIMITS).unwrap(), parts, "reject");
    root
}

fn entry(decision: Decision, by: &str) -> Entry {
    Entry::new(decision, None, None, by.to_owned()).unwrap()
}

fn mark(review: &Review, part: u64, decision: Decision) -> Result<Marked, ReviewError> {
    review.lock()?.mark(name(part), entry(decision, "anna"), false)
}

/// Returns each record's part and place, and its decision in words.
fn listed(review: &Review) -> Vec<(u64, Place, String)> {
    let listing = review.list().unwrap();
    assert!(listing.damaged.is_empty(), "{:?}", listing.damaged);
    let words = |entry: Option<&Entry>| entry.map(ToString::to_string).unwrap_or_default();
    listing.records.iter().map(|r| (r.name.part, r.place, words(r.decision()))).collect()
}

#[test]
fn what_a_person_decided_leaves_the_ring_and_the_ring_can_not_drop_it() {
    let root = tempfile::tempdir().unwrap();
    let limits = Limits { bytes: 12 * 4096, ..LIMITS };
    let mut store = RecordStore::open(root.path(), limits).unwrap();
    write(&mut store, 1..=3, "reject");
    let review = Review::open(root.path(), LARGE).unwrap();
    // The line is running, and knows nothing of it.
    let marked = mark(&review, 1, Decision::FalseAlarm).unwrap();
    assert!(marked.before.is_none() && !marked.is_unchanged);
    write(&mut store, 4..=9, "reject");
    let expected = [
        (1, Place::Decided, "false alarm by anna".to_owned()),
        (7, Place::Rejected, String::new()),
        (8, Place::Rejected, String::new()),
        (9, Place::Rejected, String::new()),
    ];
    assert_eq!(listed(&review), expected);
    assert!(
        review
            .find(name(1))
            .unwrap()
            .frame()
            .unwrap()
            .ends_with("decided/20261125-030000-000001-00000001/frame.jpg")
    );
    // What the ring has dropped can't be marked, and nothing appears for it.
    assert!(matches!(mark(&review, 2, Decision::Defect), Err(ReviewError::Absent(gone)) if gone == name(2)));
    assert_eq!(listed(&review), expected);
    // The program starts again: the ring neither counts nor drops it.
    drop(store);
    let mut store = RecordStore::open(root.path(), limits).unwrap();
    assert_eq!((store.len(), store.bytes()), (3, limits.bytes));
    store.update_clock(WallTime::parse("20270101-000000").unwrap(), crate::clock::Moment(5));
    assert_eq!(listed(&review), expected);
}

#[test]
fn a_decision_that_is_taken_back_returns_the_record_to_its_ring() {
    let root = records([1]);
    let passed = root.path().join("passed");
    write(&mut RecordStore::open(&passed, LIMITS).unwrap(), [2], "pass");
    let review = Review::open(root.path(), LARGE).unwrap();
    assert!(matches!(mark(&review, 2, Decision::FalseAlarm), Err(ReviewError::Passed(_))));
    for (part, place) in [(1, Place::Rejected), (2, Place::Passed)] {
        mark(&review, part, Decision::Defect).unwrap();
        assert_eq!(review.find(name(part)).unwrap().place, Place::Decided);
        let taken_back = mark(&review, part, Decision::Undecided).unwrap();
        assert_eq!(taken_back.before.unwrap().decision, Decision::Defect);
        let record = review.find(name(part)).unwrap();
        assert_eq!((record.place, record.decision(), record.history.entries().len()), (place, None, 2));
        assert!(mark(&review, part, Decision::Undecided).unwrap().is_unchanged);
    }
    // The ring counts its decisions, and drops them with it.
    let mut store = RecordStore::open(root.path(), Limits { bytes: 5 * 4096, ..LIMITS }).unwrap();
    assert_eq!(store.bytes(), 5 * 4096);
    write(&mut store, [3], "reject");
    assert!(!root.path().join(name(1).to_string()).exists());
}

#[test]
fn of_two_people_who_mark_at_once_the_second_is_told() {
    let root = records(1..=20);
    let review = Review::open(root.path(), LARGE).unwrap();
    let (people, parts) = (6, 20);
    let together = Barrier::new(people);
    let told = std::thread::scope(|scope| {
        let person = |number: usize| {
            let (review, together) = (&review, &together);
            scope.spawn(move || {
                let decision = if number.is_multiple_of(2) { Decision::Defect } else { Decision::FalseAlarm };
                together.wait();
                let mark = |part| {
                    let marked =
                        review.lock().unwrap().mark(name(part), entry(decision, &number.to_string()), false);
                    match marked {
                        Ok(marked) => (u64::from(!marked.is_unchanged), 0),
                        Err(ReviewError::Decided { before, .. }) => {
                            assert_ne!(before.decision, decision);
                            (0, 1)
                        }
                        Err(e) => panic!("{e}"),
                    }
                };
                (1..=parts).map(mark).fold((0, 0), |a, b| (a.0 + b.0, a.1 + b.1))
            })
        };
        let people: Vec<_> = (0..people).map(person).collect();
        people.into_iter().map(|person| person.join().unwrap()).fold((0, 0), |a, b| (a.0 + b.0, a.1 + b.1))
    });
    // One decision each, and the three who thought otherwise were told.
    assert_eq!(told, (parts, 3 * parts));
    let all = review.list().unwrap().records;
    assert!(all.iter().all(|record| record.history.entries().len() == 1 && record.place == Place::Decided));
    // With --replace, the last one wins and all are remembered.
    let mut marking = review.lock().unwrap();
    let before = all[0].decision().cloned().unwrap();
    let other = entry(Decision::Unsure, "bert");
    let marked = marking.mark(name(1), other.clone(), true).unwrap();
    assert_eq!(marked.before, Some(before));
    let record = review.find(name(1)).unwrap();
    assert_eq!((record.decision(), record.history.entries().len()), (Some(&other), 2));
    // Whoever can't wait any longer is told, too.
    assert!(matches!(review.lock_within(Duration::from_millis(30)), Err(ReviewError::Busy { .. })));
    drop(marking);
    review.lock_within(Duration::ZERO).unwrap();
}

#[test]
fn damaged_files_are_named_and_passed_over_and_a_new_decision_heals() {
    let root = records(1..=4);
    let review = Review::open(root.path(), LARGE).unwrap();
    (1..=3).for_each(|part| drop(mark(&review, part, Decision::Defect).unwrap()));
    let file = |part, file: &str| root.path().join("decided").join(name(part).to_string()).join(file);
    let whole = std::fs::read(file(1, "decision.json")).unwrap();
    for length in 0..whole.len() - 1 {
        std::fs::write(file(1, "decision.json"), &whole[..length]).unwrap();
        let listing = review.list().unwrap();
        assert_eq!((listing.records.len(), listing.damaged.len()), (3, 1), "{length}");
        assert_eq!(listing.damaged[0].name, name(1));
        assert!(matches!(review.find(name(1)), Err(ReviewError::History { .. })));
    }
    let description = std::fs::read(file(2, "record.json")).unwrap();
    std::fs::write(file(2, "record.json"), &description[..40]).unwrap();
    std::fs::remove_file(file(3, "record.json")).unwrap();
    // Power was cut after the record had been moved.
    std::fs::rename(
        root.path().join(name(4).to_string()),
        root.path().join("decided").join(name(4).to_string()),
    )
    .unwrap();
    // Others' files don't count.
    std::fs::write(root.path().join("decided/notes.txt"), b"theirs").unwrap();
    std::os::unix::fs::symlink("/", root.path().join(name(99).to_string())).unwrap();
    let listing = review.list().unwrap();
    assert_eq!(listing.damaged.iter().map(|d| d.name.part).collect::<Vec<_>>(), [1, 2, 3]);
    assert_eq!(
        listing.records.iter().map(|r| (r.name.part, r.decision().is_some())).collect::<Vec<_>>(),
        [(4, false)]
    );
    assert!(matches!(mark(&review, 2, Decision::Unsure), Err(ReviewError::Description { .. })));
    let marked = mark(&review, 1, Decision::Unsure).unwrap();
    assert!(marked.damage.is_some() && marked.before.is_none());
    mark(&review, 4, Decision::Unsure).unwrap();
    for part in [1, 4] {
        assert_eq!(review.find(name(part)).unwrap().decision().unwrap().decision, Decision::Unsure);
    }
}

#[test]
fn names_are_taken_from_paths_and_nothing_else_is_a_record() {
    let text = name(7).to_string();
    for given in
        [text.clone(), format!("records/{text}"), format!("/var/x/{text}/frame.jpg"), format!(" {text}/ ")]
    {
        assert_eq!(record_name(&given).unwrap(), name(7), "{given}");
    }
    for wrong in ["", "frame.jpg", "../..", "20261125-030000", "records/*", "\0"] {
        assert!(matches!(record_name(wrong), Err(ReviewError::Name(_))), "{wrong:?}");
    }
    let nowhere = Review::open(Path::new("/nowhere/records"), LARGE).unwrap_err();
    assert!(nowhere.to_string().contains("check records.folder"), "{nowhere}");
    assert!(!Path::new("/nowhere").exists());
}

#[test]
fn the_limit_of_decided_records_refuses_and_forgets_nothing() {
    let root = records(1..=3);
    // Four blocks a record.
    let review = Review::open(root.path(), 2 * 4 * 4096 + 4096).unwrap();
    mark(&review, 1, Decision::Defect).unwrap();
    mark(&review, 2, Decision::Defect).unwrap();
    let refused = mark(&review, 3, Decision::Defect).unwrap_err();
    assert!(matches!(refused, ReviewError::Full { .. }) && refused.to_string().contains("max_decided_mib"));
    assert_eq!(
        listed(&review).iter().map(|r| r.1).collect::<Vec<_>>(),
        [Place::Decided, Place::Decided, Place::Rejected]
    );
    mark(&review, 1, Decision::Undecided).unwrap();
    mark(&review, 3, Decision::Defect).unwrap();
}

#[test]
fn on_a_full_disk_a_decision_fails_whole() {
    let Some(disk) = SmallDisk::mount() else { return };
    write(&mut RecordStore::open(disk.path(), LIMITS).unwrap(), 1..=2, "reject");
    let review = Review::open(disk.path(), LARGE).unwrap();
    mark(&review, 1, Decision::Defect).unwrap();
    let full = std::fs::write(disk.path().join("theirs"), vec![0; 2 << 20]).unwrap_err();
    assert_eq!(full.kind(), ErrorKind::StorageFull);
    let before = listed(&review);
    let refused = mark(&review, 2, Decision::Defect).unwrap_err();
    assert!(refused.to_string().contains("check space"), "{refused}");
    let replaced = review.lock().unwrap().mark(name(1), entry(Decision::Unsure, "bert"), true);
    assert!(matches!(replaced, Err(ReviewError::Write { .. })));
    assert_eq!(listed(&review), before);
    std::fs::remove_file(disk.path().join("theirs")).unwrap();
    mark(&review, 2, Decision::Defect).unwrap();
}
