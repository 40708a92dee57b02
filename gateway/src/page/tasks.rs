//! Other thresholds, learning and teaching: what people ask for, who may, and how far it is.

use std::io::ErrorKind;
use std::net::IpAddr;

use hyper::StatusCode;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use shared_format::gateway::Task;
use tokio::task::spawn_blocking;

use super::Page;
use super::access::{Role, Session};
use super::answer::{Answer, done, refuse, with_picture};
use super::changes::outcome;
use super::records::pieces;
use crate::log::limited;

/// What a person asks for.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
pub struct TaskRequest {
    /// The product's index in the line file.
    product: u16,
    #[serde(flatten)]
    task: Asked,
}

#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(tag = "task", rename_all = "snake_case")]
enum Asked {
    SetThreshold { value: f32 },
    ResetThreshold,
    TryLearning,
    Learn,
    RollBack,
    TakePhotos { parts: u16 },
    LeaveOut { photo: u32, out: bool },
    DiscardPhotos,
    TryTeaching,
    Teach,
    Stop,
}

impl Asked {
    /// Returns the task for the line; `None` if the line would refuse to read it.
    fn task(self) -> Option<Task> {
        Some(match self {
            Self::SetThreshold { value } if value.is_finite() => Task::SetThreshold { value },
            Self::TakePhotos { parts } if parts > 0 => Task::TakePhotos { parts },
            Self::SetThreshold { .. } | Self::TakePhotos { .. } => return None,
            Self::ResetThreshold => Task::ResetThreshold,
            Self::TryLearning => Task::TryLearning,
            Self::Learn => Task::Learn,
            Self::RollBack => Task::RollBack,
            Self::LeaveOut { photo, out } => Task::LeaveOut { photo, out },
            Self::DiscardPhotos => Task::DiscardPhotos,
            Self::TryTeaching => Task::TryTeaching,
            Self::Teach => Task::Teach,
            Self::Stop => Task::Stop,
        })
    }

    /// Its word in the log.
    const fn what(self) -> &'static str {
        match self {
            Self::SetThreshold { .. } => "set_threshold",
            Self::ResetThreshold => "reset_threshold",
            Self::TryLearning => "try_learning",
            Self::Learn => "learn",
            Self::RollBack => "roll_back",
            Self::TakePhotos { .. } => "take_photos",
            Self::LeaveOut { .. } => "leave_out",
            Self::DiscardPhotos => "discard_photos",
            Self::TryTeaching => "try_teaching",
            Self::Teach => "teach",
            Self::Stop => "stop",
        }
    }

    /// Who may ask for it: what changes how parts are judged is for engineers.
    const fn role(self) -> Role {
        match self {
            Self::TryLearning
            | Self::TakePhotos { .. }
            | Self::LeaveOut { .. }
            | Self::TryTeaching
            | Self::Stop => Role::Operator,
            _ => Role::Engineer,
        }
    }

    /// What the log says beside its word.
    fn details(self) -> Map<String, Value> {
        let details = match self {
            // The shortest decimal that stands for the 32 bits, as it was given.
            Self::SetThreshold { value } => vec![("value", json!(value.to_string().parse::<f64>().ok()))],
            Self::TakePhotos { parts } => vec![("parts", json!(parts))],
            Self::LeaveOut { photo, out } => vec![("photo", json!(photo)), ("out", json!(out))],
            _ => vec![],
        };
        details.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
    }
}

impl Page {
    /// Has the line carry out a task. It answers at once; what comes of a long one is in the state of tasks.
    pub(super) async fn task(&self, request: TaskRequest, session: &Session, peer: IpAddr) -> Answer {
        let TaskRequest { product, task: asked } = request;
        let Some(task) = asked.task() else { return refuse(StatusCode::BAD_REQUEST, "request") };
        if session.role < asked.role() {
            return refuse(StatusCode::FORBIDDEN, "role");
        }
        let before = match asked {
            Asked::SetThreshold { .. } | Asked::ResetThreshold => self.threshold_of(product).await,
            _ => None,
        };
        let name = self.hub.line().products.get(usize::from(product)).cloned();
        let outcome = outcome(self.hub.task(product, task, &session.name)).await;
        let mut details = asked.details();
        details.insert("product".to_owned(), json!(name));
        details.insert("outcome".to_owned(), json!(outcome));
        if let Some(before) = before {
            details.insert("before".to_owned(), before);
        }
        self.note(session, peer, asked.what(), details.into()).await;
        done(&json!({"outcome": outcome}))
    }

    /// Returns the threshold that a product is judged with, as the line says.
    async fn threshold_of(&self, product: u16) -> Option<Value> {
        let records = self.records.clone()?;
        let state = spawn_blocking(move || records.tasks()).await.ok()?.ok()?;
        state.pointer(&format!("/thresholds/{product}/used")).cloned()
    }

    /// Says what the line says about thresholds, photos and the last task.
    pub(super) async fn tasks(&self) -> Answer {
        let Some(records) = self.records.clone() else { return refuse(StatusCode::NOT_FOUND, "no_records") };
        match spawn_blocking(move || records.tasks()).await {
            Ok(Ok(state)) => done(&state),
            Ok(Err(e)) if e.kind() == ErrorKind::NotFound => refuse(StatusCode::NOT_FOUND, "no_tasks"),
            Ok(Err(e)) => {
                limited!(
                    warn,
                    "the state of the line's tasks can't be read: {e}; check the group of the folder of records"
                );
                refuse(StatusCode::INTERNAL_SERVER_ERROR, "records_unreadable")
            }
            Err(_) => refuse(StatusCode::INTERNAL_SERVER_ERROR, "internal"),
        }
    }

    /// Sends a photo of the product that is being taught.
    pub(super) async fn photo(&self, number: &str) -> Answer {
        let missing = || refuse(StatusCode::NOT_FOUND, "not_found");
        let is_number = number.len() <= 5 && number.bytes().all(|byte| byte.is_ascii_digit());
        let (Some(records), Some(number)) =
            (self.records.clone(), number.parse::<u32>().ok().filter(|_| is_number))
        else {
            return missing();
        };
        match spawn_blocking(move || records.photo(number)).await {
            Ok(Ok((file, length, media_type))) => with_picture(media_type, length, pieces(file, length)),
            _ => missing(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_read_and_anything_else_is_refused() {
        let read = |text: &str| serde_json::from_str::<TaskRequest>(text);
        let set = read(r#"{"task":"set_threshold","product":1,"value":2.5}"#).unwrap();
        assert_eq!((set.product, set.task.task()), (1, Some(Task::SetThreshold { value: 2.5 })));
        assert_eq!(read(r#"{"task":"teach","product":0}"#).unwrap().task.task(), Some(Task::Teach));
        for wrong in [
            "",
            "null",
            "[]",
            r#"{"task":"teach"}"#,
            r#"{"product":0}"#,
            r#"{"task":"format_disk","product":0}"#,
            r#"{"task":"teach","product":-1}"#,
            r#"{"task":"teach","product":70000}"#,
            r#"{"task":"set_threshold","product":0}"#,
            r#"{"task":"set_threshold","product":0,"value":"1"}"#,
            r#"{"task":"set_threshold","product":0,"value":NaN}"#,
            r#"{"task":"set_threshold","product":0,"value":1e999}"#,
            r#"{"task":"take_photos","product":0,"parts":65536}"#,
            r#"{"task":"leave_out","product":0,"photo":1,"out":1}"#,
            r#"{"task":"leave_out","product":0,"photo":-1,"out":true}"#,
        ] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
        // Too large for 32 bits, and no part at all.
        for wrong in [
            r#"{"task":"set_threshold","product":0,"value":1e300}"#,
            r#"{"task":"set_threshold","product":0,"value":-1e39}"#,
            r#"{"task":"take_photos","product":0,"parts":0}"#,
        ] {
            assert_eq!(read(wrong).unwrap().task.task(), None, "{wrong}");
        }
    }

    #[test]
    fn what_changes_how_parts_are_judged_is_for_engineers() {
        for asked in [
            Asked::SetThreshold { value: 1.0 },
            Asked::ResetThreshold,
            Asked::Learn,
            Asked::RollBack,
            Asked::Teach,
            Asked::DiscardPhotos,
        ] {
            assert_eq!(asked.role(), Role::Engineer, "{asked:?}");
        }
        assert_eq!(Asked::TryLearning.role(), Role::Operator);
    }
}
