//! One run, from its row in the store to its stored outcome.
//!
//! A run works on a fresh instance, under a lease where it writes, watched by a heartbeat: it writes what the guest tells,
//! renews the lease, hears the wish to stop and counts the time. Whatever happens to the guest, the run gets an outcome and
//! the lease is given back. Beware: a guest need not do as it is told; after a grace its instance is thrown away, which it
//! survives like any other death of its host.

mod heartbeat;
mod migration;

pub use migration::MIGRATION_FAILED;

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use chrono::{DateTime, Utc};
use thiserror::Error;
use tokio::sync::oneshot;

use super::guest_context::{Loaded, Purpose, Services};
use super::instance::{Answered, Instance};
use super::journal::Journal;
use super::pause;
use super::task::{ANSWER, Task};
use super::threads::on_own_thread;
use crate::recordings::{self, About, Scope, Tape};
use addon_store::{
    Failure, Fence, Installation, LeaseAnswer, NewRun, Outcome, RunId, RunState, StoreError,
    Trigger,
};
use addon_traffic::Usage;
use addon_traffic::cancellation::{CancellationSource, CancellationToken, Reason, cancellation};

/// Before a connection's name: how many requests a run sent to it, among the counts of its outcome.
pub const CALLS_TO: &str = "requests to ";

/// Before a connection's name: how many writes a preview held back, as the add-on counts them (`addon.wit`).
pub const WRITES_TO: &str = "writes to ";

#[derive(Debug, Error)]
pub enum BeginError {
    #[error("run {run} is working on this installation: wait for its end, or stop it")]
    Busy { run: RunId },
    #[error(
        "this machine's clock is {seconds} s away from the database server's, and leases are told by it: set both clocks \
         (NTP), then run the job again"
    )]
    Clock { seconds: i64 },
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Who starts a run, and what for.
#[derive(Debug, Clone, Copy)]
pub struct Starter<'a> {
    pub trigger: Trigger,
    /// The person, or what stands for one.
    pub actor: &'a str,
    /// The run is recorded, also where nobody asked for that on a page.
    pub records: bool,
}

impl<'a> Starter<'a> {
    /// Somebody at a page or a command.
    pub fn person(actor: &'a str) -> Self {
        Self {
            trigger: Trigger::Person,
            actor,
            records: false,
        }
    }
}

/// A run that has begun.
pub struct Work {
    services: Services,
    loaded: Arc<Loaded>,
    installation: Installation,
    run: RunId,
    trigger: Trigger,
    task: Task,
    /// `None`: it writes nothing.
    fence: Option<Fence>,
    canceller: Arc<CancellationSource>,
    cancellation: CancellationToken,
    journal: Arc<Journal>,
    usage: Arc<Usage>,
    tape: Arc<Tape>,
    started: DateTime<Utc>,
}

impl Work {
    /// Notes the run and takes the lease, where the task needs one.
    pub async fn begin(
        services: &Services,
        loaded: Arc<Loaded>,
        installation: Installation,
        task: Task,
        by: Starter<'_>,
    ) -> Result<Arc<Self>, BeginError> {
        let Starter {
            trigger,
            actor,
            records,
        } = by;
        let services = &services.limited(&installation.name).await?;
        let store = &services.store;
        let now = services.clock.now();
        check_clock(services, now).await?;
        let writes = !task.is_preview();
        store.keep_pace(&services.mark, now).await?;
        // A state that turned out to be an older one says so now, and the add-on is told.
        let installation = store.installation(&installation.name).await?;
        store.fail_lost_runs(now).await?;
        // Asked first, so that a schedule that meets a long run does not fill the list of runs with refusals.
        if writes && let Some(run) = store.lease_holder(&installation.name, now).await? {
            return Err(BeginError::Busy { run });
        }
        let new = NewRun {
            installation: &installation.name,
            job: &task.name(),
            trigger,
            actor,
            preview: task.is_preview(),
            package_sha256: &loaded.sha256,
            options: &task.told(),
            whole_options: task.resumable().map(|(_, options)| options),
        };
        let run = store.insert_run(new, now).await?;
        let fence = match writes {
            false => None,
            true => match store.acquire_lease(&installation.name, run, now).await? {
                LeaseAnswer::Acquired(fence) => Some(fence),
                LeaseAnswer::Busy { run: other, .. } => {
                    let busy = BeginError::Busy { run: other };
                    let why = Failure::new("busy", busy.to_string());
                    store
                        .finish_run(run, &ended(RunState::Failed, why), now)
                        .await?;
                    return Err(busy);
                }
            },
        };
        let wanted = matches!(task, Task::Job { .. })
            && (records || store.take_record_next(&installation.name).await?);
        let scope = if wanted {
            Scope::Whole
        } else {
            Scope::Failures
        };
        let (canceller, cancellation) = cancellation();
        Ok(Arc::new(Self {
            journal: Arc::new(Journal::new(services.limits.log_lines)),
            services: services.clone(),
            loaded,
            installation,
            run,
            trigger,
            task,
            fence,
            canceller: Arc::new(canceller),
            cancellation,
            usage: Arc::default(),
            tape: Arc::new(Tape::new(scope)),
            started: now,
        }))
    }

    pub fn id(&self) -> RunId {
        self.run
    }

    /// The version that it runs.
    pub fn loaded(&self) -> &Loaded {
        &self.loaded
    }

    pub fn installation(&self) -> &Installation {
        &self.installation
    }

    pub fn is_preview(&self) -> bool {
        self.task.is_preview()
    }

    /// For telling it to stop without the way through the store.
    pub fn canceller(&self) -> Arc<CancellationSource> {
        self.canceller.clone()
    }

    /// Works, and stores the outcome before it returns it.
    pub async fn perform(self: Arc<Self>) -> Outcome {
        let (over, is_over) = oneshot::channel();
        let heart = tokio::spawn(self.clone().beat(is_over));
        // A panic of the runtime ends the run and nothing else.
        let mut outcome = match on_own_thread(self.clone().work()).await {
            Ok(outcome) => outcome,
            Err(why) => {
                tracing::error!(run = self.run, "a run broke down");
                ended(RunState::Failed, why)
            }
        };
        let calls = self.usage.calls().into_iter();
        outcome
            .counts
            .extend(calls.map(|(connection, calls)| (format!("{CALLS_TO}{connection}"), calls)));
        match (outcome.state, self.cancellation.reason()) {
            (RunState::Stopped, Some(Reason::HostStops)) => {
                self.leave_to_the_next_host(&mut outcome);
            }
            (RunState::Paused, _) => self.rest(&mut outcome).await,
            _ => {}
        }
        // Not aborted: it may be writing down what the guest told.
        drop(over);
        if let Err(error) = heart.await {
            tracing::error!(run = self.run, %error, "a run's heartbeat broke down");
        }
        if let Err(error) = self.keep_recording(&outcome).await {
            tracing::error!(run = self.run, %error, "what a run heard could not be kept");
        }
        if let Err(error) = self.conclude(&outcome).await {
            tracing::error!(run = self.run, %error, "the outcome of a run could not be stored");
        }
        outcome
    }

    /// What the add-on says of its pause, held to bounds.
    async fn rest(&self, outcome: &mut Outcome) {
        let Some((job, _)) = self.task.resumable() else {
            return;
        };
        let store = &self.services.store;
        let mut in_vain = u32::from(pause::is_in_vain(outcome));
        if in_vain > 0 {
            let before = store.ended_runs(&self.installation.name, job, pause::LOOKED_AT);
            match before.await {
                Ok(before) => in_vain += pause::in_vain(&before),
                Err(error) => {
                    tracing::error!(run = self.run, %error, "earlier pauses cannot be read");
                }
            }
        }
        let at = pause::goes_on(outcome.resume_at, in_vain, self.services.clock.now());
        outcome.resume_at = u64::try_from(at.timestamp()).ok();
    }

    /// What the end of its host interrupted is not over, as what a person stopped is.
    fn leave_to_the_next_host(&self, outcome: &mut Outcome) {
        let message = if self.task.resumable().is_some() {
            outcome.state = RunState::Paused;
            outcome.resume_at = u64::try_from(self.services.clock.now().timestamp()).ok();
            "The host was stopped. Nothing is lost: the job goes on from what is stored when a host runs again."
        } else {
            "The host was stopped before this was done: begin it again."
        };
        outcome.why = Some(Failure::new("host-stopped", message));
    }

    async fn conclude(&self, outcome: &Outcome) -> Result<(), StoreError> {
        let store = &self.services.store;
        let now = self.services.clock.now();
        self.write_journal().await?;
        if let (Some((job, options)), RunState::Paused) = (self.task.resumable(), outcome.state) {
            let at = outcome
                .resume_at
                .and_then(|at| DateTime::from_timestamp(i64::try_from(at).ok()?, 0));
            store
                .set_resume(&self.installation.name, job, at, options)
                .await?;
        }
        // Before the run is over for those who look at it, so that whoever sees its end can begin the next one.
        let released = match &self.fence {
            Some(fence) => store.release_lease(fence).await,
            None => Ok(()),
        };
        store.finish_run(self.run, outcome, now).await?;
        self.note_end(outcome);
        released
    }

    /// Stores what the run heard, with made-up texts for people's.
    async fn keep_recording(&self, outcome: &Outcome) -> Result<(), StoreError> {
        let taken = self.tape.take();
        let options = match &self.task {
            Task::Job { options, .. } => options.clone(),
            Task::Act { .. } | Task::Migrate => Vec::new(),
        };
        if !self.tape.is_whole() && taken.exchanges.is_empty() {
            return Ok(());
        }
        let store = &self.services.store;
        let package = store
            .package(&self.loaded.sha256)
            .await?
            .unwrap_or_default();
        let (manifest, outcome) = (self.loaded.manifest.clone(), outcome.clone());
        let (job, preview) = (self.task.name(), self.task.is_preview());
        let (tape, started) = (self.tape.clone(), self.started);
        // Going through all of it takes its time, and others wait for this thread.
        let made = tokio::task::spawn_blocking(move || {
            let about = About {
                manifest: &manifest,
                package: &package,
                job: &job,
                preview,
                options: &options,
                started,
                outcome: &outcome,
            };
            recordings::made(&tape, &taken, about)
        });
        let Ok(made) = made.await else {
            tracing::error!(run = self.run, "a recording could not be made");
            return Ok(());
        };
        for (kind, content) in made {
            store
                .save_recording(&self.installation.name, self.run, kind, &content)
                .await?;
        }
        Ok(())
    }

    /// For whoever reads the host's own log.
    fn note_end(&self, outcome: &Outcome) {
        let (installation, run) = (self.installation.name.as_str(), self.run);
        let state = outcome.state.as_str();
        let why = outcome.why.as_ref().map_or("", |why| why.message.as_str());
        if outcome.state == RunState::Failed {
            tracing::warn!(installation, run, why, "failed");
        } else {
            tracing::info!(installation, run, why, "{state}");
        }
    }

    async fn work(self: Arc<Self>) -> Outcome {
        let overdue = async {
            let reason = self.cancellation.clone().said().await;
            tokio::time::sleep(self.services.limits.grace).await;
            reason
        };
        let answered = tokio::select! {
            answered = self.call() => answered,
            reason = overdue => {
                let seconds = self.services.limits.grace.as_secs();
                let message = format!("The add-on did not stop within {seconds} s of being told, and was ended.");
                let state = if reason == Reason::Fenced { RunState::Failed } else { RunState::Stopped };
                return ended(state, Failure::new("ended", message));
            }
        };
        match (answered, self.cancellation.reason()) {
            // To people a run that was taken over did not stop: they never asked for it.
            (
                Ok(Outcome {
                    state: RunState::Stopped,
                    ..
                }),
                Some(Reason::Fenced),
            ) => {
                let why = Failure::new(
                    "fenced",
                    "The run lost its lease: another run worked on the installation.",
                );
                ended(RunState::Failed, why)
            }
            // A person's word ends it: it does not go on by itself, whatever the add-on answers.
            (Ok(outcome), Some(Reason::Stopped)) if outcome.state == RunState::Paused => Outcome {
                state: RunState::Stopped,
                resume_at: None,
                ..outcome
            },
            (Ok(outcome), _) => outcome,
            // What was not sent any more is why it failed, and that is as it was told.
            (Err(why), Some(Reason::Stopped | Reason::HostStops | Reason::TimeUp))
                if why.code == "stopped" =>
            {
                ended(RunState::Stopped, why)
            }
            (Err(why), _) => ended(RunState::Failed, why),
        }
    }

    async fn call(&self) -> Answered<Outcome> {
        let (state, wanted) = (self.installation.state, self.loaded.manifest.addon.state);
        match &self.fence {
            Some(fence) if state < wanted => self.migrate(fence, state, wanted).await?,
            None if state < wanted => {
                let message = "The add-on was updated and its stored state is not yet brought up to date. Run a job first.";
                return Err(Failure::new("migration-due", message));
            }
            _ => {}
        }
        let who = (self.run, self.trigger);
        match &self.task {
            Task::Job {
                job,
                preview,
                options,
            } => {
                let purpose = match &self.fence {
                    Some(fence) => Purpose::writing(who, fence.clone()),
                    None => Purpose::preview(who),
                };
                self.instance(purpose)
                    .await?
                    .run_job(job, *preview, options)
                    .await
            }
            Task::Act {
                page,
                act,
                rows,
                values,
            } => {
                let purpose = self.fence.clone().map(|fence| Purpose::act(who, fence));
                let purpose = purpose.unwrap_or(Purpose::preview(who));
                let answer = self
                    .instance(purpose)
                    .await?
                    .act(page, act, rows, values)
                    .await?;
                let more = vec![(ANSWER.to_owned(), answer)];
                Ok(finished(more))
            }
            Task::Migrate => Ok(finished(Vec::new())),
        }
    }

    async fn instance(&self, purpose: Purpose) -> Answered<Instance> {
        self.instance_heard_by(purpose, Some(self.tape.clone()))
            .await
    }

    async fn instance_heard_by(
        &self,
        purpose: Purpose,
        tape: Option<Arc<Tape>>,
    ) -> Answered<Instance> {
        let rows = AtomicUsize::new(self.services.limits.report_rows);
        let desk = self
            .services
            .desk(
                &self.loaded,
                &self.installation,
                purpose,
                self.cancellation.clone(),
                self.journal.clone(),
                self.usage.clone(),
                rows,
                tape,
            )
            .await?;
        Instance::new(
            &self.services.runtime,
            &self.loaded.addon,
            desk,
            &self.services.limits,
        )
        .await
    }
}

/// Leases keep two hosts apart as long as their clocks agree.
async fn check_clock(services: &Services, before: DateTime<Utc>) -> Result<(), BeginError> {
    let store = &services.store;
    let Some(there) = store.server_time().await? else {
        return Ok(());
    };
    let after = services.clock.now();
    let allowed = store.clock_tolerance() / 2;
    if (before - allowed..=after + allowed).contains(&there) {
        return Ok(());
    }
    let seconds = (there - before).num_seconds();
    Err(BeginError::Clock { seconds })
}

fn ended(state: RunState, why: Failure) -> Outcome {
    Outcome {
        state,
        resume_at: None,
        why: Some(why),
        counts: Vec::new(),
        more: Vec::new(),
    }
}

fn finished(more: Vec<(String, String)>) -> Outcome {
    Outcome {
        state: RunState::Finished,
        resume_at: None,
        why: None,
        counts: Vec::new(),
        more,
    }
}
