//! Web hooks: who is told of what, as signed messages that wait to be delivered (Splynx API, hooks).
//!
//! Nothing is sent here: the server asks what is due and reports how it went. A failed delivery is tried again
//! after 1 min, 10 min and 1 h. Beware (on purpose): a hook can be told to lose, double, delay,
//! reorder and mis-sign its messages.

use chrono::{DateTime, TimeDelta, Utc};
use hmac::{Hmac, KeyInit, Mac};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Serialize;
use serde_json::{Map, Value, json};
use sha1::Sha1;

use super::record::{choices, record};
use super::table::Table;

/// Waiting times before the tries after the first.
const RETRIES: [TimeDelta; 3] = [
    TimeDelta::seconds(60),
    TimeDelta::seconds(600),
    TimeDelta::seconds(3600),
];

choices! {
    ContentType {
        Json = "application/json", Form = "application/x-www-form-urlencoded",
    }
}

record! {
    /// A web hook, as staff set it up; `events` lists `Model` or `Model/action`, empty means all.
    Hook {
        id: i64 = Shown "ID";
        title: String = May "Title";
        enabled: bool = May "Enabled";
        url: String = Must "URL";
        secret: String = May "Secret";
        content_type: ContentType = May "Content type";
        events: serde_json::Value = May "Events";
        /// Every nth message is lost; 0 = none.
        lose_every: i64 = May "Lose every";
        double: bool = May "Send twice";
        delay_seconds: i64 = May "Delay";
        newest_first: bool = May "Newest first";
        bad_signature: bool = May "Bad signature";
    }
}

/// A message that waits to be sent as a POST.
#[derive(Debug, Clone, Serialize)]
pub struct Delivery {
    pub id: u64,
    pub hook_id: i64,
    pub due: DateTime<Utc>,
    pub url: String,
    pub content_type: String,
    /// Of `X-Splynx-Signature`; a ping has none.
    pub signature: Option<String>,
    pub body: String,
    /// Tries that failed.
    pub failed: usize,
}

#[derive(Debug, Clone, Default)]
pub struct Hooks {
    pub hooks: Table<Hook>,
    waiting: Vec<Delivery>,
    last_delivery: u64,
    events: i64,
}

/// What happened to a record.
pub struct Event<'a> {
    /// PHP class name.
    pub model: &'a str,
    pub action: &'a str,
    pub source: &'a str,
    pub administrator: Option<i64>,
    /// The record in text style; after a deletion, as it was.
    pub attributes: Map<String, Value>,
    /// The fields that an edit changed, with their new values.
    pub changed: Option<Map<String, Value>>,
    pub local: chrono::NaiveDateTime,
    pub now: DateTime<Utc>,
}

/// HMAC-SHA1 of a raw body in lower-case hex.
pub fn signature(secret: &str, body: &str) -> String {
    let mut mac =
        Hmac::<Sha1>::new_from_slice(secret.as_bytes()).expect("HMAC takes keys of any length");
    mac.update(body.as_bytes());
    hex::encode(mac.finalize().into_bytes())
}

impl Hooks {
    /// The connection test that goes out when a hook is made.
    pub fn ping(&mut self, hook: i64, now: DateTime<Utc>) {
        if let Some(hook) = self.hooks.get(hook).cloned() {
            self.queue(&hook, &json!({"type": "ping"}), false, now);
        }
    }

    /// Queues an event for every hook that wants it.
    pub fn emit(&mut self, event: Event) {
        let wanting: Vec<Hook> = self
            .hooks
            .iter()
            .filter(|hook| hook.enabled && hook.wants(&event))
            .cloned()
            .collect();
        for hook in wanting {
            self.events += 1;
            if hook.lose_every > 0 && self.events % hook.lose_every == 0 {
                continue;
            }
            let payload = event.payload(hook.id);
            for _ in 0..=usize::from(hook.double) {
                self.queue(&hook, &payload, true, event.now);
            }
        }
    }

    fn queue(&mut self, hook: &Hook, payload: &Value, signed: bool, now: DateTime<Utc>) {
        let (content_type, body) = match hook.content_type {
            ContentType::Json => ("application/json", payload.to_string()),
            ContentType::Form => ("application/x-www-form-urlencoded", form(payload)),
        };
        let secret = if hook.bad_signature {
            "another secret"
        } else {
            &hook.secret
        };
        self.last_delivery += 1;
        self.waiting.push(Delivery {
            id: self.last_delivery,
            hook_id: hook.id,
            due: now + TimeDelta::seconds(hook.delay_seconds.clamp(0, 86_400)),
            url: hook.url.clone(),
            content_type: content_type.to_owned(),
            signature: signed.then(|| signature(secret, &body)),
            body,
            failed: 0,
        });
    }

    /// All that waits, due or not.
    pub fn waiting(&self) -> &[Delivery] {
        &self.waiting
    }

    /// What is to be sent now, in the order of sending.
    pub fn due(&self, now: DateTime<Utc>) -> Vec<Delivery> {
        let newest_first = |id| self.hooks.get(id).is_some_and(|hook| hook.newest_first);
        let mut due: Vec<Delivery> = self
            .waiting
            .iter()
            .filter(|delivery| delivery.due <= now)
            .cloned()
            .collect();
        due.sort_by_key(|delivery| {
            if newest_first(delivery.hook_id) {
                u64::MAX - delivery.id
            } else {
                delivery.id
            }
        });
        due
    }

    /// How sending went: done, or to be tried again later, or given up.
    pub fn report(&mut self, id: u64, received: bool, now: DateTime<Utc>) {
        let Some(index) = self.waiting.iter().position(|delivery| delivery.id == id) else {
            return;
        };
        let delivery = &mut self.waiting[index];
        match RETRIES.get(delivery.failed) {
            Some(wait) if !received => {
                delivery.failed += 1;
                delivery.due = now + *wait;
            }
            _ => {
                self.waiting.remove(index);
            }
        }
    }
}

impl Hook {
    fn wants(&self, event: &Event) -> bool {
        let model = event.model.rsplit('\\').next().unwrap_or_default();
        match self.events.as_array() {
            Some(events) if !events.is_empty() => events.iter().any(|wanted| {
                let wanted = wanted.as_str().unwrap_or_default();
                let (name, action) = wanted.split_once('/').unwrap_or((wanted, event.action));
                name.eq_ignore_ascii_case(model) && action == event.action
            }),
            _ => true,
        }
    }
}

impl Event<'_> {
    fn payload(&self, hook: i64) -> Value {
        let mut attributes = self.attributes.clone();
        let additional = attributes
            .remove("additional_attributes")
            .filter(|texts| texts.as_object().is_some_and(|object| !object.is_empty()))
            .unwrap_or_else(|| json!([]));
        let customer = attributes.get("customer_id").cloned();
        json!({
            "type": "event",
            "call": "",
            "data": {
                "source": self.source,
                "model": self.model,
                "action": self.action,
                "date": self.local.format("%Y-%m-%d").to_string(),
                "time": self.local.format("%H:%M:%S").to_string(),
                "administrator_id": self.administrator.map(|id| id.to_string()),
                "customer_id": customer,
                "result": "success",
                "attributes": attributes,
                "attributes_additional": additional,
                "changed_attributes": self.changed,
                "extra": null,
                "errors": null,
                "ip": "127.0.0.1",
                "hook_id": hook,
            }
        })
    }
}

/// A payload as PHP writes nested forms: `data[attributes][id]=601`.
fn form(payload: &Value) -> String {
    let mut pairs = Vec::new();
    flatten(String::new(), payload, &mut pairs);
    pairs.join("&")
}

fn flatten(name: String, value: &Value, pairs: &mut Vec<String>) {
    let encode = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
    let below = |key: &str| {
        if name.is_empty() {
            key.to_owned()
        } else {
            format!("{name}[{key}]")
        }
    };
    match value {
        Value::Object(fields) => {
            for (key, value) in fields {
                flatten(below(key), value, pairs);
            }
        }
        Value::Array(values) => {
            for (index, value) in values.iter().enumerate() {
                flatten(below(&index.to_string()), value, pairs);
            }
        }
        Value::Null => {}
        Value::String(text) => pairs.push(format!("{}={}", encode(&name), encode(text))),
        other => pairs.push(format!("{}={}", encode(&name), encode(&other.to_string()))),
    }
}
