//! Tests the device's program on an emulated ARM board: real kernel, real V4L2, GPIO and serial devices, observed from
//! outside.
//!
//! `cargo xtask board` prepares what it needs and runs it.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "test support")]

mod initramfs;
mod line;
mod line_files;
mod machine;
mod pins;
mod root;
mod stage;

use bundle::seeded::Seeded;
use tests::times;

use crate::line::{Line, Shown};
use crate::stage::Stage;

/// Returns this many frames, good and defective ones mixed, the same every time.
fn mixed(stage: &Stage, count: usize, seed: u64) -> Vec<Shown> {
    let mut random = Seeded::new(seed, 5);
    let mut choose = |from: &[String]| from[random.below(from.len())].clone();
    let mut shown = vec![];
    for index in 0..count {
        let rejected = (index * 7 + seed as usize) % 5 < 2;
        let frame = choose(if rejected { &stage.defective } else { &stage.good });
        shown.push(Shown { frame, rejected });
    }
    shown
}

/// Returns good frames without repetition.
fn different(stage: &Stage, count: usize) -> Vec<Shown> {
    let good = stage.good.iter().take(count);
    good.map(|frame| Shown { frame: frame.clone(), rejected: false }).collect()
}

#[test]
#[ignore = "boots an emulated board; `cargo xtask board` runs it"]
fn a_shift_on_the_board() {
    let (stage, times) = (Stage::set(), times() as usize);
    let board = stage.board();
    println!("{:<58} {:>9.1} s", "switched on to shell", board.age().as_secs_f64());
    let mut line = Line::on(board);
    println!("{:<58} {:>9} ms", "judging one frame there", line.set_pace());
    line.feed();

    line.start("cell");
    line.expect("first verdict after the switch", &mixed(&stage, 1, 1));
    println!("{:<58} {:>9.1} s", "switched on to first verdict", line.board.age().as_secs_f64());
    line.expect("parts by a GPIO trigger, MJPEG frames", &mixed(&stage, 24 * times, 2));

    line.select("strict");
    let all_rejected: Vec<Shown> =
        mixed(&stage, 6 * times, 3).into_iter().map(|shown| Shown { rejected: true, ..shown }).collect();
    line.expect("another product, selected while the line runs", &all_rejected);
    line.select("cell");
    line.expect("and back", &mixed(&stage, 6 * times, 4));

    line.unplug();
    let blind: Vec<Shown> =
        mixed(&stage, 4 * times, 5).into_iter().map(|shown| Shown { rejected: true, ..shown }).collect();
    line.expect_safe("the camera is gone: all to the safe side", &blind);
    line.plug_in();
    line.expect("the camera is back", &mixed(&stage, 6 * times, 6));

    // The frames usually change from part to part; a driver that repeats its buffer doesn't change them.
    line.repeat_frames(true);
    let part = mixed(&stage, 1, 13).swap_remove(0);
    let repeated: Vec<Shown> = (0..4).map(|_| Shown { frame: part.frame.clone(), rejected: true }).collect();
    line.expect("an image that is repeated", &repeated);
    line.repeat_frames(false);
    line.expect("and moves again", &mixed(&stage, 4, 14));

    line.kill();
    line.expect("after kill -9 and the supervisor's restart", &mixed(&stage, 6 * times, 7));

    // Writes neither succeed nor fail, as on a dying card.
    line.board.run("fsfreeze --freeze /data");
    line.expect("the disk of records and counters hangs", &mixed(&stage, 20 * times, 11));
    line.board.run("fsfreeze --unfreeze /data");
    line.stop();

    line.board.run("mkdir -p /small; mount -t tmpfs -o size=64k none /small");
    line.start("full");
    line.expect("the records' disk is full", &mixed(&stage, 20 * times, 8));
    line.stop();

    line.start("encoder");
    line.expect_by_encoder("gate by encoder ticks", &mixed(&stage, 8 * times, 9));
    line.stop();

    line.teach("/data/taught", &different(&stage, 8));
    line.start("taught");
    line.expect_judged("parts by what the board was taught", &mixed(&stage, 6 * times, 12));
    line.stop();

    line.board.run("insmod /modules/vivid.ko n_devs=1 node_types=0x1 vid_cap_nr=0");
    line.start("vivid");
    line.expect_judged("vivid's YUYV image, gain locked", &mixed(&stage, 6 * times, 10));
    line.stop();

    line.start("webcam");
    line.expect_judged("the same image through nokhwa", &mixed(&stage, 6 * times, 15));
    line.stop();

    let report = line.board.run("edge-runtime bench --bundle /bundles/large --frames 1 --threads 2 --json");
    let report: serde_json::Value = serde_json::from_str(report.trim()).unwrap();
    let memory = report["peak_rss_mib"].as_f64().unwrap();
    println!("{:<58} {memory:>9.1} MiB", "memory, STPM 256²");
    assert!(memory <= 150.0, "{memory} MiB");
    println!("{} parts, none lost, doubled or wrong", line.parts);
}

/// Counters are saved once a second; whatever was reported this many seconds before a power cut must be counted.
const COUNTED_WITHIN: f64 = 2.5;

#[test]
#[ignore = "boots an emulated board; `cargo xtask board` runs it"]
fn power_cuts() {
    let stage = Stage::set();
    let mut random = Seeded::new(11, 5);
    let mut counted = 0..=0;
    for cut in 0..3 * times() {
        let mut line = Line::on(stage.board());
        let torn = line.board.run(WHOLE_RECORDS);
        assert_eq!(torn, "", "records that are not whole after {cut} cuts");
        let records: usize = line.board.run("ls /data/records 2>/dev/null | wc -l").trim().parse().unwrap();
        line.set_pace();
        line.feed();
        line.start("cell");
        let triggered = line.board.peer.triggered();
        assert!(counted.contains(&triggered), "{triggered} parts after {cut} cuts, not {counted:?}");
        println!("boot {cut}: {triggered} parts counted, {counted:?} expected; {records} whole records");
        line.show_without_end(&mixed(&stage, 40, cut));
        let reports = 6 + random.below(6);
        line.board.wait_for(&format!("test $(grep -c part /tmp/line.out) -ge {reports}"));
        std::thread::sleep(std::time::Duration::from_millis(random.below(1000) as u64));
        // The emulator dies: data that the board hasn't yet written to its disk is lost.
        let peer = line.board.cut_power();
        let sure = peer.parts_before(machine::now() - COUNTED_WITHIN);
        // Parts between trigger and gate have been counted, too, but not reported.
        counted = triggered + sure..=triggered + peer.parts().len() as u64 + UNDER_WAY;
    }
}

/// Maximum number of parts between trigger and gate.
const UNDER_WAY: u64 = 64;

/// Prints what is wrong with any record: a truncated file, or a folder that lacks a file.
const WHOLE_RECORDS: &str = "for record in $(ls -d /data/records/2* /data/records/1* 2>/dev/null); do \
    tail -c 2 $record/record.json | grep -q } || echo $record record.json; \
    tail -c 8 $record/overlay.png | grep -q IEND || echo $record overlay.png; \
    test $(tail -c 2 $record/frame.jpg | hexdump -e '2/1 \"%02x\"') = ffd9 || echo $record frame.jpg; done";
