//! What the company's own people do on Sage's screens, as data.
//!
//! `{"entity", "act": "create" | "update" | "delete" | "void", "id", "fields"}`. An entity goes by its name in the
//! state (`invoices`) or by its service's (`TaxInvoice`). Everything goes through the code of the API, so a screen
//! can't do what breaks the books; but it shows the whole record, so an update names only what changes. Beyond the
//! API it can void and delete documents, change the company, make adjustments, and allocate a receipt while making it
//! (`Allocations` among its fields). `behaviour` turns the switches; `companies` adds a company that is only listed.

use chrono::NaiveDateTime;
use serde_json::{Map, Value, json};

use super::behaviour::Behaviour;
use super::books::Books;
use super::call::Call;
use super::company::Company;
use super::documents::{self, DocumentKind};
use super::fields::Fields;
use super::refusal::Refusal;
use super::route::route;
use super::write_offs;

/// Entities by their name in the state, and the service that saves them.
const ENTITIES: &[(&str, &str)] = &[
    ("customers", "Customer"),
    ("customer_categories", "CustomerCategory"),
    ("customer_notes", "CustomerNote"),
    ("opening_balances", "CustomerOpeningBalance"),
    ("invoices", "TaxInvoice"),
    ("returns", "CustomerReturn"),
    ("receipts", "CustomerReceipt"),
    ("write_offs", "CustomerWriteOff"),
    ("adjustments", "CustomerAdjustment"),
    ("allocations", "Allocation"),
    ("bank_accounts", "BankAccount"),
    ("bank_account_categories", "BankAccountCategory"),
    ("bank_transactions", "BankTransaction"),
    ("journal_entries", "JournalEntry"),
    ("items", "Item"),
    ("tax_types", "TaxType"),
    ("accounts", "Account"),
    ("sales_representatives", "SalesRepresentative"),
];

/// Makes a change; answers the stored record, or the id of a deleted one.
pub fn edit(
    books: &mut Books,
    other_companies: &mut Vec<Company>,
    change: &Value,
    now: NaiveDateTime,
) -> Result<Value, String> {
    let text = |name: &str| change.get(name).and_then(Value::as_str).unwrap_or_default();
    let (entity, act) = (text("entity"), text("act"));
    let fields = match change.get("fields") {
        None => Map::new(),
        Some(Value::Object(fields)) => fields.clone(),
        Some(_) => return Err("fields must be an object".to_owned()),
    };
    match (entity, act) {
        ("behaviour", "update") => return turn_switches(books, fields),
        ("companies", "create") => {
            return list_company(books, other_companies, fields, now);
        }
        _ => {}
    }
    let edit = Edit {
        service: service_of(entity)?,
        act: act.to_owned(),
        id: change.get("id").and_then(Value::as_i64),
        fields,
        now,
    };
    books
        .transaction(|books| edit.apply(books))
        .map_err(|refusal| refusal.text(&books.behaviour))
}

fn service_of(entity: &str) -> Result<&'static str, String> {
    if entity.eq_ignore_ascii_case("company") {
        return Ok("Company");
    }
    ENTITIES
        .iter()
        .find(|(name, service)| *name == entity || service.eq_ignore_ascii_case(entity))
        .map(|(_, service)| *service)
        .ok_or_else(|| format!("there is no entity {entity:?}"))
}

fn turn_switches(books: &mut Books, fields: Map<String, Value>) -> Result<Value, String> {
    let error = |error: serde_json::Error| error.to_string();
    let mut switches = serde_json::to_value(&books.behaviour).map_err(error)?;
    if let Some(known) = switches.as_object_mut() {
        known.extend(fields);
    }
    let turned: Behaviour = serde_json::from_value(switches.clone()).map_err(error)?;
    books.behaviour = turned;
    Ok(switches)
}

fn list_company(
    books: &Books,
    others: &mut Vec<Company>,
    fields: Map<String, Value>,
    now: NaiveDateTime,
) -> Result<Value, String> {
    let body = Value::Object(fields);
    let read = || -> Result<Company, Refusal> {
        let fields = Fields::of(&body)?;
        let mut company = Company::new(fields.required_int("ID")?, "", now);
        company.name = fields.required_text("Name", 100)?;
        company.active = false;
        Ok(company)
    };
    let company = read().map_err(|refusal| refusal.text(&books.behaviour))?;
    let taken = others
        .iter()
        .chain([&books.company])
        .any(|other| other.id == company.id);
    if taken {
        return Err(format!("there is a company {} already", company.id));
    }
    let id = company.id;
    others.push(company);
    Ok(json!({"ID": id}))
}

struct Edit {
    service: &'static str,
    act: String,
    id: Option<i64>,
    fields: Map<String, Value>,
    now: NaiveDateTime,
}

impl Edit {
    fn apply(&self, books: &mut Books) -> Result<Value, Refusal> {
        match (self.service, self.act.as_str()) {
            ("Company", "update") => {
                let body = Value::Object(self.fields.clone());
                books.company = books.company.edited(&Fields::of(&body)?)?;
                Ok(super::company::state(books))
            }
            ("CustomerAdjustment", "create") => {
                let body = Value::Object(self.fields.clone());
                let id = write_offs::adjust(books, &body, &self.call("POST", "Save", &body))?;
                self.get(books, id)
            }
            ("TaxInvoice", "void") => self.void(books, DocumentKind::Invoice),
            ("CustomerReturn", "void") => self.void(books, DocumentKind::Return),
            ("TaxInvoice", "delete") => self.remove(books, DocumentKind::Invoice),
            ("CustomerReturn", "delete") => self.remove(books, DocumentKind::Return),
            (_, "create") => self.save(books, self.fields.clone()),
            (_, "update") => {
                let Value::Object(mut record) = self.get(books, self.needed_id()?)? else {
                    return Err(Refusal::NotFound);
                };
                overlay(&mut record, &self.fields);
                self.save(books, record)
            }
            (_, "delete") => {
                let id = self.needed_id()?;
                let call = Call::inside(
                    "DELETE",
                    self.service,
                    "Delete",
                    Some(id),
                    &Value::Null,
                    self.now,
                );
                route(books, &[], &call)?;
                Ok(json!({"ID": id}))
            }
            (_, act) => Err(Refusal::invalid(
                "act",
                format!("{act:?} can't be done with that."),
            )),
        }
    }

    fn needed_id(&self) -> Result<i64, Refusal> {
        self.id
            .ok_or_else(|| Refusal::invalid("id", "The id is missing."))
    }

    fn call(&self, verb: &str, method: &str, body: &Value) -> Call {
        Call::inside(verb, self.service, method, None, body, self.now)
    }

    fn get(&self, books: &mut Books, id: i64) -> Result<Value, Refusal> {
        let call = Call::inside("GET", self.service, "Get", Some(id), &Value::Null, self.now);
        let response = route(books, &[], &call)?;
        Ok(serde_json::from_slice(&response.body).unwrap_or(Value::Null))
    }

    fn save(&self, books: &mut Books, record: Map<String, Value>) -> Result<Value, Refusal> {
        let own_number = find(&self.fields, "DocumentNumber").is_some_and(Value::is_string);
        let allocations = find(&self.fields, "Allocations").cloned();
        let body = Value::Object(record);
        let call = self.call("POST", "Save", &body).with(
            "useSystemDocumentNumber",
            if own_number { "false" } else { "true" },
        );
        let response = route(books, &[], &call)?;
        let stored: Value = serde_json::from_slice(&response.body).unwrap_or(Value::Null);
        let id = stored
            .get("ID")
            .and_then(Value::as_i64)
            .ok_or(Refusal::NotFound)?;
        let Some(Value::Array(allocations)) = allocations else {
            return Ok(stored);
        };
        for mut allocation in allocations {
            if let Some(object) = allocation.as_object_mut() {
                object.insert("SourceDocumentId".to_owned(), json!(id));
            }
            let call = Call::inside("POST", "Allocation", "Save", None, &allocation, self.now);
            route(books, &[], &call)?;
        }
        self.get(books, id)
    }

    fn void(&self, books: &mut Books, kind: DocumentKind) -> Result<Value, Refusal> {
        let id = self.needed_id()?;
        documents::void(books, kind, id, &self.call("POST", "Void", &Value::Null))?;
        self.get(books, id)
    }

    fn remove(&self, books: &mut Books, kind: DocumentKind) -> Result<Value, Refusal> {
        let id = self.needed_id()?;
        documents::remove(books, kind, id)?;
        Ok(json!({"ID": id}))
    }
}

fn find<'m>(map: &'m Map<String, Value>, name: &str) -> Option<&'m Value> {
    map.iter()
        .find(|(found, _)| found.eq_ignore_ascii_case(name))
        .map(|(_, value)| value)
}

/// Puts fields over a record, whatever the case of their names.
fn overlay(record: &mut Map<String, Value>, fields: &Map<String, Value>) {
    for (name, value) in fields {
        record.retain(|found, _| !found.eq_ignore_ascii_case(name));
        record.insert(name.clone(), value.clone());
    }
}
