//! The amounts of lines and documents, in decimals only (Sage API, rounding; most of it assumed).
//!
//! Calculate and Save share this and nothing else computes an amount. Pure: everything unknown comes in as a rule.

use std::collections::BTreeMap;

use rust_decimal::{Decimal, RoundingStrategy};

use crate::sage::behaviour::{Behaviour, InclusiveTotal, SentTotals, TaxBasis, Ties, UnitPrice};

/// Amounts have as many decimals as the currency.
const CENTS: u32 = 2;

/// How amounts come about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rules {
    pub ties: Ties,
    pub tax_basis: TaxBasis,
    pub sent_totals: SentTotals,
    pub inclusive_total: InclusiveTotal,
    pub unit_price: UnitPrice,
    pub unit_price_digits: u32,
}

impl Rules {
    pub fn of(behaviour: &Behaviour) -> Self {
        Self {
            ties: behaviour.ties,
            tax_basis: behaviour.tax_basis,
            sent_totals: behaviour.sent_totals,
            inclusive_total: behaviour.inclusive_total,
            unit_price: behaviour.unit_price,
            unit_price_digits: behaviour.unit_price_digits,
        }
    }

    fn round(&self, amount: Decimal, digits: u32) -> Decimal {
        let strategy = match self.ties {
            Ties::AwayFromZero => RoundingStrategy::MidpointAwayFromZero,
            Ties::ToEven => RoundingStrategy::MidpointNearestEven,
        };
        amount.round_dp_with_strategy(digits, strategy)
    }

    /// To whole cents.
    pub fn cents(&self, amount: Decimal) -> Decimal {
        self.round(amount, CENTS)
    }

    /// To the decimals of a stored unit price.
    pub fn price(&self, price: Decimal) -> Decimal {
        self.round(price, self.unit_price_digits)
    }
}

/// What a line says before anything is computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LineInput {
    pub quantity: Decimal,
    /// Inclusive or exclusive, as the document is.
    pub unit_price: Decimal,
    /// Fractions.
    pub line_discount: Decimal,
    pub document_discount: Decimal,
    pub rate: Decimal,
    /// The amounts that came with the line, looked at only where they are trusted.
    pub sent: Sent,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Sent {
    pub exclusive: Option<Decimal>,
    pub tax: Option<Decimal>,
    pub total: Option<Decimal>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LineAmounts {
    pub exclusive: Decimal,
    pub discount: Decimal,
    pub tax: Decimal,
    pub total: Decimal,
}

/// A line's amounts for its whole quantity. The discount is in the same terms as the price.
pub fn line(input: &LineInput, inclusive: bool, rules: &Rules) -> LineAmounts {
    let price = match rules.unit_price {
        UnitPrice::AsSent => input.unit_price,
        UnitPrice::Rounded => rules.price(input.unit_price),
    };
    let kept = (Decimal::ONE - input.line_discount) * (Decimal::ONE - input.document_discount);
    let full = rules.cents(input.quantity * price);
    let reduced = rules.cents(full * kept);
    let computed = if inclusive {
        let exclusive = rules.cents(reduced / (Decimal::ONE + input.rate));
        match rules.inclusive_total {
            InclusiveTotal::Preserved => LineAmounts {
                exclusive,
                discount: full - reduced,
                tax: reduced - exclusive,
                total: reduced,
            },
            InclusiveTotal::FromExclusive => {
                let tax = rules.cents(exclusive * input.rate);
                LineAmounts {
                    exclusive,
                    discount: full - reduced,
                    tax,
                    total: exclusive + tax,
                }
            }
        }
    } else {
        let tax = rules.cents(reduced * input.rate);
        LineAmounts {
            exclusive: reduced,
            discount: full - reduced,
            tax,
            total: reduced + tax,
        }
    };
    match rules.sent_totals {
        SentTotals::Recomputed => computed,
        SentTotals::Trusted => LineAmounts {
            exclusive: input.sent.exclusive.unwrap_or(computed.exclusive),
            tax: input.sent.tax.unwrap_or(computed.tax),
            total: input.sent.total.unwrap_or(computed.total),
            ..computed
        },
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Totals {
    pub discount: Decimal,
    pub exclusive: Decimal,
    pub tax: Decimal,
    /// What the company's document rounding adds or takes.
    pub rounding: Decimal,
    pub total: Decimal,
}

/// The totals of lines, each with its rate, before the company's document rounding.
pub fn document(lines: &[(LineAmounts, Decimal)], inclusive: bool, rules: &Rules) -> Totals {
    let mut totals = Totals::default();
    for (line, _) in lines {
        totals.discount += line.discount;
        totals.exclusive += line.exclusive;
        totals.tax += line.tax;
        totals.total += line.total;
    }
    if rules.tax_basis == TaxBasis::Document {
        let mut by_rate: BTreeMap<Decimal, LineAmounts> = BTreeMap::new();
        for (line, rate) in lines {
            let sum = by_rate.entry(*rate).or_default();
            sum.exclusive += line.exclusive;
            sum.total += line.total;
        }
        if inclusive {
            totals.exclusive = by_rate
                .iter()
                .map(|(rate, sum)| rules.cents(sum.total / (Decimal::ONE + rate)))
                .sum();
            totals.tax = totals.total - totals.exclusive;
        } else {
            totals.tax = by_rate
                .iter()
                .map(|(rate, sum)| rules.cents(sum.exclusive * rate))
                .sum();
            totals.total = totals.exclusive + totals.tax;
        }
    }
    totals
}
