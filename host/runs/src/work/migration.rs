//! Bringing what an add-on has stored to the version that it needs.

use addon_store::{Failure, Fence};

use super::Work;
use crate::guest_context::Purpose;
use crate::instance::Answered;

/// Why a run failed that could not bring the stored state up to date.
pub const MIGRATION_FAILED: &str = "migration";

impl Work {
    /// A migration that fails is undone: the tables are as they were, and the version before can go on with them.
    pub(super) async fn migrate(&self, fence: &Fence, state: u32, wanted: u32) -> Answered<()> {
        let store = &self.services.store;
        let fenced = || Failure::new("fenced", "The run lost its lease before the migration.");
        if !store.keep_snapshot(fence).await? {
            return Err(fenced());
        }
        match self.try_migrate(fence, state, wanted).await {
            Ok(()) => Ok(store
                .set_state_version(&self.installation.name, wanted)
                .await?),
            Err(why) => {
                store
                    .restore_snapshot(fence, self.installation.stored_bytes)
                    .await?;
                let message = format!(
                    "The add-on could not bring its stored state from version {state} to {wanted}, and it is as it was: {}",
                    why.message
                );
                Err(Failure {
                    code: MIGRATION_FAILED.to_owned(),
                    message,
                    ..why
                })
            }
        }
    }

    async fn try_migrate(&self, fence: &Fence, state: u32, wanted: u32) -> Answered<()> {
        let purpose = Purpose::migration((self.run, self.trigger), fence.clone());
        // A recording begins with the state that the job finds.
        let migrating = self.instance_heard_by(purpose, None).await?;
        let reached = migrating.migrate(state).await?;
        if reached == wanted {
            return Ok(());
        }
        let message = format!("it reached version {reached}, and says that it needs {wanted}.");
        Err(Failure::new(MIGRATION_FAILED, message))
    }
}
