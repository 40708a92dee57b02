//! Tests `on-board.sh` without a board. `cargo xtask deploy --test` tests the same with the real programs.

use super::{BUNDLES, ON_BOARD};
use crate::stand_in::{StandIn, output_text};

/// Creates a board that has received a package, a bundle with this model, and a line file.
fn board(model: &str) -> StandIn {
    let board = StandIn::new();
    board.write("sent/bundles.sh", BUNDLES);
    board.write("sent/nominal.deb", "");
    board.write("sent/bundle/cap/model.onnx", model);
    board.write("sent/line.toml", "name = \"new\"\n");
    board
}

fn with_old_bundle(board: StandIn) -> StandIn {
    board.write("var/lib/nominal/bundles/cap/model.onnx", "good, old");
    board
}

/// Deploys, and returns whether that succeeded and the output.
fn deploy(board: &StandIn) -> (bool, String) {
    let output = board.run("sent", ON_BOARD);
    (output.status.success(), output_text(&output))
}

fn state(board: &StandIn) -> [String; 2] {
    ["var/lib/nominal/bundles/cap/model.onnx", "etc/nominal/line.toml"].map(|path| board.read(path))
}

const NEW: [&str; 2] = ["good, new", "name = \"new\"\n"];
const OLD: [&str; 2] = ["good, old", "name = \"old\"\n"];

#[test]
fn a_bundle_takes_the_other_s_place_and_leaves_no_traces() {
    for board in [board("good, new"), with_old_bundle(board("good, new"))] {
        let (deployed, words) = deploy(&board);
        assert!(deployed && words.contains("deployed: nominal"), "{words}");
        assert_eq!(state(&board), NEW);
        assert_eq!(board.names("var/lib/nominal/bundles"), ["cap"]);
    }
}

#[test]
fn the_place_is_never_empty() {
    let board = with_old_bundle(board("good, new"));
    // Record every rename except the program's own, which is atomic.
    board.write("bin/mv", "#!/bin/sh\necho \"$*\" >>\"$NOMINAL_ROOT/moves\"\nexec /bin/mv \"$@\"\n");
    let program = board.read("package/usr/bin/edge-runtime").replace("mv \"", "/bin/mv \"");
    board.write("package/usr/bin/edge-runtime", &program);
    let executable = board.run("", "chmod 755 bin/mv package/usr/bin/edge-runtime");
    assert!(executable.status.success());
    board.write("sent/line.toml", "wrong\n");
    assert!(!deploy(&board).0);
    assert_eq!(state(&board), OLD);
    let moves = board.read("moves");
    assert!(moves.contains("line.toml") && !moves.contains("bundles/"), "{moves}");
}

#[test]
fn a_stranger_s_model_is_never_read_by_root() {
    for (user, who) in [(true, "nominal: "), (false, "65534: ")] {
        let board = with_old_bundle(board("good, new"));
        if !user {
            std::fs::remove_file(board.path("has-user")).unwrap();
        }
        // The permissions that mktemp sets. The service's user must be able to read the files all the same.
        let closed =
            board.run("", "chmod 700 sent sent/bundle sent/bundle/cap; chmod 600 sent/bundle/cap/model.onnx");
        assert!(closed.status.success());
        assert!(deploy(&board).0);
        let calls = board.read("calls");
        let readers: Vec<&str> =
            calls.lines().filter(|call| call.contains("doctor") || call.contains(": check")).collect();
        assert_eq!(readers.len(), 3, "{calls}");
        assert!(readers.iter().all(|call| call.starts_with(who)), "{calls}");
        let rights = board
            .run("sent", "stat -c %a . bundle bundle/cap bundle/cap/model.onnx new/usr/bin/edge-runtime");
        assert_eq!(output_text(&rights), "755\n755\n755\n644\n755\n");
    }
}

#[test]
fn a_damaged_bundle_is_refused_before_anything_moves() {
    let board = with_old_bundle(board("damaged"));
    let (deployed, words) = deploy(&board);
    assert!(!deployed && words.contains("the line was not touched"), "{words}");
    assert!(words.contains("the model is damaged") && !words.contains("rolling back"), "{words}");
    assert_eq!(state(&board), OLD);
}

#[test]
fn what_fails_is_rolled_back() {
    for fails in ["sent/line.toml", "no-dpkg"] {
        for (board, before) in
            [(board("good, new"), ["", OLD[1]]), (with_old_bundle(board("good, new")), OLD)]
        {
            board.write(fails, "wrong\n");
            let (deployed, words) = deploy(&board);
            assert!(!deployed && words.contains("rolling back"), "{words}");
            assert_eq!(state(&board), before, "{fails}");
            let left: &[&str] = if before[0].is_empty() { &[] } else { &["cap"] };
            assert_eq!(board.names("var/lib/nominal/bundles"), left, "{fails}");
        }
    }
}

#[test]
fn after_a_power_cut_a_whole_bundle_is_there_and_the_next_deployment_cleans_up() {
    let board = with_old_bundle(board("good, new"));
    board.write("power-cut", "");
    assert!(!deploy(&board).0);
    assert_eq!(state(&board)[0], NEW[0]);
    std::fs::remove_file(board.path("power-cut")).unwrap();
    std::fs::remove_dir_all(board.path("sent/new")).unwrap();
    assert!(deploy(&board).0);
    assert_eq!(board.names("var/lib/nominal/bundles"), ["cap"]);
    assert_eq!(state(&board), NEW);
}

#[test]
fn a_bundle_that_an_earlier_version_left_under_another_name_is_found() {
    let board = board("good, new");
    board.write("var/lib/nominal/bundles/.cap.old/model.onnx", "good, old");
    board.write("var/lib/nominal/bundles/.cap.new/model.onnx", "half of it");
    board.write("no-dpkg", "");
    assert!(!deploy(&board).0);
    assert_eq!(state(&board), OLD);
    assert_eq!(board.names("var/lib/nominal/bundles"), ["cap"]);
}

#[test]
fn a_bundle_must_be_one_that_the_new_line_runs_and_what_is_rolled_back_to_counts_again() {
    let with_new_line = with_old_bundle(board("good, new"));
    assert!(deploy(&with_new_line).0);
    let doctors = |board: &StandIn| -> Vec<String> {
        board.read("calls").lines().filter(|call| call.contains("doctor")).map(str::to_owned).collect()
    };
    let calls = doctors(&with_new_line);
    assert!(calls[0].ends_with("etc/nominal/line.toml.check"), "{calls:?}");
    assert!(calls[1].ends_with("etc/nominal/line.toml"), "{calls:?}");
    assert_eq!(with_new_line.names("etc/nominal"), ["line.toml"]);
    assert!(!with_new_line.read("calls").contains("--allow-downgrade"));

    let without = with_old_bundle(board("good, new"));
    std::fs::remove_file(without.path("sent/line.toml")).unwrap();
    without.write("no-dpkg", "");
    assert!(!deploy(&without).0);
    assert!(doctors(&without)[0].ends_with("etc/nominal/line.toml"), "{:?}", doctors(&without));
    // Nothing new has run: what is older for other reasons stays refused.
    let accepted = "check --allow-downgrade";
    assert!(!without.read("calls").contains(accepted), "{}", without.read("calls"));

    // The line was checked and does not start.
    let late = with_old_bundle(board("good, new"));
    std::fs::create_dir_all(late.path("run/systemd/system")).unwrap();
    late.write("bin/systemctl", "#!/bin/sh\nexit 1\n");
    assert!(late.run("", "chmod 755 bin/systemctl").status.success());
    assert!(!deploy(&late).0);
    assert_eq!(state(&late), OLD);
    assert!(late.read("calls").lines().last().unwrap().contains(accepted), "{}", late.read("calls"));
}
