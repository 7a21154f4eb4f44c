//! What a seeded provider sells, and the lines that it makes on invoices.

use rust_decimal::{Decimal, RoundingStrategy};

use super::Line;
use super::furniture::{STANDARD_PERCENT, STANDARD_TAX, ZERO_TAX, category};

#[derive(Debug, Clone, Copy)]
pub struct Product {
    pub text: &'static str,
    pub category: i64,
    pub tax: i64,
    /// Price of one, with tax.
    pub gross_cents: i64,
}

impl Product {
    const fn taxed(text: &'static str, category: i64, gross_cents: i64) -> Self {
        Self {
            text,
            category,
            tax: STANDARD_TAX,
            gross_cents,
        }
    }

    /// So many of it. Splynx keeps the net price, with four places, so that the price with tax comes back from it only nearly.
    pub fn line(&self, quantity: i64) -> Line {
        let percent = if self.tax == STANDARD_TAX {
            STANDARD_PERCENT
        } else {
            0
        };
        let net = Decimal::new(self.gross_cents, 2) / Decimal::new(100 + percent, 2);
        Line {
            description: self.text.to_owned(),
            quantity: Decimal::from(quantity),
            price: net.round_dp_with_strategy(4, RoundingStrategy::MidpointAwayFromZero),
            tax_percent: Decimal::from(percent),
            tax_id: self.tax,
            category_id: self.category,
            period: None,
        }
    }
}

pub const FIBRE: [Product; 5] = [
    Product::taxed("Fibre 25/25", category::FIBRE, 59_900),
    Product::taxed("Fibre 50/50", category::FIBRE, 89_900),
    Product::taxed("Fibre 100/100", category::FIBRE, 99_900),
    Product::taxed("Fibre 200/200", category::FIBRE, 129_900),
    Product::taxed("Fibre 1000/500", category::FIBRE, 189_999),
];
pub const WIRELESS: [Product; 3] = [
    Product::taxed("Wireless 5 Mbps", category::WIRELESS, 34_999),
    Product::taxed("Wireless 10 Mbps", category::WIRELESS, 44_900),
    Product::taxed("Wireless 20 Mbps", category::WIRELESS, 69_995),
];
pub const PREPAID: Product = Product::taxed("Prepaid fibre 30 days", category::PREPAID, 39_995);
pub const VOICE: Product = Product::taxed("Voice line", category::VOICE, 11_495);
pub const CALLS: Product = Product::taxed("Calls", category::VOICE, 0);
pub const DISCOUNT: Product = Product::taxed("Loyalty discount", category::DISCOUNT, -5_000);
pub const EXPORT: Product = Product {
    tax: ZERO_TAX,
    ..Product::taxed("Link to Maseru (zero-rated)", category::SERVICE, 250_000)
};

const ROUTER: Product = Product::taxed(
    "Mesh router with two 2.5 Gbit ports, power supply for 100-240 V, wall bracket, two metres of cable and the \
     provider's own configuration, installed at the customer's address",
    category::HARDWARE,
    114_995,
);
const CABLE: Product = Product::taxed("Outdoor cable, per metre", category::HARDWARE, 1_250);
const TECHNICIAN: Product = Product::taxed("Technician, per hour", category::SERVICE, 45_000);

/// A delivery of several units, the last of them in parts.
pub fn hardware() -> [Line; 3] {
    let hours = Line {
        quantity: Decimal::new(25, 1),
        ..TECHNICIAN.line(1)
    };
    [ROUTER.line(3), CABLE.line(25), hours]
}

/// Three lines whose rounded sum is a cent more than their sum rounded: 33.33505 each with tax, 33.34 a line, 100.01 in all.
pub fn odd_cents() -> impl Iterator<Item = Line> {
    (1..=3).map(|number| Line {
        description: format!("Voice bundle {number}"),
        price: Decimal::new(289_870, 4),
        ..VOICE.line(1)
    })
}
