//! Opens the inputs of a line.

#[cfg(feature = "gpio")]
use super::gpio::{GpioInputError, GpioInputs};
use super::{Event, Inputs};
use crate::line_file::LineFile;

/// Reason why the inputs of a line can't be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InputError {
    /// GPIO support is not compiled in.
    #[error("this build has no GPIO support; build with --features gpio")]
    NoGpio,
    /// The GPIO lines can't be requested.
    #[cfg(feature = "gpio")]
    #[error(transparent)]
    Gpio(#[from] GpioInputError),
}

/// Opens the inputs that a line file names, and appends the events that follow from their levels to `events`. Returns
/// `None` if there are no inputs.
///
/// # Errors
/// [`InputError`]
#[cfg(feature = "gpio")]
pub fn open(line: &LineFile, events: &mut Vec<Event>) -> Result<Option<Box<dyn Inputs>>, InputError> {
    let Some(gpio) = &line.gpio else { return Ok(None) };
    let inputs = GpioInputs::open(gpio, events)?;
    Ok(inputs.map(|inputs| Box::new(inputs) as Box<dyn Inputs>))
}

/// Returns `None` if the line file names no GPIO inputs: this build can't open them.
///
/// # Errors
/// [`InputError`]
#[cfg(not(feature = "gpio"))]
pub fn open(line: &LineFile, _events: &mut Vec<Event>) -> Result<Option<Box<dyn Inputs>>, InputError> {
    if line.gpio.is_some() { Err(InputError::NoGpio) } else { Ok(None) }
}
