//! The lines of a receipt from Sage: its money, shared out over the invoices that Sage allocated it to. Pure.
//!
//! A line has a number that is never used again, and with it a key by which its statement record and its payment are found in Splynx.
//! Beware: money that was paid or may be on its way is fixed, whatever Sage says later; only what is left of the total is ever
//! distributed anew.

use chrono::NaiveDate;
use rust_decimal::Decimal;
use serde_json::json;

use crate::collect::ToMap;
use crate::json;
use crate::sage::Receipt;
use crate::splynx::CANCELLED;
use crate::stored::{stored, stored_names};
use crate::sync::receipts::Allocated;

/// What we keep of a receipt beside its record.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ReceiptSheet {
    pub date: NaiveDate,
    /// Sage's customer.
    pub customer: i64,
    pub total: Decimal,
    /// Sum of the discounts that Sage granted with it.
    pub discount: Decimal,
    /// Of its statement in Splynx, which never changes once there is a record in it.
    pub title: String,
    pub statement: Option<i64>,
    /// Numbers are given once, also where a line is cancelled.
    pub last_number: u32,
    pub lines: Vec<ReceiptLine>,
    /// Money that is fixed in Splynx and that the receipt no longer has.
    pub overpaid: Decimal,
}

stored!(ReceiptSheet {
    date,
    customer,
    total,
    discount,
    title,
    statement,
    last_number,
    lines,
    overpaid
});

#[derive(Debug, Clone, Default, PartialEq)]
pub struct ReceiptLine {
    pub number: u32,
    pub amount: Decimal,
    /// The Sage invoice that it is allocated to; `None`: it is not allocated.
    pub target: Option<i64>,
    /// A person chose its invoice.
    pub by_hand: Option<ByHand>,
    /// Its record in the statement.
    pub record: Option<i64>,
    /// Digest of what the record says.
    pub written: String,
    pub paid: Option<Paid>,
    /// Another payment of the same money, which people made on Splynx's own screen while ours was on its way.
    pub paid_again: Option<i64>,
    /// Its record says so as well.
    pub closed: bool,
    /// Splynx was asked to cancel its record: that status is no person's decision, and the line carries no money any more.
    pub cancelling: bool,
    /// A request that may have been acted on.
    pub flight: Option<InFlight>,
    pub plan: Plan,
}

stored!(ReceiptLine { number, amount, target, by_hand, record, written, paid, closed, flight } may { paid_again, cancelling } not { plan });

#[derive(Debug, Clone, PartialEq)]
pub struct ByHand {
    pub customer: i64,
    pub invoice: i64,
    pub method: i64,
}

stored!(ByHand {
    customer,
    invoice,
    method
});

impl ByHand {
    /// What it means for a line in this run.
    pub fn plan(&self) -> Plan {
        Plan {
            customer: Some(self.customer),
            invoice: Some(self.invoice),
            outcome: LineOutcome::Pay {
                method: self.method,
            },
        }
    }
}

/// The payment of a line, as it was made.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Paid {
    pub payment: i64,
    /// Sage's customer then: what a later edit of the receipt is compared with; 0: not known, because it was found in Splynx.
    pub customer: i64,
    pub date: NaiveDate,
    /// The Splynx invoice that it was made for.
    pub invoice: Option<i64>,
    /// What Splynx said of it when it was last compared with the receipt ([`crate::sync::imported::content`]).
    pub seen: String,
}

stored!(Paid { payment, customer, date } may { invoice, seen });

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Creation {
    Record,
    Payment,
}

impl Creation {
    fn name(self) -> &'static str {
        match self {
            Self::Record => "record",
            Self::Payment => "payment",
        }
    }
}

stored_names!(Creation: Record, Payment);

#[derive(Debug, Clone, PartialEq)]
pub struct InFlight {
    pub of: Creation,
    /// Seconds since the Unix epoch: it may have been in flight until then.
    pub until: u64,
}

stored!(InFlight { of, until });

/// What is to become of a line in this run.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Plan {
    /// Splynx's, where known.
    pub customer: Option<i64>,
    pub invoice: Option<i64>,
    pub outcome: LineOutcome,
}

#[derive(Debug, Clone, Default, PartialEq)]
pub enum LineOutcome {
    #[default]
    Wait,
    Pay {
        method: i64,
    },
    /// It stands as it was written, and is not decided about now.
    Leave,
    /// There is no such money any more.
    Cancel,
}

/// The next change of Splynx that a line needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LineAction {
    List,
    Amend,
    Pay,
    Close,
    Cancel,
}

impl ReceiptLine {
    /// Nothing that Sage says later moves this money.
    fn is_fixed(&self) -> bool {
        self.paid.is_some() || self.flight.is_some() || self.by_hand.is_some()
    }

    /// It stands in a statement, and nobody has paid it.
    pub fn waits(&self) -> bool {
        self.paid.is_none()
    }

    /// The next run through it makes a payment of it that nobody chose by hand.
    pub fn is_to_be_paid(&self) -> bool {
        let pays = matches!(self.plan.outcome, LineOutcome::Pay { .. });
        pays && self.paid.is_none() && self.flight.is_none() && self.by_hand.is_none()
    }

    pub fn next_step(&self, date: NaiveDate) -> Option<LineAction> {
        if self.flight.is_some() {
            return None;
        }
        match (&self.plan.outcome, self.record, &self.paid) {
            (_, Some(_), Some(_)) => (!self.closed).then_some(LineAction::Close),
            (LineOutcome::Cancel, record, _) => record.map(|_| LineAction::Cancel),
            (_, None, None) => Some(LineAction::List),
            (LineOutcome::Pay { .. }, Some(_), None) => Some(LineAction::Pay),
            (LineOutcome::Wait, Some(_), None) => {
                (self.written != self.content(date)).then_some(LineAction::Amend)
            }
            (LineOutcome::Leave, Some(_), None) | (_, None, Some(_)) => None,
        }
    }

    /// Digest of what its record is to say.
    pub fn content(&self, date: NaiveDate) -> String {
        json::digest(&json!([
            self.amount.normalize().to_string(),
            date.to_string(),
            self.plan.customer,
            self.plan.invoice
        ]))
    }
}

impl ReceiptSheet {
    pub fn waiting(&self) -> Decimal {
        let waiting = self.lines.iter();
        let waiting = waiting.filter(|line| line.waits() && !line.cancelling);
        waiting.map(|line| line.amount).sum()
    }

    pub fn is_in_doubt(&self) -> bool {
        self.lines.iter().any(|line| line.flight.is_some())
    }

    pub fn line_mut(&mut self, number: u32) -> Option<&mut ReceiptLine> {
        self.lines.iter_mut().find(|line| line.number == number)
    }

    pub fn add_line(&mut self, target: Option<i64>, amount: Decimal) -> &mut ReceiptLine {
        self.last_number += 1;
        self.lines.push(ReceiptLine {
            number: self.last_number,
            amount,
            target,
            ..ReceiptLine::default()
        });
        self.lines.last_mut().expect("it was just pushed")
    }

    /// A record that is found cancelled by our own word has no line any more; answers whether it was so.
    pub fn end_if_cancelled(&mut self, number: u32, status: &str) -> bool {
        let before = self.lines.len();
        self.lines
            .retain(|line| line.number != number || !line.cancelling || status != CANCELLED);
        self.lines.len() < before
    }

    /// Distributes the receipt's money anew over lines, as Sage has it now; `None`: the receipt is gone.
    pub fn redistribute(&mut self, receipt: Option<(&Receipt, &Allocated)>) {
        let mut shares: Vec<(Option<i64>, Decimal)> = Vec::new();
        self.discount = Decimal::ZERO;
        self.total = Decimal::ZERO;
        if let Some((receipt, allocated)) = receipt {
            self.date = receipt.date;
            self.customer = receipt.customer;
            self.total = receipt.total;
            self.discount = allocated.values().map(|share| share.discount).sum();
            shares.extend(allocated.iter().map(|(id, share)| (Some(*id), share.total)));
            let spent: Decimal = shares.iter().map(|(_, amount)| *amount).sum();
            shares.push((None, receipt.total - spent));
        }
        self.overpaid = take_fixed(&mut shares, &self.lines);
        shares.retain(|(_, amount)| *amount > Decimal::ZERO);

        let (mut lines, free): (Vec<ReceiptLine>, Vec<ReceiptLine>) =
            self.lines.drain(..).partition(ReceiptLine::is_fixed);
        // What may be cancelled at any moment takes up no money again.
        let (ending, mut free): (Vec<ReceiptLine>, Vec<ReceiptLine>) =
            free.into_iter().partition(|line| line.cancelling);
        // A waiting line goes on for the same invoice, else for whatever has no line yet.
        let mut homeless = Vec::new();
        for (target, amount) in shares {
            match free.iter().position(|line| line.target == target) {
                Some(place) => lines.push(ReceiptLine {
                    amount,
                    ..free.remove(place)
                }),
                None => homeless.push((target, amount)),
            }
        }
        let mut free = free.into_iter();
        let mut new = Vec::new();
        for (target, amount) in homeless {
            match free.next() {
                Some(line) => lines.push(ReceiptLine {
                    target,
                    amount,
                    ..line
                }),
                None => new.push((target, amount)),
            }
        }
        let obsolete = free.filter(|line| line.record.is_some()).chain(ending);
        let obsolete = obsolete.map(|mut line| {
            line.plan.outcome = LineOutcome::Cancel;
            line
        });
        lines.extend(obsolete);
        let by_number = lines.into_iter().map(|line| (line.number, line)).to_map();
        self.lines = by_number.into_iter().map(|(_, line)| line).collect();
        for (target, amount) in new {
            self.add_line(target, amount);
        }
    }

    /// Splits waiting money over invoices that a person names, each with what is due on it, in this order; the rest goes on waiting.
    pub fn pair(&mut self, invoices: &[(i64, Decimal)], customer: i64, method: i64) {
        let mut invoices = invoices.iter().copied();
        let mut current = invoices.next();
        let waiting: Vec<u32> = self
            .lines
            .iter()
            .filter(|line| line.waits() && !line.cancelling)
            .map(|line| line.number)
            .collect();
        for number in waiting {
            let Some(line) = self.line_mut(number) else {
                continue;
            };
            line.plan.outcome = LineOutcome::Leave;
            let (target, mut left) = (line.target, line.amount);
            let mut pieces = Vec::new();
            while let Some((invoice, due)) = current
                && left > Decimal::ZERO
            {
                let amount = left.min(due);
                left -= amount;
                pieces.push((amount, invoice));
                current = if due > amount {
                    Some((invoice, due - amount))
                } else {
                    invoices.next()
                };
            }
            for (place, (amount, invoice)) in pieces.iter().copied().enumerate() {
                let piece = if place == 0 {
                    self.line_mut(number).expect("it was just looked at")
                } else {
                    self.add_line(target, amount)
                };
                piece.amount = amount;
                let by_hand = ByHand {
                    customer,
                    invoice,
                    method,
                };
                piece.plan = by_hand.plan();
                piece.by_hand = Some(by_hand);
            }
            if left > Decimal::ZERO && !pieces.is_empty() {
                self.add_line(target, left).plan.customer = Some(customer);
            }
        }
    }
}

/// Takes the money of fixed lines out of the shares: out of their own, then out of the rest and the newest; answers what no share
/// covers.
fn take_fixed(shares: &mut [(Option<i64>, Decimal)], lines: &[ReceiptLine]) -> Decimal {
    let mut surplus = Decimal::ZERO;
    for line in lines.iter().filter(|line| line.is_fixed()) {
        let own = shares.iter_mut().find(|(target, _)| *target == line.target);
        let taken = own.map_or(Decimal::ZERO, |(_, left)| {
            let taken = line.amount.min(*left);
            *left -= taken;
            taken
        });
        surplus += line.amount - taken;
    }
    for (_, left) in shares.iter_mut().rev() {
        let taken = surplus.min(*left);
        *left -= taken;
        surplus -= taken;
    }
    surplus
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::sync::receipts::Share;

    /// Small numbers from a seed (an LCG with Knuth's constants).
    struct Random(u64);

    impl Random {
        fn below(&mut self, limit: u64) -> u64 {
            self.0 = self
                .0
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (self.0 >> 33) % limit
        }

        fn amount(&mut self, most: u64) -> Decimal {
            Decimal::new(i64::try_from(self.below(most)).expect("it is small"), 2)
        }
    }

    /// D9: whatever Sage's people do to a receipt and Splynx's to its lines, the lines are its money to the cent, paid ones stay as
    /// they are, and no number is given twice.
    #[test]
    fn the_lines_of_a_receipt_are_its_total_and_what_was_paid_is_fixed() {
        for seed in 0..5_000 {
            let mut random = Random(seed);
            let mut sheet = ReceiptSheet::default();
            let mut given = BTreeSet::new();
            for _ in 0..8 {
                let total = random.amount(50_000) + Decimal::new(1, 2);
                let mut left = total;
                let mut allocated = Allocated::new();
                for invoice in 1..=random.below(4) {
                    let share = left.min(random.amount(20_000));
                    left -= share;
                    allocated.insert(
                        i64::try_from(invoice).expect("it is small"),
                        Share {
                            total: share,
                            discount: Decimal::ZERO,
                        },
                    );
                }
                let receipt = Receipt {
                    id: 7,
                    customer: 1,
                    date: NaiveDate::MIN,
                    number: String::new(),
                    reference: String::new(),
                    total,
                    unallocated: left,
                };
                let paid: Vec<(u32, Decimal)> = money(&sheet, |line| line.paid.is_some());
                let before: BTreeSet<u32> = sheet.lines.iter().map(|line| line.number).collect();
                sheet.redistribute(Some((&receipt, &allocated)));
                assert_eq!(
                    money(&sheet, |line| line.paid.is_some()),
                    paid,
                    "seed {seed}"
                );
                let live = money(&sheet, |line| line.plan.outcome != LineOutcome::Cancel);
                let sum: Decimal = live.iter().map(|(_, amount)| *amount).sum();
                assert_eq!(sum, total + sheet.overpaid, "seed {seed}");
                assert!(
                    live.iter().all(|(_, amount)| *amount > Decimal::ZERO),
                    "seed {seed}"
                );
                for line in sheet
                    .lines
                    .iter()
                    .filter(|line| !before.contains(&line.number))
                {
                    assert!(given.insert(line.number), "seed {seed}: {}", line.number);
                }
                if random.below(4) == 0 {
                    let waiting = sheet.waiting();
                    let cent = Decimal::new(1, 2);
                    let named = [901, 902].map(|id| (id, random.amount(9_000) + cent));
                    sheet
                        .lines
                        .retain(|line| line.plan.outcome != LineOutcome::Cancel);
                    let waiting = waiting.min(sheet.waiting());
                    sheet.pair(&named, 1, 8);
                    assert_eq!(sheet.waiting(), waiting, "seed {seed}");
                    let chosen: Decimal =
                        money(&sheet, |line| line.waits() && line.by_hand.is_some())
                            .iter()
                            .map(|(_, amount)| *amount)
                            .sum();
                    assert!(chosen <= named[0].1 + named[1].1 + waiting, "seed {seed}");
                    given.extend(sheet.lines.iter().map(|line| line.number));
                }
                for line in &mut sheet.lines {
                    line.record = Some(i64::from(line.number));
                    let pays = line.plan.outcome != LineOutcome::Cancel && random.below(3) == 0;
                    if line.paid.is_none() && pays {
                        line.paid = Some(Paid::default());
                    }
                }
                sheet
                    .lines
                    .retain(|line| line.plan.outcome != LineOutcome::Cancel);
            }
        }
    }

    fn money(sheet: &ReceiptSheet, which: impl Fn(&ReceiptLine) -> bool) -> Vec<(u32, Decimal)> {
        let lines = sheet.lines.iter().filter(|line| which(line));
        lines.map(|line| (line.number, line.amount)).collect()
    }
}
