//! What people choose from in Sage: items, tax types, bank accounts, customer categories (Sage API 2.2, 2.3, 2.9).

use rust_decimal::Decimal;

use super::Object;
use crate::json;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OptionList {
    Items,
    TaxTypes,
    BankAccounts,
    CustomerCategories,
}

impl OptionList {
    pub(super) fn service(self) -> &'static str {
        match self {
            Self::Items => "Item",
            Self::TaxTypes => "TaxType",
            Self::BankAccounts => "BankAccount",
            Self::CustomerCategories => "CustomerCategory",
        }
    }
}

/// An entry of one of these lists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListOption {
    pub id: i64,
    pub title: String,
    pub is_active: bool,
    /// Of tax types: a fraction (Sage API 1.3).
    pub rate: Option<Decimal>,
    /// Of items: their tax type when sold.
    pub tax_type: Option<i64>,
    /// Of tax types: people enter the amount of tax, so nothing can be computed by its rate.
    pub is_manual: bool,
    /// Of tax types: the company's own choice.
    pub is_default: bool,
}

impl ListOption {
    /// `None`: it has no id. Items have a description and a code where others have a name.
    pub(super) fn of(object: &Object) -> Option<Self> {
        let value = object.value();
        let (name, code) = (object.name(), json::text(value, "Code"));
        let description = json::text(value, "Description");
        let title = match (name.is_empty(), code.is_empty()) {
            (false, _) => name,
            (true, false) => format!("{description} ({code})"),
            (true, true) => description,
        };
        Some(Self {
            id: object.id()?,
            title,
            is_active: object.is_active(),
            rate: json::decimal(value, "Percentage"),
            tax_type: json::relation(value, "TaxTypeIdSales"),
            is_manual: json::flag(value, "IsManualTax"),
            is_default: json::flag(value, "IsDefault"),
        })
    }
}
