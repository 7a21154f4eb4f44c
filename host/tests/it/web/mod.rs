//! The admin pages as a browser sees them.

mod activity;
mod login;
mod people;
mod program;
mod protection;
mod runs;
mod settings;
pub mod site;
pub mod tables;
