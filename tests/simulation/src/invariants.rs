//! The product's invariants and what watches over each: `invariants.toml`, read.

use serde::Deserialize;

/// The list that stands beside this crate's manifest.
pub const LIST: &str = include_str!("../invariants.toml");

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Invariants {
    pub invariant: Vec<Invariant>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Invariant {
    pub number: u32,
    pub says: String,
    /// Mistakes that can be planted in the add-on, each against it.
    #[serde(default)]
    pub planted: Vec<String>,
    /// Lines that keep it, and what they would be if they did not.
    #[serde(default)]
    pub broken: Vec<Broken>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Broken {
    pub what: String,
    /// From the project's root.
    pub file: String,
    /// Stands there exactly once.
    pub right: String,
    pub wrong: String,
    /// The package and the name of the test that fails then.
    pub package: String,
    pub test: String,
    /// It is code of the component, which the test runs.
    #[serde(default)]
    pub component: bool,
}

impl Invariants {
    /// # Panics
    /// Where the list cannot be read.
    pub fn read() -> Self {
        toml::from_str(LIST).unwrap_or_else(|error| panic!("invariants.toml: {error}"))
    }
}

impl Broken {
    /// The file's text with the line broken.
    ///
    /// # Errors
    /// Where the right text does not stand there exactly once.
    pub fn broken(&self, text: &str) -> Result<String, String> {
        match text.matches(&self.right).count() {
            1 => Ok(text.replacen(&self.right, &self.wrong, 1)),
            count => Err(format!(
                "{}: {:?} stands there {count} times, and should once",
                self.file, self.right
            )),
        }
    }
}
