//! What is done for each product.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use fleet::{Index, IndexedBundle, Progress, Wanted};
use shared_format::gateway::Task;
use tokio::task::spawn_blocking;
use tokio::time::{Instant, sleep, sleep_until};

use super::poll::{Pauses, jitter};
use super::trial::Trial;
use super::{Follower, inbox};
use crate::log::limited;

/// Why a board goes back from a bundle that the fleet withdraws.
const WITHDRAWN: &str = "the fleet has withdrawn it";
/// After the line was connected, its products' names follow.
const NAMES_PAUSE: Duration = Duration::from_secs(1);

impl Follower {
    /// Follows the folder for as long as the gateway runs.
    pub(super) async fn follow(&self) {
        let every = Duration::from_secs(self.config.every_s.into());
        // After a power cut of a whole plant, all boards start together.
        sleep(jitter(NAMES_PAUSE)).await;
        let mut failures: Option<Pauses> = None;
        loop {
            let refreshed = self.refresh().await;
            let problem = refreshed.err().map(|e| format!("{e:#}"));
            let next = match &problem {
                None => {
                    failures = None;
                    Instant::now() + jitter(every)
                }
                Some(problem) => {
                    limited!(warn, "fleet: {problem}");
                    let pauses = Pauses::after(failures);
                    failures = Some(pauses);
                    pauses.until()
                }
            };
            self.note_problem(problem);
            loop {
                let again = self.act().await;
                tokio::select! {
                    () = sleep_until(again.map_or(next, |again| again.min(next))) => {
                        if Instant::now() >= next {
                            break;
                        }
                    }
                    () = self.changed.notified() => sleep(NAMES_PAUSE).await,
                }
            }
        }
    }

    fn note_problem(&self, problem: Option<String>) {
        let mut state = self.state();
        if state.problem != problem {
            state.problem = problem;
            state.is_changed = true;
        }
    }

    /// Does for each product what the index wants. Returns when to try again what has failed.
    async fn act(&self) -> Option<Instant> {
        let index = self.state().index.clone()?;
        let products = {
            let line = self.hub.line();
            if line.connected { line.products.clone() } else { vec![] }
        };
        let mut again: Option<Instant> = None;
        for (number, product) in (0..).zip(products).filter(|(_, product)| !product.is_empty()) {
            let until = self.act_for(&index, number, &product).await;
            again = [again, until].into_iter().flatten().min();
        }
        again
    }

    async fn act_for(&self, index: &Index, number: u16, product: &str) -> Option<Instant> {
        let wanted = index.wanted(product, &self.config.board, self.config.group.as_deref());
        let (Wanted::Keep(bundle) | Wanted::Run(bundle) | Wanted::GoBack(bundle)) = wanted else {
            self.set(product, Progress::Unmanaged, None);
            return None;
        };
        let in_use = match self.in_use().await {
            Ok(mut in_use) => in_use.remove(product),
            Err(e) => {
                self.set(product, Progress::Unknown, Some(format!("{e:#}")));
                return None;
            }
        };
        let identity = bundle.identity();
        let (is_in_use, is_on_trial, refusal) = {
            let mut state = self.state();
            state.products.entry(product.to_owned()).or_default().identity =
                in_use.clone().unwrap_or_default();
            let is_on_trial =
                state.kept.trials.iter().any(|trial| trial.identity == identity && trial.product == product);
            if matches!(wanted, Wanted::Run(_)) {
                state.kept.forgive(product, &identity, WITHDRAWN);
            }
            let refusal = state.kept.refusal(product, &identity).map(str::to_owned);
            (in_use.as_deref() == Some(identity.as_str()), is_on_trial, refusal)
        };
        match wanted {
            Wanted::GoBack(_) if is_in_use => self.take_back(product, bundle).await,
            _ if is_in_use => {
                let progress = if is_on_trial { Progress::Watched } else { Progress::Current };
                self.set(product, progress, None);
            }
            _ if refusal.is_some() => self.set(product, Progress::WentBack, refusal),
            Wanted::Run(_) if in_use.is_some() => return self.try_install(number, product, bundle).await,
            _ => self.set(product, Progress::Waiting, None),
        }
        None
    }

    /// Puts a bundle that the fleet withdraws on a trial that it has failed.
    async fn take_back(&self, product: &str, bundle: &IndexedBundle) {
        let mut trial = Trial::new(product, bundle.serial, &bundle.identity());
        (trial.begun, trial.back) = (true, Some(WITHDRAWN.to_owned()));
        self.state().kept.try_out(trial);
        self.save().await;
    }

    async fn try_install(&self, number: u16, product: &str, bundle: &IndexedBundle) -> Option<Instant> {
        let identity = bundle.identity();
        let attempts = self.state().products.get(product).and_then(|of| of.attempts.clone());
        let attempts = attempts.filter(|(of, _)| *of == identity).map(|(_, pauses)| pauses);
        if let Some(pauses) = attempts.filter(|pauses| Instant::now() < pauses.until()) {
            return Some(pauses.until());
        }
        let installed = self.install(number, product, bundle).await;
        let pauses = installed.is_err().then(|| Pauses::after(attempts));
        self.state().products.entry(product.to_owned()).or_default().attempts =
            pauses.map(|pauses| (identity, pauses));
        match installed {
            Ok(()) => self.set(product, Progress::Watched, None),
            Err(e) => self.set(product, Progress::Failed, Some(format!("{e:#}"))),
        }
        pauses.map(|pauses| pauses.until())
    }

    async fn install(&self, number: u16, product: &str, bundle: &IndexedBundle) -> Result<()> {
        let max = u64::from(self.config.max_mib) << 20;
        ensure!(
            bundle.bytes() <= max,
            "the bundle has {} MiB, and fleet.max_mib = {} are allowed; raise it",
            bundle.bytes() >> 20,
            self.config.max_mib
        );
        self.set(product, Progress::Fetching, None);
        let (inbox, wanted) = (self.inbox.clone(), bundle.clone());
        if !spawn_blocking(move || inbox.has(&wanted)).await? {
            self.fetch(bundle).await?;
        }
        self.set(product, Progress::Installing, None);
        // Before the line is asked: after a power cut it may judge with it already.
        self.state().kept.try_out(Trial::new(product, bundle.serial, &bundle.identity()));
        self.save().await;
        let done = self.carry_out(number, Task::Install, "install").await?;
        // The line looks for the name of the product's own bundle folder, and may have found an earlier bundle there.
        ensure!(
            self.in_use().await?.get(product) == Some(&bundle.identity()),
            "the line judges with another bundle than {} {}; publish one that was signed with the name of this product's bundle folder",
            bundle.name,
            bundle.serial
        );
        let mut state = self.state();
        let of = state.products.entry(product.to_owned()).or_default();
        (of.golden, of.identity) = (done.golden, bundle.identity());
        Ok(())
    }

    async fn fetch(&self, bundle: &IndexedBundle) -> Result<()> {
        let place = || {
            format!(
                "cannot write to fleet.inbox {}; check free space and permissions",
                self.config.inbox.display()
            )
        };
        let (inbox, wanted) = (self.inbox.clone(), bundle.clone());
        let staging = spawn_blocking(move || inbox.prepare(&wanted)).await?.with_context(place)?;
        for (path, file) in &bundle.files {
            let (there, expected) = (staging.join(path), *file);
            if spawn_blocking(move || inbox::holds(&there, expected)).await? {
                continue;
            }
            self.source.fetch(&bundle.folder(), path, expected, &staging).await?;
        }
        let (inbox, wanted) = (self.inbox.clone(), bundle.clone());
        spawn_blocking(move || inbox.commit(&wanted)).await?.with_context(place)
    }
}
