//! How Sage computes a document: the reference's model (Sage API 3.2), with the company's own answers in place of assumptions
//! where it was asked (`sync::calibration`).
//!
//! Beware: nobody outside knows this for sure. So a plan is made by the model, and what Sage then stored is compared all the same.

use rust_decimal::{Decimal, RoundingStrategy};

use crate::collect::Map;
use crate::planted::{Mistake, is_planted};
use crate::stored::stored;

/// Amounts have as many decimals as the currency.
const CENTS: u32 = 2;

/// The rules of one company. Comments name the questions of the reference (Sage API 5).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Arithmetic {
    /// Q4: an exact half cent goes to the even cent, not away from zero.
    pub ties_to_even: bool,
    /// Q5: tax is computed once per rate on the document's sum, not line by line.
    pub tax_per_document: bool,
    /// Q6: the total of an inclusive line is made again from its rounded amount without tax.
    pub inclusive_from_net: bool,
    /// Q7: a unit price is rounded to `price_digits` before it is multiplied, not only where it is stored.
    pub prices_rounded_first: bool,
    /// Q7: decimals of a stored unit price.
    pub price_digits: u32,
    /// Q23: a line's price may be below zero.
    pub negative_lines: bool,
    /// Q24: the longest line text.
    pub description_length: usize,
}

stored!(Arithmetic {
    ties_to_even,
    tax_per_document,
    inclusive_from_net,
    prices_rounded_first,
    price_digits,
    negative_lines,
    description_length
});

impl Default for Arithmetic {
    /// What the reference assumes.
    fn default() -> Self {
        Self {
            ties_to_even: false,
            tax_per_document: false,
            inclusive_from_net: false,
            prices_rounded_first: false,
            price_digits: 2,
            negative_lines: false,
            description_length: 100,
        }
    }
}

/// A line as it is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Priced {
    pub quantity: Decimal,
    /// Of one; with or without tax, as the document is.
    pub price: Decimal,
    /// A fraction: 0.15.
    pub rate: Decimal,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Totals {
    pub exclusive: Decimal,
    pub tax: Decimal,
    pub total: Decimal,
}

impl Totals {
    fn add(&mut self, other: Self) {
        self.exclusive += other.exclusive;
        self.tax += other.tax;
        self.total += other.total;
    }
}

impl Arithmetic {
    /// Every way to compute amounts that is known of, the usual one first.
    pub fn ways(price_digits: u32) -> Vec<Self> {
        let ways = (0..16_u8).map(|number| {
            let is = |place: u8| number >> place & 1 == 1;
            Self {
                ties_to_even: is(0),
                tax_per_document: is(1),
                inclusive_from_net: is(2),
                prices_rounded_first: is(3),
                price_digits,
                ..Self::default()
            }
        });
        ways.collect()
    }

    fn round(&self, amount: Decimal, digits: u32) -> Decimal {
        let to_even = self.ties_to_even != is_planted(Mistake::TiesTheOtherWay);
        let strategy = if to_even {
            RoundingStrategy::MidpointNearestEven
        } else {
            RoundingStrategy::MidpointAwayFromZero
        };
        amount.round_dp_with_strategy(digits, strategy)
    }

    /// What a quantity costs at a price, before tax is looked at.
    pub fn amount(&self, quantity: Decimal, price: Decimal) -> Decimal {
        let price = if self.prices_rounded_first {
            self.round(price, self.price_digits)
        } else {
            price
        };
        self.round(quantity * price, CENTS)
    }

    /// The totals that Sage will store for these lines.
    pub fn totals(&self, inclusive: bool, lines: impl IntoIterator<Item = Priced>) -> Totals {
        let mut sums: Map<Decimal, Totals> = Map::new_vec();
        for line in lines {
            let amount = self.amount(line.quantity, line.price);
            sums.entry(line.rate)
                .or_default()
                .add(self.line(inclusive, amount, line.rate));
        }
        let mut totals = Totals::default();
        for (rate, sum) in sums {
            totals.add(if self.tax_per_document {
                self.taxed_at_once(inclusive, sum, rate)
            } else {
                sum
            });
        }
        totals
    }

    fn line(&self, inclusive: bool, amount: Decimal, rate: Decimal) -> Totals {
        if !inclusive {
            let tax = self.round(amount * rate, CENTS);
            return Totals {
                exclusive: amount,
                tax,
                total: amount + tax,
            };
        }
        let exclusive = self.round(amount / (Decimal::ONE + rate), CENTS);
        let tax = if self.inclusive_from_net {
            self.round(exclusive * rate, CENTS)
        } else {
            amount - exclusive
        };
        Totals {
            exclusive,
            tax,
            total: exclusive + tax,
        }
    }

    fn taxed_at_once(&self, inclusive: bool, sum: Totals, rate: Decimal) -> Totals {
        if inclusive {
            let exclusive = self.round(sum.total / (Decimal::ONE + rate), CENTS);
            Totals {
                exclusive,
                tax: sum.total - exclusive,
                total: sum.total,
            }
        } else {
            self.line(false, sum.exclusive, rate)
        }
    }
}
