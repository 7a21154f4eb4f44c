//! Whether an object in Sage still is what we saw there last: nothing that a person changed there is overwritten without a person's word.
//!
//! Beware: an update whose answer was lost leaves the old content or the new one, and both are ours.

use crate::mark::Sign;
use crate::money;
use crate::planted::{Mistake, is_planted};
use crate::sage::{CustomerLikeness, DocumentLikeness, MatchKey, Object, fold};
use crate::settings::Settings;
use crate::write::protocol::{Act, Write};
use crate::write::record::{Reason, Record};

/// Held or owed because a person changed in Sage what was in step.
pub const CHANGED: &str = "edited-in-sage";

/// Why an update is not sent over what is there now; `None`: it is as we left it, or a person has said so.
pub fn changed_since(settings: &Settings, write: &Write, object: &Object) -> Option<Reason> {
    if write.is_vouched || is_planted(Mistake::UpdateBlind) {
        return None;
    }
    let before = write.stored.record.as_ref()?;
    let now = MatchKey::of(write.service, object)?;
    // An earlier version did not note what it saw.
    let what = edits(before, &now).unwrap_or_else(|| unlike(settings, write, before, &now));
    (!what.is_empty()).then(|| {
        Reason::new(
            CHANGED,
            format!(
                "It was changed in Splynx, and somebody changed it in Sage too: {}.",
                what.join("; ")
            ),
            "Retry to write what Splynx says over it. Or leave Sage's: mark it as done, or link it, which takes it as it is.",
        )
    })
}

/// Why an allocation is not taken back: a person has made another one of it in Sage. `None`: it is as we left it.
pub fn reallocated(write: &Write, object: &Object) -> Option<Reason> {
    let before = write.stored.record.as_ref()?;
    let what = edits(before, &MatchKey::of(write.service, object)?)?;
    (!what.is_empty()).then(|| {
        Reason::new(
            CHANGED,
            format!(
                "Splynx no longer settles the one with the other so, and somebody changed the allocation in Sage too: {}.",
                what.join("; ")
            ),
            "Make it in Sage as Splynx has it, then mark this as done.",
        )
    })
}

/// Listed because a person edited it in Sage, whether or not there was anything to send.
pub fn was_edited(record: &Record) -> bool {
    record.reason.code == CHANGED && record.refused.is_empty()
}

/// What of a record's object is not as we saw it last, or as an update of ours may have left it; `None`: it is not known what we saw.
pub fn edits(record: &Record, now: &MatchKey) -> Option<Vec<String>> {
    let left = record.sent.iter().chain([record.seen.as_ref()?]);
    let changes = left.map(|left| changes(left, now));
    changes.min_by_key(Vec::len)
}

/// What is not as it was left.
fn changes(left: &MatchKey, now: &MatchKey) -> Vec<String> {
    let mut changes = Vec::new();
    let mut compare = |what: &str, left: &str, now: &str| {
        if left.trim() != now.trim() {
            changes.push(was(what, left, now));
        }
    };
    match (left, now) {
        (MatchKey::Document(left), MatchKey::Document(now)) => {
            compare(
                "customer",
                &left.customer.to_string(),
                &now.customer.to_string(),
            );
            compare("date", &left.date.to_string(), &now.date.to_string());
            // What was sent has none where Sage gives it.
            if !left.number.is_empty() {
                compare("number", &left.number, &now.number);
            }
            compare(
                "total",
                &money::written(left.total),
                &money::written(now.total),
            );
            compare("reference", &left.reference, &now.reference);
        }
        (MatchKey::Customer(left), MatchKey::Customer(now)) => {
            return customer_changes(left, now);
        }
        (MatchKey::Allocation(left), MatchKey::Allocation(now)) => {
            compare("invoice", &left.target.to_string(), &now.target.to_string());
            compare(
                "total",
                &money::written(left.total),
                &money::written(now.total),
            );
        }
        _ => {}
    }
    changes
}

/// What of a customer that every save of ours writes is not as it was left. The ticks besides *Active* follow the settings, whatever
/// people do (F29), and everything else is Sage's users' own.
fn customer_changes(left: &CustomerLikeness, now: &CustomerLikeness) -> Vec<String> {
    let pairs = [
        ("name", &left.name, &now.name, true),
        ("contact name", &left.contact, &now.contact, true),
        ("e-mail", &left.email, &now.email, true),
        ("VAT number", &left.vat, &now.vat, left.vat_is_ours),
    ];
    let is_same = |left: &str, now: &str| fold(left) == fold(now);
    let Some(reach) = &left.reach else {
        // An earlier version noted whatever Sage had: only all of it at once is another customer.
        let is_another = !pairs
            .iter()
            .any(|(_, left, now, _)| !left.trim().is_empty() && is_same(left, now));
        return Vec::from_iter(is_another.then(|| was("name", &left.name, &now.name)));
    };
    let mut changes: Vec<String> = pairs
        .iter()
        .filter(|(_, left, now, is_ours)| *is_ours && !is_same(left, now))
        .map(|(what, left, now, _)| was(what, left, now))
        .collect();
    if left.active != now.active {
        let now = if now.active { "active" } else { "inactive" };
        changes.push(format!("it was made {now}"));
    }
    if Some(reach) != now.reach.as_ref() {
        changes.push("its telephone number or address is another one".to_owned());
    }
    changes
}

fn was(what: &str, left: &str, now: &str) -> String {
    format!("its {what} was {left:?} and is {now:?}")
}

/// What speaks against a document that an earlier version has paired: neither mark nor number, or another total than was sent.
fn unlike(settings: &Settings, write: &Write, before: &Record, now: &MatchKey) -> Vec<String> {
    let MatchKey::Document(now) = now else {
        return Vec::new();
    };
    let mut unlike = Vec::new();
    if !is_known(settings, write, before, now) {
        unlike.push("it bears neither its key nor its number".to_owned());
    }
    if let Some(amount) = write.amount_before
        && amount.abs() != now.total
    {
        unlike.push(format!(
            "its total was {} and is {}",
            money::written(amount.abs()),
            money::written(now.total)
        ));
    }
    unlike
}

fn is_known(settings: &Settings, write: &Write, before: &Record, now: &DocumentLikeness) -> bool {
    let signs = settings.identity.signs(&now.reference);
    let marked = write.key.marked(Some(before));
    let is_marked = signs.contains(&Sign::Ours(marked)) || signs.contains(&Sign::Old(marked));
    let sent = match &write.act {
        Act::Update { payload, .. } => payload.number(),
        Act::Create { .. } | Act::Remove { .. } => "",
    };
    let numbers = [before.label.as_str(), sent];
    is_marked
        || numbers
            .iter()
            .any(|number| !number.is_empty() && fold(number) == fold(&now.number))
}
