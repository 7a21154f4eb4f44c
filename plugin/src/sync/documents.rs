//! Invoices and credit notes alike: Splynx's lines become Sage's, VAT-inclusive, so that the totals agree to the cent (F30).

use std::collections::BTreeMap;

use rust_decimal::Decimal;
use serde_json::{Value, json};

use crate::json;
use crate::money;
use crate::sage::{DocumentLikeness, Found, Likeness, Service, reference};
use crate::settings::Settings;
use crate::splynx::{self, Document, DocumentStatus, Line, Transaction};
use crate::sync::customers::cut;
use crate::sync::mapping::Mapping;
use crate::sync::pipeline::{Aside, Decision, Description, deleted_after_sync};
use crate::write::ledger::{Job, Run};
use crate::write::protocol::Act;
use crate::write::record::{Kind, Reason, Record, RecordKey, State, Stored};
use crate::write::remote::{self, Question};
use crate::write::verdict;

/// The longest line text that Sage takes for sure (Sage API 2.4).
const DESCRIPTION_LENGTH: usize = 100;

/// What a decision on documents needs to know.
pub struct Facts {
    /// The records of the documents' customers.
    customers: BTreeMap<RecordKey, Stored>,
    /// What Sage has, by index key.
    found: BTreeMap<String, Found>,
    /// Categories of the transactions behind lines that have none of their own.
    categories: BTreeMap<i64, i64>,
}

/// The service that a document goes to: the sign of an invoice decides (F34, D8).
pub fn service_of(kind: Kind, document: &Document) -> Service {
    if kind == Kind::CreditNote || document.total.is_sign_negative() {
        Service::CustomerReturn
    } else {
        Service::TaxInvoice
    }
}

pub fn describe(document: &Document) -> Description {
    Description {
        label: document.number.clone(),
        customer: document.customer_id,
        amount: Some(document.total),
    }
}

pub fn facts<'p>(
    run: &mut Run,
    kind: Kind,
    page: impl Iterator<Item = (&'p Document, &'p Stored)>,
) -> Job<Facts> {
    let fresh: Vec<(&Document, &Stored)> = page
        .filter(|(_, stored)| stored.record.as_ref().is_none_or(|r| r.remote.is_none()))
        .collect();
    let customers = run.records(
        fresh
            .iter()
            .map(|(document, _)| RecordKey::new(Kind::Customer, document.customer_id)),
    )?;
    let questions = fresh
        .iter()
        .map(|(document, stored)| {
            let service = service_of(kind, document);
            Question {
                service,
                keys: vec![
                    remote::by_key(service, RecordKey::new(kind, document.id)),
                    remote::by_name(service, &document.number),
                ],
                again: stored.is_judged_again(),
            }
        })
        .collect();
    let found = remote::survey(run, questions)?;
    let transactions: Vec<i64> = fresh
        .iter()
        .flat_map(|(document, _)| &document.lines)
        .filter(|line| line.category_id.is_none())
        .filter_map(|line| line.transaction_id)
        .collect();
    let categories = splynx::by_ids::<Transaction>(run, &transactions)?
        .records
        .into_iter()
        .filter_map(|transaction| Some((transaction.id, transaction.category_id?)))
        .collect();
    Ok(Facts {
        customers,
        found,
        categories,
    })
}

pub fn decide(
    run: &Run,
    mapping: &Mapping,
    facts: &Facts,
    kind: Kind,
    document: &Document,
    record: Option<&Record>,
) -> Decision {
    let key = RecordKey::new(kind, document.id);
    let hash = content_hash(document);
    if let Some(record) = record.filter(|record| record.remote.is_some()) {
        return if document.status == DocumentStatus::Deleted {
            Decision::SetAside(Aside::Owe(deleted_after_sync()))
        } else {
            Decision::of_sent(record, &hash)
        };
    }
    let plan = match plan(&run.settings, mapping, facts, kind, document) {
        Ok(plan) => plan,
        Err(aside) => return Decision::SetAside(aside),
    };
    let collision = verdict::collisions(key, plan.service, &plan.likeness)
        .iter()
        .find_map(|key| facts.found.get(key));
    match collision {
        Some(found) => Decision::Found {
            verdict: verdict::judge(&plan.likeness, found, plan.service),
            hash,
        },
        None => Decision::Write {
            service: plan.service,
            act: Act::Create {
                total: Some(document.total.abs()),
                object: plan.object,
                own_number: plan.own_number,
                likeness: plan.likeness,
            },
            hash,
        },
    }
}

/// Of everything in Splynx that Sage gets.
pub fn content_hash(document: &Document) -> String {
    let lines: Vec<Value> = document
        .lines
        .iter()
        .map(|line| {
            json!([
                line.description,
                line.quantity.normalize().to_string(),
                line.price.normalize().to_string(),
                line.tax_percent.normalize().to_string(),
                line.tax_id,
                line.category_id,
            ])
        })
        .collect();
    json::digest(&json!([
        document.customer_id,
        document.number,
        document.date.to_string(),
        document.due.map(|date| date.to_string()),
        document.total.normalize().to_string(),
        lines,
    ]))
}

struct Plan {
    service: Service,
    object: Value,
    likeness: Likeness,
    own_number: bool,
}

/// The document as Sage is to store it, or why not.
fn plan(
    settings: &Settings,
    mapping: &Mapping,
    facts: &Facts,
    kind: Kind,
    document: &Document,
) -> Result<Plan, Aside> {
    if let Some(reason) = left_out(settings, kind, document) {
        return Err(Aside::Skip(reason));
    }
    let customer = customer_in_sage(&facts.customers, document.customer_id)?;
    let service = service_of(kind, document);
    if settings.splynx_numbers && document.number.trim().is_empty() {
        return Err(Aside::Hold(
            Reason::new(
                "no-number",
                "It has no number in Splynx.",
                "Give it a number in Splynx, or switch \"Use Splynx's document numbers\" off.",
            )
            .until_setting("use_system_document_number"),
        ));
    }
    let lines = lines(settings, mapping, facts, document).map_err(Aside::Hold)?;
    let number = if settings.splynx_numbers {
        document.number.trim()
    } else {
        ""
    };
    let reference = reference(&document.number, RecordKey::new(kind, document.id));
    let mut object = json!({
        "CustomerId": customer,
        "Date": document.date.to_string(),
        "Inclusive": true,
        "Reference": reference,
        "Lines": lines,
    });
    if !number.is_empty() {
        object["DocumentNumber"] = number.into();
    }
    if service == Service::TaxInvoice {
        let due = document.due.unwrap_or(document.date).max(document.date);
        object["DueDate"] = due.to_string().into();
    }
    Ok(Plan {
        service,
        object,
        likeness: Likeness::Document(DocumentLikeness {
            customer,
            date: document.date,
            number: number.to_owned(),
            reference,
            total: document.total.abs(),
        }),
        own_number: !number.is_empty(),
    })
}

/// Why a document is not for Sage (F61, D5, D6, D12).
fn left_out(settings: &Settings, kind: Kind, document: &Document) -> Option<Reason> {
    if let Some(reason) = settings.too_early(kind, document.date) {
        Some(reason)
    } else if document.status == DocumentStatus::Deleted {
        Some(Reason::new(
            "deleted",
            "It is marked as deleted in Splynx.",
            "",
        ))
    } else if document.total.is_zero() {
        Some(Reason::new("zero", "Its total is 0.00.", ""))
    } else if !document.has_transactions {
        Some(Reason::new(
            "no-transactions",
            "It made no transactions in Splynx.",
            "",
        ))
    } else if document.total.is_sign_negative() && !settings.use_credit_notes {
        Some(
            Reason::new(
                "credit-notes-off",
                "Its total is negative, and credit notes are switched off.",
                "Switch \"Use credit notes\" on to send it as a credit note.",
            )
            .until_setting("use_credit_notes"),
        )
    } else {
        None
    }
}

/// The Sage id of a record's customer, or what becomes of the record meanwhile.
pub fn customer_in_sage(
    customers: &BTreeMap<RecordKey, Stored>,
    customer: i64,
) -> Result<i64, Aside> {
    let key = RecordKey::new(Kind::Customer, customer);
    let record = customers
        .get(&key)
        .and_then(|stored| stored.record.as_ref());
    match record {
        Some(record) if matches!(record.state, State::Skipped | State::DoNotSend) => {
            Err(Aside::Skip(
                Reason::new(
                    "customer-skipped",
                    format!(
                        "Its customer {customer} is left out: {}",
                        record.reason.message
                    ),
                    record.reason.cure.clone(),
                )
                .until_record(key),
            ))
        }
        Some(Record {
            remote: Some(remote),
            ..
        }) => Ok(remote.id),
        _ => Err(Aside::Hold(
            Reason::new(
                "customer-not-synced",
                format!("Its customer {customer} is not in Sage yet."),
                "Export the customers; if this one is held, cure that first.",
            )
            .until_record(key),
        )),
    }
}

/// A line on its way to Sage.
struct Share<'d> {
    line: &'d Line,
    item: i64,
    tax: i64,
    /// Gross, in cents, for the whole quantity.
    gross: Decimal,
    /// What discounts took from it.
    comments: Vec<String>,
}

fn lines(
    settings: &Settings,
    mapping: &Mapping,
    facts: &Facts,
    document: &Document,
) -> Result<Vec<Value>, Reason> {
    let sign = if document.total.is_sign_negative() {
        -Decimal::ONE
    } else {
        Decimal::ONE
    };
    let exact: Vec<Decimal> = document.lines.iter().map(|l| l.gross() * sign).collect();
    let grosses = money::apportion(&exact, document.total * sign).ok_or_else(|| {
        Reason::new(
            "lines-differ",
            format!(
                "Its lines make {:.2}, its total is {:.2}.",
                money::cents(exact.iter().sum::<Decimal>() * sign),
                document.total
            ),
            "Correct the document in Splynx.",
        )
    })?;
    let mut shares = Vec::new();
    for (line, gross) in document.lines.iter().zip(grosses) {
        let category = line
            .category_id
            .or_else(|| facts.categories.get(&line.transaction_id?).copied());
        shares.push(Share {
            line,
            item: mapping.item(settings, category)?,
            tax: mapping.tax(settings, line)?,
            gross,
            comments: Vec::new(),
        });
    }
    fold_discounts(&mut shares)?;
    Ok(shares.iter().map(Share::to_sage).collect())
}

/// D15: Sage is not known to take negative lines, so each is taken off the positive lines of its tax, the largest first.
fn fold_discounts(shares: &mut Vec<Share>) -> Result<(), Reason> {
    let (discounts, mut rest): (Vec<Share>, Vec<Share>) = shares
        .drain(..)
        .partition(|share| share.gross.is_sign_negative() && !share.gross.is_zero());
    for discount in discounts {
        let mut left = -discount.gross;
        let mut order: Vec<usize> = (0..rest.len())
            .filter(|&i| rest[i].tax == discount.tax)
            .collect();
        order.sort_by_key(|&i| std::cmp::Reverse(rest[i].gross));
        for i in order {
            let part = left.min(rest[i].gross);
            if part > Decimal::ZERO {
                rest[i].gross -= part;
                left -= part;
                let note = format!("{}: -{part:.2}", discount.line.description.trim());
                rest[i].comments.push(note);
            }
        }
        if !left.is_zero() {
            return Err(Reason::new(
                "discount-too-large",
                format!(
                    "The discount {:?} is larger than the lines of its tax.",
                    discount.line.description.trim()
                ),
                "Sage takes no negative lines: correct the document in Splynx, or enter it in Sage by hand.",
            ));
        }
    }
    *shares = rest;
    Ok(())
}

impl Share<'_> {
    /// D16: where the gross is no multiple of a price in cents, the line goes as quantity 1 with the quantity in its text.
    fn to_sage(&self) -> Value {
        let quantity = self.line.quantity.abs();
        let price = (!quantity.is_zero()).then(|| money::cents(self.gross / quantity));
        let mut text = self.line.description.trim().to_owned();
        let (quantity, price) = match price {
            Some(price) if price * quantity == self.gross => (quantity, price),
            _ => {
                if quantity != Decimal::ONE {
                    text = format!("{} x {text}", quantity.normalize());
                }
                (Decimal::ONE, self.gross)
            }
        };
        let mut comments = self.comments.clone();
        let description = cut(&text, DESCRIPTION_LENGTH);
        if description != text {
            comments.insert(0, text);
        }
        let mut line = json!({
            "LineType": 0,
            "SelectionId": self.item,
            "TaxTypeId": self.tax,
            "Description": description,
            "Quantity": json::number(quantity),
            "UnitPriceInclusive": json::number(price),
        });
        if !comments.is_empty() {
            line["Comments"] = comments.join("; ").into();
        }
        line
    }
}
