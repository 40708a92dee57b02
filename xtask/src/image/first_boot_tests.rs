//! Tests how `first-boot` applies the settings on a boot partition.

use crate::deploy::BUNDLES;
use crate::stand_in::{StandIn, output_text};

const FIRST_BOOT: &str = include_str!("files/first-boot");
const GOOD: &str = "good, new";

/// Creates a board with an installed bundle, and a boot partition with these settings.
fn board(settings: &str) -> StandIn {
    let board = StandIn::new();
    board.write("usr/lib/nominal/bundles.sh", BUNDLES);
    board.write("etc/ssh/ssh_host_ed25519_key", "");
    board.write("var/lib/nominal/bundles/cap/model.onnx", "good, old");
    board.write("boot/nominal/vmlinuz", "the kernel");
    board.write("boot/nominal/bundles/cap/model.onnx", GOOD);
    board.write("boot/nominal/line.toml", "name = \"new\"\n");
    board.write("boot/nominal/nominal.txt", settings);
    board
}

/// Starts the board, and returns whether everything was applied and the output.
fn start(board: &StandIn) -> (bool, String) {
    let output = board.run("", FIRST_BOOT);
    (output.status.success(), output_text(&output))
}

fn model(board: &StandIn) -> String {
    board.read("var/lib/nominal/bundles/cap/model.onnx")
}

#[test]
fn all_that_is_named_is_applied_once() {
    let text = "\u{feff}# As Windows saves it.\r\nhostname = line-7\r\nssh_key = ssh-ed25519 AAAA me\r\n\
                line = line.toml\r\nbundle = bundles/cap\r\n";
    let board = board(text);
    let (applied, words) = start(&board);
    assert!(applied, "{words}");
    assert_eq!(model(&board), GOOD);
    assert_eq!(board.read("etc/nominal/line.toml"), "name = \"new\"\n");
    assert_eq!(board.read("etc/hostname"), "line-7\n");
    assert_eq!(board.read("root/.ssh/authorized_keys"), "ssh-ed25519 AAAA me\n");
    assert_eq!(board.names("var/lib/nominal/bundles"), ["cap"]);
    // While the card is unchanged, changes made on the board are kept.
    board.write("var/lib/nominal/bundles/cap/model.onnx", "good, deployed");
    assert!(start(&board).0);
    assert_eq!(model(&board), "good, deployed");
    board.write("boot/nominal/bundles/cap/model.onnx", "good, third");
    assert!(start(&board).0);
    assert_eq!(model(&board), "good, third");
}

#[test]
fn a_key_without_a_value_is_said_and_what_follows_is_applied() {
    let board =
        board("hostname =\nssh_key =\nbundle =\nbundle = \nline =\nbundle = bundles/cap\nline = line.toml\n");
    let (applied, words) = start(&board);
    assert!(applied, "{words}");
    for key in ["hostname", "ssh_key", "bundle", "line"] {
        assert!(words.contains(&format!("'{key} =' has no value")), "{words}");
    }
    assert_eq!(board.names("var/lib/nominal/bundles"), ["cap"]);
    assert_eq!(model(&board), GOOD);
    assert_eq!(board.read("etc/nominal/line.toml"), "name = \"new\"\n");
    assert_eq!(board.read("root/.ssh/authorized_keys"), "");
}

#[test]
fn a_damaged_bundle_leaves_the_good_one_and_what_follows_is_applied() {
    let board = board("bundle = bundles/cap\nbundle = bundles/lid\nline = line.toml\n");
    board.write("boot/nominal/bundles/cap/model.onnx", "damaged");
    board.write("boot/nominal/bundles/lid/model.onnx", GOOD);
    let (applied, words) = start(&board);
    assert!(!applied && words.contains("problem       the model is damaged"), "{words}");
    assert!(words.contains("bundle = bundles/cap: refused"), "{words}");
    assert_eq!(model(&board), "good, old");
    assert_eq!(board.names("var/lib/nominal/bundles"), ["cap", "lid"]);
    assert_eq!(board.read("etc/nominal/line.toml"), "name = \"new\"\n");
    // An untrusted model is read only by the service's user.
    let calls = board.read("calls");
    assert!(calls.contains("nominal: doctor"), "{calls}");
    assert!(!calls.contains("root: doctor"), "{calls}");
    // It is tried again, and applied as soon as the card is correct.
    assert!(!start(&board).0);
    board.write("boot/nominal/bundles/cap/model.onnx", GOOD);
    assert!(start(&board).0);
    assert_eq!(model(&board), GOOD);
}

#[test]
fn a_damaged_line_file_and_a_damaged_key_leave_the_good_ones() {
    let board = board("ssh_key = ssh-rsa BBBB you\nssh_key = AAAA\nline = line.toml\nbundle = bundles/cap\n");
    board.write("boot/nominal/line.toml", "\0\0\0\0");
    let (applied, words) = start(&board);
    assert!(!applied && words.contains("line = line.toml: refused"), "{words}");
    assert!(words.contains("ssh_key = AAAA: not a public key"), "{words}");
    assert_eq!(board.read("etc/nominal/line.toml"), "name = \"old\"\n");
    assert_eq!(board.read("root/.ssh/authorized_keys"), "ssh-rsa BBBB you\n");
    assert_eq!(model(&board), GOOD);
    board.write("boot/nominal/nominal.txt", "ssh_key = AAAA\n");
    start(&board);
    assert_eq!(board.read("root/.ssh/authorized_keys"), "ssh-rsa BBBB you\n");
}

#[test]
fn what_is_named_wrongly_is_said_and_nothing_of_it_is_copied() {
    for (wrong, words) in [
        ("bundle = .", "is not a valid name"),
        ("bundle = /", "is not a valid name"),
        ("bundle = bundles/..", "is not a path beside"),
        ("bundle = ../../../etc", "is not a path beside"),
        ("bundle = bundles", "not a bundle"),
        ("bundle = bundles\\cap", "bundles\\cap does not exist"),
        ("bundle = vmlinuz", "not a bundle"),
        ("line = bundles", "not a file"),
        ("line = ../../etc/shadow", "is not a path beside"),
        ("hostname = a b", "use only letters, digits and hyphens"),
        ("bundel = bundles/cap", "unknown key 'bundel'"),
        ("bundles/cap", "invalid line 'bundles/cap'"),
    ] {
        let board = board(&format!("{wrong}\nssh_key = ssh-rsa BBBB you\n"));
        let (applied, said) = start(&board);
        assert!(!applied && said.contains(words), "{wrong}: {said}");
        assert_eq!(board.names("var/lib/nominal/bundles"), ["cap"], "{wrong}");
        assert_eq!(model(&board), "good, old", "{wrong}");
        assert_eq!(board.read("etc/nominal/line.toml"), "name = \"old\"\n", "{wrong}");
        assert_eq!(board.read("root/.ssh/authorized_keys"), "ssh-rsa BBBB you\n", "{wrong}");
    }
}

#[test]
fn a_power_cut_after_the_switch_is_made_up_for_at_the_next_start() {
    let board = board("bundle = bundles/cap\nline = line.toml\n");
    board.write("power-cut", "");
    assert!(!start(&board).0);
    assert_eq!(model(&board), GOOD);
    std::fs::remove_file(board.path("power-cut")).unwrap();
    let (applied, words) = start(&board);
    assert!(applied, "{words}");
    assert_eq!(board.names("var/lib/nominal/bundles"), ["cap"]);
    assert_eq!(board.read("etc/nominal/line.toml"), "name = \"new\"\n");
}
