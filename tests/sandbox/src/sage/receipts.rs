//! Customer receipts: money that came in, on a bank account, for a customer.
//!
//! A receipt of a customer whose `AutoAllocateToOldestInvoice` is set is allocated in the same Save, so a client has
//! to look at the `TotalUnallocated` of the answer before it allocates anything itself.

use chrono::NaiveDate;
use rust_decimal::Decimal;
use serde_json::Value;

use super::accounts::BankAccount;
use super::behaviour::Behaviour;
use super::books::{Books, Series};
use super::call::Call;
use super::customers::{customer_object, customer_of};
use super::documents::Rules;
use super::entity::{Entity, all, get, saved, shown, target};
use super::fields::Fields;
use super::numbering::{check_number, check_reference, number_of};
use super::refusal::Refusal;
use super::table::Record;
use super::wire::{Cell, Column, Stamps, date, flag, number_of as number, object, text};
use crate::http::Response;

#[derive(Debug, Clone)]
pub struct Receipt {
    pub id: i64,
    pub customer_id: i64,
    pub date: NaiveDate,
    pub payee: String,
    pub number: String,
    pub reference: String,
    pub description: String,
    pub comments: String,
    pub total: Decimal,
    /// As sent; moves nothing before an allocation carries it.
    pub discount: Decimal,
    pub allocated: Decimal,
    /// Ticked off against a bank statement: can't be changed any more.
    pub reconciled: bool,
    pub accepted: bool,
    pub bank_account_id: i64,
    /// 1 cash, 2 cheque, 3 credit card, 4 EFT; 0 where nothing was said.
    pub payment_method: i64,
    pub status: i64,
    pub analysis_categories: [Option<i64>; 3],
    pub bank_unique_identifier: String,
    pub stamps: Stamps,
}

impl Record for Receipt {
    const KEY_FIELD: &'static str = "DocumentNumber";
    const LINK_FIELDS: &'static [&'static str] = &["CustomerId"];

    fn id(&self) -> i64 {
        self.id
    }

    fn key(&self) -> &str {
        &self.number
    }

    fn links(&self) -> [Option<i64>; 2] {
        [Some(self.customer_id), None]
    }
}

static COLUMNS: &[Column<Receipt>] = &[
    number("ID", |r, _| r.id.into()),
    number("CustomerId", |r, _| r.customer_id.into()),
    number("Customer_CurrencyId", |r, books| {
        books.foreign_currency(r.customer_id).into()
    }),
    date("Date", |r, _| r.date.into()),
    text("Payee", |r, _| (&r.payee).into()),
    text("DocumentNumber", |r, _| (&r.number).into()),
    text("Reference", |r, _| (&r.reference).into()),
    text("Description", |r, _| (&r.description).into()),
    text("Comments", |r, _| (&r.comments).into()),
    number("Total", |r, _| r.total.into()),
    number("Discount", |r, _| r.discount.into()),
    number("TotalUnallocated", |r, _| (r.total - r.allocated).into()),
    flag("Reconciled", |r, _| r.reconciled.into()),
    flag("Accepted", |r, _| r.accepted.into()),
    number("BankAccountId", |r, _| r.bank_account_id.into()),
    number("PaymentMethod", |r, _| r.payment_method.into()),
    number("Status", |r, _| r.status.into()),
    flag("Editable", |r, books| (!r.closed(books)).into()),
    flag("Locked", |r, books| books.locked(r.date).into()),
    flag("Printed", |_, _| false.into()),
    number("AnalysisCategoryId1", |r, _| {
        r.analysis_categories[0].into()
    }),
    number("AnalysisCategoryId2", |r, _| {
        r.analysis_categories[1].into()
    }),
    number("AnalysisCategoryId3", |r, _| {
        r.analysis_categories[2].into()
    }),
    text("BankUniqueIdentifier", |r, _| {
        (&r.bank_unique_identifier).into()
    }),
    date("Created", |r, _| r.stamps.created.into()),
    date("Modified", |r, _| r.stamps.modified.into()),
];

static CUSTOMER: &[Column<Receipt>] = &[object("Customer", |r, books| {
    customer_object(r.customer_id, books)
})];

static BANK_ACCOUNT: &[Column<Receipt>] = &[object("BankAccount", |r, books| {
    let account = books.bank_accounts.get(r.bank_account_id);
    account.map_or(Cell::Null, |account| {
        Cell::Object(shown(account, &all(BankAccount::COLUMNS), books))
    })
})];

impl Receipt {
    fn closed(&self, books: &Books) -> bool {
        self.reconciled || books.locked(self.date)
    }
}

pub fn serve(books: &mut Books, call: &Call) -> Result<Response, Refusal> {
    match call.method.to_lowercase().as_str() {
        "get" => {
            let mut columns = all(COLUMNS);
            if call.flag("includecustomerdetails", false)? {
                columns.extend(all(CUSTOMER));
            }
            if call.flag("includebankaccountdetails", false)? {
                columns.extend(all(BANK_ACCOUNT));
            }
            get(books, call, &books.receipts, &columns)
        }
        "save" => {
            call.wants("POST")?;
            let (id, new) = save(books, &call.json()?, call)?;
            Ok(saved(books, &books.receipts, &all(COLUMNS), id, new))
        }
        "savebatch" if books.behaviour.document_batches => {
            call.wants("POST")?;
            let mut stored = Vec::new();
            for row in call.rows(books.behaviour.batch_limit)? {
                let (id, _) = save(books, &row, call)?;
                let receipt = books.receipts.get(id);
                stored.extend(receipt.map(|receipt| shown(receipt, &all(COLUMNS), books)));
            }
            Ok(Response::json(200, &Value::Array(stored)))
        }
        "delete" if books.behaviour.receipts_can_be_deleted => {
            call.wants("DELETE")?;
            delete(books, call)
        }
        "delete" => Err(call.wrong_verb()),
        _ => Err(call.no_method()),
    }
}

/// All receipts as they are shown.
pub fn state(books: &Books) -> Value {
    super::entity::dump(books, &books.receipts, &all(COLUMNS))
}

/// Saves one receipt; its id, and whether it is new.
pub fn save(books: &mut Books, body: &Value, call: &Call) -> Result<(i64, bool), Refusal> {
    let fields = Fields::of(body)?;
    let existing = target(&fields, &books.receipts)?;
    let before = existing.and_then(|id| books.receipts.get(id)).cloned();
    let mut receipt = read(&fields, before.as_ref(), books, call)?;
    receipt.id = existing.unwrap_or_else(|| books.counters.document());
    let old_number = before.as_ref().map(|before| before.number.as_str());
    receipt.number = match number_of(books, call, &receipt.number, old_number)? {
        Some(number) => number,
        None => books.system_number(Series::Receipt, |books| &books.receipts),
    };
    check_number(books, &books.receipts, &receipt.number, receipt.id)?;
    let references = books
        .receipts
        .linked(receipt.customer_id)
        .filter(|other| other.id != receipt.id)
        .map(|other| other.reference.as_str());
    check_reference(books, references, &receipt.reference)?;

    let (id, new) = (receipt.id, before.is_none());
    if let Some(before) = &before {
        books.receive(before, Decimal::NEGATIVE_ONE);
    }
    books.receive(&receipt, Decimal::ONE);
    let auto = books
        .customers
        .get(receipt.customer_id)
        .is_some_and(|c| c.auto_allocate);
    books.receipts.put(receipt);
    if new && auto && books.behaviour.auto_allocation {
        books.allocate_to_oldest(id, call.now)?;
    }
    Ok((id, new))
}

fn read(
    fields: &Fields,
    before: Option<&Receipt>,
    books: &Books,
    call: &Call,
) -> Result<Receipt, Refusal> {
    let customer_id = customer_of(fields, books)?;
    let date = fields.required_date("Date")?;
    books.open(date)?;
    let total = positive_total(fields, &books.behaviour)?;
    let bank_account_id = fields.required_int("BankAccountId")?;
    match books.bank_accounts.get(bank_account_id) {
        None => {
            return Err(Refusal::invalid(
                "BankAccountId",
                "The bank account does not exist.",
            ));
        }
        Some(bank) if !bank.active => {
            return Err(Refusal::invalid(
                "BankAccountId",
                "The bank account is not active.",
            ));
        }
        Some(_) => {}
    }
    if let Some(before) = before {
        if before.closed(books) {
            let text = "The receipt is locked and can't be changed.";
            return Err(Refusal::invalid("Editable", text));
        }
        check_allocated(before.allocated, total, before.customer_id == customer_id)?;
    }
    Ok(Receipt {
        id: 0,
        customer_id,
        date,
        payee: fields.text("Payee", 8000)?,
        number: fields.text("DocumentNumber", 100)?.trim().to_owned(),
        reference: fields.text("Reference", 100)?,
        description: fields.text("Description", 100)?,
        comments: fields.text("Comments", 8000)?,
        total,
        discount: fields.cents("Discount")?,
        allocated: before.map_or(Decimal::ZERO, |before| before.allocated),
        reconciled: fields.is("Reconciled")?,
        accepted: fields.is("Accepted")?,
        bank_account_id,
        payment_method: fields
            .choice("PaymentMethod", &[0, 1, 2, 3, 4])?
            .unwrap_or(0),
        status: fields.int("Status")?.unwrap_or(0),
        analysis_categories: fields.three("AnalysisCategoryId", Fields::int)?,
        bank_unique_identifier: fields.text("BankUniqueIdentifier", 100)?,
        stamps: Stamps::over(before.map(|before| before.stamps), call.now),
    })
}

/// `Total` in whole cents, above zero: refunds are not receipts.
pub fn positive_total(fields: &Fields, behaviour: &Behaviour) -> Result<Decimal, Refusal> {
    let total = Rules::of(behaviour).cents(fields.amount("Total")?);
    if total <= Decimal::ZERO {
        return Err(Refusal::invalid(
            "Total",
            "The total must be greater than zero.",
        ));
    }
    Ok(total)
}

/// What allocations forbid a changed document.
pub fn check_allocated(
    allocated: Decimal,
    total: Decimal,
    same_customer: bool,
) -> Result<(), Refusal> {
    if total < allocated {
        let text = "The total can't be less than what is allocated already.";
        return Err(Refusal::invalid("Total", text));
    }
    if allocated > Decimal::ZERO && !same_customer {
        let text = "The customer of a document with allocations can't be changed.";
        return Err(Refusal::invalid("CustomerId", text));
    }
    Ok(())
}

fn delete(books: &mut Books, call: &Call) -> Result<Response, Refusal> {
    let id = call.needed_id()?;
    let receipt = books.receipts.get(id).ok_or(Refusal::NotFound)?.clone();
    if receipt.closed(books) {
        let text = "The receipt is locked and can't be deleted.";
        return Err(Refusal::InUse(text.to_owned()));
    }
    books.release(id, call.now);
    books.receive(&receipt, Decimal::NEGATIVE_ONE);
    books.receipts.remove(id);
    Ok(Response::empty(204))
}

impl Books {
    /// Puts a receipt's money on its bank account and takes it off the customer's debt, or (sign -1) the reverse.
    fn receive(&mut self, receipt: &Receipt, sign: Decimal) {
        let total = receipt.total * sign;
        self.owe(receipt.customer_id, -total);
        self.bank_accounts.change(receipt.bank_account_id, |bank| {
            bank.balance += total;
            bank.used = true;
        });
    }
}
