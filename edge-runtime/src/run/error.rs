//! Errors when a line starts, runs or stops.

use std::io;

use crate::files::bundles::OpenBundleError;
use crate::health::CounterFileError;
use crate::input::InputError;
use crate::link::LinkError;
use crate::output::OpenError;
use crate::part::UnknownZone;
use crate::trust::{LineTrustError, SerialsError};

/// An error that keeps a line from starting. Its outputs are left in their safe state.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// A link can't be opened.
    #[error(transparent)]
    Link(#[from] LinkError),
    /// An output can't be opened.
    #[error(transparent)]
    Output(#[from] OpenError),
    /// The inputs can't be opened.
    #[error(transparent)]
    Inputs(#[from] InputError),
    /// The counters of earlier runs can't be read.
    #[error(transparent)]
    Counters(#[from] CounterFileError),
    /// It can't be told whose bundles may be run.
    #[error(transparent)]
    Trust(#[from] LineTrustError),
    /// The serial numbers of the bundles can't be kept.
    #[error(transparent)]
    Serials(#[from] SerialsError),
    /// A product's bundle can't be used.
    #[error("product {product}")]
    Bundle {
        /// The product's name.
        product: String,
        /// The cause.
        source: Box<OpenBundleError>,
    },
    /// The line file names a zone that a product's bundle doesn't have.
    #[error("product {product}")]
    Votes {
        /// The product's name.
        product: String,
        /// The cause.
        source: UnknownZone,
    },
    /// The system can't provide a descriptor to wait on.
    #[error("cannot wait for events; raise the limit on open files")]
    Waiter(#[source] io::Error),
    /// The system can't start another thread.
    #[error("cannot start {what}; raise the {limits}")]
    Thread {
        /// The thread.
        what: &'static str,
        /// The limits to raise.
        limits: &'static str,
        /// The system's error.
        source: io::Error,
    },
}

impl StartError {
    /// Returns a function that makes the error for a thread that could not be started.
    pub(super) fn thread(what: &'static str) -> impl Fn(io::Error) -> Self {
        move |source| Self::Thread { what, limits: "limit on threads", source }
    }
}

/// The reason why a line has ended although it wasn't told to. Its outputs are in their safe state unless [`ServeError`]
/// says otherwise.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LineError {
    /// The gate thread stopped.
    #[error("the gate thread stopped unexpectedly; restart the line and report this")]
    Gate,
    /// The inspector thread stopped.
    #[error("the inspector thread stopped unexpectedly; restart the line and report this")]
    Inspector,
    /// The gate could not be shut down properly.
    #[error(transparent)]
    Serve(#[from] ServeError),
}

/// The reason why the gate could not be served to the end.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServeError {
    /// The thread could no longer wait for events, or the outputs can't be driven.
    #[error("the gate thread stopped with an error; check the outputs")]
    Unserved(#[source] io::Error),
    /// The thread panicked.
    #[error("the gate thread panicked; the outputs are in their safe state")]
    Failed,
}
