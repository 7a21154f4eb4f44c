//! A record of Splynx as we keep it: where it stands, why, and what it became in Sage.
//!
//! One row per record, in the table [`RECORDS`]; every other table of this module is an index that [`Batch::put`] keeps in
//! step within the same commit.

use chrono::NaiveDate;
use rust_decimal::Decimal;

use crate::capability::{Activity, Change};
use crate::collect::Set;
use crate::json;
use crate::preview::MADE_ABOVE;
use crate::sage::{MatchKey, Service};
use crate::splynx::Birth;
use crate::stored::{self, stored, stored_names};
use crate::write::ledger::{CALIBRATION_DUE, META};

/// `invoice/000000000501` → [`Record`] as JSON.
pub const RECORDS: &str = "record";
/// The records that the next run has to look at (planned, sending, uncertain), by the same key → state.
pub const OPEN: &str = "open";
/// The records that people have to look at (held, owed), by the same key → state.
pub const ATTENTION: &str = "attention";
/// `setting:item.7|invoice/000000000501`: whom a change of that setting or record brings back.
pub const WAITING: &str = "waiting";
/// `TaxInvoice/550001` → `invoice/000000000501`: the pair seen from the other side. A document belongs to one record at most.
pub const REMOTE: &str = "remote";

/// `merwe|customer/000000000017`: where people who search by a label, or by a word of it, find its record.
pub const LABELS: &str = "label";

/// `2026-02/invoice/000000000501` → by how much Sage's VAT of it is more than Splynx's, while the totals agree (D14).
pub const VAT_OFF: &str = "vat-off";
/// Sage tax types, by id, that made other VAT than their rates say: nothing more is sent with them.
pub const TAX_DOUBTS: &str = "tax-doubt";
/// Splynx customers whose allocations are to be looked at.
pub const ALLOCATING: &str = "allocating";

/// The kinds of records, in the order in which they are synchronised (F69).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    Customer,
    Invoice,
    CreditNote,
    Payment,
    /// A receipt that was made in Sage; its id is Sage's.
    Receipt,
    /// What of a payment or credit note settles an invoice; its id is that of Splynx's invoice relation.
    Allocation,
}

impl Kind {
    pub const ALL: [Self; 6] = [
        Self::Customer,
        Self::Invoice,
        Self::CreditNote,
        Self::Payment,
        Self::Receipt,
        Self::Allocation,
    ];
    /// The kinds whose key stands in a reference in Sage.
    pub const IN_REFERENCES: [Self; 3] = [Self::Invoice, Self::CreditNote, Self::Payment];

    /// As in the activity log and in keys.
    pub fn name(self) -> &'static str {
        match self {
            Self::Customer => "customer",
            Self::Invoice => "invoice",
            Self::CreditNote => "credit-note",
            Self::Payment => "payment",
            Self::Receipt => "receipt",
            Self::Allocation => "allocation",
        }
    }

    /// As people read it.
    pub fn title(self) -> &'static str {
        match self {
            Self::Customer => "customers",
            Self::Invoice => "invoices",
            Self::CreditNote => "credit notes",
            Self::Payment => "payments",
            Self::Receipt => "receipts",
            Self::Allocation => "allocations",
        }
    }

    /// The letter of our key in Sage's references.
    pub fn letter(self) -> char {
        match self {
            Self::Customer => 'K',
            Self::Invoice => 'I',
            Self::CreditNote => 'C',
            Self::Payment => 'P',
            Self::Receipt => 'R',
            Self::Allocation => 'A',
        }
    }
}

stored_names!(Kind: Customer, Invoice, CreditNote, Payment, Receipt, Allocation);

/// Ids of Splynx's are below this.
pub const IDS: i64 = 1_000_000_000_000;

/// The key of a record in our tables; ids are padded so that keys sort as numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RecordKey {
    pub kind: Kind,
    pub id: i64,
}

impl RecordKey {
    pub fn new(kind: Kind, id: i64) -> Self {
        Self { kind, id }
    }

    pub fn parse(text: &str) -> Option<Self> {
        let (kind, id) = text.split_once('/')?;
        let kind = Kind::ALL.into_iter().find(|k| k.name() == kind)?;
        Some(Self::new(kind, id.parse().ok()?))
    }

    /// The key of what stood under this one before Splynx gave the id again; `times`: how often it has. No id of Splynx's is so long.
    pub fn before(self, times: u8) -> Self {
        Self::new(self.kind, self.id + i64::from(times) * IDS)
    }

    /// The key that stands in Sage's references: not that of the record which had the id before.
    pub fn marked(self, record: Option<&Record>) -> Self {
        self.before(record.map_or(0, |record| record.again))
    }

    /// Of a key in a reference: the key that its record had, and how often Splynx had given the id before.
    pub fn unmarked(self) -> (Self, u8) {
        let times = if self.is_parted() { self.id / IDS } else { 0 };
        let key = Self::new(self.kind, self.id - times * IDS);
        u8::try_from(times).map_or((self, 0), |times| (key, times))
    }

    /// Whether Splynx has given its id to another record since: Splynx knows nothing of it any more.
    pub fn is_parted(self) -> bool {
        (IDS..MADE_ABOVE).contains(&self.id)
    }

    /// Our key on the other side: `I501`.
    pub fn tag(self) -> String {
        format!("{}{}", self.kind.letter(), self.id)
    }
}

impl std::fmt::Display for RecordKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{:012}", self.kind.name(), self.id)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum State {
    /// To be looked at by the next run.
    #[default]
    Planned,
    /// An intent is committed; the request may be on its way.
    Sending,
    /// The request may or may not have been acted on.
    Uncertain,
    /// Needs a person, or something that it waits for.
    Held,
    /// An act that only a person can do.
    Owed,
    /// Left out on purpose.
    Skipped,
    /// Both sides agree.
    Synced,
    /// A person wants it never to be sent.
    DoNotSend,
    /// A person has seen to it in Sage.
    DoneByHand,
}

impl State {
    pub fn name(self) -> &'static str {
        match self {
            Self::Planned => "planned",
            Self::Sending => "sending",
            Self::Uncertain => "uncertain",
            Self::Held => "held",
            Self::Owed => "owed",
            Self::Skipped => "skipped",
            Self::Synced => "synced",
            Self::DoNotSend => "do-not-send",
            Self::DoneByHand => "done-by-hand",
        }
    }

    /// Nothing more is to come: what waited for the record need not wait any longer.
    pub fn is_settled(self) -> bool {
        self.index().is_none()
    }

    fn index(self) -> Option<&'static str> {
        match self {
            Self::Planned | Self::Sending | Self::Uncertain => Some(OPEN),
            Self::Held | Self::Owed => Some(ATTENTION),
            Self::Skipped | Self::Synced | Self::DoNotSend | Self::DoneByHand => None,
        }
    }
}

stored_names!(State: Planned, Sending, Uncertain, Held, Owed, Skipped, Synced, DoNotSend, DoneByHand);

/// Why a record is where it is, and what cures it. Empty for a synced one.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Reason {
    pub code: String,
    pub message: String,
    pub cure: String,
    /// What brings the record back when it changes: `setting:item.7`, `record:customer/000000000088`, `remote:Customer/7`.
    pub depends: Vec<String>,
}

stored!(Reason { code, message, cure } may { depends });

impl Reason {
    pub fn new(code: &str, message: impl Into<String>, cure: impl Into<String>) -> Self {
        Self {
            code: code.to_owned(),
            message: message.into(),
            cure: cure.into(),
            depends: Vec::new(),
        }
    }

    /// The setting or mapping that brings the record back, the first of several.
    pub fn setting(&self) -> Option<&str> {
        let mut depends = self.depends.iter();
        depends.find_map(|token| token.strip_prefix("setting:"))
    }

    /// Whether it follows from the state of another record, and nothing is to be done about this one.
    pub fn follows(&self) -> bool {
        self.depends
            .iter()
            .any(|token| token.starts_with("record:"))
    }

    /// Whether a list of Sage's, or its company, may say otherwise by now.
    pub fn is_of_lists(&self) -> bool {
        const CODES: [&str; 7] = [
            "period-locked",
            "other-currency",
            "mapping-stale",
            "tax-rate-differs",
            "tax-in-doubt",
            "tax-missing",
            "fix-item-tax",
        ];
        CODES.contains(&self.code.as_str())
    }

    /// Saving that setting or mapping brings the record back. Named twice, it counts once.
    pub fn until_setting(mut self, key: &str) -> Self {
        let token = format!("setting:{key}");
        if !self.depends.contains(&token) {
            self.depends.push(token);
        }
        self
    }

    /// What brings back the record that another reason is about brings this one back as well.
    pub fn until_what(mut self, other: &Self) -> Self {
        self.depends.extend(other.depends.iter().cloned());
        self
    }

    /// A change of that record's state brings this one back.
    pub fn until_record(mut self, key: RecordKey) -> Self {
        self.depends.push(format!("record:{key}"));
        self
    }

    /// Somebody's pairing with that object in Sage brings this record back.
    pub fn until_paired(mut self, remote: &Remote) -> Self {
        self.depends.push(format!("remote:{remote}"));
        self
    }
}

/// What was sent and when: enough to recognise it in Sage after a lost answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Intent {
    pub service: Service,
    pub sent: MatchKey,
    /// Becomes the record's once Sage is known to hold it.
    pub hash: String,
    /// The highest id of the service that was known before sending: ours can only be above it.
    pub above: i64,
    /// Seconds since the Unix epoch: the request may have been in flight until then.
    pub in_flight_until: u64,
}

stored!(Intent {
    service,
    sent,
    hash,
    above,
    in_flight_until
});

/// In place of a hash where it is not known which content Sage holds: like no content's, so that the record is saved again.
const NEITHER: &str = "?";

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Record {
    pub state: State,
    /// What people call it: a number, a name.
    pub label: String,
    /// The Splynx customer that it belongs to.
    pub customer: i64,
    /// The Sage service and id of what it became; kept in whatever state comes later.
    pub remote: Option<Remote>,
    /// Of what we sent last: equal content needs no sending.
    pub hash: String,
    /// Of what Sage refused: it is not sent again until it changes, or a person says so.
    pub refused: String,
    /// How often in a row it was sent and the service failed over it. See [`Record::failed_once_more`].
    pub failures: u8,
    pub amount: Option<Decimal>,
    /// What of the amount was not settled in Splynx when it was last looked at.
    pub open: Option<Decimal>,
    /// Sage had allocated some of it when it was stored or found (D11): what is left is asked for before anything is allocated.
    pub allocated_in_sage: bool,
    /// Its object in Sage as we saw it last: whoever changed it since is not overruled without a word.
    pub seen: Option<MatchKey>,
    /// What updates make of it that were sent and not answered so far.
    pub sent: Vec<MatchKey>,
    pub intent: Option<Intent>,
    /// Seconds since the Unix epoch: an update whose answer was lost may have been in flight until then. The last one to arrive wins,
    /// so nothing newer is sent before it must have arrived.
    pub update_in_flight_until: Option<u64>,
    /// A person has said that it is not what it looks like on the other side.
    pub vouched_for: bool,
    /// What Splynx said of it when it was last looked at: `amount 115.00|date 2026-02-04`.
    pub looked_like: String,
    /// The invoice that a payment was entered for.
    pub invoice: Option<i64>,
    pub reason: Reason,
    /// What tells it from another record that Splynx gives the same id; `None`: it was not looked at since that is kept, or a person says
    /// that it is the same.
    pub born: Option<Birth>,
    /// How often Splynx has given its id to another record before. See [`RecordKey::before`].
    pub again: u8,
}

stored!(Record { state, label, customer, reason } may {
    remote, hash, refused, failures, amount, open, allocated_in_sage, seen, sent, intent, update_in_flight_until, born, again,
    vouched_for, looked_like, invoice
});

/// Listed again: a person had settled it by hand, and it was changed afterwards.
pub const CHANGED_SINCE_DONE: &str = "changed-since-done";

/// Held because somebody has deleted in Sage what it became there.
pub const GONE_IN_SAGE: &str = "gone-in-sage";

/// Why it is held, and that a person's word makes it again.
pub fn gone_in_sage() -> Reason {
    Reason::new(
        GONE_IN_SAGE,
        "It is no longer in Sage.",
        "Press \"Retry\": that makes it again in Sage. Or \"Link\" it in the outbox to the right one there; or press \"Never send\".",
    )
}

impl Record {
    /// Nothing is done for it before a person says so.
    pub fn is_a_persons(&self) -> bool {
        match self.state {
            State::DoNotSend | State::DoneByHand => true,
            State::Owed => self.reason.code == CHANGED_SINCE_DONE,
            _ => false,
        }
    }

    /// Neither a person nor a look-up has the say about it.
    pub fn is_ours_to_decide(&self) -> bool {
        !matches!(self.state, State::Sending | State::Uncertain) && !self.is_a_persons()
    }

    /// A person has said that it is to be tried again; what was planned for another cause has no reason.
    pub fn is_retried(&self) -> bool {
        self.state == State::Planned && !self.reason.code.is_empty()
    }

    /// An update was on its way when its answer, or its run, was lost: Sage holds the old content, the new one, or will.
    pub fn update_lost(mut self, now: u64) -> Self {
        self.state = State::Planned;
        self.update_in_flight_until = Some(now);
        NEITHER.clone_into(&mut self.hash);
        self
    }

    /// It is to be saved again as it is in Splynx, whatever Sage holds.
    pub fn update_due(mut self) -> Self {
        NEITHER.clone_into(&mut self.hash);
        self
    }

    /// The service failed over what was sent (`hash`), without having stored it. It is tried again, but not for ever: one record at which a
    /// service breaks down must not cost requests in every run.
    pub fn failed_once_more(mut self, hash: &str, service: &str) -> Self {
        const ENOUGH: u8 = 5;
        self.failures += 1;
        self.intent = None;
        self.state = State::Planned;
        self.reason = Reason::default();
        if self.failures >= ENOUGH {
            self.state = State::Held;
            self.refused = hash.to_owned();
            self.failures = 0;
            self.reason = Reason::new(
                "keeps-failing",
                format!(
                    "It was sent {ENOUGH} times, and each time {service} failed over it and stored nothing."
                ),
                "Look for what is unusual about it, and try by hand; then retry it, or mark it as done.",
            );
        }
        self
    }
}

/// A document, receipt or customer in Sage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remote {
    pub service: Service,
    pub id: i64,
}

stored!(Remote { service, id });

impl std::fmt::Display for Remote {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.service.name(), self.id)
    }
}

/// A record as read, with the text that must still stand when it is written again.
#[derive(Debug, Clone, Default)]
pub struct Stored {
    text: Option<String>,
    pub record: Option<Record>,
}

impl Stored {
    /// `None`: the text is no record; the state is damaged, and writing over it would hide that.
    pub fn parse(text: String) -> Option<Self> {
        let record = stored::from_text(&text)?;
        Some(Self {
            text: Some(text),
            record: Some(record),
        })
    }
}

impl Stored {
    /// It was judged before, and is to be judged again because the reason may be gone.
    pub fn is_judged_again(&self) -> bool {
        self.record
            .as_ref()
            .is_some_and(|record| record.state == State::Planned)
    }
}

/// What one commit will hold.
#[derive(Debug, Default)]
pub struct Batch {
    pub expect: Vec<Change>,
    pub changes: Vec<Change>,
    pub activities: Vec<Activity>,
    /// Customers whose allocations are to be looked at.
    allocating: Set<i64>,
    doubts_arithmetic: bool,
    /// Sage tax types that made other VAT than their rates say.
    doubted_taxes: Set<i64>,
    /// What records may have waited for.
    pub came_true: Vec<String>,
}

impl Batch {
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty() && self.activities.is_empty() && self.allocating.is_empty()
    }

    /// Sage stored another total than was predicted: it is to be asked again how it computes.
    pub fn doubt_arithmetic(&mut self) {
        self.doubts_arithmetic = true;
    }

    /// Sage stored other VAT than the tax type's rate makes.
    pub fn doubt_tax(&mut self, tax: i64) {
        self.doubted_taxes.insert(tax);
    }

    /// What must still stand, what changes, and what is told of it.
    pub fn into_parts(mut self) -> (Vec<Change>, Vec<Change>, Vec<Activity>) {
        for customer in std::mem::take(&mut self.allocating) {
            self.set(ALLOCATING, format!("{customer:012}"), "");
        }
        for tax in std::mem::take(&mut self.doubted_taxes) {
            self.set(TAX_DOUBTS, tax.to_string(), "1");
        }
        if self.doubts_arithmetic {
            self.set(META, CALIBRATION_DUE, "1");
        }
        (self.expect, self.changes, self.activities)
    }

    /// Whether the record is written by this commit already.
    pub fn holds(&self, key: RecordKey) -> bool {
        let key = key.to_string();
        self.expect
            .iter()
            .any(|change| change.table == RECORDS && change.key == key)
    }

    pub fn set(&mut self, table: &'static str, key: impl Into<String>, value: impl Into<String>) {
        self.changes.push(Change {
            table,
            key: key.into(),
            value: Some(value.into()),
        });
    }

    pub fn delete(&mut self, table: &'static str, key: String) {
        self.changes.push(Change {
            table,
            key,
            value: None,
        });
    }

    /// Something about the customer's documents or payments has moved, and so may have what settles what.
    pub fn look_at_allocations(&mut self, customer: i64) {
        self.allocating.insert(customer);
    }

    /// Notes how far VAT is off, per month of the document's date.
    pub fn note_vat(&mut self, key: RecordKey, date: NaiveDate, off: Decimal) {
        let place = format!("{}/{key}", json::month(date));
        if off.is_zero() {
            self.delete(VAT_OFF, place);
        } else {
            self.set(VAT_OFF, place, off.normalize().to_string());
        }
    }

    /// Stores `new` in place of `old`, with every index, provided that `old` still stands.
    pub fn put(&mut self, key: RecordKey, old: &Stored, new: Record) -> Stored {
        let before = old.record.as_ref().and_then(|r| r.remote.as_ref());
        if before != new.remote.as_ref() {
            if let Some(remote) = &new.remote {
                self.pair(remote, None, key);
            }
            if let Some(parted) = before {
                self.delete(REMOTE, parted.to_string());
            }
        }
        self.put_alone(key, old, new)
    }

    /// What stood under a key goes under another one, with its pair, and makes room for `new`, which has none.
    pub fn make_room(
        &mut self,
        key: RecordKey,
        old: &Stored,
        new: Record,
        (to, gone): (RecordKey, Record),
    ) {
        if let Some(remote) = &gone.remote {
            self.pair(remote, Some(key), to);
        }
        self.put_alone(key, old, new);
        self.put_alone(to, &Stored::default(), gone);
    }

    /// The object in Sage belongs to a record from now on; `before`: to whom it belonged.
    fn pair(&mut self, remote: &Remote, before: Option<RecordKey>, now: RecordKey) {
        self.expect.push(Change {
            table: REMOTE,
            key: remote.to_string(),
            value: before.map(|key| key.to_string()),
        });
        self.set(REMOTE, remote.to_string(), now.to_string());
    }

    /// Stores a record with every index but that of the pairs.
    fn put_alone(&mut self, key: RecordKey, old: &Stored, new: Record) -> Stored {
        let text = stored::to_text(&new);
        if old.text.as_ref() == Some(&text) {
            return old.clone();
        }
        self.expect.push(Change {
            table: RECORDS,
            key: key.to_string(),
            value: old.text.clone(),
        });
        self.set(RECORDS, key.to_string(), text.clone());
        let before = old.record.as_ref();
        self.move_index(key, before.map(|r| r.state), new.state);
        self.move_labels(key, before.map_or("", |r| &r.label), &new.label);
        self.move_waiting(
            key,
            before.map_or(&[], |r| &r.reason.depends),
            &new.reason.depends,
        );
        Stored {
            text: Some(text),
            record: Some(new),
        }
    }

    fn move_index(&mut self, key: RecordKey, before: Option<State>, after: State) {
        let old = before.and_then(State::index);
        if let Some(table) = old
            && after.index() != old
        {
            self.delete(table, key.to_string());
        }
        if let Some(table) = after.index()
            && before != Some(after)
        {
            self.set(table, key.to_string(), after.name());
        }
    }

    fn move_labels(&mut self, key: RecordKey, before: &str, after: &str) {
        // What settles what has no name of its own.
        if before == after || key.kind == Kind::Allocation {
            return;
        }
        let (before, after) = (searched(before), searched(after));
        for gone in before.iter().filter(|label| !after.contains(label)) {
            self.delete(LABELS, format!("{gone}|{key}"));
        }
        for new in after.iter().filter(|label| !before.contains(label)) {
            self.set(LABELS, format!("{new}|{key}"), "");
        }
    }

    fn move_waiting(&mut self, key: RecordKey, before: &[String], after: &[String]) {
        for gone in before.iter().filter(|token| !after.contains(token)) {
            self.delete(WAITING, format!("{gone}|{key}"));
        }
        for new in after.iter().filter(|token| !before.contains(token)) {
            self.set(WAITING, format!("{new}|{key}"), "");
        }
    }
}

/// Words of a label from which on it is found, and the length of what is kept of it.
const LABEL_WORDS: usize = 4;
const LABEL_LENGTH: usize = 60;

/// What a label is found by: itself and what is left of it from its second, third and fourth word on, in small letters; each once, since
/// a long label may repeat itself.
pub fn searched(label: &str) -> Vec<String> {
    let mut rest = label.trim();
    let mut found = Vec::new();
    for _ in 0..LABEL_WORDS {
        let kept: String = rest.to_lowercase().chars().take(LABEL_LENGTH).collect();
        if !kept.is_empty() && !found.contains(&kept) {
            found.push(kept);
        }
        rest = match rest.split_once(char::is_whitespace) {
            Some((_, rest)) => rest.trim_start(),
            None => "",
        };
    }
    found
}
