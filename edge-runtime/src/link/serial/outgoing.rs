//! The bytes to be sent.

use std::collections::VecDeque;
use std::io;

use shared_format::telegram::{DELIMITER, MAX_LEN};

use super::port::Port;
use crate::line_file::SerialFormat;
use crate::report::PartReport;
use crate::report::ReportQueue;
use crate::report::text::write_part;

/// Maximum number of waiting answers: a peer that asks without reading gets no more.
const MAX_ANSWERS: usize = 16;

/// The bytes being sent, and the answers queued behind them.
#[derive(Debug)]
pub(super) struct Outgoing {
    format: SerialFormat,
    bytes: Vec<u8>,
    sent: usize,
    /// Whether the bytes are a report, not an answer.
    is_report: bool,
    answers: VecDeque<String>,
}

impl Outgoing {
    /// Starts with a delimiter, which ends any partial line or telegram that the peer has received.
    pub(super) fn new(format: SerialFormat) -> Self {
        let first = match format {
            SerialFormat::Text => b'\n',
            SerialFormat::Telegram => DELIMITER,
        };
        Self { format, bytes: vec![first], sent: 0, is_report: false, answers: VecDeque::new() }
    }

    /// Queues an answer to a command in text format; with telegrams there are no answers.
    pub(super) fn answer(&mut self, text: String) {
        if self.format == SerialFormat::Text && self.answers.len() < MAX_ANSWERS {
            self.answers.push_back(text);
        }
    }

    /// Sends as much as the device takes; returns `true` if nothing is left.
    pub(super) fn send(&mut self, port: &Port, queue: &ReportQueue) -> io::Result<bool> {
        while self.sent < self.bytes.len() || self.next(queue) {
            let rest = self.bytes.get(self.sent..).unwrap_or_default();
            match port.write(rest)? {
                0 => return Ok(false),
                written => self.sent += written,
            }
        }
        Ok(true)
    }

    /// Returns whether a report was only partly sent.
    pub(super) fn is_torn(&self) -> bool {
        self.is_report && self.sent < self.bytes.len()
    }

    /// Loads the next answer or report; returns whether there was one.
    fn next(&mut self, queue: &ReportQueue) -> bool {
        self.bytes.clear();
        self.sent = 0;
        if let Some(answer) = self.answers.pop_front() {
            self.is_report = false;
            self.bytes.extend(answer.bytes());
            self.bytes.push(b'\n');
            return true;
        }
        while let Some(report) = queue.pop() {
            self.is_report = true;
            if self.encode(&report) {
                return true;
            }
            queue.count_dropped();
        }
        false
    }

    fn encode(&mut self, report: &PartReport) -> bool {
        match self.format {
            SerialFormat::Text => {
                let mut line = String::new();
                write_part(report, &mut line);
                self.bytes.extend(line.bytes());
                true
            }
            SerialFormat::Telegram => {
                let mut buffer = [0; MAX_LEN];
                let encoded = report.telegram().encode(&mut buffer);
                encoded.inspect(|bytes| self.bytes.extend(*bytes)).is_ok()
            }
        }
    }
}
