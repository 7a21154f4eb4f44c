//! The domain against both services' state machines, on a virtual clock.
