//! The device and number format that a method computes with.

use serde::{Deserialize, Serialize};

/// The device that the user asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum DeviceChoice {
    /// CUDA if libtorch finds it, otherwise the CPU.
    Auto,
    /// The CPU.
    Cpu,
    /// A CUDA GPU, or an error.
    Cuda,
}

/// Number format of the convolutions' inputs and weights; parameters, BatchNorm and loss are always 32-bit floats.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Precision {
    /// bf16 on a CPU that a short measurement finds faster with it, otherwise f32.
    Auto,
    /// 32-bit floats.
    F32,
    /// bfloat16: up to twice as fast on processors that support it, very slow on others.
    Bf16,
}

/// What the user asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ComputeRequest {
    /// The device.
    pub device: DeviceChoice,
    /// The number format.
    pub precision: Precision,
    /// Number of threads; `None` uses all cores.
    pub threads: Option<i32>,
}

/// The request as resolved on this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resolved {
    /// The device.
    pub device: DeviceChoice,
    /// The number format, never [`Precision::Auto`].
    pub precision: Precision,
    /// Number of threads.
    pub threads: i32,
    /// In words, such as `cpu, bf16, 2 threads`.
    pub description: String,
}

/// Why a request can't be met on this machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ComputeError {
    /// The method is fitted.
    #[error("this method is fitted on the CPU in 32-bit floats; omit --device and --precision")]
    Plain,
    /// The method needs 32-bit floats.
    #[error("this method is trained in 32-bit floats; omit --precision bf16")]
    Exact,
    /// No CUDA GPU was found.
    #[error(
        "libtorch finds no CUDA GPU; start with LD_LIBRARY_PATH set to the lib folder of a CUDA build of torch 2.11, or \
         use --device cpu"
    )]
    NoCuda,
}

impl Resolved {
    /// Resolves the request for methods that need no libtorch: the CPU, 32-bit floats.
    ///
    /// # Errors
    /// [`ComputeError::Plain`] if another device or number format was demanded.
    pub fn plain(wanted: ComputeRequest) -> Result<Self, ComputeError> {
        if wanted.device == DeviceChoice::Cuda || wanted.precision == Precision::Bf16 {
            return Err(ComputeError::Plain);
        }
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let threads = wanted.threads.unwrap_or_else(|| i32::try_from(cores).unwrap_or(1));
        let description = format!("cpu, f32, {threads} threads");
        Ok(Self { device: DeviceChoice::Cpu, precision: Precision::F32, threads, description })
    }
}
