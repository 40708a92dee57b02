//! Opens the bundles of all products and views.

use std::sync::Arc;

use judge::{Engine, Judge};
use shared_format::Size;

use super::error::StartError;
use crate::files::bundles::{check_first_golden, warn_of_emulation, zone_levels};
use crate::line_file::{LineFile, Product};
use crate::part::VoteCount;
use crate::trust::{LineTrust, describe};

/// The bundles of a line, ready to judge.
pub(super) struct LineBundles {
    pub(super) judges: Vec<Judge>,
    /// What each judges: a product's name or, with a bundle of its own, product and view.
    pub(super) names: Vec<Arc<str>>,
    /// How the frames of a part vote, for each judge.
    pub(super) votes: Vec<VoteCount>,
    /// Of each view, the index of the judge of each product.
    pub(super) judge_of: Vec<Vec<usize>>,
    /// The index of the judge with each product's own bundle, by which its views without one of their own are judged.
    pub(super) own: Vec<usize>,
}

impl LineBundles {
    /// Verifies and opens every bundle, and judges its first golden frame.
    pub(super) fn open(line: &LineFile) -> Result<Self, StartError> {
        let trust = LineTrust::of(line)?;
        let products: Vec<Product> = line.products.iter().flat_map(Product::bundles).collect();
        let (mut judges, mut signed, mut votes) = (vec![], vec![], vec![]);
        for product in &products {
            let name = || product.name.clone();
            let refused = |source| StartError::Bundle { product: name(), source: Box::new(source) };
            let (mut judge, by) =
                trust.open(Engine::default(), product, line.threads.into()).map_err(refused)?;
            warn_of_emulation(&mut judge);
            check_first_golden(&mut judge).map_err(refused)?;
            if let Some(by) = &by {
                tracing::info!("product {}: the bundle is {}", product.name, describe(by));
            }
            let count = line.vote_count(&zone_levels(&judge));
            votes.push(count.map_err(|source| StartError::Votes { product: name(), source })?);
            judges.push(judge);
            signed.push(by);
        }
        // Only now: a bundle that can't be run must not shut out the one before it.
        let opened: Vec<_> = products
            .iter()
            .zip(&signed)
            .map(|(product, signed)| (product.name.as_str(), signed.as_ref()))
            .collect();
        trust.remember(&opened)?;
        let index =
            |product: &Product| products.iter().position(|other| other.name == product.name).unwrap_or(0);
        let judge_of = line.cameras().map(|(view, _)| {
            let of =
                |product: &Product| product.of_view(view).map_or_else(|| index(product), |own| index(&own));
            line.products.iter().map(of).collect()
        });
        let judge_of = judge_of.collect();
        let own = line.products.iter().map(index).collect();
        let names = products.iter().map(|product| product.name.as_str().into()).collect();
        Ok(Self { judges, names, votes, judge_of, own })
    }

    /// Returns the judges of a view, one for each product.
    pub(super) fn of_view(&self, view: usize) -> impl Iterator<Item = &Judge> {
        self.judge_of.get(view).into_iter().flatten().filter_map(|index| self.judges.get(*index))
    }

    /// Returns the size of the largest frame that a view's camera may deliver: large enough for any product.
    pub(super) fn largest_frame(&self, view: usize) -> Option<Size> {
        let largest = self.of_view(view).map(|judge| judge.bundle().thresholds.recipe.frames.max_admitted());
        largest.reduce(|a, b| Size { width: a.width.max(b.width), height: a.height.max(b.height) })
    }
}
