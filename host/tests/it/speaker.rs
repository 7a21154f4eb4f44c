//! A guest that says what a test puts into its mouth: every text that the contract lets a guest hand to its host comes from one
//! function of the test.
//!
//! All of it is laid out in the guest's memory beforehand, as the canonical ABI has it, so that the module only hands out
//! addresses. Which job does what is told by its first letter: `l` goes on until it is stopped, `e` fails, `p` pauses, `c` ends in a
//! state that there is not; all others finish.

use crate::guest::built;

/// Where what is laid out begins. Below is room for the answers of imports.
const BASE: u32 = 1024;

/// An address, and a length or a number of records.
type Span = [u32; 2];

/// A report that it writes, as the manifest has it.
pub struct Report {
    pub kind: &'static str,
    pub columns: usize,
    /// Cells in front that are texts; a chart wants numbers behind them.
    pub texts: usize,
}

/// What the guest is made of.
pub struct Speaker<'s> {
    /// Asked for each text: what it is, as the contract names it, and how often that was asked for.
    say: &'s mut dyn FnMut(&str, usize) -> String,
    /// How many of everything there are.
    times: usize,
    reports: &'s [Report],
    /// Name of the setting that it fetches.
    fetched: &'s str,
    bytes: Vec<u8>,
}

/// Cells of a page's row: more than any page has columns, of which a chart's have this many texts in front.
const CELLS: usize = 12;
const CHART_TEXTS: usize = 2;

impl<'s> Speaker<'s> {
    pub fn new(
        say: &'s mut dyn FnMut(&str, usize) -> String,
        times: usize,
        reports: &'s [Report],
        fetched: &'s str,
    ) -> Self {
        let bytes = Vec::new();
        Self {
            say,
            times,
            reports,
            fetched,
            bytes,
        }
    }

    /// The component.
    pub fn component(mut self) -> Vec<u8> {
        let parts = [
            ("CHECK", self.ok(Self::findings)),
            ("CHOICES", self.ok(|speaker| speaker.pairs("choices"))),
            ("CHARTED", self.rows(CHART_TEXTS)),
            ("VIEW", self.rows(CELLS)),
            (
                "DONE",
                self.ok(|speaker| speaker.text("answer of an act", 0)),
            ),
            ("REFUSED", self.failed("refused act")),
            ("FAILED", self.failed("failed job")),
            ("FINISHED", self.outcome(Some("finished"))),
            ("STOPPED", self.outcome(Some("stopped"))),
            ("PAUSED", self.outcome(Some("paused"))),
            ("STRANGE", self.outcome(None)),
        ];
        let acting = self.acting();
        let mut module = include_str!("speaker.wat").replace(";; ACTING", &acting);
        for (name, at) in parts {
            module = module.replace(&format!("${name}"), &format!("(i32.const {at})"));
        }
        let data: String = self
            .bytes
            .iter()
            .map(|byte| format!("\\{byte:02x}"))
            .collect();
        let end = BASE as usize + self.bytes.len();
        module = module
            .replace(";; DATA", &format!("(data (i32.const {BASE}) \"{data}\")"))
            .replace("$PAGES", &(end / 65_536 + 16).to_string())
            .replace("$HEAP", &end.next_multiple_of(8).to_string());
        built(&module)
    }

    fn put(&mut self, bytes: &[u8]) -> u32 {
        let place = self.bytes.len().next_multiple_of(8);
        self.bytes.resize(place, 0);
        self.bytes.extend_from_slice(bytes);
        BASE + u32::try_from(place).unwrap()
    }

    fn words(&mut self, words: &[u32]) -> u32 {
        let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
        self.put(&bytes)
    }

    /// A text of the program's own.
    fn plain(&mut self, text: &str) -> Span {
        [
            self.put(text.as_bytes()),
            u32::try_from(text.len()).unwrap(),
        ]
    }

    fn text(&mut self, what: &str, time: usize) -> Span {
        let text = (self.say)(what, time);
        self.plain(&text)
    }

    fn texts(&mut self, whats: &[String], time: usize) -> Vec<u32> {
        whats
            .iter()
            .flat_map(|what| self.text(what, time))
            .collect()
    }

    /// So many records as there are times, each made anew.
    fn list(&mut self, mut one: impl FnMut(&mut Self, usize) -> Vec<u32>) -> Span {
        let records: Vec<u32> = (0..self.times).flat_map(|time| one(self, time)).collect();
        [self.words(&records), u32::try_from(self.times).unwrap()]
    }

    fn pairs(&mut self, of: &str) -> Span {
        let whats = [format!("{of}: name"), format!("{of}: value")];
        self.list(|speaker, time| speaker.texts(&whats, time))
    }

    fn findings(&mut self) -> Span {
        let whats = ["code", "severity", "message", "cure", "field"];
        let whats = whats.map(|what| format!("finding: {what}"));
        let more = self.pairs("finding: more");
        self.list(|speaker, time| [speaker.texts(&whats, time), more.to_vec()].concat())
    }

    fn activities(&mut self) -> Span {
        let whats = [
            "entity",
            "action",
            "local-id",
            "remote-id",
            "customer-id",
            "label",
            "code",
            "message",
        ];
        let whats = whats.map(|what| format!("activity: {what}"));
        let more = self.pairs("activity: more");
        self.list(|speaker, time| [speaker.texts(&whats, time), more.to_vec()].concat())
    }

    /// Ids, cells, the customer. The first cells are texts, the others numbers.
    fn row_list(&mut self, of: &str, columns: usize, texts: usize) -> Span {
        let customer = self.plain("customer-id");
        self.list(|speaker, time| {
            let id = speaker.text(&format!("{of}: id"), time);
            let cells: Vec<u32> = (0..columns)
                .flat_map(|place| match place < texts {
                    true => speaker.text(&format!("{of}: cell"), time + place),
                    false => speaker.plain(&format!("{place}.50")),
                })
                .collect();
            let cells = [speaker.words(&cells), u32::try_from(columns).unwrap()];
            let whose = speaker.text(&format!("{of}: customer-id"), time);
            let more = [speaker.words(&[customer, whose].concat()), 1];
            [id, cells, more].concat()
        })
    }

    fn rows(&mut self, texts: usize) -> u32 {
        let rows = self.row_list("page row", CELLS, texts);
        let next = self.text("page: next", 0);
        let more = self.pairs("page: more");
        self.words(&[&[0, 0][..], &rows, &next, &more].concat())
    }

    /// A result that is well, with a list or a text.
    fn ok(&mut self, of: impl FnOnce(&mut Self) -> Span) -> u32 {
        let span = of(self);
        self.words(&[&[0, 0][..], &span].concat())
    }

    /// The words of a failure; it may be tried again in a distant year.
    fn failure(&mut self, of: &str) -> Vec<u32> {
        let code = self.text(&format!("{of}: code"), 0);
        let message = self.text(&format!("{of}: message"), 1);
        let more = self.pairs(&format!("{of}: more"));
        [&code[..], &message, &[1, 0, u32::MAX, 0], &more].concat()
    }

    fn failed(&mut self, of: &str) -> u32 {
        let failure = self.failure(of);
        self.words(&[&[1, 0][..], &failure].concat())
    }

    /// `None`: a state that the test says.
    fn outcome(&mut self, state: Option<&str>) -> u32 {
        let state = match state {
            Some(state) => self.plain(state),
            None => self.text("outcome: state", 0),
        };
        let why = self.failure("outcome: why");
        let name = "outcome: count".to_owned();
        let counts = self.list(|speaker, time| {
            [speaker.texts(std::slice::from_ref(&name), time), vec![7, 0]].concat()
        });
        let more = self.pairs("outcome: more");
        let head = [&[0, 0][..], &state, &[1, 0, u32::MAX, 0], &[1, 0]].concat();
        self.words(&[&head[..], &why, &counts, &more].concat())
    }

    /// What every job does before it ends.
    fn acting(&mut self) -> String {
        let mut calls = Vec::new();
        let mut call = |name: &str, words: &[u32], rest: &str| {
            let words: String = words
                .iter()
                .map(|word| format!(" (i32.const {word})"))
                .collect();
            calls.push(format!("(call ${name}{words}{rest})"));
        };
        for time in 0..self.times {
            let (level, line) = (
                self.text("log: level", time),
                self.text("log: message", time),
            );
            call("log", &[level, line].concat(), "");
            let known = self.plain("warn");
            call("log", &[known, line].concat(), "");
        }
        for report in self.reports {
            let rows = self.row_list("report row", report.columns, report.texts);
            let kind = self.plain(report.kind);
            call("report", &[kind, rows].concat(), " (i32.const 64)");
        }
        let activities = self.activities();
        call(
            "commit",
            &[[0, 0], [0, 0], activities].concat(),
            " (i32.const 64)",
        );
        let (key, value) = (self.plain(self.fetched), self.text("fetched setting", 0));
        call("fetched", &[key, value].concat(), " (i32.const 64)");
        let stage = self.text("stage", 1);
        let [at, length] = stage;
        calls.push(format!(
            "(global.set $stage (i32.const {at})) (global.set $length (i32.const {length}))"
        ));
        calls.join("\n")
    }
}
