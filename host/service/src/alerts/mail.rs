//! A letter by SMTP. Each message makes its own connection: there are a few a day.
//!
//! The conversation is held here step by step, since what a server refuses decides what is done: a recipient that it does not know
//! keeps no other one from the letter, and a login that it refuses is not tried again and again.

use std::time::{Duration, SystemTime};

use chrono::{DateTime, Utc};
use lettre::Address;
use lettre::message::Message;
use lettre::message::header::{ContentType, Header, HeaderName, HeaderValue, MIME_VERSION_1_0};
use lettre::transport::smtp::authentication::{Credentials, DEFAULT_MECHANISMS};
use lettre::transport::smtp::client::{AsyncSmtpConnection, Certificate, TlsParameters};
use lettre::transport::smtp::commands::{Data, Mail as From, Rcpt};
use lettre::transport::smtp::extension::{ClientId, Extension, MailParameter};

use super::channel::{MailTerms, Security};
use super::mailbox::mailbox;
use super::{Delivery, Undelivered};
use addon_traffic::redact::Redactor;
use addon_vault::Secret;

/// For each address of a server.
const CONNECTING: Duration = Duration::from_secs(20);

/// A server that took a letter need not be polite.
const FAREWELL: Duration = Duration::from_secs(2);

/// The server wants a login, or another one (RFC 4954).
const LOGIN_REQUIRED: &str = "530";

/// Keeps out-of-office answers away (RFC 3834).
#[derive(Clone)]
struct AutoSubmitted;

impl Header for AutoSubmitted {
    fn name() -> HeaderName {
        HeaderName::new_from_ascii_str("Auto-Submitted")
    }

    fn parse(_: &str) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        Ok(Self)
    }

    fn display(&self) -> HeaderValue {
        HeaderValue::new(Self::name(), "auto-generated".to_owned())
    }
}

/// What is sent.
pub struct Mail<'a> {
    /// The same for each attempt, so that a mailbox can tell one that came twice.
    pub id: String,
    pub at: DateTime<Utc>,
    pub subject: &'a str,
    pub text: String,
    /// Those who did not get it yet; empty: all recipients.
    pub only: &'a [String],
}

/// Sends it, and says whom it did not reach; or says why it went to nobody.
pub async fn send(
    terms: &MailTerms,
    password: Option<&Secret>,
    mail: Mail<'_>,
) -> Result<Delivery, Undelivered> {
    let recipients = mail
        .only
        .iter()
        .filter(|one| terms.to.contains(one))
        .cloned();
    let recipients: Vec<String> = recipients.collect();
    let recipients = match recipients.as_slice() {
        [] => &terms.to,
        some => some,
    };
    let (from, message) = message(terms, mail).map_err(Undelivered::Later)?;
    let sent = converse(terms, password, &from, recipients, &message).await;
    // A server may quote the line that it refused, and with it the password.
    let redactor = Redactor::new(password);
    let clean = |text: String| redactor.clean(text).into_owned();
    match sent {
        Ok(mut delivery) => {
            for (_, why) in delivery.later.iter_mut().chain(&mut delivery.never) {
                *why = clean(std::mem::take(why));
            }
            Ok(delivery)
        }
        Err(Undelivered::Later(why)) => Err(Undelivered::Later(clean(why))),
        Err(Undelivered::UntilChanged(why)) => Err(Undelivered::UntilChanged(clean(why))),
    }
}

/// The sender's address, and the letter as it goes over the wire.
fn message(terms: &MailTerms, mail: Mail<'_>) -> Result<(Address, Vec<u8>), String> {
    let from = read(&terms.from)?;
    let id = format!("<{}@{}>", mail.id, from.email.domain());
    let sender = from.email.clone();
    let mut message = Message::builder()
        .from(from)
        .subject(mail.subject)
        .date(SystemTime::from(mail.at))
        .message_id(Some(id))
        .header(MIME_VERSION_1_0)
        .header(AutoSubmitted)
        .header(ContentType::TEXT_PLAIN);
    for to in &terms.to {
        message = message.to(read(to)?);
    }
    let message = message.body(mail.text).map_err(|error| error.to_string())?;
    Ok((sender, message.formatted()))
}

fn read(text: &str) -> Result<lettre::message::Mailbox, String> {
    mailbox(text).ok_or_else(|| format!("`{text}` is no address: set the channel anew"))
}

async fn converse(
    terms: &MailTerms,
    password: Option<&Secret>,
    from: &Address,
    recipients: &[String],
    message: &[u8],
) -> Result<Delivery, Undelivered> {
    let later = |error: lettre::transport::smtp::Error| Undelivered::Later(told(&error));
    let mut connection = connect(terms).await?;
    if let Some(password) = password.filter(|_| !terms.login.is_empty()) {
        let credentials = Credentials::new(terms.login.clone(), password.expose().to_owned());
        let answer = connection.auth(DEFAULT_MECHANISMS, &credentials).await;
        answer.map_err(|error| match error.is_permanent() {
            true => refused_login(&error),
            false => later(error),
        })?;
    }
    let mut parameters = Vec::new();
    if connection
        .server_info()
        .supports_feature(Extension::SmtpUtfEight)
    {
        parameters.push(MailParameter::SmtpUtfEight);
    }
    let answer = connection
        .command(From::new(Some(from.clone()), parameters))
        .await;
    answer.map_err(|error| match error.status() {
        Some(code) if code.to_string() == LOGIN_REQUIRED => refused_login(&error),
        _ => later(error),
    })?;
    let mut delivery = Delivery::default();
    for recipient in recipients {
        let address = read(recipient).map_err(Undelivered::Later)?.email;
        let Err(error) = connection.command(Rcpt::new(address, Vec::new())).await else {
            continue;
        };
        match error.status() {
            Some(_) if error.is_permanent() => {
                delivery.never.push((recipient.clone(), told(&error)))
            }
            Some(_) => delivery.later.push((recipient.clone(), told(&error))),
            // There is nobody to talk to any more.
            None => return Err(later(error)),
        }
    }
    if delivery.never.len() + delivery.later.len() == recipients.len() {
        return Err(Undelivered::Later(delivery.told()));
    }
    connection.command(Data).await.map_err(later)?;
    connection.message(message).await.map_err(later)?;
    // It has the letter; what it says now changes nothing.
    let _ = tokio::time::timeout(FAREWELL, connection.quit()).await;
    Ok(delivery)
}

/// A connection that is protected as the terms want it.
async fn connect(terms: &MailTerms) -> Result<AsyncSmtpConnection, Undelivered> {
    let later = |error: lettre::transport::smtp::Error| Undelivered::Later(told(&error));
    let tls = match terms.security {
        Security::Tls | Security::Starttls => Some(parameters(terms).map_err(Undelivered::Later)?),
        Security::None => None,
    };
    let hello = ClientId::default();
    let (at_once, in_turn) = match terms.security {
        Security::Tls => (tls, None),
        Security::Starttls | Security::None => (None, tls),
    };
    let server = (terms.server.as_str(), terms.port);
    let connected =
        AsyncSmtpConnection::connect_tokio1(server, Some(CONNECTING), &hello, at_once, None).await;
    let mut connection = connected.map_err(later)?;
    if let Some(tls) = in_turn {
        connection.starttls(tls, &hello).await.map_err(later)?;
    }
    Ok(connection)
}

fn parameters(terms: &MailTerms) -> Result<TlsParameters, String> {
    let mut builder = TlsParameters::builder(terms.server.clone());
    if !terms.authority.is_empty() {
        let authority =
            Certificate::from_pem(terms.authority.as_bytes()).map_err(|error| story(&error))?;
        builder = builder.add_root_certificate(authority);
    }
    builder.build_rustls().map_err(|error| {
        format!(
            "no TLS can be spoken ({}); install the package ca-certificates",
            story(&error)
        )
    })
}

fn refused_login(error: &dyn std::error::Error) -> Undelivered {
    Undelivered::UntilChanged(format!(
        "the mail server refuses the login ({})",
        story(error)
    ))
}

/// What went wrong, and what cures it where that is known.
fn told(error: &dyn std::error::Error) -> String {
    let story = story(error);
    let cures = [
        (
            "UnknownIssuer",
            "if the server's certificate is of an authority of your own, give the channel that authority's (--authority)",
        ),
        (
            "InvalidContentType",
            "the server does not begin with TLS: the protection is starttls (587), or the port another one",
        ),
        (
            "STARTTLS is not supported",
            "the protection is tls (465), or none for a server on this machine",
        ),
    ];
    match cures.iter().find(|(sign, _)| story.contains(sign)) {
        Some((_, cure)) => format!("{story}; {cure}"),
        None => story,
    }
}

/// The chain of causes, each word once: the outermost says little, and some repeat what is below them.
fn story(error: &dyn std::error::Error) -> String {
    let chain = std::iter::successors(Some(error), |error| error.source());
    let mut parts: Vec<String> = Vec::new();
    for part in chain.map(ToString::to_string) {
        if !parts.iter().any(|told| told.contains(&part)) {
            parts.push(part);
        }
    }
    parts.join(": ")
}
