//! Channels to people: made, opened and tried out.

use super::{Host, HostError, master_key};
use crate::alerts::channel::{ChannelError, NewChannel, Open, open, seal};
use crate::alerts::{AlertContent, News};
use addon_store::{AlertChannel, Author};
use addon_traffic::Connections;

impl Host {
    /// Makes a channel or puts it in the place of the one of that name. Answers a signing key that was made with it, to be shown once.
    pub async fn save_channel(
        &self,
        new: NewChannel,
        actor: &str,
    ) -> Result<Option<String>, HostError> {
        let (store, vault) = (self.store(), &self.0.services.vault);
        if let Some(installation) = &new.installation {
            store.installation(installation).await?;
        }
        // A command may have changed the key while this host was running.
        master_key::follow(store, vault).await?;
        let channels = store.alert_channels().await?;
        let before = channels.iter().find(|channel| channel.name == new.name);
        // One whose secrets do not open any more is made anew, not kept.
        let kept = before.and_then(|channel| open(vault, channel).ok());
        let (channel, made) = seal(vault, new, kept)?;
        let author = Author::new(actor, self.0.services.clock.now());
        store.save_alert_channel(&channel, &author).await?;
        self.raise_alarm();
        Ok(made)
    }

    /// Has a message sent that says that messages come; it goes the way of all others.
    /// Answers the message's id.
    pub async fn try_channel(&self, name: &str) -> Result<i64, HostError> {
        let content = AlertContent::of(vec![News::Test]);
        let now = self.0.services.clock.now();
        let id = self
            .store()
            .queue_alert(name, &content.stored(), now)
            .await?;
        self.raise_alarm();
        Ok(id)
    }

    /// Opens a stored channel's secrets.
    pub(crate) async fn open_channel(&self, channel: &AlertChannel) -> Result<Open, HostError> {
        let (store, vault) = (self.store(), &self.0.services.vault);
        master_key::follow(store, vault).await?;
        Ok(open(vault, channel)?)
    }

    pub(crate) fn connections(&self) -> &Connections {
        &self.0.services.connections
    }
}

impl From<ChannelError> for HostError {
    fn from(error: ChannelError) -> Self {
        match error {
            ChannelError::Fields(problems) => Self::Settings(problems),
            ChannelError::Store(error) => Self::Store(error),
            ChannelError::Vault(error) => Self::Vault(error),
        }
    }
}
