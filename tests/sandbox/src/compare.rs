//! What a synchronisation has brought about, record by record, from what the two services themselves hold.
//!
//! A document or receipt in Sage belongs to the Splynx record whose key ends its reference: `7K3QX9MB-I501` an invoice, `7K3QX9MB-C44` a
//! credit note, `7K3QX9MB-P601` a payment.

use std::collections::BTreeMap;
use std::fmt;

use rust_decimal::Decimal;
use serde_json::Value;

/// One line for each kind of record.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Comparison {
    pub kinds: Vec<KindComparison>,
    pub splynx_customers: usize,
    pub sage_customers: usize,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KindComparison {
    pub name: &'static str,
    /// Records in Splynx, and their sum.
    pub splynx: (usize, Decimal),
    /// Objects in Sage, and their sum.
    pub sage: (usize, Decimal),
    /// In both, once, with the same total.
    pub equal: usize,
    /// In both, with another total.
    pub different: Vec<String>,
    /// More than once in Sage.
    pub doubled: Vec<String>,
}

impl Comparison {
    /// Compares two `/_sandbox/state`s.
    pub fn of(splynx: &Value, sage: &Value) -> Self {
        let leads = rows(splynx, "customers").filter(|row| row["category"] == "lead");
        Self {
            splynx_customers: rows(splynx, "customers").count() - leads.count(),
            sage_customers: rows(sage, "customers").count(),
            kinds: vec![
                compare(
                    "invoices",
                    by_id('I', rows(splynx, "invoices"), "total"),
                    rows(sage, "invoices"),
                ),
                compare(
                    "credit notes",
                    by_id('C', rows(splynx, "credit_notes"), "total"),
                    rows(sage, "returns"),
                ),
                compare(
                    "payments",
                    by_id('P', rows(splynx, "payments"), "amount"),
                    rows(sage, "receipts"),
                ),
            ],
        }
    }

    /// Nothing is doubled, and whatever is in both has one total.
    pub fn is_clean(&self) -> bool {
        self.kinds
            .iter()
            .all(|kind| kind.different.is_empty() && kind.doubled.is_empty())
    }
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{:<14}{:>8} {:>16}  {:>8} {:>16}  {:>8} {:>9} {:>8}",
            "", "Splynx", "R", "Sage", "R", "equal", "different", "doubled"
        )?;
        writeln!(
            f,
            "{:<14}{:>8} {:>16}  {:>8}",
            "customers", self.splynx_customers, "", self.sage_customers
        )?;
        for kind in &self.kinds {
            writeln!(
                f,
                "{:<14}{:>8} {:>16.2}  {:>8} {:>16.2}  {:>8} {:>9} {:>8}",
                kind.name,
                kind.splynx.0,
                kind.splynx.1,
                kind.sage.0,
                kind.sage.1,
                kind.equal,
                kind.different.len(),
                kind.doubled.len()
            )?;
        }
        Ok(())
    }
}

fn rows<'s>(state: &'s Value, entity: &str) -> impl Iterator<Item = &'s Value> {
    state[entity].as_array().into_iter().flatten()
}

/// A number or numeric text; nothing counts as zero.
fn amount(value: &Value) -> Decimal {
    let text = match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    text.parse().unwrap_or_default()
}

fn by_id<'s>(
    letter: char,
    rows: impl Iterator<Item = &'s Value>,
    field: &str,
) -> BTreeMap<String, Decimal> {
    rows.map(|row| (format!("{letter}{}", row["id"]), amount(&row[field])))
        .collect()
}

fn compare<'s>(
    name: &'static str,
    splynx: BTreeMap<String, Decimal>,
    sage: impl Iterator<Item = &'s Value>,
) -> KindComparison {
    let mut comparison = KindComparison {
        name,
        splynx: (splynx.len(), splynx.values().sum()),
        ..KindComparison::default()
    };
    let mut seen = BTreeMap::new();
    for row in sage {
        let total = amount(&row["Total"]);
        comparison.sage.0 += 1;
        comparison.sage.1 += total;
        let reference = row["Reference"].as_str().unwrap_or_default();
        let mark = reference.rsplit(' ').next().unwrap_or_default();
        let key = match mark.rsplit_once('-') {
            Some((check, key)) if check.len() >= 8 && key.starts_with(['I', 'C', 'P']) => key,
            _ => mark,
        };
        if seen.insert(key.to_owned(), total).is_some() {
            comparison.doubled.push(key.to_owned());
            continue;
        }
        match splynx.get(key) {
            Some(expected) if expected.abs() == total => comparison.equal += 1,
            Some(_) => comparison.different.push(key.to_owned()),
            None => {}
        }
    }
    comparison
}
