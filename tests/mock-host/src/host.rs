//! A host in memory: the contract's imports over a [`World`] and a [`MemoryStorage`].
//!
//! Every capability call of a guest passes here once, numbered, so this is the place to observe a run and to let it die.
//! Components reach it through [`crate::component`]; native code calls the same methods. It outlives the run: storage, world
//! and trace are there for the next one.

use std::collections::{BTreeMap, BTreeSet};

use crate::contract::{Activity, Answer, Change, Entry, Failure, Pair, Request, Row, Unanswered};
use crate::death::{Death, DeathPoint, Side};
use crate::memory::MemoryStorage;
use crate::requests::{self, Reads, Rights};
use crate::trace::{Call, Exchange, Step};
use crate::world::World;

/// What a call gives back, unless the run dies there.
pub type OrDeath<T> = Result<T, Death>;

#[derive(Debug, Clone)]
pub struct MockHost<W> {
    pub world: W,
    pub storage: MemoryStorage,
    /// Settings and mappings as the guest sees them.
    pub settings: BTreeMap<String, String>,
    /// The settings that the guest itself may store.
    pub fetched_settings: BTreeSet<String>,
    /// What the manifest names under `reads`.
    pub reads: Reads,
    pub context: BTreeMap<String, String>,
    /// What the runs reported, by kind.
    pub reports: BTreeMap<String, Vec<Row>>,
    trace: Option<Vec<Step>>,
    calls: u64,
    death: Option<DeathPoint>,
    rights: Rights,
    stopping: bool,
}

impl<W: World> MockHost<W> {
    /// A host with an empty storage, no settings, and a trace.
    pub fn new(world: W) -> Self {
        Self {
            world,
            storage: MemoryStorage::default(),
            settings: BTreeMap::new(),
            fetched_settings: BTreeSet::new(),
            reads: Reads::new(),
            context: BTreeMap::new(),
            reports: BTreeMap::new(),
            trace: Some(Vec::new()),
            calls: 0,
            death: None,
            rights: Rights::Write,
            stopping: false,
        }
    }

    /// Forgets what runs did instead of keeping it: for long simulations.
    #[must_use]
    pub fn without_trace(mut self) -> Self {
        self.trace = None;
        self
    }

    /// Keeps what runs do from now on.
    pub fn keep_trace(&mut self) {
        self.trace.get_or_insert_default();
    }

    /// Begins a run: calls are numbered from 1 again, the trace and the reports are empty.
    pub fn begin(&mut self, rights: Rights) {
        self.rights = rights;
        self.calls = 0;
        self.stopping = false;
        self.reports.clear();
        if let Some(trace) = &mut self.trace {
            trace.clear();
        }
    }

    /// Lets a run die, once, when it comes to this point: the one under way, or a later one.
    pub fn die_at(&mut self, point: DeathPoint) {
        self.death = Some(point);
    }

    /// How many capability calls the run has made.
    pub fn calls(&self) -> u64 {
        self.calls
    }

    /// What the run did; empty where no trace is kept.
    pub fn trace(&self) -> &[Step] {
        self.trace.as_deref().unwrap_or_default()
    }

    // --- http ---

    /// # Panics
    /// Where the world does not answer every request.
    pub fn send(&mut self, requests: Vec<Request>) -> OrDeath<Vec<Answer>> {
        self.enter()?;
        let refusals: Vec<Option<Unanswered>> = requests
            .iter()
            .map(|request| self.refusal(request))
            .collect();
        // A death within a call decides which of its requests get out.
        let side = self.death_here().unwrap_or(Side::After);
        let mut places = 0..;
        let reach: Vec<bool> = refusals
            .iter()
            .map(|refusal| {
                refusal.is_none() && places.next().is_some_and(|place| side.reaches(place))
            })
            .collect();
        let sent: Vec<Request> = requests
            .iter()
            .zip(&reach)
            .filter(|(_, reaches)| **reaches)
            .map(|(request, _)| request.clone())
            .collect();
        let expected = sent.len();
        let answered = if sent.is_empty() {
            Vec::new()
        } else {
            self.world.send(sent)
        };
        assert_eq!(
            answered.len(),
            expected,
            "a world gives each request exactly one answer"
        );
        let mut answered = answered.into_iter();
        let mut answers = Vec::with_capacity(requests.len());
        let mut exchanges = Vec::with_capacity(requests.len());
        for ((request, refusal), reaches) in requests.into_iter().zip(refusals).zip(reach) {
            let sent = refusal.is_none();
            let answer = if reaches {
                answered.next()
            } else {
                refusal.map(Err)
            };
            // `None`: the run died before this one was sent.
            let Some(answer) = answer else { continue };
            if self.trace.is_some() {
                exchanges.push(Exchange {
                    request,
                    sent,
                    answer: answer.clone(),
                });
            }
            answers.push(answer);
        }
        self.leave(|| Call::Send { exchanges })?;
        Ok(answers)
    }

    fn refusal(&self, request: &Request) -> Option<Unanswered> {
        if self.stopping {
            return Some(Unanswered::not_sent(
                "stopped",
                "a person asked the run to stop",
            ));
        }
        requests::check(request, self.rights, &self.reads).err()
    }

    // --- storage ---

    pub fn get(&mut self, table: &str, keys: &[String]) -> OrDeath<Result<Vec<Entry>, Failure>> {
        self.enter()?;
        let answer = self.storage.get(table, keys);
        self.leave(|| {
            let (found, failure) = parts(&answer);
            Call::Get {
                table: table.to_owned(),
                keys: keys.to_vec(),
                found,
                failure,
            }
        })?;
        Ok(answer)
    }

    pub fn scan(
        &mut self,
        table: &str,
        prefix: &str,
        after: &str,
        limit: u32,
    ) -> OrDeath<Result<Vec<Entry>, Failure>> {
        self.enter()?;
        let answer = self.storage.scan(table, prefix, after, limit);
        self.leave(|| {
            let (found, failure) = parts(&answer);
            let [table, prefix, after] = [table, prefix, after].map(str::to_owned);
            Call::Scan {
                table,
                prefix,
                after,
                limit,
                found,
                failure,
            }
        })?;
        Ok(answer)
    }

    pub fn commit(
        &mut self,
        expect: Vec<Change>,
        changes: Vec<Change>,
        activities: Vec<Activity>,
    ) -> OrDeath<Result<(), Failure>> {
        self.enter()?;
        let answer = if matches!(self.rights, Rights::Preview | Rights::Check | Rights::View) {
            Err(Failure::new(
                "preview",
                "nothing is written now: this only looks",
            ))
        } else if let Some(trouble) = self.world.commit_trouble() {
            Err(trouble)
        } else {
            self.storage.commit(&expect, &changes, &activities)
        };
        let failure = answer.clone().err();
        self.leave(|| Call::Commit {
            expect,
            changes,
            activities,
            failure,
        })?;
        Ok(answer)
    }

    // --- run ---

    pub fn settings(&mut self) -> OrDeath<Vec<Pair>> {
        self.enter()?;
        let answer = pairs(&self.settings);
        self.leave(|| Call::Settings {
            answer: answer.clone(),
        })?;
        Ok(answer)
    }

    pub fn set_fetched(&mut self, key: &str, value: &str) -> OrDeath<Result<(), Failure>> {
        self.enter()?;
        let answer = if matches!(self.rights, Rights::Preview | Rights::View) {
            Err(Failure::new(
                "preview",
                "nothing is written now: this only looks",
            ))
        } else if self.fetched_settings.contains(key) {
            self.settings.insert(key.to_owned(), value.to_owned());
            Ok(())
        } else {
            Err(Failure::new(
                "invalid-settings",
                format!("`{key}` is no setting that an add-on fetches"),
            ))
        };
        let failure = answer.clone().err();
        self.leave(|| Call::SetFetched {
            key: key.to_owned(),
            value: value.to_owned(),
            failure,
        })?;
        Ok(answer)
    }

    pub fn context(&mut self) -> OrDeath<Vec<Pair>> {
        self.enter()?;
        let answer = pairs(&self.context);
        self.leave(|| Call::Context {
            answer: answer.clone(),
        })?;
        Ok(answer)
    }

    /// Seconds since the Unix epoch.
    pub fn now(&mut self) -> OrDeath<u64> {
        self.enter()?;
        let answer = self.world.now();
        self.leave(|| Call::Now { answer })?;
        Ok(answer)
    }

    pub fn log(&mut self, level: &str, message: &str) -> OrDeath<()> {
        self.enter()?;
        self.leave(|| Call::Log {
            level: level.to_owned(),
            message: message.to_owned(),
        })
    }

    pub fn progress(&mut self, stage: &str, done: u64, total: u64) -> OrDeath<bool> {
        self.enter()?;
        self.stopping |= !self.world.goes_on(stage, done, total);
        let goes_on = !self.stopping;
        self.leave(|| Call::Progress {
            stage: stage.to_owned(),
            done,
            total,
            goes_on,
        })?;
        Ok(goes_on)
    }

    pub fn report(&mut self, kind: &str, rows: Vec<Row>) -> OrDeath<Result<(), Failure>> {
        self.enter()?;
        self.reports
            .entry(kind.to_owned())
            .or_default()
            .extend_from_slice(&rows);
        self.leave(|| Call::Report {
            kind: kind.to_owned(),
            rows,
        })?;
        Ok(Ok(()))
    }

    // --- numbering and dying ---

    fn enter(&mut self) -> OrDeath<()> {
        self.calls += 1;
        self.die_if(|side| side == Side::Before)
    }

    /// Ends a call that has acted. What it did is in the trace also where the guest never hears of it.
    fn leave(&mut self, call: impl FnOnce() -> Call) -> OrDeath<()> {
        if let Some(trace) = &mut self.trace {
            trace.push(Step {
                number: self.calls,
                call: call(),
            });
        }
        self.die_if(|side| side != Side::Before)
    }

    fn die_if(&mut self, side: impl Fn(Side) -> bool) -> OrDeath<()> {
        match self
            .death
            .take_if(|point| point.call == self.calls && side(point.side))
        {
            Some(point) => Err(Death(point)),
            None => Ok(()),
        }
    }

    /// How this call ends, where the run dies in it.
    fn death_here(&self) -> Option<Side> {
        let death = self.death.filter(|point| point.call == self.calls);
        death.map(|point| point.side)
    }
}

fn pairs(map: &BTreeMap<String, String>) -> Vec<Pair> {
    map.iter()
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}

fn parts<T: Clone + Default>(answer: &Result<T, Failure>) -> (T, Option<Failure>) {
    match answer {
        Ok(found) => (found.clone(), None),
        Err(failure) => (T::default(), Some(failure.clone())),
    }
}
