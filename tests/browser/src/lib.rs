//! A headless Chromium, driven as a person would: by what is written on buttons, labels and links.
//!
//! [`Browser`] fails a test by itself where a page is not as it should be for everybody: an error in the console (that includes what the
//! content security policy forbids), a page wider than its screen, or what axe, the accessibility engine, finds
//! ([`Browser::inspect`]).

mod browser;
mod driver;
mod inspection;

pub use browser::{Browser, Looks};
pub use driver::is_missing;
