//! Runs a line on the board and checks its behaviour.

use std::time::{Duration, Instant};

use crate::line_files::{FAULT, HEARTBEAT, PASS, REJECT};
use crate::machine::{Machine, now};

/// How long a frame is shown before the trigger, and at least how long after it, in milliseconds: a few of the camera's
/// frames.
const SETTLE_MS: u32 = 280;
const GAP_MS: u32 = 130;
/// How long to wait for all reports.
const LAST_REPORT: Duration = Duration::from_secs(20);
/// Checks what the line says about its camera, once a second.
const CAMERA_IS_LIVE: &str = "grep -q 'camera is live' /data/state/status.json";
/// Removes the status of an earlier run, which says nothing about this one.
const FORGET_STATUS: &str = "rm -f /data/state/status.json";
/// A dead line must be silent after this many seconds.
const SILENT_WITHIN: f64 = 0.2;

/// A frame that the camera sees when a part triggers, and whether the part should be rejected.
pub struct Shown {
    /// Its file name in `/frames`.
    pub frame: String,
    /// Whether a reject is expected.
    pub rejected: bool,
}

/// The board with its line.
pub struct Line {
    /// The board.
    pub board: Machine,
    /// Number of parts so far.
    pub parts: usize,
    /// Time from a trigger to the next frame.
    gap_ms: u32,
    /// How long a frame takes to judge.
    judging_ms: u32,
}

/// A position in the records of the pins and the peer.
struct Mark {
    changes: usize,
    reports: usize,
}

impl Line {
    /// Wraps a board without a running line.
    pub const fn on(board: Machine) -> Self {
        Self { board, parts: 0, gap_ms: GAP_MS, judging_ms: 0 }
    }

    /// Measures how long judging a frame takes on this emulated processor, and spaces parts accordingly.
    pub fn set_pace(&mut self) -> u32 {
        let report = self.board.run("edge-runtime bench --bundle /bundles/cell --frames 5 --threads 2");
        let total = report.lines().find_map(|line| line.strip_prefix("total")).unwrap();
        let median: f64 = total.split_whitespace().next().unwrap().parse().unwrap();
        let judging = median.ceil() as u32;
        self.judging_ms = judging;
        // Half as long again, since other programs run on the host.
        self.gap_ms = (judging + judging / 2).saturating_sub(SETTLE_MS).max(GAP_MS);
        judging
    }

    /// Makes the camera deliver frames.
    pub fn feed(&mut self) {
        self.board.run("test -e /feed/now.jpg || cp $(ls -d /frames/good* | head -n 1) /feed/now.jpg");
        self.board.run("test -c /dev/video1 || insmod /modules/v4l2loopback.ko video_nr=1 exclusive_caps=1");
        self.board.run("feed_camera /dev/video1 300 300 8 /feed/now.jpg >/tmp/feed.log 2>&1 & true");
    }

    /// Makes the camera stop delivering frames.
    pub fn unplug(&mut self) {
        self.board.run("killall feed_camera");
        self.board.wait_for(&format!("! {CAMERA_IS_LIVE}"));
    }

    /// Makes the camera deliver again, and waits until the line has noticed.
    pub fn plug_in(&mut self) {
        self.feed();
        self.board.wait_for(CAMERA_IS_LIVE);
    }

    /// Makes the camera's driver repeat the same buffer, or stop doing so.
    pub fn repeat_frames(&mut self, on: bool) {
        let change = if on { "touch" } else { "rm" };
        self.board.run(&format!("{change} /feed/now.jpg.stale; sleep 1"));
    }

    /// Starts the line under its supervisor and waits until it judges.
    pub fn start(&mut self, name: &str) {
        self.board.run(FORGET_STATUS);
        self.board.run(&format!("supervise.sh {name}.toml & echo $! >/tmp/supervisor"));
        self.wait_until_ready();
    }

    /// Stops the line in an orderly way.
    pub fn stop(&mut self) {
        self.board.run("kill $(cat /tmp/supervisor); killall -TERM edge-runtime");
        self.board.wait_for("! pidof edge-runtime >/dev/null");
    }

    /// Waits until the line has frames and reports no alarm.
    pub fn wait_until_ready(&mut self) {
        self.board.wait_for(CAMERA_IS_LIVE);
        let before = self.board.peer.statuses().len();
        let until = Instant::now() + Duration::from_secs(60);
        while !self.board.peer.statuses().iter().skip(before).any(|status| status.ends_with(" -")) {
            let log = if Instant::now() > until {
                self.board.run("tail -n 20 /tmp/line.err")
            } else {
                String::new()
            };
            assert!(
                Instant::now() < until,
                "the line is not ready: {:?}\n{log}",
                self.board.peer.statuses().last()
            );
            self.board.peer.send("?");
            std::thread::sleep(Duration::from_millis(150));
        }
    }

    /// Selects a product between two parts.
    pub fn select(&mut self, product: &str) {
        self.board.peer.send(&format!("P {product}"));
        std::thread::sleep(Duration::from_millis(300));
    }

    /// Shows parts and checks each one's disposition, on the pins and at the serial peer.
    pub fn expect(&mut self, what: &str, shown: &[Shown]) {
        let mark = self.mark();
        self.show(shown);
        self.check(what, &mark, shown, true);
    }

    /// Like [`Self::expect`], for a line whose verdicts don't count: all parts go to the safe side, which holds the
    /// output.
    pub fn expect_safe(&mut self, what: &str, shown: &[Shown]) {
        let mark = self.mark();
        self.show(shown);
        self.check(what, &mark, shown, false);
    }

    /// Like [`Self::expect`], with a moving belt.
    pub fn expect_by_encoder(&mut self, what: &str, shown: &[Shown]) {
        let tick = "echo pull-up >$ENCODER; usleep 4000; echo pull-down >$ENCODER; usleep 4000";
        self.board.run(&format!(
            "touch /tmp/belt; (while test -e /tmp/belt; do {tick}; done) >/dev/null 2>&1 & true"
        ));
        // The belt takes one of the board's two cores, which leaves half for the network.
        let gap_ms = self.gap_ms;
        self.gap_ms += self.judging_ms;
        self.expect(what, shown);
        self.gap_ms = gap_ms;
        self.board.run("rm /tmp/belt");
    }

    /// Shows parts to any camera; each must be judged, with any verdict.
    pub fn expect_judged(&mut self, what: &str, shown: &[Shown]) {
        let mark = self.mark();
        self.show(shown);
        let reports = self.reports(&mark, shown.len());
        assert!(reports.iter().all(|report| report.2.is_empty()), "{what}: {reports:?}");
        self.passed(what, shown.len());
    }

    /// Teaches a product on the board itself, from good parts that pass its camera. Teaching is interrupted between two
    /// parts, and must continue from the photos it has.
    pub fn teach(&mut self, bundle: &str, good: &[Shown]) {
        let first = good.len() / 2;
        let teach = |parts: usize| {
            format!(
                "edge-runtime teach --line cell.toml --parts {parts} --size 64 --teacher /lite0.safetensors \
                 --out {bundle}"
            )
        };
        let all = teach(good.len());
        self.board
            .run(&format!("cd /root; ({all} >/tmp/teach.log 2>&1; echo ended with $? >/tmp/taught) & true"));
        self.board.wait_for("grep -q 'camera is live' /tmp/teach.log");
        self.show(&good[..first]);
        self.board.wait_for(&format!("grep -q '^{first} of' /tmp/teach.log"));
        self.board.run("killall -KILL edge-runtime");
        self.board.wait_for("grep -q 'ended with 137' /tmp/taught");
        self.board.run(&format!(
            "test ! -e {bundle}; ({all} >/tmp/teach.log 2>&1; echo ended with $? >/tmp/taught) & true"
        ));
        self.board.wait_for("grep -q 'camera is live' /tmp/teach.log");
        self.show(&good[first..]);
        self.board.wait_for("grep -q 'ended with' /tmp/taught && ! grep -q 'ended with 137' /tmp/taught");
        let log = self.board.run("cat /tmp/taught /tmp/teach.log");
        assert!(log.starts_with("ended with 0"), "{log}");
        assert!(log.contains(&format!("from {} parts", good.len())), "{log}");
        self.board.run(&format!("edge-runtime doctor --bundle {bundle}"));
        self.passed("taught on the board, interrupted once", good.len());
    }

    /// Shows parts continuously in the background.
    pub fn show_without_end(&mut self, shown: &[Shown]) {
        let frames: Vec<String> = shown.iter().map(|shown| format!("/frames/{}", shown.frame)).collect();
        let show = format!("parts.sh {SETTLE_MS} {} {}", self.gap_ms, frames.join(" "));
        self.board.run(&format!("(while true; do {show}; done) >/dev/null 2>&1 & true"));
    }

    /// Kills the program without warning: the heartbeat must stop, and the restart must begin in the safe state.
    pub fn kill(&mut self) {
        let beats = |changes: &[crate::pins::Change]| {
            changes
                .iter()
                .filter(|change| change.line == HEARTBEAT)
                .map(|change| change.at)
                .collect::<Vec<_>>()
        };
        let known = self.board.pins.changes().len();
        // The supervisor is paused, so that the silence can be observed.
        self.board.run("kill -STOP $(cat /tmp/supervisor); killall -KILL edge-runtime");
        let killed = now();
        std::thread::sleep(Duration::from_secs(1));
        let changes = self.board.pins.changes();
        let last = beats(&changes).last().copied().expect("the heartbeat never beat");
        println!("{:<58} {:>9.0} ms", "kill -9 to the last beat", (last - killed).max(0.0) * 1000.0);
        assert!(last - killed <= SILENT_WITHIN, "the heartbeat beats {} s after kill -9", last - killed);
        self.board.run(&format!("{FORGET_STATUS}; kill -CONT $(cat /tmp/supervisor)"));
        self.wait_until_ready();
        let changes = self.board.pins.changes();
        let first = changes.iter().skip(known).find(|change| change.at > killed && change.line != HEARTBEAT);
        // Before anything else happens, parts are rejected or the fault output is set.
        let first = first.expect("no output changed at the restart");
        assert!(first.high && matches!(first.line, REJECT | FAULT), "{first:?}");
        self.board.run("grep -q 'ended with 137' /tmp/line.err");
    }

    fn mark(&self) -> Mark {
        Mark { changes: self.board.pins.changes().len(), reports: self.board.peer.parts().len() }
    }

    fn show(&mut self, shown: &[Shown]) {
        let frames: Vec<String> = shown.iter().map(|shown| format!("/frames/{}", shown.frame)).collect();
        self.board.run(&format!("parts.sh {SETTLE_MS} {} {}", self.gap_ms, frames.join(" ")));
    }

    /// Returns the reports of parts since then, waiting for the expected number.
    fn reports(&self, mark: &Mark, count: usize) -> Vec<(u64, String, String)> {
        let until = Instant::now() + LAST_REPORT;
        let since = || self.board.peer.parts().split_off(mark.reports);
        while since().len() < count && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(20));
        }
        // A superfluous report would arrive a moment later.
        std::thread::sleep(Duration::from_millis(200));
        since()
    }

    fn check(&mut self, what: &str, mark: &Mark, shown: &[Shown], pulses_count: bool) {
        let reports = self.reports(mark, shown.len());
        let way = |rejected: bool| if rejected { "REJECT" } else { "PASS" };
        let expected: Vec<&str> = shown.iter().map(|shown| way(shown.rejected)).collect();
        let seen: Vec<&str> = reports.iter().map(|report| report.1.as_str()).collect();
        assert_eq!(seen, expected, "{what}: at the serial peer: {reports:?}");
        let numbers: Vec<u64> = reports.iter().map(|report| report.0).collect();
        assert!(numbers.windows(2).all(|two| two[1] == two[0] + 1), "{what}: {numbers:?}");
        let pulses = self.board.pins.pulses(mark.changes, &[REJECT, PASS]);
        if pulses_count {
            let expected: Vec<u32> =
                shown.iter().map(|shown| if shown.rejected { REJECT } else { PASS }).collect();
            assert_eq!(pulses, expected, "{what}: on the pins");
        } else {
            assert!(!pulses.contains(&PASS), "{what}: {pulses:?}");
        }
        self.passed(what, shown.len());
    }

    fn passed(&mut self, what: &str, count: usize) {
        self.parts += count;
        println!("{what:<58} {count:>9} parts as expected {:>7.1} s", self.board.age().as_secs_f64());
    }
}
