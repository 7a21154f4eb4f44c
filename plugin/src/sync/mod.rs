//! What should happen, one file a kind: read from Splynx, decide (pure), hand over to the write protocol.
//!
//! [`pipeline`] is the part that all kinds share. A kind says how its records are read, which facts a decision needs, and
//! decides; it never sends anything itself.

mod allocated;
pub mod allocations;
mod arrivals;
pub mod calibration;
pub mod credit_notes;
pub mod customer_fields;
pub mod customers;
pub mod documents;
pub mod invoices;
pub mod lines;
pub mod made;
pub mod mapping;
pub mod pairing;
pub mod pairing_file;
pub mod payments_in;
pub mod payments_out;
pub mod pipeline;
pub mod receipts;
pub mod same_number;
pub mod statements;
