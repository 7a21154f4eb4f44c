//! A file of answers: what the services were found to do, fact by fact, beside what the add-on assumes of them.
//!
//! Whoever asked wrote the file, and all of it is in there: the host knows no fact of any service.

use serde_json::Value;
use thiserror::Error;

/// The version of the file.
const FORMAT: u64 = 1;

/// What a file of answers says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answers {
    /// The day on which the services were asked, in UTC.
    pub asked_on: String,
    /// The version of the add-on whose assumptions these are.
    pub version: String,
    /// Facts that are otherwise, by service and id.
    pub differing: Vec<Differing>,
    /// How many facts are as assumed.
    pub as_assumed: usize,
    /// Of how many no answer tells.
    pub not_told: usize,
}

/// A fact that differs from what the add-on assumes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Differing {
    pub service: String,
    /// The fact's id in the add-on's references.
    pub fact: String,
    pub assumed: String,
    pub answer: String,
}

#[derive(Debug, Error)]
pub enum FactsError {
    #[error("it is no file of answers as `sandbox verify -o FILE` writes it: {0}")]
    NoAnswers(String),
    #[error("its format is {0}, and this host reads {FORMAT}")]
    Format(String),
}

impl Answers {
    /// Reads a file of answers.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str) -> Result<Self, FactsError> {
        let file: Value =
            serde_json::from_str(text).map_err(|error| FactsError::NoAnswers(error.to_string()))?;
        let format = file.get("format").ok_or_else(|| lacks("format"))?;
        if format.as_u64() != Some(FORMAT) {
            return Err(FactsError::Format(format.to_string()));
        }
        let mut answers = Self {
            asked_on: text_of(&file, "asked_on")?,
            version: text_of(&file, "version")?,
            differing: Vec::new(),
            as_assumed: 0,
            not_told: 0,
        };
        for (service, asked) in file.as_object().into_iter().flatten() {
            let facts = asked.get("facts").and_then(Value::as_object);
            for (fact, said) in facts.into_iter().flatten() {
                answers.take(service, fact, said)?;
            }
        }
        match answers.differing.len() + answers.as_assumed + answers.not_told {
            0 => Err(lacks("facts")),
            _ => Ok(answers),
        }
    }

    fn take(&mut self, service: &str, fact: &str, said: &Value) -> Result<(), FactsError> {
        match text_of(said, "verdict")?.as_str() {
            "as-assumed" => self.as_assumed += 1,
            "not-told" => self.not_told += 1,
            "otherwise" => self.differing.push(Differing {
                service: service.to_owned(),
                fact: fact.to_owned(),
                assumed: text_of(said, "assumed")?,
                answer: text_of(said, "answer")?,
            }),
            verdict => {
                let said = format!("the verdict `{verdict}` of {fact} is none");
                return Err(FactsError::NoAnswers(said));
            }
        }
        Ok(())
    }
}

fn text_of(value: &Value, key: &str) -> Result<String, FactsError> {
    let text = value.get(key).and_then(Value::as_str);
    text.map(str::to_owned).ok_or_else(|| lacks(key))
}

fn lacks(key: &str) -> FactsError {
    FactsError::NoAnswers(format!("it lacks `{key}`"))
}
