//! Code shared by all methods that train with libtorch.

mod adam;
mod allocator;
mod bf16;
mod chain;
mod device;
mod network;
mod sgd;
mod tensors;

pub use adam::Adam;
pub use allocator::keep_freed_memory;
pub use chain::TrainableChain;
pub use device::Compute;
pub(crate) use network::load_tensor;
pub use network::{Frozen, Trainable};
pub use sgd::Sgd;
pub use tensors::{channels_last, from_array, to_array};
