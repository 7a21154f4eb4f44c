//! `addon-host alerts`: who is told of what needs people. Passwords, keys and addresses of web hooks come in on standard input.

use std::path::PathBuf;
use std::process::ExitCode;

use addon_host::alerts::channel::{self, MailTerms, NewChannel, NewMeans, Security, Terms};
use addon_host::alerts::{self, AlertContent, Courier};
use addon_host::clock::SystemClock;
use addon_host::vault::Secret;
use anyhow::{Context as _, Result, ensure};
use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::context::Context;
use super::output::{instant, table};
use super::secret_input;

#[derive(Subcommand)]
pub enum Alerts {
    /// Lists the channels
    List,
    /// Makes a channel by mail, or changes it; with --login its password comes on standard input
    Mail(Mail),
    /// Makes a channel to a web hook, or changes it: its address comes on standard input. Prints the key that signs the messages, once
    WebHook {
        /// What the channel is to be called
        name: String,
        /// Tells only of this one
        #[arg(long, value_name = "NAME")]
        installation: Option<String>,
        /// The address may be of this machine or of a private network
        #[arg(long)]
        private: bool,
    },
    /// Sends a message through a channel that says that messages come
    Test {
        /// Name of the channel
        name: String,
    },
    /// Removes a channel, and what it has not sent
    Remove {
        /// Name of the channel
        name: String,
    },
    /// Shows the messages of the last month, the newest first
    Sent {
        /// Most messages to show
        #[arg(long, default_value_t = 50)]
        limit: u32,
    },
}

#[derive(Args)]
pub struct Mail {
    /// What the channel is to be called
    name: String,
    /// The mail server; its port may stand behind it
    #[arg(long, value_name = "HOST[:PORT]")]
    server: String,
    /// How the way to it is protected: starttls, tls, none
    #[arg(long, default_value = "starttls")]
    security: Security,
    /// [default: 587 with starttls, 465 with tls, 25 with none]
    #[arg(long)]
    port: Option<u16>,
    /// To be given with the password; without one the server is not logged in to
    #[arg(long)]
    login: Option<String>,
    /// The address that the server may send as
    #[arg(long, value_name = "ADDRESS")]
    from: String,
    /// Who is told
    #[arg(long, value_name = "ADDRESS", required = true, value_delimiter = ',')]
    to: Vec<String>,
    /// Certificate (PEM) of the authority that vouches for the server, where it is your own
    #[arg(long, value_name = "FILE")]
    authority: Option<PathBuf>,
    /// Tells only of this one
    #[arg(long, value_name = "NAME")]
    installation: Option<String>,
    /// Leaves the password as it is
    #[arg(long)]
    keep_password: bool,
}

impl Alerts {
    pub async fn execute(self, context: &Context) -> Result<ExitCode> {
        match self {
            Self::List => list(context).await,
            Self::Mail(mail) => save(context, mail.channel()?).await,
            Self::WebHook {
                name,
                installation,
                private,
            } => {
                let address = Secret::new(secret_input::read()?.trim());
                let means = NewMeans::WebHook {
                    address: Some(address).filter(|address| !address.expose().is_empty()),
                    private,
                    key: None,
                };
                let new = NewChannel {
                    name,
                    installation,
                    means,
                };
                save(context, new).await
            }
            Self::Test { name } => test(context, &name).await,
            Self::Remove { name } => {
                let store = context.store().await?;
                let removed = store.remove_alert_channel(&name, &context.author()).await?;
                ensure!(
                    removed,
                    "there is no channel `{name}`: `alerts list` shows them"
                );
                context.output.show(json!({ "removed": name }), || {
                    format!("The channel {name} is gone.")
                })?;
                Ok(ExitCode::SUCCESS)
            }
            Self::Sent { limit } => sent(context, limit).await,
        }
    }
}

impl Mail {
    fn channel(self) -> Result<NewChannel> {
        let asks = self.login.is_some() && !self.keep_password;
        let password = asks.then(secret_input::read).transpose()?.map(Secret::new);
        let authority = match &self.authority {
            Some(file) => std::fs::read_to_string(file)
                .with_context(|| format!("{} cannot be read", file.display()))?,
            None => String::new(),
        };
        let (server, port) = alerts::server_and_port(&self.server);
        Ok(NewChannel {
            name: self.name,
            installation: self.installation,
            means: NewMeans::Mail {
                terms: MailTerms {
                    port: self.port.or(port).unwrap_or(self.security.usual_port()),
                    server,
                    security: self.security,
                    login: self.login.unwrap_or_default(),
                    from: self.from,
                    to: self.to,
                    authority,
                },
                password,
            },
        })
    }
}

async fn save(context: &Context, new: NewChannel) -> Result<ExitCode> {
    let name = new.name.clone();
    let made = context
        .host()
        .await?
        .save_channel(new, &context.actor())
        .await?;
    context
        .output
        .show(json!({ "channel": name, "signing_key": made }), || {
            let key = made.as_ref().map_or_else(String::new, |key| {
                format!("The receiver checks messages with this key (not shown again): {key}\n")
            });
            format!("The channel {name} is set: `alerts test {name}` tries it.\n{key}")
        })?;
    Ok(ExitCode::SUCCESS)
}

async fn list(context: &Context) -> Result<ExitCode> {
    let mut rows = Vec::new();
    for channel in context.store().await?.alert_channels().await? {
        let terms = channel::terms(&channel)?;
        rows.push((channel, terms));
    }
    let json = rows.iter().map(|(channel, terms)| {
        let mut json = json!({ "channel": channel.name, "installation": channel.installation, "secret_set": channel.sealed.is_some() });
        if let (Value::Object(fields), Value::Object(more)) = (&mut json, json!(terms)) {
            fields.extend(more);
        }
        json
    });
    context.output.show(json.collect(), || {
        let lines = rows.iter().map(|(channel, terms)| {
            let about = channel
                .installation
                .clone()
                .unwrap_or_else(|| "everything".to_owned());
            let server = match terms {
                Terms::Mail(mail) => {
                    format!("{}:{} {}", mail.server, mail.port, mail.security.as_str())
                }
                Terms::WebHook(_) => String::new(),
            };
            [
                channel.name.clone(),
                terms.kind().to_owned(),
                terms.told(),
                about,
                server,
            ]
        });
        table(
            &["channel", "by", "to", "about", "server"],
            lines,
            "Nobody is told of anything: `alerts mail` or `alerts web-hook` makes a channel.",
        )
    })?;
    Ok(ExitCode::SUCCESS)
}

async fn test(context: &Context, name: &str) -> Result<ExitCode> {
    let host = context.host().await?;
    let id = host.try_channel(name).await?;
    let courier = Courier {
        host: &host,
        clock: &SystemClock,
        address: None,
        sending: alerts::SENDING,
    };
    // A server may be quicker.
    courier.message(id).await?;
    let message = host.store().alert_message(id).await?;
    let is_sent = message.state == "sent";
    let json = json!({ "channel": name, "state": message.state, "error": message.error });
    context.output.show(json, || match &message.error {
        None if is_sent => format!("Delivered to {name}."),
        None => "Another host delivers it: `alerts sent` tells how that went.".to_owned(),
        Some(error) if is_sent => format!("Delivered to {name}, but not to all: {error}."),
        Some(error) => format!("Not delivered: {error}."),
    })?;
    Ok(if message.error.is_some() {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    })
}

async fn sent(context: &Context, limit: u32) -> Result<ExitCode> {
    let mut rows = Vec::new();
    for message in context.store().await?.alert_messages(limit).await? {
        let content = AlertContent::read(&message.letter)?;
        rows.push((message, content));
    }
    let json = rows.iter().map(|(message, content)| {
        json!({
            "id": message.id, "channel": message.channel, "made_at": instant(message.made_at), "state": message.state,
            "attempts": message.attempts, "sent_at": message.sent_at.map(instant), "error": message.error, "news": content.news,
        })
    });
    context.output.show(json.collect(), || {
        let lines = rows.iter().map(|(message, content)| {
            [
                instant(message.made_at),
                message.channel.clone(),
                message.state.clone(),
                content.subject(),
                message.error.clone().unwrap_or_default(),
            ]
        });
        table(
            &["made", "channel", "state", "message", "error"],
            lines,
            "Nothing was told yet.",
        )
    })?;
    Ok(ExitCode::SUCCESS)
}
