//! Payments: Splynx → Sage, as customer receipts. Which invoices they settle is told apart (`allocations`); what settles none
//! stays on the customer's account.

use std::cell::RefCell;

use serde_json::json;

use crate::collect::{Map, Set, ToSet};
use crate::json;
use crate::sage::{DocumentLikeness, MatchKey, Payload, ReceiptPayload, Service, reference};
use crate::settings::{Direction, Settings};
use crate::splynx::{self, DocumentStatus, Invoice, Payment};
use crate::sync::customers;
use crate::sync::documents::{changed_after_sync, customer_in_sage, pair_of};
use crate::sync::echoes;
use crate::sync::import_recovery;
use crate::sync::lists::List;
use crate::sync::lookalikes::{self, Outgoing};
use crate::sync::mapping::Mapping;
use crate::sync::payments_in;
use crate::sync::pipeline::{Decision, Description, Entity, NotSent};
use crate::sync::renewal::renew;
use crate::sync::retyped::{self, Entered};
use crate::sync::statements::{CAME_FROM_SAGE, came_from_sage};
use crate::text::cut;
use crate::write::ledger::{Run, RunResult};
use crate::write::protocol::{Act, Expected};
use crate::write::record::{Kind, Reason, Record, RecordKey, State, Stored};
use crate::write::remote::{self, Question, Survey, Way};
use crate::write::verdict::{self, Suspect, Verdict};

const SERVICE: Service = Service::CustomerReceipt;
const DESCRIPTION_LENGTH: usize = 100;

pub struct Payments {
    pub mapping: RefCell<Mapping>,
}

pub struct Facts {
    customers: Map<RecordKey, Stored>,
    invoices: Map<RecordKey, Stored>,
    /// Invoices that are yet to be read, and go to Sage then.
    coming: Set<i64>,
    /// What Sage has that could be theirs.
    survey: Survey,
    /// Why a payment may be in Sage already.
    doubts: Map<i64, Reason>,
    /// Payments whose money came from Sage, by whatever sign.
    from_sage: Set<i64>,
}

impl Entity for Payments {
    const KIND: Kind = Kind::Payment;
    const SERVICES: &'static [Service] = &[SERVICE];
    type Source = Payment;
    type Facts = Facts;

    fn facts(&self, run: &mut Run, page: &[(Payment, Stored)]) -> RunResult<Facts> {
        let fresh: Vec<&(Payment, Stored)> = page
            .iter()
            .filter(|(_, stored)| stored.record.as_ref().and_then(pair_of).is_none())
            .collect();
        customers::look_after(run, fresh.iter().map(|(payment, _)| payment.customer_id))?;
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
        let coming = coming(run, &invoices)?;
        if fresh
            .iter()
            .any(|(_, stored)| stored.record.is_none() || stored.is_judged_again())
        {
            import_recovery::before_payments_go(run)?;
            remote::refresh_index(run, SERVICE)?;
        }
        let settings = run.settings.clone();
        let questions: Vec<Question> = fresh
            .iter()
            .map(|(payment, stored)| {
                let key = key_of(payment);
                let mut ways =
                    verdict::ways_of_marks(&settings, key.marked(stored.record.as_ref()), SERVICE);
                ways.extend(way_of_number(payment));
                Question {
                    service: SERVICE,
                    ways,
                    own: None,
                }
            })
            .collect();
        let survey = remote::survey(run, &questions)?;
        let payments: Vec<&Payment> = fresh.iter().map(|(payment, _)| payment).collect();
        let from_sage = echoes::among(run, &payments, &customers)?;
        if settings.direction.from_sage() {
            let imported = payments.into_iter().filter(|p| from_sage.contains(&p.id));
            payments_in::look_at_edited(run, &imported.collect::<Vec<_>>())?;
        }
        let mut facts = Facts {
            customers,
            invoices,
            coming,
            survey,
            doubts: Map::new_vec(),
            from_sage,
        };
        let outgoing: Vec<Outgoing> = fresh
            .iter()
            .filter_map(|(payment, stored)| self.outgoing(run, &facts, payment, stored))
            .collect();
        facts.doubts = lookalikes::of_payments(run, &outgoing)?;
        let entered: Vec<Entered> = outgoing
            .iter()
            .map(|new| Entered {
                key: key_of(new.payment),
                service: SERVICE,
                customer: new.customer,
                date: new.payment.date,
                total: new.payment.amount,
            })
            .collect();
        for (key, doubt) in retyped::of_records(run, &entered)? {
            facts.doubts.insert(key.id, doubt);
        }
        Ok(facts)
    }

    fn decide(
        &self,
        run: &Run,
        facts: &mut Facts,
        payment: &Payment,
        record: Option<&Record>,
    ) -> Decision {
        let hash = content_hash(payment);
        if let Some(record) = record.filter(|record| pair_of(record).is_some()) {
            return if !record.hash.is_empty() && record.hash != hash {
                Decision::SetAside(NotSent::Owe(changed_after_sync()))
            } else {
                Decision::of_sent(record, &hash)
            };
        }
        let mark = run.settings.identity.mark(key_of(payment).marked(record));
        let (payload, likeness) =
            match plan(&run.settings, &self.mapping.borrow(), facts, payment, &mark) {
                Ok(plan) => plan,
                Err(aside) => return Decision::SetAside(aside),
            };
        if let Some(verdict) = facts.verdict(&run.settings, payment, &likeness, record) {
            return Decision::Found { verdict, hash };
        }
        if let Some(doubt) = facts.doubts.get(&payment.id) {
            return Decision::hold(doubt.clone());
        }
        if record.is_some_and(|record| lookalikes::waits_for_word(record, payment)) {
            return Decision::Keep;
        }
        Decision::Write {
            service: SERVICE,
            act: Act::Create {
                payload: Box::new(payload),
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

    fn renew(&self, run: &mut Run) -> RunResult<bool> {
        renew(
            run,
            &mut self.mapping.borrow_mut(),
            &[List::SageBankAccounts],
        )
    }

    fn hangs_on(&self, payment: &Payment) -> Vec<String> {
        let own = format!("bank_account.{}", payment.method_id);
        vec![own, "default_bank_account".to_owned()]
    }

    fn describe(&self, _run: &Run, payment: &Payment) -> Description {
        Description {
            label: payment.receipt_number.clone(),
            customer: payment.customer_id,
            amount: Some(payment.amount),
            open: payment.open,
            invoice: payment.invoice_id,
            content: format!(
                "amount {}|date {}|customer {}|number {}|method {}|invoice {}",
                payment.amount.normalize(),
                payment.date,
                payment.customer_id,
                payment.receipt_number,
                payment.method_id,
                payment.invoice_id.unwrap_or_default()
            ),
        }
    }
}

impl Payments {
    /// The payment, where it would go to Sage now, and no person has said that it is to.
    fn outgoing<'p>(
        &self,
        run: &Run,
        facts: &Facts,
        payment: &'p Payment,
        stored: &Stored,
    ) -> Option<Outgoing<'p>> {
        let record = stored.record.as_ref();
        let is_decided = record.is_some_and(|record| {
            record.vouched_for
                || lookalikes::waits_for_word(record, payment)
                || (record.state == State::Held && record.refused == content_hash(payment))
        });
        let settings = &run.settings;
        let mark = settings.identity.mark(key_of(payment).marked(record));
        let mapping = self.mapping.borrow();
        let (_, likeness) = plan(settings, &mapping, facts, payment, &mark).ok()?;
        let verdict = facts.verdict(settings, payment, &likeness, record);
        if is_decided || verdict.is_some() {
            return None;
        }
        let invoice = payment
            .invoice_id
            .map(|id| RecordKey::new(Kind::Invoice, id));
        let invoice = invoice.and_then(|key| facts.invoices.get(&key)?.record.as_ref());
        let invoice = invoice.and_then(|record| record.remote.as_ref());
        Some(Outgoing {
            payment,
            customer: customer_in_sage(&facts.customers, payment.customer_id).ok()?,
            invoice: invoice
                .filter(|remote| remote.service == Service::TaxInvoice)
                .map(|remote| remote.id),
        })
    }
}

impl Facts {
    /// On what Sage has under the payment's key or number.
    fn verdict(
        &self,
        settings: &Settings,
        payment: &Payment,
        likeness: &MatchKey,
        record: Option<&Record>,
    ) -> Option<Verdict> {
        let suspect = Suspect {
            key: key_of(payment),
            marked: key_of(payment).marked(record),
            service: SERVICE,
            likeness,
            is_vouched: record.is_some_and(verdict::is_vouched),
        };
        let mut ways = suspect.ways(settings);
        ways.extend(way_of_number(payment));
        verdict::judge(settings, &suspect, &self.survey, &ways)
    }
}

/// Where what another add-on made of a payment is found.
fn way_of_number(payment: &Payment) -> Option<Way> {
    let number = payment.receipt_number.trim();
    (!number.is_empty()).then(|| remote::by_reference(SERVICE, number))
}

fn key_of(payment: &Payment) -> RecordKey {
    RecordKey::new(Kind::Payment, payment.id)
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
    mark: &str,
) -> Result<(Payload, MatchKey), NotSent> {
    if let Some(reason) = left_out(settings, facts, payment) {
        return Err(NotSent::Skip(reason));
    }
    let customer = customer_in_sage(&facts.customers, payment.customer_id)?;
    if payment.amount.is_sign_negative() {
        return Err(NotSent::Owe(Reason::new(
            "refund",
            "It is a refund, and Sage takes no negative receipts.",
            "Record the refund in Sage by hand, then mark this as done.",
        )));
    }
    invoice_first(facts, payment)?;
    let bank_account = mapping
        .bank_account(settings, payment.method_id)
        .map_err(NotSent::Hold)?;
    let reference = reference(reference_text(settings, payment), mark);
    let payload = Payload::Receipt(ReceiptPayload {
        customer,
        date: payment.date,
        total: payment.amount,
        bank_account,
        method: sage_method(payment.method_id),
        reference: reference.clone(),
        description: cut(&payment.comment, DESCRIPTION_LENGTH),
        comments: payment.comment.trim().to_owned(),
        is_reconciled: settings.receipts_reconciled,
    });
    let likeness = MatchKey::Document(DocumentLikeness {
        customer,
        date: payment.date,
        number: String::new(),
        reference,
        total: payment.amount,
        rest: None,
    });
    Ok((payload, likeness))
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
fn invoice_first(facts: &Facts, payment: &Payment) -> Result<(), NotSent> {
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
    let label = match record {
        Some(record) if record.remote.is_none() && !record.state.is_settled() => {
            record.label.clone()
        }
        None if facts.coming.contains(&key.id) => key.id.to_string(),
        _ => return Ok(()),
    };
    Err(NotSent::Hold(
        Reason::new(
            "invoice-not-synced",
            format!("Its invoice {label} is not in Sage yet."),
            "Export the invoices; if this one is held, cure that first.",
        )
        .until_record(key),
    ))
}

/// Which of these invoices that have no record yet are on their way: they were made after the list was read, or it could not be read.
fn coming(run: &mut Run, invoices: &Map<RecordKey, Stored>) -> RunResult<Set<i64>> {
    let unknown = invoices
        .iter()
        .filter(|(_, stored)| stored.record.is_none());
    let unknown: Vec<i64> = unknown.map(|(key, _)| key.id).collect();
    if unknown.is_empty() || !run.brings_invoices {
        return Ok(Set::new());
    }
    let page = splynx::by_ids::<Invoice>(run, &unknown)?;
    let due = page.records.iter().filter(|invoice| {
        let is_early = run.settings.too_early(Kind::Invoice, invoice.0.date);
        invoice.0.status != DocumentStatus::Deleted && is_early.is_none()
    });
    Ok(due.map(|invoice| invoice.0.id).to_set())
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
