//! The registry of all methods: those trained here, and the fitted ones.

use methods::METHODS;
use methods::options::{MethodOptions, Methods};

#[cfg(feature = "libtorch")]
use crate::efficientad::EfficientAd;
use crate::fitted_method::FittedMethod;
#[cfg(feature = "libtorch")]
use crate::flow::Flow;
use crate::method::Method;
#[cfg(feature = "libtorch")]
use crate::stpm::Stpm;

/// Returns every method. The first is the default.
#[must_use]
pub fn all() -> Vec<Box<dyn Method>> {
    let fitted = METHODS.iter().map(|entry| Box::new(FittedMethod(entry)) as Box<dyn Method>);
    let trained: [Box<dyn Method>; _] = [
        #[cfg(feature = "libtorch")]
        Box::new(Stpm),
        #[cfg(feature = "libtorch")]
        Box::new(EfficientAd),
        #[cfg(feature = "libtorch")]
        Box::new(Flow),
    ];
    fitted.chain(trained).collect()
}

/// Returns the method with this name.
#[must_use]
pub fn by_name(name: &str) -> Option<Box<dyn Method>> {
    all().into_iter().find(|method| method.name() == name)
}

/// The methods of this program, for [`methods::options::Options`].
#[derive(Debug, Clone, Copy)]
pub struct All;

impl Methods for All {
    fn method_options() -> Vec<MethodOptions> {
        all().iter().map(|method| method.method_options()).collect()
    }
}
