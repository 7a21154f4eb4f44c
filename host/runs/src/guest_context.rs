//! What a call into a guest needs, put together: the services of the host, the add-on, the installation, and the purpose
//! that says what the guest may do.

use std::sync::atomic::{AtomicU64, AtomicUsize};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::bindings::SyncAddonPre;
use super::context::context;
use super::engine::Runtime;
use super::guest::{Guest, GuestContext};
use super::instance::{Answered, Instance};
use super::journal::Journal;
use super::limits::Limits;
use super::seats::Seats;
use super::threads::on_own_thread;
use crate::recordings::Tape;
use addon_manifest::Manifest;
use addon_settings::{Settings, SettingsError};
use addon_store::{
    ALL_INSTALLATIONS, Failure, Fence, Installation, Mark, RunId, Store, StoreError, Trigger,
};
use addon_traffic::cancellation::{CancellationToken, cancellation};
use addon_traffic::clock::Clock;
use addon_traffic::{Access, By, Caller, Connections, Rights, Usage};
use addon_vault::Vault;

/// What the host lends; clones are the same.
#[derive(Clone)]
pub struct Services {
    pub store: Store,
    /// How far the database was.
    pub mark: Mark,
    pub vault: Arc<Vault>,
    pub clock: Arc<dyn Clock>,
    pub connections: Connections,
    pub runtime: Runtime,
    pub limits: Limits,
    /// For guests that answer people.
    pub seats: Arc<Seats>,
}

/// An installed version of an add-on, ready to run.
pub struct Loaded {
    /// Of the package.
    pub sha256: String,
    pub manifest: Arc<Manifest>,
    pub addon: SyncAddonPre<Guest>,
}

/// Why a guest is called, and with that what it may do.
pub struct Purpose {
    run: Option<(RunId, Trigger)>,
    rights: Rights,
    /// For commits.
    fence: Option<Fence>,
    may_fetch: bool,
    /// A person waits for the answer.
    urgent: bool,
}

impl Purpose {
    /// Reads both services; stores what it fetched.
    pub fn check() -> Self {
        Self {
            run: None,
            rights: Rights::Read,
            fence: None,
            may_fetch: true,
            urgent: true,
        }
    }

    /// A person waits for a list.
    pub fn choices() -> Self {
        Self {
            may_fetch: false,
            ..Self::check()
        }
    }

    /// A person waits for a list who may not have requests sent: what is stored has to do.
    pub fn stored_choices() -> Self {
        Self::view()
    }

    /// Works on stored data alone.
    pub fn view() -> Self {
        Self {
            rights: Rights::Nothing,
            ..Self::choices()
        }
    }

    pub fn preview(run: (RunId, Trigger)) -> Self {
        Self {
            run: Some(run),
            urgent: false,
            ..Self::choices()
        }
    }

    pub fn writing(run: (RunId, Trigger), fence: Fence) -> Self {
        let (rights, fence) = (Rights::Write(fence.clone()), Some(fence));
        Self {
            run: Some(run),
            rights,
            fence,
            may_fetch: true,
            urgent: false,
        }
    }

    /// A person's act on rows of a page.
    pub fn act(run: (RunId, Trigger), fence: Fence) -> Self {
        Self {
            urgent: true,
            ..Self::writing(run, fence)
        }
    }

    pub fn migration(run: (RunId, Trigger), fence: Fence) -> Self {
        Self {
            rights: Rights::Nothing,
            may_fetch: false,
            ..Self::writing(run, fence)
        }
    }
}

impl Services {
    /// With the limits that an operator set for an installation.
    pub async fn limited(&self, installation: &str) -> Result<Self, StoreError> {
        let mut limits = self.limits.clone();
        for scope in [ALL_INSTALLATIONS, installation] {
            limits = limits.with(&self.store.changed_limits(scope).await?);
        }
        Ok(Self {
            limits,
            ..self.clone()
        })
    }

    #[allow(
        clippy::too_many_arguments,
        reason = "each is another's, and they meet here only"
    )]
    pub(super) async fn desk(
        &self,
        loaded: &Loaded,
        installation: &Installation,
        purpose: Purpose,
        cancellation: CancellationToken,
        journal: Arc<Journal>,
        usage: Arc<Usage>,
        report_rows: AtomicUsize,
        tape: Option<Arc<Tape>>,
    ) -> Answered<Arc<GuestContext>> {
        let manifest = loaded.manifest.clone();
        let name = installation.name.clone();
        let settings = Settings::load(&self.store, &self.vault, &manifest, &name)
            .await
            .map_err(unreadable)?;
        let access = Access::open(&self.store, &self.vault, &manifest, &settings, &name).await?;
        let Purpose {
            run,
            rights,
            fence,
            may_fetch,
            urgent,
        } = purpose;
        let context = context(
            &manifest,
            &settings,
            installation,
            &access,
            run,
            self.clock.now(),
        );
        let by = run.map_or(By::Person, |(_, trigger)| By::of(trigger));
        let (log, clock) = (journal.clone(), self.clock.clone());
        let caller = Caller {
            access: Arc::new(access),
            rights,
            by,
            urgent,
            run: run.map(|(run, _)| run),
            cancellation,
            usage,
            tell: Arc::new(move |level, message| log.log(level, message, clock.now())),
        };
        Ok(Arc::new(GuestContext {
            store: self.store.clone(),
            vault: self.vault.clone(),
            clock: self.clock.clone(),
            connections: self.connections.clone(),
            manifest,
            installation: name,
            settings: Mutex::new(Arc::new(settings)),
            context,
            caller,
            fence,
            may_fetch,
            run: run.map(|(run, _)| run),
            journal,
            tape,
            calls: AtomicU64::new(self.limits.calls),
            report_rows,
            activities: AtomicUsize::new(self.limits.activities),
            stored_bytes: self.limits.stored_bytes,
        }))
    }

    /// Calls a guest for somebody who waits for the answer.
    pub async fn ask<T, F>(
        &self,
        loaded: &Loaded,
        installation: &Installation,
        purpose: Purpose,
        call: impl FnOnce(Instance) -> F + Send + 'static,
    ) -> Answered<T>
    where
        T: Send + 'static,
        F: Future<Output = Answered<T>> + Send + 'static,
    {
        let limited = self.limited(&installation.name).await?;
        let patience = limited.limits.interactive;
        let seat = tokio::time::timeout(patience, self.seats.take(&installation.name)).await;
        let _seat = seat.map_err(|_| crowded(patience))?;
        // Dropped with the call: nobody tells it to stop.
        let (_halter, cancellation) = cancellation();
        let journal = Arc::new(Journal::new(limited.limits.log_lines));
        let rows = AtomicUsize::new(0);
        let desk = limited
            .desk(
                loaded,
                installation,
                purpose,
                cancellation,
                journal.clone(),
                Arc::default(),
                rows,
                None,
            )
            .await?;
        let (runtime, addon) = (self.runtime.clone(), loaded.addon.clone());
        let limits = limited.limits.clone();
        let asking = on_own_thread(async move {
            call(Instance::new(&runtime, &addon, desk, &limits).await?).await
        });
        let answered = tokio::time::timeout(limited.limits.interactive, asking).await;
        for line in journal.take().0 {
            tracing::debug!(
                installation = installation.name,
                level = line.level,
                "{}",
                line.message.escape_debug()
            );
        }
        let late = |_| {
            let seconds = limited.limits.interactive.as_secs();
            let message = format!("The add-on did not answer within {seconds} s.");
            Failure::new("timeout", message)
        };
        answered.map_err(late)??
    }
}

fn crowded(patience: Duration) -> Failure {
    let seconds = patience.as_secs();
    let message = format!(
        "As many pages of this add-on are being made as may be at once, and none was ready within {seconds} s: close some of \
         them, and load this one again."
    );
    Failure::new("timeout", message)
}

fn unreadable(error: SettingsError) -> Failure {
    match error {
        SettingsError::Store(error) => error.into(),
        SettingsError::Vault(error) => Failure::new("internal", error.to_string()),
    }
}
