//! Opens the inputs of a line.

#[cfg(feature = "gpio")]
use super::gpio::{GpioInputError, GpioInputs};
use super::{Event, Inputs};
use crate::line_file::LineFile;

/// Why the inputs of a line can't be had.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InputError {
    /// GPIO is not compiled in.
    #[error("this build has no GPIO; build with --features gpio")]
    NoGpio,
    /// The GPIO lines can't be taken.
    #[cfg(feature = "gpio")]
    #[error(transparent)]
    Gpio(#[from] GpioInputError),
}

/// Opens the inputs that a line file names, and adds what their levels say to `events`. `None` if there are none.
///
/// # Errors
/// [`InputError`]
#[cfg(feature = "gpio")]
pub fn open(line: &LineFile, events: &mut Vec<Event>) -> Result<Option<Box<dyn Inputs>>, InputError> {
    let Some(gpio) = &line.gpio else { return Ok(None) };
    let inputs = GpioInputs::open(gpio, events)?;
    Ok(inputs.map(|inputs| Box::new(inputs) as Box<dyn Inputs>))
}

/// Opens the inputs that a line file names, of which this build has none.
///
/// # Errors
/// [`InputError`]
#[cfg(not(feature = "gpio"))]
pub fn open(line: &LineFile, _events: &mut Vec<Event>) -> Result<Option<Box<dyn Inputs>>, InputError> {
    if line.gpio.is_some() { Err(InputError::NoGpio) } else { Ok(None) }
}
