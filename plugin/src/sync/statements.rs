//! Carrying out in Splynx what was decided about receipts: statements, their records, and payments.
//!
//! The same protocol as towards Sage: an intent is committed before each POST and its answer after it, in batches; a line whose
//! answer is not known is left to [`crate::sync::made`]. Nothing else in the crate changes Splynx. Beware: a step may be repeated
//! only if it changes nothing the second time, which holds for PUTs alone.

use crate::capability::{Activity, Request};
use crate::collect::{Map, ToMap, ToSet};
use crate::mark::Place;
use crate::money;
use crate::settings::Settings;
use crate::splynx::writes::{self, NewPayment, NewRecord, RecordedMoney, Reply};
use crate::splynx::{self, StatementRecord};
use crate::stored;
use crate::sync::import_recovery::decided_otherwise;
use crate::sync::imported;
use crate::sync::receipt_sheet::{
    Creation, InFlight, LineAction, LineOutcome, Paid, Plan, ReceiptLine, ReceiptSheet,
};
use crate::sync::receipts::standing;
use crate::write::ledger::{Run, RunError, RunResult, activity};
use crate::write::record::{Batch, Kind, Reason, Record, RecordKey, State, Stored};

/// Receipt id → [`ReceiptSheet`] as JSON.
pub const LINES: &str = "line";
/// Splynx payment id → the line that it was made of ([`Identity::kept_line`](crate::mark::Identity)): money that came from Sage never goes back there, whatever its method (D10).
pub const FROM_SAGE: &str = "from-sage";
/// `statement/record` → `receipt/line`: the records that people can pair on Splynx's own screen.
pub const UNPAIRED: &str = "unpaired";
/// Title of a statement → its id, [`SENDING`], or the second until which its POST may have been in flight, behind a `?`.
pub const STATEMENTS: &str = "statement";
const SENDING: &str = "sending";
/// Skipped because its money came from Sage (D10).
pub const CAME_FROM_SAGE: &str = "came-from-sage";
/// Held because Splynx would not have it.
pub const REFUSED: &str = "refused";
/// Requests under one intent commit.
const BATCH: usize = 25;

/// How ids are written where they are keys.
pub fn id_key(id: i64) -> String {
    format!("{id:012}")
}

/// One receipt on its way into Splynx.
pub struct StatementWork {
    pub receipt: i64,
    stored: Stored,
    record: Record,
    pub sheet: ReceiptSheet,
    saved: ReceiptSheet,
    /// The reason that people were told last.
    told: Option<String>,
    waits: Vec<Reason>,
    /// Why its payments are not as the receipt says.
    differs: Option<Reason>,
    trouble: Option<StatementError>,
}

/// Why a receipt gets no further in this run.
enum StatementError {
    Refused(Reason),
    /// Something is not known yet; a later run goes on.
    Later,
}

impl StatementWork {
    /// `record`: as it is to be stored, but for its state; `saved`: the lines as they are stored; `sheet`: as planned;
    /// `waits`: why some of them are not paid.
    pub fn new(
        receipt: i64,
        stored: Stored,
        record: Record,
        saved: ReceiptSheet,
        sheet: ReceiptSheet,
        waits: Vec<Reason>,
    ) -> Self {
        let told = stored.record.as_ref().map(|old| old.reason.code.clone());
        Self {
            receipt,
            stored,
            record,
            sheet,
            saved,
            told,
            waits,
            differs: None,
            trouble: None,
        }
    }

    /// What was made of it is by now something else.
    pub fn differs(self, differs: Option<Reason>) -> Self {
        Self { differs, ..self }
    }

    /// Whether a person has said that it is not what it looks like in Splynx.
    pub fn is_vouched_for(&self) -> bool {
        self.record.vouched_for
    }

    /// One more reason why some of its money waits.
    pub fn waits_for(&mut self, reason: Option<Reason>) {
        self.waits.splice(0..0, reason);
    }

    fn key(&self) -> RecordKey {
        RecordKey::new(Kind::Receipt, self.receipt)
    }

    /// The next changes of Splynx that it needs, one a line.
    fn steps(&self) -> Vec<(u32, LineAction)> {
        if self.trouble.is_some() {
            return Vec::new();
        }
        let date = self.sheet.date;
        let steps = self.sheet.lines.iter();
        steps
            .filter_map(|line| Some((line.number, line.next_step(date)?)))
            .collect()
    }

    fn save(&mut self, batch: &mut Batch) {
        save_sheet(batch, self.receipt, &self.saved, &self.sheet);
        self.saved = self.sheet.clone();
        self.stored = batch.put(self.key(), &self.stored, self.record.clone());
    }

    /// The state in which it stays for now.
    fn settle(&mut self, run: &mut Run, batch: &mut Batch) {
        let unfinished = !self.steps().is_empty();
        let (state, reason) = if self.sheet.is_in_doubt() {
            let reason = Reason::new(
                "answer-lost",
                "Something was sent to Splynx for it, and what became of that is not known.",
                "Nothing to do: a later run looks it up in Splynx before anything is sent again.",
            );
            (State::Uncertain, reason)
        } else {
            match self.trouble.take() {
                Some(StatementError::Refused(reason)) => (State::Held, reason),
                Some(StatementError::Later) => (State::Planned, self.record.reason.clone()),
                None if unfinished => (State::Planned, self.record.reason.clone()),
                None if self.sheet.total.is_zero() && self.sheet.overpaid.is_zero() => {
                    let deleted = || Reason::new("deleted", "It was deleted in Sage.", "");
                    (State::Skipped, self.waits.pop().unwrap_or_else(deleted))
                }
                None => {
                    let waits = std::mem::take(&mut self.waits);
                    standing(&self.sheet, self.differs.take(), waits)
                }
            }
        };
        self.record.state = state;
        self.record.reason = reason;
        let code = &self.record.reason.code;
        if !code.is_empty() && self.told.as_ref() != Some(code) && state != State::Planned {
            run.count(format!("receipts {}", state.name()));
            let news = activity(self.key(), &self.record, state.name());
            batch.activities.push(news);
        }
        self.save(batch);
    }
}

/// The lines of receipts; those without any are left out.
pub fn sheets(run: &mut Run, receipts: &[i64]) -> RunResult<Map<i64, ReceiptSheet>> {
    let keys: Vec<String> = receipts.iter().map(|id| id_key(*id)).collect();
    let entries = run.cap.get(LINES, &keys)?;
    let mut sheets = Map::new_vec();
    for entry in entries {
        let id = entry.key.parse().ok();
        let sheet = stored::from_text(&entry.value);
        let (id, sheet) = id.zip(sheet).ok_or_else(|| {
            RunError::Failed(crate::capability::Failure::new(
                "damaged",
                format!(
                    "The stored lines of receipt {} cannot be read. Restore the latest backup, or ask support.",
                    entry.key
                ),
            ))
        })?;
        sheets.insert(id, sheet);
    }
    Ok(sheets)
}

/// Stores a receipt's lines with their index.
pub fn save_sheet(batch: &mut Batch, receipt: i64, old: &ReceiptSheet, new: &ReceiptSheet) {
    let text = |sheet: &ReceiptSheet| stored::to_text(sheet);
    let (before, after) = (text(old), text(new));
    if before == after {
        return;
    }
    batch.set(LINES, id_key(receipt), after);
    let (before, after) = (unpaired(receipt, old), unpaired(receipt, new));
    for key in before.keys().filter(|key| !after.contains_key(*key)) {
        batch.delete(UNPAIRED, key.clone());
    }
    for (key, place) in after {
        if !before.contains_key(&key) {
            batch.set(UNPAIRED, key, place);
        }
    }
}

fn unpaired(receipt: i64, sheet: &ReceiptSheet) -> Map<String, String> {
    let Some(statement) = sheet.statement else {
        return Map::new_vec();
    };
    let waiting = sheet.lines.iter().filter(|line| line.waits());
    waiting
        .filter_map(|line| {
            let key = format!("{}/{}", id_key(statement), id_key(line.record?));
            Some((key, format!("{receipt}/{}", line.number)))
        })
        .to_map()
}

/// Does what was planned for these receipts, and stores where they stand then, also where it has to end early.
pub fn carry_out(run: &mut Run, mut works: Vec<StatementWork>) -> RunResult<()> {
    let ended = perform(run, &mut works);
    let mut batch = Batch::default();
    for work in &mut works {
        work.settle(run, &mut batch);
    }
    // Where the store failed before, it has the reason.
    let stored = run.commit(batch);
    ended?;
    stored
}

fn perform(run: &mut Run, works: &mut [StatementWork]) -> RunResult<()> {
    let mut idle = works.len();
    open_statements(run, works)?;
    loop {
        let steps: Vec<(usize, u32, LineAction)> = works
            .iter()
            .enumerate()
            .flat_map(|(place, work)| work.steps().into_iter().map(move |(n, s)| (place, n, s)))
            .take(BATCH)
            .collect();
        if steps.is_empty() {
            return run.advance(idle);
        }
        let steps = undecided(run, works, steps)?;
        send(run, works, &steps)?;
        let done = works.iter().filter(|work| work.steps().is_empty()).count();
        let open = works.len() - done;
        run.advance(idle.saturating_sub(open))?;
        idle = open;
    }
}

/// Every receipt that needs a new record gets its statement, or waits for it.
fn open_statements(run: &mut Run, works: &mut [StatementWork]) -> RunResult<()> {
    let mut known: Map<String, Option<i64>> = Map::new_vec();
    let mut gone: Map<i64, bool> = Map::new_vec();
    for work in works {
        let lists = work
            .steps()
            .iter()
            .any(|(_, step)| *step == LineAction::List);
        if !lists {
            continue;
        }
        if let Some(id) = work.sheet.statement {
            let is_gone = match gone.get(&id) {
                Some(is_gone) => *is_gone,
                None => writes::is_gone(run, writes::STATEMENTS, id)?,
            };
            gone.insert(id, is_gone);
            if !is_gone {
                continue;
            }
        }
        let title = work.sheet.title.clone();
        if !known.contains_key(&title) {
            let id = statement(run, &title)?;
            known.insert(title.clone(), id);
        }
        work.sheet.statement = known.get(&title).copied().flatten();
        if work.sheet.statement.is_none() {
            work.trouble = Some(StatementError::Later);
        }
    }
    Ok(())
}

/// The statement of that title, made where there is none; `None`: that is in doubt.
fn statement(run: &mut Run, title: &str) -> RunResult<Option<i64>> {
    let keep = |run: &mut Run, value: Option<String>| {
        let mut batch = Batch::default();
        match value {
            Some(value) => batch.set(STATEMENTS, title, value),
            None => batch.delete(STATEMENTS, title.to_owned()),
        }
        run.commit(batch)
    };
    let row = run.cap.get(STATEMENTS, &[title.to_owned()])?.pop();
    let began = run.cap.now();
    let mut in_flight_until = None;
    match row.map(|row| row.value) {
        // A run that died may have had its request in flight until now.
        Some(value) if value == SENDING => {
            in_flight_until = Some(began);
            keep(run, Some(format!("?{began}")))?;
        }
        Some(value) => match value.strip_prefix('?') {
            Some(until) => in_flight_until = until.parse().ok(),
            None => {
                let known: Option<i64> = value.parse().ok();
                let is_there = match known {
                    Some(id) => !writes::is_gone(run, writes::STATEMENTS, id)?,
                    None => false,
                };
                if is_there {
                    return Ok(known);
                }
                // Somebody has deleted it: another one takes its place.
                keep(run, None)?;
            }
        },
        None => {}
    }
    if let Some(id) = writes::statement(run, title)? {
        keep(run, Some(id.to_string()))?;
        return Ok(Some(id));
    }
    if in_flight_until.is_some_and(|until: u64| began < until + run.settings.settle) {
        return Ok(None);
    }
    keep(run, Some(SENDING.to_owned()))?;
    let answer = run.send_all(vec![writes::statement_request(title)]).pop();
    match answer.map(|answer| writes::reply_of(answer, writes::STATEMENTS, true)) {
        Some(Reply::Done(id)) => {
            keep(run, Some(id.to_string()))?;
            Ok(Some(id))
        }
        Some(Reply::NotSent(halt)) => {
            keep(run, None)?;
            Err(halt)
        }
        Some(Reply::Refused(said)) => {
            keep(run, None)?;
            Err(RunError::Failed(crate::capability::Failure::about(
                writes::STATEMENTS,
                "splynx-trouble",
                format!("Splynx refused to make the statement {title} ({said})."),
            )))
        }
        Some(Reply::Uncertain(_)) | None => {
            let now = run.cap.now();
            keep(run, Some(format!("?{now}")))?;
            Ok(None)
        }
    }
}

/// The steps without those for records about which people have decided meanwhile on Splynx's own screen: what they made of them
/// stands.
fn undecided(
    run: &mut Run,
    works: &mut [StatementWork],
    mut steps: Vec<(usize, u32, LineAction)>,
) -> RunResult<Vec<(usize, u32, LineAction)>> {
    let record_of = |works: &[StatementWork], (place, number, _): (usize, u32, LineAction)| {
        let line = works[place].sheet.lines.iter().find(|l| l.number == number);
        line?.record
    };
    let ids: Vec<i64> = steps.iter().filter_map(|s| record_of(works, *s)).collect();
    let page = splynx::by_ids::<StatementRecord>(run, &ids)?;
    let records = page.records.into_iter();
    let records = records
        .filter(|record| record.payment.is_some() || record.status != "new")
        .map(|record| (record.id, record))
        .to_map();
    let mut batch = Batch::default();
    let mut decided = Vec::new();
    for &step in &steps {
        let Some(record) = record_of(works, step).and_then(|id| records.get(&id)) else {
            continue;
        };
        let (place, number, step) = step;
        let work = &mut works[place];
        let Some(line) = work.sheet.line_mut(number) else {
            continue;
        };
        match (&line.paid, record.payment) {
            (Some(paid), Some(payment)) if paid.payment == payment => continue,
            (Some(_), Some(payment)) => {
                line.paid_again = Some(payment);
                line.closed = true;
                let line = line.clone();
                let (label, customer) = (&work.record.label, work.record.customer);
                enter_again(
                    run,
                    &mut batch,
                    work.receipt,
                    label,
                    customer,
                    &line,
                    payment,
                )?;
            }
            // A later run takes it as the line's.
            (None, Some(_)) => work.trouble = Some(StatementError::Later),
            (None, None) if step != LineAction::Cancel => {
                work.trouble = Some(StatementError::Refused(decided_otherwise(&record.status)));
            }
            (_, None) => continue,
        }
        decided.push((place, number));
    }
    run.commit(batch)?;
    steps.retain(|(place, number, _)| !decided.contains(&(*place, *number)));
    Ok(steps)
}

/// One batch: intents, requests, answers.
fn send(
    run: &mut Run,
    works: &mut [StatementWork],
    steps: &[(usize, u32, LineAction)],
) -> RunResult<()> {
    let now = run.cap.now();
    let touched = steps.iter().map(|(place, ..)| *place).to_set();
    let mut requests = Vec::with_capacity(steps.len());
    for (place, number, step) in steps {
        let work = &mut works[*place];
        requests.push(request(&run.settings, work, *number, *step));
        if let Some(line) = work.sheet.line_mut(*number) {
            line.flight = step.creates().map(|of| InFlight { of, until: now });
            line.cancelling |= *step == LineAction::Cancel;
        }
    }
    let mut batch = Batch::default();
    for place in touched.iter() {
        works[*place].record.state = State::Sending;
        works[*place].save(&mut batch);
    }
    run.commit(batch)?;

    let paths: Vec<String> = requests
        .iter()
        .map(|request| request.path.clone())
        .collect();
    let answers = run.send_all(requests);
    let now = run.cap.now();
    let mut batch = Batch::default();
    let mut halted = None;
    for ((place, number, step), (path, answer)) in steps.iter().zip(paths.iter().zip(answers)) {
        let work = &mut works[*place];
        match writes::reply_of(answer, path, step.creates().is_some()) {
            Reply::Done(id) => done(run, &mut batch, work, *number, *step, id)?,
            Reply::Refused(said) => {
                forget_flight(work, *number);
                work.trouble = Some(StatementError::Refused(Reason::new(
                    REFUSED,
                    format!("Splynx refused it: {said}"),
                    "Correct what Splynx names, then retry.",
                )));
            }
            Reply::Uncertain(_) => match work.sheet.line_mut(*number) {
                Some(ReceiptLine {
                    flight: Some(flight),
                    ..
                }) => flight.until = now,
                // It says the same thing however often it is sent.
                _ => work.trouble = Some(StatementError::Later),
            },
            Reply::NotSent(halt) => {
                forget_flight(work, *number);
                halted.get_or_insert(halt);
            }
        }
    }
    for place in touched {
        works[place].save(&mut batch);
    }
    run.commit(batch)?;
    halted.map_or(Ok(()), Err)
}

fn forget_flight(work: &mut StatementWork, number: u32) {
    if let Some(line) = work.sheet.line_mut(number) {
        line.flight = None;
    }
}

impl LineAction {
    fn creates(self) -> Option<Creation> {
        match self {
            Self::List => Some(Creation::Record),
            Self::Pay => Some(Creation::Payment),
            Self::Amend | Self::Close | Self::Cancel => None,
        }
    }
}

fn request(settings: &Settings, work: &StatementWork, number: u32, step: LineAction) -> Request {
    let place = Place {
        receipt: work.receipt,
        line: number,
    };
    let (sheet, key) = (&work.sheet, settings.identity.line_key(place));
    let line = sheet.lines.iter().find(|line| line.number == number);
    let line = line.expect("a step is a line's own");
    let record = line.record.unwrap_or_default();
    let money = RecordedMoney {
        date: sheet.date,
        amount: line.amount,
        customer: line.plan.customer,
        invoice: line.plan.invoice,
    };
    let statement = sheet.statement;
    match (step, &line.plan.outcome) {
        (LineAction::Pay, LineOutcome::Pay { method }) => writes::enter_payment(&NewPayment {
            statement,
            key: &key,
            method: *method,
            money,
        }),
        (LineAction::Close, _) => {
            let payment = line.paid.as_ref().map(|paid| paid.payment);
            writes::close_record(record, payment, &money)
        }
        (LineAction::Cancel, _) => writes::cancel_record(record),
        (LineAction::Amend, _) => writes::amend_record(record, &money),
        (LineAction::List | LineAction::Pay, _) => writes::enter_record(&NewRecord {
            statement,
            key: &key,
            label: &work.record.label,
            money,
        }),
    }
}

/// Splynx has done it.
fn done(
    run: &mut Run,
    batch: &mut Batch,
    work: &mut StatementWork,
    number: u32,
    step: LineAction,
    id: i64,
) -> RunResult<()> {
    let (date, customer) = (work.sheet.date, work.sheet.customer);
    let Some(line) = work.sheet.line_mut(number) else {
        return Ok(());
    };
    line.flight = None;
    match step {
        LineAction::List => {
            line.record = Some(id);
            line.written = line.content(date);
        }
        LineAction::Amend => line.written = line.content(date),
        LineAction::Close => line.closed = true,
        LineAction::Cancel => work.sheet.lines.retain(|line| line.number != number),
        LineAction::Pay => {
            let Plan {
                customer: payer,
                invoice,
                ..
            } = line.plan;
            let payer = payer.unwrap_or_default();
            line.paid = Some(Paid {
                payment: id,
                customer,
                date,
                invoice,
                seen: imported::content_of(line.amount, date, payer, invoice),
            });
        }
    }
    let entered = match step {
        LineAction::List => Creation::Record,
        LineAction::Pay => Creation::Payment,
        LineAction::Amend | LineAction::Close | LineAction::Cancel => return Ok(()),
    };
    let line = work.sheet.line_mut(number).cloned().unwrap_or_default();
    let customer = line.plan.customer.unwrap_or(work.record.customer);
    let news = entered_news(
        work.receipt,
        &work.record.label,
        customer,
        &line,
        entered,
        id,
    );
    enter(run, batch, work.receipt, number, entered, id, news)
}

/// What people are told of a new record or payment.
pub fn entered_news(
    receipt: i64,
    label: &str,
    customer: i64,
    line: &ReceiptLine,
    entered: Creation,
    id: i64,
) -> Activity {
    let (entity, action) = match entered {
        Creation::Record => ("statement", "listed"),
        Creation::Payment => (Kind::Receipt.name(), "imported"),
    };
    Activity {
        entity: entity.to_owned(),
        action: action.to_owned(),
        local_id: receipt.to_string(),
        remote_id: id.to_string(),
        customer_id: customer.to_string(),
        label: label.to_owned(),
        more: vec![("amount".to_owned(), money::plain(line.amount))],
        ..Activity::default()
    }
}

/// Counts what is in Splynx now, tells it, and notes a payment as Sage's money.
pub fn enter(
    run: &mut Run,
    batch: &mut Batch,
    receipt: i64,
    line: u32,
    entered: Creation,
    id: i64,
    news: Activity,
) -> RunResult<()> {
    match entered {
        Creation::Record => run.count("statement lines listed".to_owned()),
        Creation::Payment => {
            run.count("receipts imported".to_owned());
            let identity = &run.settings.identity;
            let place = Place { receipt, line };
            batch.set(FROM_SAGE, id_key(id), identity.kept_line(place));
            let label = identity.line_key(place);
            // Known as a payment at once, so that it is missed where somebody deletes it.
            let key = RecordKey::new(Kind::Payment, id);
            let stored = run.records([key])?.remove(&key).unwrap_or_default();
            if stored.record.is_none() {
                let record = Record {
                    state: State::Skipped,
                    label,
                    customer: news.customer_id.parse().unwrap_or_default(),
                    reason: came_from_sage(),
                    ..Record::default()
                };
                batch.put(key, &stored, record);
            }
        }
    }
    batch.activities.push(news);
    Ok(())
}

/// Notes a payment that people made of a line for which ours may be there too, once.
pub fn enter_again(
    run: &mut Run,
    batch: &mut Batch,
    receipt: i64,
    label: &str,
    customer: i64,
    line: &ReceiptLine,
    payment: i64,
) -> RunResult<()> {
    if !run.cap.get(FROM_SAGE, &[id_key(payment)])?.is_empty() {
        return Ok(());
    }
    let of = Creation::Payment;
    let news = entered_news(receipt, label, customer, line, of, payment);
    enter(run, batch, receipt, line.number, of, payment, news)
}

/// Why a payment that was made from a receipt does not go to Sage (D10).
pub fn came_from_sage() -> Reason {
    Reason::new(CAME_FROM_SAGE, "Its money came from a receipt in Sage.", "")
}
