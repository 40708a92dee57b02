//! When there is a part in front of the camera.
//!
//! | file | what it holds |
//! |---|---|
//! | [`presence`] | something other than the empty belt is in sight |
//! | [`frames`] | triggers from the frames themselves, for a line with a gate and without |
//! | [`waiting`] | waiting for the next trigger, without a gate |
//! | [`parts`] | parts from a line's own trigger and camera, without a gate |
//!
//! On a running line, the gate's thread takes the triggers of GPIO inputs, serial commands and time as events between
//! others, so that triggers and encoder ticks keep their order: see [`crate::input`] and [`crate::run`].

pub mod frames;
pub mod parts;
pub mod presence;
pub mod waiting;
