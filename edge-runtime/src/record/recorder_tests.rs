use std::path::Path;
use std::process::Stdio;
use std::time::Instant;

use bundle::seeded::Seeded;
use judge::{AnomalyMap, Frame, Judgement, Pixels, Region, StageTimes, decode_file, encode_png};
use shared_format::{Size, Verdict};

use super::*;
use crate::capture::{CapturedFrame, FrameData};
use crate::testing::{emulator, thresholds};

const SIZE: Size = Size { width: 40, height: 30 };
const TIMEOUT: Duration = Duration::from_secs(20);

fn frame() -> Frame {
    Frame::new(SIZE, Pixels::Grey8(vec![90; 40 * 30])).unwrap()
}

fn captured(data: FrameData) -> Arc<CapturedFrame> {
    Arc::new(CapturedFrame::new(data, Moment::now(), 0))
}

fn rejected(part: u64) -> Record {
    let region = Some(Region { x: 1, y: 2, width: 3, height: 4, area: 12, peak: 0.9 });
    let judgement = Judgement {
        verdict: Verdict::Reject,
        score: Some(0.75),
        threshold: 0.5,
        region,
        defect: None,
        fault: None,
        map: Some(AnomalyMap { width: 4, height: 3, values: vec![0.6; 12], ignored: vec![] }),
        zones: None,
        times: StageTimes::default(),
    };
    Record {
        part,
        frame_of_part: 1,
        product: "cap".to_owned(),
        view: None,
        part_verdict: judgement.verdict,
        judgement,
        captured_at: Moment::now(),
        captured: captured(FrameData::Frame(frame())),
        refused: None,
        thresholds: Arc::new(thresholds()),
    }
}

fn fault(part: u64, bytes: &[u8]) -> Record {
    let fault = judge::decode(bytes).unwrap_err().into();
    let judgement = Judgement {
        verdict: Verdict::Fault,
        score: None,
        region: None,
        fault: Some(fault),
        map: None,
        ..rejected(0).judgement
    };
    let part_verdict = Verdict::Fault;
    let captured = captured(FrameData::Encoded(bytes.to_vec()));
    Record { part_verdict, judgement, captured, ..rejected(part) }
}

fn settings(folder: &Path) -> RecordSettings {
    let limits = Limits { bytes: 64 << 20, age: Duration::from_secs(86_400) };
    let passed = Sampling { share: 0.5, limits };
    RecordSettings { line: "line 1".to_owned(), folder: folder.to_owned(), limits, passed, frames: true }
}

fn start(settings: RecordSettings, run: u64) -> Recorder {
    Recorder::start(settings, run, RecordCounts::default()).unwrap()
}

/// Returns the records in a folder in order, each with the names of its files.
fn found(folder: &Path) -> Vec<(RecordName, Vec<String>)> {
    let names = |folder: &Path| -> Vec<String> {
        // Another process may have removed the folder meanwhile.
        let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
        let mut names: Vec<_> = entries.map(|e| e.file_name().into_string().unwrap()).collect();
        names.sort();
        names
    };
    let records = names(folder)
        .into_iter()
        .filter_map(|name| Some((RecordName::parse(&name)?, names(&folder.join(name)))));
    let mut records: Vec<_> = records.collect();
    records.sort();
    records
}

fn description(folder: &Path, name: &RecordName) -> serde_json::Value {
    let path = folder.join(name.to_string()).join("record.json");
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

#[test]
fn a_record_holds_frame_overlay_and_description() {
    let root = tempfile::tempdir().unwrap();
    let recorder = start(settings(root.path()), 7);
    let png = encode_png(&frame()).unwrap();
    let jpeg = b"\xff\xd8\xff\xe0 cut short";
    assert!(recorder.offer(rejected(1)));
    let encoded = captured(FrameData::Encoded(png.clone()));
    assert!(recorder.offer(Record { captured: encoded, frame_of_part: 2, ..rejected(1) }));
    assert!(recorder.offer(fault(2, jpeg)));
    assert!(recorder.offer(fault(3, b"neither")));
    let counts = recorder.close(TIMEOUT);
    assert_eq!(counts, RecordCounts { written: 4, dropped: 0, failed: 0 });
    let records = found(root.path());
    let files: Vec<Vec<&str>> =
        records.iter().map(|(_, files)| files.iter().map(String::as_str).collect()).collect();
    let whole = vec!["frame.png", "overlay.png", "record.json"];
    let faults = ["frame.jpg", "frame.bin"].map(|frame| vec![frame, "record.json"]);
    assert_eq!(files, [&[whole.clone(), whole][..], &faults].concat());
    let path = |record: usize, file: &str| root.path().join(records[record].0.to_string()).join(file);
    assert_eq!(decode_file(&path(0, "frame.png")).unwrap(), frame());
    assert_eq!(decode_file(&path(0, "overlay.png")).unwrap().size(), SIZE);
    assert_eq!(std::fs::read(path(1, "frame.png")).unwrap(), png);
    assert_eq!(std::fs::read(path(2, "frame.jpg")).unwrap(), jpeg);
    assert_eq!(std::fs::read(path(3, "frame.bin")).unwrap(), b"neither");
    let rejected = description(root.path(), &records[0].0);
    for (key, value) in [("line", "line 1"), ("verdict", "reject"), ("product", "cap")] {
        assert_eq!(rejected[key], value);
    }
    assert_eq!(
        (&rejected["run"], &rejected["part"], &rejected["score"]),
        (&7.into(), &1.into(), &0.75.into())
    );
    assert_eq!(
        (&rejected["model_sha256"], &rejected["region"]["area"]),
        (&"abababababab".into(), &12.into())
    );
    assert!(rejected["captured_at"].as_str().unwrap().ends_with('Z'));
    let fault = description(root.path(), &records[2].0);
    assert_eq!((&fault["verdict"], &fault["score"]), (&"fault".into(), &serde_json::Value::Null));
    assert!(fault["fault"].as_str().unwrap().contains("JPEG"), "{fault}");
}

#[test]
fn a_sample_of_the_passed_parts_is_kept_apart_and_bounded() {
    let root = tempfile::tempdir().unwrap();
    // Four blocks a record: the folder and three files.
    let limits = Limits { bytes: 2 * 4 * 4096, age: Duration::from_secs(86_400) };
    let passed = |part| {
        let judgement = Judgement { verdict: Verdict::Pass, score: Some(0.25), ..rejected(0).judgement };
        Record { part_verdict: Verdict::Pass, judgement, ..rejected(part) }
    };
    let settings = RecordSettings { passed: Sampling { share: 0.5, limits }, ..settings(root.path()) };
    let recorder = start(settings.clone(), 4);
    let mut offered = 0;
    for part in 1..=40 {
        // Each time the disk has caught up, as at the speed of a line.
        while recorder.counts().written < offered {
            std::thread::sleep(Duration::from_millis(1));
        }
        if recorder.samples(part) {
            offered += u64::from(recorder.offer(passed(part)));
        }
        if part == 20 {
            offered += u64::from(recorder.offer(rejected(part)));
        }
    }
    assert!((10..32).contains(&offered), "{offered}");
    assert_eq!(recorder.close(TIMEOUT), RecordCounts { written: offered, dropped: 0, failed: 0 });
    assert_eq!(found(root.path()).iter().map(|(name, _)| name.part).collect::<Vec<_>>(), [20]);
    let kept = found(&root.path().join("passed"));
    assert_eq!(kept.len(), 2, "{kept:?}");
    let (newest, files) = kept.last().unwrap();
    assert_eq!(
        (newest.run, files),
        (4, &["frame.png", "overlay.png", "record.json"].map(str::to_owned).to_vec())
    );
    assert_eq!(description(&root.path().join("passed"), newest)["part_verdict"], "pass");
    // The next run's number is higher than any of theirs, even if only passed parts or decided ones are left.
    let decided = root.path().join("decided");
    std::fs::create_dir(&decided).unwrap();
    let name = RecordName { run: 8, ..*newest };
    std::fs::rename(root.path().join("passed").join(newest.to_string()), decided.join(name.to_string()))
        .unwrap();
    let recorder = start(settings, 1);
    assert!(recorder.offer(rejected(1)));
    assert_eq!(recorder.close(TIMEOUT).written, 1);
    assert_eq!(found(root.path()).last().unwrap().0.run, 9);
}

#[test]
fn trouble_with_the_passed_parts_costs_no_reject() {
    let root = tempfile::tempdir().unwrap();
    std::fs::write(root.path().join("passed"), b"a file").unwrap();
    let recorder = start(settings(root.path()), 1);
    for part in 1..=6 {
        let part_verdict = if part % 2 == 0 { Verdict::Reject } else { Verdict::Pass };
        assert!(recorder.offer(Record { part_verdict, ..rejected(part) }));
        let told = Instant::now();
        while recorder.counts().written + recorder.counts().failed < part
            || recorder.problem().is_some() != (part % 2 == 1)
        {
            assert!(told.elapsed() < TIMEOUT, "{part}: {:?}", recorder.problem());
            std::thread::sleep(Duration::from_millis(1));
        }
    }
    assert_eq!(recorder.close(TIMEOUT), RecordCounts { written: 3, dropped: 0, failed: 3 });
}

#[test]
fn passed_parts_leave_the_queue_to_the_rejected() {
    let root = tempfile::tempdir().unwrap();
    let recorder = start(settings(root.path()), 1);
    let records = (1..=300).map(|part| Record { part_verdict: Verdict::Pass, ..rejected(part) });
    let records: Vec<Record> = records.collect();
    let taken = records.into_iter().filter_map(|record| recorder.offer(record).then_some(())).count() as u64;
    // One at a time waits, and the rest of the sample isn't missed.
    assert!(taken < 300);
    assert_eq!(recorder.close(TIMEOUT), RecordCounts { written: taken, dropped: 0, failed: 0 });
}

#[test]
fn without_frames_only_the_overlay_is_kept() {
    let root = tempfile::tempdir().unwrap();
    let recorder = start(RecordSettings { frames: false, ..settings(root.path()) }, 1);
    recorder.offer(rejected(1));
    assert_eq!(recorder.close(TIMEOUT).written, 1);
    assert_eq!(found(root.path())[0].1, ["overlay.png", "record.json"]);
}

#[test]
fn runs_without_numbers_of_their_own_get_one() {
    let root = tempfile::tempdir().unwrap();
    for _ in 0..3 {
        let recorder = start(settings(root.path()), 1);
        recorder.offer(rejected(1));
        assert_eq!(recorder.close(TIMEOUT).written, 1);
    }
    let runs: Vec<u64> = found(root.path()).iter().map(|(name, _)| name.run).collect();
    assert_eq!(runs, [1, 2, 3]);
}

#[test]
fn nobody_waits_and_what_finds_the_queue_full_is_counted() {
    let root = tempfile::tempdir().unwrap();
    let recorder = start(settings(root.path()), 1);
    let records: Vec<Record> = (1..=300).map(rejected).collect();
    let taken = records.into_iter().map(|record| recorder.offer(record)).filter(|&taken| taken).count();
    let counts = recorder.close(TIMEOUT);
    assert_eq!((counts.written, counts.dropped), (taken as u64, 300 - taken as u64));
    assert!(counts.dropped > 0 && taken >= QUEUE_CAPACITY, "{counts:?}");
    assert_eq!(found(root.path()).len(), taken);
}

#[test]
fn a_folder_that_can_not_be_used_is_a_problem_and_no_error() {
    let root = tempfile::tempdir().unwrap();
    let taken = root.path().join("taken");
    std::fs::write(&taken, b"a file").unwrap();
    let recorder = start(settings(&taken), 1);
    (1..=3).for_each(|part| assert!(recorder.offer(rejected(part))));
    while recorder.counts().failed < 3 {
        std::thread::sleep(Duration::from_millis(5));
    }
    assert!(recorder.problem().unwrap().contains("cannot keep records in"), "{:?}", recorder.problem());
    assert_eq!(recorder.close(TIMEOUT), RecordCounts { written: 0, dropped: 0, failed: 3 });
}

#[test]
fn a_disk_that_comes_back_is_used_again() {
    let root = tempfile::tempdir().unwrap();
    let folder = root.path().join("records");
    std::fs::write(&folder, b"in the way").unwrap();
    let retry = Duration::from_millis(200);
    let recorder = Recorder::start_with(settings(&folder), 1, RecordCounts::default(), retry).unwrap();
    while recorder.problem().is_none() {
        std::thread::sleep(Duration::from_millis(5));
    }
    // While it rests, nothing is tried.
    recorder.offer(rejected(8));
    while recorder.counts().failed == 0 {
        std::thread::sleep(Duration::from_millis(5));
    }
    std::fs::remove_file(&folder).unwrap();
    let mut part = 9;
    while recorder.counts().written == 0 && part < 100 {
        recorder.offer(rejected(part));
        part += 1;
        std::thread::sleep(retry);
    }
    assert_eq!(recorder.problem(), None);
    assert!(recorder.close(TIMEOUT).written > 0);
    assert!(!found(&folder).is_empty());
}

const FOLDER: &str = "NOMINAL_TEST_RECORDS";

/// Not a test itself: the process that [`a_killed_process_leaves_whole_records_only`] kills.
#[test]
#[ignore = "started by another test"]
fn recording_child() {
    let folder = std::env::var_os(FOLDER).expect("started by another test");
    let limits = Limits { bytes: 40 * 4096, ..settings(Path::new("")).limits };
    let recorder = start(RecordSettings { limits, ..settings(Path::new(&folder)) }, 1);
    for part in 1.. {
        while !recorder.offer(rejected(part)) {
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

#[test]
fn a_killed_process_leaves_whole_records_only() {
    let root = tempfile::tempdir().unwrap();
    let mut random = Seeded::new(11, 0);
    let mut last = 0;
    for _ in 0..10 {
        let mut child = emulator::command(std::env::current_exe().unwrap())
            .args(["record::recorder::tests::recording_child", "--exact", "--ignored"])
            .env(FOLDER, root.path())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        while found(root.path()).last().is_none_or(|(newest, _)| newest.run == last) {
            std::thread::sleep(Duration::from_millis(1));
        }
        std::thread::sleep(Duration::from_millis(random.below(100) as u64));
        child.kill().unwrap();
        child.wait().unwrap();
        let records = found(root.path());
        for (name, files) in &records {
            assert_eq!(files, &["frame.png", "overlay.png", "record.json"], "{name}");
            let file = |file: &str| root.path().join(name.to_string()).join(file);
            assert_eq!(decode_file(&file("frame.png")).unwrap(), frame());
            decode_file(&file("overlay.png")).unwrap();
            assert_eq!(description(root.path(), name)["part"], name.part);
        }
        let newest = records.last().unwrap().0;
        last = newest.run;
    }
    // The next start removes half-written records, and the limit holds.
    let limits = Limits { bytes: 40 * 4096, ..settings(root.path()).limits };
    let store = RecordStore::open(root.path(), limits).unwrap();
    let others = |entry: &std::fs::DirEntry| entry.file_name() != crate::record::age_file::NAME;
    let there = std::fs::read_dir(root.path()).unwrap().map(Result::unwrap).filter(others);
    assert_eq!(there.count(), store.len());
    assert!(store.bytes() <= limits.bytes);
}
