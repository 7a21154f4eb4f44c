//! Bank transactions and journal entries: the two services, beside allocations, that take rows in batches.
//!
//! A bank transaction of type 2 names a customer. Whether that makes a receipt is open (Q12); by default it does not.

use chrono::NaiveDate;
use rust_decimal::Decimal;
use serde_json::{Value, json};

use super::accounts::SYSTEM_ACCOUNT;
use super::books::Books;
use super::call::Call;
use super::entity::{self, Entity, Saving, all, saved, shown};
use super::fields::Fields;
use super::furniture::stored_in;
use super::receipts;
use super::refusal::Refusal;
use super::table::{Record, Table};
use super::wire::{self, Column, Stamps, date, flag, number_of, text};
use crate::http::Response;

/// `Type` of a bank transaction against a customer.
const CUSTOMER: i64 = 2;

#[derive(Debug, Clone)]
pub struct BankTransaction {
    pub id: i64,
    pub date: NaiveDate,
    pub bank_account_id: i64,
    /// 1 account, 2 customer.
    pub kind: i64,
    pub selection_id: i64,
    pub number: String,
    pub payee: String,
    pub reference: String,
    pub description: String,
    pub tax_type_id: Option<i64>,
    pub exclusive: Decimal,
    pub tax: Decimal,
    pub total: Decimal,
    pub reconciled: bool,
    pub bank_unique_identifier: String,
    pub memo: String,
    pub stamps: Stamps,
}

impl Record for BankTransaction {
    fn id(&self) -> i64 {
        self.id
    }
}

impl Entity for BankTransaction {
    const COLUMNS: &'static [Column<Self>] = &[
        number_of("ID", |b, _| b.id.into()),
        date("Date", |b, _| b.date.into()),
        number_of("BankAccountId", |b, _| b.bank_account_id.into()),
        number_of("Type", |b, _| b.kind.into()),
        number_of("SelectionId", |b, _| b.selection_id.into()),
        text("DocumentNumber", |b, _| (&b.number).into()),
        text("Payee", |b, _| (&b.payee).into()),
        text("Reference", |b, _| (&b.reference).into()),
        text("Description", |b, _| (&b.description).into()),
        number_of("TaxTypeId", |b, _| b.tax_type_id.into()),
        number_of("Exclusive", |b, _| b.exclusive.into()),
        number_of("Tax", |b, _| b.tax.into()),
        number_of("Total", |b, _| b.total.into()),
        flag("Reconciled", |b, _| b.reconciled.into()),
        text("BankUniqueIdentifier", |b, _| {
            (&b.bank_unique_identifier).into()
        }),
        text("Memo", |b, _| (&b.memo).into()),
        flag("Locked", |b, books| books.locked(b.date).into()),
        date("Created", |b, _| b.stamps.created.into()),
        date("Modified", |b, _| b.stamps.modified.into()),
    ];

    stored_in!(bank_transactions);

    fn read(saving: &Saving<Self>) -> Result<Self, Refusal> {
        let (fields, books) = (saving.fields, saving.books);
        let date = fields.required_date("Date")?;
        books.open(date)?;
        let bank_account_id = fields.required_int("BankAccountId")?;
        if !books
            .bank_accounts
            .get(bank_account_id)
            .is_some_and(|bank| bank.active)
        {
            let text = "The bank account does not exist or is not active.";
            return Err(Refusal::invalid("BankAccountId", text));
        }
        let kind = fields.choice("Type", &[1, CUSTOMER])?.unwrap_or(1);
        let selection_id = fields.required_int("SelectionId")?;
        let there = match kind {
            CUSTOMER => books.customers.get(selection_id).is_some(),
            _ => books.accounts.get(selection_id).is_some(),
        };
        if !there {
            return Err(Refusal::invalid(
                "SelectionId",
                "The selection does not exist.",
            ));
        }
        let total = fields.cents("Total")?;
        Ok(Self {
            id: saving.id,
            date,
            bank_account_id,
            kind,
            selection_id,
            number: fields.text("DocumentNumber", 100)?,
            payee: fields.text("Payee", 8000)?,
            reference: fields.text("Reference", 100)?,
            description: fields.text("Description", 100)?,
            tax_type_id: fields.int("TaxTypeId")?,
            exclusive: fields.decimal("Exclusive")?.unwrap_or(total),
            tax: fields.amount("Tax")?,
            total,
            reconciled: fields.is("Reconciled")?,
            bank_unique_identifier: fields.text("BankUniqueIdentifier", 100)?,
            memo: fields.text("Memo", 8000)?,
            stamps: saving.stamps,
        })
    }
}

/// A line of the journal: one account against another.
#[derive(Debug, Clone)]
pub struct JournalEntry {
    pub id: i64,
    pub date: NaiveDate,
    /// 1 debits the account, 2 credits it.
    pub effect: i64,
    pub account_id: i64,
    pub contra_account_id: i64,
    pub tax_type_id: Option<i64>,
    pub reference: String,
    pub description: String,
    pub exclusive: Decimal,
    pub tax: Decimal,
    pub total: Decimal,
    pub memo: String,
    pub stamps: Stamps,
}

impl JournalEntry {
    /// What the account gains; the contra account loses as much.
    fn debit(&self) -> Decimal {
        if self.effect == 1 {
            self.total
        } else {
            -self.total
        }
    }
}

impl Record for JournalEntry {
    fn id(&self) -> i64 {
        self.id
    }
}

impl Entity for JournalEntry {
    const COLUMNS: &'static [Column<Self>] = &[
        number_of("ID", |j, _| j.id.into()),
        date("Date", |j, _| j.date.into()),
        number_of("Effect", |j, _| j.effect.into()),
        number_of("AccountId", |j, _| j.account_id.into()),
        number_of("ContraAccountId", |j, _| j.contra_account_id.into()),
        number_of("TaxTypeId", |j, _| j.tax_type_id.into()),
        text("Reference", |j, _| (&j.reference).into()),
        text("Description", |j, _| (&j.description).into()),
        number_of("Exclusive", |j, _| j.exclusive.into()),
        number_of("Tax", |j, _| j.tax.into()),
        number_of("Total", |j, _| j.total.into()),
        number_of("Debit", |j, _| j.debit().max(Decimal::ZERO).into()),
        number_of("Credit", |j, _| (-j.debit()).max(Decimal::ZERO).into()),
        text("Memo", |j, _| (&j.memo).into()),
        date("Created", |j, _| j.stamps.created.into()),
        date("Modified", |j, _| j.stamps.modified.into()),
    ];

    stored_in!(journal_entries);

    fn read(saving: &Saving<Self>) -> Result<Self, Refusal> {
        let (fields, books) = (saving.fields, saving.books);
        let date = fields.required_date("Date")?;
        books.open(date)?;
        if let Some(before) = saving.before {
            books.open(before.date)?;
        }
        let account = |name| {
            let id = fields.required_int(name)?;
            match books.accounts.get(id) {
                Some(account) if account.active && account.account_type != SYSTEM_ACCOUNT => Ok(id),
                _ => Err(Refusal::invalid(
                    name,
                    format!("The {name} can't be posted to."),
                )),
            }
        };
        let total = receipts::positive_total(fields, &books.behaviour)?;
        Ok(Self {
            id: saving.id,
            date,
            effect: fields.choice("Effect", &[1, 2])?.unwrap_or(1),
            account_id: account("AccountId")?,
            contra_account_id: account("ContraAccountId")?,
            tax_type_id: fields.int("TaxTypeId")?,
            reference: fields.text("Reference", 100)?,
            description: fields.text("Description", 100)?,
            exclusive: fields.decimal("Exclusive")?.unwrap_or(total),
            tax: fields.amount("Tax")?,
            total,
            memo: fields.text("Memo", 8000)?,
            stamps: saving.stamps,
        })
    }
}

/// An entity whose rows move balances, forwards when saved and backwards when replaced or deleted.
trait Posted: Entity {
    fn post(&self, books: &mut Books, sign: Decimal);
}

impl Posted for BankTransaction {
    fn post(&self, books: &mut Books, sign: Decimal) {
        let total = self.total * sign;
        books.bank_accounts.change(self.bank_account_id, |bank| {
            bank.balance += total;
            bank.used = true;
        });
    }
}

impl Posted for JournalEntry {
    fn post(&self, books: &mut Books, sign: Decimal) {
        let debit = self.debit() * sign;
        let mut move_by = |account, amount: Decimal| {
            books.accounts.change(account, |account| {
                account.balance += amount;
                account.used = true;
            });
        };
        move_by(self.account_id, debit);
        move_by(self.contra_account_id, -debit);
    }
}

pub fn serve_transactions(books: &mut Books, call: &Call) -> Result<Response, Refusal> {
    serve::<BankTransaction>(books, call, receipt_instead)
}

/// Q12: the receipt that a bank transaction against a customer makes, if that is what it does.
fn receipt_instead(books: &mut Books, row: &Value, call: &Call) -> Result<Option<Value>, Refusal> {
    let fields = Fields::of(row)?;
    if !books.behaviour.bank_transactions_make_receipts || fields.int("Type")? != Some(CUSTOMER) {
        return Ok(None);
    }
    let receipt = json!({
        "CustomerId": fields.int("SelectionId")?,
        "Date": fields.required_date("Date")?.to_string(),
        "Total": wire::number(fields.amount("Total")?),
        "BankAccountId": fields.int("BankAccountId")?,
        "PaymentMethod": 4,
        "Payee": fields.text("Payee", 8000)?,
        "Reference": fields.text("Reference", 100)?,
        "Description": fields.text("Description", 100)?,
    });
    let (id, _) = receipts::save(books, &receipt, call)?;
    let mut answer = row.clone();
    if let Some(object) = answer.as_object_mut() {
        object.insert("ID".to_owned(), json!(id));
    }
    Ok(Some(answer))
}

pub fn serve_journal(books: &mut Books, call: &Call) -> Result<Response, Refusal> {
    serve::<JournalEntry>(books, call, |_, _, _| Ok(None))
}

/// What may take a row's place before it is stored: the answer, where it did.
type Instead = fn(&mut Books, &Value, &Call) -> Result<Option<Value>, Refusal>;

fn serve<T: Posted>(books: &mut Books, call: &Call, instead: Instead) -> Result<Response, Refusal> {
    match call.method.to_lowercase().as_str() {
        "get" => entity::serve::<T>(books, call),
        "save" => {
            call.wants("POST")?;
            let body = call.json()?;
            if let Some(answer) = instead(books, &body, call)? {
                return Ok(Response::json(201, &answer));
            }
            let (id, new) = save::<T>(books, &body, call)?;
            Ok(saved(books, T::table(books), &all(T::COLUMNS), id, new))
        }
        "savebatch" => {
            call.wants("POST")?;
            let mut stored = Vec::new();
            for row in call.rows(books.behaviour.batch_limit)? {
                if let Some(answer) = instead(books, &row, call)? {
                    stored.push(answer);
                    continue;
                }
                let (id, _) = save::<T>(books, &row, call)?;
                let row = T::table(books).get(id);
                stored.extend(row.map(|row| shown(row, &all(T::COLUMNS), books)));
            }
            Ok(Response::json(200, &Value::Array(stored)))
        }
        "delete" => {
            call.wants("DELETE")?;
            let id = call.needed_id()?;
            let row = T::table(books).get(id).ok_or(Refusal::NotFound)?.clone();
            row.post(books, Decimal::NEGATIVE_ONE);
            T::table_mut(books).remove(id);
            Ok(Response::empty(204))
        }
        _ => Err(call.no_method()),
    }
}

fn save<T: Posted>(books: &mut Books, body: &Value, call: &Call) -> Result<(i64, bool), Refusal> {
    let before = Fields::of(body)?.int("ID")?;
    let before = before.and_then(|id| T::table(books).get(id)).cloned();
    let (id, new) = entity::save_row::<T>(books, body, call)?;
    if let Some(before) = before {
        before.post(books, Decimal::NEGATIVE_ONE);
    }
    if let Some(after) = T::table(books).get(id).cloned() {
        after.post(books, Decimal::ONE);
    }
    Ok((id, new))
}
