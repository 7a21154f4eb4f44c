//! Preview: the same job on the same data, with a world that agrees to everything and keeps nothing.
//!
//! Reads go to the real services and the real store. Writes to Sage are answered here, as Sage would; commits land in an overlay that
//! is thrown away; and what would have been done is reported as a plan. So what a preview lists is what the job does.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::arithmetic::{Priced, Totals};
use crate::capability::{
    Activity, Answer, Capabilities, Change, Effect, Entry, Failure, Pair, Request, Response, Row,
    Unanswered,
};
use crate::collect::ToMap;
use crate::json;
use crate::planted::{Mistake, is_planted};
use crate::sage;
use crate::splynx;
use crate::sync::{calibration, lists};
use crate::write::remote::FOUND;

/// Ids of what a preview has made itself: far above real ones, so that they never meet, and no service can have them.
pub const MADE_ABOVE: i64 = 1 << 60;
/// Rows handed to the host at once.
const REPORT_PAGE: usize = 100;

pub struct Preview<'a> {
    real: &'a mut dyn Capabilities,
    overlay: BTreeMap<(String, String), Option<String>>,
    /// Documents that would have been changed, by the path that reads them: what is allocated to them is decided by what they become.
    changed: BTreeMap<String, String>,
    plan: Vec<Row>,
    /// The last id that was given to what a service would have stored.
    next_id: i64,
    /// Requests to Splynx and to Sage that were answered here.
    held_back: [u64; 2],
}

impl<'a> Preview<'a> {
    pub fn new(real: &'a mut dyn Capabilities) -> Self {
        Self {
            real,
            overlay: BTreeMap::new(),
            changed: BTreeMap::new(),
            plan: Vec::new(),
            next_id: MADE_ABOVE,
            held_back: [0; 2],
        }
    }

    /// Hands the rest of the plan to the host, and tells how many requests the job itself would send besides.
    ///
    /// # Errors
    /// The host's.
    pub fn finish(mut self) -> Result<[(String, u64); 2], Failure> {
        self.flush()?;
        let [splynx, sage] = self.held_back;
        Ok([(splynx::CONNECTION, splynx), (sage::CONNECTION, sage)]
            .map(|(connection, count)| (format!("writes to {connection}"), count)))
    }

    fn flush(&mut self) -> Result<(), Failure> {
        if self.plan.is_empty() {
            return Ok(());
        }
        self.real.report("plan", std::mem::take(&mut self.plan))
    }

    /// Splynx's answer to a POST or PUT (Splynx API 2.1).
    fn accepted(&mut self, request: &Request) -> Answer {
        let (status, body) = if request.method == "POST" {
            self.next_id += 1;
            (201, format!(r#"{{"id":{}}}"#, self.next_id))
        } else {
            (202, String::new())
        };
        Ok(Response {
            status,
            headers: Vec::new(),
            body,
        })
    }

    /// Sage's answer to a Save: the object with its id and totals; to a batch, a list of them; to a Delete, nothing.
    fn stored(&mut self, request: &Request) -> Answer {
        let answer = match serde_json::from_str(&request.body).unwrap_or_default() {
            Value::Array(objects) => {
                let stored = objects.into_iter().map(|object| self.stored_object(object));
                Value::Array(stored.collect::<Result<_, Unanswered>>()?)
            }
            object => {
                let stored = self.stored_object(object)?;
                if let (Some(service), Some(id)) = (
                    request.path.strip_suffix("/Save"),
                    json::integer(&stored, "ID"),
                ) && id < MADE_ABOVE
                {
                    self.changed
                        .insert(format!("{service}/Get/{id}"), stored.to_string());
                }
                stored
            }
        };
        Ok(Response {
            status: 200,
            headers: Vec::new(),
            body: answer.to_string(),
        })
    }

    fn stored_object(&mut self, mut object: Value) -> Result<Value, Unanswered> {
        let is_new = json::relation(&object, "ID").is_none();
        let totals = match json::field(&object, "Lines").as_array() {
            Some(lines) => Some(self.totals(&object, lines).map_err(|reason| Unanswered {
                maybe_sent: false,
                reason,
            })?),
            None => None,
        };
        let before = sage::amount(&object, "Total");
        let due = sage::amount(&object, "AmountDue");
        if let Some(object) = object.as_object_mut() {
            if is_new {
                self.next_id += 1;
                object.insert("ID".to_owned(), self.next_id.into());
            }
            if let Some(totals) = totals {
                let total = json::number(totals.total);
                if let (Some(before), Some(due)) = (before, due) {
                    object.insert(
                        "AmountDue".to_owned(),
                        json::number(due + totals.total - before),
                    );
                }
                object.insert("Total".to_owned(), total);
                object.insert("Tax".to_owned(), json::number(totals.tax));
            }
        }
        Ok(object)
    }

    /// What Sage would make of the lines, as far as its arithmetic is known.
    fn totals(&mut self, document: &Value, lines: &[Value]) -> Result<Totals, Failure> {
        let inclusive = json::flag(document, "Inclusive");
        let mut priced = Vec::new();
        for line in lines {
            let price = if inclusive {
                "UnitPriceInclusive"
            } else {
                "UnitPriceExclusive"
            };
            let tax = json::integer(line, "TaxTypeId").unwrap_or_default();
            priced.push(Priced {
                quantity: json::decimal(line, "Quantity").unwrap_or_default(),
                price: json::decimal(line, price).unwrap_or_default(),
                rate: lists::stored_rate(self, tax)?,
            });
        }
        Ok(calibration::stored_arithmetic(self)?.totals(inclusive, priced))
    }

    fn plan_row(activity: &Activity) -> Row {
        let amount = activity
            .more
            .iter()
            .find(|(name, _)| name == "amount")
            .map(|(_, value)| value.clone())
            .unwrap_or_default();
        let act = match activity.action.as_str() {
            "created" => "create",
            "updated" => "update",
            "paired" => "pair",
            "skipped" => "skip",
            "held" => "hold",
            "owed" => "owe",
            "imported" => "import",
            "listed" => "list",
            other => other,
        };
        Row {
            id: format!("{}/{}", activity.entity, activity.local_id),
            cells: vec![
                act.to_owned(),
                activity.entity.clone(),
                activity.local_id.clone(),
                activity.label.clone(),
                amount,
                activity.message.clone(),
            ],
            more: Vec::new(),
        }
    }
}

impl Capabilities for Preview<'_> {
    fn send(&mut self, requests: Vec<Request>) -> Vec<Answer> {
        // A batch is all reads or all writes; both keep the order.
        if requests.iter().all(|r| r.effect == Effect::Read) {
            let changed: Vec<Option<String>> = requests
                .iter()
                .map(|request| self.changed.get(&request.path).cloned())
                .collect();
            let mut answers = self.real.send(requests);
            for (answer, changed) in answers.iter_mut().zip(changed) {
                if let (Ok(response), Some(changed)) = (answer, changed) {
                    response.body = changed;
                }
            }
            return answers;
        }
        requests
            .iter()
            .map(|request| match request.connection {
                splynx::CONNECTION => {
                    self.held_back[0] += 1;
                    self.accepted(request)
                }
                _ => {
                    self.held_back[1] += 1;
                    self.stored(request)
                }
            })
            .collect()
    }

    fn get(&mut self, table: &str, keys: &[String]) -> Result<Vec<Entry>, Failure> {
        let stored = self
            .real
            .get(table, keys)?
            .into_iter()
            .map(|entry| (entry.key, entry.value))
            .to_map();
        Ok(keys
            .iter()
            .filter_map(|key| {
                let value = match self.overlay.get(&(table.to_owned(), key.clone())) {
                    Some(overlaid) => overlaid.clone(),
                    None => stored.get(key).cloned(),
                };
                Some(Entry {
                    key: key.clone(),
                    value: value?,
                })
            })
            .collect())
    }

    fn scan(
        &mut self,
        table: &str,
        prefix: &str,
        after: &str,
        limit: u32,
    ) -> Result<Vec<Entry>, Failure> {
        let limit = limit as usize;
        let mut merged = BTreeMap::new();
        let mut place = after.to_owned();
        // Deletions in the overlay can empty a page of stored entries, so pages are read until enough is left.
        loop {
            let page = self.real.scan(table, prefix, &place, limit as u32)?;
            let complete = page.len() < limit;
            if let Some(last) = page.last() {
                place.clone_from(&last.key);
            }
            for entry in page {
                if !self
                    .overlay
                    .contains_key(&(table.to_owned(), entry.key.clone()))
                {
                    merged.insert(entry.key, entry.value);
                }
            }
            if complete || merged.len() >= limit {
                break;
            }
        }
        let start = (table.to_owned(), after.max(prefix).to_owned());
        let overlaid = self
            .overlay
            .range(start..)
            .take_while(|((t, key), _)| t == table && key.starts_with(prefix))
            .filter(|((_, key), _)| key.as_str() > after)
            .filter_map(|((_, key), value)| Some((key.clone(), value.clone()?)))
            .take(limit);
        merged.extend(overlaid);
        Ok(merged
            .into_iter()
            .take(limit)
            .map(|(key, value)| Entry { key, value })
            .collect())
    }

    fn commit(
        &mut self,
        _expect: Vec<Change>,
        changes: Vec<Change>,
        activities: Vec<Activity>,
    ) -> Result<(), Failure> {
        for change in changes {
            if change.table == FOUND && is_planted(Mistake::PreviewForgets) {
                continue;
            }
            self.overlay
                .insert((change.table.to_owned(), change.key), change.value);
        }
        self.plan.extend(activities.iter().map(Self::plan_row));
        if self.plan.len() >= REPORT_PAGE {
            self.flush()?;
        }
        Ok(())
    }

    fn settings(&mut self) -> Vec<Pair> {
        self.real.settings()
    }

    fn set_fetched(&mut self, _key: &str, _value: &str) -> Result<(), Failure> {
        Ok(())
    }

    fn context(&mut self) -> Vec<Pair> {
        self.real.context()
    }

    fn now(&mut self) -> u64 {
        self.real.now()
    }

    fn log(&mut self, level: &str, message: &str) {
        self.real.log(level, message);
    }

    fn progress(&mut self, stage: &str, done: u64, total: u64) -> bool {
        self.real.progress(stage, done, total)
    }

    fn report(&mut self, kind: &str, rows: Vec<Row>) -> Result<(), Failure> {
        self.real.report(kind, rows)
    }
}
