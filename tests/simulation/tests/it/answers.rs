//! Every kind of request that the add-on makes, times every odd answer that a service could give to it.
//!
//! The kinds are found by looking on while an installation lives; what a cell must look like follows from general rules, and from a short
//! list of exceptions. Beware: an answer that is a lie in the service's own words cannot be told from the truth. Such cells are named,
//! with the lie.

use std::collections::{BTreeMap, BTreeSet};

use chrono::TimeDelta;
use mock_host::contract::{Failure, Outcome};
use sandbox::isp::{Isp, Size};
use serde_json::{Value, json};
use simulation::books::{self, Expected};
use simulation::installation::Installation;
use simulation::odd::{Odd, Rule};

/// What an installation lives through, in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Check,
    Choices(&'static str),
    Job(&'static str),
    /// People change what was synchronised.
    People,
}

const LIFE: &[Step] = &[
    Step::Check,
    Step::Choices("sage-companies"),
    Step::Job("import-mapping"),
    Step::Job("load-customers-for-pairing"),
    Step::Job("sync"),
    Step::Job("pair-same-number-invoices"),
    Step::Job("reconcile"),
    Step::People,
    Step::Job("sync"),
    Step::Job("sweep"),
    Step::Job("import-all-payments"),
];

fn provider() -> Isp {
    Isp::seeded(Size::Tiny, 1)
}

fn fresh(isp: &Isp) -> Installation {
    let mut installation = Installation::new(isp, false);
    installation.set("payments_direction", "both");
    installation
}

/// How a step ended.
type Ended = Result<Outcome, Failure>;

fn live(installation: &mut Installation, isp: &Isp, step: Step) -> Ended {
    match step {
        Step::Check => {
            installation.check();
            Ok(nothing())
        }
        Step::Choices(source) => installation.choices(source).map(|_| nothing()),
        Step::Job(job) => installation.run(job),
        Step::People => {
            people_act(installation, isp);
            Ok(nothing())
        }
    }
}

fn nothing() -> Outcome {
    Outcome {
        state: "finished".to_owned(),
        resume_at: None,
        why: None,
        counts: Vec::new(),
        more: Vec::new(),
    }
}

/// A customer moves, an open invoice gets another note, and one more customer comes.
fn people_act(installation: &mut Installation, isp: &Isp) {
    installation.advance(TimeDelta::hours(1));
    let change = |entity: &str, id: i64, fields: Value| json!({"entity": entity, "act": "update", "id": id, "fields": fields});
    let moves = json!({"city": "Prieska", "phone": "053 555 0100"});
    installation.in_splynx(&change("customers", isp.customers[0].id, moves));
    let open = installation.world().splynx.rows("invoices");
    let open = open.iter().find(|invoice| invoice["status"] == "not_paid");
    if let Some(id) = open.and_then(|invoice| invoice["id"].as_i64()) {
        installation.in_splynx(&change("invoices", id, json!({"note": "Thank you"})));
    }
}

/// What a part of the work needs: the kind of request, by its path, stops these.
const NEEDED_BY: &[(&str, &[Part])] = &[
    ("admin/customers/customer-info", &[]),
    ("admin/customers/customer", Part::ALL),
    ("sage GET Customer/Get", Part::ALL),
    ("sage POST Customer/Save", Part::ALL),
    ("admin/finance/invoice-relations", &[]),
    (
        "admin/finance/invoices",
        &[Part::Invoices, Part::CreditNotes, Part::Receipts],
    ),
    ("admin/finance/credit-notes", &[Part::CreditNotes]),
    (
        "admin/finance/transactions",
        &[Part::Invoices, Part::CreditNotes, Part::Receipts],
    ),
    ("admin/finance/payments", &[Part::Receipts]),
    ("admin/finance/bank-statements", &[Part::Receipts]),
    (
        "TaxInvoice/Calculate",
        &[Part::Invoices, Part::CreditNotes, Part::Receipts],
    ),
    // No payment goes before its invoice.
    ("TaxInvoice/Save", &[Part::Invoices, Part::Receipts]),
    (
        "TaxInvoice/",
        &[Part::Invoices, Part::CreditNotes, Part::Receipts],
    ),
    ("CustomerReturn/Save", &[Part::CreditNotes]),
    // An invoice below zero is a return there, so invoices are looked for among both.
    (
        "CustomerReturn/",
        &[Part::Invoices, Part::CreditNotes, Part::Receipts],
    ),
    ("CustomerReceipt/", &[Part::Receipts]),
    ("Allocation/", &[]),
    (
        "Company/",
        &[Part::Invoices, Part::CreditNotes, Part::Receipts],
    ),
    (
        "TaxType/",
        &[Part::Invoices, Part::CreditNotes, Part::Receipts],
    ),
    (
        "Item/",
        &[Part::Invoices, Part::CreditNotes, Part::Receipts],
    ),
    ("BankAccount/", &[Part::Receipts]),
    ("CustomerCategory/", &[]),
    ("admin/finance/transaction-categories", &[]),
    ("admin/finance/payment-methods", &[]),
    ("admin/config/taxes", &[]),
    ("admin/administration/partners", &[]),
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Customers,
    Invoices,
    CreditNotes,
    Receipts,
}

impl Part {
    const ALL: &'static [Self] = &[
        Self::Customers,
        Self::Invoices,
        Self::CreditNotes,
        Self::Receipts,
    ];

    fn is_in_step(self, wanted: &Expected, held: &Expected) -> bool {
        match self {
            Self::Customers => wanted.customers == held.customers,
            Self::Invoices => wanted.invoices == held.invoices,
            Self::CreditNotes => wanted.credit_notes == held.credit_notes,
            Self::Receipts => wanted.receipts == held.receipts,
        }
    }
}

/// What hangs on a kind of request.
fn needed_by(kind: &str) -> &'static [Part] {
    let row = NEEDED_BY.iter().find(|(path, _)| kind.contains(path));
    row.unwrap_or_else(|| panic!("a new kind of request has no row: {kind}"))
        .1
}

/// About the sender as a whole: everything waits that needs the service.
fn stops_all(odd: Odd) -> bool {
    matches!(odd, Odd::Status(401 | 402 | 429 | 503))
}

/// A read that nobody answers tells of the line, and not of its path.
fn is_silence(kind: &str, odd: Odd) -> bool {
    odd == Odd::NoAnswer && (kind.contains(" GET ") || kind.contains(" HEAD "))
}

/// About the sender, and never about a record.
fn is_about_the_sender(odd: Odd) -> bool {
    stops_all(odd) || matches!(odd, Odd::Status(403 | 405) | Odd::PageWith(302..))
}

/// A refusal of what was sent: the record is held with it, and waits for a person.
fn is_about_the_record(kind: &str, odd: Odd) -> bool {
    kind.contains("/Save") && matches!(odd, Odd::Status(400 | 404 | 409))
}

/// Nobody can tell from such an answer that something was stored.
fn hides_success(odd: Odd) -> bool {
    matches!(
        odd,
        Odd::ErrorAfter
            | Odd::NoAnswer
            | Odd::Trailing
            | Odd::Cut
            | Odd::NoContent
            | Odd::ErrorObject
            | Odd::Page
            | Odd::Empty
            | Odd::Null
            | Odd::EmptyList
            | Odd::ObjectForList
    )
}

/// Lies in the service's own words.
fn is_a_lie(kind: &str, odd: Odd) -> bool {
    let is_of_one = kind.contains("/#");
    if !kind.contains(" GET ") && !kind.contains(" HEAD ") {
        return false;
    }
    match odd {
        // A list that is empty, or a record that is gone.
        Odd::EmptyList | Odd::MissingFields | Odd::EmptyTexts | Odd::UnknownWords => true,
        Odd::Status(404) => is_of_one,
        Odd::Null | Odd::NoContent | Odd::ResultsNull => true,
        _ => false,
    }
}

/// One kind of request, and the life up to the step that makes it first.
struct Kind {
    name: String,
    step: Step,
    before: Installation,
}

fn kinds(isp: &Isp) -> Vec<Kind> {
    let mut installation = fresh(isp);
    let mut seen: BTreeSet<String> = BTreeSet::new();
    let mut kinds = Vec::new();
    for step in LIFE {
        let before = installation.clone();
        live(&mut installation, isp, *step)
            .unwrap_or_else(|failure| panic!("{step:?}: {failure:?}"));
        let now = std::mem::take(&mut installation.world().oddities.seen);
        for name in now.difference(&seen) {
            kinds.push(Kind {
                name: name.clone(),
                step: *step,
                before: before.clone(),
            });
        }
        seen.extend(now);
    }
    kinds
}

/// What is wrong with a cell; empty: nothing.
fn judge(isp: &Isp, kind: &Kind, odd: Odd, for_ever: bool) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut installation = kind.before.clone();
    installation.world().oddities.rule = Some(Rule {
        kind: kind.name.clone(),
        odd,
        times: if for_ever { u32::MAX } else { 1 },
    });
    let context = &mut installation.host().context;
    context.insert("trigger".to_owned(), "schedule".to_owned());
    let cycles = if for_ever { 3 } else { 1 };
    for cycle in 0..cycles {
        let before = totals(&mut installation);
        let ended = live(&mut installation, isp, kind.step);
        let after = totals(&mut installation);
        let told = said(&ended);
        if told.contains("Nothing was changed") {
            wrong.push(format!("claims that nothing was changed: {told}"));
        }
        if let Err(failure) = &ended
            && after.stored > before.stored
            && !hides_success(odd)
            && !failure.message.contains("Done in this run")
        {
            wrong.push(format!("hides what it stored: {}", failure.message));
        }
        // Where records go, requests are work.
        let is_idle = cycle > 0 && after.stored == before.stored;
        let asked = after.sage - before.sage;
        if is_idle && asked > 30 {
            wrong.push(format!("cycle {cycle} asks Sage {asked} times"));
        }
        let asked = after.splynx - before.splynx;
        if is_idle && asked > 60 {
            wrong.push(format!("cycle {cycle} asks Splynx {asked} times"));
        }
        installation.advance(TimeDelta::minutes(15));
    }
    if is_about_the_sender(odd) && refused(&mut installation) > 0 {
        wrong.push("puts it on records".to_owned());
    }
    let wanted = books::expected(isp);
    if kind.step == Step::Job("sync")
        && for_ever
        && !stops_all(odd)
        && !is_silence(&kind.name, odd)
        && !is_a_lie(&kind.name, odd)
    {
        let held = books::held(installation.world());
        let waits = needed_by(&kind.name);
        for part in Part::ALL.iter().filter(|part| !waits.contains(part)) {
            if !part.is_in_step(&wanted, &held) {
                wrong.push(format!("{part:?} wait for it"));
            }
        }
    }
    heal(&mut installation, isp);
    let held = books::held(installation.world());
    if !is_a_lie(&kind.name, odd) && !is_about_the_record(&kind.name, odd) {
        for part in Part::ALL {
            if !part.is_in_step(&wanted, &held) {
                wrong.push(format!("{part:?} are not in step after it is over"));
            }
        }
    }
    wrong
}

/// The trouble is over, and time goes by.
fn heal(installation: &mut Installation, isp: &Isp) {
    installation.world().oddities.rule = None;
    installation.world().enter_password(isp);
    for wait in [TimeDelta::hours(2), TimeDelta::minutes(15)] {
        installation.advance(wait);
        let _ = installation.run("sync");
    }
}

struct Totals {
    sage: u64,
    splynx: u64,
    /// Changes that Sage took.
    stored: u64,
}

fn totals(installation: &mut Installation) -> Totals {
    let world = installation.world();
    let state = |entity| world.sage.rows(entity).len();
    let stored = ["customers", "invoices", "returns", "receipts"].map(state);
    Totals {
        sage: world.sage.journal().total(),
        splynx: world.splynx.journal().total(),
        stored: stored.iter().sum::<usize>() as u64,
    }
}

fn said(ended: &Ended) -> String {
    match ended {
        Ok(outcome) => outcome
            .why
            .as_ref()
            .map_or(String::new(), |why| why.message.clone()),
        Err(failure) => failure.message.clone(),
    }
}

/// Records that are held because a service refused them.
fn refused(installation: &mut Installation) -> usize {
    let tables = installation.host().storage.tables();
    let rows = tables.flat_map(|(_, rows)| rows.values());
    rows.filter(|row| row.contains("\"code\":\"refused\""))
        .count()
}

/// Of all cells one in so many is lived: prime, so that each kind meets other answers than its neighbour. All of them take a quarter of an hour, and
/// are lived with `EVERY_CELL=1` in the environment.
const EVERY: u32 = 17;

/// Cells that are lived whatever the sample: where every answer to a write is lost, the most has to go on beside it.
fn is_always_lived(kind: &str, odd: Odd, for_ever: bool) -> bool {
    let is_a_write = [" POST ", " PUT ", " DELETE "]
        .iter()
        .any(|method| kind.contains(method));
    let is_lost = matches!(
        odd,
        Odd::Status(500) | Odd::ErrorAfter | Odd::Page | Odd::NoAnswer
    );
    for_ever && is_a_write && is_lost
}

/// A page of something between here and Splynx, in place of an answer to a probe: the key may have the permission, and may not.
#[test]
fn a_web_page_says_nothing_of_what_a_key_may_read() {
    let mut installation = fresh(&provider());
    installation.check();
    let seen = std::mem::take(&mut installation.world().oddities.seen);
    let probes: Vec<&String> = seen
        .iter()
        .filter(|k| k.starts_with("splynx GET"))
        .collect();
    assert!(probes.len() > 10, "{seen:?}");
    for kind in probes {
        for odd in [Odd::Page, Odd::PageWith(404)] {
            installation.world().oddities.rule = Some(Rule {
                kind: kind.clone(),
                odd,
                times: u32::MAX,
            });
            let findings = installation.check();
            let is_sure = findings.iter().any(|found| found.code == "permissions");
            assert!(!is_sure, "{kind} {odd:?}");
        }
    }
}

/// Of all kinds of request: what needs it waits, the rest goes on; it is told as what it is; it costs little while it lasts; and when it is over, all
/// is in step without a person's act.
#[test]
fn every_kind_of_request_stands_every_odd_answer() {
    let isp = provider();
    let kinds = kinds(&isp);
    let mut wrong: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut cells = 0_u32;
    let every = std::env::var("EVERY_CELL").ok();
    let every = every.map_or(EVERY, |every| every.parse().expect("a number"));
    for kind in &kinds {
        needed_by(&kind.name);
        for odd in Odd::ALL {
            for for_ever in [false, true] {
                cells += 1;
                if !cells.is_multiple_of(every) && !is_always_lived(&kind.name, *odd, for_ever) {
                    continue;
                }
                let found = judge(&isp, kind, *odd, for_ever);
                for what in found {
                    let how_long = if for_ever { "for ever" } else { "once" };
                    let cell = format!("{odd:?} {how_long}");
                    wrong
                        .entry(format!("{} [{:?}]: {what}", kind.name, kind.step))
                        .or_default()
                        .push(cell);
                }
            }
        }
    }
    let report: Vec<String> = wrong
        .iter()
        .map(|(what, cells)| format!("{what}\n      {}", cells.join(", ")))
        .collect();
    assert!(
        wrong.is_empty(),
        "of {cells} cells of {} kinds:\n{}",
        kinds.len(),
        report.join("\n")
    );
}
