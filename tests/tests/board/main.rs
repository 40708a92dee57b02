//! The device's program on an emulated ARM board: real kernel, real V4L2, GPIO and serial devices, watched from outside.
//!
//! `cargo xtask board` gets ready what this needs and runs it.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "test support")]

mod initramfs;
mod line;
mod lines;
mod machine;
mod pins;
mod root;
mod stage;

use fit::seeded::Seeded;

use crate::line::{Line, Shown};
use crate::stage::Stage;

/// So many frames, good and defective ones mixed, the same ones every time.
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

#[test]
#[ignore = "boots an emulated board; `cargo xtask board` runs it"]
fn a_shift_on_the_board() {
    let stage = Stage::set();
    let board = stage.board();
    println!("{:<58} {:>9.1} s", "switched on to shell", board.age().as_secs_f64());
    let mut line = Line::on(board);
    println!("{:<58} {:>9} ms", "judging one frame there", line.set_pace());
    line.feed();

    line.start("cell");
    line.expect("first verdict after the switch", &mixed(&stage, 1, 1));
    println!("{:<58} {:>9.1} s", "switched on to first verdict", line.board.age().as_secs_f64());
    line.expect("parts by a GPIO trigger, MJPEG frames", &mixed(&stage, 60, 2));

    line.select("strict");
    let all_rejected: Vec<Shown> =
        mixed(&stage, 10, 3).into_iter().map(|shown| Shown { rejected: true, ..shown }).collect();
    line.expect("another product, selected while the line runs", &all_rejected);
    line.select("cell");
    line.expect("and back", &mixed(&stage, 10, 4));

    line.unplug();
    let blind: Vec<Shown> =
        mixed(&stage, 6, 5).into_iter().map(|shown| Shown { rejected: true, ..shown }).collect();
    line.expect_safe("the camera is gone: all to the safe side", &blind);
    line.feed();
    line.wait_until_ready();
    line.expect("the camera is back", &mixed(&stage, 10, 6));

    line.kill();
    line.expect("after kill -9 and the supervisor's restart", &mixed(&stage, 10, 7));
    line.stop();

    line.board.run("mkdir -p /small; mount -t tmpfs -o size=64k none /small");
    line.start("full");
    line.expect("the records' disk is full", &mixed(&stage, 20, 8));
    line.stop();

    line.start("encoder");
    line.expect_by_encoder("gate by encoder ticks", &mixed(&stage, 20, 9));
    line.stop();

    line.board.run("insmod /modules/vivid.ko n_devs=1 node_types=0x1 vid_cap_nr=0,");
    line.start("vivid");
    line.expect_judged("vivid's YUYV picture, gain locked", &mixed(&stage, 10, 10));
    line.stop();

    let report = line.board.run("edge-runtime bench --bundle /bundles/large --frames 2 --json");
    let report: serde_json::Value = serde_json::from_str(report.trim()).unwrap();
    let memory = report["peak_rss_mib"].as_f64().unwrap();
    println!("{:<58} {memory:>9.1} MiB", "memory, STPM 256²");
    assert!(memory <= 150.0, "{memory} MiB");
    println!("{} parts, none lost, doubled or wrong", line.parts);
}
