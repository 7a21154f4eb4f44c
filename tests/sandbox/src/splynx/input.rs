//! What a client sends: bodies, and the checks that every field of every entity goes through.

use serde_json::{Map, Value};

use super::model::Item;
use super::record::{Access, Record};
use super::refusal::{FieldError, Refusal};
use super::wire::Amount;
use crate::http::{Request, parse_query};

pub type Body = Map<String, Value>;

/// The JSON object of a create. Anything else counts as an empty one, whose required fields then fail.
pub fn body_to_create(request: &Request) -> Body {
    match serde_json::from_slice(&request.body) {
        Ok(Value::Object(body)) => body,
        _ => Body::new(),
    }
}

/// The JSON object of an update.
pub fn body_to_update(request: &Request) -> Result<Body, Refusal> {
    match serde_json::from_slice(&request.body) {
        Ok(Value::Object(body)) => Ok(body),
        _ => Err(Refusal::bad_request("The body must be a JSON object.")),
    }
}

/// A body in JSON or as a form (the token call takes both).
pub fn form_or_json(request: &Request) -> Body {
    let is_form = request
        .header("content-type")
        .is_some_and(|kind| kind.starts_with("application/x-www-form-urlencoded"));
    if !is_form {
        return body_to_create(request);
    }
    parse_query(&String::from_utf8_lossy(&request.body))
        .into_iter()
        .map(|(name, value)| (name, Value::String(value)))
        .collect()
}

/// Whether a body makes a record or changes one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    Create,
    Update,
}

/// Writes the fields that a client may write. Unknown fields are ignored [assumed]; all failures are reported
/// together.
pub fn apply<T: Record>(record: &mut T, body: &Body, purpose: Purpose) -> Result<(), Refusal> {
    let mut errors = Vec::new();
    for field in T::FIELDS.iter().filter(|f| f.access != Access::Shown) {
        let mut fail = |message: String| {
            errors.push(FieldError {
                field: field.name.to_owned(),
                message: format!("{} {message}", field.title),
            });
        };
        let value = body.get(field.name);
        let required = field.access == Access::Must;
        match value {
            None if required && purpose == Purpose::Create => fail("cannot be blank.".to_owned()),
            None => {}
            Some(value) if required && is_blank(value) => fail("cannot be blank.".to_owned()),
            Some(value) if is_longer(value, field.max) => {
                fail(format!("should contain at most {} characters.", field.max));
            }
            Some(value) => {
                if let Err(message) = (field.set)(record, value) {
                    fail(message.to_owned());
                }
            }
        }
    }
    if let (Some(Value::Object(texts)), Some(additional)) =
        (body.get("additional_attributes"), record.additional_mut())
    {
        for (name, value) in texts {
            // Only fields that the installation has.
            if let Some(stored) = additional.get_mut(name) {
                *stored = plain_text(value);
            }
        }
    }
    if errors.is_empty() {
        Ok(())
    } else {
        Err(Refusal::Invalid(errors))
    }
}

fn is_blank(value: &Value) -> bool {
    value.is_null() || value.as_str().is_some_and(|text| text.trim().is_empty())
}

fn is_longer(value: &Value, max: usize) -> bool {
    value
        .as_str()
        .is_some_and(|text| text.chars().count() > max)
}

/// A value as the text that a custom field keeps.
pub fn plain_text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        other => other.to_string(),
    }
}

/// The lines of a new document.
pub fn new_items(body: &Body) -> Result<Vec<Item>, Refusal> {
    let items = item_bodies(body)?.unwrap_or_default();
    if items.is_empty() {
        return Err(Refusal::invalid("items", "Items cannot be blank."));
    }
    items.into_iter().map(new_item).collect()
}

/// The lines of a document after an update: those with the id of a stored line change it, those without an id
/// are added. `drop_missing`: lines that are not named go; the reference calls it unknown.
pub fn edited_items(
    body: &Body,
    stored: &[Item],
    drop_missing: bool,
) -> Result<Vec<Item>, Refusal> {
    let Some(edits) = item_bodies(body)? else {
        return Ok(stored.to_vec());
    };
    let id_of = |edit: &Body| edit.get("id").and_then(super::wire::integer).unwrap_or(0);
    let mut items: Vec<Item> = stored
        .iter()
        .filter(|item| !drop_missing || edits.iter().any(|edit| id_of(edit) == item.id))
        .cloned()
        .collect();
    for edit in edits {
        match id_of(edit) {
            0 => items.push(new_item(edit)?),
            id => {
                let item = items
                    .iter_mut()
                    .find(|item| item.id == id)
                    .ok_or_else(|| Refusal::invalid("items", "Item is invalid."))?;
                apply(item, edit, Purpose::Update)?;
            }
        }
    }
    Ok(items)
}

fn new_item(body: &Body) -> Result<Item, Refusal> {
    let mut item = Item {
        quantity: Amount(1.into()),
        ..Item::default()
    };
    apply(&mut item, body, Purpose::Create)?;
    Ok(item)
}

fn item_bodies(body: &Body) -> Result<Option<Vec<&Body>>, Refusal> {
    let invalid = || Refusal::invalid("items", "Items is invalid.");
    match body.get("items") {
        None => Ok(None),
        Some(Value::Array(items)) => items
            .iter()
            .map(|item| item.as_object().ok_or_else(invalid))
            .collect::<Result<_, _>>()
            .map(Some),
        Some(_) => Err(invalid()),
    }
}
