//! What an event hook of Splynx names (Splynx API 5). Its documentation names few of the models.

use serde_json::Value;

use crate::json;

/// What an event says, which is not believed: the record is read again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Event {
    pub model: Model,
    /// `None`: it does not say.
    pub id: Option<i64>,
    /// Whose record it is; `None`: it does not say.
    pub customer: Option<i64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Model {
    Customer,
    Invoice,
    CreditNote,
    Payment,
}

impl Event {
    /// `None`: it is of a model that is not known here.
    pub fn of(body: &Value) -> Option<Self> {
        let data = json::field(body, "data");
        let attributes = json::field(data, "attributes");
        let id = json::relation(attributes, "id");
        let customer = json::relation(attributes, "customer_id")
            .or_else(|| json::relation(data, "customer_id"));
        // With or without the names of PHP's spaces before it.
        let model = json::text(data, "model").to_lowercase();
        let model = model.rsplit('\\').next().unwrap_or_default();
        let (model, id) = match model {
            "customers" | "customer" => (Model::Customer, id),
            // Parts of a customer, whose ids are the customer's.
            "customerinfo" | "customerbilling" => (Model::Customer, customer.or(id)),
            "invoices" | "invoice" => (Model::Invoice, id),
            "creditnotes" | "creditnote" => (Model::CreditNote, id),
            "payments" | "payment" => (Model::Payment, id),
            _ => return None,
        };
        Some(Self {
            model,
            id,
            customer,
        })
    }
}
