//! The sections `[[hooks]]` and `[territory]`: by what a service tells of changes, and what an installation takes for its own where
//! there are several.

use std::collections::BTreeSet;

use super::parse::{check_id, check_unique, refer, refer_job};
use super::reader::Table;
use super::{InputKind, JobSpec, SettingKind, SettingSpec};

/// The option in which a hook's job gets the messages.
pub const EVENT_OPTION: &str = "event";

/// Messages that a service sends to the host, and what comes of them. All places in a message are JSON pointers.
#[derive(Debug, Clone)]
pub struct HookSpec {
    /// The end of its address: `/hooks/INSTALLATION/ID`.
    pub id: String,
    pub title: String,
    pub signature: SignatureSpec,
    /// Of messages that only test the connection, signed or not: where something stands, and what.
    pub ping: Option<(String, String)>,
    /// Gets the messages in its option [`EVENT_OPTION`].
    pub job: String,
    /// Runs in its place where so many messages came that they were dropped: it finds what they were about.
    pub flood_job: String,
    /// Which messages count; `None`: all.
    pub events: Option<EventsSpec>,
    /// Messages that agree in these are about one record.
    pub record: Vec<String>,
}

#[derive(Debug, Clone)]
pub struct SignatureSpec {
    pub scheme: SignatureScheme,
    /// In lower case.
    pub header: String,
    /// Key of a secret; the hook is off until it is set.
    pub secret: String,
}

/// Each signs the raw body and writes the signature in hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SignatureScheme {
    HmacSha1,
    HmacSha256,
}

impl SignatureScheme {
    /// The name that the manifest uses.
    pub fn name(self) -> &'static str {
        match self {
            Self::HmacSha1 => "hmac-sha1",
            Self::HmacSha256 => "hmac-sha256",
        }
    }
}

#[derive(Debug, Clone)]
pub struct EventsSpec {
    /// Where a message names its kind.
    pub at: String,
    /// The last part of that name, after whatever parts names, in any case of letters.
    pub last: Vec<String>,
}

impl EventsSpec {
    /// Whether a kind counts: of `models\common\finance\Invoices` the last part is `Invoices`.
    pub fn count(&self, kind: &str) -> bool {
        let last = kind.rsplit(|c: char| !c.is_alphanumeric()).next();
        let is_last = |known: &String| last.is_some_and(|last| known.eq_ignore_ascii_case(last));
        self.last.iter().any(is_last)
    }
}

/// What is one installation's where an add-on has several. All fields name settings.
#[derive(Debug, Clone)]
pub struct TerritorySpec {
    /// Installations that agree in these take from one source.
    pub source: Vec<String>,
    /// Installations that agree in these bring to one target.
    pub target: Vec<String>,
    /// Parts of the source that an installation leaves to others.
    pub leaves_out: String,
    /// Tells the keys of an installation from those of others.
    pub tag: String,
}

pub(super) fn hooks(root: &Table<'_>, jobs: &[JobSpec], settings: &[SettingSpec]) -> Vec<HookSpec> {
    let mut seen = BTreeSet::new();
    let read = |table: Table<'_>| {
        let hook = HookSpec {
            id: table.text("id"),
            title: table.text("title"),
            signature: signature(table.table("signature")?, settings)?,
            ping: table.maybe_table("ping").map(ping),
            job: table.text("job"),
            flood_job: table.text("flood_job"),
            events: table.maybe_table("events").map(events),
            record: pointers(&table, "record"),
        };
        check_id(&table, "id", &hook.id);
        check_unique(&table, "id", &hook.id, &mut seen);
        for (key, id) in [("job", &hook.job), ("flood_job", &hook.flood_job)] {
            refer_job(&table, key, id, jobs);
        }
        if let Some(job) = jobs.iter().find(|job| job.id == hook.job) {
            takes_events(&table, job);
        }
        if let Some(job) = jobs.iter().find(|job| job.id == hook.flood_job)
            && job.options.iter().any(|option| option.required)
        {
            let cure = "Nobody gives it when a flood starts the job";
            table.problem("flood_job", "the job needs an option", cure);
        }
        table.done();
        Some(hook)
    };
    root.tables("hooks").into_iter().filter_map(read).collect()
}

fn takes_events(table: &Table<'_>, job: &JobSpec) {
    let takes = job
        .options
        .iter()
        .any(|option| option.key == EVENT_OPTION && option.kind == InputKind::LongText);
    if !takes {
        table.problem(
            "job",
            format!("the job `{}` takes no events", job.id),
            format!("Give it an option `{EVENT_OPTION}` of type long-text: it holds the messages as a JSON list"),
        );
    }
    if let Some(option) = job
        .options
        .iter()
        .find(|option| option.required && option.key != EVENT_OPTION)
    {
        let message = format!("the job needs its option `{}`", option.key);
        table.problem(
            "job",
            message,
            "Nobody gives it when a message starts the job",
        );
    }
}

fn signature(table: Table<'_>, settings: &[SettingSpec]) -> Option<SignatureSpec> {
    let scheme = table.text("scheme");
    let known = [SignatureScheme::HmacSha1, SignatureScheme::HmacSha256]
        .into_iter()
        .find(|known| known.name() == scheme);
    if known.is_none() && !scheme.is_empty() {
        let message = format!("there is no scheme `{scheme}`");
        table.problem("scheme", message, "One of hmac-sha1, hmac-sha256");
    }
    let header = table.text("header").to_ascii_lowercase();
    if !header
        .bytes()
        .all(|b| b.is_ascii_alphanumeric() || b == b'-')
    {
        let message = format!("`{header}` is no header's name");
        table.problem("header", message, "Letters, digits and dashes");
    }
    let secret = table.text("secret");
    let is_secret = |kind: &SettingKind| *kind == SettingKind::Secret;
    refer(&table, "secret", &secret, settings, is_secret, "a secret");
    table.done();
    Some(SignatureSpec {
        scheme: known?,
        header,
        secret,
    })
}

fn ping(table: Table<'_>) -> (String, String) {
    let ping = (pointer(&table, "at"), table.text("is"));
    table.done();
    ping
}

fn events(table: Table<'_>) -> EventsSpec {
    let events = EventsSpec {
        at: pointer(&table, "at"),
        last: table.some_texts("last"),
    };
    table.done();
    events
}

fn pointer(table: &Table<'_>, key: &'static str) -> String {
    let pointer = table.text(key);
    check_pointer(table, key, &pointer);
    pointer
}

fn pointers(table: &Table<'_>, key: &'static str) -> Vec<String> {
    let pointers = table.texts(key);
    for pointer in &pointers {
        check_pointer(table, key, pointer);
    }
    pointers
}

fn check_pointer(table: &Table<'_>, key: &'static str, pointer: &str) {
    if !pointer.is_empty() && !pointer.starts_with('/') {
        let message = format!("`{pointer}` is no place in a message");
        table.problem(key, message, "A JSON pointer, such as /data/id");
    }
}

pub(super) fn territory(root: &Table<'_>, settings: &[SettingSpec]) -> Option<TerritorySpec> {
    let table = root.maybe_table("territory")?;
    let territory = TerritorySpec {
        source: table.some_texts("source"),
        target: table.some_texts("target"),
        leaves_out: table.text("leaves_out"),
        tag: table.text("tag"),
    };
    // They are named in findings.
    let public = |kind: &SettingKind| *kind != SettingKind::Secret;
    for (key, names) in [("source", &territory.source), ("target", &territory.target)] {
        for name in names {
            refer(
                &table,
                key,
                name,
                settings,
                public,
                "a setting that is no secret",
            );
        }
    }
    let several = |kind: &SettingKind| matches!(kind, SettingKind::Choices(_));
    let text = |kind: &SettingKind| matches!(kind, SettingKind::Text(_));
    refer(
        &table,
        "leaves_out",
        &territory.leaves_out,
        settings,
        several,
        "one of type choices",
    );
    refer(&table, "tag", &territory.tag, settings, text, "a text");
    table.done();
    Some(territory)
}
