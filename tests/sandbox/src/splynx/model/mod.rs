//! The entities of Splynx as typed records, one declaration each (Splynx API, resources; sizes from a live
//! database's columns). No rules here: those are the ledger's and the resources'.

pub mod company;
pub mod customer;
pub mod document;
pub mod money;
pub mod statement;

pub use company::{
    Administrator, ConfigModule, Location, Partner, PaymentMethod, Tax, TaxPart,
    TransactionCategory,
};
pub use customer::{Customer, CustomerBilling, CustomerInfo};
pub use document::{CreditNote, CreditNoteStatus, Invoice, InvoiceStatus, Item, Proforma};
pub use money::{Direction, Payer, Payment, Relation, Target, Transaction};
pub use statement::{BankStatement, StatementRecord};
