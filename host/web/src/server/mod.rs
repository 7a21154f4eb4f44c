//! `serve` as a whole: the pages on a listener and the scheduler beside them, until they are told to stop.

mod listen;
mod metrics;
mod tls;
mod write_timeout;

pub use listen::ConnectionLimits;
pub use tls::{Tls, TlsError};

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::{App, BasePath, Vitals};
use addon_service::alerts;
use addon_service::host::Host;
use addon_service::scheduler::{self, Pulse};
use addon_traffic::clock::Clock;

/// How long runs and requests may take to end once the server stops.
const PATIENCE: Duration = Duration::from_secs(10);

/// A server that has its address and does not serve yet.
pub struct Server {
    host: Host,
    clock: Arc<dyn Clock>,
    base: BasePath,
    listener: TcpListener,
    tls: Option<Arc<Tls>>,
    limits: ConnectionLimits,
    /// Where monitors are answered.
    metrics: Option<TcpListener>,
    /// Where people reach the pages, for links in alerts.
    public: Option<String>,
    pulse: Arc<Pulse>,
    /// Says true once the server stops.
    stopping: watch::Sender<bool>,
}

impl Server {
    /// `listen`: host and port; port 0 takes a free one.
    pub async fn bind(
        host: Host,
        clock: Arc<dyn Clock>,
        listen: &str,
        base: BasePath,
    ) -> io::Result<Self> {
        let listener = TcpListener::bind(listen).await?;
        Ok(Self {
            host,
            clock,
            base,
            listener,
            tls: None,
            limits: ConnectionLimits::default(),
            metrics: None,
            public: None,
            pulse: Arc::default(),
            stopping: watch::Sender::new(false),
        })
    }

    /// Speaks TLS, and nothing else.
    #[must_use]
    pub fn encrypted(self, tls: Arc<Tls>) -> Self {
        Self {
            tls: Some(tls),
            ..self
        }
    }

    /// With other limits than the usual ones.
    #[must_use]
    pub fn limited(self, limits: ConnectionLimits) -> Self {
        Self { limits, ..self }
    }

    /// Answers monitors as well, at an address of their own.
    pub async fn measured(self, listen: &str) -> io::Result<Self> {
        let metrics = Some(TcpListener::bind(listen).await?);
        Ok(Self { metrics, ..self })
    }

    /// Puts links to the pages into alerts: this is where people reach them.
    #[must_use]
    pub fn known_as(self, public: Option<String>) -> Self {
        Self { public, ..self }
    }

    /// Where monitors are answered, if anywhere.
    pub fn metrics_page(&self) -> io::Result<Option<String>> {
        let listener = self.metrics.as_ref();
        let address = listener.map(TcpListener::local_addr).transpose()?;
        Ok(address.map(|address| format!("http://{address}/metrics")))
    }

    /// How the server is, for whoever watches it.
    pub fn vitals(&self) -> Vitals {
        Vitals::new(self.pulse.clone(), self.stopping.subscribe())
    }

    pub fn address(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Where people find the pages.
    pub fn admin_page(&self) -> io::Result<String> {
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        let (address, base) = (self.address()?, self.base.as_str());
        Ok(format!("{scheme}://{address}{base}/"))
    }

    /// Serves until `stop` comes true. Runs of this process are asked to stop then: what is in flight is finished, and
    /// what is left goes on from what is stored when the job runs again.
    pub async fn run(self, stop: impl Future<Output = ()>) -> io::Result<()> {
        let vitals = self.vitals();
        let (tell, told) = (self.stopping.clone(), self.stopping.subscribe());
        let scheduler = tokio::spawn(scheduler::work(
            self.host.clone(),
            self.clock.clone(),
            told.clone(),
            self.pulse,
        ));
        // Ends with the server; what it has not sent, it or another one sends later.
        tokio::spawn(alerts::work(
            self.host.clone(),
            self.clock.clone(),
            self.public,
            told.clone(),
        ));
        if let Some(listener) = self.metrics {
            let router = metrics::router(self.host.clone());
            let mut told = told.clone();
            let stopped = async move {
                let _ = told.wait_for(|stop| *stop).await;
            };
            // Ends with the server; monitors need no patience.
            tokio::spawn(listen::serve(listener, None, self.limits, router, stopped));
        }
        let app = App::new(self.host.clone(), self.clock, self.base, vitals);
        let router = crate::router(app, self.limits.requests);
        let mut told_pages = told;
        let serving = async move {
            let stopped = async move {
                // An error is the sender gone, which means the same.
                let _ = told_pages.wait_for(|stop| *stop).await;
            };
            listen::serve(self.listener, self.tls, self.limits, router, stopped).await
        };
        let mut serving = tokio::spawn(serving);
        tokio::select! {
            served = &mut serving => return served.unwrap_or_else(|error| Err(io::Error::other(error))),
            () = stop => {}
        }
        tell.send_replace(true);
        // The scheduler first: it must not start what is to be stopped.
        if let Err(error) = scheduler.await {
            tracing::error!(%error, "the scheduler broke down");
        }
        let (_, served) = tokio::join!(
            self.host.stop_all(PATIENCE),
            tokio::time::timeout(PATIENCE, serving)
        );
        match served {
            Ok(served) => served.unwrap_or_else(|error| Err(io::Error::other(error))),
            // A browser that does not let go.
            Err(_) => Ok(()),
        }
    }
}
