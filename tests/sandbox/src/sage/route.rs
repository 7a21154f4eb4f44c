//! Which service answers a call, and under which name a call is counted.

use super::accounts;
use super::bank;
use super::books::Books;
use super::call::Call;
use super::company::{self, Company};
use super::customer_extras::{self, CustomerNote};
use super::customers;
use super::documents::{self, DocumentKind};
use super::entity;
use super::furniture::{self, BankAccountCategory, CustomerCategory, Item, TaxType};
use super::ledger;
use super::odata;
use super::receipts;
use super::refusal::Refusal;
use super::reports;
use super::write_offs;
use crate::http::Response;
use crate::sage::accounts::BankAccount;

/// The names as Sage writes them.
const SERVICES: &[&str] = &[
    "Company",
    "Customer",
    "CustomerCategory",
    "CustomerNote",
    "CustomerOpeningBalance",
    "TaxInvoice",
    "CustomerReturn",
    "CustomerReceipt",
    "CustomerWriteOff",
    "CustomerAdjustment",
    "Allocation",
    "BankAccount",
    "BankAccountCategory",
    "BankTransaction",
    "Item",
    "TaxType",
    "Account",
    "SalesRepresentative",
    "JournalEntry",
    "CustomerAgeing",
    "CustomerTransactionListing",
    "CustomerStatement",
];

const METHODS: &[&str] = &[
    "Get",
    "Save",
    "SaveBatch",
    "Delete",
    "Calculate",
    "Current",
    "GetWithSystemAccounts",
    "HasActivity",
    "GetSummary",
    "GetCustomerTransactionListingReportingDetail",
];

/// Lists that clients read and that this company has nothing in.
const EMPTY: &[&str] = &[
    "AccountCategory",
    "Currency",
    "DocumentMessage",
    "SalesOrder",
];

/// Hands a call to its service. `others`: companies that are only listed.
pub fn route(books: &mut Books, others: &[Company], call: &Call) -> Result<Response, Refusal> {
    match proper(SERVICES, &call.service) {
        "Company" => company::serve(books, others, call),
        "Customer" => customers::serve(books, call),
        "CustomerCategory" => entity::serve::<CustomerCategory>(books, call),
        "CustomerNote" => entity::serve::<CustomerNote>(books, call),
        "CustomerOpeningBalance" => customer_extras::serve_opening_balances(books, call),
        "TaxInvoice" => documents::serve(books, DocumentKind::Invoice, call),
        "CustomerReturn" => documents::serve(books, DocumentKind::Return, call),
        "CustomerReceipt" => receipts::serve(books, call),
        "CustomerWriteOff" => write_offs::serve(books, call),
        "CustomerAdjustment" => write_offs::serve_adjustments(books, call),
        "Allocation" => ledger::serve(books, call),
        "BankAccount" => entity::serve::<BankAccount>(books, call),
        "BankAccountCategory" => entity::serve::<BankAccountCategory>(books, call),
        "BankTransaction" => bank::serve_transactions(books, call),
        "Item" => entity::serve::<Item>(books, call),
        "TaxType" => entity::serve::<TaxType>(books, call),
        "Account" => accounts::serve_accounts(books, call),
        "SalesRepresentative" => furniture::serve_representatives(books, call),
        "JournalEntry" => bank::serve_journal(books, call),
        "CustomerAgeing" => reports::serve_ageing(books, call),
        "CustomerTransactionListing" => reports::serve_listing(books, call),
        "CustomerStatement" => reports::serve_statement(books, call),
        name if EMPTY.iter().any(|empty| empty.eq_ignore_ascii_case(name)) => {
            serve_empty(books, call)
        }
        _ => Err(call.no_service()),
    }
}

fn serve_empty(books: &Books, call: &Call) -> Result<Response, Refusal> {
    if !call.method.eq_ignore_ascii_case("Get") {
        return Err(call.no_method());
    }
    call.wants("GET")?;
    match call.id()? {
        Some(_) => entity::one::<()>(books, None, &[]),
        None => Ok(Response::json(200, &odata::envelope(0, Vec::new()))),
    }
}

/// `TaxInvoice/Get/{id}`, in Sage's own letters, however the client wrote it.
pub fn pattern(call: &Call) -> String {
    let service = proper(SERVICES, &call.service);
    let method = proper(METHODS, &call.method);
    let id = if call.has_path_id() { "/{id}" } else { "" };
    format!("{service}/{method}{id}")
}

/// Whether a call is meant to change something.
pub fn is_write(call: &Call) -> bool {
    !call.is_get()
        && matches!(
            proper(METHODS, &call.method),
            "Save" | "SaveBatch" | "Delete"
        )
}

/// Whether a call may leave the company out.
pub fn needs_no_company(call: &Call) -> bool {
    let names = (
        proper(SERVICES, &call.service),
        proper(METHODS, &call.method),
    );
    names == ("Company", "Get")
}

fn proper<'n>(names: &[&'static str], name: &'n str) -> &'n str {
    let known = names.iter().find(|known| known.eq_ignore_ascii_case(name));
    known.copied().unwrap_or(name)
}
