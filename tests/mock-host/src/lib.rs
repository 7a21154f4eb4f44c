//! Runs an add-on with no network: for testers and vendors.
