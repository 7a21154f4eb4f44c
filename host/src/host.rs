//! The assembled host, as the command line and the web pages use it: packages, settings, runs, and what people ask an add-on.
//!
//! One of these in a process; clones are the same. Several processes may work on one database: everything that they must
//! agree on (leases, budgets, stops, progress) goes through the store. What needs neither a guest nor a secret goes to
//! [`Host::store`] directly.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use thiserror::Error;
use tokio::task::JoinHandle;

use crate::clock::{Clock, SystemClock};
use crate::connections::halt::{Halter, Reason};
use crate::connections::{Access, Connections, Usage};
use crate::manifest::{ManifestError, nearest};
use crate::packages::{self, Package, PackageError};
use crate::runs::{ANSWER, AuditError, BeginError, Instance, Limits, Loaded, Purpose, Runtime, Services, Task, Work};
use crate::settings::{FieldProblem, Settings, SettingsError, credential_keys, validate};
use crate::store::{
    AddonVersion, Failure, Installation, NewAddonVersion, Outcome, RunId, RunState, Store, StoreError, Trigger,
};
use crate::vault::{Vault, VaultError};

pub use crate::runs::{Finding, Query, Rows};

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
    /// What the manifest declares for the job.
    pub options: Vec<(String, String)>,
    /// The person, or what stands for one.
    pub actor: String,
}

#[derive(Debug, Error)]
pub enum HostError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Vault(#[from] VaultError),
    #[error(transparent)]
    SettingsUnreadable(#[from] SettingsError),
    /// Nothing was saved.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
    Settings(Vec<FieldProblem>),
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    #[error(transparent)]
    Package(#[from] PackageError),
    #[error(transparent)]
    Audit(#[from] AuditError),
    #[error("the component runtime cannot start: {0}")]
    Runtime(String),
    #[error("add-on `{0}` is not installed: use `addon install`")]
    NotInstalled(String),
    #[error("{what} `{name}` is none of this add-on's{}", .meant.as_ref().map(|meant| format!("; did you mean `{meant}`?")).unwrap_or_default())]
    Unknown { what: &'static str, name: String, meant: Option<String> },
    #[error("the job `{0}` has no preview")]
    NoPreview(String),
    #[error(transparent)]
    Begin(#[from] BeginError),
    /// What the add-on answered.
    #[error("{}", .0.message)]
    Addon(Failure),
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
            why: Some(Failure::new("internal", format!("The host failed while it ran this: {error}."))),
            counts: Vec::new(),
            more: Vec::new(),
        })
    }
}

#[derive(Clone)]
pub struct Host(Arc<Inner>);

struct Inner {
    services: Services,
    /// Compiled versions by the digest of their package. The lock is held while one compiles: whoever wants the same one
    /// waits instead of compiling it too.
    loaded: tokio::sync::Mutex<HashMap<String, Arc<Loaded>>>,
    /// The runs of this process.
    running: Mutex<HashMap<RunId, Arc<Halter>>>,
}

impl Host {
    /// Opens a host by the machine's clock, with the usual limits.
    pub async fn open(config: HostConfig) -> Result<Self, HostError> {
        Self::open_with(config, Arc::new(SystemClock), Limits::default()).await
    }

    pub async fn open_with(config: HostConfig, clock: Arc<dyn Clock>, limits: Limits) -> Result<Self, HostError> {
        let store = Store::open(&config.database_url).await?;
        let vault = Arc::new(Vault::open(&Vault::key_file(&config.data_dir))?);
        let runtime = Runtime::new().map_err(|error| HostError::Runtime(format!("{error:#}")))?;
        let connections = Connections::new(store.clone(), clock.clone());
        let services = Services { store, vault, clock, connections, runtime, limits };
        Ok(Self(Arc::new(Inner { services, loaded: tokio::sync::Mutex::default(), running: Mutex::default() })))
    }

    pub fn store(&self) -> &Store {
        &self.0.services.store
    }

    // --- Packages -----------------------------------------------------------------------------------------------

    /// Installs a package, also over an older version of the same add-on. Nothing changes unless the component passes its
    /// audit.
    pub async fn install_package(&self, bytes: &[u8], actor: &str) -> Result<AddonVersion, HostError> {
        let package = packages::read(bytes)?;
        let id = package.manifest.addon.id.clone();
        if let Some(current) = self.store().active_addon(&id).await? {
            packages::may_replace(&crate::manifest::Manifest::parse(&current.manifest)?, &package.manifest)?;
        }
        self.activate(package, bytes, actor).await
    }

    /// The same for an add-on that must be installed already.
    pub async fn update_package(&self, bytes: &[u8], actor: &str) -> Result<AddonVersion, HostError> {
        let id = packages::read(bytes)?.manifest.addon.id;
        if self.store().active_addon(&id).await?.is_none() {
            return Err(HostError::NotInstalled(id));
        }
        self.install_package(bytes, actor).await
    }

    async fn activate(&self, package: Package, bytes: &[u8], actor: &str) -> Result<AddonVersion, HostError> {
        let addon = package.manifest.addon.clone();
        let (sha256, manifest) = (package.sha256.clone(), package.manifest_text.clone());
        self.load(package).await?;
        let version = NewAddonVersion {
            addon: &addon.id,
            version: &addon.version.to_string(),
            sha256: &sha256,
            manifest: &manifest,
            package: bytes,
            installed_by: actor,
        };
        self.store().activate_addon(version, self.0.services.clock.now()).await?;
        self.store().active_addon(&addon.id).await?.ok_or(HostError::NotInstalled(addon.id))
    }

    async fn load(&self, package: Package) -> Result<Arc<Loaded>, HostError> {
        let mut loaded = self.0.loaded.lock().await;
        if let Some(known) = loaded.get(&package.sha256) {
            return Ok(known.clone());
        }
        let Package { manifest, component, sha256, .. } = package;
        let addon = self.0.services.runtime.admit(component).await?;
        let new = Arc::new(Loaded { sha256: sha256.clone(), manifest: Arc::new(manifest), addon });
        loaded.insert(sha256, new.clone());
        Ok(new)
    }

    /// The installation, and the version that its add-on is at now.
    async fn situation(&self, installation: &str) -> Result<(Installation, Arc<Loaded>), HostError> {
        let installation = self.store().installation(installation).await?;
        let not_installed = || HostError::NotInstalled(installation.addon.clone());
        let active = self.store().active_addon(&installation.addon).await?.ok_or_else(not_installed)?;
        let known = self.0.loaded.lock().await.get(&active.sha256).cloned();
        let loaded = match known {
            Some(loaded) => loaded,
            None => {
                let bytes = self.store().package(&active.sha256).await?.ok_or_else(not_installed)?;
                self.load(packages::read(&bytes)?).await?
            }
        };
        Ok((installation, loaded))
    }

    // --- Settings -----------------------------------------------------------------------------------------------

    /// Checks and stores what a person changed, all of it or nothing, and answers whether everything is in place now.
    pub async fn save_settings(
        &self,
        installation: &str,
        changes: &[(String, String)],
        actor: &str,
    ) -> Result<Vec<Finding>, HostError> {
        let Services { store, vault, clock, connections, .. } = &self.0.services;
        let (found, loaded) = self.situation(installation).await?;
        let manifest = &loaded.manifest;
        let valid = validate(manifest, changes).map_err(HostError::Settings)?;
        let sealed: Result<Vec<_>, _> = valid.iter().map(|change| change.seal(vault, installation)).collect();
        store.save_settings(installation, &sealed?, actor, clock.now()).await?;
        let settings = Settings::load(store, vault, manifest, installation).await?;
        let access = Access::open(store, vault, manifest, &settings, installation).await?;
        for (name, connection) in &manifest.connections {
            let mut keys = connection.auth.iter().flat_map(credential_keys);
            // Entered anew, perhaps with the same value: a person says that it is right now.
            if keys.any(|key| valid.iter().any(|change| change.key == key)) {
                connections.forgive(&access, name).await?;
            }
        }
        match self.check_situation(&found, &loaded).await {
            Err(HostError::Addon(failure)) => Ok(vec![Finding {
                code: failure.code,
                severity: "error".to_owned(),
                message: failure.message,
                cure: "The settings are saved; run the check again once this is put right.".to_owned(),
                field: String::new(),
                more: failure.more,
            }]),
            other => other,
        }
    }

    /// Is everything in place?
    pub async fn check(&self, installation: &str) -> Result<Vec<Finding>, HostError> {
        let (installation, loaded) = self.situation(installation).await?;
        self.check_situation(&installation, &loaded).await
    }

    async fn check_situation(&self, installation: &Installation, loaded: &Loaded) -> Result<Vec<Finding>, HostError> {
        let Services { store, vault, .. } = &self.0.services;
        let mut findings =
            self.ask(loaded, installation, Purpose::check(), |addon| async { addon.check().await }).await?;
        // Read afterwards: the check may have fetched some.
        let settings = Settings::load(store, vault, &loaded.manifest, &installation.name).await?;
        for spec in settings.missing(&loaded.manifest) {
            if !findings.iter().any(|finding| finding.field == spec.key && finding.severity == "error") {
                findings.push(Finding {
                    code: "missing-setting".to_owned(),
                    severity: "error".to_owned(),
                    message: format!("{}: {} is not set.", spec.group, spec.title),
                    cure: format!("Set `{}`.", spec.key),
                    field: spec.key.clone(),
                    more: Vec::new(),
                });
            }
        }
        Ok(findings)
    }

    /// What a connection has used of its limits; none while it is not set up.
    pub async fn usage(&self, installation: &str, connection: &str) -> Result<Option<Usage>, HostError> {
        let Services { store, vault, connections, .. } = &self.0.services;
        let (_, loaded) = self.situation(installation).await?;
        let settings = Settings::load(store, vault, &loaded.manifest, installation).await?;
        let access = Access::open(store, vault, &loaded.manifest, &settings, installation).await?;
        match access.route(connection) {
            Some(Ok(route)) => Ok(Some(connections.usage(route).await?)),
            Some(Err(_)) => Ok(None),
            None => Err(unknown("the connection", connection, loaded.manifest.connections.keys())),
        }
    }

    // --- Runs ---------------------------------------------------------------------------------------------------

    /// Starts a job and returns at once.
    pub async fn start_run(
        &self,
        installation: &str,
        job: &str,
        request: RunRequest,
    ) -> Result<RunHandle, HostError> {
        let (installation, loaded) = self.situation(installation).await?;
        let jobs = || loaded.manifest.jobs.iter().map(|job| &job.id);
        let spec = loaded.manifest.job(job).ok_or_else(|| unknown("the job", job, jobs()))?;
        if request.preview && !spec.preview {
            return Err(HostError::NoPreview(job.to_owned()));
        }
        let task = Task::Job { job: job.to_owned(), preview: request.preview, options: request.options };
        self.begin(installation, loaded, task, request.trigger, &request.actor).await
    }

    async fn begin(
        &self,
        installation: Installation,
        loaded: Arc<Loaded>,
        task: Task,
        trigger: Trigger,
        actor: &str,
    ) -> Result<RunHandle, HostError> {
        let work = Work::begin(&self.0.services, loaded, installation, task, trigger, actor).await?;
        let id = work.id();
        self.running().insert(id, work.halter());
        let host = self.clone();
        let outcome = tokio::spawn(async move {
            let outcome = work.perform().await;
            host.running().remove(&id);
            outcome
        });
        Ok(RunHandle { id, outcome })
    }

    /// Asks a run to stop, whichever process works on it. False: it is over already.
    pub async fn request_stop(&self, run: RunId) -> Result<bool, HostError> {
        let asked = self.store().request_stop(run).await?;
        if let Some(halter) = self.running().get(&run) {
            halter.halt(Reason::Stopped);
        }
        Ok(asked)
    }

    /// Asks all runs of this process to stop, and waits for their ends; not longer than that.
    pub async fn stop_all(&self, patience: Duration) {
        let runs: Vec<RunId> = self.running().keys().copied().collect();
        for run in runs {
            if let Err(error) = self.request_stop(run).await {
                tracing::warn!(run, %error, "a run could not be asked to stop");
            }
        }
        let all_ended = async {
            while !self.running().is_empty() {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        if tokio::time::timeout(patience, all_ended).await.is_err() {
            tracing::warn!("some runs did not end in time; they go on from what is stored when they run again");
        }
    }

    fn running(&self) -> MutexGuard<'_, HashMap<RunId, Arc<Halter>>> {
        self.0.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    // --- What people ask an add-on ------------------------------------------------------------------------------

    /// Rows of a page.
    pub async fn view(&self, installation: &str, page: &str, query: Query) -> Result<Rows, HostError> {
        let (installation, loaded) = self.situation(installation).await?;
        known_page(&loaded, page)?;
        let call = |addon: Instance| async { addon.view(page, &query).await };
        self.ask(&loaded, &installation, Purpose::view(), call).await
    }

    /// What a field can be set to: values and titles.
    pub async fn choices(&self, installation: &str, source: &str) -> Result<Vec<(String, String)>, HostError> {
        let (installation, loaded) = self.situation(installation).await?;
        let call = |addon: Instance| async { addon.choices(source).await };
        self.ask(&loaded, &installation, Purpose::choices(), call).await
    }

    /// A person's act on rows of a page; answers what to tell them. It is a run like any other.
    pub async fn act(
        &self,
        installation: &str,
        page: &str,
        act: &str,
        rows: Vec<String>,
        values: Vec<(String, String)>,
        actor: &str,
    ) -> Result<String, HostError> {
        let (installation, loaded) = self.situation(installation).await?;
        known_page(&loaded, page)?;
        let task = Task::Act { page: page.to_owned(), act: act.to_owned(), rows, values };
        let outcome = self.begin(installation, loaded, task, Trigger::Person, actor).await?.wait().await;
        match outcome.why {
            Some(why) if outcome.state != RunState::Finished => Err(HostError::Addon(why)),
            _ => Ok(outcome.more.into_iter().find(|(name, _)| name == ANSWER).map(|(_, text)| text).unwrap_or_default()),
        }
    }

    async fn ask<T, F>(
        &self,
        loaded: &Loaded,
        installation: &Installation,
        purpose: Purpose,
        call: impl FnOnce(Instance) -> F,
    ) -> Result<T, HostError>
    where
        F: Future<Output = Result<T, Failure>> + Send,
    {
        self.0.services.ask(loaded, installation, purpose, call).await.map_err(HostError::Addon)
    }
}

fn known_page(loaded: &Loaded, page: &str) -> Result<(), HostError> {
    match loaded.manifest.page(page) {
        Some(_) => Ok(()),
        None => Err(unknown("the page", page, loaded.manifest.pages.iter().map(|page| &page.id))),
    }
}

fn unknown<'n>(what: &'static str, name: &str, known: impl Iterator<Item = &'n String>) -> HostError {
    let meant = nearest(name, known.map(String::as_str)).map(str::to_owned);
    HostError::Unknown { what, name: name.to_owned(), meant }
}
