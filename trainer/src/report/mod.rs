//! Figures for people: a table for the terminal, a page with pictures.

mod chart;
mod page;
mod table;

pub use page::page;
pub use table::table;
