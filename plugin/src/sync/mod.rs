//! What should happen, one file a subject: read, decide (pure), hand over to the write protocol.
//!
//! - Splynx → Sage: [`pipeline`] is what all kinds share; [`customers`] (with `customer_fields`), [`documents`] (as [`invoices`] and
//!   [`credit_notes`]) and [`payments_out`] say how their records are read and decided. [`allocations`] follow Splynx's [`relations`].
//! - Sage → Splynx: [`payments_in`] finds receipts, `arrivals` judges them by [`receipts`] and [`lines`], [`statements`] (with `lost_statements`) carries out,
//!   [`made`] recognises what Splynx holds already. `lookalikes` doubts in both directions.
//! - Ids that Splynx gives again: [`births`]; what no change tells of: [`sweep`].
//! - What people delete and edit: [`sent`] in Sage, [`orphans`] in Splynx after an older backup; `imported` what they edit of an import.
//! - Who is who: [`pairing`], [`pairing_file`], [`same_number`].
//! - What both sides call things, and how Sage computes: [`lists`], [`mapping`] with [`taxes`], [`renewal`], [`calibration`] by a `specimen`.

mod allocated;
pub mod allocations;
mod arrivals;
pub mod asked;
pub mod births;
pub mod calibration;
pub mod credit_notes;
pub mod customer_fields;
pub mod customers;
pub mod documents;
pub mod echoes;
mod imported;
pub mod invoices;
pub mod lines;
pub mod lists;
mod lookalikes;
mod lost_statements;
pub mod made;
pub mod mapping;
pub mod orphans;
pub mod pairing;
pub mod pairing_file;
pub mod payments_in;
pub mod payments_out;
pub mod pipeline;
pub mod receipts;
pub mod relations;
pub mod renewal;
pub mod same_number;
pub mod sent;
mod specimen;
pub mod statements;
pub mod sweep;
pub mod taxes;
pub mod vat_numbers;
