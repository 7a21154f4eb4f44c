//! The real host with the real component over real HTTP.
