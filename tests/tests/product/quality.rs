//! Tests `trainer quality` and `trainer stress` as users run them on their own folders.

use serde_json::Value;
use shared_format::Size;
use tests::images::write_parts;
use tests::run;
use tests::workshop::Workshop;

const SIZE: Size = Size { width: 160, height: 128 };

fn quality(workshop: &Workshop, extra: &[&str]) -> (i32, String, String) {
    let mut command = workshop.trainer();
    command.current_dir(workshop.path("")).args(["quality", "--teacher", tests::workshop::TEACHER]);
    run(command.args(["--json", "rows.json", "--markdown", "table.md"]).args(extra))
}

fn rows(workshop: &Workshop) -> Vec<Value> {
    serde_json::from_slice(&std::fs::read(workshop.path("rows.json")).unwrap()).unwrap()
}

#[test]
fn every_set_gets_its_rows_and_what_is_known_is_not_measured_again() {
    let workshop = Workshop::default();
    write_parts(&workshop.path("caps/train/good"), SIZE, 12, false);
    write_parts(&workshop.path("caps/test/good"), SIZE, 4, false);
    write_parts(&workshop.path("caps/test/stain"), SIZE, 6, true);
    let methods = ["caps", "--methods", "patchcore,padim", "--recipes", "ours,published"];
    let (code, stdout, stderr) = quality(&workshop, &methods);
    assert_eq!(code, 0, "{stderr}");
    let measured = rows(&workshop);
    assert_eq!(measured.len(), 4);
    for row in &measured {
        let figures = &row["measured"];
        assert_eq!(figures["normals"], 12, "{row}");
        assert!(figures["figures"]["image_auroc"].as_f64().unwrap() > 0.7, "{row}");
        assert_eq!(figures["scores"].as_array().unwrap().len(), 10);
        assert!(figures["gmac"].as_f64().unwrap() > 0.05 && figures["frame_ms"].as_f64().unwrap() > 0.0);
    }
    // The paper's recipe differs.
    let of = |recipe: &str| measured.iter().find(|row| row["method"] == "padim" && row["recipe"] == recipe);
    assert_ne!(of("ours").unwrap()["measured"]["scores"], of("published").unwrap()["measured"]["scores"]);
    assert!(
        stdout.contains("| caps | padim, published |") && stdout.contains("| patchcore | 1 |"),
        "{stdout}"
    );
    assert!(stdout.contains("95 % interval"), "{stdout}");
    assert_eq!(std::fs::read_to_string(workshop.path("table.md")).unwrap(), stdout);

    let (code, again, stderr) = quality(&workshop, &methods);
    assert_eq!((code, stderr.matches(": known").count()), (0, 4), "{stderr}");
    assert_eq!(again, stdout);
    // One more photo makes a different set.
    write_parts(&workshop.path("caps/test/stain"), SIZE, 7, true);
    let (_, _, stderr) = quality(&workshop, &["caps", "--methods", "padim"]);
    assert!(!stderr.contains(": known"), "{stderr}");
}

#[test]
fn what_fails_says_why_and_the_rest_goes_on() {
    let workshop = Workshop::default();
    // One set with too few images to learn from, and one without good or masked test images.
    write_parts(&workshop.path("few/train/good"), SIZE, 2, false);
    write_parts(&workshop.path("few/test/stain"), SIZE, 2, true);
    write_parts(&workshop.path("odd/train/good"), SIZE, 8, false);
    write_parts(&workshop.path("odd/test/stain"), SIZE, 3, true);
    let (code, stdout, stderr) = quality(&workshop, &["few", "odd", "--methods", "padim"]);
    assert_eq!(code, 1, "{stderr}");
    assert!(stdout.contains("| few | padim | 2 usable image(s) of good parts"), "{stdout}");
    assert!(stdout.contains("| odd | padim | – | – | – |"), "{stdout}");
    let (code, _, stderr) = quality(&workshop, &["absent"]);
    assert_eq!(code, 1);
    assert!(stderr.contains("can't read the set absent"), "{stderr}");
    std::fs::write(workshop.path("rows.json"), b"[{\"key\": 3}]").unwrap();
    let (code, _, stderr) = quality(&workshop, &["odd"]);
    assert_eq!(code, 1);
    assert!(stderr.contains("holds no rows of this command"), "{stderr}");
}

#[test]
fn stress_says_where_the_claim_breaks() {
    let workshop = Workshop::default();
    write_parts(&workshop.path("photos"), SIZE, 14, false);
    let bundle = workshop.bundle_of(&workshop.path("photos"));
    let stress = |data: &str| {
        let mut stress = workshop.trainer();
        stress.current_dir(workshop.path("")).arg("stress").arg(&bundle);
        stress.args(["--photos", "6", "--data", data]);
        run(stress.args(["--json", "stress.json", "--html", "stress.html"]))
    };
    let (code, stdout, stderr) = stress("photos");
    assert_eq!(code, 0, "{stderr}");
    // Grey photos have no colour temperature.
    assert!(!stdout.contains("temperature") && stdout.contains("JPEG quality: "), "{stdout}");
    let json: Value = serde_json::from_slice(&std::fs::read(workshop.path("stress.json")).unwrap()).unwrap();
    let steps = json["steps"].as_array().unwrap();
    let rejected = |disturbance: &str, strength: f64| {
        let step = steps.iter().find(|s| s["disturbance"] == disturbance && s["strength"] == strength);
        step.unwrap()["rejected"].as_u64().unwrap()
    };
    assert_eq!(json["undisturbed"]["judged"], 6);
    assert!(rejected("blur", 3.0) >= rejected("blur", 0.5), "{stdout}");
    assert_eq!(rejected("gain", 0.6), 6, "{stdout}");
    assert!(std::fs::read_to_string(workshop.path("stress.html")).unwrap().contains("<svg"));
    let (code, _, stderr) = stress("nowhere");
    assert_eq!(code, 1);
    assert!(stderr.contains("check the path"), "{stderr}");
}
