//! Following a run on a terminal: a bar for the current stage and how long it will take, from what the run stores. In a pipe
//! there is none.

use std::io::IsTerminal;
use std::time::Duration;

use addon_host::host::{Forecast, Host};
use addon_host::store::{RunId, RunState};
use anyhow::Result;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value, json};

use super::output::{instant, millis, printable};

const PACE: Duration = Duration::from_millis(250);

/// Looks between two estimates.
const ESTIMATE_EVERY: u32 = 8;

/// Shows progress until the run is over. Without a terminal it returns at once.
pub async fn follow(host: &Host, run: RunId) -> Result<()> {
    if !std::io::stderr().is_terminal() {
        return Ok(());
    }
    let known = ProgressStyle::with_template("{msg:<24} {bar:30} {pos}/{len} {prefix}")?;
    let unknown = ProgressStyle::with_template("{msg:<24} {spinner} {pos}")?;
    let bar = ProgressBar::new_spinner().with_style(unknown.clone());
    bar.enable_steady_tick(PACE);
    for look in 0_u32.. {
        let now = host.store().run(run).await?;
        if now.state != RunState::Running {
            break;
        }
        if look % ESTIMATE_EVERY == 0 {
            let left = host.time_left(&now).await?;
            let left = left.map(|forecast| printable(&forecast.text));
            bar.set_prefix(left.unwrap_or_default());
        }
        let progress = now.progress;
        bar.set_style(if progress.total > 0 {
            known.clone()
        } else {
            unknown.clone()
        });
        bar.set_message(if now.stop_requested {
            "stopping".to_owned()
        } else {
            printable(&progress.stage)
        });
        bar.set_length(progress.total);
        bar.set_position(progress.done);
        tokio::time::sleep(PACE).await;
    }
    bar.finish_and_clear();
    Ok(())
}

/// How long something will take, for programs.
pub fn forecast_json(forecast: &Forecast) -> Value {
    let estimate = &forecast.estimate;
    let at = |at: i64| millis(at).map(instant);
    let pause = estimate.pause.map(
        |pause| json!({ "from": at(pause.from), "until": at(pause.until), "limit": pause.why }),
    );
    json!({
        "seconds": (estimate.until - estimate.from) / 1_000, "until": at(estimate.until),
        "connection": forecast.connection, "requests": estimate.requests, "pause": pause, "text": forecast.text,
    })
}
