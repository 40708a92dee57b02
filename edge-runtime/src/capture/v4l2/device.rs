//! The device node, with its controls.

use std::collections::HashMap;
use std::io;

use v4l::Device;
use v4l::control::{Control, Flags, Value};

use super::controls::{ControlRange, Controls};

/// A device and the ranges of its controls.
pub(super) struct DeviceNode {
    pub(super) device: Device,
    ranges: HashMap<u32, ControlRange>,
}

impl DeviceNode {
    /// Queries the ranges; a device without controls has none.
    pub(super) fn new(device: Device) -> Self {
        let described = device.query_controls().unwrap_or_default();
        let usable = described.into_iter().filter(|control| !control.flags.contains(Flags::DISABLED));
        let ranges = usable.map(|control| {
            let step = i64::try_from(control.step).unwrap_or(i64::MAX);
            (control.id, ControlRange { low: control.minimum, high: control.maximum, step })
        });
        Self { ranges: ranges.collect(), device }
    }
}

impl Controls for DeviceNode {
    fn range(&self, id: u32) -> Option<ControlRange> {
        self.ranges.get(&id).copied()
    }

    fn get(&self, id: u32) -> io::Result<i64> {
        match self.device.control(id)?.value {
            Value::Integer(value) => Ok(value),
            Value::Boolean(value) => Ok(value.into()),
            _ => Err(io::Error::other("the control's value is not a number")),
        }
    }

    fn set(&self, id: u32, value: i64) -> io::Result<()> {
        self.device.set_control(Control { id, value: Value::Integer(value) })
    }
}
