//! What a host lends the add-on: HTTP, storage and the run that it is part of, as one trait.
//!
//! The trait mirrors the contract in `wit/` call by call; the meaning of every field is documented there. Tests implement it
//! natively, the component implements it over its imports.

/// A name and a value.
pub type Pair = (String, String);

/// Why something did not work; `code` for programs, `message` for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    pub code: String,
    pub message: String,
    /// Seconds since the Unix epoch: trying again earlier is useless.
    pub retry_at: Option<u64>,
    pub more: Vec<Pair>,
}

impl Failure {
    pub fn new(code: &str, message: impl Into<String>) -> Self {
        Self {
            code: code.to_owned(),
            message: message.into(),
            retry_at: None,
            more: Vec::new(),
        }
    }

    /// What a service said about one of its paths; of others it says nothing.
    pub fn about(path: &str, code: &str, message: impl Into<String>) -> Self {
        Self::new(code, message).on_path(path)
    }

    /// The same, of one path alone.
    pub fn on_path(mut self, path: &str) -> Self {
        self.more.push((PATH.to_owned(), path.to_owned()));
        self
    }

    /// The path that it is about, if it is about one alone.
    pub fn path(&self) -> Option<&str> {
        let path = self.more.iter().find(|(name, _)| name == PATH);
        path.map(|(_, path)| path.as_str())
    }
}

/// In what a failure has more to say.
const PATH: &str = "path";

/// Whether a request may change the other side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    Read,
    Write,
}

impl Effect {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// A connection of the manifest: `splynx` or `sage`.
    pub connection: &'static str,
    pub effect: Effect,
    pub method: &'static str,
    /// Relative to the connection's base address.
    pub path: String,
    pub query: Vec<Pair>,
    pub headers: Vec<Pair>,
    /// Empty: no body.
    pub body: String,
    /// `low`, `high`, or empty.
    pub priority: &'static str,
}

impl Request {
    /// As the contract's options.
    pub fn options(&self) -> Vec<Pair> {
        let priority = ("priority".to_owned(), self.priority.to_owned());
        Vec::from_iter((!self.priority.is_empty()).then_some(priority))
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    pub status: u16,
    /// Names in lower case.
    pub headers: Vec<Pair>,
    pub body: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unanswered {
    /// True: the other side may have acted on it.
    pub maybe_sent: bool,
    pub reason: Failure,
}

/// What became of one request.
pub type Answer = Result<Response, Unanswered>;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    pub key: String,
    pub value: String,
}

/// A key to set, or (no value) to delete; as an expectation: what must still stand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    pub table: &'static str,
    pub key: String,
    pub value: Option<String>,
}

/// What happened to one record, for the log that people read.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Activity {
    pub entity: String,
    pub action: String,
    pub local_id: String,
    pub remote_id: String,
    pub customer_id: String,
    pub label: String,
    pub code: String,
    pub message: String,
    pub more: Vec<Pair>,
}

/// A row that people read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    pub id: String,
    pub cells: Vec<String>,
    pub more: Vec<Pair>,
}

/// The only way out of the domain. See `wit/` for what each call promises.
pub trait Capabilities {
    fn send(&mut self, requests: Vec<Request>) -> Vec<Answer>;

    fn get(&mut self, table: &str, keys: &[String]) -> Result<Vec<Entry>, Failure>;
    fn scan(
        &mut self,
        table: &str,
        prefix: &str,
        after: &str,
        limit: u32,
    ) -> Result<Vec<Entry>, Failure>;
    fn commit(
        &mut self,
        expect: Vec<Change>,
        changes: Vec<Change>,
        activities: Vec<Activity>,
    ) -> Result<(), Failure>;

    fn settings(&mut self) -> Vec<Pair>;
    fn set_fetched(&mut self, key: &str, value: &str) -> Result<(), Failure>;
    fn context(&mut self) -> Vec<Pair>;
    /// Seconds since the Unix epoch.
    fn now(&mut self) -> u64;
    fn log(&mut self, level: &str, message: &str);
    /// False: a person asked to stop, or the time is up.
    fn progress(&mut self, stage: &str, done: u64, total: u64) -> bool;
    fn report(&mut self, kind: &str, rows: Vec<Row>) -> Result<(), Failure>;
}
