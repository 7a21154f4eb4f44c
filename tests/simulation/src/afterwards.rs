//! What people do to things that have gone to the other side, and to clocks and dates: the add-on is told of none of it.

use chrono::NaiveDate;
use rand::RngExt;
use rand::seq::IndexedRandom;
use rand_chacha::ChaCha8Rng;
use rust_decimal::Decimal;
use serde_json::{Value, json};

use crate::people::{Edit, Office, People, cents, id_of, key_of, money};

/// A customer, document or receipt of the add-on's that people have edited in Sage.
#[derive(Debug, Clone)]
pub struct EditedThere {
    pub entity: &'static str,
    pub id: i64,
    /// The field, and what it is since.
    pub field: &'static str,
    pub value: String,
}

impl EditedThere {
    /// Whether a row of Sage's still is as it was edited.
    pub fn stands(&self, row: &Value) -> bool {
        let now = row[self.field].as_str().unwrap_or_default();
        id_of(row, "ID") == self.id && now.starts_with(&self.value)
    }
}

impl People {
    pub(crate) fn afterwards(
        &mut self,
        office: &mut Office,
        edit: Edit,
        rng: &mut ChaCha8Rng,
    ) -> Option<String> {
        match edit {
            Edit::EditedInSage => self.edited_in_sage(office, rng),
            Edit::TakenFromSage => self.taken_from_sage(office, rng),
            Edit::MovedReceipt => self.moved_receipt(office, rng),
            Edit::TwinPayments => twins(office, rng),
            Edit::Exchanged => exchanged(office, rng),
            Edit::Undated => {
                let id = id_of(
                    &office.any("invoices", rng, |row| row["status"] == "not_paid")?,
                    "id",
                );
                let fields = json!({"date_created": "0000-00-00"});
                office.in_splynx("invoices", "update", id, fields)?;
                Some(format!("invoice {id}"))
            }
            Edit::TakenCustomer => self.taken_customer(office, rng),
            Edit::IdleCustomer => {
                let customer = self.customer_of_ours(office, rng)?;
                office.in_sage("customers", "update", customer, json!({"Active": false}))?;
                Some(format!("customer {customer}"))
            }
            _ => {
                let days: i64 = *[-400, -3, -1, 0, 0, 0, 1, 3].choose(rng)?;
                let fields = json!({"clock_minutes": days * 24 * 60});
                office.in_splynx("behaviour", "update", 0, fields)?;
                Some(format!("{days} days"))
            }
        }
    }

    fn edited_in_sage(&mut self, office: &mut Office, rng: &mut ChaCha8Rng) -> Option<String> {
        let entity = *["invoices", "returns", "receipts"].choose(rng)?;
        let row = office.any_there(entity, rng, |row| {
            key_of(row).is_some() && !self.theirs.contains(&(entity, id_of(row, "ID")))
        })?;
        let id = id_of(&row, "ID");
        let (field, value) = if rng.random_bool(0.7) {
            let date: NaiveDate = row["Date"].as_str()?.get(..10)?.parse().ok()?;
            ("Date", date.pred_opt()?.to_string())
        } else {
            (
                "Reference",
                format!("as agreed {}", rng.random_range(0..10_000)),
            )
        };
        office.in_sage(entity, "update", id, json!({field: value}))?;
        if field == "Reference" {
            // It bears no key any more by which an oracle would know it.
            self.deleted.extend(key_of(&row).map(str::to_owned));
        }
        let told = format!("{entity} {id}: {field} {value}");
        self.edited_there.push(EditedThere {
            entity,
            id,
            field,
            value,
        });
        Some(told)
    }

    fn taken_from_sage(&mut self, office: &mut Office, rng: &mut ChaCha8Rng) -> Option<String> {
        let entity = *["returns", "receipts", "allocations", "allocations"].choose(rng)?;
        let row = office.any_there(entity, rng, |row| {
            let is_theirs = self.theirs.contains(&(entity, id_of(row, "ID")));
            entity == "allocations" || (key_of(row).is_some() && !is_theirs)
        })?;
        let id = id_of(&row, "ID");
        office.in_sage(entity, "delete", id, json!({}))?;
        self.deleted.extend(key_of(&row).map(str::to_owned));
        Some(format!("{entity} {id}"))
    }

    fn customer_of_ours(&self, office: &Office, rng: &mut ChaCha8Rng) -> Option<i64> {
        let is_ours = |row: &Value| !self.theirs.contains(&("customers", id_of(row, "ID")));
        let row = office.any_there("customers", rng, is_ours)?;
        Some(id_of(&row, "ID"))
    }

    /// Sage deletes only those that have nothing yet.
    fn taken_customer(&mut self, office: &mut Office, rng: &mut ChaCha8Rng) -> Option<String> {
        const TRIES: u32 = 8;
        for _ in 0..TRIES {
            let customer = self.customer_of_ours(office, rng)?;
            if office
                .in_sage("customers", "delete", customer, json!({}))
                .is_some()
            {
                let told = format!("customer {customer}");
                self.deleted.insert(told.clone());
                return Some(told);
            }
        }
        None
    }

    fn moved_receipt(&mut self, office: &mut Office, rng: &mut ChaCha8Rng) -> Option<String> {
        let allocation = office.any_there("allocations", rng, |row| {
            let source = id_of(row, "SourceDocumentId");
            self.theirs.contains(&("receipts", source))
        })?;
        let target = id_of(&allocation, "AllocatedToDocumentId");
        let invoices = office.sage.rows("invoices");
        let from = invoices.iter().find(|row| id_of(row, "ID") == target)?;
        let total = money(&allocation["Total"]);
        let to = office.any_there("invoices", rng, |row| {
            row["CustomerId"] == from["CustomerId"]
                && row["ID"] != from["ID"]
                && money(&row["AmountDue"]) >= total
        })?;
        let id = id_of(&allocation, "ID");
        let fields = json!({"AllocatedToDocumentId": to["ID"]});
        office.in_sage("allocations", "update", id, fields)?;
        Some(format!("allocation {id} to invoice {}", to["ID"]))
    }
}

/// Two invoices of a customer with one price, each paid.
fn twins(office: &mut Office, rng: &mut ChaCha8Rng) -> Option<String> {
    let customer = id_of(&office.any("customers", rng, |_| true)?, "id");
    let today = office.today.to_string();
    let price = cents(rng).to_string();
    let items = json!([{"description": "Fibre", "quantity": 1, "unit": "", "price": price, "tax": "15.0000", "tax_id": 1,
        "categoryIdForTransaction": 7}]);
    let mut made = Vec::new();
    for _ in 0..2 {
        let fields = json!({"customer_id": customer, "date_created": today, "date_till": today, "status": "not_paid", "items": items});
        let invoice = office.in_splynx("invoices", "create", 0, fields)?["id"].clone();
        let rows = office.splynx.rows("invoices");
        let due = money(&rows.iter().find(|row| row["id"] == invoice)?["due"]);
        if due > Decimal::ZERO {
            let fields = json!({"customer_id": customer, "payment_type": 2, "date": today, "amount": due.to_string(),
                "receipt_number": format!("twin-{}", rng.random_range(0..1_000_000)), "invoice_id": invoice});
            office.in_splynx("payments", "create", 0, fields)?;
        }
        made.push(invoice.to_string());
    }
    Some(format!(
        "invoices {} of customer {customer}",
        made.join(", ")
    ))
}

/// Two payments change places, and nothing else shows it.
fn exchanged(office: &mut Office, rng: &mut ChaCha8Rng) -> Option<String> {
    let relations = office.splynx.rows("invoice_relations");
    let mut pairs = Vec::new();
    for (place, one) in relations.iter().enumerate() {
        for other in &relations[place + 1..] {
            let is_even = one["customer_id"] == other["customer_id"]
                && money(&one["amount"]) == money(&other["amount"]);
            if is_even && one["invoice_id"] != other["invoice_id"] {
                pairs.push((id_of(one, "id"), id_of(other, "id")));
            }
        }
    }
    let (one, other) = *pairs.choose(rng)?;
    let fields = json!({"with": other});
    office.in_splynx("invoice_relations", "exchange", one, fields)?;
    Some(format!("relations {one} and {other}"))
}
