//! The settings and mappings of an installation, typed. Names as in `addon.toml`; defaults are the manifest's, applied by the
//! host, so an absent value here is an empty one.

use chrono::{Datelike, NaiveDate};

use crate::capability::{Capabilities, Failure, Pair};
use crate::collect::{Map, Set, ToMap, ToSet};
use crate::json;
use crate::mark::Identity;
use crate::write::record::{Kind, Reason};

/// Where the host does not tell: above every time-out (architecture, write protocol, 4).
const SETTLE_SECONDS: u64 = 300;

/// Where Splynx is, by the settings.
pub const SPLYNX_ADDRESS: &str = "splynx_api_domain";

/// The value of a mapping row that is to have no counterpart: what needs one is held, and the check is content.
pub const LEFT_UNMAPPED: &str = "none";

/// The four ticks that every sync sets on a Sage customer (F25, F26, F27, F28).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CustomerTicks {
    pub active: bool,
    pub accepts_electronic_invoices: bool,
    pub auto_allocate_oldest: bool,
    pub view_invoices_online: bool,
}

/// Which way payments go (F15); customers and documents always go to Sage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    ToSage,
    FromSage,
    Both,
}

impl Direction {
    pub fn to_sage(self) -> bool {
        self != Self::FromSage
    }

    pub fn from_sage(self) -> bool {
        self != Self::ToSage
    }
}

/// How imported receipts are bundled into Splynx statements (F12).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Grouping {
    Month,
    Day,
}

/// Everything a run needs to know, besides what the two services say.
#[derive(Debug, Clone)]
pub struct Settings {
    /// As saved: what a skipped or held record compares to see whether its reason still stands.
    raw: Map<String, String>,
    pub company_id: String,
    pub partners_ignore: Set<i64>,
    pub name_pattern: String,
    pub make_names_unique: bool,
    pub ticks: CustomerTicks,
    /// F33: documents in Sage carry Splynx's number.
    pub splynx_numbers: bool,
    pub use_credit_notes: bool,
    /// F30: prices go to Sage with VAT in them.
    pub inclusive: bool,
    /// F31: the Sage item of a line that makes the totals equal.
    pub fix_item: Option<i64>,
    /// What this installation marks with whatever it makes.
    pub identity: Identity,
    /// What stands before our key in the reference of a document: `{number}`, `{id}`, `{date}`.
    pub reference_pattern: String,
    /// Line texts tell the service period.
    pub line_periods: bool,
    pub direction: Direction,
    pub push_methods: Set<i64>,
    /// Which field of a payment stands before our key in the receipt's reference.
    pub payment_reference: String,
    /// Receipts go to Sage as reconciled.
    pub receipts_reconciled: bool,
    pub statements_by: Grouping,
    /// F18: a receipt without invoice, or one that pays an invoice in part, becomes a payment too.
    pub pay_without_invoice: bool,
    /// F20: a receipt makes a payment also where its invoice is paid already.
    pub pay_paid_invoices: bool,
    /// A customer that is inactive in Splynx becomes inactive in Sage.
    pub follow_inactive: bool,
    /// F10: the method of payments that came from Sage.
    pub imported_method: Option<i64>,
    from: Map<Kind, NaiveDate>,
    /// The kinds whose automatic run is switched on.
    due: Set<Kind>,
    payment_days: Set<i64>,
    pub today: NaiveDate,
    /// Seconds after which a request to Sage cannot still be in flight.
    pub settle: u64,
    /// Nobody waits for the run: a schedule, an event or a pause that is over started it.
    pub is_automatic: bool,
}

impl Settings {
    /// Reads settings and context from the host. `first_address`: of Splynx, as this installation has known it first, if that is known.
    ///
    /// # Errors
    /// `invalid-settings`, naming the field and the cure.
    pub fn load(cap: &mut dyn Capabilities, first_address: Option<&str>) -> Result<Self, Failure> {
        let settings = cap.settings();
        let context = cap.context();
        Self::parse(&settings, &context, first_address)
    }

    fn parse(
        settings: &[Pair],
        context: &[Pair],
        first_address: Option<&str>,
    ) -> Result<Self, Failure> {
        let raw = settings.iter().cloned().to_map();
        let context = context.iter().cloned().to_map();
        let get = |key: &str| raw.get(key).map_or("", |v| v.trim());
        let on = |key: &str| is_on(get(key));
        let today = context
            .get("today")
            .and_then(|text| json::day(text))
            .ok_or_else(|| {
                Failure::new("internal", "The host did not tell the installation's date.")
            })?;
        let installed = context
            .get("installed-on")
            .and_then(|text| json::day(text))
            .unwrap_or(today);
        let from_date = |key: &str| match get(key) {
            "" => Ok(installed),
            text => json::day(text).ok_or_else(|| {
                invalid(
                    key,
                    &format!("{text:?} is not a date; write it as in 2026-03-31"),
                )
            }),
        };
        let mut from = Map::new_vec();
        for kind in Kind::ALL {
            if let Some(key) = from_key(kind) {
                from.insert(kind, from_date(key)?);
            }
        }
        let payment_days = ids("cron_payment_days", get("cron_payment_days"))?;
        if payment_days.iter().any(|day| !(1..=31).contains(day)) {
            return Err(invalid(
                "cron_payment_days",
                "write days of the month from 1 to 31",
            ));
        }
        Ok(Self {
            company_id: get("sage_company_id").to_owned(),
            partners_ignore: ids("partners_ignore", get("partners_ignore"))?,
            name_pattern: match get("customer_name_pattern") {
                "" => "{name}".to_owned(),
                pattern => check_pattern(
                    "customer_name_pattern",
                    pattern,
                    &["{id}", "{login}", "{name}", "{email}"],
                )?
                .to_owned(),
            },
            make_names_unique: on("make_names_unique"),
            ticks: CustomerTicks {
                active: on("customer_active"),
                accepts_electronic_invoices: on("accepts_electronic_invoices"),
                auto_allocate_oldest: on("auto_allocate_oldest"),
                view_invoices_online: on("view_invoices_online"),
            },
            splynx_numbers: on("use_system_document_number"),
            use_credit_notes: on("use_credit_notes"),
            inclusive: on("use_inclusive_amounts"),
            fix_item: ids("fix_item_id", get("fix_item_id"))?.first().copied(),
            reference_pattern: match get("document_reference_pattern") {
                "" => "{number}".to_owned(),
                pattern => check_pattern(
                    "document_reference_pattern",
                    pattern,
                    &["{number}", "{id}", "{date}"],
                )?
                .to_owned(),
            },
            identity: Identity::new(
                &Vec::from_iter(first_address.into_iter().chain([get(SPLYNX_ADDRESS)])),
                &tag(get("reference_tag"))?,
            ),
            line_periods: on("line_service_period"),
            direction: one_of(
                "payments_direction",
                get("payments_direction"),
                &[
                    ("to_sage", Direction::ToSage),
                    ("from_sage", Direction::FromSage),
                    ("both", Direction::Both),
                ],
            )?,
            payment_reference: get("payment_reference_field").to_owned(),
            receipts_reconciled: on("receipts_reconciled"),
            statements_by: one_of(
                "bank_statements_group",
                get("bank_statements_group"),
                &[("month", Grouping::Month), ("day", Grouping::Day)],
            )?,
            pay_without_invoice: on("create_payment_without_invoice"),
            pay_paid_invoices: on("create_payment_for_paid_invoice"),
            follow_inactive: on("follow_inactive_customers"),
            push_methods: ids("payments_push_methods", get("payments_push_methods"))?,
            imported_method: ids("payment_method_id", get("payment_method_id"))?
                .first()
                .copied(),
            from,
            due: Kind::ALL
                .into_iter()
                .filter(|kind| cron_key(*kind).is_some_and(on))
                .to_set(),
            payment_days,
            today,
            settle: context
                .get("settle.sage")
                .and_then(|text| text.parse().ok())
                .unwrap_or(SETTLE_SECONDS),
            is_automatic: context
                .get("trigger")
                .is_some_and(|trigger| matches!(trigger.as_str(), "schedule" | "event" | "resume")),
            raw,
        })
    }

    /// The setting or mapping as saved; empty where there is none.
    pub fn value(&self, key: &str) -> &str {
        self.raw.get(key).map_or("", |v| v.trim())
    }

    /// Whether a toggle is on.
    pub fn is_on(&self, key: &str) -> bool {
        is_on(self.value(key))
    }

    /// The Sage id that a mapping row names: `item.7`, `tax.1`, `bank_account.2`, `default_bank_account`.
    pub fn mapped(&self, key: &str) -> Option<i64> {
        self.value(key).parse().ok()
    }

    /// Whether nobody has decided on a mapping row yet: leaving it unmapped is a decision.
    pub fn is_unmapped(&self, key: &str) -> bool {
        self.mapped(key).is_none() && self.value(key) != LEFT_UNMAPPED
    }

    /// All settings and mappings as saved.
    pub fn values(&self) -> &Map<String, String> {
        &self.raw
    }

    /// Records dated earlier are left out (D5); `None`: customers, which have no date.
    pub fn from(&self, kind: Kind) -> Option<NaiveDate> {
        self.from.get(&kind).copied()
    }

    /// D5: what is dated before the from-date is never created, also where it was noted when the date was another.
    pub fn too_early(&self, kind: Kind, date: NaiveDate) -> Option<Reason> {
        let key = from_key(kind)?;
        let from = self.from(kind).filter(|from| date < *from)?;
        Some(
            Reason::new(
                "too-early",
                format!(
                    "It is dated {date}, and {} are sent from {from} on.",
                    kind.title()
                ),
                format!(
                    "Set an earlier date as \"{}\" to have it.",
                    from_title(kind)
                ),
            )
            .until_setting(key),
        )
    }

    /// Whether the automatic run syncs this kind today (F35, F36, F37, F38).
    pub fn due(&self, kind: Kind) -> bool {
        match kind {
            Kind::Customer | Kind::Invoice | Kind::CreditNote => self.due.contains(&kind),
            Kind::Payment | Kind::Receipt => {
                self.due.contains(&Kind::Payment) && self.is_payment_day()
            }
            // Payments and credit notes both settle invoices.
            Kind::Allocation => self.due(Kind::Payment) || self.due(Kind::CreditNote),
        }
    }

    /// D4: a day that a month lacks means its last day.
    fn is_payment_day(&self) -> bool {
        let day = i64::from(self.today.day());
        let is_last = self
            .today
            .succ_opt()
            .is_none_or(|next| next.month() != self.today.month());
        self.payment_days.is_empty()
            || self.payment_days.contains(&day)
            || (is_last && self.payment_days.iter().any(|wanted| *wanted > day))
    }
}

/// In capitals. Letters and digits only, so that a reference with a tag is read back for sure.
fn tag(text: &str) -> Result<String, Failure> {
    const LONGEST: usize = 8;
    if text.len() > LONGEST || !text.bytes().all(|b| b.is_ascii_alphanumeric()) {
        return Err(invalid(
            "reference_tag",
            "write at most 8 letters and digits, without blanks",
        ));
    }
    Ok(text.to_ascii_uppercase())
}

fn is_on(value: &str) -> bool {
    matches!(value, "on" | "true" | "1" | "yes")
}

/// The setting with a kind's from-date; customers have none.
fn from_key(kind: Kind) -> Option<&'static str> {
    match kind {
        Kind::Customer | Kind::Allocation => None,
        Kind::Invoice => Some("export_invoices_from"),
        Kind::CreditNote => Some("export_credit_notes_from"),
        Kind::Payment => Some("export_payments_from"),
        Kind::Receipt => Some("import_payments_from"),
    }
}

/// Its title in the manifest.
fn from_title(kind: Kind) -> &'static str {
    match kind {
        Kind::CreditNote => "Credit notes from",
        Kind::Payment => "Payments from",
        Kind::Receipt => "Import payments from",
        _ => "Invoices from",
    }
}

/// The toggle of a kind's automatic run.
fn cron_key(kind: Kind) -> Option<&'static str> {
    match kind {
        Kind::Customer => Some("cron_customers"),
        Kind::Invoice => Some("cron_invoices"),
        Kind::CreditNote => Some("cron_credit_notes"),
        Kind::Payment => Some("cron_payments"),
        Kind::Receipt | Kind::Allocation => None,
    }
}

/// A pattern may name these variables only (F24).
fn check_pattern<'p>(key: &str, pattern: &'p str, known: &[&str]) -> Result<&'p str, Failure> {
    let mut rest = pattern;
    while let Some(start) = rest.find('{') {
        let Some(length) = rest[start..].find('}') else {
            return Err(invalid(key, "a { has no } behind it"));
        };
        let variable = &rest[start..=start + length];
        if !known.contains(&variable) {
            return Err(invalid(
                key,
                &format!("{variable} is unknown; use {}", known.join(", ")),
            ));
        }
        rest = &rest[start + length + 1..];
    }
    Ok(pattern)
}

/// One of a few words; empty: the first of them.
fn one_of<T: Copy>(key: &str, text: &str, words: &[(&str, T)]) -> Result<T, Failure> {
    let chosen = words
        .iter()
        .find(|(word, _)| *word == text)
        .or_else(|| words.first().filter(|_| text.is_empty()));
    chosen.map(|(_, value)| *value).ok_or_else(|| {
        let known: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
        invalid(key, &format!("write one of {}", known.join(", ")))
    })
}

fn ids(key: &str, text: &str) -> Result<Set<i64>, Failure> {
    let mut ids = Set::new();
    for part in text.split([',', ' ', ';']).filter(|part| !part.is_empty()) {
        ids.insert(part.parse().map_err(|_| {
            invalid(
                key,
                &format!("{part:?} is not a number; separate numbers by commas"),
            )
        })?);
    }
    Ok(ids)
}

fn invalid(key: &str, cure: &str) -> Failure {
    Failure {
        more: vec![("field".to_owned(), key.to_owned())],
        ..Failure::new("invalid-settings", format!("Setting {key}: {cure}."))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn on(day: &str, settings: &[(&str, &str)]) -> Result<Settings, Failure> {
        let pairs = |list: &[(&str, &str)]| -> Vec<Pair> {
            list.iter()
                .map(|(n, v)| ((*n).to_owned(), (*v).to_owned()))
                .collect()
        };
        Settings::parse(
            &pairs(settings),
            &pairs(&[("today", day), ("installed-on", "2026-02-01")]),
            None,
        )
    }

    #[test]
    fn payments_run_on_the_chosen_days_and_on_the_last_day_of_shorter_months() {
        for (day, days, due) in [
            ("2026-02-28", "31", true),
            ("2026-02-27", "31", false),
            ("2028-02-28", "30", false),
            ("2028-02-29", "30", true),
            ("2026-04-30", "1, 31", true),
            ("2026-05-30", "31", false),
            ("2026-05-31", "31", true),
            ("2026-05-10", "", true),
            ("2026-05-10", "9", false),
        ] {
            let settings = on(day, &[("cron_payments", "on"), ("cron_payment_days", days)])
                .expect("valid settings");
            assert_eq!(settings.due(Kind::Payment), due, "{day} with days {days:?}");
            assert!(!settings.due(Kind::Invoice), "its toggle is off");
        }
    }

    #[test]
    fn what_is_wrong_is_named_with_its_field_and_cure() {
        for (key, value, part) in [
            ("customer_name_pattern", "{nme}", "{nme} is unknown"),
            ("customer_name_pattern", "{name", "no }"),
            ("export_invoices_from", "31/03/2026", "2026-03-31"),
            ("partners_ignore", "one", "not a number"),
            ("cron_payment_days", "32", "from 1 to 31"),
            ("payments_direction", "sideways", "to_sage, from_sage, both"),
            ("bank_statements_group", "week", "month, day"),
        ] {
            let failure = on("2026-05-10", &[(key, value)]).expect_err(value);
            assert_eq!(failure.code, "invalid-settings");
            assert!(failure.message.contains(part), "{}", failure.message);
            assert!(failure.message.contains(key), "{}", failure.message);
        }
    }

    #[test]
    fn documents_before_the_installation_are_left_out_unless_a_date_is_set() {
        let settings =
            on("2026-05-10", &[("export_payments_from", "2025-01-01")]).expect("valid settings");
        let from = |kind| settings.from(kind).map(|date| date.to_string());
        assert_eq!(from(Kind::Invoice).as_deref(), Some("2026-02-01"));
        assert_eq!(from(Kind::Payment).as_deref(), Some("2025-01-01"));
        assert_eq!(from(Kind::Customer), None);
    }
}
