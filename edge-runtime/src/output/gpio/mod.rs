//! Outputs as levels on the lines of a GPIO chip.

#[cfg(feature = "gpio")]
mod lines;

use std::path::Path;
use std::sync::Arc;

use super::{OpenError, Output, OutputKind};
use crate::line_file::LineFile;
use crate::link::Links;

#[cfg(feature = "gpio")]
pub use lines::{GpioLines, GpioOutputError};

/// The output side of `[gpio]`.
#[derive(Debug, Clone, Copy)]
pub struct Gpio;

impl OutputKind for Gpio {
    fn is_enabled(&self, line: &LineFile) -> bool {
        line.gpio.is_some()
    }

    fn devices<'l>(&self, line: &'l LineFile) -> Vec<(&'static str, &'l Path)> {
        let Some(gpio) = &line.gpio else { return vec![] };
        let inputs = gpio.input_chip.as_deref().map(|chip| ("gpio.input_chip", chip));
        std::iter::once(("gpio.chip", gpio.chip.as_path())).chain(inputs).collect()
    }

    #[cfg(feature = "gpio")]
    fn open(&self, line: &LineFile, _links: &Links) -> Result<Option<Arc<dyn Output>>, OpenError> {
        let Some(gpio) = &line.gpio else { return Ok(None) };
        let lines = GpioLines::open(gpio, line.gate.without_verdict).map_err(OpenError::new)?;
        Ok(Some(Arc::new(lines)))
    }

    #[cfg(not(feature = "gpio"))]
    fn open(&self, line: &LineFile, _links: &Links) -> Result<Option<Arc<dyn Output>>, OpenError> {
        if line.gpio.is_some() { Err(OpenError::new(NoGpio)) } else { Ok(None) }
    }
}

/// The program was built without GPIO support.
#[cfg(not(feature = "gpio"))]
#[derive(Debug, thiserror::Error)]
#[error("this build has no GPIO support; build with --features gpio, or remove [gpio]")]
struct NoGpio;
