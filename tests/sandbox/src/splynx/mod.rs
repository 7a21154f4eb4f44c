//! The Splynx stand-in: REST API versions 2.0 and 1.0 over typed records and a ledger.
//!
//! A pure state machine: a request and a time give an answer and a new state. This file finds out who calls and
//! what the path means; reading is in `collections`, writing in `writes` and the `ledger`, and what has its own
//! shape in `config`, `statements`, `calculator`. Facts come from the Splynx API reference; what nobody
//! documents is a switch in `Behaviour`.

mod access;
mod auth;
mod behaviour;
mod calculator;
mod collections;
mod config;
mod documents;
mod edit;
mod hooks;
mod input;
mod ledger;
mod load;
mod matching;
mod model;
mod numbers;
mod record;
mod refusal;
mod routes;
mod search;
mod statements;
mod table;
mod tokens;
mod wire;
mod writes;

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde_json::{Map, Value, json};

pub use auth::signature;
pub use behaviour::Behaviour;
pub use hooks::{Delivery, signature as hook_signature};
pub use ledger::Rules;
pub use refusal::InvalidShape;
pub use wire::Style;

use crate::http::{Request, Response, Service};
use crate::journal::Journal;
use auth::{Action, ApiKey, Caller};
use collections::Object;
use config::{AdditionalField, ConfigCall, Settings};
use hooks::{Event, Hooks};
use input::{Body, body_to_create, body_to_update};
use ledger::{Ledger, Stamp};
use model::{
    Administrator, BankStatement, ConfigModule, Customer, CustomerInfo, Location, Partner,
    PaymentMethod, StatementRecord, Tax, TransactionCategory,
};
use numbers::Numbers;
use refusal::Refusal;
use routes::{ROUTES, Resource, Route};
use table::Table;
use tokens::Tokens;

/// One Splynx server.
#[derive(Debug, Clone, Default)]
pub struct Splynx {
    behaviour: Behaviour,
    keys: Table<ApiKey>,
    tokens: Tokens,
    customers: Table<Customer>,
    customer_info: Table<CustomerInfo>,
    partners: Table<Partner>,
    locations: Table<Location>,
    administrators: Table<Administrator>,
    payment_methods: Table<PaymentMethod>,
    categories: Table<TransactionCategory>,
    taxes: Table<Tax>,
    modules: Table<ConfigModule>,
    statements: Table<BankStatement>,
    statement_records: Table<StatementRecord>,
    ledger: Ledger,
    numbers: Numbers,
    /// `transaction_type_…` → transaction category, 0 = none.
    charge_categories: BTreeMap<String, i64>,
    company_info: BTreeMap<i64, Map<String, Value>>,
    additional_fields: BTreeMap<String, Vec<AdditionalField>>,
    settings: Settings,
    hooks: Hooks,
    /// What of the provider the ledger refused.
    not_loaded: Vec<String>,
    journal: Journal,
}

/// A change of a record, from the API or from a screen.
enum Write<'a> {
    Create(&'a Body),
    Update(i64, &'a Body),
    Delete(i64),
}

impl Splynx {
    pub fn behaviour(&self) -> &Behaviour {
        &self.behaviour
    }

    /// Sets all switches; records made before keep what they were made under.
    pub fn set_behaviour(&mut self, behaviour: Behaviour) {
        self.ledger.rules = behaviour.ledger.clone();
        self.behaviour = behaviour;
    }

    /// One entity of the state, without the rest of it.
    pub fn rows(&self, entity: &str) -> Vec<Value> {
        Route::named(entity).map_or_else(Vec::new, |route| {
            self.shelf(route.resource).all(self.kept_style())
        })
    }

    /// How the state is written: PHP's digits are a matter of its answers.
    fn kept_style(&self) -> Style {
        match self.behaviour.style {
            Style::SeventeenDigits => Style::Modern,
            style => style,
        }
    }

    /// What was asked and refused so far.
    pub fn journal(&self) -> &Journal {
        &self.journal
    }

    /// Web hook messages to be sent now, in the order of sending.
    pub fn due_deliveries(&self, now: DateTime<Utc>) -> Vec<Delivery> {
        self.hooks.due(now)
    }

    /// How the sending of a web hook message went: `received` means that the receiver answered 200.
    pub fn report_delivery(&mut self, id: u64, received: bool, now: DateTime<Utc>) {
        self.hooks.report(id, received, now);
    }

    fn answer(&mut self, request: &Request, now: DateTime<Utc>) -> Result<Response, Refusal> {
        let path = request
            .path
            .strip_prefix("/api/2.0/")
            .or_else(|| request.path.strip_prefix("/api/1.0/"))
            .map(|path| path.strip_suffix('/').unwrap_or(path))
            .ok_or_else(Refusal::not_found)?;
        if let Some(rest) = path.strip_prefix("admin/auth/tokens") {
            return self.answer_tokens(request, rest.strip_prefix('/'), now);
        }
        if path == "admin/api/check" {
            return self.answer_check(request, now);
        }
        let caller = self.gate(now).admit(request)?;
        let stamp = self.stamp(caller, now);
        if let Some(ConfigCall {
            controller,
            action,
            target,
        }) = Self::config_call(request, path)
        {
            self.permit(caller, controller, action)?;
            return self.answer_config(&target, request);
        }
        let only_post = |controller, splynx: &Self| {
            if request.method != "POST" {
                return Err(Refusal::method_disabled());
            }
            splynx.permit(caller, controller, Action::Add)
        };
        match path {
            "admin/finance/bank-statements-import" => {
                only_post(r"admin\finance\BankStatementsImport", self)?;
                let id = self.import_statement(&body_to_create(request), &stamp)?;
                Ok(self.created(json!({"id": id})))
            }
            "admin/finance/calculate-finance" => {
                only_post(r"admin\finance\CalculateFinance", self)?;
                let result = self.calculate(&body_to_create(request))?;
                Ok(Response::json(200, &result))
            }
            _ => {
                let found = Route::find(path).ok_or_else(Refusal::not_found)?;
                self.answer_route(request, found.route, found.item, caller, &stamp, now)
            }
        }
    }

    fn answer_route(
        &mut self,
        request: &Request,
        route: &'static Route,
        item: Option<&str>,
        caller: Caller,
        stamp: &Stamp,
        now: DateTime<Utc>,
    ) -> Result<Response, Refusal> {
        let is_listed =
            route.resource != Resource::CustomerInfo || self.behaviour.customer_info_listed;
        if item.is_none() && !is_listed {
            return Err(Refusal::bad_request("Id is missing."));
        }
        let action = route.action(&request.method, item.is_some())?;
        self.permit(caller, route.controller, action)?;
        let id = item
            .map(|item| {
                self.id_of(route.resource, item)
                    .ok_or_else(Refusal::not_found)
            })
            .transpose()?;
        match (request.method.as_str(), id) {
            ("GET", None) => self.list(route, caller, &request.query),
            ("HEAD", _) => self.head(route, caller, &request.query),
            ("OPTIONS", _) => Ok(self.schema(route)),
            ("GET", Some(id)) => self.view(route, caller, id),
            ("PUT", Some(id)) => {
                let body = body_to_update(request)?;
                self.write(route, Write::Update(id, &body), caller, stamp, now)?;
                Ok(Response::empty(202))
            }
            ("DELETE", Some(id)) => {
                self.write(route, Write::Delete(id), caller, stamp, now)?;
                Ok(self.deleted())
            }
            ("POST", None) => {
                let body = body_to_create(request);
                let id = self.write(route, Write::Create(&body), caller, stamp, now)?;
                let answer = match self.modules.get(id) {
                    Some(module) if route.resource == Resource::Modules => {
                        json!({"name": module.module})
                    }
                    _ => json!({"id": id}),
                };
                Ok(self.created(answer))
            }
            _ => Err(Refusal::method_disabled()),
        }
    }

    /// The id that the last part of a path names. Modules go by their names.
    fn id_of(&self, resource: Resource, item: &str) -> Option<i64> {
        if resource == Resource::Modules {
            let module = self.modules.iter().find(|module| module.module == item)?;
            return Some(module.id);
        }
        item.parse().ok()
    }

    fn created(&self, mut answer: Value) -> Response {
        if let (Style::Legacy, Some(Value::Number(id))) = (self.behaviour.style, answer.get("id")) {
            answer = json!({"id": id.to_string()});
        }
        Response::json(201, &answer)
    }

    fn deleted(&self) -> Response {
        match self.behaviour.body_behind_no_content {
            true => Response::text(204, "application/json", "[]"),
            false => Response::empty(204),
        }
    }

    /// Does a change, whoever makes it, and tells the hooks. The id of the record.
    fn write(
        &mut self,
        route: &'static Route,
        write: Write,
        caller: Caller,
        stamp: &Stamp,
        now: DateTime<Utc>,
    ) -> Result<i64, Refusal> {
        let before = match &write {
            Write::Create(_) => None,
            Write::Update(id, _) | Write::Delete(id) => {
                self.seen(route, caller, *id)?;
                self.shelf(route.resource).one(*id, Style::Legacy)
            }
        };
        let (id, action) = match write {
            Write::Create(body) => (self.create(route.resource, body, caller, stamp)?, "create"),
            Write::Update(id, body) => {
                self.update(route.resource, id, body, stamp)?;
                (id, "edit")
            }
            Write::Delete(id) => {
                self.delete(route.resource, id, stamp)?;
                (id, "delete")
            }
        };
        let after = self.shelf(route.resource).one(id, Style::Legacy);
        let Some((customer, attributes)) = after.clone().or_else(|| before.clone()) else {
            return Ok(id);
        };
        if self.behaviour.billing_touches_customers
            && let Some(customer) = customer.and_then(|id| self.customers.get_mut(id))
        {
            customer.last_update = Some(stamp.at);
        }
        let changed = match (before, after) {
            (Some((_, before)), Some((_, after))) => Some(difference(&before, &after)),
            _ => None,
        };
        self.hooks.emit(Event {
            model: route.model,
            action,
            source: stamp.by,
            administrator: (stamp.by == "admin").then_some(stamp.by_id),
            attributes,
            changed,
            local: stamp.at,
            now,
        });
        Ok(id)
    }
}

/// A request's path below the version with ids replaced, and whether it was meant to change something.
fn journal_entry(request: &Request) -> (String, bool) {
    let path = request
        .path
        .strip_prefix("/api/2.0/")
        .or_else(|| request.path.strip_prefix("/api/1.0/"))
        .unwrap_or(&request.path);
    let is_token = path.starts_with("admin/auth/");
    let parts: Vec<&str> = path
        .split('/')
        .enumerate()
        .map(|(index, part)| {
            let is_id = part.bytes().any(|b| b.is_ascii_digit());
            // Area, module and controller are names; a refresh token or an id comes fourth.
            if index >= 3 && (is_token || is_id) {
                "{id}"
            } else {
                part
            }
        })
        .collect();
    let changes = matches!(request.method.as_str(), "POST" | "PUT" | "DELETE");
    let stores = !is_token && !path.starts_with("admin/finance/calculate-finance");
    (parts.join("/"), changes && stores)
}

/// The fields of `after` that differ from `before`.
fn difference(before: &Object, after: &Object) -> Object {
    after
        .iter()
        .filter(|(name, value)| before.get(*name) != Some(value))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}

impl Service for Splynx {
    fn handle(&mut self, request: &Request, now: DateTime<Utc>) -> Response {
        let response = match self.answer(request, now) {
            Ok(response) => response,
            Err(refusal) => refusal.response(self.behaviour.invalid_shape),
        };
        let (pattern, is_write) = journal_entry(request);
        self.journal
            .record(now, &request.method, &pattern, response.status, is_write);
        response
    }

    fn state(&self) -> Value {
        let mut state: Map<String, Value> = ROUTES
            .iter()
            .map(|route| {
                let rows = self.shelf(route.resource).all(self.kept_style());
                (route.name.to_owned(), Value::Array(rows))
            })
            .collect();
        state.extend(self.hidden_state());
        state.insert("requests".to_owned(), self.journal.to_json());
        Value::Object(state)
    }

    fn edit(&mut self, change: &Value, now: DateTime<Utc>) -> Result<Value, String> {
        self.edit_on_screen(change, now)
    }
}
