//! Reports figures: a table for the terminal and a page with pictures.

mod chart;
mod heat;
mod page;
mod table;
mod zones;

pub use page::{Evaluated, page};
pub use table::table;
pub use zones::zone_lines;

/// Escapes text for HTML.
fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
