//! The table of all fitted methods, one line each, through which programs list, choose and run them.

use clap::{ArgMatches, Command};
use networks::teacher::Teacher;
use networks::{ModelState, StateError};
use serde_json::Value;

use crate::dyn_method::DynMethod;
use crate::gaussian_mixture::GaussianMixture;
use crate::local_gaussians::LocalGaussians;
use crate::mahalanobis::Mahalanobis;
use crate::method::{Method, Model, View};
use crate::one_class_svm::{OneClassSvm, OneClassSvmImage};
use crate::options::MethodOptions;
use crate::padim::Padim;
use crate::patchcore::PatchCore;

/// The methods, in listing order. The first is the default.
pub const METHODS: &[Entry] = &[
    Entry::of::<LocalGaussians>(),
    Entry::of::<PatchCore>(),
    Entry::of::<Padim>(),
    Entry::of::<Mahalanobis>(),
    Entry::of::<OneClassSvm>(),
    Entry::of::<OneClassSvmImage>(),
    Entry::of::<GaussianMixture>(),
];

/// Returns the method with this name.
#[must_use]
pub fn by_name(name: &str) -> Option<&'static Entry> {
    METHODS.iter().find(|entry| entry.name == name)
}

/// See [`Model::restore`].
type Restore = fn(&ModelState, &Teacher, View) -> Result<Box<dyn Model>, StateError>;

/// A type-erased method.
#[derive(Debug, Clone, Copy)]
pub struct Entry {
    /// The name on the command line and in bundles.
    pub name: &'static str,
    /// One sentence for `--help`.
    pub about: &'static str,
    /// See [`Method::PUBLISHED`].
    pub published: Option<&'static [&'static str]>,
    /// See [`Method::JUDGES_FRAMES`].
    pub judges_frames: bool,
    add_options: fn(Command) -> Command,
    given: fn(&ArgMatches) -> Result<Box<dyn DynMethod>, clap::Error>,
    recorded: fn(Value) -> serde_json::Result<Box<dyn DynMethod>>,
    defaults: fn() -> Box<dyn DynMethod>,
    supports: fn(&Teacher) -> bool,
    restore: Restore,
}

impl Entry {
    /// Makes the entry of a method.
    #[must_use]
    pub const fn of<M: Method>() -> Self {
        Self {
            name: M::NAME,
            about: M::ABOUT,
            published: M::PUBLISHED,
            judges_frames: M::JUDGES_FRAMES,
            add_options: M::augment_args,
            given: |matches| Ok(Box::new(M::from_arg_matches(matches)?)),
            recorded: |options| Ok(Box::new(serde_json::from_value::<M>(options)?)),
            defaults: || Box::new(M::default()),
            supports: M::supports,
            restore: |state, teacher, view| Ok(Box::new(M::Model::restore(state, teacher, view)?)),
        }
    }

    /// Returns the method with the options given on a command line; see [`crate::options`].
    ///
    /// # Errors
    /// If `matches` doesn't come from a command with the method's options.
    pub fn given(&self, matches: &ArgMatches) -> Result<Box<dyn DynMethod>, clap::Error> {
        (self.given)(matches)
    }

    /// Returns the method with the options recorded by [`DynMethod::record`].
    ///
    /// # Errors
    /// If an option is out of range.
    pub fn recorded(&self, options: Value) -> serde_json::Result<Box<dyn DynMethod>> {
        (self.recorded)(options)
    }

    /// Returns the method with its default options.
    #[must_use]
    pub fn defaults(&self) -> Box<dyn DynMethod> {
        (self.defaults)()
    }

    /// See [`Method::supports`].
    #[must_use]
    pub fn supports(&self, teacher: &Teacher) -> bool {
        (self.supports)(teacher)
    }

    /// See [`Model::restore`].
    ///
    /// # Errors
    /// See [`StateError`].
    pub fn restore(
        &self,
        state: &ModelState,
        teacher: &Teacher,
        view: View,
    ) -> Result<Box<dyn Model>, StateError> {
        (self.restore)(state, teacher, view)
    }

    /// Returns the entry for a command line's list.
    #[must_use]
    pub const fn method_options(&self) -> MethodOptions {
        MethodOptions { method: self.name, add_options: self.add_options }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_told_apart_and_options_survive_their_record() {
        for (index, entry) in METHODS.iter().enumerate() {
            assert_eq!(by_name(entry.name).map(|found| found.about), Some(entry.about));
            assert!(METHODS[..index].iter().all(|other| other.name != entry.name), "{}", entry.name);
            let record = entry.defaults().record().unwrap();
            assert_eq!(entry.recorded(record.clone()).unwrap().record().unwrap(), record);
            // The command line's defaults match the record.
            let command = (entry.add_options)(Command::new("train"));
            let given = entry.given(&command.get_matches_from(["train"])).unwrap();
            assert_eq!(given.record().unwrap(), record, "{}", entry.name);
        }
        assert!(by_name("none").is_none());
    }
}
