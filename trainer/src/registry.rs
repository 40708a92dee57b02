//! The registry of all methods: those trained here, and the fitted ones.

use methods::METHODS;
use methods::options::{MethodOptions, Methods};

use crate::fitted_method::FittedMethod;
use crate::method::Method;
#[cfg(feature = "libtorch")]
use crate::{
    autoencoder::{MemAe, PlainAutoencoder, Vae},
    devnet::DevNetMethod,
    efficientad::EfficientAd,
    flow::Flow,
    ganomaly::GanomalyMethod,
    masked_autoencoder::MaskedAutoencoderMethod,
    stpm::Stpm,
    svdd::{Svdd, SvddImage},
};

/// Returns every method. The first is the default.
#[must_use]
pub fn all() -> Vec<Box<dyn Method>> {
    let fitted = METHODS.iter().map(|entry| Box::new(FittedMethod(entry)) as Box<dyn Method>);
    fitted.chain(trained()).collect()
}

/// Returns the methods that are trained with libtorch.
#[cfg(feature = "libtorch")]
fn trained() -> Vec<Box<dyn Method>> {
    vec![
        Box::new(Stpm),
        Box::new(EfficientAd),
        Box::new(Flow),
        Box::new(PlainAutoencoder),
        Box::new(MemAe),
        Box::new(Vae),
        Box::new(MaskedAutoencoderMethod),
        Box::new(GanomalyMethod),
        Box::new(Svdd),
        Box::new(SvddImage),
        Box::new(DevNetMethod),
    ]
}

#[cfg(not(feature = "libtorch"))]
fn trained() -> Vec<Box<dyn Method>> {
    vec![]
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
