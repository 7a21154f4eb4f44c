//! What Sage would answer to a Save: for previews, which send none.

use serde_json::Value;

use super::Object;
use super::document::price_name;
use crate::arithmetic::{Priced, Totals};
use crate::json;

/// What a document's totals are computed from: whether its prices are with VAT, and of each line its quantity, price and tax type.
pub struct ToCompute {
    pub is_inclusive: bool,
    pub lines: Vec<(Priced, i64)>,
}

/// The path that reads what a Save stored; `None`: the path is of no single Save.
pub fn path_of_saved(path: &str, id: i64) -> Option<String> {
    let service = path.strip_suffix("/Save")?;
    Some(format!("{service}/Get/{id}"))
}

impl Object {
    /// The objects of a Save's body: one, or those of a batch, and whether it is a batch.
    pub fn of_body(body: &str) -> (Vec<Self>, bool) {
        match json::parse(body).unwrap_or_default() {
            Value::Array(objects) => (objects.into_iter().map(Self::from).collect(), true),
            object => (vec![Self::from(object)], false),
        }
    }

    /// It is to be made.
    pub fn is_new(&self) -> bool {
        json::relation(self.value(), "ID").is_none()
    }

    /// `None`: it has no lines. The rates are still to be filled in.
    pub fn to_compute(&self) -> Option<ToCompute> {
        let is_inclusive = json::flag(self.value(), "Inclusive");
        let lines = json::field(self.value(), "Lines").as_array()?;
        let decimal = |line: &Value, name| json::decimal(line, name).unwrap_or_default();
        let lines = lines.iter().map(|line| {
            let priced = Priced {
                quantity: decimal(line, "Quantity"),
                price: decimal(line, price_name(is_inclusive)),
                rate: rust_decimal::Decimal::ZERO,
            };
            let tax_type = json::integer(line, "TaxTypeId").unwrap_or_default();
            (priced, tax_type)
        });
        Some(ToCompute {
            is_inclusive,
            lines: lines.collect(),
        })
    }

    /// As Sage would have stored it; `id`: of what is new. What is due of a changed document changes with its total.
    pub fn as_stored(&self, id: Option<i64>, totals: Option<Totals>) -> Self {
        let mut value = self.value().clone();
        if let Some(object) = value.as_object_mut() {
            if let Some(id) = id {
                object.insert("ID".to_owned(), id.into());
            }
            if let Some(totals) = totals {
                let before = (self.total(), self.amount("AmountDue"));
                if let (Some(total), Some(due)) = before {
                    let due = json::number(due + totals.total - total);
                    object.insert("AmountDue".to_owned(), due);
                }
                object.insert("Total".to_owned(), json::number(totals.total));
                object.insert("Tax".to_owned(), json::number(totals.tax));
            }
        }
        Self::from(value)
    }
}
