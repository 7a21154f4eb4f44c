//! How the connections of an installation stand with their limits, and how long work will take by that.

use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;

use super::{Host, HostError};
use addon_manifest::Manifest;
use addon_runs::{CALLS_TO, Services, WRITES_TO, time_zone};
use addon_settings::Settings;
use addon_store::{Failure, Outcome, Run, RunId, RunState};
use addon_traffic::governor::{Estimate, Figures, Pause, Why};
use addon_traffic::{Access, By};

/// One connection, for people.
#[derive(Debug, Clone)]
pub struct ConnectionState {
    pub name: String,
    pub title: String,
    /// Or why it cannot be used.
    pub figures: Result<Figures, Failure>,
}

/// How long work will take, by the connection that takes longest.
#[derive(Debug, Clone)]
pub struct Forecast {
    pub connection: String,
    pub estimate: Estimate,
    /// As people read it: `about 3 h 10 min for 11400 requests to Sage; …`.
    pub text: String,
}

/// The report that lists what a preview would do.
const PLAN: &str = "plan";

/// An installation's connections, opened.
pub(super) struct Lines {
    manifest: Manifest,
    pub access: Access,
    zone: Tz,
}

impl Host {
    /// How each connection stands, in the manifest's order.
    pub async fn traffic(&self, installation: &str) -> Result<Vec<ConnectionState>, HostError> {
        let lines = self.lines(installation).await?;
        let mut states = Vec::new();
        for (name, declared) in &lines.manifest.connections {
            let figures = match lines.access.route(name) {
                Some(Err(failure)) => Err(failure.clone()),
                _ => {
                    let connections = &self.0.services.connections;
                    let found = connections.figures(&lines.access, name).await?;
                    found.ok_or_else(|| Failure::new("not-configured", "It is not set up."))
                }
            };
            states.push(ConnectionState {
                name: name.clone(),
                title: declared.title.clone(),
                figures,
            });
        }
        Ok(states)
    }

    /// How long it takes to do what a preview listed: the preview's own requests, which the run makes again, and the writes that
    /// the preview held back. `None`: it would send nothing.
    pub async fn forecast(
        &self,
        installation: &str,
        preview: RunId,
        outcome: &Outcome,
    ) -> Result<Option<Forecast>, HostError> {
        let lines = self.lines(installation).await?;
        let count = |prefix: &str, name: &str| {
            let wanted = format!("{prefix}{name}");
            let found = outcome.counts.iter().find(|(count, _)| *count == wanted);
            found.map(|(_, amount)| *amount)
        };
        let names: Vec<&String> = lines.manifest.connections.keys().collect();
        // An add-on that does not count what it holds back: about one for each line of its plan, wherever that is slowest.
        let rows = match names.iter().any(|name| count(WRITES_TO, name).is_some()) {
            true => 0,
            false => {
                let kinds = self.store().report_kinds(preview).await?;
                kinds
                    .iter()
                    .find(|(kind, _)| kind == PLAN)
                    .map_or(0, |(_, amount)| *amount)
            }
        };
        let needs = names.into_iter().map(|name| {
            let reads = count(CALLS_TO, name).unwrap_or(0);
            let writes = count(WRITES_TO, name).unwrap_or(rows);
            (name.clone(), reads.saturating_add(writes))
        });
        self.slowest(&lines, By::Person, needs.collect()).await
    }

    /// How long a run will still take for its current stage, by what its records cost so far. `None`: that cannot be known.
    pub async fn time_left(&self, run: &Run) -> Result<Option<Forecast>, HostError> {
        let progress = &run.progress;
        let left = progress.total.saturating_sub(progress.done);
        if run.state != RunState::Running || left == 0 {
            return Ok(None);
        }
        let lines = self.lines(&run.installation).await?;
        let mut needs = Vec::new();
        for name in lines.manifest.connections.keys() {
            let connections = &self.0.services.connections;
            let Some(figures) = connections.figures(&lines.access, name).await? else {
                continue;
            };
            let used = figures.runs.iter().find(|used| used.run == run.id);
            let need = match used.map(|used| used.stage) {
                Some((calls, records)) if records > 0 => {
                    let need = u128::from(left) * u128::from(calls) / u128::from(records);
                    u64::try_from(need).unwrap_or(u64::MAX)
                }
                // Nothing is known yet: about one for each record (architecture, reading).
                Some(_) => left,
                None => 0,
            };
            needs.push((name.clone(), need));
        }
        self.slowest(&lines, By::of(run.trigger), needs).await
    }

    async fn slowest(
        &self,
        lines: &Lines,
        by: By,
        needs: Vec<(String, u64)>,
    ) -> Result<Option<Forecast>, HostError> {
        let mut slowest: Option<Forecast> = None;
        for (connection, requests) in needs {
            let connections = &self.0.services.connections;
            let estimate = connections
                .estimate(&lines.access, &connection, by, requests)
                .await?;
            let Some(estimate) = estimate.filter(|estimate| estimate.requests > 0) else {
                continue;
            };
            if slowest
                .as_ref()
                .is_none_or(|known| known.estimate.until < estimate.until)
            {
                let title = &lines.manifest.connections[&connection].title;
                let text = words(&estimate, title, lines.zone);
                slowest = Some(Forecast {
                    connection,
                    estimate,
                    text,
                });
            }
        }
        Ok(slowest)
    }

    pub(super) async fn lines(&self, installation: &str) -> Result<Lines, HostError> {
        let Services { store, vault, .. } = &self.0.services;
        let found = store.installation(installation).await?;
        let active = store.addon_of(&found).await?;
        let active = active.ok_or_else(|| HostError::NotInstalled(found.addon.clone()))?;
        let manifest = Manifest::parse(&active.manifest)?;
        let settings = Settings::load(store, vault, &manifest, installation).await?;
        let access = Access::open(store, vault, &manifest, &settings, installation).await?;
        let zone = time_zone(&manifest, &settings);
        Ok(Lines {
            manifest,
            access,
            zone,
        })
    }
}

fn words(estimate: &Estimate, title: &str, zone: Tz) -> String {
    let span = rough(TimeDelta::milliseconds(estimate.until - estimate.from));
    let requests = estimate.requests;
    let plural = if requests == 1 { "" } else { "s" };
    let mut text = format!("{span} for {requests} request{plural} to {title}");
    if let Some(Pause { from, until, why }) = estimate.pause {
        let cause = match why {
            Why::Block => "a block",
            _ => "the day's limit",
        };
        let begins = if from > estimate.from {
            format!(" from {}", day_and_time(from, estimate.from, zone))
        } else {
            String::new()
        };
        let ends = day_and_time(until, estimate.from, zone);
        text.push_str(&format!("; {cause} pauses it{begins} until {ends}"));
    }
    text
}

/// As exact as an estimate can be.
pub(super) fn rough(span: TimeDelta) -> String {
    let minutes = (span.num_seconds().max(0) + 30) / 60;
    match (minutes / 1440, minutes / 60 % 24, minutes % 60) {
        (0, 0, 0) => "less than a minute".to_owned(),
        (0, 0, minutes) => format!("about {minutes} min"),
        (0, hours, 0) => format!("about {hours} h"),
        (0, hours, minutes) => format!("about {hours} h {minutes} min"),
        (1, 0, _) => "about a day".to_owned(),
        (1, hours, _) => format!("about a day and {hours} h"),
        (days, 0, _) => format!("about {days} days"),
        (days, hours, _) => format!("about {days} days and {hours} h"),
    }
}

fn day_and_time(at: i64, now: i64, zone: Tz) -> String {
    let local = |millis: i64| {
        DateTime::from_timestamp_millis(millis)
            .unwrap_or(DateTime::<Utc>::MAX_UTC)
            .with_timezone(&zone)
    };
    let (at, now) = (local(at), local(now));
    match (at.date_naive() - now.date_naive()).num_days() {
        0 => at.format("%H:%M").to_string(),
        1 => at.format("tomorrow %H:%M").to_string(),
        _ => at.format("%Y-%m-%d %H:%M").to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_estimate_reads_as_people_say_it() {
        let zone: Tz = "Africa/Johannesburg".parse().expect("a zone");
        // Monday 20:00 there.
        let from = DateTime::parse_from_rfc3339("2026-03-02T18:00:00Z").expect("a time");
        let from = from.timestamp_millis();
        let minute = 60_000;
        let told = |requests, minutes: i64, pause: Option<(i64, i64, Why)>| {
            let estimate = Estimate {
                requests,
                from,
                until: from + minutes * minute,
                pause: pause.map(|(begin, end, why)| Pause {
                    from: from + begin * minute,
                    until: from + end * minute,
                    why,
                }),
            };
            words(&estimate, "Books", zone)
        };
        assert_eq!(
            told(1, 0, None),
            "less than a minute for 1 request to Books"
        );
        assert_eq!(told(40, 3, None), "about 3 min for 40 requests to Books");
        assert_eq!(
            told(11_400, 190, None),
            "about 3 h 10 min for 11400 requests to Books"
        );
        assert_eq!(
            told(9_000, 1_500, Some((60, 360, Why::Day))),
            "about a day and 1 h for 9000 requests to Books; the day's limit pauses it from 21:00 until tomorrow 02:00"
        );
        assert_eq!(
            told(9, 65, Some((0, 64, Why::Block))),
            "about 1 h 5 min for 9 requests to Books; a block pauses it until 21:04"
        );
        assert_eq!(
            told(40_000, 12_960, Some((0, 4_320, Why::Day))),
            "about 9 days for 40000 requests to Books; the day's limit pauses it until 2026-03-05 20:00"
        );
    }
}
