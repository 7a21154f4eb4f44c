//! Ledger accounts, which invoice lines of type 1 name, and bank accounts, where the money of receipts lands.

use rust_decimal::Decimal;
use serde_json::json;

use super::books::Books;
use super::call::Call;
use super::entity::{self, Entity, Saving, all, get};
use super::furniture::{BankAccountCategory, category_of, stored_in};
use super::refusal::Refusal;
use super::table::{Record, Table};
use super::wire::{Cell, Column, Stamps, date, flag, number_of, object, text};
use crate::http::Response;

/// A ledger account. Only journal entries move the balance shown: there is no general ledger behind the documents.
#[derive(Debug, Clone)]
pub struct Account {
    pub id: i64,
    pub name: String,
    pub category_id: i64,
    /// 1 account, 2 system account, 3 sales or purchases, 4 bank.
    pub account_type: i64,
    pub description: String,
    pub active: bool,
    pub balance: Decimal,
    pub default_tax_type_id: Option<i64>,
    pub used: bool,
    pub stamps: Stamps,
}

/// What the listing leaves out unless asked for.
pub const SYSTEM_ACCOUNT: i64 = 2;

impl Record for Account {
    const KEY_FIELD: &'static str = "Name";

    fn id(&self) -> i64 {
        self.id
    }

    fn key(&self) -> &str {
        &self.name
    }
}

impl Entity for Account {
    const COLUMNS: &'static [Column<Self>] = &[
        number_of("ID", |a, _| a.id.into()),
        text("Name", |a, _| (&a.name).into()),
        object("Category", |a, _| {
            Cell::Object(json!({"ID": a.category_id}))
        }),
        number_of("AccountType", |a, _| a.account_type.into()),
        text("Description", |a, _| (&a.description).into()),
        flag("Active", |a, _| a.active.into()),
        number_of("Balance", |a, _| a.balance.into()),
        number_of("DefaultTaxTypeId", |a, _| a.default_tax_type_id.into()),
        flag("UnallocatedAccount", |_, _| false.into()),
        flag("IsTaxLocked", |_, _| false.into()),
        flag("HasActivity", |a, _| a.used.into()),
        date("Created", |a, _| a.stamps.created.into()),
        date("Modified", |a, _| a.stamps.modified.into()),
    ];
    const UNIQUE: &'static str = "The account name";

    stored_in!(accounts);

    fn read(saving: &Saving<Self>) -> Result<Self, Refusal> {
        let fields = saving.fields;
        let before = saving.before;
        if before.is_some_and(|account| account.account_type == SYSTEM_ACCOUNT) {
            return Err(Refusal::invalid("ID", "A system account can't be changed."));
        }
        let category = fields.object("Category")?;
        let category = category.map(|category| category.int("ID")).transpose()?;
        Ok(Self {
            id: saving.id,
            name: fields.required_text("Name", 100)?,
            category_id: category.flatten().unwrap_or(1),
            account_type: fields.choice("AccountType", &[1, 3, 4])?.unwrap_or(1),
            description: fields.text("Description", 4000)?,
            active: fields.is("Active")?,
            balance: before.map_or(Decimal::ZERO, |account| account.balance),
            default_tax_type_id: fields.int("DefaultTaxTypeId")?,
            used: before.is_some_and(|account| account.used),
            stamps: saving.stamps,
        })
    }

    fn in_use(&self, _books: &Books) -> bool {
        self.used || self.account_type == SYSTEM_ACCOUNT
    }
}

/// `Account/Get` hides system accounts; the other listings show what they say.
pub fn serve_accounts(books: &mut Books, call: &Call) -> Result<Response, Refusal> {
    let method = call.method.to_lowercase();
    match method.as_str() {
        "get" if call.id()?.is_none() => {
            let mut visible = Table::default();
            for account in books.accounts.iter() {
                if account.account_type != SYSTEM_ACCOUNT {
                    visible.put(account.clone());
                }
            }
            get(books, call, &visible, &all(Account::COLUMNS))
        }
        "getwithsystemaccounts" => get(books, call, &books.accounts, &all(Account::COLUMNS)),
        _ => entity::serve::<Account>(books, call),
    }
}

/// Where the money of receipts lands.
#[derive(Debug, Clone)]
pub struct BankAccount {
    pub id: i64,
    pub name: String,
    pub bank_name: String,
    pub account_number: String,
    pub branch_name: String,
    pub branch_number: String,
    pub description: String,
    pub category_id: Option<i64>,
    pub payment_method: i64,
    pub is_default: bool,
    pub active: bool,
    pub balance: Decimal,
    pub used: bool,
    pub stamps: Stamps,
}

impl Record for BankAccount {
    const KEY_FIELD: &'static str = "Name";

    fn id(&self) -> i64 {
        self.id
    }

    fn key(&self) -> &str {
        &self.name
    }
}

impl Entity for BankAccount {
    const COLUMNS: &'static [Column<Self>] = &[
        number_of("ID", |b, _| b.id.into()),
        text("Name", |b, _| (&b.name).into()),
        text("BankName", |b, _| (&b.bank_name).into()),
        text("AccountNumber", |b, _| (&b.account_number).into()),
        text("BranchName", |b, _| (&b.branch_name).into()),
        text("BranchNumber", |b, _| (&b.branch_number).into()),
        object("Category", |b, books| {
            let category = b
                .category_id
                .and_then(|id| books.bank_account_categories.get(id));
            category.map_or(Cell::Null, |category| {
                let columns = all(BankAccountCategory::COLUMNS);
                Cell::Object(entity::shown(category, &columns, books))
            })
        }),
        flag("Active", |b, _| b.active.into()),
        flag("Default", |b, _| b.is_default.into()),
        number_of("Balance", |b, _| b.balance.into()),
        text("Description", |b, _| (&b.description).into()),
        number_of("PaymentMethod", |b, _| b.payment_method.into()),
        flag("BankFeedAccount", |_, _| false.into()),
        flag("HasTransactionsWaitingForReview", |_, _| false.into()),
        date("Created", |b, _| b.stamps.created.into()),
        date("Modified", |b, _| b.stamps.modified.into()),
    ];
    const UNIQUE: &'static str = "The bank account name";

    stored_in!(bank_accounts);

    fn read(saving: &Saving<Self>) -> Result<Self, Refusal> {
        let fields = saving.fields;
        let categories = &saving.books.bank_account_categories;
        Ok(Self {
            id: saving.id,
            name: fields.required_text("Name", 100)?,
            bank_name: fields.text("BankName", 100)?,
            account_number: fields.text("AccountNumber", 100)?,
            branch_name: fields.text("BranchName", 100)?,
            branch_number: fields.text("BranchNumber", 100)?,
            description: fields.text("Description", 4000)?,
            category_id: category_of(saving, categories)?,
            payment_method: fields
                .choice("PaymentMethod", &[0, 1, 2, 3, 4])?
                .unwrap_or(0),
            is_default: fields.is("Default")?,
            active: fields.is("Active")?,
            balance: saving.before.map_or(Decimal::ZERO, |bank| bank.balance),
            used: saving.before.is_some_and(|bank| bank.used),
            stamps: saving.stamps,
        })
    }

    fn in_use(&self, _books: &Books) -> bool {
        self.used
    }
}
