//! Whole histories from a seed: runs, people's edits, faults and deaths, then healing, then the oracles.
//!
//! [`draw`] makes a history as data, [`live`] lives it, [`oracles`] judge, [`shrink`] makes a failing one short. A seed gives the same
//! history on every machine: nothing here reads a clock, and no order depends on a hash.

pub mod coverage;
pub mod draw;
mod ending;
mod hands;
mod oracles;
mod provider;
mod shrink;

use std::any::Any;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};

use chrono::{DateTime, TimeDelta};
use mock_host::component::Crash;
use mock_host::contract::{Failure, Outcome};
use mock_host::{Death, DeathPoint, MemoryStorage, Side};
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use sandbox::sage::behaviour::Filtering;
use sandbox::splynx::Splynx;
use serde_json::json;
use splynx_sageone::addon;
use splynx_sageone::write::record::{ATTENTION, RECORDS};

use self::coverage::Coverage;
use self::draw::{Act, End, History, Step};
use self::oracles::Watch;
use crate::differences::listed;
use crate::installation::Installation;
use crate::storm::{Fault, Strike};

/// A history that ended well.
#[derive(Debug, Clone, Default)]
pub struct Report {
    pub coverage: Coverage,
}

/// A history at whose end, or in the middle of which, something was wrong.
#[derive(Debug, Clone)]
pub struct Failed {
    pub seed: u64,
    /// The oracle that says so.
    pub oracle: &'static str,
    /// The place in the history as drawn; `None`: after healing.
    pub step: Option<usize>,
    pub what: String,
}

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            seed,
            oracle,
            step,
            what,
        } = self;
        match step {
            Some(step) => write!(f, "seed {seed}, step {step}: {oracle}: {what}")?,
            None => write!(f, "seed {seed}, after healing: {oracle}: {what}")?,
        }
        write!(f, "\n  again: scripts/simulate --first {seed} --seeds 1 -v")
    }
}

/// Draws the history of a seed and lives it.
pub fn run(seed: u64) -> Result<Report, Failed> {
    live(&History::draw(seed), None)
}

/// The story of a seed's shortest history that fails like the whole one; `None`: it does not fail.
pub fn shrunk(seed: u64) -> Option<(Failed, Vec<String>)> {
    let history = History::draw(seed);
    let failed = live(&history, None).err()?;
    let (shortest, failed) = shrink::shrink(&history, &failed);
    let mut story = told(&shortest);
    let _ = live(&shortest, Some(&mut story));
    Some((failed, story))
}

/// The history of a seed, told step by step, request by request.
pub fn story(seed: u64) -> (Result<Report, Failed>, Vec<String>) {
    let history = History::draw(seed);
    let mut story = told(&history);
    let result = live(&history, Some(&mut story));
    (result, story)
}

/// Lives a seed twice; that both told the same, to the last byte, is one more oracle.
pub fn twice(seed: u64) -> Result<Report, Failed> {
    let [(first, told), (_, again)] = [story(seed), story(seed)];
    let report = first?;
    let differs = told.iter().zip(&again).find(|(one, other)| one != other);
    match differs {
        None if told.len() == again.len() => Ok(report),
        differs => Err(Failed {
            seed,
            oracle: "a seed tells one story",
            step: None,
            what: format!("{differs:?}, {} lines and {}", told.len(), again.len()),
        }),
    }
}

/// What a history begins with.
fn told(history: &History) -> Vec<String> {
    let isp = &history.isp;
    let mut told = vec![format!(
        "seed {}, in step: {}, Sage {}, Splynx {}, settings {:?}, end {:?}",
        history.seed, history.in_step, history.sage, history.splynx, history.settings, history.end
    )];
    told.extend(isp.customers.iter().map(|c| {
        format!(
            "  customer {} {:?} {:?} partner {}",
            c.id, c.name, c.category, c.partner_id
        )
    }));
    told.extend(isp.invoices.iter().map(|i| {
        format!(
            "  invoice {} of {} {} {} total {} deleted {} transactions {}",
            i.id, i.customer_id, i.number, i.date, i.total, i.deleted, i.uses_transactions
        )
    }));
    told.extend(isp.credit_notes.iter().map(|n| {
        format!(
            "  credit note {} of {} {} total {}",
            n.id, n.customer_id, n.date, n.total
        )
    }));
    told.extend(isp.payments.iter().map(|p| {
        format!(
            "  payment {} of {} {} {} for {:?} method {}",
            p.id, p.customer_id, p.date, p.amount, p.invoice_id, p.method_id
        )
    }));
    told
}

/// Lives a history. A panic of the add-on is a failure like any other.
pub fn live(history: &History, story: Option<&mut Vec<String>>) -> Result<Report, Failed> {
    let mut step = None;
    let mut life = Life::begin(history, story.is_some());
    let ended = catch_unwind(AssertUnwindSafe(|| life.live_through(&mut step)));
    let failed = |wrong: Wrong| Failed {
        seed: history.seed,
        oracle: wrong.oracle,
        step,
        what: wrong.what,
    };
    let ended = match ended {
        Ok(ended) => ended,
        Err(panic) => Err(Wrong::new("no panic", panic_text(panic.as_ref()))),
    };
    if let Some(story) = story {
        story.extend(
            life.installation
                .world()
                .storm
                .story
                .take()
                .unwrap_or_default(),
        );
        let storage = &life.installation.host().storage;
        for (table, rows) in storage.tables() {
            story.extend(
                rows.iter()
                    .map(|(key, value)| format!("{table} {key}: {value}")),
            );
        }
    }
    ended.map_err(failed)?;
    Ok(Report {
        coverage: life.coverage(),
    })
}

fn panic_text(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
    text.unwrap_or("a panic without words").to_owned()
}

/// What an oracle has against a history.
#[derive(Debug, Clone)]
pub struct Wrong {
    oracle: &'static str,
    what: String,
}

impl Wrong {
    pub fn new(oracle: &'static str, what: impl Into<String>) -> Self {
        Self {
            oracle,
            what: what.into(),
        }
    }
}

type Verdict = Result<(), Wrong>;

struct Life<'h> {
    history: &'h History,
    installation: Installation,
    backup: Option<MemoryStorage>,
    /// Splynx as it was backed up last.
    splynx: Option<Splynx>,
    watch: Watch,
    coverage: Coverage,
    deaths: u64,
}

impl<'h> Life<'h> {
    fn begin(history: &'h History, tells: bool) -> Self {
        let mut installation = Installation::new(&history.isp, history.in_step);
        for (key, value) in &history.settings {
            installation.set(key, value);
        }
        installation
            .in_sage(&json!({"entity": "behaviour", "act": "update", "fields": history.sage}));
        installation
            .in_splynx(&json!({"entity": "behaviour", "act": "update", "fields": history.splynx}));
        let storm = &mut installation.world().storm;
        storm.asked = Some(Vec::new());
        storm.story = tells.then(Vec::new);
        Self {
            history,
            installation,
            backup: None,
            splynx: None,
            watch: Watch::default(),
            coverage: Coverage {
                histories: 1,
                ..Coverage::default()
            },
            deaths: 0,
        }
    }

    fn tell(&mut self, line: impl FnOnce() -> String) {
        self.installation.world().storm.tell(line);
    }

    fn live_through(&mut self, at: &mut Option<usize>) -> Verdict {
        for step in &self.history.steps {
            *at = Some(step.place);
            let now = self.installation.world().now;
            self.tell(|| format!("{now} step {}: {:?}", step.place, step.act));
            self.step(step)?;
        }
        *at = None;
        self.tell(|| "healing".to_owned());
        self.heal()?;
        ending::judge(self, true)?;
        self.quiet()?;
        match self.history.end {
            End::Kept => return Ok(()),
            End::Lost => self.installation.host().storage = MemoryStorage::default(),
            End::Restored => {
                self.installation.host().storage = self.backup.clone().unwrap_or_default()
            }
        }
        self.tell(|| format!("the store: {:?}", self.history.end));
        self.watch.forget();
        self.heal()?;
        ending::judge(self, false)?;
        self.quiet()
    }

    fn step(&mut self, step: &Step) -> Verdict {
        match &step.act {
            Act::Run(job) => self.run(job, &step.strikes),
            Act::Preview(job) => self.preview(job),
            Act::People(edit) => {
                self.installation.world().people_act(*edit, step.seed);
                Ok(())
            }
            Act::Decide(what) => {
                self.decide(what, step.seed);
                Ok(())
            }
            Act::Set(key, value) => {
                self.watch.settings_changed();
                self.installation.set(key, value);
                Ok(())
            }
            Act::Wait(seconds) => {
                self.installation.advance(TimeDelta::seconds(*seconds));
                Ok(())
            }
            Act::Midnight => {
                self.installation.world().wait_for_midnight(0);
                Ok(())
            }
            Act::MonthEnd => {
                let world = self.installation.world();
                let days = (crate::clock::last_of_month(world.today()) - world.today()).num_days();
                world.wait_for_midnight(days);
                Ok(())
            }
            Act::Backup => {
                self.backup = Some(self.installation.host().storage.clone());
                Ok(())
            }
            Act::SplynxKept => {
                self.splynx = Some(self.installation.world().splynx.clone());
                Ok(())
            }
            Act::SplynxPutBack => {
                hands::put_splynx_back(self);
                Ok(())
            }
            Act::SettledByHand => {
                hands::settle_by_hand(self, step.seed);
                Ok(())
            }
        }
    }

    /// One run under its strikes; where credentials were refused, a person enters them again afterwards.
    fn run(&mut self, job: &'static str, strikes: &[Strike]) -> Verdict {
        let world = self.installation.world();
        world.deliver_late();
        world.storm.begin(strikes);
        let death = self.prepare();
        let ended = self.installation.attempt(job, death);
        let world = self.installation.world();
        world.storm.lag = TimeDelta::zero();
        world.storm.page = None;
        let updating = world.storm.updating;
        self.coverage.runs += 1;
        self.coverage.note("jobs", job, 1);
        self.note_end(job, &ended);
        if updating {
            let version = addon::migrate(addon::STATE_VERSION);
            oracles::is_so(
                "an update keeps the state",
                version == Ok(addon::STATE_VERSION),
                || format!("{version:?}"),
            )?;
        }
        if let Err(Crash::Death(Death(point))) = &ended {
            self.deaths += 1;
            let fault = match point.side {
                Side::Before => Fault::DiedBefore,
                Side::After => Fault::DiedAfter,
                _ => Fault::DiedWithin,
            };
            self.installation.world().storm.note(fault);
        }
        oracles::after_run(self, job, &ended)?;
        let refused = matches!(&ended, Ok(Err(failure)) if failure.code == "denied");
        if refused || self.installation.world().is_locked_out() {
            self.installation.world().enter_password(&self.history.isp);
        }
        if updating {
            return self.run(job, &[]);
        }
        Ok(())
    }

    /// Strikes on the run as a whole begin now; a death is ordered.
    fn prepare(&mut self) -> Option<DeathPoint> {
        let mut death = None;
        for Strike { fault, at, seed } in self.installation.world().storm.of_run() {
            let world = self.installation.world();
            let storm = &mut world.storm;
            let filters = &mut world.sage.behaviour_mut().string_filters;
            let call = u64::from(at);
            match fault {
                Fault::ShortPages => storm.page = Some(u32::try_from(seed % 4).unwrap_or(0) + 2),
                Fault::Lag => {
                    storm.lag = TimeDelta::seconds(i64::try_from(seed % 140).unwrap_or(0) + 5)
                }
                Fault::FiltersIgnored => *filters = Filtering::Ignored,
                Fault::FiltersEmpty => *filters = Filtering::Empty,
                Fault::FiltersRefused => *filters = Filtering::Refused,
                Fault::DiedBefore => {
                    death = Some(DeathPoint {
                        call,
                        side: Side::Before,
                    })
                }
                Fault::DiedAfter => {
                    death = Some(DeathPoint {
                        call,
                        side: Side::After,
                    })
                }
                _ => {
                    let side = Side::Within(usize::try_from(seed % 5).unwrap_or(0));
                    death = Some(DeathPoint { call, side });
                }
            }
            // A death is noted once it has come about.
            if death.is_none_or(|death| death.call != call) {
                storm.note(fault);
            }
        }
        death
    }

    fn note_end(&mut self, job: &str, ended: &Result<Result<Outcome, Failure>, Crash>) {
        let told = match ended {
            Ok(Ok(outcome)) => outcome.state.clone(),
            Ok(Err(failure)) => format!("failed: {}", failure.code),
            Err(crash) => format!("{crash}"),
        };
        if let Ok(Err(failure)) = ended {
            self.coverage.note("failures", &failure.code, 1);
        }
        self.tell(|| format!("  {job}: {told}"));
    }

    /// A preview in fair weather, and then the job: it does what was foretold.
    fn preview(&mut self, job: &'static str) -> Verdict {
        self.installation.world().storm.begin(&[]);
        self.coverage.note("previews", job, 1);
        oracles::preview_is_truth(self, job)
    }

    /// A person decides about something in the outbox; what is refused was not to be had.
    fn decide(&mut self, what: &'static str, seed: u64) {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        self.installation.world().storm.begin(&[]);
        let waiting = keys(&mut self.installation, ATTENTION);
        let all = keys(&mut self.installation, RECORDS);
        let among = if rng.random_ratio(2, 3) {
            &waiting
        } else {
            &all
        };
        let Some(key) = among.choose(&mut rng).cloned() else {
            return;
        };
        let remote = match key.split('/').next() {
            Some("customer") => "customers",
            Some("invoice") => "invoices",
            Some("credit-note") => "returns",
            Some("payment") => "receipts",
            _ => "allocations",
        };
        let there = self.installation.world().sage.rows(remote);
        let remote = there.choose(&mut rng).map(|row| row["ID"].to_string());
        let record = self.installation.host().storage.value(RECORDS, &key);
        let is_sent_anew =
            what == "retry" && record.is_some_and(|text| text.contains("differs-in-sage"));
        let answer = self
            .installation
            .decide(what, &[&key], &remote.unwrap_or_default());
        self.tell(|| format!("  {what} {key}: {answer:?}"));
        if answer.is_ok() {
            self.coverage.note("decisions", what, 1);
            self.watch.decided(what, &key);
            if is_sent_anew {
                self.watch.sent_anew.extend(oracles::mark_of(&key));
            }
        }
    }

    /// Nothing goes wrong any more, people have entered the password, blocks are over; some runs with time between them.
    fn heal(&mut self) -> Verdict {
        let world = self.installation.world();
        world.storm.begin(&[]);
        world.enter_password(&self.history.isp);
        let mut behaviour = world.splynx.behaviour().clone();
        behaviour.clock_minutes = 0;
        world.splynx.set_behaviour(behaviour);
        // On a later day, and early enough that the quiet cycle is on that day too.
        world.wait_for_midnight(1);
        self.installation.advance(TimeDelta::hours(8));
        self.installation.world().deliver_late();
        for job in [
            "sync",
            "sync",
            "sync",
            "sweep",
            "import-all-payments",
            "sync",
            "sync",
        ] {
            self.run_through(job)?;
            self.installation.advance(TimeDelta::minutes(10));
        }
        Ok(())
    }

    /// Runs again whenever a run pauses, as the scheduler would.
    fn run_through(&mut self, job: &'static str) -> Verdict {
        const MOST: u32 = 20;
        for _ in 0..MOST {
            self.installation.world().storm.begin(&[]);
            let ended = self.installation.attempt(job, None);
            self.coverage.runs += 1;
            self.note_end(job, &ended);
            oracles::after_run(self, job, &ended)?;
            let outcome = match ended {
                Ok(Ok(outcome)) => outcome,
                Ok(Err(failure)) => {
                    return Err(Wrong::new(
                        "runs finish once faults stop",
                        format!("{job} fails: {failure:?}"),
                    ));
                }
                Err(crash) => {
                    return Err(Wrong::new(
                        "runs finish once faults stop",
                        format!("{job} crashes: {crash}"),
                    ));
                }
            };
            if outcome.state == "finished" {
                return Ok(());
            }
            let resume_at = outcome.resume_at.and_then(|at| i64::try_from(at).ok());
            let resume_at = resume_at.and_then(DateTime::from_timestamp_secs);
            let now = &mut self.installation.world().now;
            *now = resume_at.unwrap_or(*now).max(*now) + TimeDelta::minutes(1);
        }
        Err(Wrong::new(
            "runs finish once faults stop",
            format!("{job} does not finish in {MOST} runs"),
        ))
    }

    /// With nothing changed: no writes, and few requests.
    fn quiet(&mut self) -> Verdict {
        self.installation.advance(TimeDelta::minutes(15));
        self.run_through("sync")?;
        oracles::quiet_cycle(self)
    }

    fn coverage(mut self) -> Coverage {
        let reasons = listed(&mut self.installation);
        for (state, code) in reasons.values() {
            if !code.is_empty() {
                self.coverage.note("reasons", code, 1);
            }
            self.coverage.note("states", state, 1);
        }
        let activities: Vec<String> = {
            let storage = &self.installation.host().storage;
            let told = storage.activities().iter();
            told.filter(|activity| !activity.code.is_empty())
                .map(|activity| activity.code.clone())
                .collect()
        };
        for code in activities {
            self.coverage.note("reasons told", &code, 1);
        }
        let world = self.installation.world();
        for (fault, times) in std::mem::take(&mut world.storm.fallen) {
            self.coverage.note("faults", fault, times);
        }
        for (edit, times) in std::mem::take(&mut world.storm.people.done) {
            self.coverage.note("people", edit, times);
        }
        self.coverage.requests = world.sage.journal().total() + world.splynx.journal().total();
        self.coverage.deaths = self.deaths;
        self.coverage
    }
}

/// The keys of a table of the add-on's store.
fn keys(installation: &mut Installation, wanted: &str) -> Vec<String> {
    let tables = installation.host().storage.tables();
    let mut tables = tables.filter(|(name, _)| *name == wanted);
    let rows = tables.next().map(|(_, rows)| rows.keys().cloned());
    rows.map(Vec::from_iter).unwrap_or_default()
}

/// Both services' own words on how much they were asked to change.
fn writes(installation: &mut Installation) -> u64 {
    let world = installation.world();
    world.sage.journal().writes() + world.splynx.journal().writes()
}
