//! Connections: taken one by one, encrypted where there is a certificate, each with its time and all of them with their number.
//!
//! A server that waits for whoever says nothing can be stopped by anybody with a few hundred connections, so headers have to arrive
//! in time, answers have to be taken, and more connections than that wait outside. How long a request may take is the pages' matter.

use std::convert::Infallible;
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderName, HeaderValue, header};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tower_service::Service as _;

use super::tls::Tls;
use super::write_timeout::WriteTimeout;
use crate::Sender;

/// What connections may take.
#[derive(Debug, Clone, Copy)]
pub struct ConnectionLimits {
    /// For the headers of a request, and for what comes before them; also for an idle connection until the next request.
    pub headers: Duration,
    /// For a whole request: pages wait for less; this is for bodies that trickle in.
    pub requests: Duration,
    /// For a part of an answer that lies ready and is not taken.
    pub untaken: Duration,
    /// At once.
    pub connections: usize,
}

impl Default for ConnectionLimits {
    fn default() -> Self {
        Self {
            headers: Duration::from_secs(20),
            requests: Duration::from_secs(90),
            untaken: Duration::from_secs(60),
            connections: 512,
        }
    }
}

/// For a year browsers ask for nothing of this host without TLS. Whoever has a proxy in front says so there.
const ENCRYPTED_ONLY: HeaderValue = HeaderValue::from_static("max-age=31536000");

/// After an error that is about the machine (no file descriptors left), not about the one connection.
const RECOVERY: Duration = Duration::from_millis(200);

/// Serves until `stop` comes true, and then until the last answer is out.
pub async fn serve(
    listener: TcpListener,
    tls: Option<Arc<Tls>>,
    limits: ConnectionLimits,
    router: Router,
    stop: impl Future<Output = ()>,
) -> io::Result<()> {
    let open = GracefulShutdown::new();
    let room = Arc::new(Semaphore::new(limits.connections));
    let mut stop = pin!(stop);
    loop {
        let next = async {
            let place = room.clone().acquire_owned().await;
            (place, listener.accept().await)
        };
        let (place, accepted) = tokio::select! {
            next = next => next,
            () = &mut stop => break,
        };
        let (stream, sender) = match accepted {
            Ok((stream, sender)) => (stream, Sender(sender.ip())),
            Err(error) => {
                tracing::warn!(%error, "a connection could not be taken");
                tokio::time::sleep(RECOVERY).await;
                continue;
            }
        };
        let (tls, router, watcher) = (tls.clone(), router.clone(), open.watcher());
        tokio::spawn(async move {
            let _place = place;
            connection((stream, sender), tls, limits, router, watcher).await;
        });
    }
    drop(listener);
    open.shutdown().await;
    Ok(())
}

async fn connection(
    (stream, sender): (TcpStream, Sender),
    tls: Option<Arc<Tls>>,
    limits: ConnectionLimits,
    router: Router,
    watcher: Watcher,
) {
    let Some(tls) = tls else {
        return exchange((stream, sender), limits, router, watcher, false).await;
    };
    match tokio::time::timeout(limits.headers, tls.acceptor().accept(stream)).await {
        Ok(Ok(stream)) => exchange((stream, sender), limits, router, watcher, true).await,
        Ok(Err(error)) => tracing::debug!(%error, "a connection was not encrypted"),
        Err(_) => tracing::debug!("a connection was not encrypted in time"),
    }
}

async fn exchange(
    (stream, sender): (impl AsyncRead + AsyncWrite + Unpin + 'static, Sender),
    limits: ConnectionLimits,
    router: Router,
    watcher: Watcher,
    is_encrypted: bool,
) {
    let service = service_fn(move |request: Request<Incoming>| {
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(sender);
        if is_encrypted {
            // As a proxy in front would say it; whatever the other side says of itself.
            let scheme = HeaderName::from_static("x-forwarded-proto");
            let headers = request.headers_mut();
            headers.insert(scheme, HeaderValue::from_static("https"));
        }
        let mut router = router.clone();
        async move {
            let mut answer = router
                .call(request)
                .await
                .unwrap_or_else(|never| match never {});
            if is_encrypted {
                let headers = answer.headers_mut();
                headers.insert(header::STRICT_TRANSPORT_SECURITY, ENCRYPTED_ONLY);
            }
            Ok::<_, Infallible>(answer)
        }
    });
    let serving = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.headers)
        .serve_connection(
            TokioIo::new(WriteTimeout::new(stream, limits.untaken)),
            service,
        );
    if let Err(error) = watcher.watch(serving).await {
        tracing::debug!(%error, "a connection ended early");
    }
}
