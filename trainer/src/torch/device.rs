//! The device and number format of a training.

use tch::{Cuda, Device, Kind};

use super::allocator::keep_freed_memory;
use super::bf16;
use crate::compute::{ComputeError, ComputeRequest, DeviceChoice, Precision, Resolved};

/// A device with a number format.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Compute {
    /// The device.
    pub device: Device,
    /// [`Kind::Float`] or [`Kind::BFloat16`].
    pub kind: Kind,
}

impl Compute {
    /// Sets the number of threads and resolves what the user asked for on this machine.
    ///
    /// # Errors
    /// See [`ComputeError`].
    pub fn set_up(wanted: ComputeRequest) -> Result<Resolved, ComputeError> {
        keep_freed_memory();
        if let Some(threads) = wanted.threads {
            tch::set_num_threads(threads.max(1));
        }
        let compute = Self::resolve(wanted.device, wanted.precision)?;
        let (precision, threads) = (compute.precision(), tch::get_num_threads());
        Ok(Resolved { device: wanted.device, precision, threads, description: compute.describe() })
    }

    /// Resolves what the user asked for on this machine.
    ///
    /// # Errors
    /// [`ComputeError::NoCuda`] if CUDA was requested but isn't available.
    pub fn resolve(device: DeviceChoice, precision: Precision) -> Result<Self, ComputeError> {
        let cuda = device != DeviceChoice::Cpu && has_cuda();
        if device == DeviceChoice::Cuda && !cuda {
            return Err(ComputeError::NoCuda);
        }
        let device = if cuda { Device::Cuda(0) } else { Device::Cpu };
        // On a GPU only on request: not all of them support it.
        let bf16 = match precision {
            Precision::Bf16 => true,
            Precision::F32 => false,
            Precision::Auto => !cuda && bf16::is_faster(),
        };
        Ok(Self { device, kind: if bf16 { Kind::BFloat16 } else { Kind::Float } })
    }

    /// Returns the number format as a setting.
    #[must_use]
    pub fn precision(&self) -> Precision {
        if self.kind == Kind::BFloat16 { Precision::Bf16 } else { Precision::F32 }
    }

    /// Describes it in words, such as `cpu, bf16, 2 threads`.
    #[must_use]
    pub fn describe(&self) -> String {
        let kind = if self.kind == Kind::BFloat16 { "bf16" } else { "f32" };
        match self.device {
            Device::Cpu => format!("cpu, {kind}, {} threads", tch::get_num_threads()),
            _ => format!("cuda, {kind}"),
        }
    }
}

fn has_cuda() -> bool {
    // The build links against libtorch's CPU part. If a CUDA build of the same version is on the library path,
    // loading its CUDA part makes the devices known. This must precede the first query, whose answer is cached.
    #[cfg(target_os = "linux")]
    // SAFETY: the name is a NUL-terminated string, and loading the library only runs libtorch's own registration.
    unsafe {
        libc::dlopen(c"libtorch_cuda.so".as_ptr(), libc::RTLD_NOW | libc::RTLD_GLOBAL);
    }
    Cuda::is_available()
}
