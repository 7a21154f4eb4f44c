//! Hostile texts, and eyes that see what became of them.
//!
//! [`Field::poison`] makes one text hostile in one of many ways, with a mark that says which field it stood in. [`page::Page`] takes
//! a page apart as a browser does and tells what is in it that no template put there; [`file::formulas`] does the same for a
//! spreadsheet. [`Crawl`] goes wherever an administrator can, and makes things up on the way. [`marks`] finds the fields that can
//! be read in a text, so that a test cannot pass by showing nothing.

mod crawl;
pub mod file;
pub mod page;
mod text;
mod visit;

pub use crawl::{Browser, Crawl};
pub use text::{Field, KINDS, marks};
pub use visit::{Answer, Visit};
