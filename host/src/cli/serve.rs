//! `addon-host serve`

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use addon_host::clock::{Clock, SystemClock};
use addon_host::host::Host;
use addon_host::server::{Server, Tls};
use addon_host::web::BasePath;
use addon_host::web::login::first_account;
use anyhow::{Context as _, Result};
use clap::Args;

use super::context::Context;
use super::service_manager;

#[derive(Args)]
pub struct Serve {
    /// Address of the admin pages; port 0 takes a free one
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:8480")]
    listen: String,
    /// Path that a proxy forwards to the admin pages
    #[arg(
        long,
        value_name = "/PATH",
        default_value = "",
        hide_default_value = true
    )]
    base_path: BasePath,
    /// Where people reach the admin pages, for links in alerts
    #[arg(long, value_name = "URL", env = "ADDON_HOST_PUBLIC_URL", value_parser = web_address)]
    public_url: Option<String>,
    /// Speaks TLS with this certificate (PEM, with those that vouch for it); SIGHUP has it read again
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    tls_cert: Option<PathBuf>,
    /// The certificate's private key (PEM)
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    tls_key: Option<PathBuf>,
    /// Answers monitors (Prometheus) at this address, without a log-in; port 0 takes a free one
    #[arg(long, value_name = "HOST:PORT")]
    metrics: Option<String>,
}

impl Serve {
    pub async fn execute(self, context: &Context) -> Result<ExitCode> {
        let left_open = context.was_left_open();
        let host = context.host().await?;
        if left_open {
            // Nothing should be wrong then; where the disk lied about what it had written, this is when it shows.
            tracing::info!("the database was not closed the last time; it is checked");
            host.store().check().await?;
        }
        self.with(context, host, None).await
    }

    /// Serves a host that is open. `next`: the path of the page that people should see first.
    pub async fn with(
        self,
        context: &Context,
        host: Host,
        next: Option<String>,
    ) -> Result<ExitCode> {
        let clock = Arc::new(SystemClock);
        let store = host.store().clone();
        let tls = match (&self.tls_cert, &self.tls_key) {
            (Some(certificate), Some(key)) => Some(Arc::new(Tls::open(certificate, key)?)),
            _ => None,
        };
        let mut server = Server::bind(host, clock.clone(), &self.listen, self.base_path)
            .await
            .with_context(|| format!("the admin pages cannot listen on {}", self.listen))?;
        server = server.known_as(self.public_url);
        if let Some(tls) = &tls {
            server = server.encrypted(tls.clone());
        }
        reload_when_told(tls.clone())?;
        if let Some(listen) = &self.metrics {
            server = server
                .measured(listen)
                .await
                .with_context(|| format!("monitors cannot be answered on {listen}"))?;
        }
        // Only now, or a port that is taken would swallow the password.
        let account = first_account(&store, clock.now()).await?;
        // Before anybody is told that there is a server to stop.
        let interrupted = interruption()?;
        tracing::info!(
            version = env!("CARGO_PKG_VERSION"),
            data = %context.data_dir().display(),
            "begins to serve"
        );
        let mut terminal = std::io::stdout();
        writeln!(terminal, "admin page: {}", server.admin_page()?)?;
        if let Some(page) = server.metrics_page()? {
            writeln!(terminal, "metrics: {page}")?;
        }
        if let Some((name, password)) = account {
            writeln!(
                terminal,
                "first login: {name} / {} (not shown again; `user set` changes it)",
                password.expose()
            )?;
        }
        if let Some(next) = next {
            writeln!(terminal, "next: {}{next}", server.admin_page()?)?;
        }
        terminal.flush()?;
        if tls.is_none() && !server.address()?.ip().is_loopback() {
            tracing::warn!(
                "other machines can reach the admin pages, unencrypted: put a TLS proxy in front of them, or give --tls-cert and --tls-key"
            );
        }
        service_manager::ready(&server.admin_page()?);
        service_manager::feed_watchdog(server.vitals());
        let stop = async {
            interrupted.await;
            service_manager::stopping();
        };
        server.run(stop).await?;
        tracing::info!("has stopped");
        Ok(ExitCode::SUCCESS)
    }
}

fn web_address(text: &str) -> Result<String, String> {
    let url = url::Url::parse(text).map_err(|error| error.to_string())?;
    match url.scheme() {
        "http" | "https" => Ok(text.to_owned()),
        _ => Err("it begins with http:// or https://".to_owned()),
    }
}

/// Comes true at Ctrl-C, or at what a service manager sends; listened for from this call on.
#[cfg(unix)]
fn interruption() -> std::io::Result<impl Future<Output = ()>> {
    use tokio::signal::unix::{SignalKind, signal};
    let (mut interrupted, mut terminated) = (
        signal(SignalKind::interrupt())?,
        signal(SignalKind::terminate())?,
    );
    Ok(async move {
        tokio::select! {
            _ = interrupted.recv() => {}
            _ = terminated.recv() => {}
        }
    })
}

/// Comes true at Ctrl-C; listened for from this call on.
#[cfg(windows)]
fn interruption() -> std::io::Result<impl Future<Output = ()>> {
    let mut interrupted = tokio::signal::windows::ctrl_c()?;
    Ok(async move {
        interrupted.recv().await;
    })
}

/// Reads the certificate again at each SIGHUP. Without one nothing happens: the signal would end the process.
#[cfg(unix)]
fn reload_when_told(tls: Option<Arc<Tls>>) -> std::io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut told = signal(SignalKind::hangup())?;
    tokio::spawn(async move {
        while told.recv().await.is_some() {
            match tls.as_ref().map(|tls| tls.reload()) {
                None => tracing::info!("told to read again, but there is no certificate"),
                Some(Ok(())) => tracing::info!("the certificate was read again"),
                Some(Err(error)) => tracing::error!("the certificate stays as it was: {error}"),
            }
        }
    });
    Ok(())
}

/// There is no such signal; a new certificate is read at the next start.
#[cfg(windows)]
fn reload_when_told(_: Option<Arc<Tls>>) -> std::io::Result<()> {
    Ok(())
}
