//! File handling that commands and lines share: bundles, images, parts and overlays.
//!
//! | file | contents |
//! |---|---|
//! | [`bundles`] | opens bundles for judging |
//! | [`images`] | resolves files, folders and patterns to image paths |
//! | [`parts`] | the frames of each part in a folder |
//! | [`overlays`] | writes overlay pictures atomically |

pub mod bundles;
pub mod images;
pub mod overlays;
pub mod parts;
