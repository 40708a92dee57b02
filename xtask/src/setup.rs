//! `cargo xtask setup`: everything that a build, the demo or the tests need, in order. Each step looks first, and does
//! nothing where its result is there.

use std::path::PathBuf;

use anyhow::Result;

use crate::cache::Cache;
use crate::pip::Pip;
use crate::{libtorch, samples, system, teacher, test_python, workspace};

/// What is being set up for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// The demo.
    Demo,
    /// The tests, and with them everything.
    Test,
}

/// Where things are after the set-up.
pub struct Ready {
    /// Root of the checkout.
    pub root: PathBuf,
    /// Folder of teachers' weights.
    pub weights: PathBuf,
    /// Folder of sample sets.
    pub samples: PathBuf,
    /// A Python with the packages that tests compare against; `None` unless set up for tests.
    pub python: Option<PathBuf>,
}

/// Does what is still to be done.
pub fn run(purpose: Purpose) -> Result<Ready> {
    let root = workspace::root()?;
    let cache = Cache::open()?;
    let pip = Pip::new(system::ensure()?, &cache);
    libtorch::ensure(&cache, &root, &pip)?;
    let weights = teacher::ensure(&cache, &pip)?;
    let samples = samples::ensure(&cache, &pip)?;
    let python = match purpose {
        Purpose::Demo => None,
        Purpose::Test => Some(pip.kept(&cache, &root, &test_python::ENVIRONMENT)?),
    };
    Ok(Ready { root, weights, samples, python })
}
