//! The write protocol: whatever dies, times out, repeats or runs twice, a record has one document at most.
//!
//! - [`record`]: what we keep of each record, and its indexes
//! - [`ledger`]: reading and writing those rows through the host's storage
//! - [`allowed`]: what the services do not let this installation do
//! - [`limits`]: what the company in Sage lets nobody send
//! - [`prefixes`]: reading under many prefixes at once
//! - [`remote`]: what Sage already holds, listed once and then from the highest known id on
//! - [`known_customers`]: Sage's customers in that list, and who looks like whom
//! - [`verdict`]: whether an object there is a record's own
//! - [`seen`]: whether somebody changed it there since we saw it last
//! - [`protocol`]: intent, request, answer
//! - [`exchange`]: documents that exchange their numbers
//! - [`refusals`]: what becomes of what Sage refuses
//! - [`since_done`]: what was changed after a person had settled it
//! - [`recovery`]: what a run does with what an earlier one left in doubt

pub mod allowed;
pub mod exchange;
pub mod known_customers;
pub mod ledger;
pub mod limits;
pub mod prefixes;
pub mod protocol;
pub mod record;
pub mod recovery;
mod refusals;
pub mod remote;
pub mod seen;
pub mod since_done;
pub mod vat;
pub mod verdict;
