//! What nobody outside knows about Sage, as switches.
//!
//! Each open question or doubtful fact that changes an answer is one field here, whose comment bears its ids in the reference (Sage API 6);
//! the default is the assumption that the reference builds on. A real answer is then a change of one default, and a test can run under
//! every combination.

use serde::{Deserialize, Serialize};

/// The shape of a 400's body.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorShape {
    /// A bare JSON string.
    BareString,
    /// `{"Message"}` and `{"MessageDetail"}`.
    Message,
    /// `{"Message", "ModelState": {"customer.Name": ["…"]}}`, as ASP.NET Web API does for field errors.
    ModelState,
    /// An array of strings.
    Array,
}

/// How a kind of `$filter` term is treated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Filtering {
    Works,
    /// The term is taken as true: without other terms everything comes back.
    Ignored,
    /// The term is taken as false.
    Empty,
    /// 400.
    Refused,
}

/// Which way an exact half cent goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ties {
    AwayFromZero,
    /// Banker's rounding.
    ToEven,
}

/// What the tax of a document is computed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TaxBasis {
    /// The document's tax is the sum of its lines' rounded taxes.
    Line,
    /// The document's tax is computed once per rate on the sum of the lines.
    Document,
}

/// Whether the `Exclusive`, `Tax` and `Total` of a sent line are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SentTotals {
    Recomputed,
    Trusted,
}

/// What an inclusive line's total is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum InclusiveTotal {
    /// The gross that was sent, to the cent.
    Preserved,
    /// Computed again from the rounded exclusive amount.
    FromExclusive,
}

/// The unit price that a line's amount is made from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UnitPrice {
    /// As sent; only the stored price is rounded.
    AsSent,
    /// Rounded to the company's price decimals first.
    Rounded,
}

/// Whether something doubtful is let through.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Doubtful {
    Accepted,
    Refused,
}

/// How a `$filter` writes an id from 2 147 483 648 on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LongIds {
    Either,
    /// `5000000000`, as OData v4 has it.
    Bare,
    /// `5000000000L`, as OData v3 has it (odata.net 5.8.0).
    Suffixed,
}

/// A call that the login may not make, or the key not use.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Forbidden {
    /// `TaxInvoice/Save`.
    pub call: String,
    /// 401, 403 or 405: Sage's own table has the first and the last, clients met the second (section 1.5).
    pub status: u16,
}

/// The answer to `Get/{id}` of nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Missing {
    Status404,
    /// 200 with the JSON literal `null`.
    Null,
}

/// When the count of a day's requests begins anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Day {
    /// At midnight of the company's clock.
    Calendar,
    /// Never: the last 24 hours count.
    Rolling,
}

/// Whom the request limits look at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CountedBy {
    /// The API key and the company.
    Company,
    /// The sender's address.
    Address,
}

/// The switches. Serialised in snake_case, so that a test over HTTP can change them as an edit of the entity
/// `behaviour`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Behaviour {
    /// Q1, SAGE-35: the body of a validation failure.
    pub error_shape: ErrorShape,
    /// Q2, SAGE-131: a document number that another document of the type has.
    pub duplicate_numbers: Doubtful,
    /// Q2: an empty number with `useSystemDocumentNumber=false`; accepted means that the system's number is given.
    pub empty_numbers: Doubtful,
    /// SAGE-142: another number for a document that is stored, as companies refuse it whose users are invited.
    pub other_numbers: Doubtful,
    /// Q3, SAGE-121: line amounts that were sent.
    pub sent_totals: SentTotals,
    /// Q4, SAGE-119: half cents.
    pub ties: Ties,
    /// Q5, SAGE-119: tax by line or by document.
    pub tax_basis: TaxBasis,
    /// Q6, SAGE-122: the total of an inclusive line.
    pub inclusive_total: InclusiveTotal,
    /// Q7, SAGE-125: the price that a line is computed from.
    pub unit_price: UnitPrice,
    /// Q7, SAGE-62: `ItemSellingPriceDecimalDigits`, what a stored unit price is rounded to.
    pub unit_price_digits: u32,
    /// Q8, SAGE-120: whether a sent `TaxPercentage` (a fraction) overrules the tax type's.
    pub sent_tax_percentage_rules: bool,
    /// Q9, SAGE-49: comparisons of text in `$filter`.
    pub string_filters: Filtering,
    /// SAGE-51: the nodes that a `$filter` may have. 100 is the default of ASP.NET's OData library, whether it is Sage's is not known.
    pub filter_nodes: Option<usize>,
    /// SAGE-52: how large numbers are written in a `$filter`.
    pub long_ids: LongIds,
    /// SAGE-14: texts without content come as `""`, as in every recorded answer; else they are left out.
    pub empty_texts: bool,
    /// SAGE-91: documents show neither `StatusId` nor `UID`, as an answer of 2022.
    pub bare_documents: bool,
    /// SAGE-8, SAGE-25, SAGE-27: where a right is missing.
    pub forbidden: Vec<Forbidden>,
    /// Q10, SAGE-50: comparisons of `Modified` in `$filter`.
    pub modified_filters: Filtering,
    /// Q11, SAGE-115: `SaveBatch` of customers, invoices, returns and receipts.
    pub document_batches: bool,
    /// Q12, SAGE-113: a bank transaction of type 2 makes a customer receipt.
    pub bank_transactions_make_receipts: bool,
    /// Q13, SAGE-116: the most rows in a batch.
    pub batch_limit: usize,
    /// Q14, SAGE-40: whether 5,000 a day is enforced.
    pub daily_limit: bool,
    /// Q14: what a day is.
    pub day: Day,
    /// Q15, SAGE-42: whether a request during a block starts its hour anew.
    pub blocks_lengthen: bool,
    /// Q15, SAGE-43: what the limits count by.
    pub counted_by: CountedBy,
    /// SAGE-140: whether refused requests (400, 401, 429) count.
    pub refused_requests_count: bool,
    /// Q16, SAGE-21: the status of an update's answer.
    pub update_status: u16,
    /// Q17, SAGE-37: not found.
    pub missing: Missing,
    /// Q18, SAGE-97: whether receipts and write-offs can be deleted.
    pub receipts_can_be_deleted: bool,
    /// Q19, SAGE-95: a return that names an invoice allocates itself to it.
    pub returns_allocate: bool,
    /// Q20, SAGE-111: `AutoAllocateToOldestInvoice` works for receipts made here.
    pub auto_allocation: bool,
    /// Q22, SAGE-132: what `CheckForDuplicateCustomerReferences` does about a repeated reference.
    pub duplicate_references: Doubtful,
    /// Q23: a line whose quantity or price is below zero.
    pub negative_lines: Doubtful,
    /// Q24, SAGE-87: the longest line description.
    pub line_description_length: usize,
    /// Q29, SAGE-136: another percentage for a tax type that documents have used.
    pub used_tax_types: Doubtful,
    /// Q30: a document's line with a tax type whose amounts people enter (`IsManualTax`).
    pub manual_tax_types: Doubtful,
    /// SAGE-68: several addresses in a customer's `Email`.
    pub several_emails: Doubtful,
    /// Q27: whether reports stop at 100 rows.
    pub report_limit: bool,
    /// SAGE-135: for how many seconds a new object is not in lists yet, as where they are read from a copy of the database. `Get/{id}` has it at once.
    pub list_lag_seconds: u32,
    /// Q28, SAGE-20: hours from UTC to the clock of `Created` and `Modified`.
    pub clock_hours: i8,
}

impl Default for Behaviour {
    fn default() -> Self {
        Self {
            error_shape: ErrorShape::BareString,
            duplicate_numbers: Doubtful::Refused,
            empty_numbers: Doubtful::Accepted,
            other_numbers: Doubtful::Accepted,
            sent_totals: SentTotals::Recomputed,
            ties: Ties::AwayFromZero,
            tax_basis: TaxBasis::Line,
            inclusive_total: InclusiveTotal::Preserved,
            unit_price: UnitPrice::AsSent,
            unit_price_digits: 2,
            sent_tax_percentage_rules: false,
            string_filters: Filtering::Works,
            filter_nodes: Some(100),
            long_ids: LongIds::Either,
            empty_texts: true,
            bare_documents: false,
            forbidden: Vec::new(),
            modified_filters: Filtering::Works,
            document_batches: false,
            bank_transactions_make_receipts: false,
            batch_limit: 100,
            daily_limit: true,
            day: Day::Calendar,
            blocks_lengthen: true,
            counted_by: CountedBy::Company,
            refused_requests_count: true,
            update_status: 200,
            missing: Missing::Status404,
            receipts_can_be_deleted: true,
            returns_allocate: false,
            auto_allocation: true,
            duplicate_references: Doubtful::Refused,
            negative_lines: Doubtful::Refused,
            line_description_length: 100,
            used_tax_types: Doubtful::Refused,
            manual_tax_types: Doubtful::Refused,
            several_emails: Doubtful::Refused,
            report_limit: true,
            list_lag_seconds: 0,
            clock_hours: 2,
        }
    }
}
