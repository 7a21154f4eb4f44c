//! Splynx's customers and who they are in Sage: pair, unpair, or say that one is none of Sage's (F67).
//!
//! An act on several rows is done for all of them or for none. A pair is exclusive in both directions; the commit sees to that too.

use crate::addon::{Query, Rows};
use crate::capability::{Entry, Pair, Row as PageRow};
use crate::collect::{Map, Set, ToMap, ToSet};
use crate::pages::{refuse, value};
use crate::sage::{self, Service};
use crate::sync::pairing::{self, Choice, PAIRING, Row};
use crate::write::known_customers::customers_listed;
use crate::write::ledger::{Run, RunResult};
use crate::write::record::{Batch, Kind, RecordKey, State, Stored};

/// Columns: Splynx id, name, e-mail, state, Sage id, Sage name, why. Filter: state. The ids are what `import-pairing` takes.
pub fn view(run: &mut Run, query: &Query) -> RunResult<Rows> {
    let shows = super::filter(query, &[("state", super::Cell(3))])?;
    super::page(run, query, (PAIRING, ""), &shows, rows)
}

fn rows(run: &mut Run, entries: &[Entry]) -> RunResult<Vec<PageRow>> {
    let ids: Vec<i64> = entries
        .iter()
        .filter_map(|entry| pairing::row_id(&entry.key))
        .collect();
    let known = open_rows(run, &ids)?;
    let records = run.records(ids.iter().map(|id| RecordKey::new(Kind::Customer, *id)))?;
    let remotes = records
        .iter()
        .filter_map(|(key, stored)| Some((key.id, stored.record.as_ref()?.remote.as_ref()?.id)))
        .to_map();
    let listed = customers_listed(run, &remotes.values().copied().collect::<Vec<_>>())?;
    Ok(known
        .into_iter()
        .map(|(id, row)| {
            let (state, sage, name, why) = match (remotes.get(&id), row.candidates.as_slice()) {
                (Some(sage), _) => {
                    let name = listed.get(sage).map(pairing::name_of);
                    (
                        "paired",
                        sage.to_string(),
                        name.unwrap_or_default(),
                        String::new(),
                    )
                }
                (None, _) if row.choice == Choice::Create => {
                    let why = "none of Sage's, a person said: it will be made".to_owned();
                    ("new", String::new(), String::new(), why)
                }
                (None, [one]) => (
                    "proposed",
                    one.id.to_string(),
                    one.name.clone(),
                    one.why.join(", "),
                ),
                (None, several) => {
                    let several: Vec<String> = several.iter().map(|c| c.describe()).collect();
                    let state = pairing::standing(&row.candidates);
                    (state, String::new(), String::new(), several.join("; "))
                }
            };
            PageRow {
                id: id.to_string(),
                cells: vec![
                    id.to_string(),
                    row.name,
                    row.email,
                    state.to_owned(),
                    sage,
                    name,
                    why,
                ],
                more: Vec::new(),
            }
        })
        .collect())
}

/// Rows without the proposals that belong to somebody by now.
fn open_rows(run: &mut Run, ids: &[i64]) -> RunResult<Map<i64, Row>> {
    let mut rows = pairing::rows(run, ids)?;
    let proposed = rows.values().flat_map(|row| &row.candidates);
    let proposed = proposed.map(|candidate| candidate.id).to_set();
    let paired = pairing::paired(run, &proposed)?;
    for (_, row) in &mut rows {
        row.candidates
            .retain(|candidate| !paired.contains_key(&candidate.id));
    }
    Ok(rows)
}

/// Decides about customers: `pair` (each with its one proposal, or one with the value `remote-id`), `unpair`, `create`.
pub fn act(run: &mut Run, act: &str, rows: &[String], values: &[Pair]) -> RunResult<String> {
    let mut ids = Set::new();
    for row in rows {
        let id = row
            .parse()
            .map_err(|_| refuse(format!("{row:?} is no Splynx customer's id.")))?;
        ids.insert(id);
    }
    let mut known = open_rows(run, &ids.iter().copied().collect::<Vec<_>>())?;
    let records = run.records(ids.iter().map(|id| RecordKey::new(Kind::Customer, *id)))?;
    let named = named_in_sage(run, value(values, "remote-id"), ids.len())?;
    let mut given = Map::new_vec();
    let mut batch = Batch::default();
    let count = ids.len();
    for (key, stored) in records {
        let row = known
            .remove(&key.id)
            .or_else(|| row_of(&stored))
            .ok_or_else(|| {
                refuse(format!(
                    "Customer {} is not known here. Press \"Load Sage customers\" first.",
                    key.id
                ))
            })?;
        check_state(act, key, &stored, &row)?;
        match act {
            "pair" => {
                let sage = partner(key.id, &row, named)?;
                if let Some(other) = given.insert(sage, key.id) {
                    return Err(refuse(format!(
                        "Sage customer {sage} is proposed for {other} and for {}: pair one of the two.",
                        key.id
                    )));
                }
                let taken = pairing::paired(run, &[sage].into_iter().to_set())?;
                if let Some(other) = taken.get(&sage) {
                    return Err(refuse(format!(
                        "Sage customer {sage} is paired with Splynx customer {}. Unpair that one first.",
                        other.id
                    )));
                }
                pairing::join(run, &mut batch, key.id, &stored, &row, sage)?;
            }
            "unpair" => pairing::part(run, &mut batch, key.id, &stored, &row)?,
            "create" => pairing::create(run, &mut batch, key.id, &stored, &row)?,
            unknown => return Err(refuse(format!("The page Pairing has no act {unknown:?}."))),
        }
    }
    run.commit(batch)?;
    Ok(match act {
        "pair" => format!("{count} paired. The next export brings them up to date in Sage."),
        "unpair" => format!("{count} unpaired. Sage keeps its customer as it is; this one waits."),
        _ => format!("The next export makes {count} in Sage."),
    })
}

/// The Sage customer that a person names, which must exist.
fn named_in_sage(run: &mut Run, text: &str, rows: usize) -> RunResult<Option<i64>> {
    if text.is_empty() {
        return Ok(None);
    }
    let id = text.parse::<i64>().ok().filter(|_| rows == 1);
    let Some(id) = id else {
        return Err(refuse(
            "Pair one customer with one Sage id, which is a number.",
        ));
    };
    match sage::get_one(run, Service::Customer, id)? {
        Some(_) => Ok(Some(id)),
        None => Err(refuse(format!("Sage has no customer {id}."))),
    }
}

fn check_state(act: &str, key: RecordKey, stored: &Stored, row: &Row) -> RunResult<()> {
    let who = format!("Customer {} ({})", key.id, row.name);
    let record = stored.record.as_ref();
    match record.map(|record| record.state) {
        Some(State::Sending | State::Uncertain) => {
            return Err(refuse(format!(
                "{who} may be on its way to Sage; the next run finds out, decide then."
            )));
        }
        Some(State::Skipped) if act != "unpair" => {
            return Err(refuse(format!("{who} is left out.")));
        }
        _ => {}
    }
    let remote = record.and_then(|record| record.remote.as_ref());
    match (act, remote) {
        ("unpair", None) => Err(refuse(format!("{who} is not paired."))),
        ("unpair", Some(_)) | (_, None) => Ok(()),
        (_, Some(remote)) => Err(refuse(format!(
            "{who} is paired with Sage customer {}. Unpair it first.",
            remote.id
        ))),
    }
}

fn partner(id: i64, row: &Row, named: Option<i64>) -> RunResult<i64> {
    match (named, row.candidates.as_slice()) {
        (Some(named), _) => Ok(named),
        (None, [one]) => Ok(one.id),
        (None, []) => Err(refuse(format!(
            "There is no proposal for customer {id} ({}): choose it alone and give the Sage id.",
            row.name
        ))),
        (None, _) => Err(refuse(format!(
            "There are several proposals for customer {id} ({}): choose it alone and give the Sage id.",
            row.name
        ))),
    }
}

/// Of a customer that was paired before it was looked at for pairing.
fn row_of(stored: &Stored) -> Option<Row> {
    let record = stored.record.as_ref()?;
    Some(Row {
        name: record.label.clone(),
        label: record.label.clone(),
        ..Row::default()
    })
}
