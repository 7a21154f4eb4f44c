//! Configuration that clients read: company details, localization, add-on settings, which category each charge
//! takes, additional fields.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::Splynx;
use super::auth::Action;
use super::input::{Body, Purpose, apply, body_to_create, body_to_update};
use super::record::{Record, record};
use super::refusal::Refusal;
use super::wire::{Flag, Style};
use crate::http::{Request, Response};

record! {
    /// A custom field of a module. The key is the name.
    AdditionalField {
        id: i64 = Shown "ID";
        name: String = Must(64) "Name";
        title: String = Must(128) "Title";
        kind as "type": String = Must(32) "Type";
        default_value: String = May "Default value";
        min_length: i64 = May "Min length";
        max_length: i64 = May "Max length";
        is_required: Flag = May "Required";
        is_unique: Flag = May "Unique";
        is_add: Flag = May "Is add";
        show_in_list: Flag = May "Show in list";
        searchable: Flag = May "Searchable";
        readonly: Flag = May "Read only";
        disabled: Flag = May "Disabled";
        hidden: Flag = May "Hidden";
        select_values: String = May "Select values";
        addon: String = May "Add-on";
        decimals: i64 = May "Decimals";
    }
}

/// Which settings: module, path, partner (0 = for all).
pub type SettingsKey = (String, String, i64);
pub type Settings = BTreeMap<SettingsKey, Map<String, Value>>;

/// The key of what `admin/config/config?module=main&path=localization` shows.
pub fn localization() -> SettingsKey {
    ("main".to_owned(), "localization".to_owned(), 0)
}

impl Splynx {
    /// The call that a path below `admin/config` makes, unless it is a collection's or none.
    pub(super) fn config_call(request: &Request, path: &str) -> Option<ConfigCall> {
        let rest = path.strip_prefix("admin/config/")?;
        let (head, tail) = rest
            .split_once('/')
            .map_or((rest, None), |(h, t)| (h, Some(t)));
        let (controller, target) = match (head, tail) {
            ("transaction-categories", None) => (
                r"admin\config\TransactionCategories",
                ConfigTarget::ChargeCategories,
            ),
            ("company-info", partner) => (
                r"admin\config\CompanyInfo",
                ConfigTarget::CompanyInfo(partner.map(str::to_owned)),
            ),
            ("config", None) => (r"admin\config\Config", ConfigTarget::Settings),
            ("additional-fields", Some(which)) => (
                r"admin\config\AdditionalFields",
                ConfigTarget::AdditionalFields(which.to_owned()),
            ),
            _ => return None,
        };
        let action = match request.method.as_str() {
            "POST" => Action::Add,
            "PUT" => Action::Update,
            "DELETE" => Action::Delete,
            _ => Action::View,
        };
        Some(ConfigCall {
            controller,
            action,
            target,
        })
    }

    pub(super) fn answer_config(
        &mut self,
        target: &ConfigTarget,
        request: &Request,
    ) -> Result<Response, Refusal> {
        match (target, request.method.as_str()) {
            (ConfigTarget::ChargeCategories, "GET") => {
                let charges: Value = self
                    .charge_categories
                    .iter()
                    .map(|(key, id)| (key.clone(), json!({"id": id.to_string()})))
                    .collect();
                Ok(Response::json(200, &charges))
            }
            (ConfigTarget::CompanyInfo(None), "GET") => {
                let all = self.company_info.values().cloned().map(Value::Object);
                Ok(Response::json(200, &all.collect()))
            }
            (ConfigTarget::CompanyInfo(Some(partner)), "GET") => {
                let id: i64 = partner.parse().map_err(|_| Refusal::not_found())?;
                let info = self.company_info.get(&id).ok_or_else(Refusal::not_found)?;
                Ok(Response::json(200, &Value::Object(info.clone())))
            }
            (ConfigTarget::Settings, "GET") => self.read_settings(request),
            (ConfigTarget::Settings, "PUT") => {
                let body = body_to_update(request)?;
                let (key, _) = settings_key(request)?;
                self.settings.entry(key).or_default().extend(body);
                Ok(Response::empty(202))
            }
            (ConfigTarget::AdditionalFields(which), _) => self.additional(which, request),
            _ => Err(Refusal::method_disabled()),
        }
    }

    fn read_settings(&self, request: &Request) -> Result<Response, Refusal> {
        let (key, only) = settings_key(request)?;
        let settings = self.settings.get(&key).ok_or_else(Refusal::not_found)?;
        let shown: Map<String, Value> = settings
            .iter()
            .filter(|(name, _)| only.as_deref().is_none_or(|only| only == *name))
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect();
        Ok(Response::json(200, &Value::Object(shown)))
    }

    /// `additional-fields/MODULE` and `additional-fields/MODULE--NAME`.
    fn additional(&mut self, which: &str, request: &Request) -> Result<Response, Refusal> {
        let (module, name) = which
            .split_once("--")
            .map_or((which, None), |(module, name)| (module, Some(name)));
        let fields = self.additional_fields.get(module);
        let position = name.and_then(|name| fields?.iter().position(|f| f.name == name));
        match (request.method.as_str(), name) {
            ("GET", None) => {
                let fields = fields.into_iter().flatten();
                let all = fields.map(|field| Value::Object(shown(field)));
                Ok(Response::json(200, &all.collect()))
            }
            ("POST", None) => {
                let name = self.define_additional(module, &body_to_create(request))?;
                Ok(Response::json(201, &json!({"name": name})))
            }
            ("GET" | "PUT" | "DELETE", Some(_)) => {
                let position = position.ok_or_else(Refusal::not_found)?;
                let fields = self.additional_fields.entry(module.to_owned()).or_default();
                match request.method.as_str() {
                    "GET" => Ok(Response::json(
                        200,
                        &Value::Object(shown(&fields[position])),
                    )),
                    "PUT" => {
                        let mut field = fields[position].clone();
                        let name = field.name.clone();
                        apply(&mut field, &body_to_update(request)?, Purpose::Update)?;
                        // The name is the key of what is stored.
                        field.name = name;
                        fields[position] = field;
                        Ok(Response::empty(202))
                    }
                    _ => {
                        let gone = fields.remove(position);
                        self.change_additional(module, &gone.name, None);
                        Ok(self.deleted())
                    }
                }
            }
            (_, None) if matches!(request.method.as_str(), "PUT" | "DELETE") => {
                Err(Refusal::bad_request("Name is missing."))
            }
            _ => Err(Refusal::method_disabled()),
        }
    }

    /// Adds a custom field to a module and to all its records; its name.
    pub(super) fn define_additional(
        &mut self,
        module: &str,
        body: &Body,
    ) -> Result<String, Refusal> {
        let mut field = AdditionalField::default();
        apply(&mut field, body, Purpose::Create)?;
        let fields = self.additional_fields.entry(module.to_owned()).or_default();
        if fields.iter().any(|other| other.name == field.name) {
            return Err(Refusal::invalid("name", "Name has already been taken."));
        }
        let name = field.name.clone();
        let default = field.default_value.clone();
        fields.push(field);
        self.change_additional(module, &name, Some(&default));
        Ok(name)
    }

    fn change_additional(&mut self, module: &str, name: &str, default: Option<&str>) {
        match module {
            "customers" => self.customers.set_additional(name, default),
            "partners" => self.partners.set_additional(name, default),
            "locations" => self.locations.set_additional(name, default),
            "invoices" => self.ledger.invoices.set_additional(name, default),
            "credit_notes" => self.ledger.credit_notes.set_additional(name, default),
            "payments" => self.ledger.payments.set_additional(name, default),
            "billing_transactions" => self.ledger.transactions.set_additional(name, default),
            // Other modules have fields, but no records here that show them.
            _ => {}
        }
    }
}

/// A request below `admin/config`, and what the caller must be allowed to do.
pub(super) struct ConfigCall {
    pub controller: &'static str,
    pub action: Action,
    pub target: ConfigTarget,
}

pub(super) enum ConfigTarget {
    ChargeCategories,
    CompanyInfo(Option<String>),
    Settings,
    AdditionalFields(String),
}

fn shown(field: &AdditionalField) -> Map<String, Value> {
    let mut object = field.wire(Style::Modern);
    object.remove("id");
    object
}

fn settings_key(request: &Request) -> Result<(SettingsKey, Option<String>), Refusal> {
    let get = |name: &str| {
        request
            .query
            .iter()
            .find(|(n, _)| n == name)
            .map(|(_, value)| value.clone())
    };
    match (get("module"), get("path")) {
        (Some(module), Some(path)) => {
            let partner = get("partner_id")
                .and_then(|id| id.parse().ok())
                .unwrap_or(0);
            Ok(((module, path, partner), get("key")))
        }
        _ => Err(Refusal::bad_request("module and path are required.")),
    }
}
