//! Triggers: they tell when a part is in front of the camera.
//!
//! | module | contents |
//! |---|---|
//! | [`presence`] | detecting anything other than the empty belt in view |
//! | [`frames`] | triggers from the frames themselves, with and without a gate |
//! | [`source`] | sources of triggers, without a gate |
//! | [`parts`] | parts from a line's own trigger and camera, without a gate |
//!
//! On a running line, the gate's thread takes the triggers of GPIO inputs, serial commands and timers as events among
//! others, so that triggers and encoder ticks keep their order: see [`crate::input`] and [`crate::run`].

pub mod frames;
pub mod parts;
pub mod presence;
pub mod source;
