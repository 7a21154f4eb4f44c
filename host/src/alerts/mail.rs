//! A letter by SMTP. Each message makes its own connection: there are a few a day.

use std::time::{Duration, SystemTime};

use chrono::{DateTime, Utc};
use lettre::message::header::{ContentType, Header, HeaderName, HeaderValue};
use lettre::message::{Mailbox, Message};
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate, Tls, TlsParameters};
use lettre::{AsyncSmtpTransport, AsyncTransport, Tokio1Executor};

use super::channel::{MailTerms, Security};
use crate::connections::redact::Redactor;
use crate::vault::Secret;

/// For each step of the conversation.
const TIMEOUT: Duration = Duration::from_secs(20);

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
}

/// Sends it to all recipients, or says why not.
pub async fn send(
    terms: &MailTerms,
    password: Option<&Secret>,
    mail: Mail<'_>,
) -> Result<(), String> {
    let message = message(terms, mail)?;
    let transport = transport(terms, password)?;
    match transport.send(message).await {
        Ok(_) => Ok(()),
        // A server may quote the line that it refused, and with it the password.
        Err(error) => Err(Redactor::new(password).clean(story(&error)).into_owned()),
    }
}

fn message(terms: &MailTerms, mail: Mail<'_>) -> Result<Message, String> {
    let address = |text: &str| {
        text.parse::<Mailbox>()
            .map_err(|_| format!("`{text}` is no address: set the channel anew"))
    };
    let from = address(&terms.from)?;
    let id = format!("<{}@{}>", mail.id, from.email.domain());
    let mut message = Message::builder()
        .from(from)
        .subject(mail.subject)
        .date(SystemTime::from(mail.at))
        .message_id(Some(id))
        .header(AutoSubmitted)
        .header(ContentType::TEXT_PLAIN);
    for to in &terms.to {
        message = message.to(address(to)?);
    }
    message.body(mail.text).map_err(|error| error.to_string())
}

fn transport(
    terms: &MailTerms,
    password: Option<&Secret>,
) -> Result<AsyncSmtpTransport<Tokio1Executor>, String> {
    let parameters = || {
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
    };
    let tls = match terms.security {
        Security::Tls => Tls::Wrapper(parameters()?),
        Security::Starttls => Tls::Required(parameters()?),
        Security::None => Tls::None,
    };
    let mut builder = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(terms.server.clone())
        .port(terms.port)
        .tls(tls)
        .timeout(Some(TIMEOUT));
    if let Some(password) = password.filter(|_| !terms.login.is_empty()) {
        builder = builder.credentials(Credentials::new(
            terms.login.clone(),
            password.expose().to_owned(),
        ));
    }
    Ok(builder.build())
}

/// The whole chain: the outermost says little.
fn story(error: &dyn std::error::Error) -> String {
    let chain = std::iter::successors(Some(error), |error| error.source());
    let mut parts: Vec<String> = chain.map(ToString::to_string).collect();
    parts.dedup();
    parts.join(": ")
}
