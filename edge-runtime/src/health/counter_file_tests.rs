use std::fs::File;
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::fs::FileExt as _;
use std::process::Stdio;

use bundle::seeded::Seeded;

use super::*;
use crate::testing::emulator;
use crate::testing::small_disk::SmallDisk;

fn counted(parts: u64, run: u64) -> Counters {
    let mut counters = Counters { run, ..Counters::default() };
    counters.gate.triggered = parts;
    counters
}

/// Writes two slots as a line leaves them: 10 parts in the older, 20 in the newer. Returns the name of the newer file, its
/// bytes and those of the older.
fn two_saves(folder: &Path) -> (&'static str, Vec<u8>, Vec<u8>) {
    let (mut file, _) = CounterFile::open(folder).unwrap();
    file.save_now(&counted(10, 1)).unwrap();
    file.save_now(&counted(20, 1)).unwrap();
    let newer = SLOT_NAMES[1 - file.next];
    let (new, old) = (folder.join(newer), folder.join(SLOT_NAMES[file.next]));
    (newer, std::fs::read(new).unwrap(), std::fs::read(old).unwrap())
}

fn found(folder: &Path) -> Option<u64> {
    let slots = SLOT_NAMES.map(|name| std::fs::read(folder.join(name)).unwrap());
    let whole = slots.iter().filter_map(|bytes| slot::decode(bytes));
    whole.max_by_key(|(sequence, _)| *sequence).map(|(_, counters)| counters.gate.triggered)
}

#[test]
fn runs_are_numbered_and_counters_go_on() {
    let root = tempfile::tempdir().unwrap();
    let folder = root.path().join("new/state");
    let (mut file, counters) = CounterFile::open(&folder).unwrap();
    assert_eq!(counters, counted(0, 1));
    assert!(matches!(CounterFile::open(&folder), Err(CounterFileError::InUse { .. })));
    file.save_now(&counted(5, 1)).unwrap();
    drop(file);
    assert_eq!(CounterFile::open(&folder).unwrap().1, counted(5, 2));
    // The run number was saved, though nothing else was.
    assert_eq!(CounterFile::open(&folder).unwrap().1, counted(5, 3));
}

#[test]
fn a_save_a_second_and_only_of_changes() {
    let root = tempfile::tempdir().unwrap();
    let (mut file, counters) = CounterFile::open(root.path()).unwrap();
    let at = |ms: u64| Moment(1) + Duration::from_millis(ms);
    assert!(!file.save(&counters, at(0)).unwrap());
    assert!(file.save(&counted(1, 1), at(1)).unwrap());
    assert!(!file.save(&counted(2, 1), at(1000)).unwrap());
    assert!(file.save(&counted(2, 1), at(1001)).unwrap());
    assert!(!file.save(&counted(2, 1), at(5000)).unwrap());
}

#[test]
fn counters_go_on_where_the_folder_is_made_anew() {
    let root = tempfile::tempdir().unwrap();
    let folder = root.path().join("state");
    let (mut file, _) = CounterFile::open(&folder).unwrap();
    file.save_now(&counted(5, 1)).unwrap();
    assert_eq!(file.problems().count(), 0);
    let at = |ms: u64| Moment(1) + Duration::from_millis(ms);
    // First the folder is removed, then one file at a time, though nothing was counted in between.
    for (turn, taken) in [(1, &folder), (2, &folder.join(SLOT_NAMES[0])), (3, &folder.join(SLOT_NAMES[1]))] {
        if taken.is_dir() { std::fs::remove_dir_all(taken) } else { std::fs::remove_file(taken) }.unwrap();
        assert!(file.save(&counted(6, 1), at(turn * 2000)).unwrap(), "{taken:?}");
        assert!(!file.save(&counted(6, 1), at(turn * 2000 + 1000)).unwrap());
        let problems: Vec<String> = file.problems().collect();
        assert!(
            problems.len() == 1 && problems[0].contains(&format!("occurrences: {turn})")),
            "{problems:?}"
        );
        assert_eq!(found(&folder), Some(6));
        assert!(matches!(CounterFile::open(&folder), Err(CounterFileError::InUse { .. })));
    }
    drop(file);
    assert_eq!(CounterFile::open(&folder).unwrap().1, counted(6, 2));
}

#[test]
fn older_counters_in_the_new_folder_are_not_taken_for_newer_ones() {
    let root = tempfile::tempdir().unwrap();
    let (folder, other) = (root.path().join("state"), root.path().join("other"));
    let (mut theirs, _) = CounterFile::open(&other).unwrap();
    (1..50).for_each(|parts| theirs.save_now(&counted(parts, 1)).unwrap());
    drop(theirs);
    let (mut file, _) = CounterFile::open(&folder).unwrap();
    std::fs::rename(&folder, root.path().join("moved")).unwrap();
    std::fs::rename(&other, &folder).unwrap();
    file.save_now(&counted(7, 1)).unwrap();
    drop(file);
    assert_eq!(CounterFile::open(&folder).unwrap().1, counted(7, 2));
}

#[test]
fn another_program_in_the_new_folder_is_told_and_left_alone_until_it_ends() {
    let root = tempfile::tempdir().unwrap();
    let folder = root.path().join("state");
    let (mut file, _) = CounterFile::open(&folder).unwrap();
    std::fs::remove_dir_all(&folder).unwrap();
    let (theirs, _) = CounterFile::open(&folder).unwrap();
    for _ in 0..2 {
        let refused = file.save_now(&counted(7, 1)).unwrap_err();
        assert!(matches!(refused, CounterFileError::InUse { .. }) && file.is_lost(), "{refused}");
    }
    let problems: Vec<String> = file.problems().collect();
    assert!(
        problems.len() == 2
            && problems[0].contains("another program")
            && problems[1].contains("occurrences: 1)")
    );
    drop(theirs);
    file.save_now(&counted(7, 1)).unwrap();
    assert_eq!((file.problems().count(), found(&folder)), (1, Some(7)));
}

#[test]
fn a_save_that_is_cut_off_at_any_byte_leaves_the_one_before() {
    let root = tempfile::tempdir().unwrap();
    let (newer, new, old) = two_saves(root.path());
    let path = root.path().join(newer);
    assert_eq!(found(root.path()), Some(20));
    let slot = File::options().write(true).open(&path).unwrap();
    for cut in 0..new.len() {
        // After the cut, the file ends, keeps its old bytes or has zeros.
        for rest in [&[][..], &old[cut..], &vec![0; slot::LEN - cut]] {
            let bytes = [&new[..cut], rest].concat();
            slot.write_all_at(&bytes, 0).unwrap();
            slot.set_len(bytes.len() as u64).unwrap();
            let expected = if bytes == new { 20 } else { 10 };
            assert_eq!(found(root.path()), Some(expected), "at {cut}");
        }
    }
    // The line continues from there and overwrites the damaged slot.
    std::fs::write(&path, &new[..100]).unwrap();
    let (mut file, counters) = CounterFile::open(root.path()).unwrap();
    assert_eq!(counters, counted(10, 2));
    file.save_now(&counted(11, 2)).unwrap();
    drop(file);
    assert_eq!(found(root.path()), Some(11));
}

#[test]
fn where_both_are_damaged_counting_starts_again() {
    let root = tempfile::tempdir().unwrap();
    for name in SLOT_NAMES {
        std::fs::write(root.path().join(name), b"no slot").unwrap();
    }
    assert_eq!(CounterFile::open(root.path()).unwrap().1, counted(0, 1));
    assert_eq!(CounterFile::open(root.path()).unwrap().1, counted(0, 2));
}

#[test]
fn a_folder_that_is_none_is_named() {
    let root = tempfile::tempdir().unwrap();
    let taken = root.path().join("taken");
    std::fs::write(&taken, b"a file").unwrap();
    let error = CounterFile::open(&taken).unwrap_err().to_string();
    assert!(error.contains("cannot keep counters in") && error.contains("health.state"), "{error}");
}

#[test]
fn a_disk_that_others_fill_takes_the_counters_still() {
    let Some(disk) = SmallDisk::mount() else { return };
    let (mut file, _) = CounterFile::open(&disk.path().join("state")).unwrap();
    std::fs::write(disk.path().join("theirs"), vec![0; 2 << 20]).unwrap_err();
    (1..20).for_each(|parts| file.save_now(&counted(parts, 1)).unwrap());
    drop(file);
    assert_eq!(CounterFile::open(&disk.path().join("state")).unwrap().1, counted(19, 2));
    // A disk that is full from the start gives an error and no damage.
    let error = CounterFile::open(&disk.path().join("other")).unwrap_err();
    assert!(matches!(error, CounterFileError::Io { .. }), "{error}");
}

const FOLDER: &str = "NOMINAL_TEST_COUNTERS";
const QUICK: Duration = Duration::from_millis(40);

/// Not a test in itself: the process that [`a_killed_process_loses_no_more_than_one_interval`] kills.
#[test]
#[ignore = "started by another test"]
fn counting_child() {
    let folder = std::env::var_os(FOLDER).expect("started by another test");
    let (mut file, mut counters) = CounterFile::open(Path::new(&folder)).unwrap();
    file.every = QUICK;
    let mut out = std::io::stdout();
    loop {
        counters.gate.triggered += 1;
        let begun = Moment::now();
        file.save(&counters, begun).unwrap();
        writeln!(out, "\ncount {} {} {}", counters.gate.triggered, begun.0, Moment::now().0).unwrap();
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Runs the child until it is killed and returns its steps: the count, and begin and end of each attempt to save.
fn steps_until_killed(folder: &Path, after: Duration) -> Vec<[u64; 3]> {
    let mut child = emulator::command(std::env::current_exe().unwrap())
        .args(["health::counter_file::tests::counting_child", "--exact", "--ignored", "--nocapture"])
        .env(FOLDER, folder)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut steps = vec![];
    let mut step = |line: std::io::Result<String>| {
        let line = line.unwrap_or_default();
        let numbers =
            line.strip_prefix("count ").map(|n| n.split(' ').map(str::parse).collect::<Result<Vec<_>, _>>());
        // The last line may be cut off.
        if let Some(Ok(numbers)) = numbers
            && let Ok(numbers) = numbers.try_into()
        {
            steps.push(numbers);
            return true;
        }
        false
    };
    assert!(lines.by_ref().any(&mut step), "the child printed nothing");
    std::thread::sleep(after);
    child.kill().unwrap();
    child.wait().unwrap();
    for line in lines {
        step(line);
    }
    steps
}

#[test]
fn a_killed_process_loses_no_more_than_one_interval() {
    let root = tempfile::tempdir().unwrap();
    let mut random = Seeded::new(9, 0);
    for run in 1..=12 {
        let steps = steps_until_killed(root.path(), Duration::from_millis(random.below(250) as u64));
        let [last, _, killed] = *steps.last().unwrap();
        let kept = found(root.path()).unwrap();
        assert!(kept <= last + 1, "{kept} of {last} were kept");
        // An attempt that ended an interval before the last sign of life was followed by one that was due.
        let slowest = steps.iter().map(|[_, begun, ended]| ended - begun).max().unwrap();
        let due = killed.saturating_sub(slowest + crate::clock::nanoseconds(QUICK) + 5_000_000);
        let least = steps.iter().filter(|[_, _, ended]| *ended <= due).map(|[count, ..]| *count).max();
        assert!(
            kept >= least.unwrap_or(0),
            "run {run}: {kept} were kept, {least:?} are older than an interval"
        );
        let (_, counters) = CounterFile::open(root.path()).unwrap();
        assert_eq!(counters.gate.triggered, kept);
    }
    // Each child and each check after it was a run.
    assert_eq!(CounterFile::open(root.path()).unwrap().1.run, 25);
}
