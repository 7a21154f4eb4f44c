//! The Sage stand-in against what is known of the Sage API, in whole scenarios through `handle`.

#[path = "sage/access.rs"]
mod access;
#[path = "sage/books.rs"]
mod books;
#[path = "sage/desk.rs"]
mod desk;
#[path = "sage/ledger.rs"]
mod ledger;
#[path = "sage/lists.rs"]
mod lists;
#[path = "sage/rounding.rs"]
mod rounding;
#[path = "sage/screens.rs"]
mod screens;
#[path = "sage/validation.rs"]
mod validation;
