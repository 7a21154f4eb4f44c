//! What is told when: a pure function of what was seen and told before, what is seen now, and the time.
//!
//! A trouble is told once it has lasted for as long as its kind is given, then at most every few hours together with all others that
//! last, and once when it is over. Beware: one that comes and goes would be told with every turn; what was over is not told again
//! before that time has passed either.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

/// The time from telling of a trouble to telling of it again.
pub const DIGEST: TimeDelta = TimeDelta::hours(6);

/// The time from telling of held records to telling of more.
pub const HELD: TimeDelta = TimeDelta::hours(24);

/// A longer time in which no host looked is told.
const AWAY: TimeDelta = TimeDelta::hours(1);

/// What can be wrong with an installation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// The newest runs of a job failed.
    Failing,
    /// A job is due, or was given its turn, and no run began.
    NotStarted,
    /// No scheduled job came to its end for a day, though none fails.
    NothingDone,
}

impl Kind {
    /// How long it must last to be worth telling.
    fn patience(self) -> TimeDelta {
        match self {
            Self::Failing => TimeDelta::zero(),
            Self::NotStarted => TimeDelta::minutes(10),
            Self::NothingDone => TimeDelta::hours(1),
        }
    }
}

/// Something that is wrong now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Incident {
    pub kind: Kind,
    pub installation: String,
    /// Empty: the installation as a whole.
    pub job: String,
    /// What people call the job.
    pub title: String,
    pub since: DateTime<Utc>,
    /// Runs that failed.
    pub times: u64,
    /// The newest of them.
    pub run: Option<i64>,
    pub code: String,
    /// What happened, and what cures it.
    pub message: String,
    /// IANA name of the time zone in which the installation's people read.
    pub zone: String,
}

/// What names a trouble as long as it lasts.
type Key = (String, Kind, String);

impl Incident {
    fn key(&self) -> Key {
        (self.installation.clone(), self.kind, self.job.clone())
    }
}

/// Records that need a person since it was last told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Held {
    pub installation: String,
    pub groups: Vec<HeldGroup>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeldGroup {
    pub entity: String,
    pub code: String,
    pub records: u64,
    pub message: String,
}

/// A piece of news.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "news", rename_all = "kebab-case")]
pub enum News {
    Began(Incident),
    Lasts(Incident),
    Ended {
        // The word that stored messages have.
        #[serde(rename = "trouble")]
        incident: Incident,
        at: DateTime<Utc>,
    },
    Held(Held),
    Away {
        from: DateTime<Utc>,
        until: DateTime<Utc>,
    },
    /// Somebody wants to know whether messages come.
    Test,
}

impl News {
    /// The installation that it is about; `None`: the host.
    pub fn installation(&self) -> Option<&str> {
        match self {
            Self::Began(incident) | Self::Lasts(incident) | Self::Ended { incident, .. } => {
                Some(&incident.installation)
            }
            Self::Held(held) => Some(&held.installation),
            Self::Away { .. } | Self::Test => None,
        }
    }
}

/// What is seen of an installation.
#[derive(Debug, Clone, Default)]
pub struct Seen {
    pub installation: String,
    /// Something is to run by itself.
    pub scheduled: bool,
    pub incidents: Vec<Incident>,
    /// The newest activity, and what was held since the one that [`Past::marks`] names; `None`: it is not the time to tell.
    pub held: Option<(i64, Vec<HeldGroup>)>,
}

/// What was seen and told so far.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Past {
    looked_at: Option<DateTime<Utc>>,
    known: Vec<Known>,
    /// By installation.
    marks: BTreeMap<String, Mark>,
}

/// An incident that is seen or was told of lately.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Known {
    #[serde(rename = "trouble")]
    incident: Incident,
    /// Since when it is seen without a break; `None`: it is over.
    seen_since: Option<DateTime<Utc>>,
    /// When it was told of last, and whether as something that is wrong.
    told: Option<(DateTime<Utc>, bool)>,
}

/// How far held records were told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Mark {
    activity: i64,
    told_at: Option<DateTime<Utc>>,
}

impl Past {
    /// Whether the installation was looked at before.
    pub fn knows(&self, installation: &str) -> bool {
        self.marks.contains_key(installation)
    }

    /// The activity after which held records are news; `None`: it is too early for more.
    pub fn held_after(&self, installation: &str, now: DateTime<Utc>) -> Option<i64> {
        let mark = self.marks.get(installation)?;
        let is_time = mark.told_at.is_none_or(|told| now - told >= HELD);
        is_time.then_some(mark.activity)
    }

    /// What is known by now, and what is to be told.
    #[must_use]
    pub fn go_on(mut self, seen: Vec<Seen>, now: DateTime<Utc>) -> (Self, Vec<News>) {
        let mut news = Vec::new();
        if let Some(from) = self.looked_at.filter(|from| now - *from > AWAY)
            && seen.iter().any(|seen| seen.scheduled)
        {
            news.push(News::Away { from, until: now });
        }
        let is_there = |name: &str| seen.iter().any(|seen| seen.installation == name);
        self.known
            .retain(|known| is_there(&known.incident.installation));
        self.marks.retain(|name, _| is_there(name));

        let mut present: BTreeMap<Key, Incident> = seen
            .iter()
            .flat_map(|seen| &seen.incidents)
            .map(|incident| (incident.key(), incident.clone()))
            .collect();
        for known in &mut self.known {
            match present.remove(&known.incident.key()) {
                Some(incident) => {
                    known.incident = incident;
                    known.seen_since.get_or_insert(now);
                }
                None => {
                    known.seen_since = None;
                    if let Some((told, true)) = known.told {
                        known.told = Some((now.max(told), false));
                        news.push(News::Ended {
                            incident: known.incident.clone(),
                            at: now,
                        });
                    }
                }
            }
        }
        self.known
            .extend(present.into_values().map(|incident| Known {
                incident,
                seen_since: Some(now),
                told: None,
            }));
        self.known.retain(|known| {
            known.seen_since.is_some() || known.told.is_some_and(|told| !is_old(told, now))
        });
        let digest_is_due = self.known.iter().any(|known| {
            known.seen_since.is_some() && known.told.is_some_and(|told| told.1 && is_old(told, now))
        });
        for known in &mut self.known {
            let Some(seen_since) = known.seen_since else {
                continue;
            };
            let one = match known.told {
                Some((_, true)) if digest_is_due => News::Lasts(known.incident.clone()),
                Some((_, true)) => continue,
                Some(told) if !is_old(told, now) => continue,
                _ if now - seen_since < known.incident.kind.patience() => continue,
                _ => News::Began(known.incident.clone()),
            };
            known.told = Some((now, true));
            news.push(one);
        }
        for seen in seen {
            news.extend(self.held(seen, now));
        }
        self.looked_at = Some(now);
        (self, news)
    }

    fn held(&mut self, seen: Seen, now: DateTime<Utc>) -> Option<News> {
        let (newest, groups) = seen.held?;
        let told_before = self
            .marks
            .get(&seen.installation)
            .and_then(|mark| mark.told_at);
        let mark = Mark {
            activity: newest,
            told_at: if groups.is_empty() {
                told_before
            } else {
                Some(now)
            },
        };
        self.marks.insert(seen.installation.clone(), mark);
        let installation = seen.installation;
        (!groups.is_empty()).then_some(News::Held(Held {
            installation,
            groups,
        }))
    }
}

fn is_old((told, _): (DateTime<Utc>, bool), now: DateTime<Utc>) -> bool {
    now - told >= DIGEST
}

#[cfg(test)]
mod tests;
