//! The page as people use it, in a browser.

use std::path::PathBuf;

use serde_json::{Value, json};
use shared_format::Disposition;
use shared_format::gateway::{Command, Decision};

use super::browser::Browser;
use super::line::Line;
use super::page_client::{ACCEPTS, ENGINEER, OPERATOR, Page, record};

/// Fills in the login form and waits until the line is shown.
fn log_in(browser: &mut Browser, page: &Page, role: &str, name: &str) {
    let password = if role == "operator" { OPERATOR } else { ENGINEER };
    browser.open(&format!("http://127.0.0.1:{}/", page.port));
    browser.wait_until(
        "document.readyState === 'complete' && document.getElementById('login')?.hidden === false",
    );
    browser.value(&format!(
        "const form = document.getElementById('login'); form.elements.role.value = {role:?}; \
         form.elements.name.value = {name:?}; form.elements.password.value = {password:?}; form.requestSubmit()"
    ));
    browser.wait_until("document.getElementById('login').hidden && !document.getElementById('live').hidden");
}

fn text(browser: &mut Browser, id: &str) -> String {
    browser.value(&format!("document.getElementById({id:?}).textContent")).as_str().unwrap().to_owned()
}

fn assert_is_in(browser: &mut Browser, id: &str, words: &str) {
    browser.wait_until(&format!("document.getElementById({id:?}).textContent.includes({words:?})"));
}

#[test]
fn an_operator_watches_decides_and_is_told_when_the_data_are_old() {
    let line = Line::start(ACCEPTS);
    let Some(mut browser) = Browser::start(&line.path("")) else { return };
    let page = Page::start(&line, "");
    let names: Vec<_> = (1..=5).map(|part| record(&line.path("records"), part)).collect();
    log_in(&mut browser, &page, "operator", "anna");

    // The line as it is.
    line.set(|status| (status.counters.passed, status.alarms) = (1234, 0b1000));
    line.part(5, Disposition::Reject);
    assert_is_in(&mut browser, "line", "line 1");
    assert_is_in(&mut browser, "counts", "1,234");
    assert_is_in(&mut browser, "alarms", "Many parts in a row were rejected");
    assert_is_in(&mut browser, "last-part", "part 5, score 0.875, threshold 0.5");
    browser.wait_until("document.getElementById('last-picture').naturalWidth === 1");
    line.set(|status| status.alarms = 0b10);
    assert_is_in(&mut browser, "state", "held");
    browser.value("document.getElementById('acknowledge').click()");
    assert_eq!(line.next_command(), Command::Acknowledge);
    assert_is_in(&mut browser, "outcome", "Acknowledge alarms: done");

    // One key decides, and the next record follows.
    browser.value("document.querySelector('[data-tab=review]').click()");
    browser.wait_until("document.querySelectorAll('#grid button').length === 5");
    browser.value(
        "const kinds = document.getElementById('kinds'); kinds.value = 'scratch, dent'; kinds.onchange()",
    );
    browser.value("document.querySelector('#grid button').focus()");
    for (key, code) in [("f", "KeyF"), ("2", "Digit2"), ("u", "KeyU"), ("Enter", "Enter")] {
        browser.press(key, code);
    }
    let newest = |from_last: usize| names[names.len() - 1 - from_last].as_str();
    for (index, decision, kind) in
        [(0, Decision::FalseAlarm, ""), (1, Decision::Defect, "dent"), (2, Decision::Unsure, "")]
    {
        let decided = line.next_decision();
        assert_eq!((decided.record.as_str(), decided.decision), (newest(index), decision));
        assert_eq!((decided.kind.as_str(), decided.by.as_str()), (kind, "anna"));
    }
    assert_is_in(&mut browser, "said", "3 decided");
    assert_is_in(&mut browser, "grid", "defect dent – anna");
    browser.value("document.activeElement.click()");
    browser.wait_until("document.getElementById('record').open");
    assert_eq!(text(&mut browser, "record-title"), newest(3));
    // Panels without keys have buttons.
    browser.value("[...document.querySelectorAll('#kind-buttons button')].find((b) => b.textContent.includes('scratch')).click()");
    let decided = line.next_decision();
    assert_eq!((decided.record.as_str(), decided.kind.as_str()), (newest(3), "scratch"));
    assert_is_in(&mut browser, "record-title", newest(4));
    // A mistake is taken back, also there.
    browser.press("z", "KeyZ");
    let taken_back = line.next_decision();
    assert_eq!((taken_back.record.as_str(), taken_back.decision), (newest(3), Decision::Undecided));
    assert_is_in(&mut browser, "record-title", newest(3));

    // A gateway that doesn't answer.
    page.gateway.process.signal("STOP");
    browser.wait_until("!document.getElementById('old').hidden");
    assert!(text(&mut browser, "old").contains("s old"));
    page.gateway.process.signal("CONT");
    browser.wait_until("document.getElementById('old').hidden");
    assert!(line.has_no_decision());

    // Nobody else is asked, and nothing goes wrong.
    let own = format!("http://127.0.0.1:{}/", page.port);
    let foreign = |url: &&String| !url.starts_with(&own) && !url.starts_with("about:");
    assert_eq!(browser.requests.iter().find(foreign), None);
    // Before the login, the page asks who is logged in.
    browser.errors.retain(|error| !error.contains("/api/session"));
    assert_eq!(browser.errors, Vec::<String>::new());
}

#[test]
fn an_engineer_chooses_a_product_and_finds_it_in_the_log() {
    let line = Line::start(ACCEPTS);
    let Some(mut browser) = Browser::start(&line.path("")) else { return };
    let page = Page::start(&line, "");
    log_in(&mut browser, &page, "engineer", "Björn");
    browser.wait_until("document.getElementById('product').options.length === 2");
    browser
        .value("const product = document.getElementById('product'); product.value = '1'; product.onchange()");
    assert_eq!(line.next_command(), Command::Product { index: 1 });
    assert_is_in(&mut browser, "outcome", "Product: done");
    browser.value("document.querySelector('[data-tab=log]').click()");
    assert_is_in(&mut browser, "entries", "Björn (engineer)");
    assert_is_in(&mut browser, "entries", "outcome: done, product: cap-500");
    browser.value("document.getElementById('logout').click()");
    browser.wait_until("!document.getElementById('login').hidden");
    assert_eq!(browser.value("fetch('/api/session').then((answer) => answer.status)"), json!(401));
}

#[test]
fn it_fits_a_phone_and_a_small_panel_and_is_there_at_once() {
    let line = Line::start(ACCEPTS);
    let Some(mut browser) = Browser::start(&line.path("")) else { return };
    let page = Page::start(&line, "");
    (1..=4).for_each(|part| drop(record(&line.path("records"), part)));
    log_in(&mut browser, &page, "engineer", "anna");
    line.part(5, Disposition::Reject);
    assert_is_in(&mut browser, "last-part", "part 5");
    let tabs = ["live", "review", "log"];
    for (width, height) in [(360, 740), (800, 480), (1280, 800)] {
        browser.resize(width, height);
        for tab in tabs {
            browser.value(&format!("document.querySelector('[data-tab={tab}]').click()"));
            browser.wait_until(&format!("!document.getElementById({tab:?}).hidden"));
            let wide = browser.value("document.scrollingElement.scrollWidth - window.innerWidth");
            assert!(wide.as_i64().unwrap() <= 0, "{tab} at {width}: {wide} pixels too wide");
            let small = browser.value(
                "[...document.querySelectorAll('button, select, input')].filter((e) => e.offsetParent && e.offsetHeight < 40).length",
            );
            assert_eq!(small, json!(0), "{tab}: too small for fingers");
        }
    }
    let bytes = browser.value("performance.getEntriesByType('resource').filter((e) => !e.name.includes('/api/')).reduce((sum, e) => sum + e.transferSize, 0)");
    assert!(bytes.as_f64().unwrap() <= 300_000.0, "{bytes} bytes");
    browser.open(&format!("http://127.0.0.1:{}/", page.port));
    browser.wait_until("performance.getEntriesByName('first-contentful-paint').length");
    let paint = browser
        .value("performance.getEntriesByName('first-contentful-paint')[0].startTime")
        .as_f64()
        .unwrap();
    println!("{bytes} bytes, first paint after {paint:.0} ms");
    // 300 ms is the aim on a quiet machine.
    assert!(paint < 3000.0, "{paint} ms");
}

#[test]
fn axe_finds_nothing_serious() {
    let Some(axe) = std::env::var_os("NOMINAL_AXE").map(PathBuf::from) else {
        eprintln!("SKIPPED: accessibility (NOMINAL_AXE names axe.min.js, from the npm package axe-core)");
        return;
    };
    let line = Line::start(ACCEPTS);
    let Some(mut browser) = Browser::start(&line.path("")) else { return };
    let page = Page::start(&line, "");
    (1..=4).for_each(|part| drop(record(&line.path("records"), part)));
    let axe = std::fs::read_to_string(axe).unwrap();
    let serious = |browser: &mut Browser| {
        browser.value(&axe);
        let found = browser.value(
            "axe.run().then((found) => found.violations.filter((v) => ['serious', 'critical'].includes(v.impact)) \
             .map((v) => [v.id, v.nodes.map((node) => node.html)]))",
        );
        assert_eq!(found, Value::Array(vec![]), "{found:#}");
    };
    browser.open(&format!("http://127.0.0.1:{}/", page.port));
    browser.wait_until("document.getElementById('login')?.hidden === false");
    serious(&mut browser);
    log_in(&mut browser, &page, "engineer", "anna");
    line.set(|status| status.alarms = 0b11);
    line.part(5, Disposition::Reject);
    assert_is_in(&mut browser, "last-part", "part 5");
    for tab in ["live", "review", "log"] {
        browser.value(&format!("document.querySelector('[data-tab={tab}]').click()"));
        browser.wait_until(&format!("!document.getElementById({tab:?}).hidden"));
        match tab {
            "review" => browser.wait_until("document.querySelectorAll('#grid button').length === 4"),
            "log" => browser.wait_until("document.querySelectorAll('#entries tr').length > 0"),
            _ => {}
        }
        serious(&mut browser);
    }
    browser.value("document.querySelector('[data-tab=review]').click()");
    browser.wait_until("document.querySelectorAll('#grid button').length === 4");
    browser.value("document.querySelector('#grid button').click()");
    browser.wait_until("document.getElementById('record').open");
    serious(&mut browser);
}
