//! Invoices and credit notes alike: what becomes of one, and what Sage is to store.
//!
//! The amounts are [`crate::pricing`]'s business. A document is sent once; changed in Splynx, it is sent again as an update of the
//! same object in Sage (D7), and only a person has one saved again whose total came out wrong (D14).

use std::cell::RefCell;

use rust_decimal::Decimal;
use serde_json::{Value, json};

use crate::arithmetic::{Arithmetic, Totals};
use crate::collect::{Map, ToMap, ToSet};
use crate::json;
use crate::money;
use crate::pricing::{self, Charge, Mode, PricingError};
use crate::sage::{
    DocumentLikeness, DocumentPayload, LinePayload, MatchKey, Payload, Service, reference,
};
use crate::settings::Settings;
use crate::splynx::{self, Document, DocumentStatus, Transaction};
use crate::sync::births;
use crate::sync::customers;
use crate::sync::lists::{self, List};
use crate::sync::mapping::Mapping;
use crate::sync::pipeline::{
    Decision, Description, NotSent, deleted_after_sync, is_left_behind, possible_duplicate,
};
use crate::sync::renewal::renew;
use crate::sync::retyped::{self, Entered};
use crate::text::cut;
use crate::write::ledger::{Run, RunResult};
use crate::write::protocol::{Act, Expected};
use crate::write::record::{
    Batch, GONE_IN_SAGE, Kind, Reason, Record, RecordKey, Remote, State, Stored,
};
use crate::write::remote::{self, Question, Survey, Way};
use crate::write::vat::Vat;
use crate::write::verdict::{self, Money, Suspect};

/// What decisions on all documents of a run need.
pub struct DocumentContext {
    pub mapping: RefCell<Mapping>,
    pub arithmetic: Arithmetic,
}

impl DocumentContext {
    /// Reads again what documents are put together from.
    pub fn renew(&self, run: &mut Run) -> RunResult<bool> {
        let lists = [List::SageTaxTypes, List::SageItems];
        renew(run, &mut self.mapping.borrow_mut(), &lists)
    }
}

/// What a decision on a page of documents needs to know.
pub struct Facts {
    /// The records of the documents' customers.
    customers: Map<RecordKey, Stored>,
    /// What Sage has that could be theirs.
    survey: Survey,
    money: Money,
    /// Why they may be what was made for records that Splynx no longer has.
    retyped: Map<RecordKey, Reason>,
    /// Categories of the transactions behind lines that have none of their own.
    categories: Map<i64, i64>,
}

/// The service that a document goes to: the sign of an invoice decides (F34, D8).
pub fn service_of(kind: Kind, document: &Document) -> Service {
    if kind == Kind::CreditNote || document.total.is_sign_negative() {
        Service::CustomerReturn
    } else {
        Service::TaxInvoice
    }
}

/// The settings and mappings that make its lines.
pub fn hangs_on(document: &Document) -> Vec<String> {
    let of_line = |line: &splynx::Line| {
        let category = line.category_id.map(|id| format!("item.{id}"));
        let tax = line.tax_id.map(|id| format!("tax.{id}"));
        [category, tax].into_iter().flatten()
    };
    let of_lines = document.lines.iter().flat_map(of_line);
    of_lines
        .chain(["fix_item_id".to_owned()])
        .to_set()
        .into_iter()
        .collect()
}

pub fn describe(document: &Document) -> Description {
    Description {
        label: document.number.clone(),
        customer: document.customer_id,
        amount: Some(document.total),
        open: document.open,
        invoice: None,
        content: format!(
            "total {}|date {}|customer {}|number {}|status {}|lines {}",
            document.total.normalize(),
            document.date,
            document.customer_id,
            document.number,
            match document.status {
                DocumentStatus::Live => "live",
                DocumentStatus::Deleted => "deleted",
            },
            content_hash(document)
        ),
    }
}

pub fn facts<'p>(
    run: &mut Run,
    context: &DocumentContext,
    kind: Kind,
    page: impl Iterator<Item = (&'p Document, &'p Stored)>,
) -> RunResult<Facts> {
    let to_send: Vec<(&Document, &Stored)> = page
        .filter(|(document, stored)| {
            let record = stored.record.as_ref();
            record.is_none_or(|r| pair_of(r).is_none() || wants_update(r, &content_hash(document)))
        })
        .collect();
    note_rates(run, context, &to_send)?;
    customers::look_after(
        run,
        to_send.iter().map(|(document, _)| document.customer_id),
    )?;
    let customers = run.records(
        to_send
            .iter()
            .map(|(document, _)| RecordKey::new(Kind::Customer, document.customer_id)),
    )?;
    let transactions: Vec<i64> = to_send
        .iter()
        .flat_map(|(document, _)| &document.lines)
        .filter(|line| line.category_id.is_none())
        .filter_map(|line| line.transaction_id)
        .collect();
    let categories = splynx::by_ids::<Transaction>(run, &transactions)?
        .records
        .into_iter()
        .filter_map(|transaction| Some((transaction.id, transaction.category_id?)))
        .to_map();
    let fresh: Vec<(&Document, &Stored)> = to_send
        .into_iter()
        .filter(|(_, stored)| stored.record.as_ref().and_then(pair_of).is_none())
        .collect();
    for (document, stored) in &fresh {
        if stored.record.is_none() || stored.is_judged_again() {
            remote::refresh_index(run, service_of(kind, document))?;
        }
    }
    let settings = run.settings.clone();
    let money = fresh
        .iter()
        .filter_map(|(document, _)| way_of_money(&customers, kind, document))
        .to_map();
    let questions: Vec<Question> = fresh
        .iter()
        .map(|(document, stored)| {
            let service = service_of(kind, document);
            let key = RecordKey::new(kind, document.id);
            let mut ways =
                verdict::ways_of_marks(&settings, key.marked(stored.record.as_ref()), service);
            if !document.number.trim().is_empty() {
                ways.push(remote::by_name(service, &document.number));
            }
            ways.extend(money.get(&key).map(|(_, way)| way.clone()));
            Question {
                service,
                ways,
                own: None,
            }
        })
        .collect();
    let survey = remote::survey(run, &questions)?;
    let entered: Vec<Entered> = fresh
        .iter()
        .filter(|(document, _)| document.status != DocumentStatus::Deleted)
        .filter_map(|(document, _)| {
            Some(Entered {
                key: RecordKey::new(kind, document.id),
                service: service_of(kind, document),
                customer: customer_in_sage(&customers, document.customer_id).ok()?,
                date: document.date,
                total: document.total.abs(),
            })
        })
        .collect();
    let retyped = retyped::of_records(run, &entered)?;
    Ok(Facts {
        customers,
        survey,
        retyped,
        money,
        categories,
    })
}

/// Notes at which rates lines were billed, where that is news: each rate of a tax has a mapping of its own.
fn note_rates(
    run: &mut Run,
    context: &DocumentContext,
    page: &[(&Document, &Stored)],
) -> RunResult<()> {
    let lines = page.iter().flat_map(|(document, _)| &document.lines);
    let rates = lines.filter_map(|line| Some((line.tax_id?, line.tax_percent.normalize())));
    let rates = {
        let mapping = context.mapping.borrow();
        rates
            .filter(|(tax, rate)| mapping.is_new_rate(*tax, *rate))
            .to_set()
    };
    if rates.is_empty() {
        return Ok(());
    }
    let mut batch = Batch::default();
    for (tax, rate) in rates {
        lists::note_rate(&mut batch, tax, rate);
    }
    run.commit(batch)?;
    *context.mapping.borrow_mut() = Mapping::loaded(run)?;
    Ok(())
}

pub fn decide(
    run: &Run,
    context: &DocumentContext,
    facts: &Facts,
    kind: Kind,
    document: &Document,
    record: Option<&Record>,
) -> Decision {
    let key = RecordKey::new(kind, document.id);
    let hash = content_hash(document);
    let marked = key.marked(record);
    let paired = record.and_then(|record| Some((record, pair_of(record)?)));
    if let Some((record, remote)) = paired {
        if document.status == DocumentStatus::Deleted {
            return Decision::SetAside(NotSent::Owe(deleted_after_sync()));
        }
        if !wants_update(record, &hash) {
            return Decision::of_sent(record, &hash);
        }
        let plan = match plan(&run.settings, context, facts, marked, document) {
            Ok(plan) if plan.service == remote.service => plan,
            Ok(_) | Err(NotSent::Skip(_)) => {
                return Decision::SetAside(NotSent::Owe(changed_after_sync()));
            }
            Err(aside) => return Decision::SetAside(aside),
        };
        return Decision::Write {
            service: plan.service,
            act: Act::Update {
                id: remote.id,
                payload: Box::new(Payload::Document(plan.payload)),
                likeness: plan.likeness,
                expected: Some(plan.expected),
            },
            hash,
        };
    }
    if document.status == DocumentStatus::Deleted && record.is_some_and(is_left_behind) {
        return Decision::SetAside(NotSent::Owe(deleted_after_sync()));
    }
    let plan = match plan(&run.settings, context, facts, marked, document) {
        Ok(plan) => plan,
        Err(aside) => return Decision::SetAside(aside),
    };
    let suspect = Suspect {
        key,
        marked,
        service: plan.service,
        likeness: &plan.likeness,
        is_vouched: record.is_some_and(verdict::is_vouched),
    };
    let ways = suspect.ways(&run.settings);
    if let Some(verdict) = verdict::judge(&run.settings, &suspect, &facts.survey, &ways) {
        return Decision::Found { verdict, hash };
    }
    let lookalikes = verdict::lookalikes(&run.settings, &facts.survey, &facts.money, key);
    if let Some(doubt) = possible_duplicate(record, plan.service, &lookalikes) {
        return doubt;
    }
    let is_vouched = record.is_some_and(|record| record.vouched_for);
    if let Some(doubt) = facts.retyped.get(&key).filter(|_| !is_vouched) {
        return Decision::hold(doubt.clone());
    }
    Decision::Write {
        service: plan.service,
        act: Act::Create {
            expected: Some(plan.expected),
            payload: Box::new(Payload::Document(plan.payload)),
            own_number: plan.own_number,
            likeness: plan.likeness,
        },
        hash,
    }
}

/// What a record is paired with. An earlier version paired also what only bore its key, and differed: that is nobody's word.
pub fn pair_of(record: &Record) -> Option<&Remote> {
    let doubted = record.reason.code == verdict::DIFFERS;
    record.remote.as_ref().filter(|_| !doubted)
}

/// Where whatever looks like a document is found that no installation made.
fn way_of_money(
    customers: &Map<RecordKey, Stored>,
    kind: Kind,
    document: &Document,
) -> Option<(RecordKey, (Service, Way))> {
    let customer = customer_in_sage(customers, document.customer_id).ok()?;
    let service = service_of(kind, document);
    let way = remote::by_money(service, customer, document.date, document.total.abs());
    Some((RecordKey::new(kind, document.id), (service, way)))
}

/// Whether a document that Sage has is to be saved again: changed in Splynx, or a person said so. One that a person has linked is
/// taken as it is.
fn wants_update(record: &Record, hash: &str) -> bool {
    !record.hash.is_empty() && (record.hash != hash || record.is_retried())
}

/// What a person owes where a change cannot be sent.
pub fn changed_after_sync() -> Reason {
    Reason::new(
        "changed-after-sync",
        "It was changed in Splynx after it had been sent to Sage.",
        "Make the same change in Sage, or undo it in Splynx; then mark it as done.",
    )
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
                line.period.map(period_text),
            ])
        })
        .collect();
    json::digest(&json!([
        document.customer_id,
        document.number,
        document.date.to_string(),
        document.due.map(|date| date.to_string()),
        document.total.normalize().to_string(),
        document.note,
        lines,
    ]))
}

struct Plan {
    service: Service,
    payload: DocumentPayload,
    likeness: MatchKey,
    own_number: bool,
    expected: Expected,
}

/// The document as Sage is to store it, or why not; `marked`: the key for its reference.
fn plan(
    settings: &Settings,
    context: &DocumentContext,
    facts: &Facts,
    marked: RecordKey,
    document: &Document,
) -> Result<Plan, NotSent> {
    let kind = marked.kind;
    if let Some(reason) = left_out(settings, kind, document) {
        return Err(NotSent::Skip(reason));
    }
    let customer = customer_in_sage(&facts.customers, document.customer_id)?;
    let service = service_of(kind, document);
    if settings.splynx_numbers && document.number.trim().is_empty() {
        return Err(NotSent::Hold(
            Reason::new(
                "no-number",
                "It has no number in Splynx.",
                "Give it a number in Splynx, or switch \"Use Splynx's document numbers\" off.",
            )
            .until_setting("use_system_document_number"),
        ));
    }
    let (lines, totals, rates) =
        lines(settings, context, facts, document).map_err(NotSent::Hold)?;
    let number = if settings.splynx_numbers {
        document.number.trim()
    } else {
        ""
    };
    let pattern = settings
        .reference_pattern
        .replace("{id}", &document.id.to_string())
        .replace("{date}", &document.date.to_string())
        .replace("{number}", document.number.trim());
    let reference = reference(&pattern, &settings.identity.mark(marked));
    let due = document.due.unwrap_or(document.date).max(document.date);
    let payload = DocumentPayload {
        customer,
        date: document.date,
        due: (service == Service::TaxInvoice).then_some(due),
        is_inclusive: settings.inclusive,
        reference: reference.clone(),
        number: number.to_owned(),
        message: cut(&document.note, MESSAGE_LENGTH),
        lines,
    };
    Ok(Plan {
        service,
        payload,
        likeness: MatchKey::Document(DocumentLikeness {
            customer,
            date: document.date,
            number: number.to_owned(),
            reference,
            total: document.total.abs(),
            rest: None,
        }),
        own_number: !number.is_empty(),
        expected: Expected {
            total: document.total.abs(),
            predicted: totals.total,
            vat: Some(Vat {
                // Of the total's sign, which the tax need not have: a taxed discount on lines without tax.
                amount: if document.total.is_sign_negative() {
                    -document.tax()
                } else {
                    document.tax()
                },
                rates,
            }),
        },
    })
}

/// The longest foot text of a document (Sage API 2.4).
const MESSAGE_LENGTH: usize = 8000;

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
pub fn customer_in_sage(customers: &Map<RecordKey, Stored>, customer: i64) -> Result<i64, NotSent> {
    let key = RecordKey::new(Kind::Customer, customer);
    let record = customers
        .get(&key)
        .and_then(|stored| stored.record.as_ref());
    match record {
        Some(record) if matches!(record.state, State::Skipped | State::DoNotSend) => {
            Err(NotSent::Skip(
                Reason::new(
                    "customer-skipped",
                    format!(
                        "Its customer {customer} is left out: {}",
                        record.reason.message
                    ),
                    record.reason.cure.clone(),
                )
                .until_what(&record.reason)
                .until_record(key),
            ))
        }
        Some(record) if births::is_in_doubt(record) => Err(NotSent::Hold(
            Reason::new(
                "customer-in-doubt",
                format!(
                    "Its customer {customer} may be another one than Sage has: {}",
                    record.reason.message
                ),
                "Decide about the customer first.",
            )
            .until_record(key),
        )),
        Some(Record {
            remote: Some(remote),
            reason,
            ..
        }) if reason.code != GONE_IN_SAGE => Ok(remote.id),
        _ => Err(NotSent::Hold(
            Reason::new(
                "customer-not-synced",
                format!("Its customer {customer} is not in Sage yet."),
                "Export the customers; if this one is held, cure that first.",
            )
            .until_record(key),
        )),
    }
}

/// Sage's tax type of each line, and its rate.
type Rates = Vec<(i64, Decimal)>;

/// The lines for Sage, and what it is expected to make of them.
fn lines(
    settings: &Settings,
    context: &DocumentContext,
    facts: &Facts,
    document: &Document,
) -> Result<(Vec<LinePayload>, Totals, Rates), Reason> {
    if document.lines.is_empty() {
        return Err(Reason::new(
            "no-lines",
            format!(
                "It has no lines in Splynx, and its total is {}.",
                money::written(document.total)
            ),
            "Give it lines in Splynx: then it goes by itself. Or enter it in Sage by hand, and mark it as done.",
        ));
    }
    let mapping = context.mapping.borrow();
    let sign = if document.total.is_sign_negative() {
        -Decimal::ONE
    } else {
        Decimal::ONE
    };
    let mut items = Vec::new();
    let mut charges = Vec::new();
    for line in &document.lines {
        let category = line
            .category_id
            .or_else(|| facts.categories.get(&line.transaction_id?).copied());
        items.push(mapping.item(settings, category)?);
        charges.push(Charge {
            quantity: line.quantity,
            price: line.price * sign,
            tax: mapping.tax(settings, line)?,
            rate: line.rate(),
        });
    }
    let fix = settings.fix_item.map(|_| mapping.fix_tax(settings));
    let mode = Mode {
        inclusive: settings.inclusive,
        // Where it cannot be had, that concerns only documents that turn out to need it.
        fix: fix
            .as_ref()
            .map(|fix| fix.as_ref().copied().unwrap_or_default()),
        arithmetic: &context.arithmetic,
    };
    let plan = pricing::plan(&charges, document.total * sign, &mode)
        .map_err(|trouble| trouble_with(document, trouble, sign))?;
    if let Some(Err(reason)) = fix
        && plan.lines.iter().any(|line| line.charge.is_none())
    {
        return Err(reason);
    }
    let longest = context.arithmetic.description_length;
    let lines = plan.lines.iter().map(|line| match line.charge {
        Some(charge) => for_sage(line, items[charge], settings, document, charge, longest),
        None => {
            let item = settings.fix_item.unwrap_or_default();
            line_payload(line, item, "Rounding".to_owned())
        }
    });
    let rates = plan.lines.iter().map(|line| (line.tax, line.rate));
    Ok((lines.collect(), plan.totals, rates.collect()))
}

fn trouble_with(document: &Document, trouble: PricingError, sign: Decimal) -> Reason {
    match trouble {
        PricingError::LinesDiffer(lines) => Reason::new(
            "lines-differ",
            format!(
                "Its lines make {}, its total is {}.",
                money::written(lines * sign),
                money::written(document.total)
            ),
            "Correct the document in Splynx.",
        ),
        PricingError::DiscountTooLarge(charge) => Reason::new(
            "discount-too-large",
            format!(
                "The discount {:?} is larger than the lines of its tax.",
                document.lines[charge].description.trim()
            ),
            "Sage takes no negative lines: correct the document in Splynx, or enter it in Sage by hand.",
        ),
    }
}

/// A line with its text: what does not fit stands in the comments, and so do discounts that were taken off.
fn for_sage(
    line: &pricing::Line,
    item: i64,
    settings: &Settings,
    document: &Document,
    charge: usize,
    longest: usize,
) -> LinePayload {
    let of = &document.lines[charge];
    let mut text = of.description.trim().to_owned();
    if let Some(pieces) = line.pieces {
        text = format!("{} x {text}", pieces.normalize());
    }
    if let Some(period) = of.period.filter(|_| settings.line_periods) {
        text = format!("{text}, {}", period_text(period));
    }
    let mut comments: Vec<String> = line
        .discounts
        .iter()
        .map(|(discount, amount)| {
            let what = document.lines[*discount].description.trim();
            format!("{what}: -{}", money::plain(*amount))
        })
        .collect();
    let description = cut(&text, longest);
    if description != text {
        comments.insert(0, text);
    }
    LinePayload {
        comments: comments.join("; "),
        ..line_payload(line, item, description)
    }
}

fn line_payload(line: &pricing::Line, item: i64, description: String) -> LinePayload {
    LinePayload {
        item,
        tax_type: line.tax,
        description,
        quantity: line.quantity,
        price: line.price,
        comments: String::new(),
        claim: None,
    }
}

fn period_text((from, to): (chrono::NaiveDate, chrono::NaiveDate)) -> String {
    format!("{from} to {to}")
}
