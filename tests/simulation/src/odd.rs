//! Odd answers, put in the place of a service's own to one kind of request.
//!
//! A kind is what the add-on means by a request: service, method, path without ids, and the shape of the search. Beware: an odd answer
//! that is a success comes after the service has acted, one that is a refusal comes instead.

use std::collections::BTreeSet;

use mock_host::contract::Request;
use sandbox::http::{self, Response};
use serde_json::{Map, Value, json};

/// What comes instead.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Odd {
    /// A refusal or trouble, as the service words it.
    Status(u16),
    /// 411, 403 and the like from a server in front.
    PageWith(u16),
    /// 500, after the service has acted.
    ErrorAfter,
    /// Nothing in time, after the service has acted.
    NoAnswer,
    /// 200 with a web page.
    Page,
    /// 200 without a body.
    Empty,
    Null,
    EmptyList,
    /// The first row alone, or an object without rows.
    ObjectForList,
    ListForObject,
    /// `{"0": …, "1": …}`.
    Numbered,
    /// The rows that would come without the search.
    FilterIgnored,
    /// One row only, of however many.
    ShortPage,
    IdsAsTexts,
    /// Amounts as a float with seventeen digits is printed.
    Floats,
    /// Nothing but the ids.
    MissingFields,
    AdditionalFields,
    EmptyTexts,
    /// Words that nobody documents, where one of a few is expected.
    UnknownWords,
    /// A byte-order mark before the body.
    Marked,
    /// What a server prints behind the body that a script has made.
    Trailing,
    /// The first half of the body.
    Cut,
    /// Another success than is usual: 201.
    Created,
    /// 204, of which nobody reads a body.
    NoContent,
    /// 200 with the object that tells of an error.
    ErrorObject,
    /// `Results` are null, and so many in all.
    ResultsNull,
    /// Lists do not say how many there are.
    WithoutTotals,
    IdsAsFloats,
    AmountsAsTexts,
    /// `true` as 1.
    FlagsAsNumbers,
    /// `true` as "True".
    FlagsAsTexts,
}

impl Odd {
    pub const ALL: &'static [Self] = &[
        Self::Status(400),
        Self::Status(401),
        Self::Status(402),
        Self::Status(403),
        Self::Status(404),
        Self::Status(405),
        Self::Status(409),
        Self::Status(429),
        Self::Status(500),
        Self::Status(503),
        // A page of welcome in the place of the service, and being sent to one.
        Self::PageWith(200),
        Self::PageWith(302),
        Self::PageWith(403),
        Self::PageWith(404),
        Self::PageWith(411),
        Self::ErrorAfter,
        Self::NoAnswer,
        Self::Page,
        Self::Empty,
        Self::Null,
        Self::EmptyList,
        Self::ObjectForList,
        Self::ListForObject,
        Self::Numbered,
        Self::FilterIgnored,
        Self::ShortPage,
        Self::IdsAsTexts,
        Self::Floats,
        Self::MissingFields,
        Self::AdditionalFields,
        Self::EmptyTexts,
        Self::UnknownWords,
        Self::Marked,
        Self::Trailing,
        Self::Cut,
        Self::Created,
        Self::NoContent,
        Self::ErrorObject,
        Self::ResultsNull,
        Self::WithoutTotals,
        Self::IdsAsFloats,
        Self::AmountsAsTexts,
        Self::FlagsAsNumbers,
        Self::FlagsAsTexts,
    ];

    /// Whether the service sees the request.
    pub fn lets_it_act(self) -> bool {
        !matches!(self, Self::Status(_) | Self::PageWith(_))
    }

    /// The answer; `own` is the service's, where it acted. `None`: there is none.
    pub fn answer(self, own: Option<Response>) -> Option<Response> {
        (self != Self::NoAnswer).then(|| self.made_of(own))
    }

    fn made_of(self, own: Option<Response>) -> Response {
        let status = own.as_ref().map_or(200, |own| own.status);
        let body = own
            .as_ref()
            .and_then(|own| serde_json::from_slice::<Value>(&own.body).ok());
        let changed = |change: fn(Value) -> Value| match (&own, body.clone()) {
            (Some(own), Some(body)) => Response {
                body: change(body).to_string().into_bytes(),
                ..own.clone()
            },
            (Some(own), None) => own.clone(),
            (None, _) => Response::empty(500),
        };
        match self {
            Self::Status(code) => Response::json(code, &json!({"Message": "It is not to be had."})),
            Self::PageWith(code) => page(code),
            Self::ErrorAfter => Response::json(500, &json!({"Message": "An error has occurred."})),
            Self::Page => page(200),
            Self::Empty => Response::empty(status),
            Self::Null => Response::json(status, &Value::Null),
            Self::EmptyList => Response::json(status, &json!([])),
            Self::ObjectForList => changed(|body| {
                let first = rows_of(&body).and_then(<[Value]>::first).cloned();
                first.unwrap_or_else(|| json!({"note": "no rows"}))
            }),
            Self::ListForObject => changed(|body| match rows_of(&body) {
                Some(rows) => Value::from(rows.to_vec()),
                None => json!([body]),
            }),
            Self::Numbered => changed(|body| {
                with_rows(body, |rows| {
                    let numbered = rows.into_iter().enumerate();
                    Value::Object(
                        numbered
                            .map(|(place, row)| (place.to_string(), row))
                            .collect(),
                    )
                })
            }),
            Self::ShortPage => changed(|body| {
                with_rows(body, |mut rows| {
                    rows.truncate(1);
                    Value::Array(rows)
                })
            }),
            Self::IdsAsTexts => changed(|body| {
                each_field(body, &|name, value| match value {
                    Value::Number(number) if is_id(name) => number.to_string().into(),
                    value => value,
                })
            }),
            Self::Floats => changed(|body| {
                each_field(body, &|name, value| match &value {
                    Value::Number(number) if is_amount(name) => {
                        seventeen_digits(&number.to_string()).unwrap_or(value)
                    }
                    _ => value,
                })
            }),
            Self::MissingFields => changed(|body| {
                each_object(body, &|mut object| {
                    object.retain(|name, _| {
                        matches!(name.as_str(), "ID" | "id" | "Results" | "TotalResults")
                    });
                    object
                })
            }),
            Self::AdditionalFields => changed(|body| {
                each_object(body, &|mut object| {
                    object.insert("Surprise".to_owned(), json!({"ID": 7, "id": 7}));
                    object.insert("surprises".to_owned(), json!([1, "two", null]));
                    object
                })
            }),
            Self::EmptyTexts => changed(|body| {
                each_field(body, &|name, value| match value {
                    Value::String(_)
                        if !is_amount(name) && !name.to_lowercase().contains("date") =>
                    {
                        "".into()
                    }
                    value => value,
                })
            }),
            Self::UnknownWords => changed(|body| {
                each_field(body, &|name, value| {
                    let is_word = matches!(
                        name,
                        "status"
                            | "type"
                            | "category"
                            | "StatusId"
                            | "Status"
                            | "payd_from_deposit"
                    );
                    match value {
                        Value::String(text) if is_word && text.parse::<f64>().is_err() => {
                            "brand_new".into()
                        }
                        Value::Number(_) if name == "StatusId" => 77.into(),
                        value => value,
                    }
                })
            }),
            Self::Marked => with_bytes(own, |body| [b"\xef\xbb\xbf", body].concat()),
            Self::Trailing => with_bytes(own, |body| {
                [body, b"\n<br />\n<b>Notice</b>: Undefined index"].concat()
            }),
            Self::Cut => with_bytes(own, |body| body[..body.len() / 2].to_vec()),
            Self::Created => Response {
                status: if status == 200 { 201 } else { status },
                ..own.unwrap_or_else(|| Response::empty(500))
            },
            Self::NoContent => Response::empty(204),
            Self::ErrorObject => {
                Response::json(status, &json!({"Message": "An error has occurred."}))
            }
            Self::ResultsNull => changed(|mut body| {
                if let Some(rows) = body.get_mut("Results") {
                    *rows = Value::Null;
                }
                body
            }),
            Self::WithoutTotals => changed(|body| {
                each_object(body, &|mut object| {
                    object.retain(|name, _| !is_count(name));
                    object
                })
            }),
            Self::IdsAsFloats => changed(|body| {
                each_field(body, &|name, value| match &value {
                    Value::Number(number) if is_id(name) => {
                        serde_json::from_str(&format!("{number}.0")).unwrap_or(value)
                    }
                    _ => value,
                })
            }),
            Self::AmountsAsTexts => changed(|body| {
                each_field(body, &|name, value| match value {
                    Value::Number(number) if is_amount(name) || is_count(name) => {
                        number.to_string().into()
                    }
                    value => value,
                })
            }),
            Self::FlagsAsNumbers => changed(|body| with_flags(body, &|is| i32::from(is).into())),
            Self::FlagsAsTexts => {
                changed(|body| with_flags(body, &|is| if is { "True" } else { "False" }.into()))
            }
            // What makes the difference is the request, or that nothing comes.
            Self::FilterIgnored | Self::NoAnswer => own.unwrap_or_else(|| Response::empty(500)),
        }
    }

    /// The request as the service gets it.
    pub fn request(self, wire: &http::Request) -> http::Request {
        let mut wire = wire.clone();
        if self == Self::FilterIgnored {
            wire.query.retain(|(name, _)| {
                name != "$filter" && name != "customer_id" && !name.starts_with("main_attributes")
            });
        }
        wire
    }
}

fn page(status: u16) -> Response {
    let body = "<!DOCTYPE html><html><body><h1>One moment, please</h1></body></html>";
    Response::text(status, "text/html", body)
}

fn with_bytes(own: Option<Response>, change: fn(&[u8]) -> Vec<u8>) -> Response {
    let own = own.unwrap_or_else(|| Response::empty(500));
    Response {
        body: change(&own.body),
        ..own
    }
}

fn with_flags(body: Value, write: &dyn Fn(bool) -> Value) -> Value {
    each_field(body, &|_, value| match value {
        Value::Bool(is) => write(is),
        value => value,
    })
}

/// The rows of a list, with or without Sage's envelope.
fn rows_of(body: &Value) -> Option<&[Value]> {
    let rows = body.get("Results").unwrap_or(body);
    rows.as_array().map(Vec::as_slice)
}

fn with_rows(mut body: Value, change: fn(Vec<Value>) -> Value) -> Value {
    let rows = match body.get_mut("Results") {
        Some(rows) => rows,
        None => &mut body,
    };
    *rows = match rows.take() {
        Value::Array(all) => change(all),
        other => other,
    };
    body
}

fn each_object(body: Value, change: &dyn Fn(Map<String, Value>) -> Map<String, Value>) -> Value {
    match body {
        Value::Array(values) => values
            .into_iter()
            .map(|value| each_object(value, change))
            .collect(),
        Value::Object(object) => {
            let parts = object
                .into_iter()
                .map(|(name, value)| (name, each_object(value, change)));
            Value::Object(change(parts.collect()))
        }
        value => value,
    }
}

fn each_field(body: Value, change: &dyn Fn(&str, Value) -> Value) -> Value {
    each_object(body, &|object| {
        let fields = object.into_iter().map(|(name, value)| {
            let value = change(&name, value);
            (name, value)
        });
        fields.collect()
    })
}

fn is_id(name: &str) -> bool {
    name == "ID" || name == "id" || name.ends_with("Id") || name.ends_with("_id")
}

fn is_count(name: &str) -> bool {
    matches!(name, "TotalResults" | "ReturnedResults")
}

fn is_amount(name: &str) -> bool {
    matches!(
        name.to_lowercase().as_str(),
        "total"
            | "due"
            | "amount"
            | "price"
            | "remind_amount"
            | "amountdue"
            | "totalunallocated"
            | "tax"
            | "exclusive"
    )
}

/// As PHP prints a float where `serialize_precision` is 17.
fn seventeen_digits(text: &str) -> Option<Value> {
    let float: f64 = text.parse().ok()?;
    let whole = float.abs().trunc().to_string().len();
    let places = 17_usize.checked_sub(whole)?;
    let long = format!("{float:.places$}");
    let long = if long.contains('.') {
        long.trim_end_matches('0').trim_end_matches('.')
    } else {
        &long
    };
    serde_json::from_str(long).ok()
}

/// One kind of request, with the odd answer that it gets.
#[derive(Debug, Clone)]
pub struct Rule {
    pub kind: String,
    pub odd: Odd,
    /// How often yet.
    pub times: u32,
}

/// What the world does about odd answers, and the kinds of request that it saw.
#[derive(Debug, Clone, Default)]
pub struct Oddities {
    pub rule: Option<Rule>,
    pub seen: BTreeSet<String>,
}

impl Oddities {
    /// What comes instead of the answer to this request.
    pub fn on(&mut self, request: &Request) -> Option<Odd> {
        let kind = kind_of(request);
        let rule = self
            .rule
            .as_mut()
            .filter(|rule| rule.kind == kind && rule.times > 0);
        let odd = rule.map(|rule| {
            rule.times -= 1;
            rule.odd
        });
        self.seen.insert(kind);
        odd
    }
}

/// `sage GET TaxInvoice/Get ($filter: ID gt #) …`.
pub fn kind_of(request: &Request) -> String {
    let path = without_numbers(&request.path);
    let mut shape: Vec<String> = Vec::new();
    for (name, value) in &request.query {
        let part = match name.as_str() {
            "CompanyId" | "useSystemDocumentNumber" => continue,
            "$filter" => format!("$filter: {}", filter_shape(value)),
            name if name.ends_with("][0]") => format!("{} {value}", name.trim_end_matches("[0]")),
            name if name.starts_with("main_attributes") => continue,
            name => name.to_owned(),
        };
        if !shape.contains(&part) {
            shape.push(part);
        }
    }
    let shape = shape.join(", ");
    format!("{} {} {path} ({shape})", request.connection, request.method)
}

/// One term of those that only differ in their numbers.
fn filter_shape(filter: &str) -> String {
    let mut terms: Vec<String> = Vec::new();
    for term in filter.split(" or ") {
        let term = without_numbers(term);
        if !terms.contains(&term) {
            terms.push(term);
        }
    }
    terms.join(" or ")
}

fn without_numbers(text: &str) -> String {
    let mut shape = String::new();
    for character in text.chars() {
        match character {
            '0'..='9' if shape.ends_with('#') => {}
            '0'..='9' => shape.push('#'),
            other => shape.push(other),
        }
    }
    shape
}
