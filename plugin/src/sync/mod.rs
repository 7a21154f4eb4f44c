//! What should happen, one file a subject: read, decide (pure), hand over to the write protocol.
//!
//! - Splynx → Sage: [`pipeline`] is what all kinds share; [`customers`] (with `customer_fields`), [`documents`] (as [`invoices`] and
//!   [`credit_notes`]) and [`payments_out`] say how their records are read and decided. [`allocations`] follow Splynx's [`relations`]; [`retyped`] is what was deleted and entered again.
//! - Sage → Splynx: [`payments_in`] finds receipts, `arrivals` judges them by [`receipts`] and [`lines`], [`statements`] (with `lost_statements`) carries out,
//!   [`made`] recognises what Splynx holds already. `lookalikes` doubts in both directions.
//! - Ids that Splynx gives again: [`births`]; what no change tells of: [`sweep`].
//! - What people delete and edit: [`sent`] in Sage, [`orphans`] in Splynx after an older backup; `imported` what they edit of an import.
//! - Who is who: [`pairing`], [`pairing_file`], [`same_number`].
//! - What both sides call things, and how Sage computes: [`lists`], [`mapping`] with [`taxes`], [`renewal`], [`calibration`] by a `specimen`.

mod allocated;
pub mod allocations;
pub mod births;
pub mod calibration;
pub mod credit_notes;
pub mod customer_fields;
pub mod customers;
pub mod documents;
pub mod echoes;
pub mod import_recovery;
mod imported;
pub mod invoices;
pub mod lists;
mod lookalikes;
mod lost_statements;
pub mod mapping;
pub mod orphans;
pub mod pairing;
pub mod pairing_file;
pub mod payments_in;
pub mod payments_out;
pub mod pipeline;
mod receipt_import;
pub mod receipt_sheet;
pub mod receipts;
pub mod record_request;
pub mod relations;
pub mod renewal;
pub mod retyped;
pub mod same_number;
pub mod sent;
mod specimen;
pub mod statements;
pub mod sweep;
pub mod taxes;
pub mod vat_numbers;
