//! The add-on.
