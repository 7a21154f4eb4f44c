//! `addon-host serve`

use std::io::Write;
use std::process::ExitCode;
use std::sync::Arc;

use addon_host::clock::{Clock, SystemClock};
use addon_host::server::Server;
use addon_host::web::BasePath;
use addon_host::web::login::first_account;
use anyhow::{Context as _, Result};
use clap::Args;

use super::context::Context;

#[derive(Args)]
pub struct Serve {
    /// Address of the admin pages; port 0 takes a free one
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:8480")]
    listen: String,
    /// Path that a proxy forwards to the admin pages
    #[arg(long, value_name = "/PATH", default_value = "")]
    base_path: BasePath,
}

impl Serve {
    pub async fn execute(self, context: &Context) -> Result<ExitCode> {
        let host = context.host().await?;
        let clock = Arc::new(SystemClock);
        let account = first_account(host.store(), clock.now()).await?;
        let server = Server::bind(host, clock, &self.listen, self.base_path)
            .await
            .with_context(|| format!("the admin pages cannot listen on {}", self.listen))?;
        let mut terminal = std::io::stdout();
        writeln!(terminal, "admin page: {}", server.admin_page()?)?;
        if let Some((name, password)) = account {
            writeln!(
                terminal,
                "first login: {name} / {} (not shown again; `user set` changes it)",
                password.expose()
            )?;
        }
        terminal.flush()?;
        if !server.address()?.ip().is_loopback() {
            tracing::warn!(
                "other machines can reach the admin pages, unencrypted: put a TLS proxy in front of them"
            );
        }
        server.run(interrupted()).await?;
        Ok(ExitCode::SUCCESS)
    }
}

/// Ctrl-C, or what a service manager sends.
async fn interrupted() {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let Ok(mut terminated) = signal(SignalKind::terminate()) {
            tokio::select! {
                _ = tokio::signal::ctrl_c() => {}
                _ = terminated.recv() => {}
            }
            return;
        }
    }
    if tokio::signal::ctrl_c().await.is_err() {
        // Nothing can be heard: serve until the process is ended.
        std::future::pending::<()>().await;
    }
}
