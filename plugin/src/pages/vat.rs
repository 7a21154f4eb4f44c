//! The page `vat`: by how much VAT is off per month where the totals agree (D14). Rounding line by line makes cents; this is their
//! sum, for the VAT return.

use rust_decimal::Decimal;

use crate::addon::Rows;
use crate::capability::Row;
use crate::collect::Map;
use crate::money;
use crate::write::ledger::{Run, RunResult};
use crate::write::record::{RecordKey, VAT_OFF};

pub fn view(run: &mut Run) -> RunResult<Rows> {
    const PAGE: u32 = 500;
    let mut months: Map<(String, &str), (u32, Decimal)> = Map::new_vec();
    let mut after = String::new();
    loop {
        let entries = run.cap.scan(VAT_OFF, "", &after, PAGE)?;
        let Some(last) = entries.last() else {
            break;
        };
        after.clone_from(&last.key);
        for entry in &entries {
            let Some((month, key)) = entry.key.split_once('/') else {
                continue;
            };
            let (Some(key), Ok(off)) = (RecordKey::parse(key), entry.value.parse::<Decimal>())
            else {
                continue;
            };
            let sum = months
                .entry((month.to_owned(), key.kind.title()))
                .or_default();
            sum.0 += 1;
            sum.1 += off;
        }
    }
    let rows = months
        .into_iter()
        .map(|((month, kind), (documents, off))| Row {
            id: format!("{month} {kind}"),
            cells: vec![
                month,
                kind.to_owned(),
                documents.to_string(),
                money::plain(off),
            ],
            more: Vec::new(),
        })
        .collect();
    Ok(Rows {
        rows,
        next: String::new(),
    })
}
