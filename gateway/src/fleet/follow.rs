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
        for product in products.iter().filter(|product| !product.is_empty()) {
            let until = self.act_for(&index, product).await;
            again = [again, until].into_iter().flatten().min();
        }
        again
    }

    async fn act_for(&self, index: &Index, product: &str) -> Option<Instant> {
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
        let (is_in_use, is_on_trial, goes_back, refusal) = {
            let mut state = self.state();
            state.products.entry(product.to_owned()).or_default().identity =
                in_use.clone().unwrap_or_default();
            let trial = state.kept.trial(product, &identity);
            let (is_on_trial, goes_back) = (trial.is_some(), trial.is_some_and(|trial| trial.back.is_some()));
            if matches!(wanted, Wanted::Run(_)) {
                state.kept.forgive(product, &identity, WITHDRAWN);
            }
            let refusal = state.kept.refusal(product, &identity).map(str::to_owned);
            (in_use.as_deref() == Some(identity.as_str()), is_on_trial, goes_back, refusal)
        };
        match wanted {
            // Whoever watches it carries that out, and says how far it is.
            _ if goes_back => {}
            Wanted::GoBack(_) if is_in_use => self.take_back(product, bundle).await,
            _ if is_in_use => {
                let progress = if is_on_trial { Progress::Watched } else { Progress::Current };
                self.set(product, progress, None);
            }
            _ if refusal.is_some() => self.set(product, Progress::WentBack, refusal),
            Wanted::Run(_) if in_use.is_some() => return self.try_install(product, bundle).await,
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

    async fn try_install(&self, product: &str, bundle: &IndexedBundle) -> Option<Instant> {
        let identity = bundle.identity();
        let attempts = self.state().products.get(product).and_then(|of| of.attempts.clone());
        let attempts = attempts.filter(|(of, _)| *of == identity).map(|(_, pauses)| pauses);
        if let Some(pauses) = attempts.filter(|pauses| Instant::now() < pauses.until()) {
            return Some(pauses.until());
        }
        let installed = self.install(product, bundle).await;
        let pauses = installed.is_err().then(|| Pauses::after(attempts));
        self.state().products.entry(product.to_owned()).or_default().attempts =
            pauses.map(|pauses| (identity, pauses));
        match installed {
            Ok(()) => self.set(product, Progress::Watched, None),
            Err(e) => self.set(product, Progress::Failed, Some(format!("{e:#}"))),
        }
        pauses.map(|pauses| pauses.until())
    }

    async fn install(&self, product: &str, bundle: &IndexedBundle) -> Result<()> {
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
            // That may have taken hours.
            self.refresh().await?;
            self.ensure_is_wanted(product, bundle)?;
        }
        let number = self.hub.line().number_of(product).context("the line has other products by now")?;
        self.set(product, Progress::Installing, None);
        let pending = {
            let mut state = self.state();
            let pending =
                state.kept.trials.iter().find(|trial| trial.product == product && trial.back.is_some());
            let pending = pending.cloned();
            if let Some((trial, why)) = pending.as_ref().and_then(|trial| Some((trial, trial.back.as_ref()?)))
            {
                state.kept.refuse(product, &trial.identity, why);
            }
            // Before the line is asked: after a power cut it may judge with it already.
            state.kept.try_out(Trial::new(product, bundle.serial, &bundle.identity()));
            pending
        };
        self.save().await;
        let done = match self.carry_out(number, Task::Install, "install").await {
            Ok(done) => done,
            Err(e) => {
                self.resume_going_back(product, pending).await;
                return Err(e);
            }
        };
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

    fn ensure_is_wanted(&self, product: &str, bundle: &IndexedBundle) -> Result<()> {
        let index = self.state().index.clone().context("there is no index yet")?;
        let wanted = index.wanted(product, &self.config.board, self.config.group.as_deref());
        ensure!(
            matches!(wanted, Wanted::Run(now) if now.identity() == bundle.identity()),
            "the roll-out has changed in the meantime; the board follows the new one"
        );
        Ok(())
    }

    /// Puts a bundle that the board was to go back from on its trial again, if another one could not take its place.
    async fn resume_going_back(&self, product: &str, pending: Option<Trial>) {
        let Some(pending) = pending else { return };
        let in_use = self.in_use().await.ok().and_then(|mut in_use| in_use.remove(product));
        if in_use.is_none_or(|in_use| in_use == pending.identity) {
            self.state().kept.try_out(pending);
            self.save().await;
        }
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
