//! Who is told of what needs people: the channels, and what went out through them lately. Secrets go in here and never come out; a signing
//! key that the host made is shown once, on the answer to the request that made it.

use std::collections::BTreeMap;
use std::time::Duration;

use askama::Template;
use axum::Extension;
use axum::extract::{Form, Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use chrono_tz::Tz;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;

use super::fields::{Choice, Control, Field};
use crate::App;
use crate::failure::Failure;
use crate::frame::{Frame, Moment, page_with};
use crate::login::session::Visitor;
use crate::texts;
use crate::zone;
use addon_service::alerts::channel::{self, MailTerms, NewChannel, NewMeans, Security, Terms};
use addon_service::alerts::{AlertContent, addresses, server_and_port};
use addon_service::host::HostError;
use addon_settings::FieldProblem;
use addon_store::{AlertMessage, StoreError};
use addon_vault::Secret;

/// Messages that the page lists.
const NEWEST: u32 = 30;

/// How long a person waits for a test to arrive.
const PATIENCE: Duration = Duration::from_secs(10);

#[derive(Template)]
#[template(path = "alerts.html")]
struct AlertsPage {
    frame: Frame,
    zone: Tz,
    href: String,
    channels: Vec<ChannelLine>,
    messages: Vec<MessageLine>,
    forms: [ChannelForm; 2],
    /// A signing key that was just made.
    made: Option<String>,
    told: Option<&'static str>,
    problem: Option<String>,
}

struct ChannelLine {
    name: String,
    kind: &'static str,
    to: String,
    about: String,
    href: String,
}

struct MessageLine {
    made: Moment,
    channel: String,
    subject: String,
    state: String,
    error: String,
}

struct ChannelForm {
    id: &'static str,
    title: &'static str,
    fields: Vec<Field>,
}

/// What was typed, by field.
type Typed = BTreeMap<String, String>;

#[derive(Deserialize)]
pub struct Asked {
    /// A channel to be changed.
    channel: Option<String>,
    told: Option<String>,
}

/// What is to be said on the page.
#[derive(Default)]
struct Notice {
    made: Option<String>,
    told: Option<&'static str>,
    /// The form that was refused, what was typed, and what is wrong with it.
    refused: Option<(String, Typed, Vec<FieldProblem>)>,
}

/// `GET /alerts`
pub async fn show(
    State(app): State<App>,
    Extension(visitor): Extension<Visitor>,
    Query(asked): Query<Asked>,
) -> Result<Response, Failure> {
    let told = match asked.told.as_deref() {
        Some("saved") => Some(texts::alerts::SAVED),
        Some("removed") => Some(texts::alerts::REMOVED),
        Some("sent") => Some(texts::alerts::TEST_SENT),
        Some("waits") => Some(texts::alerts::TEST_WAITS),
        _ => None,
    };
    let notice = Notice {
        told,
        ..Notice::default()
    };
    draw(&app, &visitor, asked.channel.as_deref(), notice).await
}

/// `POST /alerts/{kind}`: makes a channel, or changes the one of that name.
pub async fn save(
    State(app): State<App>,
    Extension(visitor): Extension<Visitor>,
    Path(kind): Path<String>,
    Form(typed): Form<Typed>,
) -> Result<Response, Failure> {
    let new = match requested(&kind, &typed) {
        Some(Ok(new)) => new,
        Some(Err(problem)) => return refused(&app, &visitor, kind, typed, vec![problem]).await,
        None => return Err(Failure::not_found(texts::failure::NO_KIND_OF_CHANNEL)),
    };
    match app.host.save_channel(new, &visitor.account).await {
        Ok(None) => Ok(Redirect::to(&app.href("/alerts?told=saved")).into_response()),
        Ok(made) => {
            let notice = Notice {
                made,
                ..Notice::default()
            };
            draw(&app, &visitor, None, notice).await
        }
        Err(HostError::Settings(problems)) => refused(&app, &visitor, kind, typed, problems).await,
        Err(error) => Err(error.into()),
    }
}

/// `POST /alerts/channels/{name}/remove`
pub async fn remove(
    State(app): State<App>,
    Extension(visitor): Extension<Visitor>,
    Path(name): Path<String>,
) -> Result<Redirect, Failure> {
    let store = app.host.store();
    if !store
        .remove_alert_channel(&name, &visitor.author(&app))
        .await?
    {
        return Err(Failure::not_found(texts::failure::NO_CHANNEL));
    }
    Ok(Redirect::to(&app.href("/alerts?told=removed")))
}

/// `POST /alerts/channels/{name}/test`: sends one, and waits a little to see whether it arrives.
pub async fn test(State(app): State<App>, Path(name): Path<String>) -> Result<Redirect, Failure> {
    let id = app.host.try_channel(&name).await?;
    let arrives = async {
        loop {
            match app.host.store().alert_message(id).await {
                Ok(message) if message.state == "waiting" && message.error.is_none() => {
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
                answer => return answer,
            }
        }
    };
    let arrived = tokio::time::timeout(PATIENCE, arrives).await;
    let told = match arrived.ok().transpose()? {
        Some(message) if message.state == "sent" => "sent",
        _ => "waits",
    };
    Ok(Redirect::to(&app.href(&format!("/alerts?told={told}"))))
}

async fn refused(
    app: &App,
    visitor: &Visitor,
    kind: String,
    typed: Typed,
    problems: Vec<FieldProblem>,
) -> Result<Response, Failure> {
    let notice = Notice {
        refused: Some((kind, typed, problems)),
        ..Notice::default()
    };
    draw(app, visitor, None, notice).await
}

/// `None`: there is no such kind.
fn requested(kind: &str, typed: &Typed) -> Option<Result<NewChannel, FieldProblem>> {
    let text = |key: &str| typed.get(key).map_or("", |text| text.trim()).to_owned();
    let secret = |key: &str| {
        Some(text(key))
            .filter(|text| !text.is_empty())
            .map(Secret::new)
    };
    let means = match kind {
        "mail" => {
            let security = match text("security").parse() {
                Ok(security) => security,
                Err(message) => {
                    return Some(Err(channel::problem(
                        "security",
                        message,
                        texts::alerts::CHOOSE_ONE,
                    )));
                }
            };
            let (server, port) = server_and_port(&text("server"));
            let port = match text("port").as_str() {
                "" => port.unwrap_or(Security::usual_port(security)),
                text => match text.parse() {
                    Ok(port) => port,
                    Err(_) => {
                        return Some(Err(channel::problem(
                            "port",
                            texts::alerts::NO_PORT,
                            texts::alerts::NO_PORT_CURE,
                        )));
                    }
                },
            };
            let terms = MailTerms {
                server,
                port,
                security,
                login: text("login"),
                from: text("from"),
                to: addresses(&text("to")),
                authority: text("authority"),
            };
            let password = secret("password");
            NewMeans::Mail { terms, password }
        }
        "web-hook" => NewMeans::WebHook {
            address: secret("address"),
            private: text("private") == "on",
            key: secret("key"),
        },
        _ => return None,
    };
    Some(Ok(NewChannel {
        name: text("name"),
        installation: Some(text("installation")).filter(|name| !name.is_empty()),
        means,
    }))
}

async fn draw(
    app: &App,
    visitor: &Visitor,
    changing: Option<&str>,
    notice: Notice,
) -> Result<Response, Failure> {
    let store = app.host.store();
    let zone = zone::shared(app).await?;
    let stored = store.alert_channels().await?;
    let installations = store.installations().await?;
    let names: Vec<&str> = installations.iter().map(|one| one.name.as_str()).collect();
    let mut channels = Vec::new();
    let mut filled = [Typed::new(), Typed::new()];
    for one in &stored {
        let terms = channel::terms(one)?;
        if changing == Some(one.name.as_str()) {
            let place = usize::from(matches!(terms, Terms::WebHook(_)));
            filled[place] = entered(&one.name, one.installation.as_deref(), &terms);
        }
        channels.push(ChannelLine {
            kind: terms.kind(),
            to: terms.told(),
            about: one
                .installation
                .clone()
                .unwrap_or_else(|| texts::alerts::EVERYTHING.to_owned()),
            href: app.href(&format!(
                "/alerts/channels/{}",
                utf8_percent_encode(&one.name, NON_ALPHANUMERIC)
            )),
            name: one.name.clone(),
        });
    }
    let mut problems = [Vec::new(), Vec::new()];
    let is_refused = notice.refused.is_some();
    if let Some((kind, typed, wrong)) = notice.refused {
        let place = usize::from(kind == "web-hook");
        (filled[place], problems[place]) = (typed, wrong);
    }
    let [mail, hook] = filled;
    let [mail_problems, hook_problems] = problems;
    let messages = store.alert_messages(NEWEST).await?;
    let template = AlertsPage {
        frame: Frame::new(app.base.as_str(), Some(visitor), texts::alerts::TITLE),
        href: app.href("/alerts"),
        channels,
        messages: messages
            .into_iter()
            .map(|message| line(message, zone))
            .collect::<Result<_, _>>()?,
        zone,
        forms: [
            ChannelForm {
                id: "mail",
                title: texts::alerts::MAIL,
                fields: mail_fields(&mail, &mail_problems, &names),
            },
            ChannelForm {
                id: "web-hook",
                title: texts::alerts::WEB_HOOK,
                fields: hook_fields(&hook, &hook_problems, &names),
            },
        ],
        made: notice.made,
        told: notice.told,
        problem: is_refused.then(|| texts::alerts::NOT_SAVED.to_owned()),
    };
    let status = if is_refused {
        StatusCode::UNPROCESSABLE_ENTITY
    } else {
        StatusCode::OK
    };
    Ok(page_with(status, &template))
}

fn line(message: AlertMessage, zone: Tz) -> Result<MessageLine, StoreError> {
    let content = AlertContent::read(&message.letter)?;
    Ok(MessageLine {
        made: Moment::new(message.made_at, zone),
        channel: message.channel,
        subject: content.subject(),
        error: message.error.unwrap_or_default(),
        state: message.state,
    })
}

/// A channel as it would have been typed.
fn entered(name: &str, installation: Option<&str>, terms: &Terms) -> Typed {
    let mut typed = vec![
        ("name", name.to_owned()),
        ("installation", installation.unwrap_or_default().to_owned()),
    ];
    match terms {
        Terms::Mail(mail) => typed.extend([
            ("server", mail.server.clone()),
            ("port", mail.port.to_string()),
            ("security", mail.security.as_str().to_owned()),
            ("login", mail.login.clone()),
            ("from", mail.from.clone()),
            ("to", mail.to.join(", ")),
            ("authority", mail.authority.clone()),
        ]),
        Terms::WebHook(hook) => {
            typed.push((
                "private",
                if hook.private { "on" } else { "off" }.to_owned(),
            ));
        }
    }
    typed
        .into_iter()
        .map(|(key, value)| (key.to_owned(), value))
        .collect()
}

/// A form's fields, one after the other.
struct Drawing<'a> {
    /// In front of the names, which two forms of one page share.
    form: &'static str,
    typed: &'a Typed,
    problems: &'a [FieldProblem],
}

impl Drawing<'_> {
    fn value(&self, key: &str) -> String {
        self.typed.get(key).cloned().unwrap_or_default()
    }

    fn field(
        &self,
        key: &'static str,
        title: &str,
        help: &str,
        required: bool,
        control: Control,
    ) -> Field {
        let wrong = self.problems.iter().find(|problem| problem.field == key);
        Field {
            id: format!("{}-{key}", self.form),
            key: key.to_owned(),
            title: title.to_owned(),
            help: help.to_owned(),
            required,
            control,
            hint: None,
            error: wrong.map(|problem| format!("{}. {}.", problem.message, problem.cure)),
            findings: Vec::new(),
        }
    }

    fn line(
        &self,
        kind: &'static str,
        key: &'static str,
        title: &str,
        help: &str,
        required: bool,
    ) -> Field {
        // A secret is never put into a page.
        let value = if kind == "password" {
            String::new()
        } else {
            self.value(key)
        };
        let control = Control::Line {
            kind,
            value,
            min: None,
            max: None,
        };
        self.field(key, title, help, required, control)
    }

    fn first(&self, installations: &[&str]) -> [Field; 2] {
        let options = installations.iter().map(|name| Choice {
            value: (*name).to_owned(),
            title: (*name).to_owned(),
            chosen: self.value("installation") == *name,
        });
        let about = Control::One {
            options: options.collect(),
        };
        [
            self.line(
                "text",
                "name",
                texts::alerts::NAME,
                texts::alerts::NAME_HELP,
                true,
            ),
            self.field(
                "installation",
                texts::alerts::ABOUT,
                texts::alerts::ABOUT_HELP,
                false,
                about,
            ),
        ]
    }
}

fn mail_fields(typed: &Typed, problems: &[FieldProblem], installations: &[&str]) -> Vec<Field> {
    let form = Drawing {
        form: "mail",
        typed,
        problems,
    };
    let chosen = form.value("security");
    let security = [
        (Security::Starttls, texts::alerts::STARTTLS),
        (Security::Tls, texts::alerts::TLS),
        (Security::None, texts::alerts::UNPROTECTED),
    ];
    let security = security.map(|(one, title)| Choice {
        value: one.as_str().to_owned(),
        title: title.to_owned(),
        chosen: chosen == one.as_str() || (chosen.is_empty() && one == Security::Starttls),
    });
    let security = Control::One {
        options: security.into(),
    };
    let mut fields: Vec<Field> = form.first(installations).into();
    fields.extend([
        form.line(
            "text",
            "to",
            texts::alerts::TO,
            texts::alerts::TO_HELP,
            true,
        ),
        form.line(
            "text",
            "from",
            texts::alerts::FROM,
            texts::alerts::FROM_HELP,
            true,
        ),
        form.line(
            "text",
            "server",
            texts::alerts::SERVER,
            texts::alerts::SERVER_HELP,
            true,
        ),
        form.field("security", texts::alerts::PROTECTION, "", true, security),
        form.line(
            "text",
            "port",
            texts::alerts::PORT,
            texts::alerts::PORT_HELP,
            false,
        ),
        form.line(
            "text",
            "login",
            texts::alerts::LOGIN,
            texts::alerts::LOGIN_HELP,
            false,
        ),
        form.line(
            "password",
            "password",
            texts::alerts::PASSWORD,
            texts::alerts::PASSWORD_HELP,
            false,
        ),
    ]);
    fields
}

fn hook_fields(typed: &Typed, problems: &[FieldProblem], installations: &[&str]) -> Vec<Field> {
    let form = Drawing {
        form: "web-hook",
        typed,
        problems,
    };
    let private = Control::Toggle {
        on: form.value("private") == "on",
    };
    let mut fields: Vec<Field> = form.first(installations).into();
    fields.extend([
        form.line(
            "password",
            "address",
            texts::alerts::ADDRESS,
            texts::alerts::ADDRESS_HELP,
            false,
        ),
        form.field(
            "private",
            texts::alerts::PRIVATE,
            texts::alerts::PRIVATE_HELP,
            false,
            private,
        ),
        form.line(
            "password",
            "key",
            texts::alerts::KEY,
            texts::alerts::KEY_HELP,
            false,
        ),
    ]);
    fields
}
