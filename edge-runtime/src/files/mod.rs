//! Files that commands and lines share: bundles and images.
//!
//! | file | what it holds |
//! |---|---|
//! | [`bundle`] | bundles, opened for judging |
//! | [`images`] | files, folders and patterns → image paths |
//! | [`overlays`] | overlay pictures, written by rename |

pub mod bundle;
pub mod images;
pub mod overlays;
