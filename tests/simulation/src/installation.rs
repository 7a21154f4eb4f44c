//! An installation of the add-on: what survives its runs, and the ways to run it.

use addon_host::manifest::Manifest;
use chrono::{DateTime, TimeDelta};
use mock_host::component::{Crash, Plugin};
use mock_host::contract::{Failure, Outcome, Row};
use mock_host::{Death, DeathPoint, MockHost, Rights};
use sandbox::isp::Isp;

use crate::native;
use crate::world::{MANIFEST, World, settings};

pub struct Installation {
    /// None only while a component runs in it.
    host: Option<MockHost<World>>,
    /// The built component; without one, the domain runs natively.
    plugin: Option<Plugin>,
}

impl Installation {
    /// Set up for a provider, never run; the domain runs natively.
    pub fn new(isp: &Isp, in_step: bool) -> Self {
        let manifest = Manifest::parse(MANIFEST).expect("the add-on's manifest is valid");
        let mut host = MockHost::new(World::new(&manifest, isp, in_step)).without_trace();
        host.settings = settings(&manifest, isp);
        host.fetched_settings.insert("sage_company_id".to_owned());
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
        self.perform(job, false)
            .unwrap_or_else(|crash| panic!("{job} crashes: {crash}"))
    }

    /// The plan of a job.
    pub fn preview(&mut self, job: &str) -> Result<Vec<Row>, Failure> {
        self.perform(job, true)
            .unwrap_or_else(|crash| panic!("the preview of {job} crashes: {crash}"))?;
        Ok(self.host().reports.get("plan").cloned().unwrap_or_default())
    }

    /// Runs again whenever a run pauses, as the scheduler would; answers the last outcome and how many runs it took.
    pub fn run_through(&mut self, job: &str) -> (Outcome, u32) {
        const MOST: u32 = 200;
        for runs in 1..=MOST {
            let outcome = self
                .run(job)
                .unwrap_or_else(|failure| panic!("{job} fails: {failure:?}"));
            let resume_at = outcome.resume_at.filter(|_| outcome.state == "paused");
            let Some(resume_at) = resume_at.and_then(|at| i64::try_from(at).ok()) else {
                return (outcome, runs);
            };
            let resume_at = DateTime::from_timestamp_secs(resume_at).expect("a time near now");
            let now = &mut self.world().now;
            *now = resume_at.max(*now);
        }
        panic!("{job} did not finish in {MOST} runs");
    }

    /// One run that dies at a capability call. False: it ended before it came to that call.
    pub fn run_and_die(&mut self, job: &str, point: DeathPoint) -> bool {
        self.host().die_at(point);
        match self.perform(job, false) {
            Ok(_) => false,
            Err(Crash::Death(Death(died))) => died == point,
            Err(crash) => panic!("{job} crashes: {crash}"),
        }
    }

    /// A person's act on records in the outbox; `remote` for a link.
    pub fn decide(&mut self, act: &str, records: &[&str], remote: &str) -> Result<String, Failure> {
        self.act("outbox", act, records, &[("remote-id", remote)])
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
        let values: Vec<_> = values
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        self.host().begin(Rights::Write);
        native::act(self.host(), page, act, &rows, &values)
    }

    /// The rows of a page, all of them.
    pub fn view(&mut self, page: &str) -> Result<Vec<Row>, Failure> {
        self.host().begin(Rights::View);
        native::view(self.host(), page)
    }

    fn perform(&mut self, job: &str, preview: bool) -> Result<Result<Outcome, Failure>, Crash> {
        // What the scheduler needs at least between two runs.
        self.advance(TimeDelta::seconds(1));
        let today = self.world().today().to_string();
        self.host().context.insert("today".to_owned(), today);
        match &self.plugin {
            Some(plugin) => {
                let host = self.host.take().expect("there between runs");
                let (host, ending) = plugin.run_job(host, job, preview, &[]);
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
                native::run_job(self.host(), job, preview).map_err(Crash::Death)
            }
        }
    }
}
