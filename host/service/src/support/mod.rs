//! What a person sends to a stranger who is to help: everything that says how an installation stands, and nothing that says whose it is.
//!
//! A bundle is made of parts, each a text with a word on what it is, so that people see what they send before they send it. Every text
//! that is not the host's own goes through the cast of the recordings. Beware: a new part is a new leak; the test plants canaries in
//! everything that an installation keeps and looks for them in all parts.

mod parts;

use serde_json::Value;

/// A file of the bundle.
#[derive(Debug, Clone)]
pub struct Part {
    pub name: String,
    /// What it is, for people.
    pub what: &'static str,
    pub content: String,
}

#[derive(Debug, Clone)]
pub struct Bundle {
    pub parts: Vec<Part>,
}

pub use parts::{Known, parts};

/// The name of the list of parts, within the bundle.
const CONTENTS: &str = "contents.txt";

impl Part {
    fn json(name: &str, what: &'static str, content: &Value) -> Self {
        Self {
            name: name.to_owned(),
            what,
            content: format!("{content:#}\n"),
        }
    }
}

impl Bundle {
    /// A line for each part: its name, its bytes, what it is.
    pub fn contents(&self) -> String {
        let line = |part: &Part| {
            format!(
                "{:<24} {:>9} bytes  {}\n",
                part.name,
                part.content.len(),
                part.what
            )
        };
        self.parts.iter().map(line).collect()
    }

    /// As a zip file.
    pub fn zip(&self) -> Result<Vec<u8>, addon_packages::PackageError> {
        let contents = (CONTENTS, self.contents().into_bytes());
        let parts = self.parts.iter();
        let parts = parts.map(|part| (part.name.as_str(), part.content.clone().into_bytes()));
        addon_packages::archive(&std::iter::once(contents).chain(parts).collect::<Vec<_>>())
    }
}
