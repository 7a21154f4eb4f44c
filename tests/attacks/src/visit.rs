//! An answer of the host, and whether it is as it should be whatever texts are in it.

use std::collections::BTreeSet;

use crate::page::Page;
use crate::{Field, file, marks};

#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    pub body: String,
}

/// What was asked for, and what came.
pub struct Visit {
    pub what: String,
    pub answer: Answer,
}

/// Of texts that nobody's program reads.
const ARCHIVE: &str = "application/zip";
const WORKBOOK: &str = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet";

impl Answer {
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(known, _)| known == name)?;
        Some(&found.1)
    }
}

impl Visit {
    /// The answer as a browser takes it, where it is a page.
    pub fn page(&self) -> Option<Page> {
        let kind = self.answer.header("content-type").unwrap_or_default();
        if !kind.starts_with("text/html") {
            return None;
        }
        let body = &self.answer.body;
        Some(match self.what.ends_with("/live") {
            true => Page::parse_part(body),
            false => Page::parse(body),
        })
    }

    /// Whether it is the page at that path, however filtered.
    pub fn is_of(&self, path: &str) -> bool {
        let asked = self.what.strip_prefix("GET ").unwrap_or_default();
        self.answer.status == 200 && asked.split('?').next() == Some(path)
    }

    /// Fields of the services that can be read in it.
    pub fn shows(&self) -> BTreeSet<Field> {
        match self.page() {
            Some(page) => marks(&page.readable()),
            None => marks(&self.answer.body),
        }
    }

    /// What is not as it should be.
    pub fn problems(&self) -> Vec<String> {
        let Answer {
            status,
            headers,
            body,
        } = &self.answer;
        let mut wrong = Vec::new();
        if *status >= 500 && *status != 503 {
            wrong.push(format!("the host is in trouble: {status}"));
        }
        let kind = self.answer.header("content-type").unwrap_or_default();
        match (self.page(), kind.split(';').next().unwrap_or_default()) {
            (Some(page), _) => wrong.extend(page.made_by_texts()),
            (None, "text/csv") => wrong.extend(file::formulas(body)),
            (None, "application/json") => {
                let read = serde_json::from_str::<serde_json::Value>(body);
                wrong.extend(read.err().map(|error| format!("no JSON: {error}")));
            }
            // Compressed: what is in its cells is tested where they are written.
            (None, WORKBOOK | ARCHIVE) => {}
            (None, _) if body.is_empty() => {}
            (None, other) => wrong.push(format!("an answer of the type {other:?}: {body}")),
        }
        for (name, value) in headers {
            let is_said = value.contains(['<', '"', '\'', '\u{202e}']) || value.contains("evil");
            let is_own = name == "content-security-policy"
                || marks(value).is_empty() && value.starts_with("attachment; filename=\"");
            if name == "set-cookie" || is_said && !is_own {
                wrong.push(format!("a header {name}: {value}"));
            }
        }
        wrong
            .into_iter()
            .map(|problem| format!("{}: {problem}", self.what))
            .collect()
    }
}
