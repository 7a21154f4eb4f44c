//! What documents refer to beside accounts: items, taxes, sales representatives; and the categories of things.
//!
//! `used` marks what a document ever referred to; Sage shows it as `HasActivity` and refuses to delete it.

use rust_decimal::Decimal;
use serde_json::Value;

use super::behaviour::Doubtful;
use super::books::Books;
use super::call::Call;
use super::entity::{self, Entity, Saving};
use super::refusal::Refusal;
use super::table::{Record, Table};
use super::wire::{Cell, Column, Stamps, date, flag, number_of, text};
use crate::http::Response;

/// The parts of `Entity` that differ only in the name of the table.
macro_rules! stored_in {
    ($table:ident) => {
        fn table(books: &Books) -> &Table<Self> {
            &books.$table
        }

        fn table_mut(books: &mut Books) -> &mut Table<Self> {
            &mut books.$table
        }

        fn stamps(&self) -> Stamps {
            self.stamps
        }
    };
}
pub(super) use stored_in;

/// A record that is nothing but its description.
macro_rules! category {
    ($name:ident, $table:ident, $in_use:expr) => {
        #[derive(Debug, Clone)]
        pub struct $name {
            pub id: i64,
            pub description: String,
            pub stamps: Stamps,
        }

        impl Record for $name {
            const KEY_FIELD: &'static str = "Description";

            fn id(&self) -> i64 {
                self.id
            }

            fn key(&self) -> &str {
                &self.description
            }
        }

        impl Entity for $name {
            const COLUMNS: &'static [Column<Self>] = &[
                number_of("ID", |c, _| c.id.into()),
                text("Description", |c, _| (&c.description).into()),
                date("Created", |c, _| c.stamps.created.into()),
                date("Modified", |c, _| c.stamps.modified.into()),
            ];
            const UNIQUE: &'static str = "The category";

            stored_in!($table);

            fn read(saving: &Saving<Self>) -> Result<Self, Refusal> {
                Ok(Self {
                    id: saving.id,
                    description: saving.fields.required_text("Description", 100)?,
                    stamps: saving.stamps,
                })
            }

            fn in_use(&self, books: &Books) -> bool {
                let used: fn(&Self, &Books) -> bool = $in_use;
                used(self, books)
            }
        }
    };
}

category!(CustomerCategory, customer_categories, |category, books| {
    let of = Some(category.id);
    books.customers.iter().any(|c| c.category_id == of)
});
category!(
    BankAccountCategory,
    bank_account_categories,
    |category, books| {
        let of = Some(category.id);
        books.bank_accounts.iter().any(|b| b.category_id == of)
    }
);

/// Something that is sold; all of them are services without stock.
#[derive(Debug, Clone)]
pub struct Item {
    pub id: i64,
    pub code: String,
    pub description: String,
    pub tax_type_id: Option<i64>,
    pub price_exclusive: Decimal,
    pub price_inclusive: Decimal,
    pub unit: String,
    pub active: bool,
    pub used: bool,
    pub stamps: Stamps,
}

impl Record for Item {
    const KEY_FIELD: &'static str = "Code";

    fn id(&self) -> i64 {
        self.id
    }

    fn key(&self) -> &str {
        &self.code
    }
}

impl Entity for Item {
    const COLUMNS: &'static [Column<Self>] = &[
        number_of("ID", |i, _| i.id.into()),
        text("Code", |i, _| (&i.code).into()),
        text("Description", |i, _| (&i.description).into()),
        flag("Active", |i, _| i.active.into()),
        flag("Physical", |_, _| false.into()),
        number_of("PriceExclusive", |i, _| i.price_exclusive.into()),
        number_of("PriceInclusive", |i, _| i.price_inclusive.into()),
        number_of("TaxTypeIdSales", |i, _| i.tax_type_id.into()),
        number_of("QuantityOnHand", |_, _| Decimal::ZERO.into()),
        text("Unit", |i, _| (&i.unit).into()),
        flag("HasActivity", |i, _| i.used.into()),
        flag("HasAttachments", |_, _| false.into()),
        date("Created", |i, _| i.stamps.created.into()),
        date("Modified", |i, _| i.stamps.modified.into()),
    ];
    const UNIQUE: &'static str = "The item code";

    stored_in!(items);

    fn read(saving: &Saving<Self>) -> Result<Self, Refusal> {
        let fields = saving.fields;
        let tax_type_id = fields.int("TaxTypeIdSales")?;
        if tax_type_id.is_some_and(|id| saving.books.tax_types.get(id).is_none()) {
            return Err(Refusal::invalid(
                "TaxTypeIdSales",
                "The tax type does not exist.",
            ));
        }
        Ok(Self {
            id: saving.id,
            code: fields.required_text("Code", 100)?,
            description: fields.required_text("Description", 100)?,
            tax_type_id,
            price_exclusive: fields.amount("PriceExclusive")?,
            price_inclusive: fields.amount("PriceInclusive")?,
            unit: fields.text("Unit", 100)?,
            active: fields.is("Active")?,
            used: saving.before.is_some_and(|item| item.used),
            stamps: saving.stamps,
        })
    }

    fn in_use(&self, _books: &Books) -> bool {
        self.used
    }
}

/// A tax, its percentage a fraction: 0.15 for 15 %.
#[derive(Debug, Clone)]
pub struct TaxType {
    pub id: i64,
    pub name: String,
    pub percentage: Decimal,
    pub is_default: bool,
    pub is_manual: bool,
    pub active: bool,
    pub used: bool,
    pub stamps: Stamps,
}

impl Record for TaxType {
    const KEY_FIELD: &'static str = "Name";

    fn id(&self) -> i64 {
        self.id
    }

    fn key(&self) -> &str {
        &self.name
    }
}

impl Entity for TaxType {
    const COLUMNS: &'static [Column<Self>] = &[
        number_of("ID", |t, _| t.id.into()),
        text("Name", |t, _| (&t.name).into()),
        number_of("Percentage", |t, _| t.percentage.into()),
        flag("IsDefault", |t, _| t.is_default.into()),
        flag("HasActivity", |t, _| t.used.into()),
        flag("IsManualTax", |t, _| t.is_manual.into()),
        flag("Active", |t, _| t.active.into()),
        number_of("CompanyId", |_, books| books.company.id.into()),
        date("Created", |t, _| t.stamps.created.into()),
        date("Modified", |t, _| t.stamps.modified.into()),
    ];

    stored_in!(tax_types);

    fn read(saving: &Saving<Self>) -> Result<Self, Refusal> {
        let fields = saving.fields;
        let percentage = fields.fraction("Percentage")?;
        let before = saving.before;
        let may_change = saving.books.behaviour.used_tax_types == Doubtful::Accepted;
        if !may_change && before.is_some_and(|tax| tax.used && tax.percentage != percentage) {
            let text = "The percentage of a tax type with activity can't be changed.";
            return Err(Refusal::invalid("Percentage", text));
        }
        Ok(Self {
            id: saving.id,
            name: fields.required_text("Name", 100)?,
            percentage,
            is_default: fields.is("IsDefault")?,
            is_manual: fields.is("IsManualTax")?,
            active: fields.is("Active")?,
            used: before.is_some_and(|tax| tax.used),
            stamps: saving.stamps,
        })
    }

    fn in_use(&self, _books: &Books) -> bool {
        self.used
    }
}

/// The id in `Category: {"ID": n}`: absent is none, anything else must exist (0 does not).
pub fn category_of<T, C: Record>(
    saving: &Saving<T>,
    categories: &Table<C>,
) -> Result<Option<i64>, Refusal> {
    let Some(category) = saving.fields.object("Category")? else {
        return Ok(None);
    };
    let id = category.required_int("ID")?;
    if categories.get(id).is_none() {
        return Err(Refusal::invalid("Category", "The category does not exist."));
    }
    Ok(Some(id))
}

#[derive(Debug, Clone)]
pub struct SalesRepresentative {
    pub id: i64,
    pub first_name: String,
    pub last_name: String,
    pub email: String,
    pub mobile: String,
    pub telephone: String,
    pub active: bool,
    pub used: bool,
    pub stamps: Stamps,
}

impl Record for SalesRepresentative {
    fn id(&self) -> i64 {
        self.id
    }
}

impl Entity for SalesRepresentative {
    const COLUMNS: &'static [Column<Self>] = &[
        number_of("ID", |s, _| s.id.into()),
        text("FirstName", |s, _| (&s.first_name).into()),
        text("LastName", |s, _| (&s.last_name).into()),
        text("Name", |s, _| {
            Cell::Made(format!("{} {}", s.first_name, s.last_name))
        }),
        flag("Active", |s, _| s.active.into()),
        text("Email", |s, _| (&s.email).into()),
        text("Mobile", |s, _| (&s.mobile).into()),
        text("Telephone", |s, _| (&s.telephone).into()),
        date("Created", |s, _| s.stamps.created.into()),
        date("Modified", |s, _| s.stamps.modified.into()),
    ];

    stored_in!(sales_representatives);

    fn read(saving: &Saving<Self>) -> Result<Self, Refusal> {
        let fields = saving.fields;
        Ok(Self {
            id: saving.id,
            first_name: fields.required_text("FirstName", 50)?,
            last_name: fields.required_text("LastName", 50)?,
            email: fields.text("Email", 100)?,
            mobile: fields.text("Mobile", 30)?,
            telephone: fields.text("Telephone", 30)?,
            active: fields.is("Active")?,
            used: saving.before.is_some_and(|person| person.used),
            stamps: saving.stamps,
        })
    }

    fn in_use(&self, _books: &Books) -> bool {
        self.used
    }
}

/// `HasActivity/{id}` answers a bare boolean.
pub fn serve_representatives(books: &mut Books, call: &Call) -> Result<Response, Refusal> {
    if !call.method.eq_ignore_ascii_case("HasActivity") {
        return entity::serve::<SalesRepresentative>(books, call);
    }
    call.wants("GET")?;
    let person = books.sales_representatives.get(call.needed_id()?);
    let used = person.ok_or(Refusal::NotFound)?.used;
    Ok(Response::json(200, &Value::Bool(used)))
}
