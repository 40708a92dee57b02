//! Tests `trainer compare` as users run it on their own folders.

use shared_format::Size;
use tests::images::write_parts;
use tests::run;
use tests::workshop::{TEACHER, Workshop};

const SIZE: Size = Size { width: 96, height: 80 };

fn compare(workshop: &Workshop, extra: &[&str]) -> (i32, String, String) {
    let mut command = workshop.trainer();
    command.current_dir(workshop.path("")).args(["compare", "--data", "photos", "--pixels", "8192"]);
    run(command.args(extra))
}

/// Twelve good parts, and nine with a stain, whose settings can be compared.
fn workshop() -> Workshop {
    let workshop = Workshop::default();
    write_parts(&workshop.path("photos"), SIZE, 12, false);
    write_parts(&workshop.path("defects/stain"), SIZE, 9, true);
    workshop
}

#[test]
fn a_choice_is_named_with_the_command_that_uses_it() {
    let workshop = workshop();
    let (code, stdout, stderr) =
        compare(&workshop, &["--defects", "defects", "--methods", "padim,mahalanobis"]);
    assert_eq!(code, 0, "{stderr}");
    assert!(stderr.contains("known defects: 9 stain"), "{stderr}");
    let rows: Vec<&str> =
        stdout.lines().filter(|line| line.contains(&format!("| {TEACHER} | 8192 |"))).collect();
    assert_eq!(rows.len(), 2, "{stdout}");
    assert_eq!(rows.iter().filter(|row| row.contains("| chosen |")).count(), 1, "{stdout}");
    // The command works as it is printed.
    let next = stdout.lines().find_map(|line| line.strip_prefix("next: trainer ")).unwrap();
    let mut train = workshop.trainer();
    train.current_dir(workshop.path("")).args(next.split(' '));
    let (code, _, stderr) = run(&mut train);
    assert_eq!(code, 0, "{stderr}");
    assert!(workshop.path("RUN/run.json").is_file());
}

#[test]
fn a_candidate_that_fails_or_costs_too_much_is_not_chosen() {
    let workshop = workshop();
    let defects = ["--defects", "defects", "--methods", "padim"];
    let (code, stdout, stderr) =
        compare(&workshop, &[&defects[..], &["--teachers", "absent,random"]].concat());
    assert_eq!(code, 0, "{stderr}");
    let row =
        |name: &str| stdout.lines().find(|line| line.contains(&format!("| {name} |"))).unwrap().to_owned();
    assert!(row("absent").contains("no teacher") && row(TEACHER).contains("chosen"), "{stdout}");
    let (code, stdout, stderr) = compare(&workshop, &[&defects[..], &["--max-gmac", "0.0001"]].concat());
    assert_eq!(code, 1, "{stdout}");
    assert!(stdout.contains("over the budget") && stderr.contains("raise --max-gmac"), "{stdout}{stderr}");
    // Options after `--` reach every training.
    let (code, stdout, _) = compare(&workshop, &[&defects[..], &["--", "--roi", "0,0,4000,4000"]].concat());
    assert_eq!(code, 1);
    assert!(
        stdout.contains("| 0 usable image(s)") || stdout.contains("usable image(s) of good parts"),
        "{stdout}"
    );
}

#[test]
fn defects_that_can_not_choose_are_refused() {
    let workshop = workshop();
    write_parts(&workshop.path("few/dent"), SIZE, 3, true);
    for (folder, said) in [("absent", "check the path"), ("few", "3 image(s) of known defects")] {
        let (code, _, stderr) = compare(&workshop, &["--defects", folder]);
        assert_eq!(code, 1);
        assert!(stderr.contains(said), "{stderr}");
    }
    // Images that can't be judged find nothing.
    for file in std::fs::read_dir(workshop.path("defects/stain")).unwrap() {
        std::fs::write(file.unwrap().path(), b"\x89PNG\r\n\x1a\nand no more").unwrap();
    }
    let (code, stdout, _) = compare(&workshop, &["--defects", "defects", "--methods", "padim"]);
    assert_eq!(code, 1);
    assert!(stdout.contains("no known defect can be judged"), "{stdout}");
}
