//! One customer's year: what is charged each month, what is paid and when, what is credited.
//!
//! Documents are made customer by customer; their ids are places in the lists until the generator puts all of them in order of date.

use chrono::{Datelike, Days, Months, NaiveDate};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use rust_decimal::{Decimal, RoundingStrategy};

use super::cases::Case;
use super::catalogue::{self, Product};
use super::furniture::{category, method};
use super::{CreditNote, Customer, Invoice, Isp, Line, Payment, Rounding, Size, cents, total};

/// Months of history.
const MONTHS: u32 = 12;
const LAST: u32 = MONTHS - 1;

/// How one customer is billed and pays, all year.
struct Account<'a> {
    isp: &'a mut Isp,
    case: Case,
    customer: i64,
    tariff: Product,
    method: i64,
    rounding: Rounding,
    /// Day of the month on which invoices are made.
    day: u32,
    /// Days from the invoice to the payment.
    pays_after: u64,
    /// Whether staff enter payments for an invoice, or for the customer only.
    names_invoice: bool,
}

/// An invoice just made.
#[derive(Clone, Copy)]
struct Made {
    id: i64,
    date: NaiveDate,
    total: Decimal,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Credit {
    /// Of an open invoice.
    Linked,
    Loose,
    /// Of a paid invoice, the money paid out.
    Refunded,
}

/// Adds a customer's year.
pub fn add_year(isp: &mut Isp, customer: &Customer, case: Case, rng: &mut ChaCha8Rng) {
    let tiny = isp.size == Size::Tiny;
    let months = match case {
        Case::Lead | Case::NeverCharged => 0..0,
        Case::Newcomer => 6..MONTHS,
        Case::Left => 0..6,
        _ if tiny => LAST - 1..MONTHS,
        _ => 0..MONTHS,
    };
    let rounds_at_end = case == Case::OddCents || (!tiny && rng.random_ratio(1, 6));
    let mut account = Account {
        case,
        customer: customer.id,
        tariff: match case {
            Case::Prepaid => catalogue::PREPAID,
            Case::Wireless => any(rng, &catalogue::WIRELESS),
            Case::ZeroRated => catalogue::EXPORT,
            _ if !tiny && rng.random_ratio(1, 3) => any(rng, &catalogue::WIRELESS),
            _ => any(rng, &catalogue::FIBRE),
        },
        method: match case {
            Case::PaidThroughSage => method::FROM_SAGE,
            Case::Prepaid => method::REFILL_CARD,
            _ if tiny => method::BANK_TRANSFER,
            _ => usual_method(rng),
        },
        rounding: if rounds_at_end {
            Rounding::AtEnd
        } else {
            Rounding::PerLine
        },
        day: if tiny {
            1
        } else {
            [1, 1, 1, 15, 20][rng.random_range(0..5)]
        },
        pays_after: if case == Case::Prepaid {
            0
        } else {
            rng.random_range(2..7)
        },
        names_invoice: tiny || rng.random_ratio(1, 2),
        isp,
    };
    for month in months {
        account.month(month, rng);
    }
}

fn usual_method(rng: &mut ChaCha8Rng) -> i64 {
    match rng.random_range(0..100) {
        0..40 => method::DEBIT_ORDER,
        40..75 => method::BANK_TRANSFER,
        75..88 => method::CREDIT_CARD,
        88..95 => method::CASH,
        _ => method::PAYPAL,
    }
}

impl Account<'_> {
    fn month(&mut self, month: u32, rng: &mut ChaCha8Rng) {
        let start = self.isp.first_day() + Months::new(month);
        let date = start.with_day(self.day).unwrap_or(start);
        if date > self.isp.today {
            return;
        }
        let lines = self.lines(month, date, rng);
        let made = self.invoice(date, lines);
        match (self.case, month) {
            (Case::Overdue, 9..) | (Case::Arrears, 7 | 8) => {}
            (Case::FromBalance, 7..=10) => {}
            (Case::FromBalance, 6) => self.pay(made, made.total * Decimal::from(5)),
            (Case::Arrears, 9) => self.pay_arrears(made),
            (Case::PartlyPaid, LAST) => self.pay(made, Decimal::ONE_HUNDRED),
            (Case::Instalments, 8) => self.pay_instalments(made),
            (Case::Unallocated, LAST) => {
                self.pay(made, made.total);
                self.payment(self.method, made.date + Days::new(7), made.total, None, "");
            }
            (Case::Refund, 9) => self.pay_twice(made),
            (Case::LinkedCreditNote, LAST) => {
                let credited = self.credit(made, 1, Credit::Linked);
                self.pay(made, made.total - credited);
            }
            (Case::LooseCreditNote, LAST) => {
                self.pay(made, made.total);
                self.credit(made, 7, Credit::Loose);
            }
            (Case::RefundedCreditNote, 9) => {
                self.pay(made, made.total);
                self.credit(made, 7, Credit::Refunded);
            }
            (Case::Plain, _) if self.isp.size != Size::Tiny => self.usual_month(made, rng),
            _ => self.pay(made, made.total),
        }
        if month == LAST {
            self.one_more(made);
        }
    }

    /// Most pay in full; some late, short, too much or not at all, and now and then something is credited.
    fn usual_month(&mut self, made: Made, rng: &mut ChaCha8Rng) {
        match rng.random_range(0..200) {
            0..4 => {}
            4..8 => self.pay(made, made.total + Decimal::from(50)),
            8..12 => self.pay(made, cents(made.total / Decimal::TWO)),
            12..16 => {
                let date = made.date + Days::new(25);
                self.payment(self.method, date, made.total, None, "late");
            }
            16..18 => {
                let credited = self.credit(made, 1, Credit::Linked);
                self.pay(made, made.total - credited);
            }
            18..20 => {
                self.pay(made, made.total);
                self.credit(made, 7, Credit::Loose);
            }
            _ => self.pay(made, made.total),
        }
    }

    fn lines(&self, month: u32, date: NaiveDate, rng: &mut ChaCha8Rng) -> Vec<Line> {
        let mut lines = vec![Line {
            description: format!("{}, {}", self.tariff.text, date.format("%b %Y")),
            period: Some((date, date + Months::new(1) - Days::new(1))),
            ..self.tariff.line(1)
        }];
        match self.case {
            Case::Discount => lines.push(catalogue::DISCOUNT.line(1)),
            Case::Hardware if month % 4 == 3 => lines.extend(catalogue::hardware()),
            Case::MixedTax => lines.push(catalogue::EXPORT.line(1)),
            Case::OddCents => lines.extend(catalogue::odd_cents()),
            Case::Plain if self.isp.size != Size::Tiny && rng.random_ratio(1, 6) => {
                let gross_cents = rng.random_range(100..20_000);
                let calls = Product {
                    gross_cents,
                    ..catalogue::CALLS
                };
                lines.extend([catalogue::VOICE.line(1), calls.line(1)]);
            }
            _ => {}
        }
        lines
    }

    fn invoice(&mut self, date: NaiveDate, lines: Vec<Line>) -> Made {
        let made = Made {
            id: place(self.isp.invoices.len()),
            date,
            total: total(&lines, self.rounding),
        };
        self.isp.invoices.push(Invoice {
            id: made.id,
            customer_id: self.customer,
            number: String::new(),
            date,
            due: date + Days::new(14),
            lines,
            rounding: self.rounding,
            total: made.total,
            kind: if self.case == Case::Prepaid {
                "one_time"
            } else {
                "recurring"
            }
            .to_owned(),
            deleted: false,
            uses_transactions: true,
            note: String::new(),
        });
        made
    }

    /// In the last month some get a second invoice, which is not for Sage.
    fn one_more(&mut self, made: Made) {
        let date = made.date + Days::new(1);
        let charge = self.tariff.line(1);
        match self.case {
            Case::DeletedInvoice => {
                self.invoice(date, vec![charge]);
                self.change_last(|invoice| {
                    invoice.deleted = true;
                    invoice.note = "Made twice by mistake".to_owned();
                });
            }
            Case::ZeroInvoice => {
                let free = Line {
                    price: -charge.price,
                    category_id: category::DISCOUNT,
                    ..charge.clone()
                };
                self.invoice(date, vec![charge, free]);
            }
            Case::NoTransactions => {
                self.invoice(date, vec![charge]);
                self.change_last(|invoice| invoice.uses_transactions = false);
            }
            _ => {}
        }
    }

    fn change_last(&mut self, change: impl FnOnce(&mut Invoice)) {
        if let Some(invoice) = self.isp.invoices.last_mut() {
            change(invoice);
        }
    }

    /// Pays as this customer does; money that comes after the end of the history is not there yet.
    fn pay(&mut self, made: Made, amount: Decimal) {
        let date = made.date + Days::new(self.pays_after);
        let comment = match self.method {
            method::BANK_TRANSFER => "EFT",
            method::FROM_SAGE => "SageOne",
            _ => "",
        };
        let named = self.names_invoice.then_some(made.id);
        self.payment(self.method, date, amount, named, comment);
    }

    fn pay_arrears(&mut self, last: Made) {
        let owed = self
            .isp
            .invoices
            .iter()
            .rev()
            .take(3)
            .map(|invoice| invoice.total)
            .sum();
        let date = last.date + Days::new(self.pays_after);
        self.payment(method::BANK_TRANSFER, date, owed, None, "EFT, three months");
    }

    fn pay_instalments(&mut self, made: Made) {
        let third = cents(made.total / Decimal::from(3));
        for (days, amount) in [(2, third), (4, third), (6, made.total - third - third)] {
            let date = made.date + Days::new(days);
            self.payment(method::CASH, date, amount, Some(made.id), "instalment");
        }
    }

    fn pay_twice(&mut self, made: Made) {
        self.pay(made, made.total);
        let again = made.date + Days::new(7);
        self.payment(self.method, again, made.total, None, "paid twice");
        let back = again + Days::new(2);
        self.payment(method::BANK_TRANSFER, back, -made.total, None, "refund");
    }

    fn payment(
        &mut self,
        method: i64,
        date: NaiveDate,
        amount: Decimal,
        invoice: Option<i64>,
        comment: &str,
    ) {
        if amount.is_zero() || date > self.isp.today {
            return;
        }
        self.isp.payments.push(Payment {
            id: place(self.isp.payments.len()),
            customer_id: self.customer,
            method_id: method,
            date,
            amount,
            receipt_number: String::new(),
            invoice_id: invoice,
            comment: comment.to_owned(),
        });
    }

    /// Credits half of the first line of the invoice just made; what that comes to.
    fn credit(&mut self, made: Made, days: u64, kind: Credit) -> Decimal {
        let Some(first) = self
            .isp
            .invoices
            .last()
            .and_then(|invoice| invoice.lines.first())
        else {
            return Decimal::ZERO;
        };
        let half = first.price / Decimal::TWO;
        let lines = vec![Line {
            description: format!("Outage: {}", first.description),
            price: half.round_dp_with_strategy(4, RoundingStrategy::MidpointAwayFromZero),
            ..first.clone()
        }];
        let amount = total(&lines, self.rounding);
        self.isp.credit_notes.push(CreditNote {
            id: place(self.isp.credit_notes.len()),
            customer_id: self.customer,
            number: String::new(),
            date: (made.date + Days::new(days)).min(self.isp.today),
            lines,
            rounding: self.rounding,
            total: amount,
            invoice_id: (kind != Credit::Loose).then_some(made.id),
            refunded: kind == Credit::Refunded,
            note: String::new(),
        });
        amount
    }
}

fn any(rng: &mut ChaCha8Rng, products: &[Product]) -> Product {
    products[rng.random_range(0..products.len())]
}

/// A provisional id.
fn place(length: usize) -> i64 {
    i64::try_from(length).expect("fewer documents than i64 holds")
}
