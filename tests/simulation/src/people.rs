//! What people do on the screens of both services, while the add-on works and between its runs.
//!
//! Each act is drawn from a seed and from what the services hold at that moment; what a service refuses was not to be had. It notes
//! which objects of Sage are people's own work, because no oracle may blame the add-on for them.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Days, NaiveDate, Utc};
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rust_decimal::Decimal;
use sandbox::http::Service;
use sandbox::sage::Sage;
use sandbox::splynx::Splynx;
use serde_json::{Value, json};

use crate::afterwards::EditedThere;

macro_rules! edits {
    ($($edit:ident $name:literal,)*) => {
        /// One kind of act.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Edit { $($edit),* }

        impl Edit {
            pub const ALL: &'static [Self] = &[$(Self::$edit),*];

            /// As in reports.
            pub fn name(self) -> &'static str {
                match self { $(Self::$edit => $name),* }
            }
        }
    };
}

edits! {
    NewCustomer "customer made",
    RenamedCustomer "customer renamed",
    NamesakeCustomer "customer renamed as another",
    MovedCustomer "customer moved to another partner",
    DeletedCustomer "customer deleted",
    NewInvoice "invoice made",
    BackDatedInvoice "invoice made with an earlier date",
    RepricedInvoice "invoice repriced",
    PostponedInvoice "invoice put off",
    MarkedInvoice "invoice marked as deleted",
    DeletedInvoice "invoice deleted",
    NewPayment "payment made",
    InvoicePaid "payment made for an invoice",
    EditedPayment "payment edited",
    DeletedPayment "payment deleted",
    Refund "refund made",
    NewCreditNote "credit note made",
    DeletedCreditNote "credit note marked as deleted",
    PairedLine "statement line paired in Splynx",
    IgnoredLine "statement line ignored in Splynx",
    ReceiptInFull "Sage: receipt for an invoice",
    ReceiptInPart "Sage: receipt for a part of an invoice",
    ReceiptOnAccount "Sage: receipt on account",
    AllocatedReceipt "Sage: receipt allocated",
    EditedReceipt "Sage: receipt edited",
    DeletedReceipt "Sage: receipt deleted",
    TypedInvoice "Sage: invoice typed in",
    TypedNumber "Sage: invoice typed in with Splynx's number",
    TypedCustomer "Sage: customer typed in",
    RenamedInSage "Sage: customer renamed",
    OwnFields "Sage: customer's own fields",
    DeletedInSage "Sage: document deleted",
    BankedReceipt "Sage: receipt with a reference like a key",
    TypedLikeKey "Sage: invoice typed in with a reference like a key",
    CopiedInSage "Sage: document of ours copied with its reference",
    EditedInSage "Sage: document of ours edited",
    TakenFromSage "Sage: credit note, receipt or allocation deleted",
    MovedReceipt "Sage: receipt moved to another invoice",
    TwinPayments "two invoices of one price paid",
    Exchanged "payments exchanged between invoices",
    Undated "invoice without a date",
    ClockSet "Splynx's clock set",
    TakenCustomer "Sage: customer of ours deleted",
    IdleCustomer "Sage: customer of ours made inactive",
}

impl Edit {
    /// Acts that came later. Histories draw them from a source of their own: what else a seed draws stays what it was.
    pub const LATER: [Self; 2] = [Self::TakenCustomer, Self::IdleCustomer];

    /// All others.
    pub fn earlier() -> &'static [Self] {
        &Self::ALL[..Self::ALL.len() - Self::LATER.len()]
    }
}

/// What people have done so far.
#[derive(Debug, Clone, Default)]
pub struct People {
    /// Ids that people's objects in Sage have: entity and id.
    pub theirs: BTreeSet<(&'static str, i64)>,
    /// References of documents of the add-on's that people have deleted in Sage.
    pub deleted: BTreeSet<String>,
    /// Receipts whose payment in Splynx people have edited.
    pub edited_imports: BTreeSet<i64>,
    /// What of the add-on's people have edited in Sage.
    pub edited_there: Vec<EditedThere>,
    /// How often each act was done.
    pub done: BTreeMap<&'static str, u64>,
    count: u64,
}

/// Where the act takes place, and when.
pub struct Office<'o> {
    pub splynx: &'o mut Splynx,
    pub sage: &'o mut Sage,
    pub now: DateTime<Utc>,
    pub today: NaiveDate,
}

impl Office<'_> {
    pub(crate) fn in_splynx(
        &mut self,
        entity: &str,
        act: &str,
        id: i64,
        fields: Value,
    ) -> Option<Value> {
        let change = json!({"entity": entity, "act": act, "id": id, "fields": fields});
        self.splynx.edit(&change, self.now).ok()
    }

    pub(crate) fn in_sage(
        &mut self,
        entity: &str,
        act: &str,
        id: i64,
        fields: Value,
    ) -> Option<Value> {
        let change = json!({"entity": entity, "act": act, "id": id, "fields": fields});
        self.sage.edit(&change, self.now).ok()
    }

    /// One of a list's rows.
    pub(crate) fn any(
        &self,
        entity: &str,
        rng: &mut ChaCha8Rng,
        fits: impl Fn(&Value) -> bool,
    ) -> Option<Value> {
        let mut rows = self.splynx.rows(entity);
        rows.retain(fits);
        rows.choose(rng).cloned()
    }

    pub(crate) fn any_there(
        &self,
        entity: &str,
        rng: &mut ChaCha8Rng,
        fits: impl Fn(&Value) -> bool,
    ) -> Option<Value> {
        let mut rows = self.sage.rows(entity);
        rows.retain(fits);
        rows.choose(rng).cloned()
    }
}

pub fn id_of(row: &Value, field: &str) -> i64 {
    row[field].as_i64().unwrap_or_default()
}

/// An amount of either service; nothing counts as zero.
pub fn money(value: &Value) -> Decimal {
    let text = value.to_string();
    let amount = text.trim_matches('"').parse::<Decimal>();
    amount.unwrap_or_default().normalize()
}

/// The record in our mark at the end of a reference; none where somebody else made it.
pub fn key_of(row: &Value) -> Option<&str> {
    let mark = row["Reference"].as_str()?.rsplit_once(' ')?.1;
    let (_, key) = mark.split_once('-').filter(|(check, _)| check.len() == 8)?;
    let (letter, digits) = key.split_at_checked(1)?;
    let is_ours =
        "ICP".contains(letter) && !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
    is_ours.then_some(key)
}

impl People {
    /// Does it, if it is to be had. Answers what was done, for the story.
    pub fn act(&mut self, office: &mut Office, edit: Edit, seed: u64) -> Option<String> {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        self.count += 1;
        let told = self.perform(office, edit, &mut rng)?;
        *self.done.entry(edit.name()).or_default() += 1;
        Some(format!("{}: {told}", edit.name()))
    }

    fn perform(&mut self, office: &mut Office, edit: Edit, rng: &mut ChaCha8Rng) -> Option<String> {
        let today = office.today.to_string();
        let number = format!("{}-{:04}", self.count, rng.random_range(0..10_000));
        match edit {
            Edit::NewCustomer => {
                let made = office.in_splynx("customers", "create", 0, json!({"name": format!("New {number}"), "login": number, "category": "person",
                    "partner_id": 1, "location_id": 1, "status": "active", "email": format!("new{number}@isp.example")}))?;
                Some(format!("{}", made["id"]))
            }
            Edit::RenamedCustomer
            | Edit::NamesakeCustomer
            | Edit::MovedCustomer
            | Edit::DeletedCustomer => {
                let id = id_of(&office.any("customers", rng, |_| true)?, "id");
                match edit {
                    Edit::RenamedCustomer => {
                        office.in_splynx(
                            "customers",
                            "update",
                            id,
                            json!({"name": format!("Renamed {number}"), "city": "Ceres"}),
                        )?;
                    }
                    Edit::NamesakeCustomer => {
                        let name = office.any("customers", rng, |_| true)?["name"].clone();
                        office.in_splynx("customers", "update", id, json!({"name": name}))?;
                    }
                    Edit::MovedCustomer => {
                        office.in_splynx(
                            "customers",
                            "update",
                            id,
                            json!({"partner_id": rng.random_range(1..=3)}),
                        )?;
                    }
                    _ => {
                        office.in_splynx("customers", "delete", id, json!({}))?;
                    }
                }
                Some(format!("customer {id}"))
            }
            Edit::NewInvoice | Edit::BackDatedInvoice | Edit::NewCreditNote => {
                let customer = id_of(&office.any("customers", rng, |_| true)?, "id");
                let back = if edit == Edit::BackDatedInvoice {
                    rng.random_range(1..60)
                } else {
                    0
                };
                let date = office.today - Days::new(back);
                let items = lines(rng);
                let made = if edit == Edit::NewCreditNote {
                    let fields = json!({"customer_id": customer, "date_created": today, "status": "not_refunded", "items": items});
                    office.in_splynx("credit_notes", "create", 0, fields)?
                } else {
                    let fields = json!({"customer_id": customer, "date_created": date.to_string(),
                        "date_till": (date + Days::new(14)).to_string(), "status": "not_paid", "items": items});
                    office.in_splynx("invoices", "create", 0, fields)?
                };
                Some(format!("{} of customer {customer}, {date}", made["id"]))
            }
            Edit::RepricedInvoice
            | Edit::PostponedInvoice
            | Edit::MarkedInvoice
            | Edit::DeletedInvoice => {
                let row = office.any("invoices", rng, |row| row["status"] == "not_paid")?;
                let id = id_of(&row, "id");
                match edit {
                    Edit::RepricedInvoice => {
                        let price = format!(
                            "{}.{:04}",
                            rng.random_range(1..2_000),
                            rng.random_range(0..10_000)
                        );
                        let items = json!([{"id": row["items"][0]["id"], "price": price}]);
                        office.in_splynx("invoices", "update", id, json!({"items": items}))?;
                    }
                    Edit::PostponedInvoice => {
                        let till = (office.today + Days::new(30)).to_string();
                        office.in_splynx(
                            "invoices",
                            "update",
                            id,
                            json!({"date_till": till, "note": "Agreed by telephone"}),
                        )?;
                    }
                    Edit::MarkedInvoice => {
                        office.in_splynx("invoices", "update", id, json!({"status": "deleted"}))?;
                    }
                    _ => {
                        office.in_splynx("invoices", "delete", id, json!({}))?;
                    }
                }
                Some(format!("invoice {id}"))
            }
            Edit::NewPayment | Edit::InvoicePaid | Edit::Refund => {
                let invoice = (edit == Edit::InvoicePaid)
                    .then(|| office.any("invoices", rng, |row| row["status"] == "not_paid"))
                    .flatten();
                let customer = match &invoice {
                    Some(invoice) => id_of(invoice, "customer_id"),
                    None => id_of(&office.any("customers", rng, |_| true)?, "id"),
                };
                let amount = match (&invoice, edit) {
                    (Some(invoice), _) => money(&invoice["due"]),
                    (None, Edit::Refund) => -cents(rng),
                    (None, _) => cents(rng),
                };
                let method = [1, 2, 3, 8].choose(rng);
                let mut fields = json!({"customer_id": customer, "payment_type": method, "date": today,
                    "amount": amount.to_string(), "receipt_number": format!("desk-{number}"), "comment": "At the desk"});
                if let Some(invoice) = &invoice {
                    fields["invoice_id"] = invoice["id"].clone();
                }
                let made = office.in_splynx("payments", "create", 0, fields)?;
                Some(format!("{} of customer {customer}, {amount}", made["id"]))
            }
            Edit::EditedPayment | Edit::DeletedPayment => {
                let payment = office.any("payments", rng, |_| true)?;
                let id = id_of(&payment, "id");
                if edit == Edit::EditedPayment {
                    office.in_splynx(
                        "payments",
                        "update",
                        id,
                        json!({"amount": cents(rng).to_string()}),
                    )?;
                    let records = office.splynx.rows("bank_statements_records");
                    let record = records
                        .iter()
                        .find(|row| row["payment_id"] == payment["id"]);
                    let key = record.map_or(&payment["receipt_number"], |row| &row["additional_1"]);
                    let key = key.as_str().and_then(|key| key.strip_prefix("SAGE-"));
                    let receipt = key.and_then(|key| key.split('-').next()?.parse::<i64>().ok());
                    self.edited_imports.extend(receipt);
                } else {
                    office.in_splynx("payments", "delete", id, json!({}))?;
                }
                Some(format!("payment {id}"))
            }
            Edit::DeletedCreditNote => {
                let id = id_of(&office.any("credit_notes", rng, |_| true)?, "id");
                office.in_splynx("credit_notes", "update", id, json!({"status": "deleted"}))?;
                Some(format!("credit note {id}"))
            }
            Edit::PairedLine | Edit::IgnoredLine => {
                let id = id_of(
                    &office.any("bank_statements_records", rng, |row| row["status"] == "new")?,
                    "id",
                );
                if edit == Edit::PairedLine {
                    let invoice = office.any("invoices", rng, |row| row["status"] == "not_paid")?;
                    let method = [2, 8].choose(rng);
                    let fields =
                        json!({"invoice_number": invoice["number"], "payment_type": method});
                    office.in_splynx("bank_statements_records", "pair", id, fields)?;
                } else {
                    office.in_splynx(
                        "bank_statements_records",
                        "update",
                        id,
                        json!({"status": "ignored"}),
                    )?;
                }
                Some(format!("record {id}"))
            }
            Edit::ReceiptInFull | Edit::ReceiptInPart | Edit::ReceiptOnAccount => {
                let bank = office.any_there("bank_accounts", rng, |_| true)?["ID"].clone();
                let mut fields = json!({"Date": today, "BankAccountId": bank, "PaymentMethod": 4, "Reference": format!("slip {number}")});
                if edit == Edit::ReceiptOnAccount {
                    fields["CustomerId"] =
                        office.any_there("customers", rng, |_| true)?["ID"].clone();
                    fields["Total"] = cents(rng).to_string().into();
                } else {
                    let invoice = office.any_there("invoices", rng, |row| {
                        money(&row["AmountDue"]) > Decimal::ONE
                    })?;
                    let due = money(&invoice["AmountDue"]);
                    let total = if edit == Edit::ReceiptInFull {
                        due
                    } else {
                        (due / Decimal::TWO).round_dp(2)
                    };
                    fields["CustomerId"] = invoice["CustomerId"].clone();
                    fields["Total"] = total.to_string().into();
                    fields["Allocations"] = json!([{"AllocatedToDocumentId": invoice["ID"], "Total": total.to_string()}]);
                }
                self.keep(
                    "receipts",
                    &office.in_sage("receipts", "create", 0, fields)?,
                )
            }
            Edit::AllocatedReceipt => {
                let invoice = office.any_there("invoices", rng, |row| {
                    money(&row["AmountDue"]) > Decimal::ONE
                })?;
                let bank = office.any_there("bank_accounts", rng, |_| true)?["ID"].clone();
                let due = money(&invoice["AmountDue"]).to_string();
                // Money first, and what it is for later, as bank statements are worked off.
                let fields = json!({"CustomerId": invoice["CustomerId"], "Date": today, "Total": due, "BankAccountId": bank,
                    "PaymentMethod": 4, "Reference": format!("slip {number}")});
                let receipt = office.in_sage("receipts", "create", 0, fields)?;
                self.keep("receipts", &receipt);
                let fields = json!({"SourceDocumentId": receipt["ID"], "AllocatedToDocumentId": invoice["ID"], "Total": due, "Discount": 0});
                office.in_sage("allocations", "create", 0, fields)?;
                Some(format!(
                    "receipt {} to invoice {}",
                    receipt["ID"], invoice["ID"]
                ))
            }
            Edit::EditedReceipt | Edit::DeletedReceipt => {
                let theirs: Vec<i64> = self
                    .theirs
                    .iter()
                    .filter(|(entity, _)| *entity == "receipts")
                    .map(|(_, id)| *id)
                    .collect();
                let receipt = *theirs.choose(rng)?;
                if edit == Edit::EditedReceipt {
                    office.in_sage(
                        "receipts",
                        "update",
                        receipt,
                        json!({"Total": cents(rng).to_string()}),
                    )?;
                } else {
                    office.in_sage("receipts", "delete", receipt, json!({}))?;
                }
                Some(format!("receipt {receipt}"))
            }
            Edit::TypedInvoice | Edit::TypedNumber => {
                let customer = office.any_there("customers", rng, |_| true)?["ID"].clone();
                let item = office.any_there("items", rng, |_| true)?["ID"].clone();
                let tax = office.any_there("tax_types", rng, |row| {
                    money(&row["Percentage"]) > Decimal::ZERO
                })?["ID"]
                    .clone();
                let mut fields = json!({"CustomerId": customer, "Date": today, "DueDate": today, "Inclusive": true, "Lines": [{"LineType": 0,
                    "SelectionId": item, "TaxTypeId": tax, "Description": "By hand", "Quantity": 1, "UnitPriceInclusive": cents(rng).to_string()}]});
                if edit == Edit::TypedNumber {
                    fields["DocumentNumber"] =
                        office.any("invoices", rng, |_| true)?["number"].clone();
                }
                self.keep(
                    "invoices",
                    &office.in_sage("invoices", "create", 0, fields)?,
                )
            }
            Edit::TypedCustomer => {
                let like = office.any("customers", rng, |_| true)?;
                let fields =
                    json!({"Name": like["name"], "ContactName": "By hand", "Email": like["email"]});
                self.keep(
                    "customers",
                    &office.in_sage("customers", "create", 0, fields)?,
                )
            }
            Edit::RenamedInSage | Edit::OwnFields => {
                let id = id_of(&office.any_there("customers", rng, |_| true)?, "ID");
                if edit == Edit::RenamedInSage {
                    let value = format!("In Sage {number}");
                    office.in_sage("customers", "update", id, json!({"Name": value}))?;
                    self.edited_there.push(EditedThere {
                        entity: "customers",
                        id,
                        field: "Name",
                        value,
                    });
                } else {
                    office.in_sage(
                        "customers",
                        "update",
                        id,
                        json!({"CreditLimit": 5000, "TextField1": "VIP"}),
                    )?;
                }
                Some(format!("customer {id}"))
            }
            Edit::BankedReceipt | Edit::TypedLikeKey | Edit::CopiedInSage => {
                self.misleading(office, edit, rng)
            }
            Edit::EditedInSage
            | Edit::TakenFromSage
            | Edit::MovedReceipt
            | Edit::TwinPayments
            | Edit::Exchanged
            | Edit::Undated
            | Edit::TakenCustomer
            | Edit::IdleCustomer
            | Edit::ClockSet => self.afterwards(office, edit, rng),
            Edit::DeletedInSage => {
                let invoice = office.any_there("invoices", rng, |row| {
                    key_of(row).is_some() && !self.theirs.contains(&("invoices", id_of(row, "ID")))
                })?;
                office.in_sage("invoices", "delete", id_of(&invoice, "ID"), json!({}))?;
                let key = key_of(&invoice)?.to_owned();
                let told = format!("{key}, id {}", invoice["ID"]);
                self.deleted.insert(key);
                Some(told)
            }
        }
    }

    /// References as people write them: flats, boxes and cases end like keys, and copies bear the very key.
    fn misleading(
        &mut self,
        office: &mut Office,
        edit: Edit,
        rng: &mut ChaCha8Rng,
    ) -> Option<String> {
        let today = office.today.to_string();
        let place = ["Unit", "Flat", "PO Box", "Case"].choose(rng)?;
        let entity = match edit {
            Edit::BankedReceipt => "receipts",
            Edit::TypedLikeKey => "invoices",
            _ => *["invoices", "returns", "receipts"].choose(rng)?,
        };
        let customer = office.any_there("customers", rng, |_| true)?["ID"].clone();
        let fields = match edit {
            Edit::BankedReceipt => {
                let payment = office.any("payments", rng, |_| true)?["id"].clone();
                let bank = office.any_there("bank_accounts", rng, |_| true)?["ID"].clone();
                json!({"CustomerId": customer, "Date": today, "Total": cents(rng).to_string(), "BankAccountId": bank, "PaymentMethod": 4,
                    "Reference": format!("{place} P{payment}")})
            }
            Edit::TypedLikeKey => {
                let invoice = office.any("invoices", rng, |_| true)?["id"].clone();
                let item = office.any_there("items", rng, |_| true)?["ID"].clone();
                let tax = office.any_there("tax_types", rng, |_| true)?["ID"].clone();
                json!({"CustomerId": customer, "Date": today, "DueDate": today, "Inclusive": true, "Reference": format!("{place} I{invoice}"),
                    "Lines": [{"LineType": 0, "SelectionId": item, "TaxTypeId": tax, "Description": "By hand", "Quantity": 1,
                    "UnitPriceInclusive": cents(rng).to_string()}]})
            }
            _ => {
                let mut copy = office.any_there(entity, rng, |row| key_of(row).is_some())?;
                let fields = copy.as_object_mut()?;
                for own in ["ID", "DocumentNumber", "Allocations"] {
                    fields.remove(own);
                }
                copy["Date"] = today.into();
                copy
            }
        };
        self.keep(entity, &office.in_sage(entity, "create", 0, fields)?)
    }

    fn keep(&mut self, entity: &'static str, made: &Value) -> Option<String> {
        let id = id_of(made, "ID");
        self.theirs.insert((entity, id));
        Some(format!("{id}"))
    }
}

pub(crate) fn cents(rng: &mut ChaCha8Rng) -> Decimal {
    Decimal::new(rng.random_range(100..90_000), 2)
}

/// A document's lines: whole prices and awkward ones, taxed and not, now and then a discount.
fn lines(rng: &mut ChaCha8Rng) -> Value {
    let count = rng.random_range(1..4);
    let mut items: Vec<Value> = (0..count)
        .map(|_| {
            let (tax, tax_id) = if rng.random_ratio(1, 5) { ("0.0000", 2) } else { ("15.0000", 1) };
            let price = match rng.random_range(0..3) {
                0 => format!("{}.0000", rng.random_range(1..900)),
                1 => "86.9565".to_owned(),
                _ => format!("{}.{:04}", rng.random_range(0..900), rng.random_range(0..10_000)),
            };
            let category = [1, 7, 8, 9].choose(rng).copied();
            json!({"description": "Fibre", "quantity": rng.random_range(1..4), "unit": "", "price": price, "tax": tax, "tax_id": tax_id,
                "categoryIdForTransaction": category})
        })
        .collect();
    if rng.random_ratio(1, 8) {
        items.push(json!({"description": "Discount", "quantity": 1, "unit": "", "price": "-5.5000", "tax": "15.0000", "tax_id": 1,
            "categoryIdForTransaction": 2}));
    }
    items.into()
}
