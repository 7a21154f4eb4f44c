//! The ledger of what is believed of both services: the facts of `docs/reference`, and which switch of a stand-in stands for which of them.
//!
//! The documents are the ledger. They are part of the program, so what people read and what is asked of a real service cannot differ.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde_json::Value;

use crate::faults::Party;

const SAGE: &str = include_str!("../../../docs/reference/sage.md");
const SPLYNX: &str = include_str!("../../../docs/reference/splynx.md");

/// One thing that is believed of a service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fact {
    /// `SAGE-46`, `SPLYNX-20`, or `Q4` of an open question about Sage.
    pub id: &'static str,
    /// What is believed; of an open question: the question and what is assumed.
    pub text: String,
}

/// What it takes to find out how a switch stands at a real service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Told {
    /// Requests that store nothing.
    Reading,
    /// Objects that are made in a company of their own.
    Trial,
    /// No request that may be sent; the reason.
    Nothing(&'static str),
}

/// A switch of a stand-in, as the document has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Switch {
    /// As in the service's `Behaviour`; one of a nested struct is `ledger.closed_status`.
    pub name: &'static str,
    pub facts: Vec<&'static str>,
    pub told: Told,
}

fn document(service: Party) -> &'static str {
    match service {
        Party::Sage => SAGE,
        Party::Splynx => SPLYNX,
    }
}

/// The cells of every row of a document's tables.
fn rows(service: Party) -> impl Iterator<Item = Vec<&'static str>> {
    let rows = document(service).lines();
    // An escaped bar is part of its cell: two of them never stand beside a blank.
    let rows = rows.filter_map(|line| line.strip_prefix("| ")?.strip_suffix(" |"));
    rows.map(|row| row.split(" | ").map(str::trim).collect())
}

/// The facts and switches of one document.
struct Ledger {
    facts: Vec<Fact>,
    switches: Vec<Switch>,
}

fn ledger(service: Party) -> &'static Ledger {
    static SAGE: LazyLock<Ledger> = LazyLock::new(|| Ledger::read(Party::Sage));
    static SPLYNX: LazyLock<Ledger> = LazyLock::new(|| Ledger::read(Party::Splynx));
    match service {
        Party::Sage => &SAGE,
        Party::Splynx => &SPLYNX,
    }
}

impl Ledger {
    fn read(service: Party) -> Self {
        Self {
            facts: read_facts(service),
            switches: read_switches(service),
        }
    }
}

/// All facts about a service, in the document's order.
pub fn facts(service: Party) -> &'static [Fact] {
    &ledger(service).facts
}

/// All switches of a service's stand-in that the document lists.
pub fn switches(service: Party) -> &'static [Switch] {
    &ledger(service).switches
}

fn read_facts(service: Party) -> Vec<Fact> {
    let is_id = |cell: &str| {
        let number = ["SAGE-", "SPLYNX-", "Q"].map(|start| cell.strip_prefix(start));
        let mut number = number.into_iter().flatten();
        number.any(|number| number.parse::<u32>().is_ok())
    };
    let rows = rows(service).filter(|cells| is_id(cells[0]) && cells.len() > 2);
    rows.map(|cells| Fact {
        id: cells[0],
        text: match cells[0].starts_with('Q') || cells[1].ends_with('?') {
            true => format!("{} Assumed: {}.", cells[1], cells[2]),
            false => cells[1].to_owned(),
        },
    })
    .collect()
}

fn read_switches(service: Party) -> Vec<Switch> {
    rows(service)
        .filter_map(|cells| {
            let name = cells[0].strip_prefix('`')?.strip_suffix('`')?;
            let [_, facts, told] = cells[..] else {
                return None;
            };
            let told = match told.split_once(": ") {
                Some(("nothing", why)) => Told::Nothing(why),
                _ if told == "reading" => Told::Reading,
                _ if told == "a trial company" => Told::Trial,
                _ => return None,
            };
            Some(Switch {
                name,
                facts: facts.split(", ").collect(),
                told,
            })
        })
        .collect()
}

/// The positions of a behaviour, by the names of their switches.
pub fn positions(behaviour: &impl serde::Serialize) -> BTreeMap<String, Value> {
    let mut positions = BTreeMap::new();
    let behaviour = serde_json::to_value(behaviour).unwrap_or_default();
    let Value::Object(fields) = behaviour else {
        return positions;
    };
    for (name, value) in fields {
        match value {
            Value::Object(inner) => {
                let inner = inner.into_iter();
                positions.extend(inner.map(|(field, value)| (format!("{name}.{field}"), value)));
            }
            value => {
                positions.insert(name, value);
            }
        }
    }
    positions
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::{sage, splynx};

    /// The fields of the structs in a source, each with its comment.
    fn commented(source: &str) -> BTreeMap<&str, String> {
        let mut comment = String::new();
        let mut fields = BTreeMap::new();
        for line in source.lines().map(str::trim) {
            if let Some(text) = line.strip_prefix("///") {
                comment.push_str(text);
            } else {
                let field = line
                    .strip_prefix("pub ")
                    .and_then(|field| field.split_once(": "));
                if let Some((name, _)) = field {
                    fields.insert(name, comment.clone());
                }
                comment.clear();
            }
        }
        fields
    }

    fn names_fact(comment: &str, fact: &str) -> bool {
        let words = comment.split(|c: char| !c.is_ascii_alphanumeric() && c != '-');
        words.into_iter().any(|word| word == fact)
    }

    #[test]
    fn every_switch_is_a_fact_and_bears_its_id_and_no_fact_names_a_switch_that_is_not_there() {
        let sources = [
            (
                Party::Sage,
                positions(&sage::Behaviour::default()),
                include_str!("sage/behaviour.rs").to_owned(),
            ),
            (
                Party::Splynx,
                positions(&splynx::Behaviour::default()),
                [
                    include_str!("splynx/behaviour.rs"),
                    include_str!("splynx/ledger/mod.rs"),
                ]
                .concat(),
            ),
        ];
        for (service, positions, source) in sources {
            let switches = switches(service);
            let listed: BTreeSet<&str> = switches.iter().map(|switch| switch.name).collect();
            let there: BTreeSet<&str> = positions.keys().map(String::as_str).collect();
            assert_eq!(listed.len(), switches.len(), "a switch is listed twice");
            assert_eq!(listed, there, "{service:?}: the document, the stand-in");

            let known: BTreeSet<&str> = facts(service).iter().map(|fact| fact.id).collect();
            let comments = commented(&source);
            for switch in switches {
                let field = switch.name.rsplit('.').next().unwrap_or_default();
                for fact in &switch.facts {
                    assert!(known.contains(fact), "{}: no fact {fact}", switch.name);
                    let comment = &comments[field];
                    assert!(
                        names_fact(comment, fact),
                        "{} lacks {fact}: {comment}",
                        switch.name
                    );
                }
            }
        }
    }

    #[test]
    fn every_row_of_the_references_is_a_fact_with_an_id_that_nothing_else_has() {
        for service in [Party::Sage, Party::Splynx] {
            let facts = facts(service);
            let unique: BTreeSet<&str> = facts.iter().map(|fact| fact.id).collect();
            assert_eq!(unique.len(), facts.len());
            let heads = ["id", "number", "name", "switch", "---"];
            let others = rows(service).filter(|cells| {
                !unique.contains(cells[0])
                    && !heads.contains(&cells[0])
                    && !cells[0].starts_with('`')
            });
            // What is left are the sources, which come before the first section.
            let sources = document(service).split("\n## ").next().unwrap_or_default();
            for cells in others {
                let is_source = sources.contains(&format!("| {} | ", cells[0]));
                assert!(is_source, "{service:?}: {cells:?} has no id");
            }
            assert!(facts.iter().all(|fact| !fact.text.is_empty()));
        }
    }
}
