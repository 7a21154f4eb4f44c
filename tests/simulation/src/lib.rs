//! The domain against both services' state machines, on a virtual clock: an internet provider's months in seconds.
//!
//! [`world::World`] is everything outside the add-on: both services, the host's real governor and credentials, the clock, the
//! settings. [`native`] runs the add-on's domain in it without WebAssembly, and can kill it at any call; the component runs in
//! the same world under the mock host. [`books`] looks at what the services hold afterwards.

pub mod books;
pub mod native;
pub mod world;
