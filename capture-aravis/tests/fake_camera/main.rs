//! The capture process with Aravis' fake GigE Vision camera on the loopback interface, at the other end of real sockets.
//!
//! Needs Debian's packages `libaravis-0.8-0` and `aravis-tools`; without them, the tests say so and are skipped.
//! `NOMINAL_ARAVIS_FRAMES` is the number of frames of the long run: 100,000 at 100 a second take 17 minutes. `NOMINAL_ARAVIS_KILLS` is the number of
//! kills of the camera and of the process.
//!
//! What the fake camera can't do, and what was therefore not run: hardware triggers (it accepts the setting and has no inputs), chunk data, 64-bit
//! block IDs, packets that are resent, USB3 Vision.
// Clippy's exemptions for tests cover test functions only, not their helpers.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod frames;
mod line;
mod losses;
mod settings;
mod support;
