//! The add-on against both services' state machines, on a virtual clock: an internet provider's months in seconds.
//!
//! [`world::World`] is everything outside the add-on: both services, and the parts of the host that stand between.
//! [`installation::Installation`] runs the add-on in it under the mock host, natively or as the real component, and
//! can kill it at any call. [`books`] looks at what the services hold afterwards.

pub mod books;
pub mod installation;
pub mod invariants;
mod native;
pub mod world;
