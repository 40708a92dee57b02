//! Why a line does not start, or has ended.

use std::io;

use crate::files::bundles::BundleError;
use crate::health::CounterFileError;
use crate::input::InputError;
use crate::link::LinkError;
use crate::output::OpenError;

/// Why a line does not start. Its outputs are left in their safe state.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// A link can't be had.
    #[error(transparent)]
    Link(#[from] LinkError),
    /// An output can't be opened.
    #[error(transparent)]
    Output(#[from] OpenError),
    /// The inputs can't be had.
    #[error(transparent)]
    Inputs(#[from] InputError),
    /// The counters of earlier runs can't be read.
    #[error(transparent)]
    Counters(#[from] CounterFileError),
    /// A product's bundle can't be used.
    #[error("product {product}")]
    Bundle {
        /// Its name.
        product: String,
        /// Why.
        source: Box<BundleError>,
    },
    /// The system gives nothing to wait for.
    #[error("cannot wait for events; raise the limit of open files")]
    Waiter(#[source] io::Error),
    /// The system has no more threads.
    #[error("cannot start {what}; raise the {limits}")]
    Thread {
        /// The thread.
        what: &'static str,
        /// What to raise.
        limits: &'static str,
        /// What the system said.
        source: io::Error,
    },
}

impl StartError {
    /// For a thread that could not be started.
    pub(super) fn thread(what: &'static str) -> impl Fn(io::Error) -> Self {
        move |source| Self::Thread { what, limits: "limit of threads", source }
    }
}

/// Why a line has ended though nobody asked it to. Its outputs are in their safe state unless [`ServeError`] says otherwise.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RunError {
    /// The gate's thread.
    #[error("the gate's thread has ended by itself; start the line again and report this")]
    Gate,
    /// The inspector's thread.
    #[error("the inspector's thread has ended by itself; start the line again and report this")]
    Inspector,
    /// At the end, the gate could not be left.
    #[error(transparent)]
    Serve(#[from] ServeError),
}

/// Why the gate could not be served to the end.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServeError {
    /// The thread could not wait any more, or the outputs can't be driven.
    #[error("the gate could not be served to the end; check its outputs")]
    Unserved(#[source] io::Error),
    /// The thread panicked.
    #[error("the gate's thread failed; the outputs are in their safe state")]
    Failed,
}
