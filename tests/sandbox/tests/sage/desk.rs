//! A client of the stand-in, as plain as can be: it holds the clock and the credentials, and reads JSON.

use std::str::FromStr;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, Duration, TimeZone, Utc};
use rust_decimal::Decimal;
use sandbox::http::{Request, Response, Service};
use sandbox::isp::{Isp, Size};
use sandbox::sage::{Behaviour, Sage};
use serde_json::{Value, json};

pub const STANDARD_RATE: i64 = 301;
pub const ZERO_RATE: i64 = 302;
pub const ITEM: i64 = 2001;
pub const BANK: i64 = 501;
pub const SALES_ACCOUNT: i64 = 9001;

pub struct Desk {
    pub sage: Sage,
    pub isp: Isp,
    pub now: DateTime<Utc>,
}

/// An answer, with its body read as JSON where it is JSON.
#[derive(Debug, Clone)]
pub struct Answer {
    pub status: u16,
    pub body: Value,
    pub raw: Response,
}

impl Answer {
    pub fn id(&self) -> i64 {
        self.body["ID"]
            .as_i64()
            .unwrap_or_else(|| panic!("no ID in {self:?}"))
    }

    /// The text of a refusal in the default shape.
    pub fn text(&self) -> &str {
        self.body.as_str().unwrap_or_default()
    }
}

impl Desk {
    /// An empty company without request limits.
    pub fn new() -> Self {
        Self::with(Behaviour::default())
    }

    pub fn with(behaviour: Behaviour) -> Self {
        let mut desk = Self::of(Isp::seeded(Size::Tiny, 1), false);
        *desk.sage.behaviour_mut() = behaviour;
        desk
    }

    pub fn of(isp: Isp, in_step: bool) -> Self {
        let mut sage = Sage::from_isp(&isp, in_step);
        sage.set_limits(false);
        let now = Utc
            .with_ymd_and_hms(2031, 5, 14, 7, 3, 21)
            .single()
            .expect("a moment");
        Self { sage, isp, now }
    }

    /// A request that nothing is wrong with.
    pub fn request(&self, verb: &str, path: &str, query: &[(&str, &str)], body: &Value) -> Request {
        let mut request = Request::new(verb, &format!("/api/2.0.0/{path}"));
        let key = format!("{{{}}}", self.isp.sage.api_key);
        let company = self.isp.sage.id.to_string();
        request.query = [("apikey", key.as_str()), ("CompanyId", company.as_str())]
            .iter()
            .chain(query)
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        let login = format!("{}:{}", self.isp.sage.login, self.isp.sage.password);
        request
            .headers
            .push(("authorization".to_owned(), basic(&login)));
        if verb == "POST" {
            request
                .headers
                .push(("content-type".to_owned(), "application/json".to_owned()));
            request.body = body.to_string().into_bytes();
        }
        request
    }

    pub fn send(&mut self, request: &Request) -> Answer {
        let raw = self.sage.handle(request, self.now);
        let body = serde_json::from_slice(&raw.body).unwrap_or(Value::Null);
        Answer {
            status: raw.status,
            body,
            raw,
        }
    }

    pub fn get(&mut self, path: &str, query: &[(&str, &str)]) -> Answer {
        let request = self.request("GET", path, query, &Value::Null);
        self.send(&request)
    }

    pub fn post(&mut self, path: &str, body: &Value) -> Answer {
        let request = self.request("POST", path, &[], body);
        self.send(&request)
    }

    /// Saves a document under its own number.
    pub fn post_numbered(&mut self, path: &str, body: &Value) -> Answer {
        let query = [("useSystemDocumentNumber", "false")];
        let request = self.request("POST", path, &query, body);
        self.send(&request)
    }

    pub fn delete(&mut self, path: &str) -> Answer {
        let request = self.request("DELETE", path, &[], &Value::Null);
        self.send(&request)
    }

    pub fn pass(&mut self, seconds: i64) {
        self.now += Duration::seconds(seconds);
    }

    pub fn edit(&mut self, change: Value) -> Result<Value, String> {
        self.sage.edit(&change, self.now)
    }

    /// All that is stored, without the request counts.
    pub fn stored(&self) -> Value {
        let mut state = self.sage.state();
        state.as_object_mut().expect("an object").remove("requests");
        state
    }

    pub fn customer(&mut self, name: &str) -> i64 {
        let answer = self.post("Customer/Save", &json!({"Name": name, "Active": true}));
        assert_eq!(answer.status, 201, "{answer:?}");
        answer.id()
    }

    pub fn invoice(&mut self, customer: i64, gross: &str) -> i64 {
        let answer = self.post("TaxInvoice/Save", &document(customer, gross));
        assert_eq!(answer.status, 201, "{answer:?}");
        answer.id()
    }

    pub fn receipt(&mut self, customer: i64, total: &str) -> i64 {
        let answer = self.post("CustomerReceipt/Save", &receipt(customer, total));
        assert_eq!(answer.status, 201, "{answer:?}");
        answer.id()
    }
}

pub fn basic(login: &str) -> String {
    format!("Basic {}", STANDARD.encode(login))
}

/// An inclusive document of one line at the standard rate.
pub fn document(customer: i64, gross: &str) -> Value {
    json!({
        "CustomerId": customer, "Date": "2031-05-14", "DueDate": "2031-05-31", "Inclusive": true,
        "Lines": [{
            "LineType": 1, "SelectionId": SALES_ACCOUNT, "TaxTypeId": STANDARD_RATE,
            "Description": "Fibre 50 May 2031", "Quantity": 1, "UnitPriceInclusive": amount(gross),
        }],
    })
}

pub fn receipt(customer: i64, total: &str) -> Value {
    json!({
        "CustomerId": customer, "Date": "2031-05-20", "Total": amount(total), "BankAccountId": BANK,
        "PaymentMethod": 4, "Reference": "", "Description": "EFT", "Comments": "",
    })
}

pub fn amount(text: &str) -> Value {
    serde_json::from_str(text).expect("a number")
}

/// A number of an answer.
pub fn dec(value: &Value) -> Decimal {
    match value {
        Value::Number(number) => Decimal::from_str(&number.to_string()).expect("a decimal"),
        other => panic!("{other} is no number"),
    }
}

/// A body with some properties changed; null takes one away.
pub fn but(mut body: Value, changes: Value) -> Value {
    let object = body.as_object_mut().expect("an object");
    for (name, value) in changes.as_object().expect("an object") {
        object.insert(name.clone(), value.clone());
    }
    body
}
