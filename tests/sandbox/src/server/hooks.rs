//! Sends Splynx's web hooks: the service says what is due, here it goes out, and the service is told how it went.
//!
//! Receivers on plain `http` only, as on the provider's own machine; anything else counts as not received.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper::header::{CONTENT_TYPE, HOST};
use hyper::{Method, StatusCode, Uri};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use super::Seat;
use crate::splynx::{Delivery, Splynx};

/// How often the service is asked what is due.
const PAUSE: Duration = Duration::from_millis(200);

/// Longer than any receiver should take.
const PATIENCE: Duration = Duration::from_secs(10);

/// Sends what is due, one message after the other, until it is dropped.
pub async fn send_web_hooks(seat: Arc<Seat<Splynx>>) -> Infallible {
    loop {
        let due = seat.service().due_deliveries(seat.world.clock.now());
        for delivery in due {
            let sent = tokio::time::timeout(PATIENCE, send(&delivery)).await;
            let received = matches!(sent, Ok(Ok(StatusCode::OK)));
            seat.service()
                .report_delivery(delivery.id, received, seat.world.clock.now());
        }
        tokio::time::sleep(PAUSE).await;
    }
}

#[derive(Debug, thiserror::Error)]
enum SendError {
    #[error("the hook's address is no http address")]
    Address,
    #[error("no connection to the receiver")]
    Connection(#[from] std::io::Error),
    #[error("the receiver's answer cannot be read")]
    Http(#[from] hyper::Error),
    #[error("the message is no HTTP request")]
    Message(#[from] hyper::http::Error),
}

async fn send(delivery: &Delivery) -> Result<StatusCode, SendError> {
    let uri: Uri = delivery.url.parse().map_err(|_| SendError::Address)?;
    if uri.scheme_str() != Some("http") {
        return Err(SendError::Address);
    }
    let authority = uri.authority().ok_or(SendError::Address)?;
    let host = authority.host().trim_matches(['[', ']']);
    let stream = TcpStream::connect((host, authority.port_u16().unwrap_or(80))).await?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    // Ends with the exchange; its errors arrive at `sender` as well.
    tokio::spawn(connection);
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    let mut message = hyper::Request::builder()
        .method(Method::POST)
        .uri(path)
        .header(HOST, authority.as_str())
        .header(CONTENT_TYPE, &delivery.content_type);
    if let Some(signature) = &delivery.signature {
        message = message.header("x-splynx-signature", signature);
    }
    let message = message.body(Full::new(Bytes::from(delivery.body.clone())))?;
    Ok(sender.send_request(message).await?.status())
}
