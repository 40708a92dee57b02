//! What the line says about its bundles, and what is asked of it.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow, bail};
use serde_json::Value;
use shared_format::gateway::{Outcome, Task};
use tokio::task::spawn_blocking;
use tokio::time::{Instant, sleep, timeout};

use super::Follower;

/// How long the line may take to answer: it only begins.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);
/// How long the line may take to check a bundle and take it up.
const TASK_TIMEOUT: Duration = Duration::from_secs(1800);
const LOOK_INTERVAL: Duration = Duration::from_millis(250);
/// The longest reason that is reported, in characters.
const MAX_REASON: usize = 500;
/// Who asks, in the line's log.
const BY: &str = "fleet";

/// What came of a task.
#[derive(Debug, Clone, PartialEq)]
pub struct Done {
    /// How far the golden frames' scores were off, at most.
    pub golden: Option<f32>,
}

impl Follower {
    /// Returns the bundle that each product is judged with, by the product's name, as the line says.
    pub(super) async fn in_use(&self) -> Result<BTreeMap<String, String>> {
        let state = self.tasks().await?;
        let products =
            state.get("thresholds").and_then(Value::as_array).context("the line names no bundles")?;
        let text = |of: &Value, key: &str| of.get(key).and_then(Value::as_str).map(str::to_owned);
        Ok(products.iter().filter_map(|of| Some((text(of, "product")?, text(of, "bundle")?))).collect())
    }

    async fn tasks(&self) -> Result<Value> {
        let records = self.records.clone();
        let read = spawn_blocking(move || records.tasks()).await?;
        read.context(
            "cannot read tasks/state.json in fleet.records; give the line's records.folder, with \"install\" in its socket.accept, and \
             check that this user is in its group",
        )
    }

    /// Has the line carry out a task of a product, and waits until it has ended.
    pub(super) async fn carry_out(&self, product: u16, task: Task, word: &str) -> Result<Done> {
        let pending = self.hub.task(product, task, BY)?;
        let outcome = timeout(ANSWER_TIMEOUT, pending).await.context("the line doesn't answer")?;
        match outcome.context("the line has gone")? {
            Outcome::Begun => {}
            Outcome::Busy => bail!("the line learns or is taught; it is asked again"),
            Outcome::SwitchedOff => {
                bail!("the line doesn't accept it; add \"install\" to socket.accept in the line file")
            }
            other => bail!("the line answers {}; its log says why", other.as_str()),
        }
        let end = Instant::now() + TASK_TIMEOUT;
        loop {
            sleep(LOOK_INTERVAL).await;
            if !self.hub.line().connected {
                bail!("the line has gone; it is asked again");
            }
            // The file is replaced in one step, so what can't be read now can't be read later.
            let state = self.tasks().await?;
            let task =
                state.get("task").filter(|task| task.get("task").and_then(Value::as_str) == Some(word));
            let task = task.context("the line was asked for something else")?;
            match task.get("status").and_then(Value::as_str) {
                Some("running") if Instant::now() < end => {}
                Some("running") => bail!("the line doesn't end it; look at its log"),
                Some("done") => {
                    let golden = task.pointer("/report/golden").and_then(Value::as_f64);
                    return Ok(Done { golden: golden.map(|golden| golden as f32) });
                }
                status => {
                    let error = task.pointer("/report/error").and_then(Value::as_str);
                    let said = error.or(status).unwrap_or("it failed");
                    return Err(anyhow!("{}", said.chars().take(MAX_REASON).collect::<String>()));
                }
            }
        }
    }
}
