//! The manifest (`addon.toml`): what a host must know of an add-on without running it.
//!
//! This folder turns the text into a typed [`Manifest`] or into a list of [`Problem`]s, each with its line, its key and a
//! cure. It knows nothing of stored values. Beware: a manifest comes from outside and is checked here once; whoever
//! holds a [`Manifest`] relies on its references (settings named by connections, jobs by schedules) being whole.

mod connections;
mod guide;
mod hooks;
mod inputs;
mod marks;
mod pages;
mod parse;
mod plain;
mod problem;
mod reader;
mod recording;
mod settings;
mod template;
mod values;

pub use hooks::{
    EVENT_OPTION, EventsSpec, HookSpec, SignatureScheme, SignatureSpec, TerritorySpec,
};
pub use marks::Marks;
pub use problem::{ManifestError, Problem, nearest};
pub use template::{Template, TemplateError};
pub use values::{LONGEST_TEXT_BYTES, ValueError};

use std::collections::{BTreeMap, BTreeSet};

/// The interface that this host offers; a manifest must name the same major version, and no newer minor one.
pub const INTERFACE: &str = "splynx:addon";
pub const INTERFACE_VERSION: semver::Version = semver::Version::new(1, 0, 0);

/// A whole manifest.
#[derive(Debug, Clone)]
pub struct Manifest {
    pub addon: Addon,
    /// By name.
    pub connections: BTreeMap<String, Connection>,
    pub settings: Vec<SettingSpec>,
    pub mappings: Vec<MappingSpec>,
    pub jobs: Vec<JobSpec>,
    pub schedules: Vec<ScheduleSpec>,
    pub hooks: Vec<HookSpec>,
    pub territory: Option<TerritorySpec>,
    pub activity: Option<ActivitySpec>,
    pub pages: Vec<PageSpec>,
    pub reports: Vec<ReportSpec>,
    /// In what order people set it up; empty: there is no guide.
    pub guide: Vec<GuideStep>,
    pub recording: RecordingSpec,
}

impl Manifest {
    /// Reads a manifest; all problems are reported at once.
    pub fn parse(text: &str) -> Result<Self, ManifestError> {
        parse::manifest(text)
    }

    pub fn setting(&self, key: &str) -> Option<&SettingSpec> {
        self.settings.iter().find(|spec| spec.key == key)
    }

    pub fn mapping(&self, key: &str) -> Option<&MappingSpec> {
        self.mappings.iter().find(|spec| spec.key == key)
    }

    pub fn job(&self, id: &str) -> Option<&JobSpec> {
        self.jobs.iter().find(|spec| spec.id == id)
    }

    pub fn hook(&self, id: &str) -> Option<&HookSpec> {
        self.hooks.iter().find(|spec| spec.id == id)
    }

    pub fn page(&self, id: &str) -> Option<&PageSpec> {
        self.pages.iter().find(|spec| spec.id == id)
    }

    pub fn report(&self, id: &str) -> Option<&ReportSpec> {
        self.reports.iter().find(|spec| spec.id == id)
    }
}

#[derive(Debug, Clone)]
pub struct Addon {
    /// Lower-case letters, digits and dashes.
    pub id: String,
    pub version: semver::Version,
    pub title: String,
    pub description: String,
    /// Version of the interface `splynx:addon` that the component was built against.
    pub interface: semver::Version,
    /// File name of the component inside the package.
    pub component: String,
    /// Grows with every package that is shipped, whatever its version: a lower one is no update.
    pub serial: u32,
    /// Version of the stored state; the guest's `migrate` brings older state to it.
    pub state: u32,
}

/// What a recording keeps of texts, besides the `keeps` of connections; all others are replaced.
#[derive(Debug, Clone, Default)]
pub struct RecordingSpec {
    /// Fields of what is stored.
    pub stored: BTreeSet<String>,
    /// Tables of what is stored, whose keys and values without fields are nobody's data.
    pub plain: BTreeSet<String>,
    /// Settings of texts and addresses.
    pub settings: BTreeSet<String>,
    /// Fields that hold messages: the add-on's own words in them are kept.
    pub messages: BTreeSet<String>,
    /// Words that the add-on itself writes where people's texts stand.
    pub words: Vec<String>,
    pub marks: Marks,
}

/// What the ids of an activity are called.
#[derive(Debug, Clone)]
pub struct ActivitySpec {
    /// `local-id`.
    pub local: String,
    /// `remote-id`.
    pub remote: String,
    /// Entities that come from the other side: their `local-id` is what the others' `remote-id` is.
    pub turned: Vec<String>,
    /// The entity that a customer is: its labels are people's names.
    pub customer: Option<String>,
}

/// A service that the add-on talks to, and on what terms.
#[derive(Debug, Clone)]
pub struct Connection {
    pub title: String,
    /// Address that the guest's relative paths are joined to.
    pub base_url: Template,
    /// What may be reached. Each renders to a host name or to a URL, of which the host counts.
    pub hosts: Vec<Template>,
    /// Whether the hosts may have loopback, private or link-local addresses.
    pub private_addresses: bool,
    /// All of them are applied, in this order.
    pub auth: Vec<AuthSpec>,
    /// Settings whose values together name the budget: installations that agree in them share it.
    pub counted_by: Vec<String>,
    /// Paths to which a POST reads; to all others it writes.
    pub reads: Vec<String>,
    /// Fields and parameters that a recording keeps: nobody's data.
    pub keeps: BTreeSet<String>,
    /// Most requests in any 60 seconds.
    pub per_minute: u32,
    /// Most requests in any 24 hours.
    pub per_day: Option<u32>,
    /// How many of the day's requests automatic runs leave to people; `None`: a tenth.
    pub reserve: Option<u32>,
    /// Requests that may be sent at once after a rest; the steady pace is `per_minute` / 60 a second.
    pub burst: u32,
    /// Requests in flight at once.
    pub parallel: u32,
    /// For one request, from connecting to the last byte of the answer.
    pub timeout_seconds: u32,
    pub max_response_bytes: u64,
    /// How long the connection rests after an answer 429.
    pub rest_after_429_seconds: u32,
    /// After this long a request cannot still be in flight at the service.
    pub settle_seconds: u32,
}

/// How requests prove who sends them. The fields name settings, except where they are templates.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AuthSpec {
    /// `Authorization: Basic`.
    Basic { user: String, password: String },
    /// `Authorization: Bearer`.
    Bearer { token: Template },
    /// A parameter of the query.
    QueryKey { name: String, value: Template },
    /// A header of the service's own.
    Header { name: String, value: Template },
    /// `Authorization: Splynx-EA (…)`, HMAC-SHA256 over a growing nonce (Splynx API, signature authentication).
    SplynxSignature { key: String, secret: String },
    /// `Authorization: Splynx-EA (access_token=…)`, with tokens that the host fetches and renews itself.
    SplynxToken { key: String, secret: String },
}

/// One setting that an operator can see.
#[derive(Debug, Clone)]
pub struct SettingSpec {
    pub key: String,
    /// Heading that it stands under.
    pub group: String,
    pub title: String,
    pub kind: SettingKind,
    /// Jobs do not work without it.
    pub required: bool,
    /// Checked against the kind and in its normal form.
    pub default: Option<String>,
    pub help: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SettingKind {
    Text(TextRules),
    Secret,
    /// A whole number.
    Number {
        min: Option<i64>,
        max: Option<i64>,
    },
    /// `on` or `off`.
    Toggle,
    /// `YYYY-MM-DD`.
    Date,
    Choice(ChoiceSource),
    /// Several, joined by commas.
    Choices(ChoiceSource),
    /// Days of the month, 1 to 31: each once, in order, joined by commas.
    Days,
    /// An `http` or `https` address with its final slash.
    Url,
    /// Stored by the guest itself (`set-fetched`); a person may choose where the guest offers choices.
    Fetched {
        choices: Option<String>,
    },
}

impl SettingKind {
    /// Whether the add-on decides what it can hold: it stores it, or offers what a person chooses from.
    pub fn is_the_addons(&self) -> bool {
        match self {
            Self::Fetched { .. }
            | Self::Choice(ChoiceSource::Guest(_))
            | Self::Choices(ChoiceSource::Guest(_)) => true,
            Self::Text(_)
            | Self::Secret
            | Self::Number { .. }
            | Self::Toggle
            | Self::Date
            | Self::Choice(ChoiceSource::Fixed(_))
            | Self::Choices(ChoiceSource::Fixed(_))
            | Self::Days
            | Self::Url => false,
        }
    }

    /// The name that the manifest uses.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Text(_) => "text",
            Self::Secret => "secret",
            Self::Number { .. } => "number",
            Self::Toggle => "toggle",
            Self::Date => "date",
            Self::Choice(_) => "choice",
            Self::Choices(_) => "choices",
            Self::Days => "days",
            Self::Url => "url",
            Self::Fetched { .. } => "fetched",
        }
    }
}

/// What a text may hold besides being one line.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TextRules {
    /// The text is a pattern: the names that may stand in braces. Empty: braces mean nothing.
    pub variables: Vec<String>,
    /// Most characters of the text itself.
    pub max_length: Option<u32>,
}

/// Where the values of a choice come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ChoiceSource {
    /// The guest's `choices(source)`. It is data that changes: a value is looked for in it when a person chooses it, and
    /// may be gone later.
    Guest(String),
    /// A fixed list in the manifest.
    Fixed(Vec<ChoiceOption>),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChoiceOption {
    pub value: String,
    pub title: String,
}

/// A family of settings `KEY.ROW`, one for each row that the guest offers.
#[derive(Debug, Clone)]
pub struct MappingSpec {
    pub key: String,
    pub title: String,
    pub help: String,
    /// Source of the rows, for the guest's `choices`.
    pub rows: String,
    /// Source of the values, for the guest's `choices`.
    pub choices: String,
    /// Source of what the guest proposes for rows without a value: row and value.
    pub proposals: Option<String>,
}

#[derive(Debug, Clone)]
pub struct JobSpec {
    pub id: String,
    pub title: String,
    pub help: String,
    /// Whether it can run as a preview.
    pub preview: bool,
    /// Whether people start it so often that it has a button on the first page.
    pub home: bool,
    /// What a person can give with a run.
    pub options: Vec<InputSpec>,
}

/// A value that a person gives with a run or an act.
#[derive(Debug, Clone)]
pub struct InputSpec {
    pub key: String,
    pub title: String,
    pub kind: InputKind,
    /// Its list is another for each row: of acts on one row.
    pub of_row: bool,
    pub required: bool,
    pub help: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum InputKind {
    /// One line.
    Text,
    /// Many lines, such as pasted CSV, up to [`LONGEST_TEXT_BYTES`].
    LongText,
    /// `YYYY-MM-DD`.
    Date,
    /// A decimal number, such as an amount; kept as it was written.
    Number,
    /// `on` or `off`.
    Toggle,
    /// One of a list.
    Choice(ChoiceSource),
    /// Any of a list, joined by commas.
    Choices(ChoiceSource),
}

impl InputSpec {
    /// What the guest is asked for: the name of its list; with the row behind it (`open-invoices/ROW`) where the list is one of the
    /// row's own.
    pub fn source(&self, row: Option<&str>) -> Option<String> {
        let (InputKind::Choice(source) | InputKind::Choices(source)) = &self.kind else {
            return None;
        };
        let ChoiceSource::Guest(source) = source else {
            return None;
        };
        Some(match row.filter(|_| self.of_row) {
            Some(row) => format!("{source}/{row}"),
            None => source.clone(),
        })
    }
}

#[derive(Debug, Clone)]
pub struct ScheduleSpec {
    pub job: String,
    /// Key of a number setting.
    pub every_minutes: String,
    /// Key of a text setting that holds an IANA time zone name; UTC without one.
    pub time_zone: Option<String>,
    /// Keys of toggles: the schedule rests while all of them are off. Empty: it never rests.
    pub when_any: Vec<String>,
}

/// One step of the guided set-up.
#[derive(Debug, Clone)]
pub struct GuideStep {
    pub title: String,
    pub help: String,
    pub about: GuideAbout,
}

/// What a step is about; from that a host knows when it is done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GuideAbout {
    /// Groups of settings.
    Settings(Vec<String>),
    /// Groups of settings, by which a schedule is switched on.
    Schedule(Vec<String>),
    /// All mappings.
    Mappings,
    /// The readiness check.
    Check,
    /// A job that has to run once; `or`: jobs that do as much.
    Job {
        id: String,
        preview: bool,
        or: Vec<String>,
    },
    /// A page on which nothing should wait for a person, with the values of its filter `state`, if it is about some.
    Page { id: String, states: Vec<String> },
}

/// A page of the installation: of rows that come from the guest's `view`, or of what the runs of a job reported.
#[derive(Debug, Clone)]
pub struct PageSpec {
    pub id: String,
    pub title: String,
    pub content: PageContent,
    pub columns: Columns,
    /// Whether the rows can be searched for a text.
    pub search: bool,
    pub filters: Vec<FilterSpec>,
    pub acts: Vec<ActSpec>,
    pub chart: Option<ChartSpec>,
    pub tab: PageTab,
    /// Which of its rows need a person.
    pub needs: Option<NeedsSpec>,
}

/// What a page belongs to, among the tabs of an installation.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum PageTab {
    /// What people have to do.
    ToDo,
    #[default]
    Records,
    /// Whether both sides agree.
    Compare,
    /// How it is set up.
    Setup,
}

impl PageTab {
    /// As the manifest writes them.
    pub const ALL: [(&str, Self); 4] = [
        ("to-do", Self::ToDo),
        ("records", Self::Records),
        ("compare", Self::Compare),
        ("set-up", Self::Setup),
    ];
}

/// Rows of a page that need a person: all of them, or those with one of a few values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NeedsSpec {
    /// The column of these values; `None`: every row needs a person.
    pub column: Option<String>,
    pub values: Vec<String>,
    /// The column that says what is the matter.
    pub reason: Option<String>,
    /// The column that says what to do about it.
    pub cure: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PageContent {
    /// The guest's `view`.
    View,
    /// Reports that runs of a job left behind.
    Reports { job: String, reports: Vec<String> },
}

/// Titles of columns, and which of them hold money.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Columns {
    pub titles: Vec<String>,
    pub money: Vec<String>,
    /// What people know a row by; `None`: its first columns.
    pub naming: Vec<String>,
}

/// Rows as a chart: bars side by side, a group for each row, a picture for each kind of row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChartSpec {
    /// The column that names a group.
    pub label: String,
    /// The column by which rows are parted into pictures.
    pub split: Option<String>,
    /// Columns of numbers, a bar each.
    pub bars: Vec<String>,
}

impl PageSpec {
    pub fn act(&self, id: &str) -> Option<&ActSpec> {
        self.acts.iter().find(|spec| spec.id == id)
    }
}

/// Narrows the rows of a page to those with one of a few values.
#[derive(Debug, Clone)]
pub struct FilterSpec {
    pub key: String,
    pub title: String,
    pub options: Vec<ChoiceOption>,
}

/// What a person can do on a page.
#[derive(Debug, Clone)]
pub struct ActSpec {
    pub id: String,
    pub title: String,
    pub help: String,
    pub rows: ActRows,
    /// Shown before it is done, where it cannot be taken back easily.
    pub confirm: Option<String>,
    pub values: Vec<InputSpec>,
}

/// How many rows an act is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ActRows {
    None,
    One,
    /// One or more.
    Some,
}

impl ActRows {
    /// Whether so many rows will do.
    pub fn fits(self, amount: usize) -> bool {
        match self {
            Self::None => amount == 0,
            Self::One => amount == 1,
            Self::Some => amount > 0,
        }
    }
}

/// Rows that a run leaves behind.
#[derive(Debug, Clone)]
pub struct ReportSpec {
    pub id: String,
    pub title: String,
    pub columns: Columns,
    /// By the values of columns, whose titles are the keys.
    pub filters: Vec<FilterSpec>,
    pub chart: Option<ChartSpec>,
}
