//! What people do on Splynx's own screens, through the same checks and the same ledger as the API, and the
//! parts of the state that no path shows.
//!
//! `{"entity": …, "act": "create" | "update" | "delete", "id": …, "fields": {…}}`. Entities are named as in the
//! state; besides them `hooks`, `api_keys`, `additional_fields` (with `module` among the fields) and `behaviour`.
//! `bank_statements_records` know the act `pair` (fields `invoice_number`, `payment_type`), `invoice_relations` the act `exchange` (field
//! `with`: another relation).

use chrono::{DateTime, Utc};
use serde_json::{Map, Value, json};

use super::auth::{ApiKey, Caller};
use super::hooks::Hook;
use super::input::{Body, Purpose, apply, plain_text};
use super::record::Record;
use super::refusal::Refusal;
use super::routes::{Resource, Route};
use super::table::Table;
use super::wire::{Style, integer};
use super::{Splynx, Write};

impl Splynx {
    pub(super) fn edit_on_screen(
        &mut self,
        change: &Value,
        now: DateTime<Utc>,
    ) -> Result<Value, String> {
        let text = |name: &str| change.get(name).and_then(Value::as_str).unwrap_or_default();
        let nothing = Body::new();
        let fields = match change.get("fields") {
            None | Some(Value::Null) => &nothing,
            Some(Value::Object(fields)) => fields,
            Some(_) => return Err("fields must be an object".to_owned()),
        };
        let id = change.get("id").and_then(integer);
        let act = match (text("act"), id) {
            ("create", _) => Act::Create,
            ("update", Some(id)) => Act::Update(id),
            ("delete", Some(id)) => Act::Delete(id),
            ("pair", Some(id)) => Act::Pair(id),
            ("exchange", Some(id)) => {
                let with = fields.get("with").and_then(integer).unwrap_or(0);
                return match self.ledger.exchange([id, with]) {
                    true => Ok(json!({"id": id})),
                    false => Err("the two cannot change places".to_owned()),
                };
            }
            ("update", None) if text("entity") == "behaviour" => Act::Update(0),
            ("update" | "delete" | "pair" | "exchange", None) => {
                return Err("id is missing".to_owned());
            }
            (other, _) => return Err(format!("unknown act {other:?}")),
        };
        let result = match text("entity") {
            "behaviour" => return self.edit_behaviour(fields),
            "hooks" => self.edit_hook(act, fields, now),
            "api_keys" => self.edit_key(act, fields),
            "additional_fields" => self.edit_additional(act, fields),
            entity => {
                let route =
                    Route::named(entity).ok_or_else(|| format!("unknown entity {entity:?}"))?;
                self.edit_record(route, act, fields, now)
            }
        };
        // Every failed field on a line of its own name, as the screens show it.
        result.map_err(|refusal| match refusal {
            Refusal::Invalid(errors) => errors
                .iter()
                .map(|error| format!("{}: {}", error.field, error.message))
                .collect::<Vec<_>>()
                .join("\n"),
            plain @ Refusal::Plain { .. } => plain.to_string(),
        })
    }

    fn edit_record(
        &mut self,
        route: &'static Route,
        act: Act,
        fields: &Body,
        now: DateTime<Utc>,
    ) -> Result<Value, Refusal> {
        let stamp = self.stamp(Caller::Screen, now);
        let write = match act {
            Act::Create => Write::Create(fields),
            Act::Update(id) => Write::Update(id, fields),
            Act::Delete(id) => Write::Delete(id),
            Act::Pair(id) if route.resource == Resource::StatementRecords => {
                let payment = self.pair_record(id, fields, &stamp)?;
                return Ok(json!({"id": id, "payment_id": payment}));
            }
            Act::Pair(_) => return Err(Refusal::method_disabled()),
        };
        let is_update = matches!(write, Write::Update(..));
        let id = self.write(route, write, Caller::Screen, &stamp, now)?;
        match self.shelf(route.resource).one(id, self.behaviour.style) {
            Some((_, object)) if is_update => Ok(Value::Object(object)),
            _ => Ok(json!({"id": id})),
        }
    }

    fn edit_hook(&mut self, act: Act, fields: &Body, now: DateTime<Utc>) -> Result<Value, Refusal> {
        let mut fields = fields.clone();
        if matches!(act, Act::Create) {
            fields.entry("enabled").or_insert(json!(true));
        }
        let edited = edit_table::<Hook>(&mut self.hooks.hooks, act, &fields)?;
        if let (Act::Create, Some(id)) = (act, edited.get("id").and_then(integer)) {
            self.hooks.ping(id, now);
        }
        Ok(edited)
    }

    /// The secret is set like the rest, but never shown.
    fn edit_key(&mut self, act: Act, fields: &Body) -> Result<Value, Refusal> {
        let edited = edit_table::<ApiKey>(&mut self.keys, act, fields)?;
        let id = edited.get("id").and_then(integer).unwrap_or(0);
        if let (Some(secret), Some(key)) = (fields.get("secret"), self.keys.get_mut(id)) {
            key.secret = plain_text(secret);
        }
        Ok(edited)
    }

    fn edit_additional(&mut self, act: Act, fields: &Body) -> Result<Value, Refusal> {
        if !matches!(act, Act::Create) {
            return Err(Refusal::method_disabled());
        }
        let module = fields.get("module").map(plain_text).unwrap_or_default();
        let name = self.define_additional(&module, fields)?;
        Ok(json!({"name": name}))
    }

    fn edit_behaviour(&mut self, fields: &Body) -> Result<Value, String> {
        let mut all = serde_json::to_value(&self.behaviour).map_err(|e| e.to_string())?;
        if let Some(object) = all.as_object_mut() {
            object.extend(fields.clone());
        }
        let behaviour = serde_json::from_value(all.clone()).map_err(|e| e.to_string())?;
        self.set_behaviour(behaviour);
        Ok(all)
    }

    /// What the state shows besides the collections.
    pub(super) fn hidden_state(&self) -> Map<String, Value> {
        fn rows<T: Record>(table: &Table<T>) -> Value {
            table
                .iter()
                .map(|row| Value::Object(row.wire(Style::Modern)))
                .collect()
        }
        let additional: Value = self
            .additional_fields
            .iter()
            .flat_map(|(module, fields)| {
                fields.iter().map(move |field| {
                    let mut object = field.wire(Style::Modern);
                    object.insert("module".to_owned(), json!(module));
                    Value::Object(object)
                })
            })
            .collect();
        let entries = [
            ("api_keys", rows(&self.keys)),
            ("hooks", rows(&self.hooks.hooks)),
            ("hook_deliveries", json!(self.hooks.waiting())),
            ("additional_fields", additional),
            ("behaviour", json!(self.behaviour)),
            ("not_loaded", json!(self.not_loaded)),
        ];
        entries
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value))
            .collect()
    }
}

/// What is done to a record.
#[derive(Debug, Clone, Copy)]
enum Act {
    Create,
    Update(i64),
    Delete(i64),
    Pair(i64),
}

/// An edit of a table that has no rules of its own.
fn edit_table<T: Record>(table: &mut Table<T>, act: Act, fields: &Body) -> Result<Value, Refusal> {
    match act {
        Act::Create => {
            let mut row = T::default();
            apply(&mut row, fields, Purpose::Create)?;
            Ok(json!({"id": table.add(row)}))
        }
        Act::Update(id) => {
            let mut row = table.get(id).cloned().ok_or_else(Refusal::not_found)?;
            apply(&mut row, fields, Purpose::Update)?;
            let object = row.wire(Style::Modern);
            table.put(row);
            Ok(Value::Object(object))
        }
        Act::Delete(id) => {
            table.remove(id).ok_or_else(Refusal::not_found)?;
            Ok(json!({"id": id}))
        }
        Act::Pair(_) => Err(Refusal::method_disabled()),
    }
}
