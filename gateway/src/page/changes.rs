//! Commands and decisions of people. The line carries them out, and each is noted in the log with its outcome.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use hyper::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};
use shared_format::gateway::{Command, Decision, MAX_NAME};
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use super::Page;
use super::access::{Role, Session};
use super::answer::{Answer, done, refuse};
use super::records::RecordName;
use crate::line::{CommandError, DecisionRequest, PendingOutcome};

/// How long the line may take: another program that marks records may keep it waiting for ten seconds.
const TIMEOUT: Duration = Duration::from_secs(15);

/// A command of a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(tag = "command", rename_all = "lowercase", deny_unknown_fields)]
pub enum CommandRequest {
    /// Acknowledges the alarms.
    Acknowledge,
    /// Announces known-bad parts.
    Challenge,
    /// Chooses the product of the parts that follow.
    Product {
        /// Its index in the line file.
        index: u16,
    },
}

/// A decision of a person.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DecideRequest {
    record: String,
    decision: Decision,
    #[serde(default)]
    kind: String,
    /// Whether another person's decision gives way; for engineers.
    #[serde(default)]
    replace: bool,
}

impl Page {
    /// Has the line carry out a command.
    pub(super) async fn command(&self, request: CommandRequest, session: &Session, peer: IpAddr) -> Answer {
        let (command, what, product) = match request {
            CommandRequest::Acknowledge => (Command::Acknowledge, "acknowledge", None),
            CommandRequest::Challenge => (Command::Challenge, "challenge", None),
            CommandRequest::Product { index } => {
                let name = self.hub.line().products.get(usize::from(index)).cloned();
                (Command::Product { index }, "product", name)
            }
        };
        let outcome = outcome(self.hub.ask(command)).await;
        let details = match product {
            Some(product) => json!({"product": product, "outcome": outcome}),
            None => json!({"outcome": outcome}),
        };
        self.note(session, peer, what, details).await;
        done(&json!({"outcome": outcome}))
    }

    /// Has the line keep a decision.
    pub(super) async fn decide(&self, request: DecideRequest, session: &Session, peer: IpAddr) -> Answer {
        let fits = request.kind.len() <= MAX_NAME && RecordName::parse(&request.record).is_some();
        if !fits {
            return refuse(StatusCode::BAD_REQUEST, "request");
        }
        if request.replace && session.role < Role::Engineer {
            return refuse(StatusCode::FORBIDDEN, "role");
        }
        let outcome = outcome(self.hub.decide(&DecisionRequest {
            record: &request.record,
            decision: request.decision,
            kind: &request.kind,
            by: &session.name,
            replace: request.replace,
        }));
        let outcome = outcome.await;
        let details = json!({
            "record": request.record, "decision": request.decision, "kind": request.kind, "outcome": outcome,
        });
        self.note(session, peer, "decide", details).await;
        done(&json!({"outcome": outcome}))
    }

    /// Notes what a person did.
    pub(super) async fn note(&self, session: &Session, peer: IpAddr, what: &'static str, details: Value) {
        self.note_of(format!("{} ({})", session.name, session.role.as_str()), peer, what, details).await;
    }

    /// Notes what `who` did. The disk may be slow: everything else goes on meanwhile.
    pub(super) async fn note_of(&self, who: String, peer: IpAddr, what: &'static str, details: Value) {
        let audit = Arc::clone(&self.audit);
        // It fails only if the log panics, which is reported as such.
        let _ = spawn_blocking(move || audit.note(&who, &peer.to_string(), what, &details)).await;
    }
}

/// Waits for the line and returns the outcome's word.
pub(super) async fn outcome(asked: Result<PendingOutcome, CommandError>) -> &'static str {
    match asked {
        Ok(pending) => match timeout(TIMEOUT, pending).await {
            Ok(Ok(outcome)) => outcome.as_str(),
            // Nobody knows whether it was carried out.
            Ok(Err(_)) | Err(_) => "unknown",
        },
        Err(CommandError::NotConnected) => "not_connected",
        Err(CommandError::SwitchedOff) => "switched_off",
        Err(CommandError::Busy) => "busy",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_read_and_anything_else_is_refused() {
        let command = |text: &str| serde_json::from_str::<CommandRequest>(text);
        assert_eq!(
            command(r#"{"command":"product","index":3}"#).unwrap(),
            CommandRequest::Product { index: 3 }
        );
        for wrong in [
            "",
            "null",
            r#"{"command":"trigger"}"#,
            r#"{"command":"product"}"#,
            r#"{"command":"product","index":70000}"#,
            r#"{"command":"product","index":-1}"#,
        ] {
            assert!(command(wrong).is_err(), "{wrong}");
        }
        let decide = |text: &str| serde_json::from_str::<DecideRequest>(text);
        let plain = decide(r#"{"record":"x","decision":"false-alarm"}"#).unwrap();
        assert!(plain.kind.is_empty() && !plain.replace && plain.decision == Decision::FalseAlarm);
        for wrong in [
            r#"{"record":"x"}"#,
            r#"{"record":"x","decision":"good"}"#,
            r#"{"record":"x","decision":"defect","by":"someone else"}"#,
            r#"{"record":["x"],"decision":"defect"}"#,
        ] {
            assert!(decide(wrong).is_err(), "{wrong}");
        }
    }
}
