//! A file that is written while it is sent: the browser's pace is the reader's pace, and whoever goes away ends the reading.
//! The first piece is made before the answer begins, so that a refusal is still a page.

use axum::body::{Body, Bytes};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use http_body_util::channel::Channel;

use super::failure::Failure;
use crate::exports::{Export, Format, csv};
use crate::host::HostError;

/// Pieces that wait for a slow browser.
const WAITING: usize = 2;

/// `name`: of the file, without its ending.
pub async fn file(mut export: Export, format: Format, name: &str) -> Result<Response, Failure> {
    let (ending, content_type, mark) = match format {
        Format::Csv => ("csv", "text/csv; charset=utf-8", csv::BYTE_ORDER_MARK),
        Format::Json => ("json", "application/json", ""),
    };
    let first = export.next().await?.unwrap_or_default();
    let (mut pieces, body) = Channel::<Bytes, HostError>::new(WAITING);
    tokio::spawn(async move {
        let mut piece = Some(format!("{mark}{first}"));
        while let Some(text) = piece {
            if pieces.send_data(text.into()).await.is_err() {
                return;
            }
            piece = match export.next().await {
                Ok(piece) => piece,
                // Cut off in the middle: half a file must not look like a whole one.
                Err(error) => {
                    tracing::error!("a download broke off: {error}");
                    return pieces.abort(error);
                }
            };
        }
    });
    let plain = |c: char| {
        if c.is_ascii_alphanumeric() || c == '-' {
            c
        } else {
            '_'
        }
    };
    let name: String = name.chars().map(plain).collect();
    let headers = [
        (header::CONTENT_TYPE, content_type.to_owned()),
        (
            header::CONTENT_DISPOSITION,
            format!("attachment; filename=\"{name}.{ending}\""),
        ),
    ];
    Ok((headers, Body::new(body)).into_response())
}
