//! Mappings: tables whose rows and options both come from the add-on, each row a setting `KEY.ROW`.

use askama::Template;
use axum::Extension;
use axum::extract::{Form, Path, Query, State};
use axum::http::StatusCode;
use axum::response::Response;

use super::check_part::{CheckPart, Found};
use super::fields::told;
use super::form::{Feedback, Saved, Submitted, submit};
use super::installation_page::{InstallationPage, Place};
use crate::App;
use crate::choices::Choices;
use crate::failure::Failure;
use crate::frame::{Frame, page_with};
use crate::login::session::Visitor;
use crate::texts;
use addon_manifest::MappingSpec;
use addon_service::host::Finding;

/// Options on one page, over all rows of a table; above it, rows share one list and ids are typed with its help.
const MOST_OPTIONS: usize = 20_000;

#[derive(Template)]
#[template(path = "mappings.html")]
struct MappingsPage {
    frame: Frame,
    href: String,
    saved: Option<usize>,
    problem: Option<String>,
    check: CheckPart,
    tables: Vec<Table>,
}

impl MappingsPage {
    /// How many rows are filled in and not saved.
    fn proposed(&self) -> usize {
        let rows = self.tables.iter().flat_map(|table| &table.rows);
        rows.filter(|row| row.proposed).count()
    }

    fn has_rows(&self) -> bool {
        self.tables.iter().any(|table| !table.rows.is_empty())
    }
}

struct Table {
    key: String,
    title: String,
    help: String,
    /// Why rows or options are missing.
    hints: Vec<String>,
    rows: Vec<Row>,
    /// Value and title.
    options: Vec<(String, String)>,
    layout: Layout,
}

/// How a row's value is chosen.
#[derive(PartialEq, Eq)]
enum Layout {
    Select,
    /// A line with suggestions.
    Suggest,
    /// A line: there are no options to offer.
    Line,
}

struct Row {
    key: String,
    title: String,
    value: String,
    /// The value is what the add-on proposes; nobody has chosen it yet.
    proposed: bool,
    /// The value is not among the options, which are known.
    gone: bool,
    error: Option<String>,
    /// What the last check says about it.
    findings: Vec<Finding>,
}

/// `GET /installations/{name}/mappings`
pub async fn show(
    State(app): State<App>,
    Extension(visitor): Extension<Visitor>,
    Path(name): Path<String>,
    Query(saved): Query<Saved>,
) -> Result<Response, Failure> {
    let subject = InstallationPage::load(&app, &name).await?;
    draw(&app, &visitor, &subject, StatusCode::OK, saved.into()).await
}

/// `POST /installations/{name}/mappings`
pub async fn save(
    State(app): State<App>,
    Extension(visitor): Extension<Visitor>,
    Path(name): Path<String>,
    Form(form): Form<Vec<(String, String)>>,
) -> Result<Response, Failure> {
    let subject = InstallationPage::load(&app, &name).await?;
    let settings = &subject.situation.settings;
    let changes: Vec<_> = form
        .into_iter()
        .map(|(key, value)| (key, value.trim().to_owned()))
        .filter(|(key, value)| key.contains('.') && value != settings.get(key))
        .collect();
    match submit(&app, &visitor, &subject, Place::Mappings.into(), changes).await? {
        Submitted::Saved(redirect) => Ok(redirect),
        Submitted::Refused(status, feedback) => {
            draw(&app, &visitor, &subject, status, feedback).await
        }
    }
}

async fn draw(
    app: &App,
    visitor: &Visitor,
    subject: &InstallationPage,
    status: StatusCode,
    feedback: Feedback,
) -> Result<Response, Failure> {
    let mappings = &subject.situation.manifest.mappings;
    let sources = mappings
        .iter()
        .flat_map(|spec| {
            let proposals = spec.proposals.as_deref();
            [spec.rows.as_str(), spec.choices.as_str()]
                .into_iter()
                .chain(proposals)
        })
        .collect::<Vec<_>>();
    let lists = Choices::load(app, visitor, subject.name(), sources).await;
    let check = CheckPart::load(app, subject).await?;
    let list = |source: &str| {
        lists
            .get(source)
            .map_or(Ok(Vec::new()), |answer| answer.as_ref().clone())
    };
    let tables = mappings.iter().map(|spec| {
        table(
            subject,
            spec,
            Lists {
                rows: list(&spec.rows),
                options: list(&spec.choices),
                // What nobody can propose, somebody chooses.
                proposals: spec
                    .proposals
                    .as_ref()
                    .and_then(|source| list(source).ok())
                    .unwrap_or_default(),
            },
            &feedback,
            &check.findings,
        )
    });
    let tables = tables.collect();
    let template = MappingsPage {
        frame: subject.frame(app, visitor, Place::Mappings, texts::mappings::TITLE),
        href: subject.href(app, Place::Mappings),
        saved: feedback.saved,
        problem: unplaced(&feedback),
        check,
        tables,
    };
    Ok(page_with(status, &template))
}

type List = Result<Vec<(String, String)>, String>;

/// What the add-on says of a table.
struct Lists {
    rows: List,
    options: List,
    proposals: Vec<(String, String)>,
}

fn table(
    subject: &InstallationPage,
    spec: &MappingSpec,
    lists: Lists,
    feedback: &Feedback,
    found: &[Found],
) -> Table {
    let Lists {
        rows,
        options,
        proposals,
    } = lists;
    let mut hints: Vec<String> = [rows.as_ref().err(), options.as_ref().err()]
        .into_iter()
        .flatten()
        .cloned()
        .collect();
    hints.dedup();
    let options = options.unwrap_or_default();
    let mut titles = rows.unwrap_or_default();
    // What was mapped stays in sight, also where its row is gone or cannot be loaded.
    let stored = subject
        .situation
        .settings
        .mappings()
        .filter_map(|(key, _)| key.split_once('.'));
    for (_, id) in stored.filter(|(mapping, _)| *mapping == spec.key) {
        if !titles.iter().any(|(known, _)| known == id) {
            titles.push((id.to_owned(), texts::fields::gone(id)));
        }
    }
    let rows = titles.into_iter().map(|(id, title)| {
        let proposal = proposals.iter().find(|(row, _)| *row == id);
        row(
            subject,
            (format!("{}.{id}", spec.key), title),
            &options,
            proposal.map(|(_, value)| value.as_str()),
            feedback,
            found,
        )
    });
    let rows: Vec<Row> = rows.collect();
    let layout = match options.len() {
        0 => Layout::Line,
        amount if amount * rows.len() > MOST_OPTIONS => Layout::Suggest,
        _ => Layout::Select,
    };
    let (key, title, help) = (spec.key.clone(), spec.title.clone(), spec.help.clone());
    Table {
        key,
        title,
        help,
        hints,
        rows,
        options,
        layout,
    }
}

fn row(
    subject: &InstallationPage,
    (key, title): (String, String),
    options: &[(String, String)],
    proposal: Option<&str>,
    feedback: &Feedback,
    found: &[Found],
) -> Row {
    let stored = subject.situation.settings.get(&key);
    let typed = feedback.typed.get(&key).map(String::as_str);
    let proposal = proposal.filter(|_| typed.is_none() && stored.is_empty());
    let value = typed.or(proposal).unwrap_or(stored).to_owned();
    let gone = !value.is_empty()
        && !options.is_empty()
        && !options.iter().any(|(option, _)| *option == value);
    let error = feedback
        .problems
        .iter()
        .find(|problem| problem.field == key)
        .map(told);
    // What is filled in needs no word on what to choose.
    let findings = found
        .iter()
        .map(|found| &found.finding)
        .filter(|finding| finding.field == key && proposal.is_none())
        .cloned()
        .collect();
    Row {
        key,
        title,
        value,
        proposed: proposal.is_some(),
        gone,
        error,
        findings,
    }
}

/// What went wrong and belongs to no row of the page.
fn unplaced(feedback: &Feedback) -> Option<String> {
    let first = feedback.problems.first().map(texts::mappings::not_saved);
    feedback.problem.clone().or(first)
}
