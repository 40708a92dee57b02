//! `cargo xtask setup`: installs everything that a build, the demo or the tests need, in order. Each step does nothing if its result
//! already exists.

use std::path::PathBuf;

use anyhow::Result;

use crate::cache::Cache;
use crate::pip::Pip;
use crate::{libtorch, samples, system, teacher, test_python, workspace};

/// The purpose of the set-up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// The demo.
    Demo,
    /// The tests, which need everything.
    Test,
}

/// The paths that the set-up provides.
pub struct Ready {
    /// Root of the checkout.
    pub root: PathBuf,
    /// Folder of teachers' weights.
    pub weights: PathBuf,
    /// Folder of sample sets.
    pub samples: PathBuf,
    /// A Python with the packages that tests compare against; `None` if not set up for tests.
    pub python: Option<PathBuf>,
}

/// Runs all steps that are still needed.
pub fn run(purpose: Purpose) -> Result<Ready> {
    let root = workspace::root()?;
    let cache = Cache::open()?;
    let pip = Pip::new(system::ensure()?, &cache);
    libtorch::ensure(&cache, &root, &pip)?;
    let weights = teacher::ensure(&cache, &pip)?;
    let samples = samples::ensure(&cache, &pip)?;
    let python = match purpose {
        Purpose::Demo => None,
        Purpose::Test => Some(pip.ensure_environment(&cache, &root, &test_python::ENVIRONMENT)?),
    };
    Ok(Ready { root, weights, samples, python })
}
