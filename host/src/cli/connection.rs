//! `addon-host connection`: the manifest's terms of a connection, the operator's, and how it stands with its limits now.

use std::process::ExitCode;

use addon_host::connections::governor::{Class, Figures, Limits};
use addon_host::host::ConnectionState;
use addon_host::manifest::Connection as Declared;
use addon_host::store::ConnectionOverride;
use anyhow::{Context as _, Result, anyhow, bail, ensure};
use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::context::{Context, installed};
use super::output::{instant, millis, printable, table};
use super::settings::pair;

#[derive(Args)]
pub struct Connection {
    /// Name of the installation
    installation: String,
    /// Name of the connection, such as `splynx`; without it all are shown
    connection: Option<String>,
    #[command(subcommand)]
    command: Option<Change>,
}

#[derive(Subcommand)]
enum Change {
    /// Sets per-minute, per-day, reserve (of the day, for people), burst, settle (seconds), timeout (seconds), answer-mib or allow-host (several:
    /// parted by commas); an empty value goes back to the manifest's
    Set {
        /// Terms with their new values; an empty value is the manifest's again
        #[arg(required = true, value_name = "NAME=VALUE", value_parser = pair)]
        changes: Vec<(String, String)>,
    },
}

/// Of a guest's memory an answer is a part.
const MOST_ANSWER_MIB: u32 = 256;

impl Connection {
    pub async fn execute(self, context: &Context) -> Result<ExitCode> {
        let host = context.host().await?;
        let store = host.store();
        let (_, manifest) = installed(store, &self.installation).await?;
        let known = || {
            let names: Vec<&str> = manifest.connections.keys().map(String::as_str).collect();
            names.join(", ")
        };
        if let Some(name) = &self.connection {
            let declared = manifest
                .connections
                .get(name)
                .ok_or_else(|| anyhow!("there is no connection `{name}`; there are {}", known()))?;
            if let Some(Change::Set { changes }) = self.command {
                let mut terms = store.connection_override(&self.installation, name).await?;
                for (term, value) in changes {
                    change(&mut terms, declared, &term, value.trim())
                        .with_context(|| term.clone())?;
                }
                store
                    .set_connection_override(&self.installation, name, &terms, &context.author())
                    .await?;
            }
        } else {
            ensure!(
                self.command.is_none(),
                "say which connection; there are {}",
                known()
            );
        }
        let mut shown = Vec::new();
        for state in host.traffic(&self.installation).await? {
            if self
                .connection
                .as_ref()
                .is_some_and(|name| *name != state.name)
            {
                continue;
            }
            let terms = store
                .connection_override(&self.installation, &state.name)
                .await?;
            let terms = terms_of(&manifest.connections[&state.name], &terms);
            shown.push((state, terms));
        }
        let one = self.connection.is_some();
        let json: Vec<Value> = shown
            .iter()
            .map(|(state, terms)| json_of(state, terms))
            .collect();
        let json = match (one, json.first()) {
            (true, Some(only)) => only.clone(),
            _ => json.into(),
        };
        context.output.show(json, || {
            let parts: Vec<String> = shown
                .iter()
                .map(|(state, terms)| text_of(state, terms))
                .collect();
            parts.join("\n")
        })?;
        Ok(ExitCode::SUCCESS)
    }
}

fn change(
    terms: &mut ConnectionOverride,
    declared: &Declared,
    name: &str,
    value: &str,
) -> Result<()> {
    let number = || -> Result<Option<u32>> {
        if value.is_empty() {
            return Ok(None);
        }
        let number: u32 = value
            .parse()
            .map_err(|_| anyhow!("`{value}` is not a whole number"))?;
        ensure!(number > 0, "nothing would ever be sent; write at least 1");
        Ok(Some(number))
    };
    match name {
        "per-minute" => {
            terms.per_minute = number()?;
            beyond(name, terms.per_minute, Some(declared.per_minute));
        }
        "per-day" => {
            terms.per_day = number()?;
            beyond(name, terms.per_day, declared.per_day);
        }
        // None at all is a number, too.
        "reserve" if value == "0" => terms.reserve = Some(0),
        "reserve" => {
            let reserve = number()?;
            let day = terms.per_day.or(declared.per_day).unwrap_or(0);
            ensure!(
                reserve.is_none_or(|reserve| reserve <= day / 2),
                "at most half of per-day can be kept, {}",
                day / 2
            );
            terms.reserve = reserve;
        }
        "burst" => terms.burst = number()?,
        "settle" => {
            let seconds = number()?;
            let least = terms.timeout_seconds.unwrap_or(declared.timeout_seconds);
            ensure!(
                seconds.is_none_or(|seconds| seconds > least),
                "a request can be in flight for {least} s; write more"
            );
            terms.settle_seconds = seconds;
        }
        "timeout" => {
            let seconds = number()?;
            let most = terms.settle_seconds.unwrap_or(declared.settle_seconds) - 1;
            ensure!(
                seconds.is_none_or(|seconds| seconds <= most),
                "a request counts as over after {most} s; write at most that, or more for settle first"
            );
            terms.timeout_seconds = seconds;
        }
        "answer-mib" => {
            let mebibytes = number()?;
            ensure!(
                mebibytes.is_none_or(|mebibytes| mebibytes <= MOST_ANSWER_MIB),
                "write at most {MOST_ANSWER_MIB}"
            );
            terms.answer_mib = mebibytes;
        }
        "allow-host" => {
            let hosts = value
                .split(',')
                .map(str::trim)
                .filter(|host| !host.is_empty());
            terms.allow_hosts = hosts.map(str::to_owned).collect();
            ensure!(
                terms
                    .allow_hosts
                    .iter()
                    .all(|host| !host.contains(['/', '@', '?', '#', ' '])),
                "write host names or addresses only"
            );
        }
        _ => {
            bail!(
                "there is no such term; there are per-minute, per-day, reserve, burst, settle, timeout, answer-mib, allow-host"
            )
        }
    }
    Ok(())
}

/// Warns of more than the add-on's makers thought that the service takes.
fn beyond(term: &str, wanted: Option<u32>, declared: Option<u32>) {
    if let (Some(wanted), Some(declared)) = (wanted, declared)
        && wanted > declared
    {
        eprintln!(
            "warning: {term}={wanted} is more than the {declared} of the manifest; a service that is asked more often than it allows may refuse everything for an hour"
        );
    }
}

/// Rounded up.
fn mebibytes(declared: &Declared) -> u32 {
    u32::try_from(declared.max_response_bytes.div_ceil(1 << 20)).unwrap_or(u32::MAX)
}

/// A term's name, its value, and the manifest's.
type Term = (&'static str, [String; 2]);

fn terms_of(declared: &Declared, terms: &ConnectionOverride) -> [Term; 8] {
    let number = |changed: Option<u32>, usual: Option<u32>| {
        let text = |number: Option<u32>| {
            number.map_or_else(|| "none".to_owned(), |number| number.to_string())
        };
        [text(changed.or(usual)), text(usual)]
    };
    let usual = ConnectionOverride {
        per_day: terms.per_day,
        ..ConnectionOverride::default()
    };
    let reserve = |terms: &ConnectionOverride| Some(Limits::of(declared, terms).reserve);
    [
        (
            "per-minute",
            number(terms.per_minute, Some(declared.per_minute)),
        ),
        ("per-day", number(terms.per_day, declared.per_day)),
        ("reserve", number(reserve(terms), reserve(&usual))),
        ("burst", number(terms.burst, Some(declared.burst))),
        (
            "settle",
            number(terms.settle_seconds, Some(declared.settle_seconds)),
        ),
        (
            "timeout",
            number(terms.timeout_seconds, Some(declared.timeout_seconds)),
        ),
        (
            "answer-mib",
            number(terms.answer_mib, Some(mebibytes(declared))),
        ),
        ("allow-host", [terms.allow_hosts.join(","), String::new()]),
    ]
}

fn json_of(state: &ConnectionState, terms: &[Term]) -> Value {
    let terms: Vec<Value> = terms
        .iter()
        .map(|(name, [value, usual])| json!({ "name": name, "value": value, "manifest": usual }))
        .collect();
    let mut json = json!({ "connection": state.name, "title": state.title, "terms": terms });
    match &state.figures {
        Ok(figures) => json["figures"] = figures_json(figures),
        Err(failure) => json["problem"] = failure.message.clone().into(),
    }
    json
}

fn figures_json(figures: &Figures) -> Value {
    let waiting: Vec<Value> = figures
        .waiting
        .iter()
        .map(|waiting| {
            let Class { by, priority } = waiting.class;
            json!({ "by": by, "priority": priority, "count": waiting.count })
        })
        .collect();
    let runs: Vec<Value> = figures
        .runs
        .iter()
        .map(|used| json!({ "run": used.run, "requests": used.calls }))
        .collect();
    json!({
        "last_minute": figures.last_minute, "per_minute": figures.per_minute,
        "last_day": figures.last_day, "per_day": figures.per_day, "reserve": figures.reserve,
        "waiting": waiting, "blocked_until": figures.blocked_until.and_then(millis).map(instant),
        "blocked_because": figures.blocked_because, "refused": figures.refused, "runs": runs,
    })
}

fn text_of(state: &ConnectionState, terms: &[Term]) -> String {
    let rows = terms
        .iter()
        .map(|(name, [value, usual])| [(*name).to_owned(), value.clone(), usual.clone()]);
    let mut text = format!("{}: {}\n", state.name, state.title);
    text.push_str(&table(&["term", "value", "manifest"], rows, ""));
    match &state.figures {
        Ok(figures) => {
            for line in figures.lines() {
                text.push_str(&format!("{}\n", printable(&line)));
            }
        }
        Err(failure) => text.push_str(&format!("{}\n", printable(&failure.message))),
    }
    text
}
