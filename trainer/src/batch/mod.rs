//! Makes the bundles of many products from one file that lists them: those that are out of date, several at a time.
//!
//! | file | contents |
//! |---|---|
//! | `products` | the file that lists the products |
//! | `inputs` | what a bundle is made from, as one hash |
//! | `make` | makes one product's bundle, or goes on where it was interrupted |
//!
//! Each product is made by this program's own commands, in processes of their own: one that fails or runs out of memory fails alone.

mod inputs;
mod make;
mod products;

pub use inputs::hash;
pub use make::{Made, Outcome, Signer, make};
pub use products::{Product, Products, ProductsError};
