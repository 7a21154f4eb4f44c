//! The add-on against both services' state machines, on a virtual clock: an internet provider's months in seconds.
//!
//! [`world::World`] is everything outside the add-on: both services, and the parts of the host that stand between.
//! [`installation::Installation`] runs the add-on in it under the mock host, natively or as the real component, and
//! can kill it at any call. [`books`] looks at what the services hold afterwards, [`differences`] at what of it is not explained.
//! [`history`] lives whole histories from a seed: [`people`] edit, a [`storm`] rages, and oracles judge.

pub mod afterwards;
pub mod books;
mod clock;
pub mod differences;
pub mod history;
pub mod installation;
pub mod invariants;
mod line;
mod native;
pub mod odd;
pub mod people;
pub mod storm;
pub mod world;
