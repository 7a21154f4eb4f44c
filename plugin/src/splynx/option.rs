//! What people map from in Splynx: categories, taxes, payment methods, partners.

use rust_decimal::Decimal;
use serde_json::Value;

use crate::json;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OptionList {
    Categories,
    Taxes,
    Methods,
    Partners,
}

impl OptionList {
    pub fn path(self) -> &'static str {
        match self {
            Self::Categories => "admin/finance/transaction-categories",
            Self::Taxes => "admin/config/taxes",
            Self::Methods => "admin/finance/payment-methods",
            Self::Partners => "admin/administration/partners",
        }
    }
}

/// An entry of one of these lists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListOption {
    pub id: i64,
    pub title: String,
    pub is_archived: bool,
    /// Of taxes: in percent.
    pub percent: Option<Decimal>,
    /// Of taxes: made of several.
    pub is_group: bool,
}

impl ListOption {
    /// `None`: it has no id.
    pub(super) fn of(value: &Value) -> Option<Self> {
        Some(Self {
            id: json::integer(value, "id")?,
            title: json::text(value, "name"),
            is_archived: json::flag(value, "archived"),
            percent: json::decimal(value, "rate"),
            is_group: json::text(value, "type") == "group",
        })
    }
}
