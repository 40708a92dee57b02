//! Image files, found and written.
//!
//! | file | what it holds |
//! |---|---|
//! | [`images`] | files, folders and patterns → image paths |
//! | [`overlays`] | overlay pictures, written by rename |

pub mod images;
pub mod overlays;
