//! The admin pages as a browser sees them.

mod activity;
mod addons;
mod alerts;
mod attacks;
mod by_service;
mod home;
mod login;
mod looking;
mod people;
mod program;
mod protection;
mod proxy;
mod runs;
mod second_factor;
mod settings;
mod setup;
pub mod site;
mod support;
pub mod tables;
mod texts;
mod tls;
mod words;
