//! What the board says about itself.

use fleet::{BoardReport, ProductReport, Wanted};
use shared_format::gateway::STAGES;

use super::Follower;
use crate::line::{Event, unix_ms};

/// The stage whose latency is reported.
const STAGE: &str = "triggered_to_verdict";

impl Follower {
    /// Passes a report on to MQTT, if that is set up.
    pub(super) fn report(&self) {
        match serde_json::to_string(&self.describe()) {
            Ok(json) => self.hub.tell_all(Event::Fleet(json)),
            Err(e) => tracing::warn!("the board's report can't be written: {e}; report this"),
        }
    }

    fn describe(&self) -> BoardReport {
        let line = self.hub.line();
        let (counters, stage) = (
            line.status.map(|status| status.counters).unwrap_or_default(),
            STAGES.iter().position(|name| *name == STAGE),
        );
        let latency = stage.and_then(|stage| line.latencies.get(stage).copied().flatten());
        let state = self.state();
        let index = state.index.as_deref();
        let product = |name: &String| {
            let of = state.products.get(name).cloned().unwrap_or_default();
            let wanted =
                index.map(|index| index.wanted(name, &self.config.board, self.config.group.as_deref()));
            let wanted = match wanted {
                Some(Wanted::Keep(bundle) | Wanted::Run(bundle) | Wanted::GoBack(bundle)) => Some(bundle),
                _ => None,
            };
            let known = index.and_then(|index| index.bundles.iter().find(|it| it.identity() == of.identity));
            ProductReport {
                product: name.clone(),
                identity: of.identity.clone(),
                serial: known.map(|bundle| bundle.serial),
                wanted: wanted.map(|bundle| bundle.serial),
                progress: of.progress,
                reason: of.reason,
                golden: of.golden,
            }
        };
        BoardReport {
            board: self.config.board.clone(),
            group: self.config.group.clone(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            line_version: line
                .hello
                .as_ref()
                .map(|hello| hello.version.as_str().to_owned())
                .unwrap_or_default(),
            index: state.kept.index,
            products: line.products.iter().filter(|name| !name.is_empty()).map(product).collect(),
            parts: counters.triggered,
            rejected: counters.rejected,
            p99_ms: latency
                .filter(|latency| latency.count > 0)
                .map(|latency| f64::from(latency.p99_us) / 1e3),
            alarms: line.alarms().into_iter().map(str::to_owned).collect(),
            problem: state.problem.clone(),
            at_unix_ms: unix_ms(),
        }
    }
}
