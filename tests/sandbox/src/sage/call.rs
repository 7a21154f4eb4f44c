//! A request taken apart the way Sage's router does it: `/api/2.0.0/{Service}/{Method}[/{ID}]`, without regard to
//! case in service, method and parameter names.

use chrono::NaiveDateTime;
use serde_json::Value;

use super::odata::Options;
use super::refusal::Refusal;
use crate::http::Request;

const ROOT: &str = "/api/2.0.0/";

/// One request, routed but not yet answered.
#[derive(Debug, Clone)]
pub struct Call {
    verb: String,
    /// As the sender wrote them.
    pub service: String,
    pub method: String,
    id: Option<String>,
    path_id: bool,
    /// Names in lower case.
    params: Vec<(String, String)>,
    json: bool,
    length_known: bool,
    body: Vec<u8>,
    /// The moment on the company's clock.
    pub now: NaiveDateTime,
}

impl Call {
    pub fn of(request: &Request, now: NaiveDateTime) -> Result<Self, Refusal> {
        let no_service = || Refusal::NoService {
            uri: request.path.clone(),
        };
        // Byte positions are safe: a root that matches without case is as long as the root.
        let path = request
            .path
            .get(..ROOT.len())
            .filter(|start| start.eq_ignore_ascii_case(ROOT))
            .map(|_| &request.path[ROOT.len()..])
            .ok_or_else(no_service)?;
        let mut parts = path.trim_end_matches('/').splitn(3, '/');
        let service = parts.next().filter(|part| !part.is_empty());
        let service = service.ok_or_else(no_service)?.to_owned();
        let method = parts.next().unwrap_or("Get").to_owned();
        let params = lower_names(request);
        let path_id = parts.next();
        let id = path_id.map(str::to_owned).or_else(|| {
            let found = params.iter().find(|(name, _)| name == "id");
            found.map(|(_, value)| value.clone())
        });
        let content_type = request.header("content-type").unwrap_or_default();
        Ok(Self {
            verb: request.method.to_uppercase(),
            service,
            method,
            id,
            path_id: path_id.is_some(),
            json: content_type
                .trim_start()
                .to_lowercase()
                .starts_with("application/json"),
            length_known: !request.body.is_empty()
                || request.header("content-length").is_some()
                || request.header("transfer-encoding").is_some(),
            params,
            body: request.body.clone(),
            now,
        })
    }

    /// A call that the service's own screens make of themselves.
    pub fn inside(
        verb: &str,
        service: &str,
        method: &str,
        id: Option<i64>,
        body: &Value,
        now: NaiveDateTime,
    ) -> Self {
        Self {
            verb: verb.to_owned(),
            service: service.to_owned(),
            method: method.to_owned(),
            id: id.map(|id| id.to_string()),
            path_id: id.is_some(),
            params: Vec::new(),
            json: true,
            length_known: true,
            body: body.to_string().into_bytes(),
            now,
        }
    }

    /// Sets a parameter of an inside call.
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.params.push((name.to_lowercase(), value.to_owned()));
        self
    }

    pub fn wants(&self, verb: &'static str) -> Result<(), Refusal> {
        if self.verb == verb {
            Ok(())
        } else {
            Err(Refusal::Verb {
                verb: self.verb.clone(),
                allow: verb,
            })
        }
    }

    pub fn is_get(&self) -> bool {
        self.verb == "GET"
    }

    /// The refusal of a method that exists, but not for writing.
    pub fn wrong_verb(&self) -> Refusal {
        Refusal::Verb {
            verb: self.verb.clone(),
            allow: "GET",
        }
    }

    pub fn no_method(&self) -> Refusal {
        Refusal::NoMethod {
            service: self.service.clone(),
            method: self.method.clone(),
        }
    }

    pub fn no_service(&self) -> Refusal {
        Refusal::NoService {
            uri: format!("{ROOT}{}/{}", self.service, self.method),
        }
    }

    /// The id in the path (or the parameter of that name), if there is one.
    pub fn id(&self) -> Result<Option<i64>, Refusal> {
        self.id
            .as_deref()
            .map(|id| {
                id.trim()
                    .parse()
                    .map_err(|_| Refusal::invalid("id", format!("'{id}' is not an id.")))
            })
            .transpose()
    }

    pub fn needed_id(&self) -> Result<i64, Refusal> {
        self.id()?
            .ok_or_else(|| Refusal::invalid("id", "The id is missing."))
    }

    /// Whether the path itself has an id.
    pub fn has_path_id(&self) -> bool {
        self.path_id
    }

    /// A parameter by its lower-case name.
    pub fn param(&self, name: &str) -> Option<&str> {
        self.params
            .iter()
            .find(|(found, _)| found == name)
            .map(|(_, value)| value.as_str())
    }

    pub fn flag(&self, name: &str, default: bool) -> Result<bool, Refusal> {
        match self.param(name) {
            None => Ok(default),
            Some(text) if text.eq_ignore_ascii_case("true") => Ok(true),
            Some(text) if text.eq_ignore_ascii_case("false") => Ok(false),
            Some(text) => Err(Refusal::invalid(
                name,
                format!("'{text}' is not valid for {name}."),
            )),
        }
    }

    pub fn options(&self) -> Options<'_> {
        Options {
            filter: self.param("$filter").filter(|text| !text.trim().is_empty()),
            order: self
                .param("$orderby")
                .filter(|text| !text.trim().is_empty()),
            skip: self.param("$skip"),
            top: self.param("$top"),
            select: self.param("$select").filter(|text| !text.trim().is_empty()),
            now: self.now,
        }
    }

    /// The body, which must be there, be declared as JSON and be JSON.
    pub fn json(&self) -> Result<Value, Refusal> {
        if !self.length_known {
            return Err(Refusal::NoLength);
        }
        if !self.json {
            return Err(Refusal::NotJson);
        }
        serde_json::from_slice(&self.body)
            .map_err(|_| Refusal::invalid("", "The request is invalid."))
    }

    /// The rows of a batch: a bare array.
    pub fn rows(&self, most: usize) -> Result<Vec<Value>, Refusal> {
        match self.json()? {
            Value::Array(rows) if rows.len() > most => Err(Refusal::invalid(
                "",
                format!("A batch may have {most} rows at most."),
            )),
            Value::Array(rows) => Ok(rows),
            _ => Err(Refusal::invalid(
                "",
                "The request is invalid: an array is expected.",
            )),
        }
    }
}

/// The query of a request with parameter names in lower case.
pub fn lower_names(request: &Request) -> Vec<(String, String)> {
    request
        .query
        .iter()
        .map(|(name, value)| (name.to_lowercase(), value.clone()))
        .collect()
}
