//! Receipts as they come in from Sage: what is needed to judge a page of them is gathered, and the judgement is carried out.
//!
//! Whoever lists receipts hands them over here, however they were found. Beware: receipts that came from us are among them, and
//! are known by their key or their pair; they never become payments again.

use crate::collect::{Map, Set, ToMap, ToSet};
use crate::mark::{LineKey, Place};
use crate::planted::{Mistake, is_planted};
use crate::sage::{Object, Receipt, Service};
use crate::splynx::{self, Payment, Receivable};
use crate::sync::allocated::allocated;
use crate::sync::births;
use crate::sync::customers;
use crate::sync::echoes;
use crate::sync::import_recovery;
use crate::sync::imported::{self, Payments};
use crate::sync::lookalikes;
use crate::sync::receipt_sheet::ReceiptSheet;
use crate::sync::receipts::{self, Allocated, Known};
use crate::sync::statements::{REFUSED, StatementWork, carry_out, sheets};
use crate::write::ledger::{Run, RunResult, activity};
use crate::write::record::{Batch, Kind, Reason, Record, RecordKey, Remote, State, Stored};

/// Judges receipts as Sage has them now, and some that it no longer has; carries the judgement out.
pub fn handle(run: &mut Run, rows: Vec<Object>, gone: Vec<i64>) -> RunResult<()> {
    let page = understood(run, rows)?;
    let (mut page, linked) = from_sage(run, page)?;
    let allocated = allocated(run, &page)?;
    let away = gone.into_iter().chain(linked.iter().copied());
    let ids: Vec<i64> = page.iter().map(|r| r.id).chain(away).collect();
    let settled = settled(run, &ids, &page, &allocated)?;
    page.retain(|receipt| !settled.contains(&receipt.id));
    let ids: Vec<i64> = ids.into_iter().filter(|id| !settled.contains(id)).collect();
    import_recovery::look_again(run, &ids)?;
    let mut records = run.records(ids.iter().map(|id| RecordKey::new(Kind::Receipt, *id)))?;
    let mut sheets = sheets(run, &ids)?;
    if !page.is_empty() {
        import_recovery::refresh_index(run)?;
    }
    let known = known(run, &page, &sheets)?;
    let all = sheets.values().chain(known.values());
    let facts = Facts::gather(run, &page, &allocated, all)?;
    let mut works = Vec::new();
    let mut batch = Batch::default();
    for id in ids {
        let key = RecordKey::new(Kind::Receipt, id);
        let stored = records.remove(&key).unwrap_or_default();
        let saved = sheets.remove(&id);
        let Some(receipt) = page.iter().find(|receipt| receipt.id == id) else {
            let why = linked.contains(&id).then(is_a_payment);
            let saved = saved.unwrap_or_default();
            works.extend(facts.gone_from_sage(id, stored, saved, why));
            continue;
        };
        if is_decided(&stored) {
            continue;
        }
        let record = facts.record(receipt, &allocated[&id], stored.record.as_ref());
        match facts.left_out(run, receipt, &known[&id]) {
            Some(reason) => skip(run, &mut batch, key, &stored, record, reason),
            None => works.push(facts.work(
                run,
                (receipt, &allocated[&id]),
                (stored, record),
                (saved, known[&id].clone()),
            )),
        }
    }
    run.commit(batch)?;
    lookalikes::of_receipts(run, &mut works)?;
    carry_out(run, works)
}

/// The lines of these receipts, with what else Splynx holds of them.
fn known(
    run: &mut Run,
    page: &[Receipt],
    sheets: &Map<i64, ReceiptSheet>,
) -> RunResult<Map<i64, ReceiptSheet>> {
    let mut known = Map::new_vec();
    for Receipt { id, .. } in page {
        let sheet = match sheets.get(id) {
            Some(sheet) => import_recovery::brought_up_to_date(run, *id, sheet.clone())?,
            None => import_recovery::adopt(run, *id)?,
        };
        known.insert(*id, sheet);
    }
    Ok(known)
}

/// The rows as receipts; one that cannot be read is held.
fn understood(run: &mut Run, rows: Vec<Object>) -> RunResult<Vec<Receipt>> {
    let mut page = Vec::new();
    let mut batch = Batch::default();
    for row in rows {
        match Receipt::of(&row) {
            Some(receipt) => page.push(receipt),
            None => hold_unreadable(run, &mut batch, &row)?,
        }
    }
    run.commit(batch)?;
    Ok(page)
}

/// Those that were made in Sage: the others were made of payments, or are a payment's pair. Among these, the ones that were receipts to be
/// imported until a person linked them.
fn from_sage(run: &mut Run, mut page: Vec<Receipt>) -> RunResult<(Vec<Receipt>, Set<i64>)> {
    if is_planted(Mistake::Echo) {
        return Ok((page, Set::new()));
    }
    let made = echoes::made_of_payments(run, &page)?;
    page.retain(|receipt| !made.contains(&receipt.id));
    let remotes: Vec<Remote> = page.iter().map(|receipt| remote_of(receipt.id)).collect();
    let paired = run.paired(remotes.iter().cloned())?;
    let (page, others): (Vec<_>, Vec<_>) = page.into_iter().partition(|receipt| {
        let key = paired.get(&remote_of(receipt.id).to_string());
        key.is_none_or(|key| key.kind == Kind::Receipt)
    });
    let others = others
        .iter()
        .map(|receipt| RecordKey::new(Kind::Receipt, receipt.id));
    let linked = run.records(others)?.into_iter().filter(|(_, stored)| {
        let record = stored.record.as_ref();
        record.is_some_and(|record| record.state == State::Planned)
    });
    let linked = linked.map(|(key, _)| key.id).to_set();
    Ok((page, linked))
}

/// The receipts about which nothing is to be decided: a person or a look-up has the say, or nothing has changed since all was done.
fn settled(
    run: &mut Run,
    ids: &[i64],
    page: &[Receipt],
    allocated: &Map<i64, Allocated>,
) -> RunResult<Set<i64>> {
    let records = run.records(ids.iter().map(|id| RecordKey::new(Kind::Receipt, *id)))?;
    let unchanged = |id: i64, hash: &str| {
        let receipt = page.iter().find(|receipt| receipt.id == id);
        receipt.is_some_and(|receipt| receipt.hash(&allocated[&id]) == hash)
    };
    let settled = records.into_iter().filter(|(key, stored)| {
        stored.record.as_ref().is_some_and(|record| {
            !record.is_ours_to_decide() || (is_done(record) && unchanged(key.id, &record.hash))
        })
    });
    Ok(settled.map(|(key, _)| key.id).to_set())
}

/// Nothing is to be done for it as it is: what Splynx has refused once it refuses again, until a person says otherwise.
fn is_done(record: &Record) -> bool {
    match record.state {
        State::Synced | State::Owed => true,
        State::Held => record.reason.code == REFUSED,
        _ => false,
    }
}

/// Why a receipt that a person has linked with a payment of Splynx is no payment to be made.
fn is_a_payment() -> Reason {
    Reason::new(
        "linked",
        "A person has linked it with a payment that Splynx has.",
        "",
    )
}

/// A person decided in Splynx about a line of it: nothing is done before that is cleared up.
fn is_decided(stored: &Stored) -> bool {
    let record = stored.record.as_ref();
    record.is_some_and(|r| r.state == State::Held && r.reason.code == import_recovery::DECIDED)
}

pub fn remote_of(receipt: i64) -> Remote {
    Remote {
        service: Service::CustomerReceipt,
        id: receipt,
    }
}

fn skip(
    run: &mut Run,
    batch: &mut Batch,
    key: RecordKey,
    stored: &Stored,
    record: Record,
    reason: Reason,
) {
    let told = stored.record.as_ref().map(|old| &old.reason.code);
    let is_news = told != Some(&reason.code);
    let new = Record {
        state: State::Skipped,
        reason,
        ..record
    };
    if is_news {
        run.count("receipts skipped".to_owned());
        batch
            .activities
            .push(activity(key, &new, State::Skipped.name()));
    }
    batch.put(key, stored, new);
}

/// What Sage says of it is not understood; everything else goes on.
fn hold_unreadable(run: &mut Run, batch: &mut Batch, row: &Object) -> RunResult<()> {
    let Some(id) = row.id() else {
        return Ok(());
    };
    let key = RecordKey::new(Kind::Receipt, id);
    let stored = run.records([key])?.remove(&key).unwrap_or_default();
    if stored
        .record
        .as_ref()
        .is_some_and(|record| !record.is_ours_to_decide())
        || run
            .paired([remote_of(id)])?
            .values()
            .any(|key| key.kind != Kind::Receipt)
    {
        return Ok(());
    }
    let new = Record {
        state: State::Held,
        label: row.number(),
        remote: Some(remote_of(id)),
        amount: row.total(),
        reason: Reason::new(
            "unreadable",
            "What Sage says of it is not understood: it lacks a customer, a date, or a total above zero.",
            "Correct it in Sage; \"Import all payments into Splynx\" looks at it again.",
        ),
        ..Record::default()
    };
    if stored
        .record
        .as_ref()
        .is_none_or(|old| old.reason.code != new.reason.code)
    {
        batch.activities.push(activity(key, &new, "held"));
    }
    batch.put(key, &stored, new);
    Ok(())
}

/// What is needed to judge a page of receipts.
struct Facts {
    /// Sage's customer → the record of the one in Splynx.
    customers: Map<i64, (i64, Option<Record>)>,
    /// By Sage's invoice id.
    invoices: Map<i64, Receivable>,
    /// What was made of these receipts.
    payments: Payments,
}

impl Facts {
    fn gather<'s>(
        run: &mut Run,
        page: &[Receipt],
        allocated: &Map<i64, Allocated>,
        sheets: impl Iterator<Item = &'s ReceiptSheet>,
    ) -> RunResult<Self> {
        let payments = imported::of_sheets(run, sheets)?;
        let remote = |service: Service| move |id: i64| Remote { service, id };
        let remotes = page.iter().map(|receipt| receipt.customer).to_set();
        let remotes: Vec<Remote> = remotes.into_iter().map(remote(Service::Customer)).collect();
        let paired_customers = run.paired(remotes.iter().cloned())?;
        let pairs = paired_customers.values().filter(|key| !key.is_parted());
        customers::look_after(run, pairs.map(|key| key.id).to_set())?;
        let paired_customers = births::certain(run, paired_customers)?;
        let mut records = run.records(paired_customers.values().copied())?;
        let customers = remotes.iter().filter_map(|remote| {
            let key = paired_customers.get(&remote.to_string())?;
            let record = records.remove(key).and_then(|stored| stored.record);
            Some((remote.id, (key.id, record)))
        });
        let customers = customers.to_map();

        let targets = page
            .iter()
            .flat_map(|receipt| allocated[&receipt.id].keys().copied())
            .to_set();
        let remotes: Vec<Remote> = targets
            .into_iter()
            .map(remote(Service::TaxInvoice))
            .collect();
        let pairs = run.paired(remotes.iter().cloned())?;
        let pairs = births::certain(run, pairs)?;
        let ids = pairs.values().map(|key| key.id).to_set();
        let found = splynx::by_ids::<Receivable>(run, &Vec::from_iter(ids))?;
        let invoices = remotes.iter().filter_map(|remote| {
            let key = pairs.get(&remote.to_string())?;
            let invoice = found.records.iter().find(|invoice| invoice.id == key.id)?;
            Some((remote.id, invoice.clone()))
        });
        Ok(Self {
            invoices: invoices.to_map(),
            customers,
            payments,
        })
    }

    /// Why a receipt is not imported at all (F13, F14); what is in Splynx already stays.
    fn left_out(&self, run: &Run, receipt: &Receipt, sheet: &ReceiptSheet) -> Option<Reason> {
        let customer = self.customers.get(&receipt.customer);
        let ignored = customer
            .and_then(|(_, record)| record.as_ref())
            .filter(|record| record.reason.code == "partner-ignored");
        if ignored.is_some() {
            let reason = Reason::new(
                "partner-ignored",
                "Its customer's partner is left out.",
                "Take the partner out of \"Partners to leave out\" to import it.",
            );
            return Some(reason.until_setting("partners_ignore"));
        }
        let is_settled = !sheet.lines.is_empty() && sheet.waiting().is_zero();
        run.settings
            .too_early(Kind::Receipt, receipt.date)
            .filter(|_| !is_settled)
    }

    fn record(&self, receipt: &Receipt, allocated: &Allocated, old: Option<&Record>) -> Record {
        let customer = self.customers.get(&receipt.customer);
        Record {
            state: State::Planned,
            label: receipt.number.clone(),
            customer: customer.map_or(0, |(id, _)| *id),
            remote: Some(remote_of(receipt.id)),
            hash: receipt.hash(allocated),
            amount: Some(receipt.total),
            reason: old.map(|old| old.reason.clone()).unwrap_or_default(),
            vouched_for: old.is_some_and(|old| old.vouched_for),
            ..Record::default()
        }
    }

    /// What waits of a receipt that Sage no longer has, or that is a payment already, is cancelled.
    fn gone_from_sage(
        &self,
        id: i64,
        stored: Stored,
        saved: ReceiptSheet,
        why: Option<Reason>,
    ) -> Option<StatementWork> {
        let record = Record {
            hash: String::new(),
            ..stored.record.clone()?
        };
        let mut sheet = saved.clone();
        imported::forget_deleted(&mut sheet, &self.payments);
        sheet.redistribute(None);
        Some(StatementWork::new(
            id,
            stored,
            record,
            saved,
            sheet,
            Vec::from_iter(why),
        ))
    }

    /// `saved`, `known`: its lines as they are stored, and with what else was found of them.
    fn work(
        &self,
        run: &Run,
        (receipt, allocated): (&Receipt, &Allocated),
        (stored, record): (Stored, Record),
        (saved, known): (Option<ReceiptSheet>, ReceiptSheet),
    ) -> StatementWork {
        let mut sheet = known;
        imported::take_amounts(&mut sheet, receipt, &self.payments);
        sheet.redistribute(Some((receipt, allocated)));
        if sheet.statement.is_none() {
            sheet.title = receipt.statement_title(run.settings.statements_by);
        }
        let facts = Known {
            customer: self.customers.get(&receipt.customer).map(|(id, _)| *id),
            is_foreign: run.limits.is_foreign(receipt.customer),
            invoices: &self.invoices,
        };
        let waits = receipts::plan(&mut sheet, allocated, &facts, &run.settings);
        let is_ours = |payment: &Payment, line: u32| {
            let place = Place {
                receipt: receipt.id,
                line,
            };
            let key = run.settings.identity.line_of(&payment.receipt_number);
            matches!(key, Some(LineKey::Ours(own) | LineKey::Old(own)) if own == place)
        };
        let differs = imported::compare(&mut sheet, allocated, &self.payments, &facts, is_ours);
        let saved = saved.unwrap_or_default();
        StatementWork::new(receipt.id, stored, record, saved, sheet, waits).differs(differs)
    }
}
