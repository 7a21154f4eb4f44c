//! Sage Accounting South Africa: what we send, and how its answers are read. Its paths and the names of its fields stand here only.
//!
//! There is no idempotency key, no batch save for documents, and a Save replaces the whole object (Sage API 1.8).

mod answers;
mod client;
mod company;
mod customer;
mod document;
mod filter;
mod foretold;
mod match_key;
mod object;
mod option;
mod payload;
mod probes;
mod receipt;

pub use answers::{Reply, replies_of, reply_of, unexpected};
pub use client::{
    IDS, LARGEST_BATCH, by_ids, by_near_ids, calculate, companies, current_company, delete_request,
    get_one, get_one_as, newer, newer_of, options, save_batch_request, save_request,
};
pub use company::Company;
pub use customer::{ContactDetails, CustomerPayload};
pub use document::{Claim, DocumentPayload, LinePayload};
pub use filter::{Column, Filter};
pub use foretold::path_of_saved;
pub use match_key::{
    AllocationLikeness, CustomerLikeness, DocumentLikeness, Found, MatchKey, Service, fold,
    reference,
};
pub use object::{Object, StoredLine};
pub use option::{ListOption, OptionList};
pub use payload::Payload;
pub use probes::{searches_by_change, searches_by_text};
pub use receipt::{Allocation, AllocationPayload, Receipt, ReceiptPayload};

/// The name of the connection in the manifest.
pub const CONNECTION: &str = "sage";
