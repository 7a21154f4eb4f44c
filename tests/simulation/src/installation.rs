//! An installation of the add-on: what survives its runs, and the ways to run it.

use std::sync::LazyLock;

use addon_manifest::Manifest;
use chrono::{DateTime, TimeDelta};
use mock_host::component::{Crash, Plugin};
use mock_host::contract::{Failure, Outcome, Row};
use mock_host::{Death, DeathPoint, MockHost, Rights};
use sandbox::http::Service;
use sandbox::isp::Isp;
use serde_json::Value;
use splynx_sageone::addon::{Finding, Query, Rows};
use splynx_sageone::capability::{Pair, Row as PageRow};

use crate::native;
use crate::world::{MANIFEST, World, settings};

/// Calls are counted from 1.
const NEVER: DeathPoint = DeathPoint {
    call: 0,
    side: mock_host::Side::Before,
};

/// A clone is another history from the same beginning.
#[derive(Clone)]
pub struct Installation {
    /// None only while a component runs in it.
    host: Option<MockHost<World>>,
    /// The built component; without one, the domain runs natively.
    plugin: Option<Plugin>,
}

impl Installation {
    /// Set up for a provider, never run; the domain runs natively.
    pub fn new(isp: &Isp, in_step: bool) -> Self {
        static PARSED: LazyLock<Manifest> =
            LazyLock::new(|| Manifest::parse(MANIFEST).expect("the add-on's manifest is valid"));
        let mut host = MockHost::new(World::new(&PARSED, isp, in_step)).without_trace();
        host.settings = settings(&PARSED, isp);
        host.fetched_settings.insert("sage_company_id".to_owned());
        let reads = PARSED.connections.iter();
        host.reads = reads
            .map(|(name, connection)| (name.clone(), connection.reads.clone()))
            .collect();
        for (name, value) in [
            ("run", "1"),
            ("trigger", "person"),
            ("time-zone", "Africa/Johannesburg"),
            ("installed-on", &isp.today.to_string()),
            ("settle.sage", "300"),
        ] {
            host.context.insert(name.to_owned(), value.to_owned());
        }
        Self {
            host: Some(host),
            plugin: None,
        }
    }

    /// The same with the real component.
    pub fn with_component(isp: &Isp, in_step: bool, plugin: Plugin) -> Self {
        Self {
            plugin: Some(plugin),
            ..Self::new(isp, in_step)
        }
    }

    pub fn host(&mut self) -> &mut MockHost<World> {
        self.host.as_mut().expect("there between runs")
    }

    pub fn world(&mut self) -> &mut World {
        &mut self.host().world
    }

    /// Saves a setting or mapping; empty: unset.
    pub fn set(&mut self, key: &str, value: &str) {
        self.host()
            .settings
            .insert(key.to_owned(), value.to_owned());
    }

    pub fn advance(&mut self, by: TimeDelta) {
        self.world().now += by;
    }

    /// One run, to whatever end.
    pub fn run(&mut self, job: &str) -> Result<Outcome, Failure> {
        self.run_with(job, &[])
    }

    /// One run of a job with options.
    pub fn run_with(&mut self, job: &str, options: &[Pair]) -> Result<Outcome, Failure> {
        self.perform(job, false, options)
            .unwrap_or_else(|crash| panic!("{job} crashes: {crash}"))
    }

    /// The plan of a job.
    pub fn preview(&mut self, job: &str) -> Result<Vec<Row>, Failure> {
        self.preview_with(job, &[])
    }

    /// The plan of a job with options.
    pub fn preview_with(&mut self, job: &str, options: &[Pair]) -> Result<Vec<Row>, Failure> {
        self.perform(job, true, options)
            .unwrap_or_else(|crash| panic!("the preview of {job} crashes: {crash}"))?;
        Ok(self.host().reports.get("plan").cloned().unwrap_or_default())
    }

    /// Runs again whenever a run pauses, as the scheduler would; answers the last outcome and how many runs it took.
    pub fn run_through(&mut self, job: &str) -> (Outcome, u32) {
        self.try_through(job)
            .unwrap_or_else(|failure| panic!("{job} fails: {failure:?}"))
    }

    /// The same; or the failure that ended the job.
    pub fn try_through(&mut self, job: &str) -> Result<(Outcome, u32), Failure> {
        const MOST: u32 = 5_000;
        for runs in 1..=MOST {
            self.goes_on(runs > 1);
            let outcome = self.run(job);
            self.goes_on(false);
            let outcome = outcome?;
            let resume_at = outcome.resume_at.filter(|_| outcome.state == "paused");
            let Some(resume_at) = resume_at.and_then(|at| i64::try_from(at).ok()) else {
                return Ok((outcome, runs));
            };
            let resume_at = DateTime::from_timestamp_secs(resume_at).expect("a time near now");
            let now = &mut self.world().now;
            *now = resume_at.max(*now);
        }
        panic!("{job} did not finish in {MOST} runs");
    }

    /// Whether the next runs go on with work that paused, or begin it.
    pub fn goes_on(&mut self, yes: bool) {
        let trigger = if yes { "resume" } else { "person" };
        let context = &mut self.host().context;
        context.insert("trigger".to_owned(), trigger.to_owned());
    }

    /// One run that dies at a capability call. False: it ended before it came to that call.
    pub fn run_and_die(&mut self, job: &str, point: DeathPoint) -> bool {
        self.run_with_and_die(job, &[], point)
    }

    /// The same of a job with options.
    pub fn run_with_and_die(&mut self, job: &str, options: &[Pair], point: DeathPoint) -> bool {
        self.host().die_at(point);
        let ending = self.perform(job, false, options);
        self.host().die_at(NEVER);
        match ending {
            Ok(_) => false,
            Err(Crash::Death(Death(died))) => died == point,
            Err(crash) => panic!("{job} crashes: {crash}"),
        }
    }

    /// A person's act on records in the outbox; `remote` for a link.
    pub fn decide(&mut self, act: &str, records: &[&str], remote: &str) -> Result<String, Failure> {
        self.act("outbox", act, records, &[("remote-id", remote)])
    }

    fn tell_the_date(&mut self) {
        let today = self.world().today().to_string();
        self.host().context.insert("today".to_owned(), today);
    }

    /// A person's act on rows of a page.
    pub fn act(
        &mut self,
        page: &str,
        act: &str,
        rows: &[&str],
        values: &[(&str, &str)],
    ) -> Result<String, Failure> {
        let rows: Vec<String> = rows.iter().map(|row| (*row).to_owned()).collect();
        let values: Vec<Pair> = values
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        self.tell_the_date();
        self.host().begin(Rights::Write);
        native::act(self.host(), page, act, &rows, &values)
    }

    /// A page of a page's rows.
    pub fn view(&mut self, page: &str, query: &Query) -> Result<Rows, Failure> {
        self.tell_the_date();
        self.host().begin(Rights::View);
        native::view(self.host(), page, query)
    }

    /// The cells of all rows of a page that a person filters.
    pub fn rows(&mut self, page: &str, filters: &[(&str, &str)]) -> Vec<Vec<String>> {
        let rows = self.whole_page(page, filters);
        rows.into_iter().map(|row| row.cells).collect()
    }

    /// All rows of a page that a person filters, page by page.
    pub fn whole_page(&mut self, page: &str, filters: &[(&str, &str)]) -> Vec<PageRow> {
        let mut query = Query {
            filters: filters
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect(),
            limit: 7,
            ..Query::default()
        };
        let mut all = Vec::new();
        loop {
            let rows = self
                .view(page, &query)
                .unwrap_or_else(|failure| panic!("{page} does not show: {failure:?}"));
            all.extend(rows.rows);
            if rows.next.is_empty() {
                return all;
            }
            query.after = rows.next;
        }
    }

    pub fn choices(&mut self, source: &str) -> Result<Vec<Pair>, Failure> {
        self.tell_the_date();
        self.host().begin(Rights::Check);
        native::choices(self.host(), source)
    }

    pub fn check(&mut self) -> Vec<Finding> {
        self.tell_the_date();
        self.host().begin(Rights::Check);
        native::check(self.host()).unwrap_or_else(|failure| panic!("check fails: {failure:?}"))
    }

    /// What somebody does on Sage's screens.
    pub fn in_sage(&mut self, change: &Value) -> Value {
        let now = self.world().now;
        self.world()
            .sage
            .edit(change, now)
            .unwrap_or_else(|why| panic!("Sage refuses {change}: {why}"))
    }

    /// What somebody does on Splynx's screens.
    pub fn in_splynx(&mut self, change: &Value) -> Value {
        let now = self.world().now;
        self.world()
            .splynx
            .edit(change, now)
            .unwrap_or_else(|why| panic!("Splynx refuses {change}: {why}"))
    }

    /// One run, to whatever end: also to its death, where that was ordered. No later run dies of the order.
    pub fn attempt(
        &mut self,
        job: &str,
        death: Option<DeathPoint>,
    ) -> Result<Result<Outcome, Failure>, Crash> {
        self.host().die_at(death.unwrap_or(NEVER));
        let ended = self.perform(job, false, &[]);
        self.host().die_at(NEVER);
        ended
    }

    fn perform(
        &mut self,
        job: &str,
        preview: bool,
        options: &[Pair],
    ) -> Result<Result<Outcome, Failure>, Crash> {
        // What the scheduler needs at least between two runs.
        self.advance(TimeDelta::seconds(1));
        self.tell_the_date();
        match &self.plugin {
            Some(plugin) => {
                let host = self.host.take().expect("there between runs");
                let (host, ending) = plugin.run_job(host, job, preview, options);
                self.host = Some(host);
                ending
            }
            None => {
                let rights = if preview {
                    Rights::Preview
                } else {
                    Rights::Write
                };
                self.host().begin(rights);
                native::run_job(self.host(), job, preview, options).map_err(Crash::Death)
            }
        }
    }
}
