//! Single records that somebody asks for: an event hook of Splynx, or a person by their ids. They go the way of every other record, so
//! this file only says which.
//!
//! What an event says is not believed: it names a record, which is read again. Beware: events get lost, come twice and in any order,
//! and Splynx's documentation names few of its models; what is not known here is left to the ordinary runs.

use serde_json::Value;

use crate::capability::{Failure, Pair};
use crate::collect::Set;
use crate::splynx::{Event, Model};
use crate::write::record::{Kind, RecordKey};

/// What a run is to look at.
#[derive(Debug, Default)]
pub struct Asked {
    pub records: Set<RecordKey>,
    /// Whose documents and payments are among them, as far as is known.
    pub customers: Set<RecordKey>,
    /// By an event: what the automatic runs leave alone is left alone.
    pub by_event: bool,
}

impl Asked {
    /// From the options `event` (a list of bodies) and `records` (`invoice:12,customer:5`).
    ///
    /// # Errors
    /// Where neither is given, or one cannot be read.
    pub fn of(options: &[Pair]) -> Result<Self, Failure> {
        let mut asked = Self::default();
        for (name, value) in options {
            match name.as_str() {
                "event" => {
                    let events: Vec<Value> = serde_json::from_str(value)
                        .map_err(|_| invalid("event", "it is no list of events"))?;
                    asked.by_event = true;
                    for event in events.iter().filter_map(Event::of) {
                        asked.note(event);
                    }
                }
                "records" => {
                    for text in value
                        .split([',', ' ', '\n'])
                        .filter(|text| !text.is_empty())
                    {
                        let key = text
                            .split_once(':')
                            .and_then(|(kind, id)| RecordKey::parse(&format!("{kind}/{id}")));
                        asked.records.insert(key.filter(|key| of_splynx(key.kind)).ok_or_else(|| {
                            invalid(
                                "records",
                                "write kinds and Splynx ids, such as invoice:12,customer:5,credit-note:7,payment:9",
                            )
                        })?);
                    }
                }
                _ => {}
            }
        }
        if asked.records.is_empty() && !asked.by_event {
            return Err(invalid("records", "name at least one record"));
        }
        Ok(asked)
    }

    fn note(&mut self, event: Event) {
        let kind = match event.model {
            Model::Customer => Kind::Customer,
            Model::Invoice => Kind::Invoice,
            Model::CreditNote => Kind::CreditNote,
            Model::Payment => Kind::Payment,
        };
        let record = event.id.map(|id| RecordKey::new(kind, id));
        self.records.extend(record);
        if kind != Kind::Customer {
            let customer = event.customer.map(|id| RecordKey::new(Kind::Customer, id));
            self.customers.extend(customer);
        }
    }

    /// The ids of a kind.
    pub fn ids(&self, kind: Kind) -> Vec<i64> {
        self.records
            .iter()
            .filter(|key| key.kind == kind)
            .map(|key| key.id)
            .collect()
    }
}

fn of_splynx(kind: Kind) -> bool {
    matches!(
        kind,
        Kind::Customer | Kind::Invoice | Kind::CreditNote | Kind::Payment
    )
}

fn invalid(option: &str, cure: &str) -> Failure {
    Failure {
        more: vec![("field".to_owned(), option.to_owned())],
        ..Failure::new("invalid-option", format!("Option {option}: {cure}."))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(name: &str, value: &str) -> Result<Asked, Failure> {
        Asked::of(&[(name.to_owned(), value.to_owned())])
    }

    fn keys(set: &Set<RecordKey>) -> Vec<String> {
        set.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn events_name_records_and_whose_they_are_and_the_unknown_is_left_alone() {
        let events = r#"[
            {"type": "event", "data": {"model": "models\\common\\finance\\Invoices", "attributes": {"id": "12", "customer_id": "5"}}},
            {"data": {"model": "models\\common\\finance\\Invoices", "attributes": {"id": 12}, "customer_id": "5"}},
            {"data": {"model": "models\\common\\customers\\CustomerInfo", "attributes": {"customer_id": 6}}},
            {"data": {"model": "models\\admin\\administration\\Locations", "attributes": {"id": 1}}},
            {"data": {"model": "Payments", "attributes": {"id": null}}},
            {}, 7]"#;
        let asked = of("event", events).expect("a list");
        assert_eq!(
            keys(&asked.records),
            ["customer/000000000006", "invoice/000000000012"]
        );
        assert_eq!(keys(&asked.customers), ["customer/000000000005"]);
        assert!(asked.by_event);
        assert_eq!(
            of("event", "{}").expect_err("no list").code,
            "invalid-option"
        );
    }

    #[test]
    fn people_name_records_by_kind_and_id() {
        let asked = of("records", "invoice:12, customer:5\ncredit-note:7").expect("keys");
        assert_eq!(asked.ids(Kind::Invoice), [12]);
        assert_eq!(asked.ids(Kind::CreditNote), [7]);
        assert!(!asked.by_event);
        for wrong in [
            "",
            "invoice",
            "invoice:x",
            "bill:1",
            "receipt:1",
            "allocation:1",
        ] {
            assert_eq!(
                of("records", wrong).expect_err(wrong).code,
                "invalid-option"
            );
        }
    }
}
