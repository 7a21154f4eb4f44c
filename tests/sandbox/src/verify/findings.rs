//! What was found out: how each switch stands, and so what is to be said of each fact.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::shapes::Shape;
use crate::facts::{self, Told};
use crate::faults::Party;
use crate::{sage, splynx};

/// What is said of a fact.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "verdict", content = "answer")]
pub enum Verdict {
    AsAssumed,
    /// The service's answer.
    Otherwise(String),
    /// Why.
    NotTold(String),
}

/// What one service was found to do. Positions, names of fields and statuses only: nothing that the service holds.
#[derive(Debug, Clone, Default)]
pub struct Findings {
    /// Switches as they stand.
    positions: BTreeMap<&'static str, Value>,
    /// Why others are not known.
    untold: BTreeMap<&'static str, String>,
    facts: BTreeMap<&'static str, Verdict>,
}

impl Findings {
    pub fn is(&mut self, switch: &'static str, position: impl Serialize) {
        self.positions.insert(switch, json!(position));
    }

    pub fn not_told(&mut self, switch: &'static str, why: &str) {
        self.untold.insert(switch, why.to_owned());
    }

    pub fn fact(&mut self, id: &'static str, verdict: Verdict) {
        self.facts.insert(id, verdict);
    }

    /// Says of a fact whether it holds; what it is instead.
    pub fn holds(&mut self, id: &'static str, as_assumed: bool, otherwise: &str) {
        let verdict = match as_assumed {
            true => Verdict::AsAssumed,
            false => Verdict::Otherwise(otherwise.to_owned()),
        };
        self.fact(id, verdict);
    }

    /// Says of the facts that name a list's fields whether its rows have them; the fields that no row has.
    pub fn shape(&mut self, shape: &Shape, rows: &[Value]) -> Vec<&'static str> {
        if rows.is_empty() {
            let why = format!("{} has no row to look at", shape.list);
            self.fact(shape.fact, Verdict::NotTold(why));
            return Vec::new();
        }
        let lacks = |field: &&&str| !rows.iter().any(|row| row.get(**field).is_some());
        let missing: Vec<&'static str> = shape.fields.iter().filter(lacks).copied().collect();
        let said = format!("{} lacks {}", shape.list, missing.join(", "));
        self.holds(shape.fact, missing.is_empty(), &said);
        missing
    }

    /// The switches whose position is known.
    pub fn positions(&self) -> &BTreeMap<&'static str, Value> {
        &self.positions
    }

    /// Why the position of a switch is not known.
    pub fn why_untold(&self, switch: &str) -> Option<&str> {
        self.untold.get(switch).map(String::as_str)
    }

    /// Of each fact of a service, in the reference's order.
    pub fn verdicts(&self, service: Party) -> Vec<(&'static facts::Fact, Verdict)> {
        let switches = facts::switches(service);
        let assumed = assumed(service);
        let facts = facts::facts(service).iter();
        facts
            .map(|fact| {
                let mut verdicts: Vec<Verdict> = switches
                    .iter()
                    .filter(|switch| switch.facts.contains(&fact.id))
                    .map(|switch| self.of_switch(switch, &assumed[switch.name]))
                    .collect();
                verdicts.extend(self.facts.get(fact.id).cloned());
                let verdict = worst(verdicts);
                (fact, verdict)
            })
            .collect()
    }

    fn of_switch(&self, switch: &facts::Switch, assumed: &Value) -> Verdict {
        match (self.positions.get(switch.name), switch.told) {
            (Some(position), _) if position == assumed => Verdict::AsAssumed,
            (Some(position), _) => Verdict::Otherwise(format!("{} = {position}", switch.name)),
            (None, Told::Nothing(why)) => Verdict::NotTold(why.to_owned()),
            (None, told) => {
                let why = self.untold.get(switch.name).cloned();
                Verdict::NotTold(why.unwrap_or_else(|| match told {
                    Told::Trial => "it takes --trial-company".to_owned(),
                    _ => "the service was not asked".to_owned(),
                }))
            }
        }
    }
}

/// The position of each switch that the references assume.
pub fn assumed(service: Party) -> BTreeMap<String, Value> {
    match service {
        Party::Sage => facts::positions(&sage::Behaviour::default()),
        Party::Splynx => facts::positions(&splynx::Behaviour::default()),
    }
}

/// What differs counts before what is not known, and that before what is as assumed.
fn worst(verdicts: Vec<Verdict>) -> Verdict {
    let rank = |verdict: &Verdict| match verdict {
        Verdict::AsAssumed => 0,
        Verdict::NotTold(_) => 1,
        Verdict::Otherwise(_) => 2,
    };
    let worst = verdicts.into_iter().max_by_key(rank);
    worst.unwrap_or_else(|| Verdict::NotTold("no request asks it".to_owned()))
}
