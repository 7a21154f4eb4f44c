//! The company as its owner set it up: items, taxes, accounts and categories, and nothing that happened.

use chrono::{Months, NaiveTime};
use rust_decimal::Decimal;

use super::accounts::{Account, BankAccount, SYSTEM_ACCOUNT};
use super::behaviour::Behaviour;
use super::books::Books;
use super::company::Company;
use super::furniture::{BankAccountCategory, CustomerCategory, Item, SalesRepresentative, TaxType};
use super::wire::Stamps;
use crate::isp::Isp;

/// The account that lines without an item name.
const SALES_ACCOUNT: i64 = 9_001;

/// The company with its items, taxes, accounts and categories.
pub fn furnished(isp: &Isp) -> Books {
    let sage = &isp.sage;
    let founded = (isp.first_day() - Months::new(12)).and_time(NaiveTime::MIN);
    let stamps = Stamps::new(founded);
    let mut company = Company::new(sage.id, &sage.name, founded);
    company.lock_processing = sage.lock_date.is_some();
    company.lock_date = sage.lock_date;
    let mut books = Books::new(company, Behaviour::default());
    let mut highest = SALES_ACCOUNT + 3;
    for tax in &sage.tax_types {
        highest = highest.max(tax.id);
        books.tax_types.put(TaxType {
            id: tax.id,
            name: tax.name.clone(),
            percentage: tax.percentage,
            is_default: tax.is_default,
            is_manual: tax.is_manual,
            active: true,
            used: false,
            stamps,
        });
    }
    for item in &sage.items {
        highest = highest.max(item.id);
        books.items.put(Item {
            id: item.id,
            code: item.code.clone(),
            description: item.description.clone(),
            tax_type_id: Some(item.tax_type_id),
            price_exclusive: Decimal::ZERO,
            price_inclusive: Decimal::ZERO,
            unit: String::new(),
            active: item.active,
            used: false,
            stamps,
        });
    }
    for category in &sage.customer_categories {
        highest = highest.max(category.id);
        books.customer_categories.put(CustomerCategory {
            id: category.id,
            description: category.name.clone(),
            stamps,
        });
    }
    books.bank_account_categories.put(BankAccountCategory {
        id: SALES_ACCOUNT + 3,
        description: "Bank accounts".to_owned(),
        stamps,
    });
    for bank in &sage.bank_accounts {
        highest = highest.max(bank.id);
        books.bank_accounts.put(BankAccount {
            id: bank.id,
            name: bank.name.clone(),
            bank_name: String::new(),
            account_number: String::new(),
            branch_name: String::new(),
            branch_number: String::new(),
            description: String::new(),
            category_id: Some(SALES_ACCOUNT + 3),
            payment_method: 4,
            is_default: bank.is_default,
            active: bank.active,
            balance: Decimal::ZERO,
            used: false,
            stamps,
        });
    }
    books.counters.others_after(highest);
    let id = books.counters.other();
    books.sales_representatives.put(SalesRepresentative {
        id,
        first_name: "Office".to_owned(),
        last_name: "Staff".to_owned(),
        email: String::new(),
        mobile: String::new(),
        telephone: String::new(),
        active: true,
        used: false,
        stamps,
    });
    // Ids of built-in accounts may be negative.
    for (id, name, account_type) in [
        (-101, "Customer Control Account", SYSTEM_ACCOUNT),
        (SALES_ACCOUNT, "Sales", 3),
        (SALES_ACCOUNT + 1, "Rounding", 1),
        (SALES_ACCOUNT + 2, "Bad debts", 1),
    ] {
        books.accounts.put(Account {
            id,
            name: name.to_owned(),
            category_id: 1,
            account_type,
            description: String::new(),
            active: true,
            balance: Decimal::ZERO,
            default_tax_type_id: None,
            used: false,
            stamps,
        });
    }
    books
}
