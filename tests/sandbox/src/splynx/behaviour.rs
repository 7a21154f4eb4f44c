//! Switches for what is unknown of real servers, or differs between versions and installations.

use serde::{Deserialize, Serialize};

use super::ledger::Rules;
use super::refusal::InvalidShape;
use super::wire::Style;
use crate::isp::Rounding;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Behaviour {
    /// How values are written.
    pub style: Style,
    /// How a 422 is written.
    pub invalid_shape: InvalidShape,
    /// Every key refuses a nonce that does not grow (else each key's own switch decides).
    pub check_nonce: bool,
    /// Every key may use Basic authentication (else each key's own switch decides).
    pub unsecure_auth: bool,
    /// A signature in lower case is refused.
    pub strict_signature_case: bool,
    /// Relations take the general search dialect besides their two documented parameters.
    pub relations_searchable: bool,
    /// `customer-info` has a list. Only its records are documented, by the customer's id.
    pub customer_info_listed: bool,
    /// The 204 of a DELETE carries a body, as the vendor's Node client complains.
    pub body_behind_no_content: bool,
    /// A PUT of items removes the lines that it does not name.
    pub put_items_drop_missing: bool,
    /// Billing moves a customer's `last_update`, not only edits.
    pub billing_touches_customers: bool,
    /// Fields that this server's version lacks: entity (as in the state) and field.
    pub missing_fields: Vec<(String, String)>,
    /// Where cents are rounded on documents made from now on.
    pub rounding: Rounding,
    /// Minutes that the server's clock is east of UTC (South Africa: 120, no summer time).
    pub utc_offset_minutes: i32,
    /// Minutes that the server's clock is ahead of the true time; negative: behind.
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
