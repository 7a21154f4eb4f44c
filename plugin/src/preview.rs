//! Preview: the same job on the same data, with a world that agrees to everything and keeps nothing.
//!
//! Reads go to the real services and the real store. Writes to Sage are answered here, as Sage would; commits land in an overlay that
//! is thrown away; and what would have been done is reported as a plan. So what a preview lists is what the job does.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::capability::{
    Activity, Answer, Capabilities, Change, Effect, Entry, Failure, Pair, Request, Response, Row,
};
use crate::json;
use crate::splynx;

/// Rows handed to the host at once.
const REPORT_PAGE: usize = 100;

pub struct Preview<'a> {
    real: &'a mut dyn Capabilities,
    overlay: BTreeMap<(String, String), Option<String>>,
    plan: Vec<Row>,
    /// Ids of what Sage would have stored; far above real ones, so that they never meet.
    next_id: i64,
}

impl<'a> Preview<'a> {
    pub fn new(real: &'a mut dyn Capabilities) -> Self {
        Self {
            real,
            overlay: BTreeMap::new(),
            plan: Vec::new(),
            next_id: 1 << 60,
        }
    }

    /// Hands the rest of the plan to the host.
    ///
    /// # Errors
    /// The host's.
    pub fn finish(mut self) -> Result<(), Failure> {
        self.flush()
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

    /// Sage's answer to a Save: the object with its id, number and total.
    fn stored(&mut self, request: &Request) -> Answer {
        let mut object: Value = serde_json::from_str(&request.body).unwrap_or_default();
        let is_new = json::relation(&object, "ID").is_none();
        let line_total = json::field(&object, "Lines").as_array().map(|lines| {
            lines
                .iter()
                .filter_map(|line| {
                    Some(
                        json::decimal(line, "Quantity")?
                            * json::decimal(line, "UnitPriceInclusive")?,
                    )
                })
                .sum()
        });
        if let Some(object) = object.as_object_mut() {
            if is_new {
                self.next_id += 1;
                object.insert("ID".to_owned(), self.next_id.into());
            }
            if let Some(total) = line_total {
                object.insert("Total".to_owned(), json::number(total));
            }
        }
        Ok(Response {
            status: 200,
            headers: Vec::new(),
            body: object.to_string(),
        })
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
            return self.real.send(requests);
        }
        requests
            .iter()
            .map(|request| match request.connection {
                splynx::CONNECTION => self.accepted(request),
                _ => self.stored(request),
            })
            .collect()
    }

    fn get(&mut self, table: &str, keys: &[String]) -> Result<Vec<Entry>, Failure> {
        let stored: BTreeMap<String, String> = self
            .real
            .get(table, keys)?
            .into_iter()
            .map(|entry| (entry.key, entry.value))
            .collect();
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
