//! What a script expects of a run, and which of it did not come true.

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;
use serde_json::Value;

use crate::contract::{Activity, Pair};
use crate::host::MockHost;
use crate::matching::{RequestMatch, glob};
use crate::runner::RunEnd;
use crate::scripted::ScriptedWorld;
use crate::trace::{Call, exchanges};

/// Left out, a run is only expected to end `finished`, and every request to have an answer.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Expectations {
    /// `finished`, `stopped` or `paused` as the job said; `failed`, where it returned a failure; `crashed`.
    state: Option<String>,
    /// Of the failure, or of the reason that the job gave.
    code: Option<String>,
    /// Of the outcome; those that are not named here may be anything.
    counts: BTreeMap<String, u64>,
    calls: Vec<Calls>,
    storage: Vec<Stored>,
    activities: Vec<Activities>,
    reports: Vec<Reported>,
    log: Vec<Logged>,
    /// Whether a rule that had something left to answer is a fault: for replays.
    all_answers_used: bool,
}

/// Requests that left the host. Without a count, here and below: at least one.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Calls {
    request: RequestMatch,
    #[serde(default)]
    count: Count,
}

/// Entries at the end of the run.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Stored {
    table: String,
    key: String,
    #[serde(default)]
    value: Option<String>,
    #[serde(default)]
    contains: Vec<String>,
    #[serde(default)]
    count: Count,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Activities {
    activity: ActivityMatch,
    #[serde(default)]
    count: Count,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct ActivityMatch {
    entity: Option<String>,
    action: Option<String>,
    local_id: Option<String>,
    remote_id: Option<String>,
    customer_id: Option<String>,
    label: Option<String>,
    code: Option<String>,
    message: Option<String>,
    /// Those that must be there.
    more: BTreeMap<String, String>,
}

/// Rows of a report, such as `plan`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Reported {
    kind: String,
    #[serde(default)]
    id: Option<String>,
    /// The first cells; further ones may be anything.
    #[serde(default)]
    cells: Vec<String>,
    #[serde(default)]
    count: Count,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Logged {
    #[serde(default)]
    level: Option<String>,
    #[serde(default)]
    message: Option<String>,
    #[serde(default)]
    count: Count,
}

/// Written as a number, or as `{"min": 1, "max": 3}` with either left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Value")]
struct Count {
    min: u64,
    max: u64,
}

impl Default for Count {
    fn default() -> Self {
        Self {
            min: 1,
            max: u64::MAX,
        }
    }
}

impl TryFrom<Value> for Count {
    type Error = &'static str;

    fn try_from(value: Value) -> Result<Self, Self::Error> {
        const WANTED: &str = "a count is a number, or an object with `min`, `max` or both";
        let number = |value: &Value| value.as_u64().ok_or(WANTED);
        match &value {
            Value::Number(_) => {
                let exactly = number(&value)?;
                Ok(Self {
                    min: exactly,
                    max: exactly,
                })
            }
            Value::Object(bounds)
                if bounds.keys().all(|key| key == "min" || key == "max") && !bounds.is_empty() =>
            {
                let bound = |key: &str, usual| bounds.get(key).map_or(Ok(usual), number);
                Ok(Self {
                    min: bound("min", 0)?,
                    max: bound("max", u64::MAX)?,
                })
            }
            _ => Err(WANTED),
        }
    }
}

impl fmt::Display for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self { min, max } if min == max => write!(f, "{min}"),
            Self { min, max: u64::MAX } => write!(f, "at least {min}"),
            Self { min: 0, max } => write!(f, "at most {max}"),
            Self { min, max } => write!(f, "{min} to {max}"),
        }
    }
}

impl Expectations {
    /// What did not come true, one sentence each, naming the expectation.
    pub fn unmet(&self, host: &MockHost<ScriptedWorld>, end: &RunEnd) -> Vec<String> {
        let mut unmet = Vec::new();
        self.check_end(end, &mut unmet);
        for (index, wanted) in self.calls.iter().enumerate() {
            let sent = exchanges(host.trace()).filter(|exchange| exchange.sent);
            let found = sent
                .filter(|exchange| wanted.request.matches(&exchange.request))
                .count();
            wanted.count.check(
                &format!("calls[{index}] ({})", wanted.request),
                found,
                &mut unmet,
            );
        }
        for (index, wanted) in self.storage.iter().enumerate() {
            let entries = host
                .storage
                .tables()
                .filter(|(table, _)| *table == wanted.table)
                .flat_map(|(_, entries)| entries);
            let found = entries
                .filter(|(key, value)| wanted.matches(key, value))
                .count();
            wanted.count.check(
                &format!("storage[{index}] ({} in {})", wanted.key, wanted.table),
                found,
                &mut unmet,
            );
        }
        for (index, wanted) in self.activities.iter().enumerate() {
            let found = host
                .storage
                .activities()
                .iter()
                .filter(|found| wanted.activity.matches(found))
                .count();
            wanted
                .count
                .check(&format!("activities[{index}]"), found, &mut unmet);
        }
        for (index, wanted) in self.reports.iter().enumerate() {
            let rows = host
                .reports
                .get(&wanted.kind)
                .map(Vec::as_slice)
                .unwrap_or_default();
            let found = rows
                .iter()
                .filter(|row| wanted.matches(&row.id, &row.cells))
                .count();
            wanted.count.check(
                &format!("reports[{index}] ({})", wanted.kind),
                found,
                &mut unmet,
            );
        }
        for (index, wanted) in self.log.iter().enumerate() {
            let found = host
                .trace()
                .iter()
                .filter(|step| wanted.matches(&step.call))
                .count();
            wanted
                .count
                .check(&format!("log[{index}]"), found, &mut unmet);
        }
        unmet.extend(
            host.world
                .unexpected()
                .iter()
                .map(|asked| format!("the script has no answer to {asked}")),
        );
        if self.all_answers_used {
            unmet.extend(
                host.world
                    .unused()
                    .map(|rule| format!("all_answers_used: {rule} was not used up")),
            );
        }
        unmet
    }

    fn check_end(&self, end: &RunEnd, unmet: &mut Vec<String>) {
        let state = self.state.as_deref().unwrap_or("finished");
        if end.state() != state {
            unmet.push(format!("state: expected {state}, found {end}"));
        }
        let code = end.failure().map_or("", |failure| failure.code.as_str());
        if let Some(wanted) = self.code.as_deref().filter(|wanted| *wanted != code) {
            unmet.push(format!("code: expected `{wanted}`, found `{code}`"));
        }
        for (name, wanted) in &self.counts {
            let found = end
                .counts()
                .iter()
                .find(|(counted, _)| counted == name)
                .map_or(0, |(_, count)| *count);
            if found != *wanted {
                unmet.push(format!("counts: expected {name} = {wanted}, found {found}"));
            }
        }
    }
}

impl Count {
    fn check(self, name: &str, found: usize, unmet: &mut Vec<String>) {
        if !(self.min..=self.max).contains(&(found as u64)) {
            unmet.push(format!("{name}: expected {self}, found {found}"));
        }
    }
}

fn fits(wanted: &Option<String>, found: &str) -> bool {
    wanted.as_deref().is_none_or(|pattern| glob(pattern, found))
}

impl Stored {
    fn matches(&self, key: &str, value: &str) -> bool {
        glob(&self.key, key)
            && self.value.as_deref().is_none_or(|wanted| wanted == value)
            && self.contains.iter().all(|text| value.contains(text))
    }
}

impl ActivityMatch {
    fn matches(&self, found: &Activity) -> bool {
        let told = |(name, value): (&String, &String)| {
            found.more.iter().any(|(found_name, found_value): &Pair| {
                found_name == name && glob(value, found_value)
            })
        };
        fits(&self.entity, &found.entity)
            && fits(&self.action, &found.action)
            && fits(&self.local_id, &found.local_id)
            && fits(&self.remote_id, &found.remote_id)
            && fits(&self.customer_id, &found.customer_id)
            && fits(&self.label, &found.label)
            && fits(&self.code, &found.code)
            && fits(&self.message, &found.message)
            && self.more.iter().all(told)
    }
}

impl Reported {
    fn matches(&self, id: &str, cells: &[String]) -> bool {
        fits(&self.id, id)
            && self.cells.len() <= cells.len()
            && self
                .cells
                .iter()
                .zip(cells)
                .all(|(wanted, found)| glob(wanted, found))
    }
}

impl Logged {
    fn matches(&self, call: &Call) -> bool {
        match call {
            Call::Log { level, message } => {
                fits(&self.level, level) && fits(&self.message, message)
            }
            _ => false,
        }
    }
}
