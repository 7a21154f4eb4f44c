//! What should happen, one file a kind: read from Splynx, decide (pure), hand over to the write protocol.
//!
//! [`pipeline`] is the part that all kinds share. A kind says how its records are read, which facts a decision needs, and
//! decides; it never sends anything itself.

mod allocated;
mod arrivals;
pub mod credit_notes;
pub mod customers;
mod documents;
pub mod invoices;
pub mod lines;
pub mod made;
pub mod mapping;
pub mod payments_in;
pub mod payments_out;
pub mod pipeline;
pub mod receipts;
pub mod statements;
