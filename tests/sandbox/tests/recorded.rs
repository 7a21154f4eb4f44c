//! What real services were seen to answer, in our own words and with invented values (`recorded/`): the stand-ins answer in the same shape.
//! That the add-on reads the same files is another test's (`simulation`, `recorded`). And what public clients ask, the stand-ins answer.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, Days, NaiveTime, Utc};
use sandbox::facts;
use sandbox::faults::Party;
use sandbox::http::{Request, Response, Service};
use sandbox::isp::{Isp, Size};
use sandbox::sage::Sage;
use sandbox::splynx::{Splynx, signature};
use serde_json::{Value, json};

/// Both stand-ins of one provider, in the morning after its history.
struct Services {
    isp: Isp,
    sage: Sage,
    splynx: Splynx,
    now: DateTime<Utc>,
    nonce: i64,
}

impl Services {
    fn new() -> Self {
        let isp = Isp::seeded(Size::Small, 1);
        let morning = (isp.today + Days::new(1)).and_time(NaiveTime::MIN);
        Self {
            sage: Sage::from_isp(&isp, true),
            splynx: Splynx::from_isp(&isp),
            now: morning.and_utc(),
            nonce: 0,
            isp,
        }
    }

    fn ask(&mut self, service: Party, ask: &Value) -> Response {
        let text = |field: &str| ask[field].as_str().unwrap_or_default();
        let path = self.path(service, text("path"));
        let mut request = Request::new(text("method"), &path);
        for (name, value) in ask["query"].as_object().into_iter().flatten() {
            let value = value.as_str().unwrap_or_default().to_owned();
            request.query.push((name.clone(), value));
        }
        if let Some(body) = ask.get("body") {
            request.body = body.to_string().into_bytes();
            let json = "application/json".to_owned();
            request.headers.push(("content-type".to_owned(), json));
        }
        match service {
            Party::Sage => {
                self.let_in_to_sage(&mut request, text("as"));
                self.sage.handle(&request, self.now)
            }
            Party::Splynx => {
                self.let_in_to_splynx(&mut request, text("as"));
                self.splynx.handle(&request, self.now)
            }
        }
    }

    /// `{invoices}` stands for the id of the first of them.
    fn path(&self, service: Party, path: &str) -> String {
        let root = match service {
            Party::Sage => "/api/2.0.0/",
            Party::Splynx => "/api/2.0/",
        };
        let Some((before, rest)) = path.split_once('{') else {
            return format!("{root}{path}");
        };
        let entity = rest.trim_end_matches('}');
        let (rows, key) = match service {
            Party::Sage => (self.sage.rows(entity), "ID"),
            Party::Splynx => (self.splynx.rows(entity), "id"),
        };
        format!("{root}{before}{}", rows[0][key])
    }

    fn let_in_to_sage(&self, request: &mut Request, who: &str) {
        let of = &self.isp.sage;
        let (login, password) = match who {
            "wrong password" => (of.login.as_str(), "wrong"),
            "nobody" => ("", ""),
            _ => (of.login.as_str(), of.password.as_str()),
        };
        let key = if who == "wrong key" {
            "wrong"
        } else {
            &of.api_key
        };
        let basic = format!("Basic {}", STANDARD.encode(format!("{login}:{password}")));
        request.headers.push(("authorization".to_owned(), basic));
        request.query.push(("apikey".to_owned(), key.to_owned()));
        request
            .query
            .push(("CompanyId".to_owned(), of.id.to_string()));
    }

    fn let_in_to_splynx(&mut self, request: &mut Request, who: &str) {
        self.nonce += 1;
        let of = &self.isp.splynx;
        let secret = if who == "wrong key" {
            "wrong"
        } else {
            &of.api_secret
        };
        let proof = signature(&of.api_key, secret, &self.nonce.to_string());
        let header = format!(
            "Splynx-EA (key={}&nonce={}&signature={proof})",
            of.api_key, self.nonce
        );
        request.headers.push(("authorization".to_owned(), header));
    }
}

/// How a text is written, where it is more than words: decimals of an amount, parts of a date or moment and its zone.
fn form(text: &str) -> String {
    let is_plain = !text.starts_with(|c: char| c.is_ascii_digit())
        || text
            .chars()
            .any(|c| !c.is_ascii_digit() && !"-:.TZ ".contains(c));
    if is_plain {
        return "words".to_owned();
    }
    match text.split_once('.') {
        // How long the fraction of a second is, depends on the second.
        Some((moment, _)) if moment.contains('T') => form(moment),
        Some((_, decimals)) => format!("amount of {} places", decimals.len()),
        None if text.contains(['-', ':']) && text.len() >= 10 => {
            text.replace(|c: char| c.is_ascii_digit(), "9")
        }
        None => "words".to_owned(),
    }
}

/// What of a recorded answer the made one does not have in the same form.
fn differences(place: &str, recorded: &Value, made: &Value, found: &mut Vec<String>) {
    match (recorded, made) {
        (Value::Object(recorded), Value::Object(made)) => {
            for (name, value) in recorded {
                match made.get(name) {
                    Some(made) => differences(&format!("{place}.{name}"), value, made, found),
                    None => found.push(format!("{place}.{name} is not there")),
                }
            }
        }
        (Value::Array(recorded), Value::Array(made)) => {
            // Rows of one list have one shape: the first that differs in none counts.
            let Some(wanted) = recorded.first() else {
                return;
            };
            let tries = made.iter().map(|made| {
                let mut found = Vec::new();
                differences(place, wanted, made, &mut found);
                found
            });
            match tries.min_by_key(Vec::len) {
                Some(fewest) => found.extend(fewest),
                None => found.push(format!("{place} has no row")),
            }
        }
        (Value::String(recorded), Value::String(made))
            if recorded.is_empty() || made.is_empty() => {}
        (Value::String(recorded), Value::String(made)) if form(recorded) == form(made) => {}
        (Value::Number(recorded), Value::Number(made)) => {
            let whole = |number: &serde_json::Number| !number.to_string().contains('.');
            // Splynx's own numbers lose what is zero behind the point.
            if whole(recorded) && !whole(made) {
                found.push(format!("{place} is {made}, not whole"));
            }
        }
        (Value::Bool(_), Value::Bool(_)) | (Value::Null, Value::Null) => {}
        _ => found.push(format!("{place} is {made}, not like {recorded}")),
    }
}

fn recorded(service: Party) -> Vec<Value> {
    let text = match service {
        Party::Sage => include_str!("../recorded/sage.json"),
        Party::Splynx => include_str!("../recorded/splynx.json"),
    };
    serde_json::from_str(text).expect("a list")
}

#[test]
fn the_stand_ins_answer_in_the_shape_of_what_was_recorded() {
    for service in [Party::Sage, Party::Splynx] {
        for entry in recorded(service) {
            let what = entry["what"].as_str().expect("what it is");
            let known = |id: &Value| facts::facts(service).iter().any(|fact| *id == fact.id);
            let cited = entry["facts"].as_array().expect("facts");
            assert!(!cited.is_empty() && cited.iter().all(known), "{what}");

            let mut services = Services::new();
            if let Some(fields) = entry
                .get("behaviour")
                .filter(|fields| **fields != json!({}))
            {
                let change = json!({"entity": "behaviour", "act": "update", "fields": fields});
                services.sage.edit(&change, services.now).expect("switches");
            }
            let made = services.ask(service, &entry["ask"]);
            let answer = &entry["answer"];
            assert_eq!(json!(made.status), answer["status"], "{what}");
            for (name, value) in answer["headers"].as_object().into_iter().flatten() {
                let header = made.headers.iter().find(|(found, _)| found == name);
                assert_eq!(
                    header.map(|(_, value)| value.as_str()),
                    value.as_str(),
                    "{what}"
                );
            }
            let body: Option<Value> = serde_json::from_slice(&made.body).ok();
            match (answer.get("body"), body) {
                (Some(recorded), Some(body)) => {
                    let mut found = Vec::new();
                    differences("", recorded, &body, &mut found);
                    assert!(found.is_empty(), "{what}: {found:#?}");
                    let absent = entry["absent"].as_array().into_iter().flatten();
                    for field in absent.filter_map(Value::as_str) {
                        assert!(body.get(field).is_none(), "{what}: {field}");
                    }
                }
                (None, body) => assert!(body.is_none(), "{what}: it is no JSON"),
                (Some(_), None) => panic!("{what}: {}", String::from_utf8_lossy(&made.body)),
            }
        }
    }
}

/// Requests of public clients of Sage that this add-on does not make.
#[test]
fn what_public_clients_ask_of_sage_is_answered() {
    let mut services = Services::new();
    let mut rows = |path: &str, filter: &str| {
        let query = json!({"$filter": filter});
        let query = if filter.is_empty() { json!({}) } else { query };
        let ask = json!({"method": "GET", "path": path, "query": query});
        let answer = services.ask(Party::Sage, &ask);
        let body: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
        (answer.status, body["Results"].as_array().map(Vec::len))
    };
    for list in [
        "AccountCategory",
        "Currency",
        "DocumentMessage",
        "SalesOrder",
    ] {
        assert_eq!(rows(&format!("{list}/Get"), ""), (200, Some(0)));
        assert_eq!(rows(&format!("{list}/Get/1"), ""), (404, None));
        assert_eq!(rows(&format!("{list}/Fetch"), ""), (404, None));
    }
    let standard = (200, Some(2));
    assert_eq!(rows("TaxType/Get", "startswith(Name,'standard')"), standard);
    assert_eq!(
        rows("TaxType/Get", "startswith(Name,'Standard') eq true"),
        standard
    );
    assert_eq!(
        rows("TaxType/Get", "startswith(Name,'Standard') eq false"),
        (200, Some(1))
    );
    assert_eq!(
        rows(
            "TaxType/Get",
            "startswith(Name,'Standard') and Percentage eq 0.15"
        ),
        (200, Some(1))
    );
    assert_eq!(rows("TaxType/Get", "startswith(Percentage,'0')").0, 400);

    // A truth as a number, as the library reads it that Sage is built on.
    let [customer, item] =
        ["customers", "items"].map(|list| services.sage.rows(list)[0]["ID"].clone());
    for (inclusive, total) in [(json!(1), "115.0"), (json!(0), "132.25")] {
        let line = json!({"SelectionId": item, "TaxTypeId": services.isp.sage.tax_types[0].id, "Quantity": "1", "UnitPriceInclusive": 115, "UnitPriceExclusive": 115});
        let document = json!({"CustomerId": customer, "Date": "2026-02-01", "DueDate": "2026-02-01", "Inclusive": inclusive, "Lines": [line]});
        let ask = json!({"method": "POST", "path": "TaxInvoice/Calculate", "body": document});
        let answer = services.ask(Party::Sage, &ask);
        let body: Value = serde_json::from_slice(&answer.body).expect("JSON");
        assert_eq!(body["Total"].to_string(), total, "{body}");
    }
}
