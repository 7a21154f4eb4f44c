//! What the two services hold after a sync, compared record by record: the services' own states, never the add-on's.

use std::collections::BTreeMap;

use rust_decimal::Decimal;
use sandbox::http::Service;
use sandbox::isp::{CustomerCategory, Isp};
use serde_json::Value;

use crate::world::World;

/// What Sage should hold for a provider, by our key: the total of each document and receipt.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Expected {
    pub customers: usize,
    pub invoices: BTreeMap<String, Decimal>,
    pub credit_notes: BTreeMap<String, Decimal>,
    pub receipts: BTreeMap<String, Decimal>,
}

/// What everything that is exportable under the default settings makes in Sage.
pub fn expected(isp: &Isp) -> Expected {
    let setup: BTreeMap<String, String> = isp.setup().into_iter().collect();
    let pushed: Vec<&str> = setup["payments_push_methods"].split(',').collect();
    let customers = isp
        .customers
        .iter()
        .filter(|c| c.category != CustomerCategory::Lead)
        .count();
    let invoices = isp
        .invoices
        .iter()
        .filter(|i| !i.deleted && i.uses_transactions && !i.total.is_zero())
        .map(|i| (format!("I{}", i.id), i.total));
    let notes = isp
        .credit_notes
        .iter()
        .map(|n| (format!("C{}", n.id), n.total));
    let receipts = isp
        .payments
        .iter()
        .filter(|p| p.amount > Decimal::ZERO && pushed.contains(&p.method_id.to_string().as_str()))
        .map(|p| (format!("P{}", p.id), p.amount));
    Expected {
        customers,
        invoices: invoices.collect(),
        credit_notes: notes.collect(),
        receipts: receipts.collect(),
    }
}

/// What Sage holds, by the key at the end of each reference.
///
/// # Panics
/// Where a key stands on two documents: that is the one thing that must never happen.
pub fn held(world: &World) -> Expected {
    let state = world.sage.state();
    Expected {
        customers: rows(&state, "customers").len(),
        invoices: by_key(rows(&state, "invoices")),
        credit_notes: by_key(rows(&state, "returns")),
        receipts: by_key(rows(&state, "receipts")),
    }
}

/// A list of a service's state.
pub fn rows<'s>(state: &'s Value, entity: &str) -> &'s [Value] {
    state[entity]
        .as_array()
        .unwrap_or_else(|| panic!("the state lists {entity}"))
}

/// Characters of a mark before its record, besides the tag.
const CHECK: usize = 8;

fn by_key(rows: &[Value]) -> BTreeMap<String, Decimal> {
    let mut totals = BTreeMap::new();
    for row in rows {
        let reference = row["Reference"].as_str().unwrap_or_default();
        let mark = reference.rsplit(' ').next().unwrap_or_default();
        // Without what tells whose it is, but for the installation's tag.
        let key = match mark.rsplit_once('-') {
            Some((check, key)) if key.starts_with(['I', 'C', 'P']) && check.len() >= CHECK => {
                match &check[..check.len() - CHECK] {
                    "" => key.to_owned(),
                    tag => format!("{tag}-{key}"),
                }
            }
            _ => mark.to_owned(),
        };
        let total = row["Total"]
            .to_string()
            .parse()
            .expect("a total is a number");
        let before = totals.insert(key, total);
        assert_eq!(before, None, "{reference} stands on two documents");
    }
    totals
}

/// Sage's requests by method and path, as Sage counted them.
pub fn requests(world: &World) -> BTreeMap<String, u64> {
    let state = world.sage.state();
    let by_path = state["requests"]["by_path"]
        .as_object()
        .expect("the state counts requests");
    by_path
        .iter()
        .map(|(path, count)| (path.clone(), count.as_u64().unwrap_or_default()))
        .collect()
}
