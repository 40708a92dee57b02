//! The files that browsers get. They hold nothing about the line, so they need no login.

/// A file: its path, its media type and its bytes.
type Asset = (&'static str, &'static str, &'static [u8]);

const HTML: &str = "text/html; charset=utf-8";
const STYLE: &str = "text/css; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";

/// All files.
const ASSETS: [Asset; 11] = [
    ("/", HTML, include_bytes!("assets/index.html")),
    ("/style.css", STYLE, include_bytes!("assets/style.css")),
    ("/main.js", SCRIPT, include_bytes!("assets/main.js")),
    ("/server.js", SCRIPT, include_bytes!("assets/server.js")),
    ("/texts.js", SCRIPT, include_bytes!("assets/texts.js")),
    ("/live.js", SCRIPT, include_bytes!("assets/live.js")),
    ("/plot.js", SCRIPT, include_bytes!("assets/plot.js")),
    ("/review.js", SCRIPT, include_bytes!("assets/review.js")),
    ("/teach.js", SCRIPT, include_bytes!("assets/teach.js")),
    ("/texts.json", "application/json", include_bytes!("assets/texts.en.json")),
    ("/icon.svg", "image/svg+xml", include_bytes!("assets/icon.svg")),
];

/// Returns the file at a path.
pub fn find(path: &str) -> Option<(&'static str, &'static [u8])> {
    ASSETS.into_iter().find(|(found, ..)| *found == path).map(|(_, media_type, bytes)| (media_type, bytes))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn text(path: &str) -> &'static str {
        std::str::from_utf8(find(path).unwrap().1).unwrap()
    }

    #[test]
    fn all_files_are_small_and_ask_nobody_else() {
        let bytes: usize = ASSETS.iter().map(|(.., bytes)| bytes.len()).sum();
        assert!(bytes < 100_000, "{bytes}");
        for (path, ..) in ASSETS {
            let foreign = text(path).replace("http://www.w3.org/2000/svg", "");
            assert!(!foreign.contains("://"), "{path}");
        }
    }

    #[test]
    fn every_text_that_is_used_exists_and_every_one_that_exists_is_used() {
        let texts: serde_json::Map<String, serde_json::Value> =
            serde_json::from_str(text("/texts.json")).unwrap();
        let used: String = ["/", "/main.js", "/live.js", "/plot.js", "/review.js", "/teach.js", "/server.js"]
            .into_iter()
            .map(text)
            .collect();
        for (key, value) in &texts {
            assert!(value.as_str().is_some_and(|value| !value.is_empty()), "{key}");
            // Words of the line and the gateway choose these.
            if key == "language" {
                continue;
            }
            let is_by_word = [
                "alarm", "camera", "error", "outcome", "command", "decision", "verdict", "role", "what",
                "reason", "task", "status",
            ]
            .iter()
            .any(|group| key.starts_with(&format!("{group}.")));
            assert!(is_by_word || used.contains(&format!("\"{key}\"")), "{key} is not used");
        }
        for key in used.split("data-text=\"").skip(1).filter_map(|rest| rest.split('"').next()) {
            assert!(texts.contains_key(key), "{key}");
        }
        for key in used.split("say(\"").skip(1).filter_map(|rest| rest.split('"').next()) {
            assert!(texts.contains_key(key) || key.ends_with('.'), "{key}");
        }
        let groups: BTreeSet<&str> = texts.keys().filter_map(|key| Some(key.split_once('.')?.0)).collect();
        let quoted = used.split('"').filter_map(|text| Some((text, text.split_once('.')?)));
        for (text, (group, key)) in quoted {
            let is_key = groups.contains(group)
                && !key.is_empty()
                && key.chars().all(|c| c == '_' || c.is_ascii_lowercase());
            assert!(!is_key || texts.contains_key(text), "{text}");
        }
        // What the line and the gateway answer.
        use shared_format::Reason::{Challenge, Fault, Held, Missed, Missing, Overflow, Swept, Verdict};
        use shared_format::gateway::Outcome::{
            Begun, Busy, Decided, Done, Failed, Gone, Refused, SwitchedOff,
        };
        let reasons =
            [Challenge, Fault, Held, Missed, Missing, Overflow, Swept, Verdict].map(|reason| reason.as_str());
        let outcomes =
            [Begun, Busy, Decided, Done, Failed, Gone, Refused, SwitchedOff].map(|outcome| outcome.as_str());
        let keys = reasons.map(|word| format!("reason.{word}")).into_iter();
        for key in keys.chain(outcomes.map(|word| format!("outcome.{word}"))) {
            assert!(texts.contains_key(&key), "{key}");
        }
        for alarm in shared_format::gateway::ALARMS.into_iter().chain([crate::line::LINE_LOST]) {
            assert!(texts.contains_key(&format!("alarm.{alarm}")), "{alarm}");
        }
    }
}
