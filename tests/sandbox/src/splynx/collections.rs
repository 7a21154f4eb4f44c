//! Reading collections: lists, counts, items and schemas, the same way for every entity.

use serde_json::{Map, Value, json};

use super::Splynx;
use super::auth::Caller;
use super::record::{Access, Record};
use super::refusal::Refusal;
use super::routes::{Resource, Route};
use super::search::Search;
use super::table::Table;
use super::wire::Style;
use crate::http::Response;

/// One stored record as an answer shows it.
pub type Object = Map<String, Value>;

/// A table of any entity, as reading needs it.
pub trait Shelf {
    /// The matching records of visible customers, and in which order.
    fn list(
        &self,
        search: &Search,
        visible: &dyn Fn(Option<i64>) -> bool,
        style: Style,
    ) -> Result<Vec<Object>, Refusal>;
    fn count(
        &self,
        search: &Search,
        visible: &dyn Fn(Option<i64>) -> bool,
    ) -> Result<usize, Refusal>;
    /// A record and the customer whom it belongs to.
    fn one(&self, id: i64, style: Style) -> Option<(Option<i64>, Object)>;
    fn all(&self, style: Style) -> Vec<Value>;
    fn attributes(&self) -> Vec<Value>;
}

impl<T: Record> Shelf for Table<T> {
    fn list(
        &self,
        search: &Search,
        visible: &dyn Fn(Option<i64>) -> bool,
        style: Style,
    ) -> Result<Vec<Object>, Refusal> {
        let rows = search.select(self, &|row: &T| visible(row.customer()))?;
        Ok(rows.into_iter().map(|row| row.wire(style)).collect())
    }

    fn count(
        &self,
        search: &Search,
        visible: &dyn Fn(Option<i64>) -> bool,
    ) -> Result<usize, Refusal> {
        Ok(search
            .select(self, &|row: &T| visible(row.customer()))?
            .len())
    }

    fn one(&self, id: i64, style: Style) -> Option<(Option<i64>, Object)> {
        let row = self.get(id)?;
        Some((row.customer(), row.wire(style)))
    }

    fn all(&self, style: Style) -> Vec<Value> {
        self.iter()
            .map(|row| Value::Object(row.wire(style)))
            .collect()
    }

    fn attributes(&self) -> Vec<Value> {
        T::FIELDS
            .iter()
            .map(|field| {
                attribute(
                    field.name,
                    field.title,
                    field.kind,
                    field.access == Access::Must,
                )
            })
            .collect()
    }
}

fn attribute(name: &str, title: &str, kind: &str, required: bool) -> Value {
    json!({"name": name, "title": title, "type": kind, "required": required})
}

impl Splynx {
    pub(super) fn shelf(&self, resource: Resource) -> &dyn Shelf {
        match resource {
            Resource::Customers => &self.customers,
            Resource::CustomerInfo => &self.customer_info,
            Resource::CustomerBilling => &self.ledger.billing,
            Resource::Partners => &self.partners,
            Resource::Locations => &self.locations,
            Resource::Administrators => &self.administrators,
            Resource::Invoices => &self.ledger.invoices,
            Resource::Proformas => &self.ledger.proformas,
            Resource::CreditNotes => &self.ledger.credit_notes,
            Resource::Relations => &self.ledger.relations,
            Resource::Transactions => &self.ledger.transactions,
            Resource::Payments => &self.ledger.payments,
            Resource::PaymentMethods => &self.payment_methods,
            Resource::TransactionCategories => &self.categories,
            Resource::BankStatements => &self.statements,
            Resource::StatementRecords => &self.statement_records,
            Resource::Taxes => &self.taxes,
            Resource::Modules => &self.modules,
        }
    }

    /// Whether a caller may see records of this customer; lists leave the others out [assumed].
    pub(super) fn may_see(&self, caller: Caller, customer: Option<i64>) -> bool {
        let partner = caller.partner();
        partner == 0
            || customer.is_none_or(|id| {
                self.customers
                    .get(id)
                    .is_some_and(|customer| customer.partner_id == partner)
            })
    }

    pub(super) fn list(
        &self,
        route: &Route,
        caller: Caller,
        query: &[(String, String)],
    ) -> Result<Response, Refusal> {
        let search = self.search(route, query)?;
        let visible = |customer| self.may_see(caller, customer);
        let mut rows = self
            .shelf(route.resource)
            .list(&search, &visible, self.behaviour.style)?;
        for row in &mut rows {
            self.leave_out(route, row);
        }
        let rows = rows.into_iter().map(Value::Object).collect();
        Ok(Response::json(200, &Value::Array(rows)))
    }

    pub(super) fn head(
        &self,
        route: &Route,
        caller: Caller,
        query: &[(String, String)],
    ) -> Result<Response, Refusal> {
        let search = self.search(route, query)?.without_window();
        let visible = |customer| self.may_see(caller, customer);
        let count = self.shelf(route.resource).count(&search, &visible)?;
        Ok(Response::empty(204)
            .with("x-total-count", &count.to_string())
            .with("access-control-expose-headers", "X-total-count"))
    }

    pub(super) fn view(&self, route: &Route, caller: Caller, id: i64) -> Result<Response, Refusal> {
        let mut object = self.seen(route, caller, id)?;
        self.leave_out(route, &mut object);
        Ok(Response::json(200, &Value::Object(object)))
    }

    /// A record that the caller may touch.
    pub(super) fn seen(&self, route: &Route, caller: Caller, id: i64) -> Result<Object, Refusal> {
        let (customer, object) = self
            .shelf(route.resource)
            .one(id, self.behaviour.style)
            .ok_or_else(Refusal::not_found)?;
        if self.may_see(caller, customer) {
            Ok(object)
        } else {
            Err(Refusal::other_partner())
        }
    }

    pub(super) fn schema(&self, route: &Route) -> Response {
        let mut attributes = self.shelf(route.resource).attributes();
        let hidden = |attribute: &Value| {
            attribute["name"]
                .as_str()
                .is_some_and(|name| self.is_left_out(route, name))
        };
        attributes.retain(|attribute| !hidden(attribute));
        if matches!(
            route.resource,
            Resource::Invoices | Resource::Proformas | Resource::CreditNotes
        ) {
            attributes.push(attribute("items", "Items", "array", true));
        }
        if route.resource == Resource::CreditNotes {
            attributes.push(attribute("invoicesId", "Invoice", "string", false));
            attributes.push(attribute(
                "resetPeriodForService",
                "Reset period",
                "string",
                false,
            ));
            attributes.push(attribute("partiallyUse", "Partially use", "boolean", false));
        }
        let additional: Vec<Value> = route
            .additional
            .and_then(|module| self.additional_fields.get(module))
            .into_iter()
            .flatten()
            .map(|field| attribute(&field.name, &field.title, &field.kind, field.is_required.0))
            .collect();
        Response::json(
            200,
            &json!({"attributes": attributes, "additional_attributes": additional}),
        )
    }

    /// The search of a list. Relations document plain parameters only; whether they take the general dialect
    /// too is unknown, so it is a switch.
    fn search(&self, route: &Route, query: &[(String, String)]) -> Result<Search, Refusal> {
        if route.resource != Resource::Relations {
            let search = Search::parse(query)?;
            if let Some(name) = search.fields().find(|name| self.is_left_out(route, name)) {
                return Err(Refusal::bad_request(&format!("Unknown attribute {name}.")));
            }
            return Ok(search);
        }
        let mut plain: Vec<(String, String)> = query
            .iter()
            .filter(|(name, _)| name == "customer_id" || name == "invoice_id")
            .map(|(name, value)| (format!("main_attributes[{name}]"), value.clone()))
            .collect();
        if self.behaviour.relations_searchable {
            plain.extend_from_slice(query);
        }
        Search::parse(&plain)
    }

    fn is_left_out(&self, route: &Route, field: &str) -> bool {
        self.behaviour
            .missing_fields
            .iter()
            .any(|(entity, name)| entity == route.name && name == field)
    }

    fn leave_out(&self, route: &Route, object: &mut Object) {
        for (entity, field) in &self.behaviour.missing_fields {
            if entity == route.name {
                object.remove(field);
            }
        }
        // Its table has the customer's id for a key.
        if route.resource == Resource::CustomerInfo
            && !self.behaviour.customer_info_listed
            && let Some(id) = object.remove("id")
        {
            object.insert("customer_id".to_owned(), id);
        }
    }
}
