//! What people send to those who help: first what is in it, then the file.

use askama::Template;
use axum::Extension;
use axum::extract::{Path, State};
use axum::response::Response;

use super::installation_page::{InstallationPage, Place};
use crate::App;
use crate::download;
use crate::failure::Failure;
use crate::frame::{Frame, page};
use crate::login::session::Visitor;
use crate::texts;

#[derive(Template)]
#[template(path = "support.html")]
struct SupportPage {
    frame: Frame,
    parts: Vec<Part>,
    file: String,
}

struct Part {
    name: String,
    bytes: usize,
    what: &'static str,
}

/// `GET /installations/{name}/support`
pub async fn show(
    State(app): State<App>,
    Extension(visitor): Extension<Visitor>,
    Path(name): Path<String>,
) -> Result<Response, Failure> {
    let subject = InstallationPage::load(&app, &name).await?;
    let bundle = app.host.support(&name).await?;
    let parts = bundle.parts.into_iter().map(|part| Part {
        bytes: part.content.len(),
        name: part.name,
        what: part.what,
    });
    let path = format!("/installations/{name}/support/file");
    Ok(page(&SupportPage {
        frame: subject.frame(&app, &visitor, Place::Runs, texts::support::BUNDLE),
        parts: parts.collect(),
        file: app.href(&path),
    }))
}

/// `GET /installations/{name}/support/file`
pub async fn file(State(app): State<App>, Path(name): Path<String>) -> Result<Response, Failure> {
    let bundle = app.host.support(&name).await?;
    let zip = bundle.zip().map_err(addon_service::host::HostError::from)?;
    let name = format!("{name}-support.zip");
    Ok(download::attachment(&name, "application/zip", zip.into()))
}
