//! Following a run on a terminal: a bar for the current stage, from what the run stores. In a pipe there is none.

use std::io::IsTerminal;
use std::time::Duration;

use addon_host::store::{RunId, RunState, Store};
use anyhow::Result;
use indicatif::{ProgressBar, ProgressStyle};

const PACE: Duration = Duration::from_millis(250);

/// Shows progress until the run is over. Without a terminal it returns at once.
pub async fn follow(store: &Store, run: RunId) -> Result<()> {
    if !std::io::stderr().is_terminal() {
        return Ok(());
    }
    let known = ProgressStyle::with_template("{msg:<24} {bar:30} {pos}/{len}")?;
    let unknown = ProgressStyle::with_template("{msg:<24} {spinner} {pos}")?;
    let bar = ProgressBar::new_spinner().with_style(unknown.clone());
    bar.enable_steady_tick(PACE);
    loop {
        let now = store.run(run).await?;
        if now.state != RunState::Running {
            bar.finish_and_clear();
            return Ok(());
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
            progress.stage
        });
        bar.set_length(progress.total);
        bar.set_position(progress.done);
        tokio::time::sleep(PACE).await;
    }
}
