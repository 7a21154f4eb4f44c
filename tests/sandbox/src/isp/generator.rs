//! Makes a provider from a seed: a year of recurring invoices, the payments that follow them, and the awkward cases.
//!
//! Which customer carries which awkward case is fixed by its place in the list, so that every small provider has each of them; the
//! seed decides names, tariffs, prices and who pays when.

use chrono::{Datelike, Days, Months, NaiveDate};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rust_decimal::{Decimal, RoundingStrategy};

use super::{
    CreditNote, Customer, CustomerCategory, Invoice, Isp, Line, Named, Payment, Rounding, SageBankAccount,
    SageCompany, SageItem, SageTaxType, Size, SplynxAccess, Tax, names, total,
};

/// Seeded providers end on this day, whatever the clock says: the same seed must give the same provider.
const TODAY: (i32, u32, u32) = (2026, 10, 31);

const STANDARD_TAX: i64 = 1;
const ZERO_TAX: i64 = 2;
const DISCOUNT: i64 = 2;
const HARDWARE: i64 = 10;

/// What is sold by the month: text, category, tax, price with tax in cents.
const TARIFFS: &[(&str, i64, i64, i64)] = &[
    ("Fibre 25/25", 7, STANDARD_TAX, 59_900),
    ("Fibre 50/50", 7, STANDARD_TAX, 89_900),
    ("Fibre 100/100", 7, STANDARD_TAX, 99_900),
    ("Fibre 1000/500", 7, STANDARD_TAX, 129_900),
    ("Wireless 10 Mbps", 8, STANDARD_TAX, 44_900),
    ("Wireless 20 Mbps", 8, STANDARD_TAX, 69_999),
    ("Prepaid 30 days", 6, STANDARD_TAX, 39_995),
    ("Voice line", 9, STANDARD_TAX, 11_495),
    ("Cross-border link", 1, ZERO_TAX, 250_000),
];

/// The awkward cases, by a customer's place in a small provider; larger ones repeat them every [`CYCLE`] customers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Case {
    Plain,
    Company,
    LongName,
    QuotedName,
    BlanksAroundName,
    NoAddress,
    SeveralEmails,
    Lead,
    SubAccount,
    Discount,
    Hardware,
    DeletedInvoice,
    ZeroInvoice,
    NoTransactions,
    LinkedCreditNote,
    LooseCreditNote,
    Refund,
    Overpaid,
    PartlyPaid,
    Unpaid,
    PaidAhead,
    MixedTax,
    OddCents,
    PaidThroughSage,
    SmallPartner,
    SharedName,
}

const CYCLE: usize = 50;

impl Case {
    fn of(size: Size, place: usize) -> Self {
        const CASES: [Case; 24] = [
            Case::Company,
            Case::LongName,
            Case::QuotedName,
            Case::BlanksAroundName,
            Case::NoAddress,
            Case::SeveralEmails,
            Case::Lead,
            Case::SubAccount,
            Case::Discount,
            Case::Hardware,
            Case::DeletedInvoice,
            Case::ZeroInvoice,
            Case::NoTransactions,
            Case::LinkedCreditNote,
            Case::LooseCreditNote,
            Case::Refund,
            Case::Overpaid,
            Case::PartlyPaid,
            Case::Unpaid,
            Case::PaidAhead,
            Case::MixedTax,
            Case::OddCents,
            Case::PaidThroughSage,
            Case::SmallPartner,
        ];
        // Names that clash are for the larger ones, and few.
        if place > CYCLE && place % 500 == 7 {
            return Self::SharedName;
        }
        match size {
            Size::Tiny => Self::Plain,
            _ => CASES
                .get((place % CYCLE).wrapping_sub(1))
                .copied()
                .unwrap_or(Self::Plain),
        }
    }
}

impl Isp {
    /// The provider of that size and seed.
    pub fn seeded(size: Size, seed: u64) -> Self {
        let today = NaiveDate::from_ymd_opt(TODAY.0, TODAY.1, TODAY.2).unwrap_or_default();
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut isp = empty(size, seed, today, &mut rng);
        let mut subscribers = Vec::new();
        for place in 0..size.customers() {
            let case = Case::of(size, place);
            let customer = customer(&isp, place, case, &mut rng);
            if customer.category != CustomerCategory::Lead {
                subscribers.push(Subscriber::new(place, case, customer.id, customer.partner_id, &mut rng));
            }
            isp.customers.push(customer);
        }
        let months: &[u32] = match size {
            Size::Tiny => &[10, 11],
            _ => &[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11],
        };
        let first = isp.first_day() + Days::new(1);
        for month in months {
            let start = first + Months::new(*month);
            let start = start.with_day(1).unwrap_or(start);
            for subscriber in &subscribers {
                Month {
                    isp: &mut isp,
                    subscriber,
                    start,
                    is_last: *month == 11,
                }
                .bill(&mut rng);
            }
        }
        if size == Size::Tiny {
            tiny_credit_notes(&mut isp);
        }
        isp
    }
}

fn empty(size: Size, seed: u64, today: NaiveDate, rng: &mut ChaCha8Rng) -> Isp {
    let named = |list: &[(i64, &str)]| -> Vec<Named> {
        list.iter()
            .map(|(id, name)| Named {
                id: *id,
                name: (*name).to_owned(),
            })
            .collect()
    };
    let transaction_categories = named(&[
        (1, "Service"),
        (DISCOUNT, "Discount"),
        (3, "Payment"),
        (4, "Refund"),
        (5, "Correction"),
        (6, "Internet prepaid"),
        (7, "Internet fibre"),
        (8, "Internet wireless"),
        (9, "Voice"),
        (HARDWARE, "Hardware"),
    ]);
    let items = transaction_categories
        .iter()
        .map(|category| SageItem {
            id: 2_000 + category.id,
            code: format!("SPL-{:02}", category.id),
            description: category.name.clone(),
            tax_type_id: 301,
            active: true,
        })
        .collect();
    let mut hex = |length: usize| -> String {
        (0..length)
            .map(|_| char::from_digit(rng.random_range(0..16), 16).unwrap_or('0'))
            .collect()
    };
    let splynx = SplynxAccess {
        api_key: hex(32),
        api_secret: hex(32),
        check_nonce: true,
        unsecure_auth: false,
        admin_login: "admin".to_owned(),
        admin_password: hex(12),
    };
    let sage = SageCompany {
        id: 41_001,
        name: "Vlakte Internet (Pty) Ltd".to_owned(),
        login: "books@vlakte.example".to_owned(),
        password: hex(16),
        api_key: [hex(8), hex(4), hex(4), hex(4), hex(12)].join("-"),
        lock_date: None,
        items,
        tax_types: vec![
            tax_type(301, "Standard Rate", Decimal::new(15, 2), true),
            tax_type(302, "Zero Rated", Decimal::ZERO, false),
            tax_type(303, "Standard Rate (until 2018)", Decimal::new(14, 2), false),
        ],
        bank_accounts: vec![bank(501, "Current account", true), bank(502, "Petty cash", false)],
        customer_categories: named(&[(71, "Residential"), (72, "Business")]),
    };
    Isp {
        name: "Vlakte Internet".to_owned(),
        seed,
        size,
        today,
        splynx,
        sage,
        partners: named(&[(1, "Main"), (2, "Reseller West"), (3, "Reseller East")]),
        locations: named(&[(1, "Head office"), (2, "Coast")]),
        taxes: vec![
            tax(STANDARD_TAX, "VAT", 15, Vec::new()),
            tax(ZERO_TAX, "Zero rated", 0, Vec::new()),
            tax(3, "VAT and levy", 15, vec![STANDARD_TAX, ZERO_TAX]),
        ],
        payment_methods: named(&[
            (1, "Cash"),
            (2, "Bank transfer"),
            (3, "Credit card"),
            (4, "PayPal"),
            (5, "Other"),
            (6, "Refill card"),
            (7, "Debit order"),
            (8, "SageOne"),
        ]),
        transaction_categories,
        category_defaults: [
            ("internet_service", 7),
            ("internet_service_discount", DISCOUNT),
            ("internet_top_up", 6),
            ("voice_service", 9),
            ("voice_service_discount", DISCOUNT),
            ("custom_service", 1),
            ("custom_service_discount", DISCOUNT),
            ("bundle_service", 1),
            ("bundle_service_discount", DISCOUNT),
            ("one_time_service", 1),
            ("inventory_sell", HARDWARE),
            ("invoice_item", 1),
        ]
        .map(|(key, id)| (format!("transaction_type_{key}"), id))
        .to_vec(),
        customers: Vec::new(),
        invoices: Vec::new(),
        credit_notes: Vec::new(),
        payments: Vec::new(),
    }
}

fn tax_type(id: i64, name: &str, percentage: Decimal, is_default: bool) -> SageTaxType {
    SageTaxType {
        id,
        name: name.to_owned(),
        percentage,
        is_default,
    }
}

fn bank(id: i64, name: &str, is_default: bool) -> SageBankAccount {
    SageBankAccount {
        id,
        name: name.to_owned(),
        active: true,
        is_default,
    }
}

fn tax(id: i64, name: &str, rate: i64, group: Vec<i64>) -> Tax {
    Tax {
        id,
        name: name.to_owned(),
        rate: Decimal::from(rate),
        group,
    }
}

fn customer(isp: &Isp, place: usize, case: Case, rng: &mut ChaCha8Rng) -> Customer {
    let id = 11 + place as i64;
    let is_company = case == Case::Company || (isp.size != Size::Tiny && rng.random_ratio(1, 6));
    let base = if is_company {
        names::company(rng)
    } else {
        names::person(rng)
    };
    let email = names::email(&base, id);
    // Real customers share names; a number behind the name keeps all but the chosen clashes apart.
    let name = match case {
        Case::LongName => format!(
            "{base} {id} trading as The Very Long Road to the Karoo Bed, Breakfast, Conference, Wedding and Astronomy Centre of the Upper Valley"
        ),
        Case::QuotedName => format!("\"{base}\" & Sons <{id}> 'n Familie"),
        Case::BlanksAroundName => format!("  {base} {id} "),
        Case::SharedName => isp
            .customers
            .last()
            .map_or_else(|| base.clone(), |other| other.name.trim().to_uppercase()),
        _ => format!("{base} {id}"),
    };
    let (street, city, zip_code) = if case == Case::NoAddress {
        Default::default()
    } else {
        names::address(rng)
    };
    let days_ago = rng.random_range(366..1_500);
    Customer {
        id,
        login: format!("{id:06}"),
        category: match case {
            Case::Lead => CustomerCategory::Lead,
            _ if is_company => CustomerCategory::Company,
            _ => CustomerCategory::Person,
        },
        billing_type: "recurring".to_owned(),
        status: match rng.random_range(0..20) {
            _ if isp.size == Size::Tiny => "active",
            0 => "blocked",
            1 => "disabled",
            _ => "active",
        }
        .to_owned(),
        partner_id: match case {
            Case::SmallPartner => 3,
            _ if isp.size != Size::Tiny && rng.random_ratio(1, 5) => 2,
            _ => 1,
        },
        location_id: 1 + i64::from(rng.random_ratio(1, 3)),
        parent_id: (case == Case::SubAccount).then_some(id - 1),
        billing_email: if case == Case::SeveralEmails {
            format!("{email}, accounts{id}@mail.example")
        } else {
            String::new()
        },
        email,
        phone: names::phone(rng),
        street,
        city,
        zip_code,
        vat_id: if is_company {
            format!("4{:09}", rng.random_range(0..1_000_000_000_u64))
        } else {
            String::new()
        },
        company_id: if is_company {
            format!("2019/{:06}/07", rng.random_range(0..1_000_000))
        } else {
            String::new()
        },
        contact_person: String::new(),
        added: isp.today - Days::new(days_ago),
        name,
    }
}

/// A customer who gets an invoice each month.
struct Subscriber {
    case: Case,
    customer: i64,
    partner: i64,
    tariff: usize,
    method: i64,
    /// Its documents round the sum of the lines, not each line.
    rounding: Rounding,
    /// Days after the invoice on which it usually pays.
    pays_after: u64,
}

impl Subscriber {
    fn new(place: usize, case: Case, customer: i64, partner: i64, rng: &mut ChaCha8Rng) -> Self {
        Self {
            case,
            customer,
            partner,
            tariff: rng.random_range(0..TARIFFS.len() - 1),
            method: match case {
                Case::PaidThroughSage => 8,
                _ => [2, 2, 7, 7, 7, 3, 1, 4][rng.random_range(0..8)],
            },
            rounding: if case == Case::OddCents || place % 7 == 3 {
                Rounding::AtEnd
            } else {
                Rounding::PerLine
            },
            pays_after: rng.random_range(2..20),
        }
    }
}

/// One customer's month: what is charged, and what is paid.
struct Month<'a> {
    isp: &'a mut Isp,
    subscriber: &'a Subscriber,
    start: NaiveDate,
    is_last: bool,
}

impl Month<'_> {
    fn bill(&mut self, rng: &mut ChaCha8Rng) {
        if self.subscriber.case == Case::PaidAhead && self.start.month() == 1 {
            self.pay_ahead();
        }
        let lines = self.lines(rng);
        let (id, amount) = self.invoice(lines);
        if self.is_last {
            self.awkward_ends(id, amount);
        }
        self.pay(id, amount, rng);
        self.credit_now_and_then(id, rng);
    }

    fn lines(&self, rng: &mut ChaCha8Rng) -> Vec<Line> {
        let (text, category, tax_id, gross) = TARIFFS[self.subscriber.tariff];
        let period = format!("{} {}", text, self.start.format("%b %Y"));
        let mut lines = vec![self.line(&period, 1, gross, tax_id, category)];
        match self.subscriber.case {
            Case::Discount => {
                lines.push(self.line("Loyalty discount", 1, -5_000, tax_id, DISCOUNT));
            }
            Case::Hardware if self.start.month() % 4 == 0 => {
                lines.push(self.line("Mesh router", 3, 114_995, STANDARD_TAX, HARDWARE));
                lines.push(self.line("Cable, per metre", 25, 1_250, STANDARD_TAX, HARDWARE));
            }
            Case::MixedTax => {
                let (text, category, tax_id, gross) = TARIFFS[TARIFFS.len() - 1];
                lines.push(self.line(text, 1, gross, tax_id, category));
            }
            Case::OddCents => {
                for number in 1..=3 {
                    let mut line = self.line(&format!("Call bundle {number}"), 1, 0, STANDARD_TAX, 9);
                    line.price = Decimal::new(289_870 + number, 4);
                    lines.push(line);
                }
            }
            _ => {}
        }
        if self.isp.size != Size::Tiny && rng.random_ratio(1, 25) {
            lines.push(self.line("Call-out", 1, 45_000, STANDARD_TAX, 1));
        }
        lines
    }

    /// A line whose price with tax is in cents; Splynx keeps the net with four places.
    fn line(&self, text: &str, quantity: i64, gross: i64, tax_id: i64, category: i64) -> Line {
        let percent = Decimal::from(if tax_id == STANDARD_TAX { 15 } else { 0 });
        let rate = Decimal::ONE + percent / Decimal::ONE_HUNDRED;
        let net = Decimal::new(gross, 2) / rate;
        let last = self.start + Months::new(1) - Days::new(1);
        Line {
            description: text.to_owned(),
            quantity: Decimal::from(quantity),
            price: net.round_dp_with_strategy(4, RoundingStrategy::MidpointAwayFromZero),
            tax_percent: percent,
            tax_id,
            category_id: category,
            period: Some((self.start, last)),
        }
    }

    fn invoice(&mut self, lines: Vec<Line>) -> (i64, Decimal) {
        let id = 501 + self.isp.invoices.len() as i64;
        let amount = total(&lines, self.subscriber.rounding);
        let number = format!("{}{:02}{:06}", self.start.year(), self.subscriber.partner, id);
        self.isp.invoices.push(Invoice {
            id,
            customer_id: self.subscriber.customer,
            number,
            date: self.start,
            due: self.start + Days::new(14),
            lines,
            rounding: self.subscriber.rounding,
            total: amount,
            kind: "recurring".to_owned(),
            deleted: false,
            uses_transactions: true,
            note: String::new(),
        });
        (id, amount)
    }

    /// In the last month some get an invoice more that is not for Sage.
    fn awkward_ends(&mut self, last: i64, amount: Decimal) {
        let lines = |isp: &Isp| isp.invoices[(last - 501) as usize].lines.clone();
        match self.subscriber.case {
            Case::DeletedInvoice => {
                let lines = lines(self.isp);
                self.invoice(lines);
                if let Some(invoice) = self.isp.invoices.last_mut() {
                    invoice.deleted = true;
                }
            }
            Case::ZeroInvoice => {
                let mut lines = lines(self.isp);
                lines.truncate(1);
                lines[0].price = Decimal::ZERO;
                self.invoice(lines);
            }
            Case::NoTransactions => {
                let lines = lines(self.isp);
                self.invoice(lines);
                if let Some(invoice) = self.isp.invoices.last_mut() {
                    invoice.uses_transactions = false;
                }
            }
            Case::Overpaid => self.payment(2, self.start + Days::new(3), amount, None),
            Case::Refund => {
                let date = self.start + Days::new(4);
                self.payment(2, date, amount, None);
                self.payment(2, date + Days::new(5), -amount, None);
            }
            _ => {}
        }
    }

    fn pay_ahead(&mut self) {
        let date = self.start - Days::new(3);
        self.payment(7, date, Decimal::from(5_000), None);
    }

    fn pay(&mut self, invoice: i64, amount: Decimal, rng: &mut ChaCha8Rng) {
        let date = (self.start + Days::new(self.subscriber.pays_after)).min(self.isp.today);
        let amount = match self.subscriber.case {
            Case::Unpaid if self.is_last => return,
            Case::PaidAhead => return,
            Case::PartlyPaid if self.is_last => Decimal::from(100),
            _ if self.isp.size == Size::Tiny => amount,
            _ => match rng.random_range(0..40) {
                0 => return,
                1 => amount + Decimal::from(50),
                2 => (amount / Decimal::TWO).round_dp(2),
                _ => amount,
            },
        };
        let named = self.isp.size == Size::Tiny || rng.random_ratio(1, 2);
        self.payment(self.subscriber.method, date, amount, named.then_some(invoice));
    }

    fn payment(&mut self, method: i64, date: NaiveDate, amount: Decimal, invoice: Option<i64>) {
        let id = 601 + self.isp.payments.len() as i64;
        self.isp.payments.push(Payment {
            id,
            customer_id: self.subscriber.customer,
            method_id: method,
            date,
            amount,
            receipt_number: format!("{}-{method:02}-{id:05}", date.year()),
            invoice_id: invoice,
            comment: if method == 2 { "EFT".to_owned() } else { String::new() },
        });
    }

    fn credit_now_and_then(&mut self, invoice: i64, rng: &mut ChaCha8Rng) {
        let linked = match self.subscriber.case {
            Case::LinkedCreditNote if self.is_last => true,
            Case::LooseCreditNote if self.is_last => false,
            _ if self.isp.size != Size::Tiny && rng.random_ratio(1, 80) => rng.random_ratio(1, 2),
            _ => return,
        };
        credit_note(self.isp, invoice, linked);
    }
}

/// Credits the first line of an invoice.
fn credit_note(isp: &mut Isp, invoice: i64, linked: bool) {
    let Some(invoice) = isp.invoices.iter().rev().find(|i| i.id == invoice) else {
        return;
    };
    let lines = vec![invoice.lines[0].clone()];
    let id = 41 + isp.credit_notes.len() as i64;
    let note = CreditNote {
        id,
        customer_id: invoice.customer_id,
        number: format!("CN{}{id:06}", invoice.date.year()),
        date: (invoice.date + Days::new(20)).min(isp.today),
        total: total(&lines, Rounding::PerLine),
        lines,
        rounding: Rounding::PerLine,
        invoice_id: linked.then_some(invoice.id),
        refunded: false,
        note: String::new(),
    };
    isp.credit_notes.push(note);
}

fn tiny_credit_notes(isp: &mut Isp) {
    let (first, last) = (isp.invoices[0].id, isp.invoices[5].id);
    credit_note(isp, first, false);
    credit_note(isp, last, true);
}
