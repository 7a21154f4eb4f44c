//! What goes wrong while a page is made, as a page. The reader is told what is useful and the log the rest.

use askama::Template;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

use super::frame::{Frame, page_with};
use super::texts;
use addon_manifest::ManifestError;
use addon_runs::BeginError;
use addon_service::host::HostError;
use addon_service::installations::CreateError;
use addon_settings::SettingsError;
use addon_store::StoreError;

/// A refusal for people.
#[derive(Debug)]
pub struct Failure {
    pub status: StatusCode,
    pub message: String,
}

/// Carried to the layer that knows the base path and draws the page.
#[derive(Debug, Clone)]
pub struct FailureText {
    pub message: String,
}

#[derive(Template)]
#[template(path = "failure.html")]
struct FailurePage {
    frame: Frame,
    message: String,
}

impl Failure {
    pub fn new(status: StatusCode, message: impl Into<String>) -> Self {
        Self {
            status,
            message: message.into(),
        }
    }

    pub fn not_found(message: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, message)
    }

    pub fn internal(error: &dyn std::error::Error) -> Self {
        tracing::error!("a page failed: {error}");
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, texts::failure::TROUBLE)
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let mut response = self.status.into_response();
        response.extensions_mut().insert(FailureText {
            message: self.message,
        });
        response
    }
}

/// The page for a refusal.
pub fn failure_page(base: &str, status: StatusCode, message: &str) -> Response {
    let frame = Frame::new(
        base,
        None,
        status.canonical_reason().unwrap_or(texts::failure::UNNAMED),
    );
    page_with(
        status,
        &FailurePage {
            frame,
            message: message.to_owned(),
        },
    )
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Missing { .. } => Self::new(StatusCode::NOT_FOUND, sentence(&error)),
            StoreError::Exists { .. }
            | StoreError::Leaderless(_)
            | StoreError::InUse { .. }
            | StoreError::Limit(_) => Self::new(StatusCode::CONFLICT, sentence(&error)),
            StoreError::Nul => Self::new(StatusCode::BAD_REQUEST, sentence(&error)),
            error => Self::internal(&error),
        }
    }
}

impl From<ManifestError> for Failure {
    fn from(error: ManifestError) -> Self {
        Self::internal(&error)
    }
}

impl From<HostError> for Failure {
    fn from(error: HostError) -> Self {
        let status = match error {
            HostError::Store(error)
            | HostError::Begin(BeginError::Store(error))
            | HostError::SettingsUnreadable(SettingsError::Store(error)) => return error.into(),
            HostError::Unknown { .. } | HostError::NotInstalled(_) => StatusCode::NOT_FOUND,
            HostError::Settings(_) | HostError::Inputs(_) | HostError::NoPreview(_) => {
                StatusCode::UNPROCESSABLE_ENTITY
            }
            HostError::Begin(BeginError::Busy { .. }) | HostError::SameMark(_) => {
                StatusCode::CONFLICT
            }
            HostError::Begin(BeginError::Clock { .. }) => StatusCode::SERVICE_UNAVAILABLE,
            HostError::Addon(_) => StatusCode::BAD_GATEWAY,
            // Each says what cures it: a master key that is missing, a package that this host cannot read.
            HostError::Vault(_)
            | HostError::MasterKey(_)
            | HostError::SettingsUnreadable(SettingsError::Vault(_))
            | HostError::Manifest(_)
            | HostError::Package(_)
            | HostError::Audit(_)
            | HostError::Runtime(_)
            | HostError::Workbook(_) => StatusCode::INTERNAL_SERVER_ERROR,
        };
        Self::new(status, sentence(&error))
    }
}

impl From<CreateError> for Failure {
    fn from(error: CreateError) -> Self {
        match error {
            CreateError::Name(_) => Self::new(StatusCode::UNPROCESSABLE_ENTITY, sentence(&error)),
            CreateError::Manifest(error) => error.into(),
            CreateError::Store(error) => error.into(),
        }
    }
}

/// An error's text as a sentence.
fn sentence(error: &dyn std::error::Error) -> String {
    let text = error.to_string();
    let mut characters = text.chars();
    let Some(first) = characters.next() else {
        return text;
    };
    let end = if text.ends_with(['.', '!', '?']) {
        ""
    } else {
        "."
    };
    format!("{}{}{end}", first.to_uppercase(), characters.as_str())
}
