//! Whether an object in Sage is a record's own, and what follows: adopted, or held with the cure.
//!
//! Never by one trait alone: a key, a name or a number finds an object; customer, date, total and the rest must agree before it is
//! taken for ours.

use crate::collect::Map;
use crate::mark::{self, Sign};
use crate::planted::{Mistake, is_planted};
use crate::sage::{DocumentLikeness, Found, MatchKey, Service, fold};
use crate::settings::Settings;
use crate::write::ledger::{Run, RunResult, activity};
use crate::write::record::{Batch, Kind, REMOTE, Reason, Record, RecordKey, Remote, State, Stored};
use crate::write::remote::{self, Question, Survey, Way};

/// Held because what bears the record's mark is not as it was made, or not it.
pub const DIFFERS: &str = "differs-in-sage";

/// Held because something in Sage may be the record.
pub const POSSIBLE_DUPLICATE: &str = "possible-duplicate";

/// A record that Sage may have already, as it would be (or was) sent.
pub struct Suspect<'l> {
    pub key: RecordKey,
    /// The key in its marks ([`RecordKey::marked`]).
    pub marked: RecordKey,
    pub service: Service,
    pub likeness: &'l MatchKey,
    /// A person has looked at what bears its mark, and wants it sent all the same.
    pub is_vouched: bool,
}

impl Suspect<'_> {
    /// Where in the index the record would collide with something: its marks first, its name or number then.
    pub fn ways(&self, settings: &Settings) -> Vec<Way> {
        match self.likeness {
            MatchKey::Customer(customer) => vec![remote::by_name(self.service, &customer.name)],
            MatchKey::Allocation(allocation) => {
                vec![remote::by_pair(allocation.source, allocation.target)]
            }
            MatchKey::Document(document) => {
                let mut ways = ways_of_marks(settings, self.marked, self.service);
                // What was sent before an address or a tag was changed bears what was its mark then.
                let sent = mark::marks_in(&document.reference);
                ways.extend(sent.iter().map(|mark| remote::by_mark(self.service, mark)));
                if !document.number.is_empty() {
                    ways.push(remote::by_name(self.service, &document.number));
                }
                ways
            }
        }
    }

    fn question(&self, settings: &Settings) -> Question {
        Question {
            service: self.service,
            ways: self.ways(settings),
            own: None,
        }
    }
}

/// Whether a person has looked at what may be the record, and wants it sent all the same.
pub fn is_vouched(record: &Record) -> bool {
    let code = record.reason.code.as_str();
    record.is_retried() && [DIFFERS, POSSIBLE_DUPLICATE].contains(&code)
}

/// Where a record's document is found by its mark, which names this key.
pub fn ways_of_marks(settings: &Settings, key: RecordKey, service: Service) -> Vec<Way> {
    let marks = settings.identity.marks(key);
    let ways = marks.iter().map(|mark| remote::by_mark(service, mark));
    ways.collect()
}

/// Looks for records in Sage, as it is now: the verdict on each; `None`: Sage has nothing that could be it.
pub fn look_up(run: &mut Run, suspects: &[Suspect]) -> RunResult<Vec<Option<Verdict>>> {
    let settings = run.settings.clone();
    let questions: Vec<Question> = suspects.iter().map(|s| s.question(&settings)).collect();
    let survey = remote::survey(run, &questions)?;
    let verdicts = suspects.iter().map(|suspect| {
        let ways = suspect.ways(&settings);
        judge(&settings, suspect, &survey, &ways)
    });
    Ok(verdicts.collect())
}

/// Whether an object found in Sage is the record's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    Ours {
        remote: Remote,
        /// As it is there; `None`: it was not looked at.
        likeness: Option<MatchKey>,
        /// Sage may have allocated some of it before we did.
        allocated: bool,
    },
    NotOurs(Reason),
}

impl Verdict {
    /// Of a record that is paired, or is to be.
    pub fn ours(service: Service, found: &Found) -> Self {
        Self::Ours {
            remote: Remote {
                service,
                id: found.id,
            },
            likeness: Some(found.likeness.clone()),
            allocated: match &found.likeness {
                MatchKey::Document(document) => document.rest != Some(document.total),
                MatchKey::Customer(_) | MatchKey::Allocation(_) => false,
            },
        }
    }
}

/// What an object has to do with a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Tie {
    /// It, or what it was copied from, was made for the record.
    Mark,
    /// It ends as earlier versions' marks do.
    OldMark,
    Number,
    /// Its reference is the record's number, as other add-ons write it.
    Loose,
}

/// What of all that was found on the record's ways is its own: where several agree, the oldest, since copies come later. `None`: there is
/// nothing that could be it.
pub fn judge(
    settings: &Settings,
    suspect: &Suspect,
    survey: &Survey,
    ways: &[Way],
) -> Option<Verdict> {
    let Suspect {
        key,
        marked,
        service,
        likeness,
        is_vouched,
    } = suspect;
    let mut found: Vec<(Tie, &Found)> = survey
        .on(ways)
        .into_iter()
        .map(|found| (tie(settings, *marked, likeness, found), found))
        .collect();
    found.sort_by_key(|(tie, found)| (*tie, found.id));
    let is_free = |found: &Found| {
        let owner = survey.owner(*service, found.id);
        // Of what came from Sage nobody has said that it is no payment of Splynx's.
        owner.is_none_or(|owner| owner == *key || owner.kind == Kind::Receipt)
    };
    let agrees = |found: &Found| {
        is_planted(Mistake::AdoptedByNumber) || likeness.differences(&found.likeness).is_empty()
    };
    // What is listed as money from Sage is a record of its own until a person joins the two.
    let is_listed = |found: &Found| {
        let owner = survey.owner(*service, found.id);
        owner.is_some_and(|owner| owner.kind == Kind::Receipt)
    };
    let own = found.iter().find(|(tie, found)| {
        agrees(found) && (*tie == Tie::Number || is_free(found)) && !is_listed(found)
    });
    if let Some((_, own)) = own {
        return Some(Verdict::ours(*service, own));
    }
    let blamed = found.iter().find(|(tie, found)| match tie {
        // Whatever a person says of it, Sage takes no second one of its number.
        Tie::Mark | Tie::OldMark if *is_vouched => takes_number(likeness, found),
        Tie::Mark => is_free(found),
        Tie::OldMark => {
            let is_alike = is_alike(likeness, &found.likeness) || is_planted(Mistake::LooksProve);
            is_free(found) && is_alike
        }
        Tie::Number => true,
        Tie::Loose => {
            let differences = likeness.differences(&found.likeness);
            is_free(found) && !is_vouched && differences.len() <= 1
        }
    });
    let (tie, found) = blamed?;
    let what = match likeness.differences(&found.likeness).join(", ") {
        nothing if nothing.is_empty() => "is listed as money that came from Sage".to_owned(),
        what => format!("differs in {what}"),
    };
    let is_in_the_way = takes_number(likeness, found);
    Some(Verdict::NotOurs(reason(
        settings,
        *service,
        *tie,
        found,
        &what,
        is_in_the_way,
    )))
}

fn tie(settings: &Settings, marked: RecordKey, likeness: &MatchKey, found: &Found) -> Tie {
    let (MatchKey::Document(own), MatchKey::Document(there)) = (likeness, &found.likeness) else {
        // A name, or the two ends of an allocation, are like a number: there is one at most.
        return Tie::Number;
    };
    let marks = settings.identity.marks(marked);
    let sent = mark::marks_in(&own.reference);
    let is_own = |mark: &&String| marks.contains(*mark) || sent.contains(*mark);
    let borne = mark::marks_in(&there.reference);
    match borne.iter().find(is_own) {
        Some(_) if mark::is_made(&there.reference) => Tie::Mark,
        Some(_) => Tie::OldMark,
        None if has_number_of(own, there) => Tie::Number,
        None => Tie::Loose,
    }
}

/// Whether the number that a document would be sent with is this one's.
fn takes_number(own: &MatchKey, found: &Found) -> bool {
    match (own, &found.likeness) {
        (MatchKey::Document(own), MatchKey::Document(there)) => has_number_of(own, there),
        _ => false,
    }
}

fn has_number_of(own: &DocumentLikeness, there: &DocumentLikeness) -> bool {
    !own.number.is_empty() && fold(&own.number) == fold(&there.number)
}

/// An earlier version may have made it, and somebody changed it on either side: the same customer, and the same day or amount.
fn is_alike(own: &MatchKey, there: &MatchKey) -> bool {
    let differences = own.differences(there);
    let differs = |what| differences.contains(&what);
    !(differs("customer") || differs("date") && differs("total"))
}

/// Where each of some records finds whatever looks like it and was made by no installation.
pub type Money = Map<RecordKey, (Service, Way)>;

/// What looks like a record without being known for it: of the same customer, day and amount, and no record's. What an earlier version's key
/// gives to another of these records is that one's.
pub fn lookalikes(settings: &Settings, survey: &Survey, money: &Money, of: RecordKey) -> Vec<i64> {
    let on = |key: RecordKey| {
        let (_, way) = money.get(&key)?;
        Some(survey.on(std::slice::from_ref(way)))
    };
    let Some((service, _)) = money.get(&of) else {
        return Vec::new();
    };
    let is_anothers = |found: &Found| {
        let MatchKey::Document(document) = &found.likeness else {
            return false;
        };
        settings
            .identity
            .signs(&document.reference)
            .iter()
            .any(|sign| match sign {
                Sign::Old(key) if *key != of => {
                    on(*key).is_some_and(|theirs| theirs.iter().any(|other| other.id == found.id))
                }
                _ => false,
            })
    };
    let found = on(of).unwrap_or_default().into_iter();
    found
        .filter(|found| survey.owner(*service, found.id).is_none() && !is_anothers(found))
        .map(|found| found.id)
        .collect()
}

/// Why what was found is not simply the record's; `what`: speaks against it. `is_in_the_way`: it has the record's number.
fn reason(
    settings: &Settings,
    service: Service,
    tie: Tie,
    found: &Found,
    what: &str,
    is_in_the_way: bool,
) -> Reason {
    let id = found.id;
    let title = service.title();
    match &found.likeness {
        MatchKey::Customer(customer) => Reason::new(
            "name-taken",
            format!(
                "Sage already has a customer named {:?} (id {id}), and it {what}.",
                customer.name
            ),
            "Pair the two on the page Pairing if they are the same customer; else put {id} or {login} into the \"Name pattern\", or switch \"Make names unique\" on.",
        )
        .until_setting("customer_name_pattern")
        .until_setting("make_names_unique"),
        MatchKey::Allocation(_) => Reason::new(
            "allocated-otherwise",
            format!("Sage has allocated it already (id {id}), and there it {what}."),
            "Correct the allocation in Sage, then mark this one as done.",
        ),
        MatchKey::Document(document) => match tie {
            Tie::Mark | Tie::OldMark => Reason::new(
                DIFFERS,
                format!(
                    "A {title} in Sage (id {id}) bears its key and {what}: somebody changed it, or copied it from this one."
                ),
                if is_in_the_way {
                    format!(
                        "Look at the {title} in Sage. If it is this record's, link the two in the outbox. If not, it has the record's number: delete it there or give it another number, or this one in Splynx; then retry: that sends the record anew."
                    )
                } else {
                    format!(
                        "Look at the {title} in Sage. If it is this record's, link the two in the outbox; if not, retry: that sends the record anew."
                    )
                },
            ),
            // Another record can have the number: a credit note that of an invoice with a negative total.
            Tie::Loose => Reason::new(
                POSSIBLE_DUPLICATE,
                format!(
                    "Sage has a {title} whose reference is its number (id {id}), and it {what}."
                ),
                format!(
                    "Look at the {title} in Sage. If it is the same, link the two in the outbox; if not, retry: that sends it."
                ),
            ),
            Tie::Number => Reason::new(
                "number-taken",
                format!(
                    "Sage already has a {title} number {} (id {id}), and it {what}.",
                    document.number
                ),
                cure_of_taken(settings, &document.reference),
            ),
        },
    }
}

/// What to do about a number that another document has: only what this installation has made may be deleted for it.
fn cure_of_taken(settings: &Settings, reference: &str) -> &'static str {
    let signs = settings.identity.signs(reference);
    if signs.iter().any(|sign| matches!(sign, Sign::Ours(_))) {
        "Was it made for the same document, before that was deleted in Splynx and made again? Delete the document in Sage, then retry. If it was not, or that is impossible, give this one a new number in Splynx."
    } else {
        "Leave that document as it is: this add-on did not make it. If the two are the same, link them in the outbox; if not, give this one a new number in Splynx."
    }
}

/// Pairs the record with what was found, or holds it; an object belongs to one record only.
pub fn adopt_or_hold(
    run: &mut Run,
    batch: &mut Batch,
    key: RecordKey,
    old: &Stored,
    record: &Record,
    verdict: Verdict,
) -> RunResult<()> {
    let blank = Record {
        state: State::Held,
        remote: None,
        seen: None,
        sent: Vec::new(),
        intent: None,
        failures: 0,
        allocated_in_sage: true,
        ..record.clone()
    };
    let mut new = match verdict {
        Verdict::Ours {
            remote,
            likeness,
            allocated,
        } => Record {
            state: State::Synced,
            reason: Reason::default(),
            remote: Some(remote),
            seen: likeness.or_else(|| record.seen.clone()),
            sent: Vec::new(),
            allocated_in_sage: allocated,
            ..blank
        },
        Verdict::NotOurs(reason) => Record { reason, ..blank },
    };
    if let Some(other) = paired_with_another(run, key, new.remote.as_ref())? {
        new.state = State::Held;
        new.remote = None;
        new.seen = None;
        new.reason = Reason::new(
            "already-paired",
            format!(
                "What it matches in Sage belongs to {} {}.",
                other.kind.name(),
                other.id
            ),
            "Look at both in Splynx. Where the other was deleted there, and this one made again in its place: Delete the document in Sage, then retry; if that is impossible, give this one a new number in Splynx. Where both are there, one of them is a duplicate: give this one a new number, or press \"Never send\".",
        );
    }
    let action = if new.state == State::Synced {
        "paired"
    } else {
        "held"
    };
    run.count(format!("{} {action}", key.kind.title()));
    let is_news = old
        .record
        .as_ref()
        .is_none_or(|told| (told.state, &told.reason.message) != (new.state, &new.reason.message));
    if is_news {
        batch.activities.push(activity(key, &new, action));
    }
    run.put(batch, key, old, new)?;
    Ok(())
}

fn paired_with_another(
    run: &mut Run,
    key: RecordKey,
    remote: Option<&Remote>,
) -> RunResult<Option<RecordKey>> {
    let Some(remote) = remote else {
        return Ok(None);
    };
    let entries = run.cap.get(REMOTE, &[remote.to_string()])?;
    Ok(entries
        .first()
        .and_then(|entry| RecordKey::parse(&entry.value))
        .filter(|other| *other != key))
}
