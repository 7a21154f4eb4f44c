//! The lists that decisions rest on, read again before a run sends its first document or payment.
//!
//! Sage lets people give a tax type another rate, and switch items and bank accounts off, at any time. What was loaded once and is out of
//! date would send every document with wrong VAT, or have each of them refused. Where a run has nothing to send, nothing is asked.

use crate::sync::lists::{self, List};
use crate::sync::mapping::Mapping;
use crate::write::ledger::{Run, RunResult};

/// Reads Sage's lists again, each once a run; answers whether decisions by them may be other ones now. A list that takes several requests
/// is left to `import-mapping`, and Sage refuses what is gone of it.
pub fn renew(run: &mut Run, mapping: &mut Mapping, lists: &[List]) -> RunResult<bool> {
    const ONE_REQUEST: usize = 100;
    let mut is_new = false;
    for list in lists {
        let is_long = mapping.rows(*list).count() > ONE_REQUEST;
        if is_long || run.renewed.contains(&list.source()) {
            continue;
        }
        run.renewed.push(list.source());
        let rows = list.load(run)?;
        if mapping.rows(*list).eq(rows.iter()) {
            continue;
        }
        for tax in changed_rates(mapping, *list, &rows) {
            lists::trust(run, tax)?;
        }
        is_new |= lists::replace(run, *list, &rows)?;
    }
    // What Sage stored may have put a tax type in doubt since the lists were read.
    is_new |= lists::doubts(run)? != *mapping.tax_doubts();
    if is_new {
        *mapping = Mapping::loaded(run)?;
    }
    Ok(is_new)
}

/// Tax types whose other VAT has its cause in a rate that was changed: from now on the rate tells.
fn changed_rates(mapping: &Mapping, list: List, rows: &[lists::Row]) -> Vec<i64> {
    let rows = rows.iter().filter(|_| list == List::SageTaxTypes);
    let changed = rows.filter(|row| {
        let before = mapping.row(list, row.id);
        before.is_some_and(|before| before.percent != row.percent)
    });
    changed.map(|row| row.id).collect()
}
