//! Tests the page of `trainer eval` in a browser: its script moves the threshold.

use std::path::Path;
use std::process::Command;

use shared_format::Size;
use tests::images::write_parts;
use tests::workshop::Workshop;
use tests::{report_skipped, succeed};

const SIZE: Size = Size { width: 160, height: 128 };

/// Returns the page's elements after its scripts have run, or `None` without a browser.
fn dom(page: &Path, folder: &Path) -> Option<String> {
    let found = ["chromium", "chromium-browser", "google-chrome"]
        .into_iter()
        .find(|name| Command::new(name).arg("--version").output().is_ok_and(|o| o.status.success()))?;
    let mut browser = Command::new(found);
    // Without its sandbox it also runs as root.
    browser.args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--dump-dom"]);
    browser.arg(format!("--user-data-dir={}", folder.join("browser").display()));
    Some(succeed(browser.arg(format!("file://{}", page.display()))))
}

/// Returns the text of the element with this id.
fn text<'d>(dom: &'d str, id: &str) -> &'d str {
    let after = dom.split(&format!("id=\"{id}\"")).nth(1).unwrap();
    after.split_once('>').unwrap().1.split('<').next().unwrap()
}

#[test]
fn the_threshold_moves_and_both_rates_with_it() {
    let workshop = Workshop::default();
    write_parts(&workshop.path("photos/train/good"), SIZE, 12, false);
    write_parts(&workshop.path("photos/test/good"), SIZE, 5, false);
    write_parts(&workshop.path("photos/test/stain"), SIZE, 7, true);
    let data = workshop.path("photos");
    let (bundle, page) = (workshop.bundle_of(&data), workshop.path("page.html"));
    let mut eval = workshop.trainer();
    succeed(eval.arg("eval").arg(&bundle).arg("--data").arg(&data).arg("--html").arg(&page));

    let written = std::fs::read_to_string(&page).unwrap();
    assert!(!written.contains("http:") && !written.contains("https:"), "the page loads external resources");
    let Some(at_first) = dom(&page, &workshop.path("")) else {
        return report_skipped(
            "the evaluation's page in a browser (no chromium; `cargo xtask test` installs it)",
        );
    };
    // At the bundle's threshold, the script shows the same figures as the page without it.
    for id in ["found-0", "found-1"] {
        assert_eq!(text(&at_first, id), text(&written, id), "{id}");
    }
    assert!(text(&at_first, "at-threshold").contains("defects found"), "{}", text(&at_first, "at-threshold"));
    let moved = |to: &str| {
        let script = format!(
            "<script>const s = document.getElementById('slider'); s.value = s.{to}; s.dispatchEvent(new Event('input'))</script>"
        );
        let copy = workshop.path(&format!("{to}.html"));
        std::fs::write(&copy, written.replace("</html>", &format!("{script}</html>"))).unwrap();
        dom(&copy, &workshop.path("")).unwrap()
    };
    // At the largest score, nothing is above the threshold; at the smallest, everything except that one image
    // is.
    let most = moved("max");
    assert_eq!((text(&most, "found-0"), text(&most, "found-1")), ("0/5, 0.0 %", "0/7, 0.0 %"));
    let least = moved("min");
    let counts = |id| text(&least, id).split('/').next().unwrap().parse::<u32>().unwrap();
    assert_eq!(counts("found-0") + counts("found-1"), 11, "{}", text(&least, "at-threshold"));
    assert_ne!(most.split("id=\"threshold\"").nth(1), least.split("id=\"threshold\"").nth(1));
}
