//! A tiny provider from a seed: at most ten customers, and a few documents of each, some of them awkward.

use chrono::Days;
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use rust_decimal::Decimal;
use sandbox::isp::{
    CreditNote, Customer, CustomerCategory, Invoice, Isp, Line, Payment, Rounding, Size, total,
};

/// Prices without tax, with as many places as Splynx keeps: whole ones, and such as no sum of rounded lines makes.
const PRICES: [i64; 6] = [4_990_000, 869_565, 289_870, 1_000_000, 33, 7_816_522];

pub fn draw(rng: &mut ChaCha8Rng) -> Isp {
    let mut isp = Isp::seeded(Size::Tiny, rng.random_range(0..1_000));
    let first = isp.customers[0].clone();
    isp.customers.clear();
    isp.invoices.clear();
    isp.credit_notes.clear();
    isp.payments.clear();
    let count = if rng.random_ratio(1, 4) {
        rng.random_range(6..=10)
    } else {
        rng.random_range(1..=5)
    };
    for place in 0..count {
        let customer = customer(&first, place, rng);
        documents(&mut isp, &customer, rng);
        isp.customers.push(customer);
    }
    isp
}

fn customer(first: &Customer, place: i64, rng: &mut ChaCha8Rng) -> Customer {
    let id = 11 + place;
    Customer {
        id,
        login: format!("{id:06}"),
        // Namesakes now and then: Sage wants names to be unique.
        name: match rng.random_range(0..12) {
            0 => "J. Botha".to_owned(),
            1 => "j.  botha ".to_owned(),
            _ => format!("Customer {id}"),
        },
        category: match rng.random_range(0..12) {
            0 => CustomerCategory::Lead,
            1..4 => CustomerCategory::Company,
            _ => CustomerCategory::Person,
        },
        partner_id: if rng.random_ratio(1, 6) { 3 } else { 1 },
        email: format!("c{id}@isp.example"),
        billing_email: String::new(),
        vat_id: if rng.random_ratio(1, 4) {
            format!("4{id:09}")
        } else {
            String::new()
        },
        ..first.clone()
    }
}

fn documents(isp: &mut Isp, customer: &Customer, rng: &mut ChaCha8Rng) {
    if customer.category == CustomerCategory::Lead {
        return;
    }
    for _ in 0..rng.random_range(0..3) {
        let place = isp.invoices.len() as u64;
        let date = isp.today - Days::new(rng.random_range(0..45));
        let mut lines = lines(rng);
        if rng.random_ratio(1, 15) {
            // The total is negative: a credit note in Sage (F34).
            for line in &mut lines {
                line.price = -line.price;
            }
        }
        let rounding = if rng.random_ratio(1, 6) {
            Rounding::AtEnd
        } else {
            Rounding::PerLine
        };
        let invoice = Invoice {
            id: 501 + isp.invoices.len() as i64,
            customer_id: customer.id,
            number: format!("202601{:06}", place + 1),
            date,
            due: date + Days::new(14),
            total: total(&lines, rounding),
            rounding,
            lines,
            kind: "one_time".to_owned(),
            deleted: rng.random_ratio(1, 15),
            uses_transactions: !rng.random_ratio(1, 15),
            note: String::new(),
        };
        let is_paid = rng.random_ratio(1, 2) && !invoice.deleted && invoice.total > Decimal::ZERO;
        if is_paid {
            let amount = match rng.random_range(0..4) {
                0 => (invoice.total / Decimal::TWO).round_dp(2),
                1 => invoice.total + Decimal::TEN,
                _ => invoice.total,
            };
            pay(isp, customer.id, amount, Some(invoice.id), rng);
        }
        isp.invoices.push(invoice);
    }
    if rng.random_ratio(1, 3) {
        let lines = lines(rng);
        let place = isp.credit_notes.len() as u64;
        isp.credit_notes.push(CreditNote {
            id: 41 + isp.credit_notes.len() as i64,
            customer_id: customer.id,
            number: format!("202601{:06}", place + 1),
            date: isp.today - Days::new(rng.random_range(0..30)),
            total: total(&lines, Rounding::PerLine),
            rounding: Rounding::PerLine,
            lines,
            invoice_id: None,
            refunded: rng.random_ratio(1, 8),
            note: String::new(),
        });
    }
    if rng.random_ratio(1, 4) {
        let amount = Decimal::new(rng.random_range(-5_000..90_000), 2);
        pay(isp, customer.id, amount, None, rng);
    }
}

fn pay(isp: &mut Isp, customer: i64, amount: Decimal, invoice: Option<i64>, rng: &mut ChaCha8Rng) {
    let place = isp.payments.len() as u64;
    isp.payments.push(Payment {
        id: 601 + isp.payments.len() as i64,
        customer_id: customer,
        method_id: [1, 2, 2, 3, 8][rng.random_range(0..5)],
        date: isp.today - Days::new(rng.random_range(0..20)),
        amount,
        receipt_number: format!("2026-02-{:05}", place + 1),
        invoice_id: invoice,
        comment: String::new(),
    });
}

fn lines(rng: &mut ChaCha8Rng) -> Vec<Line> {
    (0..rng.random_range(1..4))
        .map(|number| {
            let taxed = rng.random_ratio(4, 5);
            Line {
                description: format!("Fibre {number}"),
                quantity: Decimal::from(rng.random_range(1..4)),
                price: Decimal::new(PRICES[rng.random_range(0..PRICES.len())], 4),
                tax_percent: Decimal::from(if taxed { 15 } else { 0 }),
                tax_id: if taxed { 1 } else { 2 },
                category_id: [1, 7, 8, 9][rng.random_range(0..4)],
                period: None,
            }
        })
        .collect()
}
