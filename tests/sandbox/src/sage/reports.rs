//! Reports about customers in their simple forms: ageing, transaction listing, statement.
//!
//! All three are views of the same movements. Whether they obey the 100-row limit of lists is a switch (Q27).

use chrono::NaiveDate;
use rust_decimal::Decimal;
use serde_json::{Map, Value, json};

use super::books::Books;
use super::call::Call;
use super::customers::{Customer, customer_brief};
use super::fields::Fields;
use super::odata::{PAGE, envelope};
use super::refusal::Refusal;
use super::wire::number;
use crate::http::Response;

/// One thing that moved what a customer owes.
struct Movement<'b> {
    date: NaiveDate,
    document_id: i64,
    kind: MovementKind,
    number: &'b str,
    reference: &'b str,
    /// Positive: the customer owes more.
    amount: Decimal,
    /// How much of it is not allocated, with the same sign.
    open: Decimal,
}

/// Sage's document types; 1 is certain, the others are ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum MovementKind {
    OpeningBalance = 0,
    Invoice = 1,
    Return = 2,
    Receipt = 3,
    WriteOff = 4,
    Adjustment = 5,
    Discount = 6,
}

impl MovementKind {
    fn text(self) -> &'static str {
        match self {
            Self::OpeningBalance => "Opening Balance",
            Self::Invoice => "Tax Invoice",
            Self::Return => "Credit Note",
            Self::Receipt => "Receipt",
            Self::WriteOff => "Write-Off",
            Self::Adjustment => "Adjustment",
            Self::Discount => "Discount",
        }
    }
}

/// All of a customer's movements, by date; their sum is the balance.
fn movements<'b>(books: &'b Books, customer: &Customer) -> Vec<Movement<'b>> {
    let id = customer.id;
    let mut found: Vec<Movement> = Vec::new();
    let mut add = |date, document_id, kind, number: &'b str, reference: &'b str, amount, open| {
        found.push(Movement {
            date,
            document_id,
            kind,
            number,
            reference,
            amount,
            open,
        });
    };
    for o in books.opening_balances.linked(id) {
        add(
            o.date,
            o.id,
            MovementKind::OpeningBalance,
            "",
            &o.reason,
            o.balance,
            o.balance,
        );
    }
    for d in books.invoices.linked(id).filter(|d| !d.void) {
        let (total, open) = (d.totals.total, d.open_amount());
        add(
            d.date,
            d.id,
            MovementKind::Invoice,
            &d.number,
            &d.reference,
            total,
            open,
        );
    }
    for d in books.returns.linked(id).filter(|d| !d.void) {
        let (total, open) = (-d.totals.total, -d.open_amount());
        add(
            d.date,
            d.id,
            MovementKind::Return,
            &d.number,
            &d.reference,
            total,
            open,
        );
    }
    for r in books.receipts.linked(id) {
        let open = r.allocated - r.total;
        add(
            r.date,
            r.id,
            MovementKind::Receipt,
            &r.number,
            &r.reference,
            -r.total,
            open,
        );
        for a in books
            .allocations
            .linked(r.id)
            .filter(|a| !a.discount.is_zero())
        {
            let (kind, none) = (MovementKind::Discount, Decimal::ZERO);
            add(
                r.date,
                a.id,
                kind,
                &r.number,
                &r.reference,
                -a.discount,
                none,
            );
        }
    }
    for w in books.write_offs.linked(id) {
        let open = w.allocated - w.total;
        add(
            w.date,
            w.id,
            MovementKind::WriteOff,
            &w.number,
            &w.reference,
            -w.total,
            open,
        );
    }
    for a in books.adjustments.linked(id) {
        add(
            a.date,
            a.id,
            MovementKind::Adjustment,
            &a.number,
            &a.reference,
            a.total,
            a.total,
        );
    }
    found.sort_by_key(|movement| (movement.date, movement.document_id));
    found
}

/// Which customers a report is about.
struct Chosen<'b>(Vec<&'b Customer>);

impl<'b> Chosen<'b> {
    fn of(fields: &Fields, books: &'b Books) -> Result<Self, Refusal> {
        let one = fields.int("CustomerId")?;
        let (from, to) = (
            fields.text("FromCustomer", 100)?,
            fields.text("ToCustomer", 100)?,
        );
        let (from, to) = (from.to_lowercase(), to.to_lowercase());
        let (active, inactive) = (fields.is("IncludeActive")?, fields.is("IncludeInactive")?);
        // Neither is taken as both: a report about nobody serves nobody.
        let (active, inactive) = match (active, inactive) {
            (false, false) => (true, true),
            chosen => chosen,
        };
        let mut customers: Vec<&Customer> = books
            .customers
            .iter()
            .filter(|customer| one.is_none_or(|id| id == customer.id))
            .filter(|customer| if customer.active { active } else { inactive })
            .filter(|customer| {
                let name = customer.name.to_lowercase();
                (from.is_empty() || name >= from) && (to.is_empty() || name <= to)
            })
            .collect();
        customers.sort_by_cached_key(|customer| customer.name.to_lowercase());
        if books.behaviour.report_limit {
            customers.truncate(PAGE);
        }
        Ok(Self(customers))
    }
}

/// What is open by how long it has been: Current, Days30, Days60, Days90, Days120Plus.
#[derive(Default)]
struct Ageing {
    total: Decimal,
    buckets: [Decimal; 5],
}

impl Ageing {
    fn of(movements: &[Movement], to: NaiveDate) -> Self {
        let mut ageing = Self::default();
        for movement in movements.iter().filter(|movement| movement.date <= to) {
            let days = (to - movement.date).num_days();
            let bucket = usize::try_from(days / 30).unwrap_or(0).min(4);
            ageing.buckets[bucket] += movement.open;
            ageing.total += movement.open;
        }
        ageing
    }

    fn into(self, row: &mut Map<String, Value>) {
        let names = ["Current", "Days30", "Days60", "Days90", "Days120Plus"];
        for (name, amount) in names.into_iter().zip(self.buckets) {
            row.insert(name.to_owned(), Value::Number(number(amount)));
        }
    }
}

/// `CustomerAgeing/GetSummary`.
pub fn serve_ageing(books: &Books, call: &Call) -> Result<Response, Refusal> {
    let body = report_body(call, "getsummary")?;
    let fields = Fields::of(&body)?;
    let to = fields.date("ToDate")?.unwrap_or(call.now.date());
    let without_zero = fields.is("ExcludeZeroBalance")?;
    let mut rows = Vec::new();
    for customer in Chosen::of(&fields, books)?.0 {
        let ageing = Ageing::of(&movements(books, customer), to);
        if without_zero && ageing.total.is_zero() {
            continue;
        }
        let mut row = Map::new();
        row.insert("Customer".to_owned(), customer_brief(customer));
        row.insert("Date".to_owned(), date_text(to));
        row.insert("Total".to_owned(), Value::Number(number(ageing.total)));
        ageing.into(&mut row);
        rows.push(Value::Object(row));
    }
    Ok(Response::json(200, &envelope(rows.len(), rows)))
}

/// `CustomerTransactionListing/GetCustomerTransactionListingReportingDetail`: a bare array.
pub fn serve_listing(books: &Books, call: &Call) -> Result<Response, Refusal> {
    let body = report_body(call, "getcustomertransactionlistingreportingdetail")?;
    let fields = Fields::of(&body)?;
    let (from, to) = period(&fields)?;
    let mut rows = Vec::new();
    for customer in Chosen::of(&fields, books)?.0 {
        let movements = movements(books, customer);
        let (before, within) = split(&movements, from, to);
        let mut running: Decimal = before;
        let transactions: Vec<Value> = within
            .iter()
            .map(|movement| {
                running += movement.amount;
                let mut line = statement_line(movement);
                line.insert("ID".to_owned(), json!(movement.document_id));
                line.insert("LinkId".to_owned(), json!(movement.document_id));
                line.insert(
                    "DocumentTypeDisplayText".to_owned(),
                    json!(movement.kind.text()),
                );
                line.insert("Total".to_owned(), Value::Number(number(movement.amount)));
                line.insert("RunningTotal".to_owned(), Value::Number(number(running)));
                Value::Object(line)
            })
            .collect();
        rows.push(json!({
            "ID": customer.id,
            "Name": customer.name,
            "CurrencySymbol": "R",
            "OpeningBalanceDate": date_text(from),
            "OpeningBalance": number(before),
            "ClosingBalanceDate": date_text(to),
            "ClosingBalance": number(running),
            "Transactions": transactions,
        }));
    }
    Ok(Response::json(200, &Value::Array(rows)))
}

/// `CustomerStatement/Get`.
pub fn serve_statement(books: &Books, call: &Call) -> Result<Response, Refusal> {
    let body = report_body(call, "get")?;
    let fields = Fields::of(&body)?;
    let (from, to) = period(&fields)?;
    let without_zero = fields.is("ExcludeZeroBalanceAccounts")?;
    let mut rows = Vec::new();
    for customer in Chosen::of(&fields, books)?.0 {
        let movements = movements(books, customer);
        let (_, within) = split(&movements, from, to);
        let ageing = Ageing::of(&movements, to);
        if without_zero && ageing.total.is_zero() {
            continue;
        }
        let paid: Decimal = within
            .iter()
            .filter(|movement| movement.kind == MovementKind::Receipt)
            .map(|movement| -movement.amount)
            .sum();
        let lines: Vec<Value> = within
            .iter()
            .map(|movement| Value::Object(statement_line(movement)))
            .collect();
        let mut row = Map::new();
        row.insert("Customer".to_owned(), customer_brief(customer));
        row.insert("StatementLines".to_owned(), Value::Array(lines));
        row.insert("Date".to_owned(), date_text(to));
        row.insert("TotalDue".to_owned(), Value::Number(number(ageing.total)));
        row.insert("TotalPaid".to_owned(), Value::Number(number(paid)));
        ageing.into(&mut row);
        rows.push(Value::Object(row));
    }
    if rows.is_empty() {
        return Ok(Response::empty(204));
    }
    Ok(Response::json(200, &envelope(rows.len(), rows)))
}

fn report_body(call: &Call, method: &str) -> Result<Value, Refusal> {
    if !call.method.eq_ignore_ascii_case(method) {
        return Err(call.no_method());
    }
    call.wants("POST")?;
    call.json()
}

fn period(fields: &Fields) -> Result<(NaiveDate, NaiveDate), Refusal> {
    Ok((
        fields.required_date("FromDate")?,
        fields.required_date("ToDate")?,
    ))
}

/// What was owed before a period, and the movements in it.
fn split<'m, 'b>(
    movements: &'m [Movement<'b>],
    from: NaiveDate,
    to: NaiveDate,
) -> (Decimal, Vec<&'m Movement<'b>>) {
    let before = movements.iter().filter(|movement| movement.date < from);
    let within = movements
        .iter()
        .filter(|movement| movement.date >= from && movement.date <= to);
    (
        before.map(|movement| movement.amount).sum(),
        within.collect(),
    )
}

fn statement_line(movement: &Movement) -> Map<String, Value> {
    let (debit, credit) = match movement.amount >= Decimal::ZERO {
        true => (movement.amount, Decimal::ZERO),
        false => (Decimal::ZERO, -movement.amount),
    };
    let mut line = Map::new();
    line.insert("DocumentHeaderId".to_owned(), json!(movement.document_id));
    line.insert("DocumentTypeId".to_owned(), json!(movement.kind as i64));
    line.insert("Date".to_owned(), date_text(movement.date));
    line.insert("DocumentNumber".to_owned(), json!(movement.number));
    line.insert("Reference".to_owned(), json!(movement.reference));
    line.insert("Debit".to_owned(), Value::Number(number(debit)));
    line.insert("Credit".to_owned(), Value::Number(number(credit)));
    line
}

fn date_text(date: NaiveDate) -> Value {
    json!(format!("{date}T00:00:00Z"))
}
