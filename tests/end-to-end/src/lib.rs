//! The real host with the real component over real HTTP.
//!
//! [`Stage`] starts the built programs against each other, as an operator would; the tests look at what they print and at what
//! the two services hold.

mod http;
mod middleman;
mod photo;
mod serve;
mod stage;

pub use http::{Answer, get, post_form, post_json, post_signed};
pub use middleman::Middleman;
pub use photo::{amount, photo};
pub use serve::Serve;
pub use stage::{Finished, Stage, component, template};
