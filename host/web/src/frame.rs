//! What all pages have in common: the frame around them, how a template becomes an answer, and how times read.

use askama::Template;
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Response};
use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;

use super::assets;
use super::login::session::Visitor;
use super::texts;
use addon_store::Role;

/// Everything that `layout.html` shows around a page.
pub struct Frame {
    pub title: String,
    /// Put in front of every link.
    pub base: String,
    /// Who is logged in; none on the pages before that.
    pub account: Option<String>,
    /// What the visitor may do: what they may not is not offered.
    pub may_operate: bool,
    pub may_administer: bool,
    /// The installation that the page is about.
    pub section: Option<Section>,
}

/// The heading and the tabs of an installation's pages.
pub struct Section {
    pub name: String,
    pub addon: String,
    pub tabs: Vec<Tab>,
    /// The pages of the tab that is shown; empty where it has one page only.
    pub pages: Vec<Tab>,
}

pub struct Tab {
    pub title: String,
    pub href: String,
    pub current: bool,
}

impl Frame {
    pub fn new(base: &str, visitor: Option<&Visitor>, title: impl Into<String>) -> Self {
        let account = visitor.map(|visitor| visitor.account.clone());
        let may = |role: Role| visitor.is_some_and(|visitor| visitor.role >= role);
        Self {
            may_operate: may(Role::Operate),
            may_administer: may(Role::Administer),
            title: title.into(),
            base: base.to_owned(),
            account,
            section: None,
        }
    }

    pub fn style(&self) -> &'static str {
        assets::style()
    }

    pub fn script(&self) -> &'static str {
        assets::script()
    }

    pub fn icon(&self) -> &'static str {
        assets::icon()
    }
}

/// Renders a page.
pub fn page(template: &impl Template) -> Response {
    page_with(StatusCode::OK, template)
}

pub fn page_with(status: StatusCode, template: &impl Template) -> Response {
    match template.render() {
        Ok(html) => (status, Html(html)).into_response(),
        Err(error) => {
            tracing::error!("a page cannot be rendered: {error}");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

/// An instant as people in a time zone read it.
pub struct Moment {
    /// For programs.
    pub iso: String,
    pub text: String,
}

impl Moment {
    pub fn new(at: DateTime<Utc>, zone: Tz) -> Self {
        let iso = at.format("%Y-%m-%dT%H:%M:%SZ").to_string();
        Self {
            iso,
            text: at
                .with_timezone(&zone)
                .format("%Y-%m-%d %H:%M:%S")
                .to_string(),
        }
    }
}

/// How long something took or will take.
pub fn duration(span: TimeDelta) -> String {
    let seconds = span.num_seconds().max(0);
    match (seconds / 3600, seconds / 60 % 60, seconds % 60) {
        (0, 0, s) => texts::common::seconds(s),
        (0, m, s) => texts::common::minutes(m, s),
        (h, m, _) => texts::common::hours(h, m),
    }
}
