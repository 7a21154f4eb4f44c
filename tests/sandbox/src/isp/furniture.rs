//! What every seeded provider has before its first customer: partners, taxes, categories, methods, access, and the Sage company.

use chrono::NaiveDate;
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use rust_decimal::Decimal;

use super::{
    Isp, Named, SageBankAccount, SageCompany, SageItem, SageTaxType, Size, SplynxAccess, Tax,
};

/// Seeded providers end on this day, whatever the clock says: the same seed must give the same provider.
const TODAY: NaiveDate = NaiveDate::from_ymd_opt(2026, 2, 28).expect("a day of the calendar");

pub const STANDARD_TAX: i64 = 1;
pub const ZERO_TAX: i64 = 2;
pub const STANDARD_PERCENT: i64 = 15;

/// Transaction categories. Splynx itself makes the five base ones (Splynx API, transaction categories).
pub mod category {
    pub const SERVICE: i64 = 1;
    pub const DISCOUNT: i64 = 2;
    pub const PREPAID: i64 = 6;
    pub const FIBRE: i64 = 7;
    pub const WIRELESS: i64 = 8;
    pub const VOICE: i64 = 9;
    pub const HARDWARE: i64 = 10;
}

/// Payment methods.
pub mod method {
    pub const CASH: i64 = 1;
    pub const BANK_TRANSFER: i64 = 2;
    pub const CREDIT_CARD: i64 = 3;
    pub const PAYPAL: i64 = 4;
    pub const REFILL_CARD: i64 = 6;
    pub const DEBIT_ORDER: i64 = 7;
    /// Given to payments that come from Sage.
    pub const FROM_SAGE: i64 = 8;
}

/// Partners. The last one has few customers, so that leaving it out shows.
pub mod partner {
    pub const MAIN: i64 = 1;
    pub const WEST: i64 = 2;
    pub const SMALL: i64 = 3;
}

const SAGE_STANDARD: i64 = 301;

/// A provider without customers.
pub fn empty(size: Size, seed: u64, rng: &mut ChaCha8Rng) -> Isp {
    Isp {
        name: "Vlakte Internet".to_owned(),
        seed,
        size,
        today: TODAY,
        splynx: SplynxAccess {
            api_key: hex(rng, 32),
            api_secret: hex(rng, 32),
            check_nonce: true,
            unsecure_auth: false,
            admin_login: "admin".to_owned(),
            admin_password: hex(rng, 12),
        },
        sage: sage_company(rng),
        partners: named(&[
            (partner::MAIN, "Vlakte Internet"),
            (partner::WEST, "Reseller West"),
            (partner::SMALL, "Community Wi-Fi"),
        ]),
        locations: named(&[(1, "Head office"), (2, "Coast")]),
        taxes: vec![
            tax(STANDARD_TAX, "VAT", STANDARD_PERCENT, Vec::new()),
            tax(ZERO_TAX, "Zero rated", 0, Vec::new()),
            tax(
                3,
                "VAT group",
                STANDARD_PERCENT,
                vec![STANDARD_TAX, ZERO_TAX],
            ),
        ],
        payment_methods: named(&[
            (method::CASH, "Cash"),
            (method::BANK_TRANSFER, "Bank transfer"),
            (method::CREDIT_CARD, "Credit card"),
            (method::PAYPAL, "PayPal"),
            (5, "Other"),
            (method::REFILL_CARD, "Refill card"),
            (method::DEBIT_ORDER, "Debit order"),
            (method::FROM_SAGE, "SageOne"),
        ]),
        transaction_categories: categories(),
        category_defaults: [
            ("internet_service", category::FIBRE),
            ("internet_service_discount", category::DISCOUNT),
            ("internet_top_up", category::PREPAID),
            ("voice_service", category::VOICE),
            ("voice_service_calls", category::VOICE),
            ("voice_service_messages", category::VOICE),
            ("voice_service_data", category::VOICE),
            ("voice_service_discount", category::DISCOUNT),
            ("custom_service", category::SERVICE),
            ("custom_service_discount", category::DISCOUNT),
            ("bundle_service", category::SERVICE),
            ("bundle_service_discount", category::DISCOUNT),
            ("bundle_activation_fee", category::SERVICE),
            ("bundle_cancellation_fee", category::SERVICE),
            ("one_time_service", category::SERVICE),
            ("inventory_sell", category::HARDWARE),
            ("invoice_item", category::SERVICE),
        ]
        .map(|(key, id)| (format!("transaction_type_{key}"), id))
        .to_vec(),
        customers: Vec::new(),
        invoices: Vec::new(),
        credit_notes: Vec::new(),
        payments: Vec::new(),
    }
}

fn categories() -> Vec<Named> {
    named(&[
        (category::SERVICE, "Service"),
        (category::DISCOUNT, "Discount"),
        (3, "Payment"),
        (4, "Refund"),
        (5, "Correction"),
        (category::PREPAID, "Internet prepaid"),
        (category::FIBRE, "Internet recurring fibre"),
        (category::WIRELESS, "Internet wireless"),
        (category::VOICE, "Voice"),
        (category::HARDWARE, "Hardware"),
    ])
}

/// The company sells one item for each category, and has things that nobody uses any more.
fn sage_company(rng: &mut ChaCha8Rng) -> SageCompany {
    let item = |id: i64, code: String, description: &str, active: bool| SageItem {
        id,
        code,
        description: description.to_owned(),
        tax_type_id: SAGE_STANDARD,
        active,
    };
    let mut items: Vec<SageItem> = categories()
        .iter()
        .map(|category| {
            item(
                2_000 + category.id,
                item_code(category.id),
                &category.name,
                true,
            )
        })
        .collect();
    items.push(item(2_900, "DIALUP".to_owned(), "Dial-up access", false));
    let tax_type = |id: i64, name: &str, percent: i64, is_default: bool| SageTaxType {
        id,
        name: name.to_owned(),
        percentage: Decimal::new(percent, 2),
        is_default,
        is_manual: false,
    };
    let bank = |id: i64, name: &str, active: bool, is_default: bool| SageBankAccount {
        id,
        name: name.to_owned(),
        active,
        is_default,
    };
    SageCompany {
        id: 41_001,
        name: "Vlakte Internet (Pty) Ltd".to_owned(),
        login: "books@vlakte.example".to_owned(),
        password: hex(rng, 16),
        api_key: [8, 4, 4, 4, 12]
            .map(|length| hex(rng, length))
            .join("-")
            .to_uppercase(),
        lock_date: None,
        items,
        tax_types: vec![
            tax_type(SAGE_STANDARD, "Standard Rate", STANDARD_PERCENT, true),
            tax_type(302, "Zero Rated", 0, false),
            tax_type(303, "Standard Rate (until 2018)", 14, false),
        ],
        bank_accounts: vec![
            bank(501, "Current account", true, true),
            bank(CASH_ACCOUNT, "Petty cash", true, false),
            bank(503, "Closed savings account", false, false),
        ],
        customer_categories: named(&[(71, "Residential"), (72, "Business")]),
    }
}

/// The bank account of cash payments.
pub const CASH_ACCOUNT: i64 = 502;

/// The code of the Sage item for a transaction category.
pub fn item_code(category: i64) -> String {
    format!("SPL-{category:02}")
}

fn named(list: &[(i64, &str)]) -> Vec<Named> {
    list.iter()
        .map(|(id, name)| Named {
            id: *id,
            name: (*name).to_owned(),
        })
        .collect()
}

fn tax(id: i64, name: &str, rate: i64, group: Vec<i64>) -> Tax {
    Tax {
        id,
        name: name.to_owned(),
        rate: Decimal::from(rate),
        group,
    }
}

fn hex(rng: &mut ChaCha8Rng, length: usize) -> String {
    (0..length)
        .map(|_| char::from(b"0123456789abcdef"[rng.random_range(0..16)]))
        .collect()
}
