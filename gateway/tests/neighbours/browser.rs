//! Chromium without a window, driven over pipes by its DevTools protocol.

use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::process::{LONG, Process, program};

/// A browser with one page.
pub struct Browser {
    _process: Process,
    commands: File,
    messages: Receiver<Value>,
    session: Option<String>,
    last: u64,
    /// The documents that the page has loaded, as the browser names them.
    loaded: Vec<Value>,
    /// What the page asked for and what went wrong in it.
    pub requests: Vec<String>,
    pub errors: Vec<String>,
}

impl Browser {
    /// Starts a browser with an empty page, or says that a test is skipped without one.
    pub fn start(folder: &Path) -> Option<Self> {
        let chromium = program("chromium", "chromium")?;
        let [commands, answers] = ["commands", "answers"].map(|name| folder.join(name));
        let made = Command::new("mkfifo").args([&commands, &answers]).status().unwrap();
        assert!(made.success());
        let mut shell = Command::new("sh");
        // The browser reads commands from handle 3 and writes answers to handle 4.
        shell.args(["-c", "in=$1 out=$2; shift 2; exec \"$@\" 3<\"$in\" 4>\"$out\"", "sh"]);
        shell.args([&commands, &answers]).arg(chromium.get_program());
        // Without its sandbox it also runs as root.
        shell.args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]);
        shell.args([
            "--remote-debugging-pipe",
            "--no-first-run",
            "--hide-scrollbars",
            "--ignore-certificate-errors",
        ]);
        shell.arg(format!("--user-data-dir={}", folder.join("browser").display())).arg("about:blank");
        let process =
            Process(shell.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap());
        let commands = OpenOptions::new().write(true).open(commands).unwrap();
        let answers = BufReader::new(File::open(answers).unwrap());
        let (sender, messages) = channel();
        std::thread::spawn(move || {
            for message in answers.split(0) {
                let Ok(message) = message else { return };
                let _ = sender.send(serde_json::from_slice(&message).unwrap());
            }
        });
        let mut browser = Self {
            _process: process,
            commands,
            messages,
            session: None,
            last: 0,
            loaded: vec![],
            requests: vec![],
            errors: vec![],
        };
        let target = browser.call("Target.createTarget", json!({"url": "about:blank"}))["targetId"].clone();
        let attached = browser.call("Target.attachToTarget", json!({"targetId": target, "flatten": true}));
        browser.session = Some(attached["sessionId"].as_str().unwrap().to_owned());
        for domain in ["Page.enable", "Runtime.enable", "Log.enable", "Network.enable"] {
            browser.call(domain, json!({}));
        }
        browser.call("Page.setLifecycleEventsEnabled", json!({"enabled": true}));
        Some(browser)
    }

    /// Carries out a command and returns its result.
    pub fn call(&mut self, method: &str, parameters: Value) -> Value {
        self.last += 1;
        let mut command = json!({"id": self.last, "method": method, "params": parameters});
        if let Some(session) = &self.session {
            command["sessionId"] = json!(session);
        }
        self.commands.write_all(format!("{command}\0").as_bytes()).unwrap();
        loop {
            let message = self.next_message(method);
            if message["id"] == self.last {
                assert!(message.get("error").is_none(), "{method}: {message}");
                return message["result"].clone();
            }
            self.note(&message);
        }
    }

    fn next_message(&mut self, waits_for: &str) -> Value {
        self.messages.recv_timeout(LONG).unwrap_or_else(|_| panic!("no answer from the browser: {waits_for}"))
    }

    fn note(&mut self, event: &Value) {
        let of = &event["params"];
        match event["method"].as_str() {
            Some("Network.requestWillBeSent") => {
                self.requests.push(of["request"]["url"].as_str().unwrap_or_default().to_owned());
            }
            Some("Page.lifecycleEvent") if of["name"] == "load" => self.loaded.push(of["loaderId"].clone()),
            Some("Runtime.exceptionThrown") => self.errors.push(of["exceptionDetails"].to_string()),
            Some("Log.entryAdded") if of["entry"]["level"] == "error" => {
                self.errors.push(of["entry"].to_string())
            }
            _ => {}
        }
    }

    /// Opens a document and waits until it is loaded. What is asked of the page meanwhile may go to the one before and is then never
    /// answered.
    pub fn open(&mut self, url: &str) {
        let document = self.call("Page.navigate", json!({"url": url}));
        assert!(document.get("errorText").is_none(), "{url}: {document}");
        // There is none if only the part behind `#` has changed.
        let Some(loader) = document.get("loaderId") else { return };
        while !self.loaded.contains(loader) {
            let message = self.next_message(url);
            self.note(&message);
        }
    }

    /// Returns the value of an expression in the page.
    pub fn value(&mut self, expression: &str) -> Value {
        let parameters = json!({"expression": expression, "returnByValue": true, "awaitPromise": true});
        let result = self.call("Runtime.evaluate", parameters);
        assert!(result.get("exceptionDetails").is_none(), "{expression}: {result}");
        result["result"]["value"].clone()
    }

    /// Waits until an expression is true, and not only something like it.
    pub fn wait_until(&mut self, expression: &str) {
        let end = Instant::now() + LONG;
        while self.value(&format!("Boolean({expression})")) != true {
            assert!(Instant::now() < end, "not within {LONG:?}: {expression}; errors: {:?}", self.errors);
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Presses and releases a key.
    pub fn press(&mut self, key: &str, code: &str) {
        for kind in ["keyDown", "keyUp"] {
            self.call("Input.dispatchKeyEvent", json!({"type": kind, "key": key, "code": code}));
        }
    }

    /// Sets the size of the view in pixels.
    pub fn resize(&mut self, width: u32, height: u32) {
        let parameters = json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": false});
        self.call("Emulation.setDeviceMetricsOverride", parameters);
    }
}
