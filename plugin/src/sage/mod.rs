//! Sage Accounting South Africa: what we send, and how its answers are read.
//!
//! There is no idempotency key, no batch save for documents, and a Save replaces the whole object (Sage API 1.8).

mod answers;
mod client;
mod types;

pub use answers::{Reply, replies_of, reply_of, unexpected};
pub use client::{
    IDS, LARGEST_BATCH, by_ids, by_near_ids, calculate, companies, current_company, delete_request,
    get_one, get_one_as, id_text, list_all, newer, newer_of, probe, save_batch_request,
    save_request,
};
pub use types::{
    AllocationLikeness, CustomerLikeness, DocumentLikeness, Found, MatchKey, Service, amount,
    customer_content, fold, reference, rest,
};

/// The name of the connection in the manifest.
pub const CONNECTION: &str = "sage";
