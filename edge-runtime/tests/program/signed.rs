//! Tests of lines that run only signed bundles: what is refused, what is remembered, and what the board signs itself.

use std::fs;
use std::path::Path;
use std::process::Output;

use bundle::ThresholdRule;
use edge_runtime::clock::WallTime;
use edge_runtime::learning::{Learned, Lesson};
use methods::Flip;
use signing::{Key, MANIFEST_FILE, SIGNATURE_FILE, SecretKey, Version, sign_bundle, sign_file};

use crate::line::line_file;
use crate::support::{bottleneck_onnx, frame, write_bundle};
use crate::{Fixture, code, program, stderr, stdout};

/// A line with a bundle that `secret` has signed.
struct Signed {
    fixture: Fixture,
    secret: SecretKey,
}

impl Signed {
    /// `{KEY}` in `keys` and `tables` stands for the public key.
    fn new(keys: &str, tables: &str) -> Self {
        let (fixture, secret) = (Fixture::new(), SecretKey::generate().unwrap());
        let signed = Self { fixture, secret };
        let key = signed.key();
        let text = format!("{keys}\n{}", line_file(tables)).replace("{KEY}", key.text());
        signed.fixture.write("line.toml", text.as_bytes());
        signed.fixture.write_frame("frames/0.png", 0);
        fs::create_dir(signed.path("state")).unwrap();
        signed.sign(5);
        signed
    }

    fn trusting() -> Self {
        Self::new("trust = [\"{KEY} Ada\"]", "")
    }

    fn key(&self) -> Key {
        self.secret.public().unwrap()
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.fixture.path(name)
    }

    fn sign(&self, serial: u64) {
        sign_bundle(&self.path("bundle"), "bundle", serial, Version::FIRST, &self.secret).unwrap();
    }

    fn command(&self, arguments: &[&str]) -> Output {
        program(self.fixture.folder.path()).args(arguments).output().unwrap()
    }

    /// Starts the line, and returns whether it ran to the end of its frames, and its log.
    fn runs(&self, arguments: &[&str]) -> (bool, String) {
        let output = self.command(&[&["run", "line.toml"], arguments].concat());
        (code(&output) == 0, stderr(&output))
    }
}

#[test]
fn every_command_says_who_signed() {
    let signed = Signed::trusting();
    let named = format!("signed by Ada (key {}), serial number 5", signed.key().id());
    let (ran, log) = signed.runs(&[]);
    assert!(ran && log.contains(&named), "{log}");
    let check = signed.command(&["check", "line.toml"]);
    assert_eq!(code(&check), 0, "{}", stdout(&check));
    assert!(stdout(&check).contains(&format!("signature spot: {named}")), "{}", stdout(&check));
    for (arguments, words) in
        [(vec!["--line", "line.toml"], named.as_str()), (vec![], "serial number 5; not verified")]
    {
        let doctor = signed.fixture.run("doctor", &arguments);
        assert_eq!(code(&doctor), 0, "{}", stdout(&doctor));
        assert!(stdout(&doctor).contains(words), "{}", stdout(&doctor));
        let inspect = signed.fixture.run("inspect", &[&arguments[..], &["frames/0.png"]].concat());
        assert_eq!(code(&inspect), 0, "{}", stderr(&inspect));
        assert!(stderr(&inspect).contains(words), "{}", stderr(&inspect));
    }
}

#[test]
fn what_is_not_signed_or_was_changed_is_refused_by_every_command() {
    let signed = Signed::trusting();
    let refused = |words: &str| {
        let all = [
            signed.command(&["run", "line.toml"]),
            signed.command(&["check", "line.toml"]),
            signed.fixture.run("doctor", &["--line", "line.toml"]),
            signed.fixture.run("inspect", &["--line", "line.toml", "frames/0.png"]),
        ];
        for output in all {
            let text = stdout(&output) + &stderr(&output);
            assert!(code(&output) == 1 && text.contains(words), "{words}: {text}");
        }
    };
    // A golden frame decides nothing, and is checked all the same.
    let golden = signed.path("bundle/golden/normal.png");
    let whole = fs::read(&golden).unwrap();
    fs::write(&golden, [&whole[..], b"x"].concat()).unwrap();
    refused("normal.png is not the file that was signed");
    fs::write(&golden, whole).unwrap();
    // A whole other bundle, whose model and thresholds fit together.
    let names = ["model.onnx", "model.threshold"].map(|name| signed.path("bundle").join(name));
    let originals = names.clone().map(|path| fs::read(path).unwrap());
    let other = [("normal.png", frame(0)), ("defective.png", frame(200))];
    write_bundle(&signed.path("other"), &bottleneck_onnx(64), &other);
    for (path, original) in names.iter().zip(&originals) {
        fs::copy(signed.path("other").join(path.file_name().unwrap()), path).unwrap();
        refused("is not the file that was signed");
        fs::write(path, original).unwrap();
    }
    fs::write(signed.path("bundle/lesson.json"), b"{}").unwrap();
    refused("lesson.json is not part of what was signed");
    fs::remove_file(signed.path("bundle/lesson.json")).unwrap();
    for name in [SIGNATURE_FILE, MANIFEST_FILE] {
        let path = signed.path("bundle").join(name);
        let whole = fs::read(&path).unwrap();
        fs::remove_file(&path).unwrap();
        refused("is not signed");
        fs::write(&path, &whole[..whole.len() / 2]).unwrap();
        refused("signature");
        fs::write(&path, whole).unwrap();
    }
    assert!(signed.runs(&[]).0, "everything is as it was");
    let stranger = SecretKey::generate().unwrap();
    sign_bundle(&signed.path("bundle"), "bundle", 6, Version::FIRST, &stranger).unwrap();
    refused("not trusted");
    // Without `trust`, a line runs what it has always run.
    signed.fixture.write("line.toml", line_file("").as_bytes());
    assert!(signed.runs(&[]).0);
}

#[test]
fn an_older_bundle_is_refused_unless_it_is_forced_once() {
    let signed = Signed::trusting();
    assert!(signed.runs(&[]).0);
    signed.sign(4);
    for command in ["run", "check"] {
        let output = signed.command(&[command, "line.toml"]);
        let text = stdout(&output) + &stderr(&output);
        assert!(code(&output) == 1 && text.contains("serial number 4, and this line has run 5"), "{text}");
    }
    assert!(signed.runs(&["--allow-downgrade"]).0);
    assert!(signed.runs(&[]).0, "4 is the highest now");
    signed.sign(3);
    assert_eq!(code(&signed.command(&["check", "line.toml", "--allow-downgrade"])), 0);
    assert!(signed.runs(&[]).0);
    // A bundle that can't be run must not shut out the one before it.
    signed.sign(9);
    fs::write(signed.path("bundle/golden/normal.png"), b"no picture").unwrap();
    signed.sign(9);
    assert!(!signed.runs(&[]).0);
    fs::write(signed.path("bundle/golden/normal.png"), judge::encode_png(&frame(0)).unwrap()).unwrap();
    signed.sign(3);
    assert!(signed.runs(&[]).0);
    // What was run isn't forgotten because the file is damaged.
    fs::write(signed.path("state/accepted.json"), b"{").unwrap();
    let (ran, log) = signed.runs(&["--allow-downgrade"]);
    assert!(!ran && log.contains("accepted.json is damaged"), "{log}");
}

#[test]
fn a_key_list_rotates_and_revokes_keys_and_never_goes_back() {
    let root = SecretKey::generate().unwrap();
    let tables =
        format!("[signing]\nroot = [\"{} safe\"]\nkey_list = \"keys.toml\"\n", root.public().unwrap().text());
    let signed = Signed::new("", &tables);
    let list = |serial: u64, trusted: &[&Key], revoked: &[&Key], by: &SecretKey| {
        let keys = |keys: &[&Key]| {
            keys.iter().map(|key| format!("\"{} Ada\"", key.text())).collect::<Vec<_>>().join(", ")
        };
        let text = format!(
            "format = 1\nserial = {serial}\ntrusted = [{}]\nrevoked = [{}]\n",
            keys(trusted),
            keys(revoked)
        );
        signed.fixture.write("keys.toml", text.as_bytes());
        sign_file(&signed.path("keys.toml"), by).unwrap();
    };
    let refused = |words: &str| {
        let (ran, log) = signed.runs(&[]);
        assert!(!ran && log.contains(words), "{words}: {log}");
    };
    refused("cannot read");
    list(1, &[&signed.key()], &[], &signed.secret);
    refused("not trusted");
    list(1, &[&signed.key()], &[], &root);
    assert!(signed.runs(&[]).0);
    // The key is lost: another one takes its place.
    let next = SecretKey::generate().unwrap();
    list(2, &[&next.public().unwrap()], &[&signed.key()], &root);
    refused("which is revoked");
    sign_bundle(&signed.path("bundle"), "bundle", 6, Version::FIRST, &next).unwrap();
    assert!(signed.runs(&[]).0);
    list(1, &[&signed.key()], &[], &root);
    refused("the serial number 1, and this line has used 2");
    fs::remove_file(signed.path("keys.toml")).unwrap();
    refused("cannot read");
}

#[test]
fn the_board_signs_what_it_calibrates_and_the_line_file_decides_whether_that_counts() {
    let signed = Signed::new("trust = [\"{KEY} Ada\"]", "[signing]\nboard_key = \"state/keys\"\n");
    (20..50).for_each(|spot| signed.fixture.write_frame(&format!("good/{spot}.png"), spot));
    let calibrate =
        || signed.command(&["calibrate", "--line", "line.toml", "--from", "good", "--target-fpr", "0.1"]);
    let manifest = || fs::read(signed.path("bundle").join(MANIFEST_FILE)).unwrap();
    let before = manifest();
    let output = calibrate();
    assert!(
        code(&output) == 1 && stderr(&output).contains("doesn't trust the board's own key"),
        "{}",
        stderr(&output)
    );
    assert_eq!(manifest(), before);
    let public = fs::read_to_string(signed.path("state/keys/board.pub")).unwrap();
    let board = Key::parse_file(&public).unwrap();
    let text = fs::read_to_string(signed.path("line.toml")).unwrap();
    let both = format!("trust = [\"{} Ada\", \"{} board 7\"]", signed.key().text(), board.text());
    let text = text.replace(&format!("trust = [\"{} Ada\"]", signed.key().text()), &both);
    signed.fixture.write("line.toml", text.as_bytes());
    for (serial, old) in [(6, 1), (7, 2)] {
        let output = calibrate();
        assert_eq!(code(&output), 0, "{}", stderr(&output));
        let kept = format!("model.threshold.old-{old}");
        assert!(stdout(&output).contains(&kept) && signed.path("bundle").join(&kept).is_file());
        let (ran, log) = signed.runs(&[]);
        let named = format!("signed by board 7 (key {}), serial number {serial}", board.id());
        assert!(ran && log.contains(&named), "{log}");
    }
    assert_eq!(
        fs::read_dir(signed.fixture.folder.path()).unwrap().filter(hidden).count(),
        0,
        "nothing is left beside it"
    );
    // Without a key of its own, the board can't make a bundle that the line would run.
    signed.fixture.write("line.toml", text.replace("board_key", "#board_key").as_bytes());
    let output = calibrate();
    assert!(code(&output) == 1 && stderr(&output).contains("signing.board_key"), "{}", stderr(&output));
}

fn hidden(entry: &std::io::Result<fs::DirEntry>) -> bool {
    entry.as_ref().is_ok_and(|entry| Path::new(&entry.file_name()).to_string_lossy().starts_with('.'))
}

#[test]
fn rolling_back_needs_a_signature_too_and_makes_the_earlier_serial_number_count_again() {
    let signed = Signed::trusting();
    let (bundle, beside) = (signed.path("bundle"), signed.path(".bundle.beside"));
    fs::create_dir_all(beside.join("golden")).unwrap();
    for name in [
        "model.onnx",
        "model.threshold",
        "golden/normal.png",
        "golden/defective.png",
        MANIFEST_FILE,
        SIGNATURE_FILE,
    ] {
        fs::copy(bundle.join(name), beside.join(name)).unwrap();
    }
    let threshold = fs::read(beside.join("model.threshold")).unwrap();
    let replaces = judge::file_sha256(&threshold).iter().map(|byte| format!("{byte:02x}")).collect();
    let method = methods::METHODS[0].defaults();
    let mut lesson =
        Lesson::new(method.as_ref(), Flip::None, ThresholdRule::Claim, "efficientnet-lite0", &bundle)
            .unwrap();
    lesson.learned = Some(Learned { replaces, at: WallTime::now(), false_alarms: vec![] });
    lesson.write(&bundle).unwrap();
    signed.sign(6);
    assert!(signed.runs(&[]).0);
    let roll_back = || signed.command(&["learn", "--line", "line.toml", "--roll-back"]);
    let golden = beside.join("golden/normal.png");
    let whole = fs::read(&golden).unwrap();
    fs::write(&golden, [&whole[..], b"x"].concat()).unwrap();
    let output = roll_back();
    assert!(
        code(&output) == 1 && stderr(&output).contains("is not the file that was signed"),
        "{}",
        stderr(&output)
    );
    assert!(bundle.join("lesson.json").is_file(), "nothing was exchanged");
    fs::write(&golden, whole).unwrap();
    let output = roll_back();
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    let (ran, log) = signed.runs(&[]);
    assert!(ran && log.contains("serial number 5"), "{log}");
}
