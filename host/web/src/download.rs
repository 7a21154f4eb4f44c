//! A file that is written while it is sent: the browser's pace is the reader's pace, and whoever goes away ends the reading.
//! The first piece is made before the answer begins, so that a refusal is still a page.

use std::fs::File;
use std::io::Read as _;

use axum::body::{Body, Bytes};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use http_body_util::channel::Channel;

use super::failure::Failure;
use super::texts;
use addon_service::exports::{Export, Format, csv, xlsx};
use addon_service::host::HostError;

/// Pieces that wait for a slow browser.
const WAITING: usize = 2;

/// Bytes of a workbook that are sent at once.
const PIECE: usize = 64 << 10;

/// The format that an address names.
pub fn format(name: &str) -> Result<Format, Failure> {
    match name {
        "csv" => Ok(Format::Csv),
        "xlsx" => Ok(Format::Xlsx),
        _ => Err(Failure::not_found(texts::failure::NO_FORMAT)),
    }
}

/// `name`: of the file, without its ending.
pub async fn file(export: Export, format: Format, name: &str) -> Result<Response, Failure> {
    let (ending, content_type) = match format {
        Format::Csv => ("csv", "text/csv; charset=utf-8"),
        Format::Json => ("json", "application/json"),
        Format::Xlsx => (
            "xlsx",
            "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        ),
    };
    let body = match format {
        Format::Csv => text(export, csv::BYTE_ORDER_MARK).await?,
        Format::Json => text(export, "").await?,
        Format::Xlsx => bytes(xlsx::workbook(export).await?),
    };
    Ok(attachment(&format!("{name}.{ending}"), content_type, body))
}

/// A file for the browser to keep; `name`: with its ending.
pub fn attachment(name: &str, content_type: &str, body: Body) -> Response {
    let plain = |c: char| {
        if c.is_ascii_alphanumeric() || "-.".contains(c) {
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
            format!("attachment; filename=\"{name}\""),
        ),
    ];
    (headers, body).into_response()
}

/// A file of text with that mark in front.
async fn text(mut export: Export, mark: &'static str) -> Result<Body, Failure> {
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
    Ok(Body::new(body))
}

/// A file that is there already.
fn bytes(mut file: File) -> Body {
    let (mut pieces, body) = Channel::<Bytes, std::io::Error>::new(WAITING);
    tokio::spawn(async move {
        loop {
            // A piece of a file that was just written is in memory: nobody waits for the disk.
            let mut piece = vec![0; PIECE];
            match file.read(&mut piece) {
                Ok(0) => return,
                Ok(length) => piece.truncate(length),
                Err(error) => return pieces.abort(error),
            }
            if pieces.send_data(piece.into()).await.is_err() {
                return;
            }
        }
    });
    Body::new(body)
}
