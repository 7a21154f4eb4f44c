//! Figures for monitors, in the text form of OpenMetrics, which Prometheus reads.
//!
//! They are taken from the store when they are asked for, so that all hosts on one store tell the same and nothing is lost with a
//! process. Labels are names that operators gave or manifests declare; no secrets, no customers. They have an address of their own, without a
//! log-in: who can reach it can read them.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use addon_service::host::{Host, HostError};

const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// A gauge for each set of names.
type Gauges = Family<Vec<(String, String)>, Gauge>;

/// `GET /metrics`, and nothing else.
pub fn router(host: Host) -> Router {
    Router::new()
        .route("/metrics", get(show))
        .with_state(Arc::new(host))
}

async fn show(State(host): State<Arc<Host>>) -> Response {
    match text(&host).await {
        Ok(text) => ([(header::CONTENT_TYPE, OPEN_METRICS)], text).into_response(),
        Err(error) => {
            tracing::error!("no figures: {error}");
            (
                StatusCode::SERVICE_UNAVAILABLE,
                "the database does not answer",
            )
                .into_response()
        }
    }
}

async fn text(host: &Host) -> Result<String, HostError> {
    let mut registry = Registry::with_prefix("addon_host");
    let mut gauges = |name: &str, help: &str| {
        let gauges = Gauges::default();
        registry.register(name, help, gauges.clone());
        gauges
    };
    let build = gauges("build", "The version of the host that answers");
    let version = env!("CARGO_PKG_VERSION").to_owned();
    build
        .get_or_create(&vec![("version".to_owned(), version)])
        .set(1);

    let kept = gauges("runs", "Runs that wrote and are kept, by how they stand");
    let ended = gauges(
        "run_last_end_timestamp_seconds",
        "When the last run of a job ended so",
    );
    for tally in host.store().run_tallies().await? {
        let labels = labels([
            ("installation", &tally.installation),
            // Not `job`: that is the name of a target's group to Prometheus, which would rename ours.
            ("addon_job", &tally.job),
            ("state", &tally.state),
        ]);
        kept.get_or_create(&labels).set(tally.kept);
        if let Some(last) = tally.last_end {
            ended.get_or_create(&labels).set(last / 1000);
        }
    }

    let held = gauges(
        "held_records",
        "Records whose last news in the activity log is that they are held, or owed by a person",
    );
    let stored = gauges("stored_bytes", "What an installation keeps");
    let ready = gauges(
        "connection_ready",
        "Whether a connection is set up and its credentials were not refused",
    );
    let minute = gauges(
        "connection_last_minute_requests",
        "Requests in the last minute",
    );
    let per_minute = gauges("connection_per_minute_requests", "The limit of a minute");
    let day = gauges(
        "connection_last_day_requests",
        "Requests in the last 24 hours",
    );
    let per_day = gauges("connection_per_day_requests", "The limit of 24 hours");
    let waiting = gauges(
        "connection_waiting_requests",
        "Requests that wait for their turn",
    );
    let blocked = gauges(
        "connection_blocked_until_timestamp_seconds",
        "Until when the service is left alone; 0: it is not",
    );
    for installation in host.store().installations().await? {
        let name = &installation.name;
        let bytes = i64::try_from(installation.stored_bytes).unwrap_or(i64::MAX);
        stored
            .get_or_create(&labels([("installation", name)]))
            .set(bytes);
        for found in host.store().held_records(name).await? {
            let labels = labels([
                ("installation", name),
                ("entity", &found.entity),
                ("state", &found.action),
                ("reason", &found.code),
            ]);
            held.get_or_create(&labels).set(found.records);
        }
        for state in host.traffic(name).await? {
            let labels = labels([("installation", name), ("connection", &state.name)]);
            let set = |gauges: &Gauges, value: i64| {
                gauges.get_or_create(&labels).set(value);
            };
            let Ok(figures) = state.figures else {
                set(&ready, 0);
                continue;
            };
            set(&ready, i64::from(!figures.refused));
            set(&minute, figures.last_minute.into());
            set(&per_minute, figures.per_minute.into());
            set(&day, figures.last_day.into());
            if let Some(limit) = figures.per_day {
                set(&per_day, limit.into());
            }
            let queue = figures.waiting.iter().map(|class| i64::from(class.count));
            set(&waiting, queue.sum());
            set(&blocked, figures.blocked_until.unwrap_or(0));
        }
    }
    let stuck = gauges(
        "alert_channel_stuck_since_timestamp_seconds",
        "Since when messages of a channel cannot be delivered; 0: they can",
    );
    let undelivered = host.store().stuck_alert_channels().await?;
    for channel in host.store().alert_channels().await? {
        let since = undelivered.iter().find(|(name, _)| *name == channel.name);
        let since = since.map_or(0, |(_, since)| since.timestamp());
        stuck
            .get_or_create(&labels([("channel", &channel.name)]))
            .set(since);
    }
    let mut text = String::new();
    // Writing to a text cannot fail; should it all the same, a part is better than nothing.
    let _ = encode(&mut text, &registry);
    Ok(text)
}

fn labels<const N: usize>(names: [(&str, &str); N]) -> Vec<(String, String)> {
    names
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into()
}
