//! Ways to people: mail through a server of theirs, or a web hook. What an administrator gives is checked here, whole: everything that is
//! wrong is told. Passwords, keys and the addresses of web hooks (whoever knows one can post to it) are sealed and never shown.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde::{Deserialize, Serialize};
use thiserror::Error;
use url::Url;

use super::mailbox::mailbox;
use addon_settings::FieldProblem;
use addon_store::{AlertChannel, StoreError};
use addon_traffic::reach::Reach;
use addon_vault::{Secret, Vault, VaultError};

/// Longer than any list of people who have to know.
const MOST_RECIPIENTS: usize = 20;

/// A key shorter than this could be guessed (Standard Webhooks asks for 24 to 64 bytes).
const SHORTEST_KEY: usize = 24;

/// Begins a signing key, as in Standard Webhooks.
const KEY_MARK: &str = "whsec_";

/// How a channel reaches people; nothing of it is secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Terms {
    Mail(MailTerms),
    WebHook(HookTerms),
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MailTerms {
    pub server: String,
    pub port: u16,
    pub security: Security,
    /// Empty: the server asks for none.
    pub login: String,
    pub from: String,
    pub to: Vec<String>,
    /// PEM of the authority that vouches for the server, where it is one's own; empty: those that the machine trusts.
    #[serde(default)]
    pub authority: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HookTerms {
    /// For telling channels apart: the address itself is sealed.
    pub host: String,
    /// Whether it may be on this machine or in a private network.
    pub private: bool,
}

/// How the way to a mail server is protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Security {
    /// TLS from the first byte (port 465).
    Tls,
    /// Turns to TLS, and does nothing before (port 587).
    Starttls,
    /// `None`: for a server on this machine.
    None,
}

/// What is sealed of a channel.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
pub enum Sealed {
    Password { password: String },
    WebHook { address: String, key: String },
}

/// A channel as a person gives it.
pub struct NewChannel {
    pub name: String,
    pub installation: Option<String>,
    pub means: NewMeans,
}

pub enum NewMeans {
    Mail {
        terms: MailTerms,
        /// `None`: the one that is kept.
        password: Option<Secret>,
    },
    WebHook {
        /// `None`: the one that is kept.
        address: Option<Secret>,
        private: bool,
        /// `None`: the one that is kept, or a new one.
        key: Option<Secret>,
    },
}

/// Everything that a channel needs to be used.
pub struct Open {
    pub terms: Terms,
    pub sealed: Option<Sealed>,
}

#[derive(Debug, Error)]
pub enum ChannelError {
    /// Nothing was saved.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
    Fields(Vec<FieldProblem>),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Vault(#[from] VaultError),
}

impl Terms {
    /// `mail` or `web hook`.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Mail(_) => "mail",
            Self::WebHook(_) => "web hook",
        }
    }

    /// Where it leads, for people.
    pub fn told(&self) -> String {
        match self {
            Self::Mail(mail) => mail.to.join(", "),
            Self::WebHook(hook) => hook.host.clone(),
        }
    }
}

impl Security {
    pub const ALL: [Self; 3] = [Self::Starttls, Self::Tls, Self::None];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Tls => "tls",
            Self::Starttls => "starttls",
            Self::None => "none",
        }
    }

    /// The port that servers use for it.
    pub fn usual_port(self) -> u16 {
        match self {
            Self::Tls => 465,
            Self::Starttls => 587,
            Self::None => 25,
        }
    }
}

impl std::str::FromStr for Security {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let found = Self::ALL.into_iter().find(|one| one.as_str() == text);
        found.ok_or_else(|| format!("`{text}` is none of starttls, tls, none"))
    }
}

/// Where the secrets of a channel are sealed for.
fn place(name: &str) -> (&'static str, String) {
    ("", format!("{}{name}", addon_store::OF_CHANNELS))
}

/// Opens a stored channel.
pub fn open(vault: &Vault, channel: &AlertChannel) -> Result<Open, ChannelError> {
    let terms = serde_json::from_str(&channel.terms).map_err(corrupt)?;
    let (installation, key) = place(&channel.name);
    let sealed = match &channel.sealed {
        Some(sealed) => {
            let opened = vault.unseal(installation, &key, sealed)?;
            Some(serde_json::from_str(opened.expose()).map_err(corrupt)?)
        }
        None => None,
    };
    Ok(Open { terms, sealed })
}

/// What is known of a stored channel without opening its secrets.
pub fn terms(channel: &AlertChannel) -> Result<Terms, StoreError> {
    serde_json::from_str(&channel.terms).map_err(|error| StoreError::Corrupt(error.to_string()))
}

fn corrupt(error: serde_json::Error) -> ChannelError {
    ChannelError::Store(StoreError::Corrupt(format!("an alert channel: {error}")))
}

/// Checks and seals a new channel; `kept` is the one of that name whose secrets go on. Answers a signing key that was made, to be shown
/// once.
pub fn seal(
    vault: &Vault,
    new: NewChannel,
    kept: Option<Open>,
) -> Result<(AlertChannel, Option<String>), ChannelError> {
    let mut problems = Vec::new();
    check_name(&new.name, &mut problems);
    let mut made = None;
    let (terms, sealed) = match new.means {
        NewMeans::Mail { terms, password } => {
            check_mail(&terms, &mut problems);
            let kept = kept.and_then(|kept| match kept.sealed {
                Some(Sealed::Password { password }) => Some(password),
                _ => None,
            });
            let password = password
                .map(|password| password.expose().to_owned())
                .or(kept);
            let sealed = match (terms.login.is_empty(), password) {
                (true, _) => None,
                (false, Some(password)) => Some(Sealed::Password { password }),
                (false, None) => {
                    problems.push(problem(
                        "password",
                        "is missing",
                        "A login needs its password",
                    ));
                    None
                }
            };
            (Terms::Mail(terms), sealed)
        }
        NewMeans::WebHook {
            address,
            private,
            key,
        } => {
            let (kept_address, kept_key) = match kept.and_then(|kept| kept.sealed) {
                Some(Sealed::WebHook { address, key }) => (Some(address), Some(key)),
                _ => (None, None),
            };
            let address = address
                .map(|address| address.expose().to_owned())
                .or(kept_address);
            let host = check_address(
                address.as_deref().unwrap_or_default(),
                private,
                &mut problems,
            );
            let key = key
                .map(|key| key.expose().to_owned())
                .or(kept_key)
                .unwrap_or_else(|| {
                    let key = format!(
                        "{KEY_MARK}{}",
                        BASE64_STANDARD.encode(rand::random::<[u8; 32]>())
                    );
                    made = Some(key.clone());
                    key
                });
            if signing_key(&key).is_none() {
                let cure = format!(
                    "{KEY_MARK} and the base64 of {SHORTEST_KEY} to 64 random bytes; leave it empty to have one made"
                );
                problems.push(problem("key", "is no signing key", cure));
            }
            let sealed = address.map(|address| Sealed::WebHook { address, key });
            (Terms::WebHook(HookTerms { host, private }), sealed)
        }
    };
    if !problems.is_empty() {
        return Err(ChannelError::Fields(problems));
    }
    let (installation, key) = place(&new.name);
    let sealed = sealed
        .map(|sealed| vault.seal(installation, &key, &Secret::new(json(&sealed))))
        .transpose()?;
    let channel = AlertChannel {
        name: new.name,
        installation: new.installation,
        terms: json(&terms),
        sealed,
    };
    Ok((channel, made))
}

/// Records of texts and numbers, which always serialise.
fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("records of texts and numbers serialise")
}

fn check_name(name: &str, problems: &mut Vec<FieldProblem>) {
    let fits = |character: char| {
        character.is_ascii_lowercase() || character.is_ascii_digit() || character == '-'
    };
    if name.is_empty() || name.len() > 40 || !name.chars().all(fits) {
        let cure = "Up to 40 small letters, digits and -";
        problems.push(problem("name", "is no name of a channel", cure));
    }
}

fn check_mail(mail: &MailTerms, problems: &mut Vec<FieldProblem>) {
    let is_host =
        url::Host::parse(&mail.server).is_ok() || mail.server.parse::<std::net::Ipv6Addr>().is_ok();
    if !is_host {
        problems.push(problem(
            "server",
            format!("`{}` is no host", mail.server),
            "A name such as smtp.example.com, or with its port: smtp.example.com:587",
        ));
    }
    if mail.port == 0 {
        problems.push(problem(
            "port",
            "is missing",
            "587 for starttls, 465 for tls",
        ));
    }
    if mail.security == Security::None && !mail.login.is_empty() && !is_this_machine(&mail.server) {
        let cure = "The password would go over the network for all to read: use starttls or tls";
        problems.push(problem("security", "is none, with a login", cure));
    }
    if mailbox(&mail.from).is_none() {
        problems.push(problem(
            "from",
            format!("`{}` is no address", mail.from),
            "As in alerts@isp.example",
        ));
    }
    if mail.to.is_empty() || mail.to.len() > MOST_RECIPIENTS {
        problems.push(problem(
            "to",
            format!("{} addresses", mail.to.len()),
            format!("One to {MOST_RECIPIENTS}, one a line"),
        ));
    }
    for to in mail.to.iter().filter(|to| mailbox(to).is_none()) {
        problems.push(problem(
            "to",
            format!("`{to}` is no address"),
            "As in books@isp.example",
        ));
    }
    if !mail.authority.is_empty()
        && lettre::transport::smtp::client::Certificate::from_pem(mail.authority.as_bytes())
            .is_err()
    {
        problems.push(problem(
            "authority",
            "is no certificate",
            "One in PEM, beginning with -----BEGIN CERTIFICATE-----",
        ));
    }
}

fn is_this_machine(server: &str) -> bool {
    server == "localhost"
        || server
            .parse::<std::net::IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}

/// Answers the host of a web hook's address; never the address, which may be a secret.
fn check_address(address: &str, private: bool, problems: &mut Vec<FieldProblem>) -> String {
    let mut refuse = |message: &str, cure: &str| problems.push(problem("address", message, cure));
    let Ok(url) = Url::parse(address) else {
        refuse("is no address", "As in https://chat.example/hooks/…");
        return String::new();
    };
    let Some(host) = url.host() else {
        refuse("names no host", "As in https://chat.example/hooks/…");
        return String::new();
    };
    let is_http = private && url.scheme() == "http";
    if url.scheme() != "https" && !is_http {
        refuse(
            "does not begin with https://",
            "http:// is for private networks alone: tick that it is in one (--private on the command line)",
        );
    }
    if !url.username().is_empty() || url.password().is_some() || url.fragment().is_some() {
        refuse(
            "carries a user or a fragment",
            "Leave out what stands before the @ and after the #",
        );
    }
    let reach = reach(private);
    let is_out_of_reach = match host {
        url::Host::Ipv4(address) => !reach.permits(address.into()),
        url::Host::Ipv6(address) => !reach.permits(address.into()),
        url::Host::Domain(_) => false,
    };
    if is_out_of_reach {
        refuse(
            "is of this machine or a private network",
            "Say that it may be",
        );
    }
    host.to_string()
}

/// Where a web hook may lead.
pub fn reach(private: bool) -> Reach {
    if private {
        Reach::Private
    } else {
        Reach::Public
    }
}

/// The bytes of a signing key; `None`: it is none.
pub fn signing_key(key: &str) -> Option<Vec<u8>> {
    let key = BASE64_STANDARD.decode(key.strip_prefix(KEY_MARK)?).ok()?;
    (SHORTEST_KEY..=64).contains(&key.len()).then_some(key)
}

/// What is wrong with a field of a channel.
pub fn problem(field: &str, message: impl Into<String>, cure: impl Into<String>) -> FieldProblem {
    FieldProblem {
        field: field.to_owned(),
        message: message.into(),
        cure: cure.into(),
    }
}
