//! Preview: the same job on the same data, with a world that agrees to everything and keeps nothing.
//!
//! Reads go to the real services and the real store. Writes to Sage are answered here, as Sage would; commits land in an overlay that
//! is thrown away; and what would have been done is reported as a plan. So what a preview lists is what the job does.

use std::collections::BTreeMap;

use crate::arithmetic::Totals;
use crate::capability::{
    Activity, Answer, Capabilities, Change, Effect, Entry, Failure, Pair, Request, Response, Row,
    Unanswered,
};
use crate::collect::ToMap;
use crate::planted::{Mistake, is_planted};
use crate::sage::{self, Object};
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
        let (objects, is_batch) = Object::of_body(&request.body);
        let mut bodies = Vec::new();
        for object in objects {
            let stored = self.stored_object(&object)?;
            let id = stored.id().filter(|id| !is_batch && *id < MADE_ABOVE);
            let changed = id.and_then(|id| sage::path_of_saved(&request.path, id));
            let body = stored.into_body();
            if let Some(path) = changed {
                self.changed.insert(path, body.clone());
            }
            bodies.push(body);
        }
        let body = bodies.join(",");
        Ok(Response {
            status: 200,
            headers: Vec::new(),
            body: if is_batch { format!("[{body}]") } else { body },
        })
    }

    fn stored_object(&mut self, object: &Object) -> Result<Object, Unanswered> {
        let totals = self.totals(object).map_err(|reason| Unanswered {
            maybe_sent: false,
            reason,
        })?;
        let id = object.is_new().then(|| {
            self.next_id += 1;
            self.next_id
        });
        Ok(object.as_stored(id, totals))
    }

    /// What Sage would make of the lines, as far as its arithmetic is known; `None`: it has none.
    fn totals(&mut self, document: &Object) -> Result<Option<Totals>, Failure> {
        let Some(mut unrated) = document.to_compute() else {
            return Ok(None);
        };
        for (line, tax_type) in &mut unrated.lines {
            line.rate = lists::stored_rate(self, *tax_type)?;
        }
        let lines = unrated.lines.into_iter().map(|(line, _)| line);
        let arithmetic = calibration::stored_arithmetic(self)?;
        Ok(Some(arithmetic.totals(unrated.is_inclusive, lines)))
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
