//! What of the two services differs, record by record, and whether the add-on lists it with a reason that may explain it.
//!
//! Judged by what the services hold. Of the add-on only its list is asked: which record it names, and why. A reason explains the
//! kinds of differences that it stands for here, and no other.

use std::collections::{BTreeMap, BTreeSet};

use rust_decimal::Decimal;
use serde_json::Value;
use splynx_sageone::write::record::RECORDS;

use crate::installation::Installation;
use crate::people::{id_of, key_of, money};

/// Records that the add-on lists: the state of each, and the code of its reason.
pub type Listed = BTreeMap<String, (String, String)>;

pub fn listed(installation: &mut Installation) -> Listed {
    let tables = installation.host().storage.tables();
    let mut records = tables.filter(|(name, _)| *name == RECORDS);
    let records = records.next().map(|(_, rows)| rows.iter());
    records
        .into_iter()
        .flatten()
        .map(|(key, text)| {
            let record: Value = serde_json::from_str(text).expect("a record is JSON");
            let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
            (
                key.clone(),
                (text(&record["state"]), text(&record["reason"]["code"])),
            )
        })
        .collect()
}

/// What each reason may explain.
const EXPLAINS: &[(&str, &[&str])] = &[
    (
        "only in Splynx",
        &[
            "zero",
            "no-transactions",
            "no-number",
            "deleted",
            "came-from-sage",
            "customer-not-synced",
            "customer-skipped",
            "lead",
            "refund",
            "invoice-not-synced",
            "possible-duplicate",
            "refused",
            "tax-group",
            "tax-rate-differs",
            "mapping-missing",
            "mapping-stale",
            "category-missing",
            "tax-missing",
            "discount-too-large",
            "already-paired",
            "differs-in-sage",
            "number-taken",
            "gone-in-sage",
            "credit-notes-off",
            "direction",
            "method-not-pushed",
            "too-early",
            "lines-differ",
            "partner-ignored",
            "unreadable",
            "fix-item-tax",
            "changed-since-done",
            "period-locked",
            "other-currency",
        ],
    ),
    (
        "only in Sage",
        &[
            "deleted-after-sync",
            "changed-after-sync",
            "changed-since-done",
        ],
    ),
    (
        "amount",
        &[
            "another-record",
            "changed-after-sync",
            "refused",
            "locked-in-sage",
            "period-locked",
            "deleted-after-sync",
            "total-differs",
            "differs-in-sage",
            "more-allocated",
            "edited-in-sage",
            "gone-in-sage",
            "customer-skipped",
            "customer-not-synced",
            "discount-too-large",
            "mapping-missing",
            "mapping-stale",
            "category-missing",
            "tax-missing",
            "tax-group",
            "tax-rate-differs",
            "fix-item-tax",
            "lines-differ",
            "unreadable",
            "changed-since-done",
        ],
    ),
    (
        "not imported",
        &[
            "unlinked",
            "partial",
            "invoice-paid",
            "customer-not-paired",
            "other-currency",
            "deleted",
            "partner-ignored",
            "payment-deleted",
            "paid-twice",
            "payment-differs",
            "possible-duplicate",
            "linked",
            "changed-since-done",
            "decided-in-splynx",
            "refused",
            "discount",
            "changed-in-sage",
            "too-early",
            "unreadable",
        ],
    ),
    (
        "imported, gone in Sage",
        &[
            "deleted",
            "deleted-after-import",
            "changed-since-done",
            "deleted-in-sage",
            "receipt-deleted",
            "changed-in-sage",
            "payment-deleted",
        ],
    ),
];

/// A person has settled it.
const BY_HAND: [&str; 2] = ["do-not-send", "done-by-hand"];

/// What was found so far.
pub struct Judge {
    pub listed: Listed,
    pub explained: BTreeMap<(&'static str, String), u32>,
    pub unexplained: Vec<String>,
}

/// How a kind of record is called here and there.
#[derive(Debug, Clone, Copy)]
pub struct Sort {
    pub kind: &'static str,
    pub letter: char,
    pub amount: &'static str,
    pub splynx: &'static str,
    /// Where Sage keeps it; of an invoice with a negative total: among the returns.
    pub sage: &'static str,
    pub date: &'static str,
}

pub const SORTS: [Sort; 3] = [
    Sort {
        kind: "invoice",
        letter: 'I',
        amount: "total",
        splynx: "invoices",
        sage: "invoices",
        date: "date_created",
    },
    Sort {
        kind: "credit-note",
        letter: 'C',
        amount: "total",
        splynx: "credit_notes",
        sage: "returns",
        date: "date_created",
    },
    Sort {
        kind: "payment",
        letter: 'P',
        amount: "amount",
        splynx: "payments",
        sage: "receipts",
        date: "date",
    },
];

impl Judge {
    pub fn new(listed: Listed) -> Self {
        Self {
            listed,
            explained: BTreeMap::new(),
            unexplained: Vec::new(),
        }
    }

    fn difference(&mut self, kind: &'static str, record: &str, what: &str) {
        let (state, code) = self.listed.get(record).cloned().unwrap_or_default();
        let fits = EXPLAINS
            .iter()
            .any(|(of, codes)| *of == kind && codes.contains(&code.as_str()));
        let is_settled = matches!(state.as_str(), "held" | "owed" | "skipped");
        if BY_HAND.contains(&state.as_str()) {
            *self.explained.entry((kind, state)).or_default() += 1;
        } else if fits && is_settled {
            *self.explained.entry((kind, code)).or_default() += 1;
        } else {
            self.unexplained.push(format!(
                "{kind}: {record} {what}, listed as {state:?} {code:?}"
            ));
        }
    }

    /// Documents and receipts of a kind, by our key: what Splynx says against what Sage has. `excused`: keys that nothing is asked of;
    /// `is_due`: whether a row of Splynx is to go at all.
    pub fn compare(
        &mut self,
        sort: Sort,
        splynx: &[Value],
        sage: &[&Value],
        excused: &BTreeSet<String>,
        is_due: impl Fn(&Value) -> bool,
    ) {
        let Sort {
            kind,
            letter,
            amount,
            ..
        } = sort;
        let mut there: BTreeMap<i64, Decimal> = BTreeMap::new();
        for row in sage {
            let key = key_of(row).unwrap_or_default();
            let id = key.strip_prefix(letter).and_then(|id| id.parse().ok());
            if let Some(id) = id
                && there.insert(id, money(&row["Total"])).is_some()
                && !excused.contains(key)
            {
                self.unexplained
                    .push(format!("{key} stands on two documents"));
            }
        }
        for row in splynx {
            let id = id_of(row, "id");
            let record = format!("{kind}/{id:012}");
            let total = money(&row[amount]);
            match (there.remove(&id), row["status"] == "deleted") {
                _ if excused.contains(&format!("{letter}{id}")) => {}
                (Some(has), false) if has == total.abs() => {}
                (Some(has), false) => {
                    self.difference("amount", &record, &format!("{total} here, {has} there"));
                }
                (Some(_), true) => self.difference("only in Sage", &record, "deleted here"),
                (None, true) => {}
                (None, false) if is_due(row) => {
                    self.difference("only in Splynx", &record, &total.to_string());
                }
                (None, false) => {}
            }
        }
        for (id, total) in there {
            if !excused.contains(&format!("{letter}{id}")) {
                let record = format!("{kind}/{id:012}");
                self.difference("only in Sage", &record, &total.to_string());
            }
        }
    }

    /// Receipts that people made in Sage: each is paid in Splynx once, to the cent, or listed. `records`: of Splynx's statements, of which
    /// people may have paired some on Splynx's own screen.
    pub fn compare_imports(
        &mut self,
        payments: &[Value],
        records: &[Value],
        receipts: &[&Value],
        made: impl IntoIterator<Item = i64>,
    ) {
        let mut paid: BTreeMap<i64, Decimal> = BTreeMap::new();
        let receipt_of = |key: &Value| -> Option<i64> {
            let rest = key.as_str()?.strip_prefix("SAGE-")?;
            rest.split('-').next()?.parse().ok()
        };
        for record in records
            .iter()
            .filter(|row| row["status"] == "manual_paired")
        {
            let payment = payments
                .iter()
                .find(|row| row["id"] == record["payment_id"]);
            if let (Some(id), Some(payment)) = (receipt_of(&record["additional_1"]), payment) {
                *paid.entry(id).or_default() += money(&payment["amount"]);
            }
        }
        let mut numbers = BTreeSet::new();
        for payment in payments {
            let number = payment["receipt_number"].as_str().unwrap_or_default();
            if let Some(id) = receipt_of(&payment["receipt_number"]) {
                if !numbers.insert(number.to_owned()) {
                    self.unexplained
                        .push(format!("{number} stands on two payments"));
                }
                *paid.entry(id).or_default() += money(&payment["amount"]);
            }
        }
        let there: BTreeMap<i64, Decimal> = receipts
            .iter()
            .map(|row| (id_of(row, "ID"), money(&row["Total"])))
            .collect();
        for id in made {
            let record = format!("receipt/{id:012}");
            match (there.get(&id), paid.remove(&id)) {
                (Some(total), Some(paid)) if *total == paid => {}
                (Some(total), paid) => {
                    let what = format!("{total} there, {paid:?} here");
                    self.difference("not imported", &record, &what);
                }
                (None, Some(paid)) => {
                    self.difference("imported, gone in Sage", &record, &paid.to_string());
                }
                (None, None) => {}
            }
        }
        if !paid.is_empty() {
            self.unexplained
                .push(format!("payments of receipts that nobody made: {paid:?}"));
        }
    }
}
