//! The write protocol: whatever dies, times out, repeats or runs twice, a record has one document at most.
//!
//! - [`record`]: what we keep of each record, and its indexes
//! - [`ledger`]: reading and writing those rows through the host's storage
//! - [`remote`]: what Sage already holds, listed once and then from the highest known id on
//! - [`protocol`]: intent, request, answer; and what a run does with what an earlier one left behind

pub mod ledger;
pub mod protocol;
pub mod record;
pub mod remote;
