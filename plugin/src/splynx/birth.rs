//! What tells a record of Splynx from another one that is given the same id later: a Splynx that was put back from a backup gives its
//! ids again.
//!
//! Stamps of creation decide where both are there to the second. They are missing, of a day's precision, or in another zone since,
//! on some servers; then a record counts as another one only where nothing that people know it by is left.

use chrono::{NaiveDate, NaiveDateTime, NaiveTime};
use serde_json::{Value, json};

use crate::json;
use crate::stored::stored;
use crate::write::record::Kind;

/// A record's birth: when Splynx says that it was made, and what people know it by.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Birth {
    /// As in 2026-03-31 or 2026-03-31 09:01:10, in Splynx's zone; empty: Splynx does not say.
    at: String,
    /// Digests of the traits, in the order of the kind; empty where it has none.
    traits: Vec<String>,
}

stored!(Birth { at, traits });

impl Birth {
    /// Of a record as Splynx sent it (Splynx API 3.2, 3.6, 3.8, 3.11).
    pub fn of(kind: Kind, row: &Value) -> Self {
        let text = |name: &str| json::text(row, name).trim().to_lowercase();
        // 12 and 12.0 are one id.
        let customer = || {
            json::integer(row, "customer_id")
                .map_or_else(|| text("customer_id"), |id| id.to_string())
        };
        let amount = |name: &str| {
            json::decimal(row, name).map_or_else(String::new, |d| d.normalize().to_string())
        };
        let day =
            |name: &str| json::date(row, name).map_or_else(String::new, |day| day.to_string());
        let (at, traits) = match kind {
            Kind::Customer => {
                // Splynx makes logins of ids, and gives them again with these.
                let id = json::integer(row, "id").unwrap_or_default().to_string();
                let own = |login: &String| login.trim_start_matches('0') != id;
                let login = Some(text("login")).filter(own).unwrap_or_default();
                let known_by = ["name", "email", "phone", "street_1"].map(text);
                ("date_add", [&known_by[..], &[login]].concat())
            }
            Kind::Payment => (
                "real_create_datetime",
                vec![
                    customer(),
                    text("receipt_number"),
                    day("date"),
                    amount("amount"),
                ],
            ),
            _ => (
                "real_create_datetime",
                vec![
                    customer(),
                    text("number"),
                    day("date_created"),
                    amount("total"),
                ],
            ),
        };
        Self {
            at: Stamp::read(&json::text(row, at)).map_or_else(String::new, |at| at.to_string()),
            traits: traits.iter().map(|text| digest(text)).collect(),
        }
    }

    /// Whether a record of the kind that was born so cannot be the one that is under its id `now`. Ordinary edits make no other record of it: a
    /// new name or number, another customer, corrected amounts.
    pub fn is_of_another(&self, now: &Self, kind: Kind, today: NaiveDate) -> bool {
        let differs = |place: usize| {
            let trait_of = |birth: &Self| birth.traits.get(place).cloned().unwrap_or_default();
            let before = trait_of(self);
            (!before.is_empty()).then(|| before != trait_of(now))
        };
        let all: Vec<bool> = (0..self.traits.len()).filter_map(differs).collect();
        let (differ, agree) = (
            all.iter().filter(|differs| **differs).count(),
            all.iter().filter(|differs| !**differs).count(),
        );
        let is_customer = kind == Kind::Customer;
        match self.stamps(now, today) {
            Stamps::Agree => false,
            Stamps::Differ if is_customer => differs(0) != Some(false) || agree < 2,
            Stamps::Differ => differ > 0,
            Stamps::Doubtful if is_customer => agree == 0 && differ > 1,
            Stamps::Doubtful => {
                let is_without_number = differs(1).is_none();
                let others = if is_without_number { &[2, 3][..] } else { &[1] };
                differs(0) == Some(true) && others.iter().all(|other| differs(*other) == Some(true))
            }
        }
    }

    fn stamps(&self, now: &Self, today: NaiveDate) -> Stamps {
        match (Stamp::read(&self.at), Stamp::read(&now.at)) {
            (Some(Stamp::Moment(before)), Some(Stamp::Moment(now))) => {
                let apart = (now - before).num_seconds().abs();
                match apart {
                    0 => Stamps::Agree,
                    _ if apart <= WIDEST_ZONE && apart % ZONE_STEP == 0 => Stamps::Doubtful,
                    _ => Stamps::Differ,
                }
            }
            (Some(Stamp::Day(before)), Some(Stamp::Day(now))) if before != now => Stamps::Differ,
            // Made again on one day is what was made a moment ago; later on it is the same.
            (Some(Stamp::Day(day)), Some(Stamp::Day(_))) if (today - day).num_days() > 2 => {
                Stamps::Agree
            }
            (Some(before), Some(now)) if (now.day() - before.day()).num_days().abs() > 1 => {
                Stamps::Differ
            }
            _ => Stamps::Doubtful,
        }
    }
}

/// Two zones are apart by a multiple of this, and by not more than that, in seconds.
const ZONE_STEP: i64 = 15 * 60;
const WIDEST_ZONE: i64 = 26 * 3600;

/// How the stamps of two births stand to each other.
enum Stamps {
    Agree,
    Differ,
    /// One is missing, or they are so near that a day's precision or another zone explains it.
    Doubtful,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stamp {
    Day(NaiveDate),
    Moment(NaiveDateTime),
}

impl Stamp {
    /// `None`: it is no date, or none that means one (`0000-00-00`).
    fn read(text: &str) -> Option<Self> {
        let day = json::day(text.get(..10)?)
            .filter(|day| Some(*day) > NaiveDate::from_ymd_opt(1, 1, 1))?;
        let time = || {
            let mut parts = text
                .get(11..19)?
                .split(':')
                .map(|part| part.parse::<u32>().ok());
            let mut part = || parts.next().flatten();
            NaiveTime::from_hms_opt(part()?, part()?, part()?)
        };
        Some(match time() {
            Some(time) if time != NaiveTime::MIN => Self::Moment(day.and_time(time)),
            _ => Self::Day(day),
        })
    }

    fn day(self) -> NaiveDate {
        match self {
            Self::Day(day) => day,
            Self::Moment(moment) => moment.date(),
        }
    }
}

impl std::fmt::Display for Stamp {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Day(day) => day.fmt(f),
            Self::Moment(moment) => moment.fmt(f),
        }
    }
}

/// Short, and nobody's data; empty of an empty text.
fn digest(text: &str) -> String {
    const LENGTH: usize = 8;
    if text.is_empty() {
        return String::new();
    }
    let mut digest = json::digest(&json!(text));
    digest.truncate(LENGTH);
    digest
}

#[cfg(test)]
mod tests {
    use super::*;

    fn another(kind: Kind, before: Value, now: Value) -> bool {
        let today = NaiveDate::from_ymd_opt(2026, 2, 2).expect("a date");
        Birth::of(kind, &before).is_of_another(&Birth::of(kind, &now), kind, today)
    }

    fn with(object: &Value, more: &Value) -> Value {
        let mut object = object.clone();
        for (name, value) in more.as_object().expect("an object") {
            object[name] = value.clone();
        }
        object
    }

    /// (What Splynx says now, whether it is another record.)
    fn check(kind: Kind, before: &Value, cases: &[(Value, bool)]) {
        for (changes, expected) in cases {
            let now = with(before, changes);
            assert_eq!(
                another(kind, before.clone(), now),
                *expected,
                "{kind:?} {changes}"
            );
        }
    }

    #[test]
    fn documents_are_others_by_their_stamp_or_by_customer_and_number_together() {
        let invoice = json!({"id": 501, "customer_id": 88, "number": "2026-501", "date_created": "2026-02-01", "total": "115.0000",
            "real_create_datetime": "2026-02-01 02:10:31"});
        let other = json!({"customer_id": 90, "number": "2026-777"});
        let at = |stamp: Value| with(&other, &json!({"real_create_datetime": stamp}));
        check(
            Kind::Invoice,
            &invoice,
            &[
                // Ordinary edits.
                (json!({}), false),
                (json!({"number": "X"}), false),
                (
                    json!({"customer_id": "90", "total": 230, "date_created": "2026-03-01"}),
                    false,
                ),
                (other.clone(), false),
                // Another stamp: the same only where everything else is.
                (
                    json!({"real_create_datetime": "2026-02-03 09:11:12", "total": 115}),
                    false,
                ),
                (
                    json!({"real_create_datetime": "2026-02-03 09:11:12", "total": "200"}),
                    true,
                ),
                (
                    json!({"real_create_datetime": "2026-02-01 02:10:35", "number": "2026-502"}),
                    true,
                ),
                (at(json!("2026-02-03 09:11:12")), true),
                // The server has another zone or format, or none at all.
                (
                    json!({"real_create_datetime": "2026-02-01 04:10:31", "customer_id": 90}),
                    false,
                ),
                (
                    json!({"real_create_datetime": "2026-01-31T21:10:31.000Z", "number": "X"}),
                    false,
                ),
                (
                    json!({"real_create_datetime": "0000-00-00 00:00:00", "number": "X"}),
                    false,
                ),
                (
                    json!({"real_create_datetime": null, "customer_id": 90}),
                    false,
                ),
                (
                    json!({"real_create_datetime": "01/02/2026", "customer_id": 90}),
                    false,
                ),
                (at(json!("2026-02-01 04:10:31")), true),
                (at(json!("0000-00-00 00:00:00")), true),
                (at(json!("2026-02-01")), true),
                (at(Value::Null), true),
            ],
        );
        let unnumbered = with(&invoice, &json!({"number": "", "real_create_datetime": ""}));
        check(
            Kind::Invoice,
            &unnumbered,
            &[
                (json!({"customer_id": 90}), false),
                (json!({"customer_id": 90, "number": "1"}), false),
                (
                    json!({"customer_id": 90, "total": 1, "date_created": "2026-03-01"}),
                    true,
                ),
            ],
        );
    }

    #[test]
    fn customers_are_others_where_nothing_is_left_that_people_know_them_by() {
        let anna = json!({"id": 88, "login": "000088", "name": "Anna Botha", "email": "anna@x.example", "phone": "011 555",
            "street_1": "1 Long St", "date_add": "2026-02-01"});
        let ben =
            json!({"name": "Ben Nkosi", "email": "ben@y.example", "phone": "", "street_1": ""});
        check(
            Kind::Customer,
            &anna,
            &[
                (json!({"name": "Anna Smith"}), false),
                (
                    json!({"name": "Ben Nkosi", "email": "ben@y.example", "login": "ben"}),
                    false,
                ),
                (
                    json!({"name": "Anna Botha", "email": "", "phone": "", "street_1": ""}),
                    false,
                ),
                (json!({"date_add": "2026-01-01"}), false),
                (
                    json!({"date_add": "2026-01-01", "phone": "1", "street_1": "2 Short St"}),
                    false,
                ),
                (json!({"date_add": "2026-02-02", "name": "Ben Nkosi"}), true),
                (with(&ben, &json!({"date_add": "2026-02-02"})), true),
                (with(&ben, &json!({"date_add": "0000-00-00"})), true),
                // Made again on the same day.
                (ben, true),
            ],
        );
    }
}
