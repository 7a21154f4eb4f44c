//! `calculate-finance`: what the server makes of some lines, storing nothing (Splynx API, calculator).

use rust_decimal::Decimal;
use serde_json::{Value, json};

use super::Splynx;
use super::input::Body;
use super::refusal::Refusal;
use super::wire::{Attribute, Money, decimal, integer, round};
use crate::isp::Rounding;

impl Splynx {
    pub(super) fn calculate(&self, body: &Body) -> Result<Value, Refusal> {
        let rows = body
            .get("rowData")
            .or_else(|| body.get("rows"))
            .and_then(Value::as_array)
            .ok_or_else(|| Refusal::invalid("rowData", "Rows cannot be blank."))?;
        let mut lines = Vec::with_capacity(rows.len());
        let mut per_tax: Vec<(i64, Decimal, Decimal)> = Vec::new();
        let (mut total, mut vat) = (Decimal::ZERO, Decimal::ZERO);
        for row in rows {
            let read = |name: &str| row.get(name).and_then(decimal);
            let tax_id = row.get("tax_id").and_then(integer).unwrap_or(0);
            let rate = self
                .taxes
                .get(tax_id)
                .map_or(Decimal::ZERO, |tax| tax.rate.0);
            let factor = Decimal::ONE + rate / Decimal::ONE_HUNDRED;
            let quantity = read("quantity").unwrap_or(Decimal::ONE);
            // Whichever of the two prices the person typed decides the other.
            let typed_gross = row.get("isChangedInput").and_then(Value::as_str) == Some("withVat");
            let price = match (read("price"), read("withVat")) {
                (_, Some(gross)) if typed_gross => round(gross / factor, 4),
                (Some(net), _) => round(net, 4),
                (None, Some(gross)) => round(gross / factor, 4),
                (None, None) => return Err(Refusal::invalid("price", "Price cannot be blank.")),
            };
            let net = quantity * price;
            let exact = net * factor;
            let gross = match self.behaviour.rounding {
                Rounding::PerLine => round(exact, 2),
                Rounding::AtEnd => exact,
            };
            total += gross;
            vat += exact - net;
            match per_tax.iter_mut().find(|(id, ..)| *id == tax_id) {
                Some((_, tax, base)) => {
                    *tax += exact - net;
                    *base += net;
                }
                None => per_tax.push((tax_id, exact - net, net)),
            }
            lines.push(json!({
                "quantity": quantity.to_string(),
                "price": Money(price).cell().text(),
                "withVat": Money(price * factor).cell().text(),
                "tax_id": tax_id,
                "total": two_places(exact),
                "totalVat": two_places(exact - net),
                "totalWithoutVat": two_places(net),
            }));
        }
        let per_tax: Vec<Value> = per_tax
            .into_iter()
            .filter_map(|(id, tax, base)| {
                let named = self.taxes.get(id)?;
                Some(json!({
                    "name": named.name,
                    "rate": Money(named.rate.0).cell().text(),
                    "vat_amount": two_places(tax),
                    "applicable_amount": two_places(base),
                }))
            })
            .collect();
        Ok(json!({
            "rowData": lines,
            "total": {
                "total": two_places(total),
                "vat": two_places(vat),
                "withoutVat": two_places(round(total, 2) - round(vat, 2)),
                "per_tax": per_tax,
            },
        }))
    }
}

fn two_places(amount: Decimal) -> String {
    let mut amount = round(amount, 2);
    amount.rescale(2);
    amount.to_string()
}
