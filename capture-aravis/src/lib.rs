//! A capture process for GigE Vision and USB3 Vision cameras: it opens the camera that a line asks for, through
//! [Aravis](https://github.com/AravisProject/aravis), and sends its frames over [`frame_channel`].
//!
//! | file | contents |
//! |---|---|
//! | `library` | the functions of Aravis, loaded when the program starts |
//! | `camera` | an open camera |
//! | `settings` | the line file's values, set on the camera and read back |
//! | `numbers` | the camera's frame numbers, which wrap, as numbers that grow |
//! | `device_clock` | the camera's clock and this machine's |
//! | `serving` | what a line gets |
//!
//! Aravis is C, LGPL, and needs GLib; the camera's description, which it interprets, comes from the network. All of that stays in this
//! program, which runs as its own user, and of which a line trusts nothing. It is loaded with `dlopen`, so that the workspace builds and passes
//! its checks on machines without Aravis, and its functions are declared by hand. The bindings on crates.io
//! (`aravis` 0.11.1, February 2025) need its headers at build time and twenty further crates, GLib's bindings among them.

mod camera;
mod device_clock;
mod library;
mod numbers;
mod serving;
mod settings;

pub use library::{FoundCamera, Library, LibraryError};
pub use serving::serve;
