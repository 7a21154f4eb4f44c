//! A document as a body describes it: read, checked against the company's furniture, and computed, but not stored.
//!
//! This is the whole of Calculate, and the first half of Save.

use std::sync::Arc;

use rust_decimal::Decimal;
use serde_json::Value;

use super::totals::{LineInput, Rules, Sent, document, line};
use super::{Document, DocumentKind, Line};
use crate::sage::behaviour::Doubtful;
use crate::sage::books::Books;
use crate::sage::customers::{Address, customer_of, existing};
use crate::sage::fields::{Fields, bounded, required};
use crate::sage::refusal::Refusal;
use crate::sage::wire::Stamps;

/// Reads a body. Id, number, stamps and what was allocated are the storing part's business.
pub fn read(
    fields: &Fields,
    kind: DocumentKind,
    stamps: Stamps,
    books: &Books,
) -> Result<Document, Refusal> {
    let customer_id = customer_of(fields, books)?;
    let inclusive = fields.is("Inclusive")?;
    let discount_percentage = fields.fraction("DiscountPercentage")?;
    let rules = Rules::of(&books.behaviour);
    let lines = fields.array("Lines")?;
    if lines.is_empty() {
        return Err(Refusal::invalid(
            "Lines",
            "The document must have at least one line.",
        ));
    }
    let lines = lines
        .iter()
        .map(|line| read_line(line, inclusive, discount_percentage, &rules, books))
        .collect::<Result<Vec<Line>, Refusal>>()?;
    let amounts: Vec<_> = lines
        .iter()
        .map(|line| (line.amounts, line.tax_percentage))
        .collect();
    let mut totals = document(&amounts, inclusive, &rules);
    let rounded = books.company.rounded_total(totals.total);
    totals.rounding = rounded - totals.total;
    totals.total = rounded;
    if totals.total < Decimal::ZERO {
        return Err(Refusal::invalid(
            "Total",
            "The total of a document can't be negative.",
        ));
    }
    let from_document_id = from_document(fields, kind, customer_id, books)?;
    Ok(Document {
        id: 0,
        customer_id,
        sales_representative_id: existing(
            fields,
            "SalesRepresentativeId",
            &books.sales_representatives,
        )?,
        date: fields.required_date("Date")?,
        due_date: match kind {
            DocumentKind::Invoice => Some(fields.required_date("DueDate")?),
            DocumentKind::Return => None,
        },
        inclusive,
        discount_percentage,
        tax_reference: fields.text("TaxReference", 30)?,
        number: fields.text("DocumentNumber", 100)?.trim().to_owned(),
        reference: fields.text("Reference", 100)?,
        external_reference: fields.text("ExternalReference", 100)?,
        message: fields.text("Message", 8000)?,
        totals,
        allocated: Decimal::ZERO,
        postal: address(fields, "PostalAddress", customer_id, books)?,
        delivery: address(fields, "DeliveryAddress", customer_id, books)?,
        printed: fields.is("Printed")?,
        anticipated_date: fields.date("AnticipatedDate")?,
        allow_online_payment: match kind {
            DocumentKind::Invoice => fields.flag("AllowOnlinePayment")?,
            DocumentKind::Return => None,
        },
        void: false,
        from_document: fields.text("FromDocument", 100)?,
        from_document_id,
        from_document_type_id: fields.int("FromDocumentTypeId")?,
        lines,
        stamps,
    })
}

/// The address sent, or a copy of the customer's.
fn address(fields: &Fields, name: &str, customer: i64, books: &Books) -> Result<Address, Refusal> {
    let sent = fields.address(name)?;
    let customer = books.customers.get(customer);
    Ok(
        match customer.filter(|_| sent.iter().all(String::is_empty)) {
            Some(customer) if name == "PostalAddress" => customer.postal.clone(),
            Some(customer) => customer.delivery.clone(),
            None => Arc::new(sent),
        },
    )
}

/// The invoice that a return names; it must be one of the customer's. Invoices may come from documents of services
/// that are not here, such as sales orders, so theirs is kept unseen.
fn from_document(
    fields: &Fields,
    kind: DocumentKind,
    customer: i64,
    books: &Books,
) -> Result<Option<i64>, Refusal> {
    let id = fields.int("FromDocumentId")?;
    let known = |id| {
        books
            .invoices
            .get(id)
            .is_some_and(|invoice| invoice.customer_id == customer)
    };
    if kind == DocumentKind::Return && id.is_some_and(|id| !known(id)) {
        let text = "The document is not an invoice of this customer.";
        return Err(Refusal::invalid("FromDocumentId", text));
    }
    Ok(id)
}

fn read_line(
    body: &Value,
    inclusive: bool,
    document_discount: Decimal,
    rules: &Rules,
    books: &Books,
) -> Result<Line, Refusal> {
    let fields = Fields::of(body)?;
    let line_type = fields.int("LineType")?.unwrap_or(0);
    let selection_id = fields.required_int("SelectionId")?;
    check_selection(line_type, selection_id, books)?;
    let tax_type_id = fields.int("TaxTypeId")?;
    let rate = rate(&fields, tax_type_id, books)?;
    let quantity = fields
        .decimal("Quantity")?
        .ok_or_else(|| required("Quantity"))?;
    let exclusive = fields.decimal("UnitPriceExclusive")?;
    let inclusive_price = fields.decimal("UnitPriceInclusive")?;
    let gross = Decimal::ONE + rate;
    // The price that rules, and the other one derived from it; the ruling one may be missing.
    let (unit_price, other) = if inclusive {
        let price = inclusive_price.or(exclusive.map(|price| price * gross));
        let price = price.ok_or_else(|| required("UnitPriceInclusive"))?;
        (price, price / gross)
    } else {
        let price = exclusive.or(inclusive_price.map(|price| price / gross));
        let price = price.ok_or_else(|| required("UnitPriceExclusive"))?;
        (price, price * gross)
    };
    let negative = quantity < Decimal::ZERO || unit_price < Decimal::ZERO;
    if negative && books.behaviour.negative_lines == Doubtful::Refused {
        let text = "Quantities and prices can't be negative.";
        return Err(Refusal::invalid("Quantity", text));
    }
    let line_discount = fields.fraction("DiscountPercentage")?;
    let input = LineInput {
        quantity,
        unit_price,
        line_discount,
        document_discount,
        rate,
        sent: Sent {
            exclusive: fields.decimal("Exclusive")?,
            tax: fields.decimal("Tax")?,
            total: fields.decimal("Total")?,
        },
    };
    let amounts = line(&input, inclusive, rules);
    bounded("Total", amounts.total + amounts.discount)?;
    let (price, other) = (rules.price(unit_price), rules.price(other));
    let (unit_price_inclusive, unit_price_exclusive) = if inclusive {
        (price, other)
    } else {
        (other, price)
    };
    Ok(Line {
        id: fields.int("ID")?.unwrap_or(0),
        line_type,
        selection_id,
        tax_type_id,
        description: fields.text("Description", books.behaviour.line_description_length)?,
        quantity,
        unit: fields.text("Unit", 100)?,
        unit_price_exclusive,
        unit_price_inclusive,
        tax_percentage: rate,
        discount_percentage: line_discount,
        amounts,
        comments: fields.text("Comments", 8000)?,
        analysis_categories: fields.three("AnalysisCategoryId", Fields::int)?,
        tracking_code: fields.text("$TrackingCode", 100)?,
        currency_id: fields.int("CurrencyId")?,
    })
}

/// The item or account of a line: there, and in use.
fn check_selection(line_type: i64, id: i64, books: &Books) -> Result<(), Refusal> {
    let (name, active) = match line_type {
        0 => ("item", books.items.get(id).map(|item| item.active)),
        1 => (
            "account",
            books.accounts.get(id).map(|account| account.active),
        ),
        _ => {
            let text = format!("Lines of type {line_type} are not available to this company.");
            return Err(Refusal::invalid("LineType", text));
        }
    };
    match active {
        Some(true) => Ok(()),
        Some(false) => Err(Refusal::invalid(
            "SelectionId",
            format!("The {name} is not active."),
        )),
        None => Err(Refusal::invalid(
            "SelectionId",
            format!("The {name} does not exist."),
        )),
    }
}

/// The rate of a line as a fraction: its tax type's, whatever percentage was sent along; no tax type is no tax.
fn rate(fields: &Fields, tax_type: Option<i64>, books: &Books) -> Result<Decimal, Refusal> {
    let sent = fields.decimal("TaxPercentage")?;
    let Some(id) = tax_type else {
        return Ok(Decimal::ZERO);
    };
    let Some(tax_type) = books.tax_types.get(id) else {
        return Err(Refusal::invalid(
            "TaxTypeId",
            "The tax type does not exist.",
        ));
    };
    if !tax_type.active {
        return Err(Refusal::invalid("TaxTypeId", "The tax type is not active."));
    }
    if tax_type.is_manual && books.behaviour.manual_tax_types == Doubtful::Refused {
        let text = "A manual tax type can't be used here.";
        return Err(Refusal::invalid("TaxTypeId", text));
    }
    match sent.filter(|_| books.behaviour.sent_tax_percentage_rules) {
        Some(_) => fields.fraction("TaxPercentage"),
        None => Ok(tax_type.percentage),
    }
}
