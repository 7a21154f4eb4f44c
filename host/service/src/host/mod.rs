//! The assembled host, as the command line and the web pages use it: packages, settings, runs, and what people ask an add-on.
//!
//! One of these in a process; clones are the same. Several processes may work on one database: everything that they must
//! agree on (leases, budgets, stops, progress) goes through the store. What needs neither a guest nor a secret goes to
//! [`Host::store`] directly.

mod alerts;
mod error;
mod hooks;
mod inputs;
mod master_key;
mod offered;
mod overlap_check;
mod packages;
mod pages;
mod people;
mod readiness;
mod rollback_policy;
mod second_factor;
mod support;
mod traffic;

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::TimeDelta;
use tokio::sync::{Notify, OnceCell};
use tokio::task::JoinHandle;

use self::error::unknown;
use self::inputs::check;
use addon_runs::{
    CompiledComponents, Instance, Limits, Loaded, Purpose, Runtime, Services, Starter, Task, Work,
};
use addon_store::{Author, Failure, Installation, Mark, Outcome, RunId, RunState, Store, Trigger};
use addon_traffic::Connections;
use addon_traffic::cancellation::{CancellationSource, Reason};
use addon_traffic::clock::{Clock, SystemClock};
use addon_vault::KeySource;

pub use self::error::HostError;
pub use self::hooks::Received;
pub use self::master_key::{MasterKeyError, MasterKeys};
pub use self::packages::{Offer, Terms};
pub use self::pages::{ActRequest, answer};
pub use self::people::Entry;
pub use self::rollback_policy::Migrated;
pub use self::second_factor::{Offered, Standing};
pub use self::traffic::{ConnectionState, Forecast};
pub use addon_runs::{Finding, Query, Rows};

/// Where a host keeps what it knows.
#[derive(Debug, Clone)]
pub struct HostConfig {
    pub data_dir: PathBuf,
    pub database_url: String,
}

/// How a job is to run.
#[derive(Debug, Clone)]
pub struct RunRequest {
    /// Lists what it would do, and writes nothing.
    pub preview: bool,
    pub trigger: Trigger,
    /// What the manifest declares for the job; checked before anything starts.
    pub options: Vec<(String, String)>,
    /// The person, or what stands for one.
    pub actor: String,
}

/// A run that was started; it goes on whether or not anybody waits for it.
pub struct RunHandle {
    id: RunId,
    outcome: JoinHandle<Outcome>,
}

impl RunHandle {
    pub fn id(&self) -> RunId {
        self.id
    }

    /// Waits for the end; the outcome is stored by then.
    pub async fn wait(self) -> Outcome {
        self.outcome.await.unwrap_or_else(|error| Outcome {
            state: RunState::Failed,
            resume_at: None,
            why: Some(Failure::new(
                "internal",
                format!("The host failed while it ran this: {error}."),
            )),
            counts: Vec::new(),
            more: Vec::new(),
        })
    }
}

#[derive(Clone)]
pub struct Host(Arc<Inner>);

struct Inner {
    services: Services,
    /// Compiled versions by the digest of their package. Whoever wants one that is being compiled waits for that one, and nobody
    /// else does.
    loaded: Mutex<HashMap<String, Arc<OnceCell<Arc<Loaded>>>>>,
    /// The runs of this process.
    running: Mutex<HashMap<RunId, Arc<CancellationSource>>>,
    /// Something came up for this process's scheduler.
    news: Notify,
    /// Something came up that people may have to be told of.
    alarm: Notify,
}

impl Host {
    /// Opens a host by the machine's clock, with the usual limits.
    pub async fn open(config: HostConfig) -> Result<Self, HostError> {
        Self::open_with(config, Arc::new(SystemClock), Limits::default()).await
    }

    /// With the master key in the data folder.
    pub async fn open_with(
        config: HostConfig,
        clock: Arc<dyn Clock>,
        limits: Limits,
    ) -> Result<Self, HostError> {
        let key = KeySource::in_folder(&config.data_dir);
        Self::open_keyed(config, key, clock, limits).await
    }

    pub async fn open_keyed(
        config: HostConfig,
        key: KeySource,
        clock: Arc<dyn Clock>,
        limits: Limits,
    ) -> Result<Self, HostError> {
        let lease = TimeDelta::from_std(limits.lease).unwrap_or(TimeDelta::MAX);
        let store = Store::open(&config.database_url).await?.with_lease(lease);
        let vault = Arc::new(master_key::open(&store, key, clock.now()).await?);
        let compiled =
            CompiledComponents::new(&config.data_dir.join("compiled"), vault.compiling_key());
        let runtime = Runtime::new()
            .map_err(|error| HostError::Runtime(format!("{error:#}")))?
            .keeping(compiled);
        let connections = Connections::new(store.clone(), clock.clone());
        let mark = Mark::in_folder(&config.data_dir);
        if let Err(error) = store.keep_pace(&mark, clock.now()).await {
            // Looked at again before each run; pages are shown on a full disk too.
            tracing::warn!(%error, "whether the database is the newest is not known yet");
        }
        let services = Services {
            store,
            mark,
            vault,
            clock,
            connections,
            runtime,
            limits,
            seats: Arc::default(),
        };
        Ok(Self(Arc::new(Inner {
            services,
            loaded: Mutex::default(),
            running: Mutex::default(),
            news: Notify::new(),
            alarm: Notify::new(),
        })))
    }

    pub fn store(&self) -> &Store {
        &self.0.services.store
    }

    /// Has the scheduler of this process look at once.
    fn wake_scheduler(&self) {
        self.0.news.notify_one();
    }

    /// Waits until there is something for the scheduler to look at.
    pub async fn news(&self) {
        self.0.news.notified().await;
    }

    /// Has those who look for troubles and deliver alerts look at once.
    pub(crate) fn raise_alarm(&self) {
        self.0.alarm.notify_waiters();
    }

    /// Waits until there is something to look at or to deliver.
    pub(crate) async fn alarm(&self) {
        self.0.alarm.notified().await;
    }

    /// The installation, and the version that its add-on is at now.
    async fn situation(
        &self,
        installation: &str,
    ) -> Result<(Installation, Arc<Loaded>), HostError> {
        let installation = self.store().installation(installation).await?;
        let not_installed = || HostError::NotInstalled(installation.addon.clone());
        let active = self
            .store()
            .addon_of(&installation)
            .await?
            .ok_or_else(not_installed)?;
        let known = self.loaded().get(&active.sha256).cloned();
        let loaded = match known.and_then(|cell| cell.get().cloned()) {
            Some(loaded) => loaded,
            None => {
                let bytes = self
                    .store()
                    .package(&active.sha256)
                    .await?
                    .ok_or_else(not_installed)?;
                self.load(addon_packages::read(&bytes)?).await?
            }
        };
        Ok((installation, loaded))
    }

    /// Starts a job and returns at once.
    pub async fn start_run(
        &self,
        installation: &str,
        job: &str,
        request: RunRequest,
    ) -> Result<RunHandle, HostError> {
        self.start(installation, job, request, false).await
    }

    /// The same, and keeps a recording of the run ([`Store::recording`]).
    pub async fn record_run(
        &self,
        installation: &str,
        job: &str,
        request: RunRequest,
    ) -> Result<RunHandle, HostError> {
        self.start(installation, job, request, true).await
    }

    async fn start(
        &self,
        installation: &str,
        job: &str,
        request: RunRequest,
        records: bool,
    ) -> Result<RunHandle, HostError> {
        let (installation, loaded) = self.situation(installation).await?;
        let jobs = || loaded.manifest.jobs.iter().map(|job| &job.id);
        let spec = loaded
            .manifest
            .job(job)
            .ok_or_else(|| unknown("the job", job, jobs()))?;
        if request.preview && !spec.preview {
            return Err(HostError::NoPreview(job.to_owned()));
        }
        if !request.preview {
            self.refuse_same_mark(&installation, &loaded).await?;
        }
        let task = Task::Job {
            job: job.to_owned(),
            preview: request.preview,
            options: check(&spec.options, &request.options)?,
        };
        let by = Starter {
            trigger: request.trigger,
            actor: &request.actor,
            records,
        };
        self.begin(installation, loaded, task, by).await
    }

    async fn begin(
        &self,
        installation: Installation,
        loaded: Arc<Loaded>,
        task: Task,
        by: Starter<'_>,
    ) -> Result<RunHandle, HostError> {
        let work = Work::begin(&self.0.services, loaded, installation, task, by).await?;
        let id = work.id();
        self.running().insert(id, work.canceller());
        let host = self.clone();
        let outcome = tokio::spawn(async move {
            let outcome = work.clone().perform().await;
            host.running().remove(&id);
            host.judge(&work, &outcome).await;
            // What waited for the installation to be free.
            host.wake_scheduler();
            host.raise_alarm();
            outcome
        });
        Ok(RunHandle { id, outcome })
    }

    /// Asks a run to stop, whichever process works on it. False: it is over already.
    pub async fn request_stop(&self, run: RunId) -> Result<bool, HostError> {
        let asked = self.store().request_stop(run).await?;
        if let Some(canceller) = self.running().get(&run) {
            canceller.cancel(Reason::Stopped);
        }
        Ok(asked)
    }

    /// Has a job not go on after its pause. False: it did not wait to.
    pub async fn cancel_pause(
        &self,
        installation: &str,
        job: &str,
        actor: &str,
    ) -> Result<bool, HostError> {
        let author = Author::new(actor, self.0.services.clock.now());
        let store = self.store();
        Ok(store.cancel_pause(installation, job, &author).await?)
    }

    /// Has all runs of this process leave their work to the next host, and waits for their ends; not longer than that.
    pub async fn stop_all(&self, patience: Duration) {
        for canceller in self.running().values() {
            canceller.cancel(Reason::HostStops);
        }
        let all_ended = async {
            while !self.running().is_empty() {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        if tokio::time::timeout(patience, all_ended).await.is_err() {
            tracing::warn!(
                "some runs did not end in time; the next host goes on with them when their leases are over"
            );
        }
    }

    fn loaded(&self) -> MutexGuard<'_, HashMap<String, Arc<OnceCell<Arc<Loaded>>>>> {
        self.0.loaded.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn running(&self) -> MutexGuard<'_, HashMap<RunId, Arc<CancellationSource>>> {
        self.0
            .running
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// What a field can be set to: values and titles. `may_send`: the add-on may ask the services for them; otherwise it has what it
    /// stored, and the failure's code is `no-http` where that does not do.
    pub async fn choices(
        &self,
        installation: &str,
        source: &str,
        may_send: bool,
    ) -> Result<Vec<(String, String)>, HostError> {
        let (installation, loaded) = self.situation(installation).await?;
        let purpose = match may_send {
            true => Purpose::choices(),
            false => Purpose::stored_choices(),
        };
        let source = source.to_owned();
        let call = |addon: Instance| async move { addon.choices(&source).await };
        self.ask(&loaded, &installation, purpose, call).await
    }

    async fn ask<T, F>(
        &self,
        loaded: &Loaded,
        installation: &Installation,
        purpose: Purpose,
        call: impl FnOnce(Instance) -> F + Send + 'static,
    ) -> Result<T, HostError>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, Failure>> + Send + 'static,
    {
        self.0
            .services
            .ask(loaded, installation, purpose, call)
            .await
            .map_err(HostError::Addon)
    }
}
