//! What the host does with installations: it says what is due, runs it, tells people, and hands out what they ask for.
//!
//! It knows neither web pages nor a command line. What stands in front of it are [`host::Host`] and [`scheduler`].

pub mod alerts;
pub mod days;
pub mod exports;
pub mod facts;
pub mod host;
pub mod installations;
pub mod scheduler;
pub mod support;
