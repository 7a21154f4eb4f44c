//! What one run hears from its host, taken down while it works.
//!
//! Of what is stored, only what the run looked at is taken: with nothing else there, it would have done the same.

use std::collections::{BTreeMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, Utc};

use addon_store::{Change, Entry};
use addon_traffic::{Answer, Request};

/// Bytes of a run that is taken down whole.
const LARGEST: usize = 64 << 20;
/// Failed exchanges that are kept of any run, the last ones, and bytes of one of them.
const FAILED: usize = 20;
const LARGEST_FAILED: usize = 64 << 10;

/// How much of a run is taken down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    Whole,
    /// Exchanges that failed.
    Failures,
}

#[derive(Debug)]
pub struct Tape {
    scope: Scope,
    taken: Mutex<TapeContents>,
}

/// A table and a key.
pub type StoredKey = (String, String);

#[derive(Debug, Default)]
pub struct TapeContents {
    pub exchanges: Vec<(Request, Answer)>,
    /// As it stood before the run.
    pub stored: BTreeMap<StoredKey, String>,
    /// Written by the run itself, or looked at before.
    known: HashSet<StoredKey>,
    commits: u64,
    /// Codes with which commits failed, by their number in the run.
    pub failed_commits: BTreeMap<u64, String>,
    /// As the run found them first.
    pub settings: Option<Vec<(String, String)>>,
    pub context: Option<Vec<(String, String)>>,
    /// Texts whose digests the add-on stores.
    pub digested: Vec<String>,
    progressed: u64,
    /// How often the run was told to go on before it was told to stop.
    pub stopped_after: Option<u64>,
    pub sends: u64,
    pub began: Option<DateTime<Utc>>,
    pub ended: Option<DateTime<Utc>>,
    bytes: usize,
}

impl TapeContents {
    /// Whether there was more than is taken down.
    pub fn is_cut(&self) -> bool {
        self.bytes > LARGEST
    }
}

impl Tape {
    pub fn new(scope: Scope) -> Self {
        Self {
            scope,
            taken: Mutex::default(),
        }
    }

    pub fn is_whole(&self) -> bool {
        self.scope == Scope::Whole
    }

    /// One batch.
    pub fn answered(&self, requests: Vec<Request>, answers: &[Answer], now: DateTime<Utc>) {
        let mut taken = self.lock();
        taken.sends += 1;
        taken.ended = Some(now);
        let exchanges = requests.into_iter().zip(answers);
        for (request, answer) in exchanges.filter(|(_, answer)| !is_refused(answer)) {
            let bytes = bytes(&request, answer);
            match self.scope {
                Scope::Whole => {
                    taken.bytes += bytes;
                    if !taken.is_cut() {
                        taken.exchanges.push((request, answer.clone()));
                    }
                }
                Scope::Failures if has_failed(answer) && bytes <= LARGEST_FAILED => {
                    if taken.exchanges.len() == FAILED {
                        taken.exchanges.drain(..1);
                    }
                    taken.exchanges.push((request, answer.clone()));
                }
                Scope::Failures => {}
            }
        }
    }

    /// What the run read, of keys that it may have written itself.
    pub fn read(&self, table: &str, entries: &[Entry]) {
        let Some(mut taken) = self.whole() else {
            return;
        };
        for Entry { key, value } in entries {
            let place = (table.to_owned(), key.clone());
            if !taken.is_cut() && taken.known.insert(place.clone()) {
                taken.bytes += value.len();
                taken.stored.insert(place, value.clone());
            }
        }
    }

    /// A commit: what it writes, and the code that it failed with, if it did.
    pub fn committed(&self, changes: &[Change], code: Option<&str>) {
        let Some(mut taken) = self.whole() else {
            return;
        };
        taken.commits += 1;
        let number = taken.commits;
        match code {
            Some(code) => {
                taken.failed_commits.insert(number, code.to_owned());
            }
            None => {
                let places = changes.iter();
                let places = places.map(|change| (change.table.clone(), change.key.clone()));
                taken.known.extend(places);
            }
        }
    }

    pub fn found_settings(&self, settings: &[(String, String)]) {
        if let Some(mut taken) = self.whole() {
            taken.settings.get_or_insert_with(|| settings.to_vec());
        }
    }

    pub fn found_context(&self, context: &[(String, String)]) {
        if let Some(mut taken) = self.whole() {
            taken.context.get_or_insert_with(|| context.to_vec());
        }
    }

    pub fn was_told(&self, now: DateTime<Utc>) {
        if let Some(mut taken) = self.whole() {
            taken.began.get_or_insert(now);
        }
    }

    pub fn digested(&self, text: &str) {
        if let Some(mut taken) = self.whole() {
            taken.bytes += text.len();
            if !taken.is_cut() {
                taken.digested.push(text.to_owned());
            }
        }
    }

    pub fn progressed(&self, goes_on: bool) {
        let Some(mut taken) = self.whole() else {
            return;
        };
        if goes_on {
            taken.progressed += 1;
        } else {
            let before = taken.progressed;
            taken.stopped_after.get_or_insert(before);
        }
    }

    /// What was taken down; nothing is left.
    pub fn take(&self) -> TapeContents {
        std::mem::take(&mut *self.lock())
    }

    fn whole(&self) -> Option<MutexGuard<'_, TapeContents>> {
        self.is_whole().then(|| self.lock())
    }

    fn lock(&self) -> MutexGuard<'_, TapeContents> {
        // Each change is whole in itself, so a poisoned lock guards nothing broken.
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether the host sent nothing because of the request itself, or of who sends it: every host does that by itself.
fn is_refused(answer: &Answer) -> bool {
    const CODES: [&str; 4] = ["invalid-request", "no-http", "preview", "stopped"];
    let code = answer.as_ref().err().map(|why| why.reason.code.as_str());
    code.is_some_and(|code| CODES.contains(&code))
}

fn has_failed(answer: &Answer) -> bool {
    answer
        .as_ref()
        .map_or(true, |response| response.status >= 400)
}

fn bytes(request: &Request, answer: &Answer) -> usize {
    let query = request.query.iter();
    let query: usize = query.map(|(name, value)| name.len() + value.len()).sum();
    let answered = answer.as_ref().map_or(0, |response| response.body.len());
    request.body.len() + request.path.len() + query + answered
}
