//! Between HTTP on the wire and the plain values of the services, broken deliveries included.

use std::net::IpAddr;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::{Body, Bytes, Frame, Incoming, SizeHint};
use hyper::header::{CONTENT_LENGTH, HeaderName, HeaderValue};
use tokio::time::Sleep;

use crate::http::{Request, Response, parse_query};

/// Above both services' own limits on what a request may hold.
const LARGEST_BODY: usize = 32 << 20;

/// Time for the first bytes of a cut answer to leave before the connection closes.
const BEFORE_CLOSING: Duration = Duration::from_millis(100);

/// Ends a connection where an answer, or the rest of it, should have come.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("the connection is closed on purpose")]
pub struct ConnectionLost;

/// A request as the services take it; the error is the answer to one that cannot be read.
pub async fn read(incoming: hyper::Request<Incoming>, peer: IpAddr) -> Result<Request, Response> {
    let (head, body) = incoming.into_parts();
    let body = Limited::new(body, LARGEST_BODY)
        .collect()
        .await
        .map_err(|error| {
            Response::empty(if error.is::<LengthLimitError>() {
                413
            } else {
                400
            })
        })?;
    let path = percent_encoding::percent_decode_str(head.uri.path()).decode_utf8_lossy();
    Ok(Request {
        method: head.method.as_str().to_owned(),
        path: path.into_owned(),
        query: parse_query(head.uri.query().unwrap_or_default()),
        headers: head
            .headers
            .iter()
            .map(|(name, value)| {
                (
                    name.as_str().to_owned(),
                    String::from_utf8_lossy(value.as_bytes()).into_owned(),
                )
            })
            .collect(),
        body: body.to_bytes().to_vec(),
        peer,
    })
}

/// An answer on its way out.
#[derive(Debug)]
pub struct Outgoing {
    response: Response,
    /// Bytes of the body after which the connection closes.
    cut_after: Option<usize>,
}

impl Outgoing {
    pub fn whole(response: Response) -> Self {
        Self {
            response,
            cut_after: None,
        }
    }

    /// Announces the whole body, and sends only its beginning; at least the last byte is missing.
    pub fn cut(response: Response, after: usize) -> Self {
        let after = after.min(response.body.len().saturating_sub(1));
        Self {
            response,
            cut_after: Some(after),
        }
    }

    pub fn into_http(self) -> hyper::Response<Beginning> {
        let Self {
            response,
            cut_after,
        } = self;
        let length = response.body.len();
        let bytes = Bytes::from(response.body);
        let body = match cut_after {
            None => Beginning {
                bytes: Some(bytes),
                then_lost: None,
            },
            Some(after) => Beginning {
                bytes: Some(bytes.slice(..after)),
                then_lost: Some(Box::pin(tokio::time::sleep(BEFORE_CLOSING))),
            },
        };
        let mut http = hyper::Response::new(body);
        // A status below 100 can only be a service's defect, and is shown as one.
        *http.status_mut() = hyper::StatusCode::from_u16(response.status)
            .unwrap_or(hyper::StatusCode::INTERNAL_SERVER_ERROR);
        for (name, value) in &response.headers {
            if let (Ok(name), Ok(value)) =
                (HeaderName::try_from(name), HeaderValue::try_from(value))
            {
                http.headers_mut().append(name, value);
            }
        }
        if cut_after.is_some() {
            http.headers_mut()
                .insert(CONTENT_LENGTH, HeaderValue::from(length.max(1)));
        }
        http
    }
}

/// A body, or the beginning of one and then the end of the connection.
#[derive(Debug)]
pub struct Beginning {
    bytes: Option<Bytes>,
    then_lost: Option<Pin<Box<Sleep>>>,
}

impl Body for Beginning {
    type Data = Bytes;
    type Error = ConnectionLost;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, ConnectionLost>>> {
        if let Some(bytes) = self.bytes.take().filter(|bytes| !bytes.is_empty()) {
            return Poll::Ready(Some(Ok(Frame::data(bytes))));
        }
        let Some(pause) = &mut self.then_lost else {
            return Poll::Ready(None);
        };
        ready!(pause.as_mut().poll(context));
        Poll::Ready(Some(Err(ConnectionLost)))
    }

    fn is_end_stream(&self) -> bool {
        self.then_lost.is_none() && self.bytes.as_ref().is_none_or(Bytes::is_empty)
    }

    fn size_hint(&self) -> SizeHint {
        match (&self.bytes, &self.then_lost) {
            (Some(bytes), None) => SizeHint::with_exact(bytes.len() as u64),
            (None, None) => SizeHint::with_exact(0),
            (_, Some(_)) => SizeHint::default(),
        }
    }
}
