//! Reports figures: a table for the terminal and a page with pictures.

mod chart;
mod heat;
mod page;
mod table;

pub use page::{Evaluated, page};
pub use table::table;

/// Escapes text for HTML.
fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
