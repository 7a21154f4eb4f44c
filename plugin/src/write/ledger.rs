//! The run's view of the stored records, and its only way to change them.

use std::collections::BTreeSet;

use crate::capability::{Activity, Capabilities, Entry, Failure, Request, Response};
use crate::clocks::Clocks;
use crate::collect::{Map, Set, ToMap, ToSet};
use crate::money;
use crate::planted::{Mistake, is_planted};
use crate::sage::Service;
use crate::settings::Settings;
use crate::stored;
use crate::write::allowed::Refusal;
use crate::write::limits::{LIMITS, Limits};
use crate::write::prefixes::under;
use crate::write::record::{
    Batch, Kind, OPEN, RECORDS, REMOTE, Reason, Record, RecordKey, Remote, State, Stored, WAITING,
};

/// Small facts of the installation: cursors, what was loaded, which settings the records were last judged by.
pub const META: &str = "meta";

/// Set where Sage stored another total than was predicted: its arithmetic is to be asked for again.
pub const CALIBRATION_DUE: &str = "calibration-due";

/// Where [`META`] keeps the address under which this installation has known Splynx first.
pub const FIRST_ADDRESS: &str = "splynx-address";

/// Where [`META`] keeps how far the changed records of a kind were read.
pub fn cursor_key(kind: Kind) -> String {
    format!("cursor/{}", kind.name())
}

/// Rows read from storage at once.
pub const PAGE: u32 = 200;

/// Why a job ends before its work is done. What was committed stays.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RunError {
    /// A person asked for it, or the time is up.
    Stopped,
    /// A limit: go on at the failure's `retry_at`.
    Paused(Failure),
    Failed(Failure),
}

impl From<Failure> for RunError {
    fn from(failure: Failure) -> Self {
        match failure.code.as_str() {
            "paused" => Self::Paused(failure),
            "stopped" => Self::Stopped,
            _ => Self::Failed(failure),
        }
    }
}

impl RunError {
    /// Why only what matters less is put off (`http.wit`, options).
    pub fn of_share(&self) -> Option<&Failure> {
        match self {
            Self::Paused(why) => why
                .more
                .iter()
                .any(|(name, limit)| name == "limit" && limit == "share")
                .then_some(why),
            _ => None,
        }
    }

    /// For callers that do no work in steps.
    pub fn into_failure(self) -> Failure {
        match self {
            Self::Stopped => Failure::new("stopped", "It was stopped."),
            Self::Paused(failure) | Self::Failed(failure) => failure,
        }
    }
}

pub type RunResult<T> = Result<T, RunError>;

/// What a run works with.
pub struct Run<'a> {
    pub cap: &'a mut dyn Capabilities,
    pub settings: Settings,
    /// What the company in Sage lets nobody send, as it was read last.
    pub limits: Limits,
    /// For the run's summary: `invoices created` → 12.
    pub counts: Map<String, u64>,
    /// Whose news in Sage this run has listed ([`crate::write::remote::refresh_index`]).
    pub caught_up: Vec<Service>,
    /// Sources of mapping lists and the like that this run has read anew ([`crate::sync::renewal`], [`crate::write::limits`]).
    pub renewed: Vec<&'static str>,
    /// Sage has just stored other VAT than its tax type's rate makes: nothing more is sent by that before it was looked at.
    pub doubts_tax: bool,
    /// Whether this run has read what Splynx's statements say of payments ([`crate::sync::import_recovery::before_payments_go`]).
    pub knows_statements: bool,
    /// Whether this run, or another by itself, sends invoices before it comes to payments: none goes before its invoice.
    pub brings_invoices: bool,
    /// Why some of what matters less stays planned, while the rest went on.
    pub put_off: Option<Failure>,
    /// The customers that this run has looked at ([`crate::sync::customers::look_after`]).
    pub seen_customers: BTreeSet<i64>,
    /// What the run has heard of the services' clocks.
    pub clocks: Clocks,
    /// What did not work and cost no more than itself, for people.
    pub notes: Vec<Failure>,
    /// Which services have answered a Save: until then what is sent goes alone.
    pub answered: Vec<Service>,
    /// Of which service the answer to a Save that went alone was lost last.
    pub lost_alone: Option<Service>,
    /// How Sage takes ids from 2^31 on in a search, as far as this run knows.
    pub long_ids_are_suffixed: bool,
    /// What the services refuse for want of a right; `None`: not read yet.
    pub(super) refusals: Option<Map<String, Refusal>>,
    stage: Stage,
}

/// How far the part of the work that is under way has come, for people.
#[derive(Debug, Clone, Default)]
struct Stage {
    title: String,
    done: u64,
    /// 0: not known.
    total: u64,
}

impl<'a> Run<'a> {
    /// # Errors
    /// Where the settings cannot be read.
    pub fn new(cap: &'a mut dyn Capabilities) -> Result<Self, Failure> {
        let known = cap.get(META, &[FIRST_ADDRESS, LIMITS].map(str::to_owned))?;
        let of = |key: &str| known.iter().find(|entry| entry.key == key);
        let first_address = of(FIRST_ADDRESS).map(|entry| entry.value.as_str());
        let settings = Settings::load(cap, first_address)?;
        let limits = Limits::stored(of(LIMITS));
        Ok(Self {
            cap,
            settings,
            limits,
            counts: Map::new_vec(),
            caught_up: Vec::new(),
            renewed: Vec::new(),
            brings_invoices: false,
            doubts_tax: false,
            knows_statements: false,
            put_off: None,
            seen_customers: BTreeSet::new(),
            clocks: Clocks::default(),
            notes: Vec::new(),
            answered: Vec::new(),
            lost_alone: None,
            long_ids_are_suffixed: false,
            refusals: None,
            stage: Stage::default(),
        })
    }

    pub fn count(&mut self, what: String) {
        *self.counts.entry(what).or_default() += 1;
    }

    /// Tells how far a stage has come; ends the job where a person asked for it.
    pub fn progress(&mut self, title: &str, done: u64, total: u64) -> RunResult<()> {
        self.stage = Stage {
            title: title.to_owned(),
            done,
            total,
        };
        self.advance(0)
    }

    /// Tells of something that the stage under way needs first, and that it goes on from; ends the job where a person asked for it.
    pub fn meanwhile(&mut self, title: &str, done: u64) -> RunResult<()> {
        if self.cap.progress(title, done, 0) {
            Ok(())
        } else {
            Err(RunError::Stopped)
        }
    }

    /// The stage under way has come so many records further; ends the job where a person asked for it.
    pub fn advance(&mut self, by: usize) -> RunResult<()> {
        let Stage { title, done, total } = &mut self.stage;
        *done += by as u64;
        if self.cap.progress(title, *done, *total) {
            Ok(())
        } else {
            Err(RunError::Stopped)
        }
    }

    /// One request and its answer; ends the job where there is none.
    pub fn send(&mut self, request: Request) -> RunResult<Response> {
        let connection = request.connection;
        match self.send_all(vec![request]).pop() {
            Some(Ok(response)) => {
                if !self.clocks.has_heard(connection) {
                    let now = self.cap.now();
                    self.clocks.hear(connection, &response.headers, now);
                }
                Ok(response)
            }
            Some(Err(unanswered)) => Err(unanswered.reason.into()),
            None => Err(RunError::Failed(Failure::new(
                "internal",
                "The host did not answer a request.",
            ))),
        }
    }

    /// Records that waited for what has become of others are planned again in the same commit, so that a crash cannot leave them
    /// waiting; those that are in it themselves have just been judged.
    pub fn commit(&mut self, mut batch: Batch) -> RunResult<()> {
        let came_true = std::mem::take(&mut batch.came_true);
        let prefixes = came_true.iter().map(|token| waiting_for(token)).to_set();
        for (prefix, mut waiting) in under(self.cap, WAITING, prefixes, PAGE)? {
            while let Some(last) = waiting.last() {
                let last = last.key.clone();
                let complete = waiting.len() < PAGE as usize;
                self.plan(&mut batch, &prefix, &waiting)?;
                waiting = match complete {
                    true => Vec::new(),
                    false => self.cap.scan(WAITING, &prefix, &last, PAGE)?,
                };
            }
        }
        if !batch.is_empty() {
            let (expect, changes, activities) = batch.into_parts();
            self.cap.commit(expect, changes, activities)?;
        }
        Ok(())
    }

    pub fn meta(&mut self, key: &str) -> RunResult<Option<String>> {
        let entries = self.cap.get(META, &[key.to_owned()])?;
        Ok(entries.into_iter().next().map(|entry| entry.value))
    }

    /// The records of these keys; a key without a record gets an empty [`Stored`].
    pub fn records(
        &mut self,
        keys: impl IntoIterator<Item = RecordKey>,
    ) -> RunResult<Map<RecordKey, Stored>> {
        self.records_of(&keys.into_iter().to_set())
    }

    fn records_of(&mut self, keys: &Set<RecordKey>) -> RunResult<Map<RecordKey, Stored>> {
        let mut records = keys.iter().map(|key| (*key, Stored::default())).to_map();
        let texts: Vec<String> = keys.iter().map(ToString::to_string).collect();
        for entry in self.cap.get(RECORDS, &texts)? {
            let (key, stored) = stored_record(entry)?;
            records.insert(key, stored);
        }
        Ok(records)
    }

    /// The next page of records of a kind that a run has to look at, with their state's name, and moves the place behind it. None:
    /// there are no more.
    pub fn next_open(
        &mut self,
        kind: Kind,
        after: &mut String,
    ) -> RunResult<Option<Vec<(RecordKey, String)>>> {
        let prefix = format!("{}/", kind.name());
        let entries = self.cap.scan(OPEN, &prefix, after, PAGE)?;
        let Some(last) = entries.last() else {
            return Ok(None);
        };
        after.clone_from(&last.key);
        Ok(Some(
            entries
                .into_iter()
                .filter_map(|entry| Some((RecordKey::parse(&entry.key)?, entry.value)))
                .collect(),
        ))
    }

    /// Has records that are synced or held looked at again: something that they hang on has moved.
    pub fn look_again(&mut self, batch: &mut Batch, keys: Vec<RecordKey>) -> RunResult<()> {
        for (key, stored) in self.records(keys)? {
            if let Some(record) = stored.record.clone()
                && matches!(record.state, State::Synced | State::Held)
            {
                let record = Record {
                    state: State::Planned,
                    ..record
                };
                self.put(batch, key, &stored, record)?;
            }
        }
        Ok(())
    }

    /// The records that these objects in Sage are paired with, by the objects' texts.
    pub fn paired(
        &mut self,
        remotes: impl IntoIterator<Item = Remote>,
    ) -> RunResult<Map<String, RecordKey>> {
        let keys: Vec<String> = remotes
            .into_iter()
            .map(|remote| remote.to_string())
            .collect();
        let entries = self.cap.get(REMOTE, &keys)?.into_iter();
        Ok(entries
            .filter_map(|entry| Some((entry.key, RecordKey::parse(&entry.value)?)))
            .to_map())
    }

    /// The records of a kind, in pages.
    pub fn known(&mut self, kind: Kind, after: &str) -> RunResult<Vec<(RecordKey, Stored)>> {
        let prefix = format!("{}/", kind.name());
        let entries = self.cap.scan(RECORDS, &prefix, after, PAGE)?;
        entries.into_iter().map(stored_record).collect()
    }

    /// Stores a record's new state, and notes whom it lets go on: who waited for this one, or for what it is paired with.
    pub fn put(
        &mut self,
        batch: &mut Batch,
        key: RecordKey,
        old: &Stored,
        new: Record,
    ) -> RunResult<Stored> {
        let before = old.record.as_ref();
        let mut news = Vec::new();
        if before.map(|record| record.state) != Some(new.state) && new.state.is_settled() {
            news.push(format!("record:{key}"));
        }
        if let Some(remote) = &new.remote
            && before.and_then(|record| record.remote.as_ref()) != Some(remote)
        {
            news.push(format!("remote:{remote}"));
        }
        let moves_money = matches!(key.kind, Kind::Invoice | Kind::CreditNote | Kind::Payment);
        if moves_money && !news.is_empty() {
            batch.look_at_allocations(new.customer);
        }
        let was_left_out = before.is_some_and(|record| record.state == State::Skipped);
        if key.kind == Kind::Customer && was_left_out && new.state != State::Skipped {
            batch.look_at_allocations(key.id);
        }
        batch.came_true.extend(news);
        Ok(batch.put(key, old, new))
    }

    /// Everything that waits for a setting is planned again, because it has changed.
    pub fn wake(&mut self, setting: &str) -> RunResult<()> {
        if is_planted(Mistake::NobodyWoken) {
            return Ok(());
        }
        let prefix = waiting_for(&format!("setting:{setting}"));
        loop {
            let mut batch = Batch::default();
            let waiting = self.cap.scan(WAITING, &prefix, "", PAGE)?;
            self.plan(&mut batch, &prefix, &waiting)?;
            if batch.is_empty() {
                return Ok(());
            }
            self.commit(batch)?;
            if waiting.len() < PAGE as usize {
                return Ok(());
            }
        }
    }

    /// Plans the records of entries of [`WAITING`] under a prefix.
    fn plan(&mut self, batch: &mut Batch, prefix: &str, waiting: &[Entry]) -> RunResult<()> {
        let keys: Vec<RecordKey> = waiting
            .iter()
            .filter_map(|entry| RecordKey::parse(entry.key.strip_prefix(prefix)?))
            .filter(|key| !batch.holds(*key))
            .collect();
        for (key, stored) in self.records(keys)? {
            if let Some(record) = &stored.record {
                let new = Record {
                    state: State::Planned,
                    reason: Reason::default(),
                    ..record.clone()
                };
                if key.kind == Kind::Customer {
                    // While it was left out, nobody looked at what its payments settle.
                    batch.look_at_allocations(key.id);
                }
                batch.put(key, &stored, new);
            }
        }
        Ok(())
    }

    /// Wakes the records that wait for a setting which has changed since the records were last judged.
    pub fn wake_changed_settings(&mut self) -> RunResult<()> {
        const KEY: &str = "settings-judged-by";
        let current = stored::to_text(self.settings.values());
        let stored = self.meta(KEY)?;
        if stored.as_ref() == Some(&current) {
            return Ok(());
        }
        let before: Map<String, String> = stored
            .as_deref()
            .and_then(stored::from_text)
            .unwrap_or_default();
        let names = before
            .keys()
            .chain(self.settings.values().keys())
            .cloned()
            .to_set();
        let mut batch = Batch::default();
        for name in names {
            if before.get(&name) != self.settings.values().get(&name) {
                self.wake(&name)?;
                // Whom a partner's ticks concern is known to Splynx only, so all customers are looked at again.
                if name == "partners_ignore" {
                    batch.delete(META, cursor_key(Kind::Customer));
                }
            }
        }
        batch.set(META, KEY, current);
        self.commit(batch)
    }
}

/// Where [`WAITING`] keeps what waits for a token.
fn waiting_for(token: &str) -> String {
    format!("{token}|")
}

/// A record as its table's entry holds it.
pub fn stored_record(entry: Entry) -> RunResult<(RecordKey, Stored)> {
    let damaged = || {
        RunError::Failed(Failure::new(
            "damaged",
            format!(
                "The stored record {} cannot be read. Restore the latest backup, or ask support.",
                entry.key
            ),
        ))
    };
    let key = RecordKey::parse(&entry.key).ok_or_else(damaged)?;
    let stored = Stored::parse(entry.value.clone()).ok_or_else(damaged)?;
    Ok((key, stored))
}

/// The activity for a record's new state.
pub fn activity(key: RecordKey, record: &Record, action: &str) -> Activity {
    let mut more = Vec::new();
    if let Some(amount) = record.amount {
        more.push(("amount".to_owned(), money::plain(amount)));
    }
    if !record.reason.cure.is_empty() {
        more.push(("cure".to_owned(), record.reason.cure.clone()));
    }
    Activity {
        entity: key.kind.name().to_owned(),
        action: action.to_owned(),
        local_id: key.id.to_string(),
        // A receipt is Sage's own: what it becomes in Splynx is told with that.
        remote_id: match (&record.remote, key.kind) {
            (Some(remote), kind) if kind != Kind::Receipt => remote.id.to_string(),
            _ => String::new(),
        },
        customer_id: record.customer.to_string(),
        label: record.label.clone(),
        code: record.reason.code.clone(),
        message: record.reason.message.clone(),
        more,
    }
}
