//! The file of answers: what `verify` found out, beside what is assumed, without anything that the services hold, and how a stand-in is set
//! by it. Hosts read it too (`host/service/src/facts.rs`), and know nothing of the services: all that they show is in it.

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Asked;
use super::asker::Mode;
use super::findings::Verdict;
use crate::faults::Party;
use crate::{sage, splynx};

/// The version of the file.
const FORMAT: u32 = 1;

/// What was found out, of one service or both.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answers {
    format: u32,
    /// The day, in UTC.
    asked_on: String,
    /// `reading` or `trial`.
    by: String,
    /// The version of the references that say what is assumed; the add-on's of the same number rests on them.
    version: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    splynx: Option<Service>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sage: Option<Service>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Service {
    requests: u32,
    /// The switches whose position is known.
    switches: BTreeMap<String, Value>,
    facts: BTreeMap<String, Said>,
}

/// What is to be said of a fact.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Said {
    assumed: String,
    #[serde(flatten)]
    verdict: Verdict,
}

impl Answers {
    pub fn of(asked: &[Asked], mode: Mode, day: &str) -> Self {
        let service = |wanted| {
            let asked = asked.iter().find(|asked| asked.service == wanted)?;
            let switches = asked.findings.positions().iter();
            let facts = asked.findings.verdicts(wanted).into_iter();
            Some(Service {
                requests: asked.requests,
                switches: switches
                    .map(|(name, position)| ((*name).to_owned(), position.clone()))
                    .collect(),
                facts: facts
                    .map(|(fact, verdict)| {
                        let assumed = fact.text.clone();
                        (fact.id.to_owned(), Said { assumed, verdict })
                    })
                    .collect(),
            })
        };
        Self {
            format: FORMAT,
            asked_on: day.to_owned(),
            by: match mode {
                Mode::Reading => "reading",
                Mode::Trial => "trial",
            }
            .to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            splynx: service(Party::Splynx),
            sage: service(Party::Sage),
        }
    }

    /// Reads a file of answers.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let answers: Self = serde_json::from_str(text).map_err(|error| error.to_string())?;
        if answers.format != FORMAT {
            return Err(format!("its format is {}, not {FORMAT}", answers.format));
        }
        Ok(answers)
    }

    /// Splynx's switches as they were found; those that are not known stay as they are assumed.
    ///
    /// # Errors
    /// A switch that is not there, or a position that it does not have.
    pub fn splynx(&self) -> Result<splynx::Behaviour, String> {
        behaviour(self.splynx.as_ref(), splynx::Behaviour::default())
    }

    /// Sage's switches as they were found, like [`Answers::splynx`].
    ///
    /// # Errors
    /// A switch that is not there, or a position that it does not have.
    pub fn sage(&self) -> Result<sage::Behaviour, String> {
        behaviour(self.sage.as_ref(), sage::Behaviour::default())
    }
}

fn behaviour<T: Serialize + DeserializeOwned>(
    service: Option<&Service>,
    assumed: T,
) -> Result<T, String> {
    let mut fields = serde_json::to_value(assumed).map_err(|error| error.to_string())?;
    let known = service.map(|service| &service.switches);
    for (name, position) in known.into_iter().flatten() {
        let mut place = Some(&mut fields);
        for part in name.split('.') {
            place = place.and_then(|fields| fields.get_mut(part));
        }
        *place.ok_or_else(|| format!("there is no switch {name}"))? = position.clone();
    }
    serde_json::from_value(fields).map_err(|error| error.to_string())
}
