//! Switches for what is unknown of real servers, or differs between versions and installations. Each comment bears the ids of its facts in
//! the reference (Splynx API 10).

use serde::{Deserialize, Serialize};

use super::ledger::Rules;
use super::refusal::InvalidShape;
use super::wire::Style;
use crate::isp::Rounding;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Behaviour {
    /// SPLYNX-141, SPLYNX-36: how values are written.
    pub style: Style,
    /// SPLYNX-129, SPLYNX-32: how a 422 is written.
    pub invalid_shape: InvalidShape,
    /// SPLYNX-6: every key refuses a nonce that does not grow (else each key's own switch decides).
    pub check_nonce: bool,
    /// SPLYNX-9: every key may use Basic authentication (else each key's own switch decides).
    pub unsecure_auth: bool,
    /// SPLYNX-130: a signature in lower case is refused.
    pub strict_signature_case: bool,
    /// SPLYNX-131, SPLYNX-84: relations take the general search dialect besides their two documented parameters.
    pub relations_searchable: bool,
    /// SPLYNX-63: `customer-info` has a list. Only its records are documented, by the customer's id.
    pub customer_info_listed: bool,
    /// SPLYNX-22: the 204 of a DELETE carries a body, as the vendor's Node client complains.
    pub body_behind_no_content: bool,
    /// SPLYNX-140: a PUT of items removes the lines that it does not name.
    pub put_items_drop_missing: bool,
    /// SPLYNX-132, SPLYNX-60: billing moves a customer's `last_update`, not only edits.
    pub billing_touches_customers: bool,
    /// SPLYNX-137: fields that this server's version lacks: entity (as in the state) and field.
    pub missing_fields: Vec<(String, String)>,
    /// SPLYNX-135, SPLYNX-120: where cents are rounded on documents made from now on.
    pub rounding: Rounding,
    /// SPLYNX-136, SPLYNX-39: minutes that the server's clock is east of UTC (South Africa: 120, no summer time).
    pub utc_offset_minutes: i32,
    /// SPLYNX-136: minutes that the server's clock is ahead of the true time; negative: behind.
    pub clock_minutes: i32,
    pub ledger: Rules,
}

impl Default for Behaviour {
    fn default() -> Self {
        Self {
            style: Style::Modern,
            invalid_shape: InvalidShape::List,
            check_nonce: false,
            unsecure_auth: false,
            strict_signature_case: false,
            relations_searchable: false,
            customer_info_listed: false,
            body_behind_no_content: true,
            put_items_drop_missing: false,
            billing_touches_customers: false,
            missing_fields: Vec::new(),
            rounding: Rounding::PerLine,
            utc_offset_minutes: 120,
            clock_minutes: 0,
            ledger: Rules::default(),
        }
    }
}
