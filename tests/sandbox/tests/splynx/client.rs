//! A client that signs every request, and short ways to look at what came back.

use chrono::{DateTime, TimeDelta, Utc};
use rust_decimal::Decimal;
use sandbox::http::{Request, Response, Service};
use sandbox::isp::{Isp, Size};
use sandbox::splynx::{Splynx, signature};
use serde_json::{Value, json};

pub struct Client {
    pub splynx: Splynx,
    pub now: DateTime<Utc>,
    pub key: String,
    pub secret: String,
    /// Ids of the provider's own customers.
    pub customers: Vec<i64>,
    /// One of the provider's own invoices.
    pub an_invoice: i64,
    nonce: i64,
}

impl Client {
    pub fn of(isp: &Isp) -> Self {
        let now = "2026-02-02T08:00:00Z".parse().expect("a date");
        Client {
            splynx: Splynx::from_isp(isp),
            now,
            key: isp.splynx.api_key.clone(),
            secret: isp.splynx.api_secret.clone(),
            customers: isp.customers.iter().map(|c| c.id).collect(),
            an_invoice: isp.invoices[0].id,
            nonce: 170_000_000_000,
        }
    }

    pub fn tiny() -> Self {
        Self::of(&Isp::seeded(Size::Tiny, 1))
    }

    pub fn authorization(&mut self) -> String {
        self.nonce += 1;
        let nonce = self.nonce.to_string();
        let signature = signature(&self.key, &self.secret, &nonce);
        let key = &self.key;
        format!("Splynx-EA (key={key}&nonce={nonce}&signature={signature})")
    }

    /// A signed request; `target` may carry an unencoded query.
    pub fn request(&mut self, method: &str, target: &str, body: &Value) -> Request {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let mut request = Request::new(method, &format!("/api/2.0/{path}"));
        request.query = query
            .split('&')
            .filter(|pair| !pair.is_empty())
            .map(|pair| {
                // Names end at the equals sign behind their last bracket, for values may begin with one.
                let start = pair.rfind(']').unwrap_or(0);
                let end = pair[start..].find('=').expect("a value") + start;
                (pair[..end].to_owned(), pair[end + 1..].to_owned())
            })
            .collect();
        request
            .headers
            .push(("authorization".to_owned(), self.authorization()));
        if !body.is_null() {
            request.body = body.to_string().into_bytes();
        }
        request
    }

    pub fn send(&mut self, request: &Request) -> Response {
        self.splynx.handle(request, self.now)
    }

    pub fn call(&mut self, method: &str, target: &str, body: Value) -> (u16, Value) {
        let request = self.request(method, target, &body);
        let response = self.send(&request);
        (response.status, body_of(&response))
    }

    pub fn get(&mut self, target: &str) -> Value {
        let (status, body) = self.call("GET", target, Value::Null);
        assert_eq!(status, 200, "GET {target}: {body}");
        body
    }

    pub fn rows(&mut self, target: &str) -> Vec<Value> {
        let body = self.get(target);
        body.as_array().expect("a bare array").clone()
    }

    pub fn ids(&mut self, target: &str) -> Vec<i64> {
        let rows = self.rows(target);
        rows.iter().map(|row| number(&row["id"])).collect()
    }

    /// Creates a record; its id.
    pub fn create(&mut self, path: &str, body: Value) -> i64 {
        let (status, answer) = self.call("POST", path, body);
        assert_eq!(status, 201, "POST {path}: {answer}");
        number(&answer["id"])
    }

    pub fn put(&mut self, path: &str, body: Value) {
        let (status, answer) = self.call("PUT", path, body);
        assert_eq!((status, answer), (202, Value::Null), "PUT {path}");
    }

    pub fn delete(&mut self, path: &str) {
        let (status, answer) = self.call("DELETE", path, Value::Null);
        assert_eq!((status, answer), (204, json!([])), "DELETE {path}");
    }

    pub fn customer(&mut self, name: &str) -> i64 {
        let body = json!({"name": name, "partner_id": 1, "location_id": 1, "category": "person"});
        self.create("admin/customers/customer", body)
    }

    /// An invoice of one untaxed line.
    pub fn invoice(&mut self, customer: i64, amount: &str) -> i64 {
        let line =
            json!({"description": "Line", "quantity": 1, "unit": "", "price": amount, "tax": "0"});
        self.create(
            "admin/finance/invoices",
            json!({"customer_id": customer, "status": "not_paid", "items": [line]}),
        )
    }

    pub fn payment(&mut self, customer: i64, amount: &str) -> i64 {
        self.create(
            "admin/finance/payments",
            json!({"customer_id": customer, "payment_type": 2, "date": "2026-02-01", "amount": amount}),
        )
    }

    pub fn balance(&mut self, customer: i64) -> Decimal {
        let billing = self.get(&format!("admin/customers/customer-billing/{customer}"));
        money(&billing["deposit"])
    }

    pub fn screen(&mut self, change: Value) -> Result<Value, String> {
        self.splynx.edit(&change, self.now)
    }

    /// Sets switches of the server.
    pub fn behave(&mut self, fields: Value) {
        self.screen(json!({"entity": "behaviour", "act": "update", "fields": fields}))
            .expect("switches that exist");
    }

    pub fn wait(&mut self, seconds: i64) {
        self.now += TimeDelta::seconds(seconds);
    }
}

pub fn body_of(response: &Response) -> Value {
    serde_json::from_slice(&response.body).unwrap_or(Value::Null)
}

pub fn number(value: &Value) -> i64 {
    match value {
        Value::String(text) => text.parse().expect("a number"),
        other => other.as_i64().expect("a number"),
    }
}

pub fn money(value: &Value) -> Decimal {
    match value {
        Value::String(text) => text.parse().expect("an amount"),
        other => other.to_string().parse().expect("an amount"),
    }
}
