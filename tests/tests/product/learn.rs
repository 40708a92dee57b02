//! Tests `edge-runtime learn` as users run it: from a line's records and what people decided about them.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use bundle::seeded::Seeded;
use judge::{Bundle, Frame, encode_png};
use shared_format::threshold_file::MAX_LEN;
use shared_format::{Arithmetic, Size, ThresholdFile};
use tests::images::{part, striped_part, write_parts};
use tests::workshop::{TEACHER, Workshop};
use tests::{program, run, succeed, times};

const SIZE: Size = Size { width: 160, height: 128 };
const LINE: &str = r#"
name = "a"
[[product]]
name = "cap"
bundle = "taught"
[camera]
source = "folder"
path = "shots"
fps = 10
repeat = false
[trigger]
kind = "frame"
[gate]
delay_ms = 2000
pulse_ms = 10
[records]
folder = "records"
passed_share = 1.0
"#;

struct Shop(Workshop);

impl Shop {
    /// A taught bundle, and the records of a run with five unusual good parts, four bad ones and two good ones.
    fn after_a_run() -> Self {
        let shop = Self(Workshop::with_network("resnet18"));
        write_parts(&shop.0.path("photos"), SIZE, 20, false);
        let teach = ["teach", "--teacher", TEACHER, "--size", "128", "--method", "padim", "--from", "photos"];
        succeed(&mut shop.edge(&[&teach[..], &["--out", "taught"]].concat()));
        std::fs::write(shop.0.path("line.toml"), LINE).unwrap();
        let frames =
            (0..5).map(|n| striped_part(SIZE, 700 + n)).chain((0..4).map(|n| part(SIZE, 800 + n, true)));
        let frames = frames.chain((0..2).map(|n| part(SIZE, 900 + n, false)));
        std::fs::create_dir(shop.0.path("shots")).unwrap();
        for (index, frame) in frames.enumerate() {
            std::fs::write(shop.0.path(&format!("shots/{index:02}.png")), encode_png(&frame).unwrap())
                .unwrap();
        }
        succeed(&mut shop.edge(&["run", "line.toml"]));
        shop
    }

    fn edge(&self, arguments: &[&str]) -> Command {
        let mut command = program("edge-runtime");
        command.env("NOMINAL_HOME", self.0.path("home")).current_dir(self.0.path("")).args(arguments);
        command
    }

    fn learn(&self, extra: &[&str]) -> (i32, String, String) {
        run(&mut self.edge(&[&["learn", "--line", "line.toml"], extra].concat()))
    }

    /// Marks the records of these parts.
    fn mark(&self, decision: &[&str], parts: impl IntoIterator<Item = usize>) {
        let listed = succeed(&mut self.edge(&["review", "list", "--line", "line.toml"]));
        let name = |part: usize| {
            let ending = format!("{part:08}");
            listed
                .lines()
                .filter_map(|line| line.split(' ').next())
                .find(|name| name.ends_with(&ending))
                .unwrap()
        };
        let names: Vec<&str> = parts.into_iter().map(name).collect();
        succeed(&mut self.edge(&[&["review", "mark", "--line", "line.toml"], decision, &names].concat()));
    }

    fn thresholds(&self) -> Vec<u8> {
        std::fs::read(self.0.path("taught/model.threshold")).unwrap()
    }

    /// Returns the exit code of judging a frame: 0 for pass, 10 for reject.
    fn judge(&self, frame: &Frame) -> i32 {
        std::fs::write(self.0.path("new.png"), encode_png(frame).unwrap()).unwrap();
        run(&mut self.edge(&["inspect", "--bundle", "taught", "new.png"])).0
    }

    fn hidden(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.0.path("")).unwrap();
        let mut names: Vec<_> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.retain(|name| name.starts_with('.'));
        names.sort();
        names
    }
}

#[test]
fn false_alarms_become_good_parts_and_the_old_bundle_stays_for_rolling_back() {
    let shop = Shop::after_a_run();
    assert_eq!((shop.judge(&striped_part(SIZE, 990)), shop.judge(&part(SIZE, 991, true))), (10, 10));
    let (code, _, stderr) = shop.learn(&[]);
    assert!(code == 1 && stderr.contains("no record of cap is marked as a false alarm"), "{stderr}");
    shop.mark(&["false-alarm"], 1..=5);
    shop.mark(&["defect", "--kind", "stain"], 6..=9);
    // A defect among the passed parts: now that it is taught, it is found.
    shop.mark(&["defect", "--kind", "inside"], [10]);
    let before = shop.thresholds();
    let (code, stdout, stderr) = shop.learn(&[]);
    assert_eq!(code, 0, "{stdout}{stderr}");
    for words in [
        "25 parts: 20 from photos, 5 false alarms",
        "25 normals, each scored by a model of the others",
        "5 of 5 false alarms would pass (0 now), 0 of 5 defects would pass (1 now)",
        "taught: not changed yet; --apply",
    ] {
        assert!(stdout.contains(words), "{words}: {stdout}");
    }
    assert!(stderr.contains("cap: 5 false alarms, 5 defects, 0 unsure"), "{stderr}");
    assert_eq!((shop.thresholds(), shop.hidden()), (before.clone(), vec![]));
    let kinds: Vec<usize> = ["stain", "inside"]
        .iter()
        .map(|kind| std::fs::read_dir(shop.0.path("records/defects/cap").join(kind)).unwrap().count())
        .collect();
    assert_eq!(kinds, [4, 1]);
    let (code, stdout, _) = shop.learn(&["--apply"]);
    assert!(code == 0 && stdout.contains("taught: replaced"), "{stdout}");
    assert_ne!(shop.thresholds(), before);
    assert_eq!((shop.judge(&striped_part(SIZE, 990)), shop.judge(&part(SIZE, 991, true))), (0, 10));
    succeed(&mut shop.edge(&["doctor", "--bundle", "taught"]));
    // What was learned is learned again, from the same photos and decisions.
    let (code, stdout, _) = shop.learn(&[]);
    assert!(code == 0 && stdout.contains("25 parts: 20 from photos, 5 false alarms"), "{stdout}");
    let (code, stdout, _) = shop.learn(&["--roll-back"]);
    assert!(code == 0 && stdout.contains("the earlier bundle is back"), "{stdout}");
    assert_eq!((shop.thresholds(), shop.hidden()), (before, vec![".taught.beside".to_owned()]));
    let (code, _, stderr) = shop.learn(&["--roll-back"]);
    assert!(code == 1 && stderr.contains("nothing to roll back to"), "{stderr}");
}

#[test]
fn a_bundle_that_would_let_defects_pass_or_claims_less_is_refused() {
    let shop = Shop::after_a_run();
    // Three of the stains are taken for false alarms, so the fourth would pass.
    shop.mark(&["false-alarm"], 6..=8);
    shop.mark(&["defect", "--kind", "stain"], [9]);
    let before = shop.thresholds();
    for apply in [&[][..], &["--apply"]] {
        let (code, stdout, stderr) = shop.learn(apply);
        assert_eq!(code, 1, "{stdout}{stderr}");
        assert!(stderr.contains("refused: 1 of 1 defects that are rejected now would pass"), "{stderr}");
        assert!(
            stderr.contains("00000009 (stain)") && stdout.contains("taught: kept as it is"),
            "{stderr}{stdout}"
        );
        assert_eq!((shop.thresholds(), shop.hidden()), (before.clone(), vec![]));
    }
    let (code, stdout, _) = shop.learn(&["--apply", "--force"]);
    assert!(code == 0 && stdout.contains("taught: replaced"), "{stdout}");
    assert_eq!(shop.judge(&part(SIZE, 803, true)), 0);
    shop.learn(&["--roll-back"]);
    assert_eq!(shop.thresholds(), before);
    // The decisions are put right, but most of the photos are gone.
    shop.mark(&["defect", "--replace"], 6..=8);
    shop.mark(&["false-alarm"], 1..=5);
    for seed in 4..20 {
        std::fs::remove_file(shop.0.path(&format!("photos/part-{seed:03}.png"))).unwrap();
    }
    let (code, stdout, stderr) = shop.learn(&["--apply", "--threshold", "claim"]);
    assert!(code == 1 && stderr.contains("refused: it would claim 10.00 % false alarms"), "{stderr}{stdout}");
    std::fs::remove_dir_all(shop.0.path("photos")).unwrap();
    let (code, _, stderr) = shop.learn(&["--apply"]);
    assert!(code == 1 && stderr.contains("give their folder with --photos"), "{stderr}");
    assert_eq!((shop.thresholds(), shop.hidden()), (before, vec![".taught.beside".to_owned()]));
}

#[test]
fn records_that_can_not_be_used_are_named_and_the_rest_is_learned() {
    let shop = Shop::after_a_run();
    shop.mark(&["false-alarm"], 1..=5);
    shop.mark(&["defect"], 6..=9);
    let decided = |part: usize| -> std::path::PathBuf {
        let records = std::fs::read_dir(shop.0.path("records/decided")).unwrap().map(|e| e.unwrap().path());
        records.into_iter().find(|path| path.to_str().unwrap().ends_with(&format!("{part:08}"))).unwrap()
    };
    let png = std::fs::read(decided(1).join("frame.png")).unwrap();
    std::fs::write(decided(1).join("frame.png"), &png[..png.len() / 2]).unwrap();
    std::fs::write(decided(2).join("decision.json"), b"{\"version\":1,").unwrap();
    std::fs::remove_file(decided(3).join("frame.png")).unwrap();
    std::fs::write(decided(6).join("frame.png"), b"\x89PNG\r\n\x1a\n cut").unwrap();
    let (code, stdout, stderr) = shop.learn(&[]);
    assert_eq!(code, 0, "{stdout}{stderr}");
    for words in ["cut short", "decision.json is damaged", "its frame was not kept", "not judged"] {
        assert!(stderr.contains(words), "{words}: {stderr}");
    }
    assert!(stdout.contains("22 parts: 20 from photos, 2 false alarms"), "{stdout}");
    assert!(stdout.contains("0 of 3 defects would pass (0 now)"), "{stdout}");
    // A damaged lesson, and none at all.
    let lesson = shop.0.path("taught/lesson.json");
    let whole = std::fs::read(&lesson).unwrap();
    std::fs::write(&lesson, &whole[..whole.len() / 2]).unwrap();
    let (code, _, stderr) = shop.learn(&[]);
    assert!(code == 1 && stderr.contains("lesson.json is damaged"), "{stderr}");
    std::fs::remove_file(&lesson).unwrap();
    let (code, _, stderr) = shop.learn(&[]);
    assert!(code == 1 && stderr.contains("give the photos of good parts"), "{stderr}");
    let (code, stdout, stderr) = shop.learn(&["--photos", "photos"]);
    assert!(code == 0 && stderr.contains("default options of padim"), "{stdout}{stderr}");
}

#[test]
fn a_kill_at_any_moment_leaves_the_old_bundle_or_the_new_one() {
    let shop = Shop::after_a_run();
    shop.mark(&["false-alarm"], 1..=5);
    shop.mark(&["defect"], 6..=9);
    let old = shop.thresholds();
    let started = Instant::now();
    let (code, stdout, stderr) = shop.learn(&["--apply"]);
    assert_eq!(code, 0, "{stdout}{stderr}");
    let takes = started.elapsed();
    let new = shop.thresholds();
    let back = || assert_eq!(shop.learn(&["--roll-back"]).0, 0);
    back();
    let mut random = Seeded::new(5, 0);
    let mut switched = 0;
    for round in 0..4 * times() {
        let mut child = shop
            .edge(&["learn", "--line", "line.toml", "--apply"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        // Most of them near the end, when files are written and moved.
        let share = if round % 3 == 0 { random.below(900) } else { 800 + random.below(400) };
        std::thread::sleep(takes.mul_f64(share as f64 / 1000.0) + Duration::from_millis(1));
        child.kill().unwrap();
        child.wait().unwrap();
        let found = Bundle::open(&shop.0.path("taught")).unwrap();
        let now = shop.thresholds();
        assert!(now == old || now == new, "round {round}");
        succeed(&mut shop.edge(&["doctor", "--bundle", "taught"]));
        drop(found);
        if now == new {
            switched += 1;
            back();
            assert_eq!(shop.thresholds(), old);
        }
    }
    eprintln!("{switched} were switched before they were killed");
    let (code, stdout, stderr) = shop.learn(&["--apply"]);
    assert_eq!(code, 0, "{stdout}{stderr}");
    assert_eq!((shop.thresholds(), shop.hidden()), (new, vec![".taught.beside".to_owned()]));
    assert!(!leftovers(&shop.0.path("")), "half-made bundles are left");
}

#[test]
fn what_a_board_teaches_and_learns_is_signed_whenever_it_is_killed() {
    let shop = Shop::after_a_run();
    let line = |keys: &str, board_key: &str| {
        let text = LINE.replacen("name = \"a\"\n", &format!("name = \"a\"\n{keys}\n"), 1);
        let tables = format!("[health]\nstate = \"state\"\n[signing]\n{board_key}\n");
        std::fs::write(shop.0.path("line.toml"), text + &tables).unwrap();
    };
    let lesson = ["teach", "--teacher", TEACHER, "--size", "128", "--method", "padim", "--from", "photos"];
    let lesson = [&lesson[..], &["--out", "taught", "--line", "line.toml"]].concat();
    let doctor = || run(&mut shop.edge(&["doctor", "--bundle", "taught", "--line", "line.toml"]));
    let is_signed = |serial: &str| {
        let (code, stdout, stderr) = doctor();
        let words = format!("serial number {serial}");
        assert!(
            code == 0 && stdout.contains("signed by board 7") && stdout.contains(&words),
            "{stdout}{stderr}"
        );
    };
    line("", "board_key = \"keys\"");
    let (code, _, stderr) = run(&mut shop.edge(&lesson));
    assert!(code == 0 && stderr.contains("signed by this board"), "{stderr}");
    let public = std::fs::read_to_string(shop.0.path("keys/board.pub")).unwrap();
    let trust = format!("trust = [\"{} board 7\"]", public.lines().nth(1).unwrap());
    line(&trust, "board_key = \"keys\"");
    is_signed("1");
    shop.mark(&["false-alarm"], 1..=5);
    shop.mark(&["defect"], 6..=9);
    let (code, stdout, stderr) = shop.learn(&["--apply"]);
    assert!(code == 0 && stderr.contains("serial number 2"), "{stdout}{stderr}");
    is_signed("2");
    let (code, _, stderr) = shop.learn(&["--roll-back"]);
    assert_eq!(code, 0, "{stderr}");
    is_signed("1");
    // Without its key the board makes nothing that the line would refuse.
    line(&trust, "");
    let before = shop.thresholds();
    for (code, _, stderr) in [shop.learn(&["--apply"]), run(&mut shop.edge(&lesson))] {
        assert!(code == 1 && stderr.contains("signing.board_key"), "{stderr}");
    }
    assert_eq!(shop.thresholds(), before);
    line(&trust, "board_key = \"keys\"");
    let started = Instant::now();
    succeed(&mut shop.edge(&lesson));
    let takes = started.elapsed();
    let mut random = Seeded::new(7, 0);
    for _ in 0..3 * times() {
        let mut child = shop.edge(&lesson).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let share = 850 + random.below(250);
        std::thread::sleep(takes.mul_f64(share as f64 / 1000.0));
        child.kill().unwrap();
        child.wait().unwrap();
        let (code, stdout, stderr) = doctor();
        assert!(code == 0 && stdout.contains("signed by board 7"), "{stdout}{stderr}");
    }
    // A bundle that nobody signed is replaced, and not read before that.
    let file = shop.0.path("taught").join(judge::THRESHOLD_FILE);
    let mut thresholds = ThresholdFile::decode(&std::fs::read(&file).unwrap()).unwrap();
    thresholds.arithmetic = Arithmetic::Half;
    std::fs::write(&file, thresholds.encode(&mut [0; MAX_LEN]).unwrap()).unwrap();
    let (code, stdout, _) = doctor();
    assert!(code == 1, "{stdout}");
    let (code, _, stderr) = run(&mut shop.edge(&lesson));
    assert!(code == 0 && !stderr.contains("16-bit floats"), "{stderr}");
    assert_eq!(doctor().0, 0);
}

fn leftovers(folder: &Path) -> bool {
    std::fs::read_dir(folder).unwrap().any(|e| e.unwrap().file_name().to_string_lossy().contains(".partial-"))
}
