//! The add-on's domain run natively: the same code as in the component, a thousand times faster, and mortal at every call.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use chrono::{DateTime, TimeDelta};
use mock_host::contract;
use mock_host::memory::MemoryStorage;
use sandbox::isp::Isp;
use splynx_sageone::addon::{self, Outcome};
use splynx_sageone::capability::{
    Activity, Answer, Capabilities, Change, Entry, Failure, Pair, Request, Response, Row, Unanswered,
};

use crate::world::World;

/// An installation of the add-on: what survives its runs.
pub struct Installation {
    pub world: World,
    pub storage: MemoryStorage,
    /// Rows that the last run reported.
    pub reported: Vec<Row>,
    /// Calls of the last run.
    pub calls: u64,
    death: Option<Death>,
}

/// Where a run dies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Death {
    /// The capability call, counted from 1.
    pub call: u64,
    pub side: Side,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// The effect never happens.
    Before,
    /// It happens, and the add-on never hears of it.
    After,
    /// Of a list of requests, only so many are sent.
    Within(usize),
}

/// The run died.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Died;

impl Installation {
    pub fn new(isp: &Isp, in_step: bool) -> Self {
        Self {
            world: World::new(isp, in_step),
            storage: MemoryStorage::default(),
            reported: Vec::new(),
            calls: 0,
            death: None,
        }
    }

    /// One run, to whatever end.
    pub fn run(&mut self, job: &str) -> Result<Outcome, Failure> {
        self.start();
        addon::run_job(self, job, false)
    }

    pub fn preview(&mut self, job: &str) -> Result<Outcome, Failure> {
        self.start();
        addon::run_job(self, job, true)
    }

    /// Runs again whenever a run pauses, as the scheduler would; answers the last outcome and how many runs it took.
    pub fn run_through(&mut self, job: &str) -> (Outcome, u32) {
        const MOST: u32 = 200;
        for runs in 1..=MOST {
            let outcome = self.run(job).unwrap_or_else(|failure| panic!("{job} fails: {failure:?}"));
            let Some(resume_at) = outcome.resume_at.filter(|_| outcome.state == "paused") else {
                return (outcome, runs);
            };
            let resume_at = i64::try_from(resume_at).expect("a time");
            let resume_at = DateTime::from_timestamp_secs(resume_at).expect("a time");
            self.world.now = self.world.now.max(resume_at);
        }
        panic!("{job} did not finish in {MOST} runs");
    }

    /// One run that is killed at a capability call. `Ok`: it ended before it came to that call.
    pub fn run_and_die(&mut self, job: &str, death: Death) -> Result<Result<Outcome, Failure>, Died> {
        self.start();
        self.death = Some(death);
        let ended = catch_unwind(AssertUnwindSafe(|| addon::run_job(self, job, false)));
        self.death = None;
        ended.map_err(|panic| match panic.downcast::<Died>() {
            Ok(died) => *died,
            Err(other) => resume_unwind(other),
        })
    }

    fn start(&mut self) {
        self.reported.clear();
        self.calls = 0;
        // What the scheduler needs at least between two runs.
        self.world.advance(TimeDelta::seconds(1));
    }

    /// Counts a call with an effect, and dies where that was planned.
    fn call<T>(&mut self, effect: impl FnOnce(&mut Self) -> T) -> T {
        self.calls += 1;
        match self.death.filter(|death| death.call == self.calls).map(|death| death.side) {
            Some(Side::Before | Side::Within(_)) => resume_unwind(Box::new(Died)),
            Some(Side::After) => {
                effect(self);
                resume_unwind(Box::new(Died))
            }
            None => effect(self),
        }
    }
}

impl Capabilities for Installation {
    fn send(&mut self, requests: Vec<Request>) -> Vec<Answer> {
        let mut requests: Vec<contract::Request> = requests.into_iter().map(request_out).collect();
        let here = Some(self.calls + 1);
        if let Some(Death { side: Side::Within(first), .. }) = self.death.filter(|death| Some(death.call) == here) {
            requests.truncate(first);
            self.world.send(requests);
            resume_unwind(Box::new(Died));
        }
        let answers = self.call(|this| this.world.send(requests));
        answers.into_iter().map(answer_in).collect()
    }

    fn get(&mut self, table: &str, keys: &[String]) -> Result<Vec<Entry>, Failure> {
        self.call(|this| this.storage.get(table, keys)).map(entries_in).map_err(failure_in)
    }

    fn scan(&mut self, table: &str, prefix: &str, after: &str, limit: u32) -> Result<Vec<Entry>, Failure> {
        self.call(|this| this.storage.scan(table, prefix, after, limit))
            .map(entries_in)
            .map_err(failure_in)
    }

    fn commit(&mut self, expect: Vec<Change>, changes: Vec<Change>, activities: Vec<Activity>) -> Result<(), Failure> {
        let (expect, changes) = (changes_out(expect), changes_out(changes));
        let activities: Vec<contract::Activity> = activities.into_iter().map(activity_out).collect();
        self.call(|this| this.storage.commit(&expect, &changes, &activities)).map_err(failure_in)
    }

    fn settings(&mut self) -> Vec<Pair> {
        self.world.settings()
    }

    fn set_fetched(&mut self, key: &str, value: &str) -> Result<(), Failure> {
        self.world.set(key, value);
        Ok(())
    }

    fn context(&mut self) -> Vec<Pair> {
        self.world.context()
    }

    fn now(&mut self) -> u64 {
        u64::try_from(self.world.now.timestamp()).expect("after 1970")
    }

    fn log(&mut self, _level: &str, _message: &str) {}

    fn progress(&mut self, _stage: &str, _done: u64, _total: u64) -> bool {
        true
    }

    fn report(&mut self, kind: &str, rows: Vec<Row>) -> Result<(), Failure> {
        assert_eq!(kind, "plan", "the only report of the manifest");
        self.reported.extend(rows);
        Ok(())
    }
}

fn request_out(request: Request) -> contract::Request {
    contract::Request {
        connection: request.connection.to_owned(),
        effect: request.effect.as_str().to_owned(),
        method: request.method.to_owned(),
        path: request.path,
        query: request.query,
        headers: request.headers,
        body: request.body,
        options: Vec::new(),
    }
}

fn answer_in(answer: contract::Answer) -> Answer {
    match answer {
        Ok(response) => Ok(Response {
            status: response.status,
            headers: response.headers,
            body: response.body,
        }),
        Err(unanswered) => Err(Unanswered {
            maybe_sent: unanswered.maybe_sent,
            reason: failure_in(unanswered.reason),
        }),
    }
}

fn failure_in(failure: contract::Failure) -> Failure {
    Failure {
        code: failure.code,
        message: failure.message,
        retry_at: failure.retry_at,
        more: failure.more,
    }
}

fn entries_in(entries: Vec<contract::Entry>) -> Vec<Entry> {
    entries
        .into_iter()
        .map(|entry| Entry {
            key: entry.key,
            value: entry.value,
        })
        .collect()
}

fn changes_out(changes: Vec<Change>) -> Vec<contract::Change> {
    changes
        .into_iter()
        .map(|change| contract::Change {
            table: change.table.to_owned(),
            key: change.key,
            value: change.value,
        })
        .collect()
}

fn activity_out(activity: Activity) -> contract::Activity {
    contract::Activity {
        entity: activity.entity,
        action: activity.action,
        local_id: activity.local_id,
        remote_id: activity.remote_id,
        customer_id: activity.customer_id,
        label: activity.label,
        code: activity.code,
        message: activity.message,
        more: activity.more,
    }
}
