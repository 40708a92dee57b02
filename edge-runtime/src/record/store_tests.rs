use std::time::Instant;

use super::*;
use crate::testing::small_disk::SmallDisk;

const LARGE: Limits = Limits { bytes: 1 << 30, age: Duration::from_secs(86_400) };

fn name(run: u64, part: u64) -> RecordName {
    RecordName { run, part, frame: 1, captured: WallTime::now() }
}

fn dated(stamp: &str, part: u64) -> RecordName {
    RecordName { captured: WallTime::parse(stamp).unwrap(), ..name(1, part) }
}

/// Two blocks: one for the folder, one for the file.
fn small() -> [RecordFile; 1] {
    [("record.json", b"{}".to_vec())]
}

fn listing(folder: &Path) -> Vec<String> {
    let mut names: Vec<_> =
        std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn expire(store: &mut RecordStore, now: WallTime) {
    store.update_clock(now, Moment(5));
    store.expire().unwrap();
}

fn parts(folder: &Path) -> Vec<u64> {
    listing(folder).iter().filter_map(|name| RecordName::parse(name)).map(|name| name.part).collect()
}

#[test]
fn the_oldest_make_room() {
    let root = tempfile::tempdir().unwrap();
    let limits = Limits { bytes: 5 * 2 * BLOCK, ..LARGE };
    let mut store = RecordStore::open(root.path(), limits).unwrap();
    for part in 1..=8 {
        store.write(name(1, part), &small()).unwrap();
        assert!(store.bytes() <= limits.bytes);
    }
    assert_eq!(parts(root.path()), [4, 5, 6, 7, 8]);
    let four_blocks = [("frame.jpg", vec![1; 5000]), ("record.json", vec![2; 1])];
    store.write(name(1, 9), &four_blocks).unwrap();
    assert_eq!((parts(root.path()), store.bytes()), (vec![6, 7, 8, 9], limits.bytes));
    let error = store.write(name(1, 10), &[("frame.jpg", vec![0; 10 * BLOCK as usize])]).unwrap_err();
    assert!(matches!(error, RecordError::TooLarge { bytes } if bytes == 11 * BLOCK));
    assert!(matches!(
        store.write(store.records.keys().next().copied().unwrap(), &small()),
        Err(RecordError::Exists(_))
    ));
    // Reopened, all count towards a smaller limit, whatever the clock showed meanwhile.
    drop(store);
    let mut store = RecordStore::open(root.path(), Limits { bytes: 4 * 2 * BLOCK, ..LARGE }).unwrap();
    assert_eq!((store.bytes(), store.len(), store.last_run()), (limits.bytes, 4, 1));
    store
        .write(RecordName { captured: WallTime::parse("19700101-000000").unwrap(), ..name(2, 1) }, &small())
        .unwrap();
    assert_eq!(store.records.keys().map(|name| name.part).collect::<Vec<_>>(), [8, 9, 1]);
}

#[test]
fn old_records_go_and_those_without_a_known_age_stay() {
    let root = tempfile::tempdir().unwrap();
    let mut store = RecordStore::open(root.path(), LARGE).unwrap();
    let now = WallTime::parse("20261125-030000").unwrap();
    for (part, stamp) in
        [(1, "20261124-025959"), (2, "20261124-030001"), (3, "19700102-000000"), (4, "20261225-000000")]
    {
        store.write(dated(stamp, part), &small()).unwrap();
    }
    // A clock that was never set says nothing about ages.
    expire(&mut store, WallTime::parse("19700101-000100").unwrap());
    assert_eq!(store.len(), 4);
    expire(&mut store, now);
    assert_eq!((parts(root.path()), store.bytes()), (vec![3, 2, 4], 3 * 2 * BLOCK));
}

#[test]
fn a_start_with_the_clock_far_ahead_costs_no_record_and_records_grow_old_all_the_same() {
    let root = tempfile::tempdir().unwrap();
    let limits = Limits { age: Duration::from_secs(30 * 86_400), ..LARGE };
    let day = |day: u64| WallTime::parse("20260101-120000").unwrap() + Duration::from_secs(day * 86_400);
    let captured = |run, at| RecordName { captured: day(at), ..name(run, at) };
    // Records of a version that kept no clock.
    let mut store = RecordStore::open(root.path(), limits).unwrap();
    (1..=20).for_each(|at| store.write(captured(1, at), &small()).unwrap());
    drop(store);
    // Twice, each time with a reject.
    for run in [2, 3] {
        let mut store = RecordStore::open(root.path(), limits).unwrap();
        expire(&mut store, day(420));
        store.write(captured(run, 420), &small()).unwrap();
        expire(&mut store, day(420));
        assert_eq!(store.len(), 19 + usize::try_from(run).unwrap(), "run {run}");
    }
    // The clock is right again, and the line runs for almost a month, off for two thirds of each day.
    for at in 21..=45 {
        let mut store = RecordStore::open(root.path(), limits).unwrap();
        expire(&mut store, day(at));
        store.write(captured(at, at), &small()).unwrap();
    }
    // Thirteen are now older than thirty days, not counting the day of the jumps; the two with the clock ahead are 24 days
    // old.
    let mut left = parts(root.path());
    left.sort_unstable();
    assert_eq!(left, [(14..=45).collect(), vec![420, 420]].concat());
    // Months in one process, without a reject.
    let mut store = RecordStore::open(root.path(), limits).unwrap();
    for hours in 0..=60 * 24 {
        let ran = Duration::from_secs(hours * 3600);
        store.update_clock(day(45) + ran, Moment(5) + ran);
        store.expire().unwrap();
    }
    assert!(store.is_empty() && parts(root.path()).is_empty());
}

#[test]
fn records_ahead_of_a_folder_without_a_clock_are_not_taken_for_the_present() {
    let root = tempfile::tempdir().unwrap();
    let mut store = RecordStore::open(root.path(), LARGE).unwrap();
    let stamps = ["20261124-230000", "20271230-000000", "20271230-010000"];
    for (part, stamp) in (1..).zip(stamps) {
        store.write(dated(stamp, part), &small()).unwrap();
    }
    drop(store);
    let mut store = RecordStore::open(root.path(), LARGE).unwrap();
    expire(&mut store, WallTime::parse("20261125-010000").unwrap());
    assert_eq!(store.len(), 3);
}

#[test]
fn leftovers_go_and_what_is_not_ours_is_never_touched() {
    let root = tempfile::tempdir().unwrap();
    let below = |path: &str| root.path().join(path);
    let record = |path: &str, files: &[&str]| {
        std::fs::create_dir_all(below(path)).unwrap();
        files.iter().for_each(|file| std::fs::write(below(path).join(file), b"bytes").unwrap());
    };
    // Half-written by a process that no longer exists, and by one whose id now belongs to another process.
    record(".20261125-030101-000001-00000001.partial-1-a1b2", &["frame.jpg"]);
    record(".20261125-030101-000001-00000002.partial-4194304", &["frame.png", "overlay.png"]);
    let theirs = [
        "20261125-030101-000001-00000003/notes.txt",
        ".20261125-030101-000001-00000004.partial-77/thesis.pdf",
        "photos/20261125-030101-000001-00000005/record.json",
        ".hidden.partial-1/x",
        "model.onnx",
        "20261125-030101-000001-00000006",
    ];
    for path in theirs {
        std::fs::create_dir_all(below(path).parent().unwrap()).unwrap();
        std::fs::write(below(path), b"theirs").unwrap();
    }
    let outside = tempfile::tempdir().unwrap();
    std::fs::write(outside.path().join("record.json"), b"theirs").unwrap();
    std::os::unix::fs::symlink(outside.path(), below("20261125-030101-000001-00000007")).unwrap();
    let mut store = RecordStore::open(root.path(), Limits { bytes: 2 * BLOCK, ..LARGE }).unwrap();
    assert!(store.is_empty());
    for part in 11..14 {
        store.write(name(1, part), &small()).unwrap();
    }
    expire(&mut store, WallTime::parse("20991125-030101").unwrap());
    for path in theirs {
        assert_eq!(std::fs::read(below(path)).unwrap(), b"theirs", "{path}");
    }
    assert!(outside.path().join("record.json").exists());
    let ours = listing(root.path());
    assert!(!ours.iter().any(|name| name.contains("00000001.") || name.contains("00000002.")), "{ours:?}");
}

#[test]
fn what_others_put_into_records_stays_and_the_bound_holds() {
    let root = tempfile::tempdir().unwrap();
    let limits = Limits { bytes: 3 * 2 * BLOCK, ..LARGE };
    std::fs::write(root.path().join("Thumbs.db"), b"theirs").unwrap();
    let foreign = |name: &str| root.path().join(name).join("Thumbs.db");
    let taken = || {
        let records = listing(root.path()).into_iter().filter(|name| RecordName::parse(name).is_some());
        let files = records.filter(|name| root.path().join(name).join("record.json").exists());
        files.count() as u64 * 2 * BLOCK
    };
    let mut store = RecordStore::open(root.path(), limits).unwrap();
    for part in 1..=10 {
        if part == 5 {
            // They count after a restart, too.
            drop(store);
            store = RecordStore::open(root.path(), limits).unwrap();
            assert_eq!(store.bytes(), taken());
        }
        store.write(name(1, part), &small()).unwrap();
        let newest = store.records.last_key_value().unwrap().0.to_string();
        std::fs::write(foreign(&newest), b"theirs").unwrap();
        assert!(taken() <= limits.bytes, "{} bytes after part {part}", taken());
    }
    let records: Vec<String> =
        listing(root.path()).into_iter().filter(|name| RecordName::parse(name).is_some()).collect();
    assert_eq!(records.len(), 10);
    assert!(records.iter().all(|name| std::fs::read(foreign(name)).unwrap() == b"theirs"));
    assert!(root.path().join("Thumbs.db").exists());
}

#[test]
fn a_record_that_somebody_wrote_into_or_took_away_leaves_the_account() {
    let root = tempfile::tempdir().unwrap();
    let mut store = RecordStore::open(root.path(), Limits { bytes: 4 * BLOCK, ..LARGE }).unwrap();
    store.write(name(1, 1), &small()).unwrap();
    store.write(name(1, 2), &small()).unwrap();
    let [first, second] = [0, 1].map(|i| root.path().join(&listing(root.path())[i]));
    std::fs::write(first.join("notes.txt"), b"theirs").unwrap();
    std::fs::remove_dir_all(second).unwrap();
    for part in 3..6 {
        store.write(name(1, part), &small()).unwrap();
    }
    assert_eq!(parts(root.path()), [1, 4, 5]);
    assert!(first.join("notes.txt").exists() && !first.join("record.json").exists());
}

#[test]
fn two_programs_do_not_share_a_folder_and_a_replaced_one_is_not_filled() {
    let root = tempfile::tempdir().unwrap();
    let folder = root.path().join("records");
    let mut store = RecordStore::open(&folder, LARGE).unwrap();
    assert!(matches!(RecordStore::open(&folder, LARGE), Err(RecordError::InUse { .. })));
    std::fs::remove_dir(&folder).unwrap();
    assert!(matches!(store.write(name(1, 1), &small()), Err(RecordError::Gone { .. })));
    assert!(!folder.exists());
    std::fs::create_dir(&folder).unwrap();
    assert!(matches!(store.write(name(1, 1), &small()), Err(RecordError::Gone { .. })));
    store.update_clock(WallTime::now(), Moment(5));
    assert!(matches!(store.expire(), Err(RecordError::Gone { .. })));
    assert_eq!(listing(&folder).len(), 0);
    RecordStore::open(&folder, LARGE).unwrap().write(name(1, 1), &small()).unwrap();
}

#[test]
fn on_a_full_disk_old_records_make_room_and_nothing_is_left_half_written() {
    let Some(disk) = SmallDisk::mount() else { return };
    let root = disk.path();
    let mut store = RecordStore::open(&root.join("records"), LARGE).unwrap();
    let frame = [("frame.jpg", vec![7; 150_000])];
    for part in 1..=20 {
        store.write(name(1, part), &frame).unwrap();
    }
    let kept = parts(&root.join("records"));
    assert!(kept.len() > 3 && kept.last() == Some(&20), "{kept:?}");
    assert_eq!(kept.len(), store.len());
    // Another program fills the whole disk.
    drop(store);
    std::fs::remove_dir_all(root.join("records")).unwrap();
    let mut store = RecordStore::open(&root.join("records"), LARGE).unwrap();
    let full = std::fs::write(root.join("theirs"), vec![0; 2 << 20]).unwrap_err();
    assert_eq!(full.kind(), ErrorKind::StorageFull);
    let error = store.write(name(1, 30), &frame).unwrap_err();
    assert!(error.to_string().contains("check space"), "{error}");
    assert_eq!((listing(&root.join("records")).len(), store.bytes()), (0, 0));
    std::fs::remove_file(root.join("theirs")).unwrap();
    // A busy kernel frees the space a moment later.
    let until = Instant::now() + Duration::from_secs(10);
    while let Err(e) = store.write(name(1, 31), &frame) {
        assert!(Instant::now() < until, "{e}");
        std::thread::sleep(Duration::from_millis(5));
    }
    assert_eq!(parts(&root.join("records")), [31]);
}

#[test]
fn a_read_only_disk_is_an_error_until_it_can_be_written_again() {
    let Some(disk) = SmallDisk::mount() else { return };
    let mut store = RecordStore::open(disk.path(), Limits { bytes: 4 * BLOCK, ..LARGE }).unwrap();
    store.write(name(1, 1), &small()).unwrap();
    store.write(name(1, 2), &small()).unwrap();
    disk.remount("ro");
    let error = store.write(name(1, 3), &small()).unwrap_err();
    assert!(
        matches!(&error, RecordError::Io { source, .. } if source.kind() == ErrorKind::ReadOnlyFilesystem),
        "{error}"
    );
    assert_eq!((parts(disk.path()), store.len()), (vec![1, 2], 2));
    disk.remount("rw");
    store.write(name(1, 3), &small()).unwrap();
    assert_eq!(parts(disk.path()), [2, 3]);
}
