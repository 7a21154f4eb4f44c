//! Payments: Splynx → Sage, as customer receipts. Which invoices they settle is told apart (`allocations`); what settles none
//! stays on the customer's account.

use std::cell::RefCell;

use serde_json::json;

use crate::collect::{Map, Set, ToSet};
use crate::json;
use crate::sage::{DocumentLikeness, Found, Likeness, Service, mark_in, reference};
use crate::settings::{Direction, LINE_KEYS, Settings};
use crate::splynx::Payment;
use crate::sync::customers::cut;
use crate::sync::documents::{changed_after_sync, customer_in_sage};
use crate::sync::lists::List;
use crate::sync::mapping::Mapping;
use crate::sync::pipeline::{Aside, Decision, Description, Entity, possible_duplicate};
use crate::sync::renewal::renew;
use crate::sync::statements::{CAME_FROM_SAGE, FROM_SAGE, came_from_sage, id_key};
use crate::write::ledger::{Job, Run};
use crate::write::protocol::{Act, Expected};
use crate::write::record::{Kind, Reason, Record, RecordKey, Stored};
use crate::write::remote::{self, Question};
use crate::write::verdict;

const SERVICE: Service = Service::CustomerReceipt;
const DESCRIPTION_LENGTH: usize = 100;

pub struct Payments {
    pub mapping: RefCell<Mapping>,
}

pub struct Facts {
    customers: Map<RecordKey, Stored>,
    invoices: Map<RecordKey, Stored>,
    /// What Sage has, by index key.
    found: Map<String, Found>,
    /// Receipts without a key of ours, of the same customer, day and amount.
    lookalikes: Map<i64, Found>,
    /// Payments whose money came from Sage, by whatever sign.
    from_sage: Set<i64>,
}

impl Entity for Payments {
    const KIND: Kind = Kind::Payment;
    const SERVICES: &'static [Service] = &[SERVICE];
    type Source = Payment;
    type Facts = Facts;

    fn facts(&self, run: &mut Run, page: &[(Payment, Stored)]) -> Job<Facts> {
        let fresh: Vec<&(Payment, Stored)> = page
            .iter()
            .filter(|(_, stored)| stored.record.as_ref().is_none_or(|r| r.remote.is_none()))
            .collect();
        let customers = run.records(
            fresh
                .iter()
                .map(|(payment, _)| RecordKey::new(Kind::Customer, payment.customer_id)),
        )?;
        let invoices = run.records(
            fresh
                .iter()
                .filter_map(|(payment, _)| payment.invoice_id)
                .map(|id| RecordKey::new(Kind::Invoice, id)),
        )?;
        if fresh
            .iter()
            .any(|(_, stored)| stored.record.is_none() || stored.is_judged_again())
        {
            remote::catch_up(run, SERVICE)?;
        }
        let settings = &run.settings;
        let questions = fresh
            .iter()
            .map(|(payment, stored)| Question {
                service: SERVICE,
                keys: vec![
                    remote::by_mark(SERVICE, &settings.mark(key_of(payment))),
                    remote::by_name(SERVICE, &payment.receipt_number),
                ],
                again: stored.is_judged_again(),
            })
            .collect();
        let found = remote::survey(run, questions)?;
        let from_sage = from_sage(run, &fresh)?;
        let mut lookalikes = Map::new_vec();
        for (payment, _) in fresh {
            if let Ok(customer) = customer_in_sage(&customers, payment.customer_id)
                && let Some(found) =
                    remote::lookalike(run, SERVICE, customer, payment.date, payment.amount)?
            {
                lookalikes.insert(payment.id, found);
            }
        }
        Ok(Facts {
            customers,
            invoices,
            found,
            lookalikes,
            from_sage,
        })
    }

    fn decide(
        &self,
        run: &Run,
        facts: &mut Facts,
        payment: &Payment,
        record: Option<&Record>,
    ) -> Decision {
        let hash = content_hash(payment);
        if let Some(record) = record.filter(|record| record.remote.is_some()) {
            return if !record.hash.is_empty() && record.hash != hash {
                Decision::SetAside(Aside::Owe(changed_after_sync()))
            } else {
                Decision::of_sent(record, &hash)
            };
        }
        let (object, likeness) = match plan(&run.settings, &self.mapping.borrow(), facts, payment) {
            Ok(plan) => plan,
            Err(aside) => return Decision::SetAside(aside),
        };
        let key = key_of(payment);
        let by_reference = remote::by_name(SERVICE, &payment.receipt_number);
        let found = verdict::collisions(SERVICE, &likeness)
            .iter()
            .chain((!payment.receipt_number.trim().is_empty()).then_some(&by_reference))
            .find_map(|key| facts.found.get(key))
            .filter(|found| belongs(found, &run.settings.mark(key)));
        if let Some(found) = found {
            return Decision::Found {
                verdict: verdict::judge(&likeness, found, SERVICE),
                hash,
            };
        }
        if let Some(doubt) = possible_duplicate(record, SERVICE, facts.lookalikes.get(&payment.id))
        {
            return doubt;
        }
        Decision::Write {
            service: SERVICE,
            act: Act::Create {
                object,
                likeness,
                own_number: false,
                expected: Some(Expected {
                    total: payment.amount,
                    predicted: payment.amount,
                    vat: None,
                }),
            },
            hash,
        }
    }

    fn renew(&self, run: &mut Run) -> Job<bool> {
        renew(
            run,
            &mut self.mapping.borrow_mut(),
            &[List::SageBankAccounts],
        )
    }

    fn describe(&self, _run: &Run, payment: &Payment) -> Description {
        Description {
            label: payment.receipt_number.clone(),
            customer: payment.customer_id,
            amount: Some(payment.amount),
            open: payment.open,
        }
    }
}

/// D10: which of these payments came from Sage: made from a receipt by the add-on, or paired with one by a person.
fn from_sage(run: &mut Run, fresh: &[&(Payment, Stored)]) -> Job<Set<i64>> {
    let mut found = fresh
        .iter()
        .filter(|(payment, _)| payment.receipt_number.starts_with(LINE_KEYS))
        .map(|(payment, _)| payment.id)
        .to_set();
    let keys: Vec<String> = fresh.iter().map(|(p, _)| id_key(p.id)).collect();
    let noted = run.cap.get(FROM_SAGE, &keys)?;
    found.extend(
        noted
            .iter()
            .filter_map(|entry| entry.key.parse::<i64>().ok()),
    );
    Ok(found)
}

fn key_of(payment: &Payment) -> RecordKey {
    RecordKey::new(Kind::Payment, payment.id)
}

/// Whether a receipt found by its number can be this payment's: not if it carries another record's key.
fn belongs(found: &Found, mark: &str) -> bool {
    match &found.likeness {
        Likeness::Document(document) => mark_in(&document.reference).is_none_or(|m| m == mark),
        Likeness::Customer(_) | Likeness::Allocation(_) => false,
    }
}

/// Of everything in Splynx that Sage gets.
fn content_hash(payment: &Payment) -> String {
    json::digest(&json!([
        payment.customer_id,
        payment.receipt_number,
        payment.date.to_string(),
        payment.amount.normalize().to_string(),
        payment.method_id,
    ]))
}

/// The receipt as Sage is to store it, or why not.
fn plan(
    settings: &Settings,
    mapping: &Mapping,
    facts: &Facts,
    payment: &Payment,
) -> Result<(serde_json::Value, Likeness), Aside> {
    if let Some(reason) = left_out(settings, facts, payment) {
        return Err(Aside::Skip(reason));
    }
    let customer = customer_in_sage(&facts.customers, payment.customer_id)?;
    if payment.amount.is_sign_negative() {
        return Err(Aside::Owe(Reason::new(
            "refund",
            "It is a refund, and Sage takes no negative receipts.",
            "Record the refund in Sage by hand, then mark this as done.",
        )));
    }
    invoice_first(facts, payment)?;
    let bank_account = mapping
        .bank_account(settings, payment.method_id)
        .map_err(Aside::Hold)?;
    let reference = reference(
        reference_text(settings, payment),
        &settings.mark(key_of(payment)),
    );
    let mut object = json!({
        "CustomerId": customer,
        "Date": payment.date.to_string(),
        "Total": json::number(payment.amount),
        "BankAccountId": bank_account,
        "PaymentMethod": sage_method(payment.method_id),
        "Reference": reference,
        "Description": cut(&payment.comment, DESCRIPTION_LENGTH),
        "Comments": payment.comment.trim(),
    });
    if settings.receipts_reconciled {
        object["Reconciled"] = true.into();
    }
    let likeness = Likeness::Document(DocumentLikeness {
        customer,
        date: payment.date,
        number: String::new(),
        reference,
        total: payment.amount,
        rest: None,
    });
    Ok((object, likeness))
}

/// The field that the company wants to see in the reference; the receipt number where it is empty, because a key alone could be
/// anybody's text.
fn reference_text<'p>(settings: &Settings, payment: &'p Payment) -> &'p str {
    let field = settings.payment_reference.as_str();
    let number = field
        .strip_prefix("field_")
        .and_then(|n| n.parse::<usize>().ok());
    let text = match (field, number) {
        ("comment", _) => &payment.comment,
        (_, Some(number @ 1..=5)) => &payment.fields[number - 1],
        _ => &payment.receipt_number,
    };
    if text.trim().is_empty() {
        &payment.receipt_number
    } else {
        text
    }
}

/// Why a payment is not for Sage (D5, D10, F11, F16, F17, I1, I2).
fn left_out(settings: &Settings, facts: &Facts, payment: &Payment) -> Option<Reason> {
    if let Some(reason) = settings.too_early(Kind::Payment, payment.date) {
        return Some(reason);
    }
    if payment.amount.is_zero() {
        return Some(Reason::new("zero", "Its amount is 0.00.", ""));
    }
    if facts.from_sage.contains(&payment.id) {
        return Some(came_from_sage());
    }
    if settings.imported_method == Some(payment.method_id) {
        let reason = Reason::new(
            CAME_FROM_SAGE,
            "Its method is that of payments which came from Sage.",
            "",
        );
        return Some(reason.until_setting("payment_method_id"));
    }
    if !settings.direction.to_sage() {
        let reason = Reason::new(
            "direction",
            "Payments go from Sage to Splynx only.",
            "Choose another \"Direction\" under Settings, Payments, to send it.",
        );
        return Some(reason.until_setting("payments_direction"));
    }
    // D1: in both directions the list does not narrow.
    let listed = settings.push_methods.contains(&payment.method_id);
    if settings.direction == Direction::ToSage && !listed {
        let reason = Reason::new(
            "method-not-pushed",
            "Payments of its method are not sent to Sage.",
            "Add the method to \"Methods to send to Sage\" to send it.",
        );
        let reason = reason.until_setting("payments_push_methods");
        return Some(reason.until_setting("payments_direction"));
    }
    None
}

/// No payment goes before the invoice that it was entered for, where that invoice is on its way.
fn invoice_first(facts: &Facts, payment: &Payment) -> Result<(), Aside> {
    let Some(key) = payment
        .invoice_id
        .map(|id| RecordKey::new(Kind::Invoice, id))
    else {
        return Ok(());
    };
    let record = facts
        .invoices
        .get(&key)
        .and_then(|stored| stored.record.as_ref());
    match record {
        Some(record) if record.remote.is_none() && !record.state.is_settled() => Err(Aside::Hold(
            Reason::new(
                "invoice-not-synced",
                format!("Its invoice {} is not in Sage yet.", record.label),
                "Export the invoices; if this one is held, cure that first.",
            )
            .until_record(key),
        )),
        _ => Ok(()),
    }
}

/// Sage knows four ways to pay (Sage API 2.6); Splynx's first and third default methods are cash and card (Splynx API 3.12).
fn sage_method(method: i64) -> i64 {
    const CASH: i64 = 1;
    const CREDIT_CARD: i64 = 3;
    const EFT: i64 = 4;
    match method {
        1 => CASH,
        3 => CREDIT_CARD,
        _ => EFT,
    }
}
