//! What is saved in Sage, in our words; each file of an entity writes it in Sage's.

use serde_json::{Value, json};

use super::{AllocationPayload, CustomerPayload, DocumentPayload, ReceiptPayload};

#[derive(Debug, Clone, PartialEq)]
pub enum Payload {
    Customer(CustomerPayload),
    Document(DocumentPayload),
    Receipt(ReceiptPayload),
    Allocation(AllocationPayload),
    /// Nothing of a document but its number.
    Number(String),
}

impl Payload {
    /// As Sage takes it.
    pub fn encode(&self) -> Value {
        match self {
            Self::Customer(customer) => customer.encode(),
            Self::Document(document) => document.encode(),
            Self::Receipt(receipt) => receipt.encode(),
            Self::Allocation(allocation) => allocation.encode(),
            Self::Number(number) => json!({"DocumentNumber": number}),
        }
    }

    /// The document number that is sent; empty: Sage gives one.
    pub fn number(&self) -> &str {
        match self {
            Self::Document(document) => &document.number,
            Self::Number(number) => number,
            Self::Customer(_) | Self::Receipt(_) | Self::Allocation(_) => "",
        }
    }
}
