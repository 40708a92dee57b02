//! A Modbus TCP server. `docs/plc.md` has the register map.
//!
//! | file | contents |
//! |---|---|
//! | `map` | what the registers, inputs and coils hold |
//! | `writes` | what writing registers and coils asks of the line |
//! | `request` | answers one request |
//! | `server` | accepts clients and serves them |
//!
//! [`rmodbus`] parses requests and builds answers. It does no input and output, so that this server bounds the length of
//! requests, the number of clients and the time that each may take; and what a request says about its own length is checked
//! before the library reads it.

mod map;
mod request;
mod server;
mod writes;

pub use map::{Image, VERSION};
pub use request::{Garbage, MAX_FRAME, answer, frame_len};
pub use server::{Server, check};
pub use writes::{Refusal, Write, Writes};
