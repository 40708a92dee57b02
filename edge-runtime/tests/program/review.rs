//! Tests of `review`: what people decide about the records of a line that has run.

use std::io::Write as _;
use std::process::{Output, Stdio};

use serde_json::Value;

use crate::line::{fixture, run};
use crate::{Fixture, code, program, stderr, stdout};

impl Fixture {
    fn review(&self, arguments: &[&str], input: &str) -> Output {
        let (first, rest) = arguments.split_first().unwrap();
        let mut command = program(self.folder.path());
        command.args(["review", first, "--line", "line.toml"]).args(rest).env("USER", "anna");
        command.env_remove("SUDO_USER").stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        // It may end without reading.
        let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
        child.wait_with_output().unwrap()
    }

    fn listed(&self, filter: &[&str]) -> Vec<Value> {
        let output = self.review(&[&["list", "--json"], filter].concat(), "");
        assert_eq!(code(&output), 0, "{}", stderr(&output));
        stdout(&output).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

/// Runs a line of three good parts and three bad ones, all of them recorded.
fn after_a_run() -> Fixture {
    let fixture = fixture("[records]\nfolder = \"records\"\npassed_share = 1.0");
    for (index, spot) in [0u8, 250, 3, 240, 6, 245].into_iter().enumerate() {
        fixture.write_frame(&format!("frames/{index}.png"), spot);
    }
    assert_eq!(code(&run(&fixture)), 0);
    fixture
}

#[test]
fn records_are_listed_shown_and_marked() {
    let fixture = after_a_run();
    let all = fixture.listed(&[]);
    let parts = |records: &[Value]| -> Vec<(u64, String)> {
        let part = |name: &str| name.rsplit('-').next().unwrap().parse().unwrap();
        records
            .iter()
            .map(|r| (part(r["name"].as_str().unwrap()), r["part_verdict"].as_str().unwrap().to_owned()))
            .collect()
    };
    let rejected = parts(&fixture.listed(&["--verdict", "reject"]));
    assert_eq!(rejected.iter().map(|(part, _)| *part).collect::<Vec<_>>(), [2, 4, 6]);
    // No passed part waits for another, so all are there on a machine that keeps up.
    let passed = fixture.listed(&["--verdict", "pass"]);
    assert!(!passed.is_empty() && all.len() == 3 + passed.len(), "{all:?}");
    assert!(passed.iter().all(|record| record["place"] == "passed"), "{passed:?}");
    assert_eq!(
        fixture.listed(&["--product", "other"]).len() + fixture.listed(&["--before", "2020-01-01"]).len(),
        0
    );
    assert_eq!(fixture.listed(&["--since", "2020-01-01T00:00", "--product", "spot"]).len(), all.len());

    let name = |at: usize| fixture.listed(&["--verdict", "reject"])[at]["name"].as_str().unwrap().to_owned();
    let names = [name(0), name(1), name(2)];
    // By the path of a file, with who, why and which.
    let frame = fixture.listed(&["--verdict", "reject"])[0]["files"][0].as_str().unwrap().to_owned();
    let mark = ["mark", "defect", &frame, "--kind", "dent", "--note", "upper left", "--by", "bert"];
    let output = fixture.review(&mark, "");
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    let shown = stdout(&fixture.review(&["show", &names[0]], ""));
    assert!(
        shown.contains("defect (dent) by bert: upper left") && shown.contains("region     8×8 at 16,24"),
        "{shown}"
    );
    assert!(shown.contains("decided/") && shown.contains("frame.png"), "{shown}");
    // In bulk, from the list itself.
    let list = stdout(&fixture.review(&["list", "--verdict", "reject", "--decision", "undecided"], ""));
    assert_eq!(list.lines().count(), 2, "{list}");
    let output = fixture.review(&["mark", "false-alarm", "-"], &format!("{list}\n"));
    assert_eq!((code(&output), stderr(&output).as_str()), (0, "2 marked, 0 not\n"));
    assert_eq!(fixture.listed(&["--decision", "false-alarm"]).len(), 2);
    assert_eq!(fixture.listed(&["--decision", "false-alarm"])[0]["decision"]["by"], "anna");
    // Whoever decides otherwise is told; what can't be marked keeps nothing else from it.
    let passed = passed[0]["name"].as_str().unwrap().to_owned();
    let output = fixture.review(
        &[
            "mark",
            "false-alarm",
            &names[0],
            &passed,
            "20200101-000000-000001-00000009",
            "photo.png",
            &names[1],
        ],
        "",
    );
    assert_eq!(code(&output), 1);
    let told = stderr(&output);
    for words in [
        "is already marked: defect (dent) by bert",
        "passed, so it can't be a false alarm",
        "there is no record 20200101",
        "\"photo.png\" is not the name of a record",
        "1 marked, 4 not",
    ] {
        assert!(told.contains(words), "{words}: {told}");
    }
    assert!(stdout(&output).contains("already false alarm by anna"), "{}", stdout(&output));
    let output = fixture.review(&["mark", "unsure", &names[0], "--replace"], "");
    assert!(stdout(&output).contains("unsure by anna; before: defect (dent) by bert"), "{}", stdout(&output));
    let output = fixture.review(&["mark", "undecided", &names[0]], "");
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    let record: Value =
        serde_json::from_slice(&fixture.review(&["show", &names[0], "--json"], "").stdout).unwrap();
    assert_eq!((&record["place"], &record["decision"]), (&"rejected".into(), &Value::Null));
    // The line starts again with what is left.
    assert_eq!(code(&run(&fixture)), 0);
    assert_eq!(fixture.listed(&["--decision", "false-alarm"]).len(), 2);
}

#[test]
fn wrong_decisions_and_damaged_records_are_named() {
    let fixture = after_a_run();
    let names: Vec<String> =
        fixture.listed(&[]).iter().map(|record| record["name"].as_str().unwrap().to_owned()).collect();
    for (wrong, words) in [
        (&["mark", "false-alarm", "x", "--kind", "dent"][..], "only a defect has a kind"),
        (&["mark", "defect", "x", "--kind", "../dent"], "can't be a kind of defect"),
        (&["mark", "unsure", "x", "--by", ""], "the name is empty"),
        (&["mark", "good", "x"], "false-alarm, defect, unsure, undecided"),
        (&["list", "--since", "yesterday"], "write 2026-11-25"),
        (&["show", "x"], "is not the name of a record"),
    ] {
        let output = fixture.review(wrong, "");
        assert_ne!(code(&output), 0, "{wrong:?}");
        assert!(stderr(&output).contains(words), "{wrong:?}: {}", stderr(&output));
    }
    // Standard input that isn't text.
    let mut command = program(fixture.folder.path());
    fixture.write("list", b"\xff\xfe\0");
    command.args(["review", "mark", "--line", "line.toml", "unsure", "-"]);
    let output = command.stdin(std::fs::File::open(fixture.path("list")).unwrap()).output().unwrap();
    assert!(code(&output) == 1 && stderr(&output).contains("write one name per line"), "{}", stderr(&output));
    // A description that is cut short, or all zeros, as after a power cut on a bad card.
    for (record, bytes) in fixture
        .records()
        .iter()
        .filter(|path| path.join("record.json").exists())
        .zip([&b"{\"line\""[..], &[0; 300]])
    {
        std::fs::write(record.join("record.json"), bytes).unwrap();
    }
    let output = fixture.review(&["list"], "");
    assert_eq!((code(&output), stdout(&output).lines().count()), (0, names.len() - 2), "{}", stderr(&output));
    assert_eq!(stderr(&output).matches("record.json is damaged").count(), 2, "{}", stderr(&output));
    // A line without records.
    fixture.write("line.toml", crate::line::line_file("").as_bytes());
    let output = fixture.review(&["list"], "");
    assert!(code(&output) == 1 && stderr(&output).contains("set records.folder"), "{}", stderr(&output));
}
