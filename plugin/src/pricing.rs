//! Prices: how a Splynx document's lines are put to Sage so that the total comes out to the cent.
//!
//! Pure. Splynx keeps net prices with four places and a gross total with two; Sage rounds line by line. With inclusive amounts
//! (F30) the lines' grosses are shared out so that they sum to the total. Without, the rounding can miss it: the fix line
//! (F31, D14) makes up for that, where there is one; else the difference stands in [`Plan::totals`], for people.

use rust_decimal::Decimal;

use crate::arithmetic::{Arithmetic, Priced, Totals};
use crate::collect::ToSet;
use crate::money;

/// One line of Splynx's, in the direction of the document (a charge of a credit note is positive).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Charge {
    pub quantity: Decimal,
    /// Net, of one, four places.
    pub price: Decimal,
    /// The Sage tax type.
    pub tax: i64,
    /// A fraction.
    pub rate: Decimal,
}

impl Charge {
    fn net(&self) -> Decimal {
        self.quantity * self.price
    }

    fn gross(&self) -> Decimal {
        self.net() * (Decimal::ONE + self.rate)
    }
}

/// How a document is put.
#[derive(Debug, Clone, Copy)]
pub struct Mode<'a> {
    pub inclusive: bool,
    /// The tax type and rate of the fix line; `None`: totals are not fixed.
    pub fix: Option<(i64, Decimal)>,
    pub arithmetic: &'a Arithmetic,
}

/// A line for Sage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// The charge that it stands for; `None`: it is the fix line.
    pub charge: Option<usize>,
    pub quantity: Decimal,
    pub price: Decimal,
    pub tax: i64,
    pub rate: Decimal,
    /// The quantity that the text has to tell, because the line goes as one piece (D16).
    pub pieces: Option<Decimal>,
    /// Discounts that were taken off it (D15): their charges, and how much.
    pub discounts: Vec<(usize, Decimal)>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    pub lines: Vec<Line>,
    /// What Sage is expected to store.
    pub totals: Totals,
}

/// Why a document cannot be put to Sage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PricingError {
    /// The lines make this, and the total is something else.
    LinesDiffer(Decimal),
    /// That charge takes off more than the lines of its tax have.
    DiscountTooLarge(usize),
}

/// Lines for Sage that make the total, if they can.
///
/// # Errors
/// Where the lines are not what the total was made of, or a discount has nothing to be taken off.
pub fn plan(charges: &[Charge], total: Decimal, mode: &Mode) -> Result<Plan, PricingError> {
    let exact: Vec<Decimal> = charges.iter().map(Charge::gross).collect();
    let differs = || PricingError::LinesDiffer(money::cents(exact.iter().sum()));
    let grosses = money::apportion(&exact, total).ok_or_else(differs)?;
    let amounts: Vec<Decimal> = if mode.inclusive {
        grosses
    } else {
        charges.iter().map(|c| money::cents(c.net())).collect()
    };
    let mut shares: Vec<Share> = charges
        .iter()
        .zip(amounts)
        .enumerate()
        .map(|(charge, (of, amount))| Share {
            charge,
            of,
            amount,
            discounts: Vec::new(),
        })
        .collect();
    if !mode.arithmetic.negative_lines {
        fold_discounts(&mut shares)?;
    }
    let lines: Vec<Line> = shares.into_iter().map(|share| share.line(mode)).collect();
    Ok(fixed(lines, total, mode))
}

/// A charge on its way to Sage.
struct Share<'c> {
    charge: usize,
    of: &'c Charge,
    /// In cents, for the whole quantity; with or without tax, as the document is.
    amount: Decimal,
    discounts: Vec<(usize, Decimal)>,
}

/// D15: Sage is not known to take negative lines, so each is taken off the positive lines of its tax, the largest first.
fn fold_discounts(shares: &mut Vec<Share>) -> Result<(), PricingError> {
    let (discounts, mut rest): (Vec<Share>, Vec<Share>) = shares
        .drain(..)
        .partition(|share| share.amount < Decimal::ZERO);
    for discount in discounts {
        let mut left = -discount.amount;
        let order = (0..rest.len())
            .filter(|&i| rest[i].of.tax == discount.of.tax)
            .map(|i| (std::cmp::Reverse(rest[i].amount), i))
            .to_set();
        for (_, i) in order {
            let part = left.min(rest[i].amount);
            if part > Decimal::ZERO {
                rest[i].amount -= part;
                rest[i].discounts.push((discount.charge, part));
                left -= part;
            }
        }
        if !left.is_zero() {
            return Err(PricingError::DiscountTooLarge(discount.charge));
        }
    }
    *shares = rest;
    Ok(())
}

impl Share<'_> {
    /// The quantity with a unit price that makes the amount, or one piece of it (D16).
    fn line(self, mode: &Mode) -> Line {
        let quantity = self.of.quantity.abs();
        let price = unit_price(self.amount, quantity, mode);
        Line {
            charge: Some(self.charge),
            quantity: price.map_or(Decimal::ONE, |_| quantity),
            price: price.unwrap_or(self.amount),
            tax: self.of.tax,
            rate: self.of.rate,
            pieces: (price.is_none() && quantity != Decimal::ONE).then_some(quantity),
            discounts: self.discounts,
        }
    }
}

/// A unit price of as few decimals as the company keeps that makes exactly the amount.
fn unit_price(amount: Decimal, quantity: Decimal, mode: &Mode) -> Option<Decimal> {
    const LONGEST: u32 = 4;
    if quantity.is_zero() {
        return None;
    }
    let most = if mode.inclusive {
        2
    } else {
        mode.arithmetic.price_digits.clamp(2, LONGEST)
    };
    (2..=most)
        .map(|digits| (amount / quantity).round_dp(digits))
        .find(|price| {
            if mode.inclusive {
                price * quantity == amount
            } else {
                mode.arithmetic.amount(quantity, *price) == amount
            }
        })
}

/// The lines, with a fix line where they miss the total and there is a fix item.
fn fixed(lines: Vec<Line>, total: Decimal, mode: &Mode) -> Plan {
    let plain = predicted(lines, mode);
    let Some((tax, rate)) = mode.fix.filter(|_| plain.totals.total != total) else {
        return plain;
    };
    if let Some(plan) = with_fix_lines(&plain.lines, total, mode, tax, rate) {
        return plan;
    }
    // D15: where the fix would have to be negative, a line is lowered until a positive one makes up for it.
    let amount = |i: usize| plain.lines[i].price * plain.lines[i].quantity;
    let order = (0..plain.lines.len())
        .map(|i| (std::cmp::Reverse(amount(i)), i))
        .to_set();
    let most = (plain.totals.total - total).abs() + Decimal::new(3, 2);
    for (_, line) in order {
        for lower in cents_up_to(most) {
            let Some(lowered) = lower_line(&plain.lines, line, lower, mode) else {
                break;
            };
            let lowered = predicted(lowered, mode);
            if lowered.totals.total == total {
                return lowered;
            }
            if let Some(plan) = with_fix_lines(&lowered.lines, total, mode, tax, rate) {
                return plan;
            }
        }
    }
    plain
}

fn predicted(lines: Vec<Line>, mode: &Mode) -> Plan {
    let priced = lines.iter().map(|line| Priced {
        quantity: line.quantity,
        price: line.price,
        rate: line.rate,
    });
    let totals = mode.arithmetic.totals(mode.inclusive, priced);
    Plan { lines, totals }
}

/// One fix line that makes the total, or two: some cents cannot be reached by one taxed line (D14).
fn with_fix_lines(
    lines: &[Line],
    total: Decimal,
    mode: &Mode,
    tax: i64,
    rate: Decimal,
) -> Option<Plan> {
    let missing = total - predicted(lines.to_vec(), mode).totals.total;
    let with = |prices: &[Decimal]| {
        let fix_lines = prices.iter().map(|price| Line {
            charge: None,
            quantity: Decimal::ONE,
            price: *price,
            tax,
            rate,
            pieces: None,
            discounts: Vec::new(),
        });
        let plan = predicted(lines.iter().cloned().chain(fix_lines).collect(), mode);
        (plan.totals.total == total).then_some(plan)
    };
    if missing < Decimal::ZERO {
        return mode
            .arithmetic
            .negative_lines
            .then(|| cents_up_to(-missing).find_map(|price| with(&[-price])))
            .flatten();
    }
    // The whole of it first: that is the answer where the fix item has no tax.
    with(&[missing])
        .or_else(|| cents_up_to(missing).find_map(|price| with(&[price])))
        .or_else(|| {
            cents_up_to(missing)
                .find_map(|one| cents_up_to(missing - one).find_map(|other| with(&[one, other])))
        })
}

/// The lines, one of them so much less; none where it does not have as much.
fn lower_line(lines: &[Line], which: usize, by: Decimal, mode: &Mode) -> Option<Vec<Line>> {
    let mut lines = lines.to_vec();
    let line = &mut lines[which];
    let amount = mode.arithmetic.amount(line.quantity, line.price) - by;
    if amount <= Decimal::ZERO {
        return None;
    }
    if line.quantity != Decimal::ONE {
        line.pieces = Some(line.quantity);
        line.quantity = Decimal::ONE;
    }
    line.price = amount;
    Some(lines)
}

/// 0.01, 0.02, … up to an amount. Rounding never needs many.
fn cents_up_to(amount: Decimal) -> impl Iterator<Item = Decimal> {
    const MOST: i64 = 200;
    (1..=MOST)
        .map(|cents| Decimal::new(cents, 2))
        .take_while(move |cents| *cents <= amount)
}
