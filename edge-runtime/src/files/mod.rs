//! Files that commands and lines share: bundles and images.
//!
//! | file | what it holds |
//! |---|---|
//! | [`bundles`] | bundles, opened for judging |
//! | [`images`] | files, folders and patterns → image paths |
//! | [`parts`] | the frames of each part in a folder |
//! | [`overlays`] | overlay pictures, written by rename |

pub mod bundles;
pub mod images;
pub mod overlays;
pub mod parts;
