//! What the lines of a receipt from Sage are, and what becomes of each (I3, D9). Pure: no requests, no storage.
//!
//! A receipt's money is kept in lines: one for each invoice that Sage allocated it to, one for the rest. A line has a number that is
//! never used again, and with it a key by which its statement record and its payment are found in Splynx. The trap: money that was
//! paid or may be on its way is fixed, whatever Sage says later; only what is left of the total is ever distributed anew.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::json;
use crate::sage::Service;
use crate::settings::{Grouping, Settings};
use crate::splynx::{Receivable, Standing};
use crate::write::record::{Reason, Remote, State};

/// Begins the keys of lines, here and in Splynx.
pub const KEY_PREFIX: &str = "SAGE-";
/// In front of the kind of dependency that [`until_paired`] makes.
pub const PAIRING: &str = "paired:";

/// A receipt as Sage lists it (Sage API 2.6).
#[derive(Debug, Clone)]
pub struct Receipt {
    pub id: i64,
    /// Sage's customer.
    pub customer: i64,
    pub date: NaiveDate,
    pub number: String,
    pub reference: String,
    pub total: Decimal,
    pub unallocated: Decimal,
}

impl Receipt {
    /// None where the row lacks what an import needs.
    pub fn parse(row: &Value) -> Option<Self> {
        let total = json::decimal(row, "Total")?;
        Some(Self {
            id: json::integer(row, "ID")?,
            customer: json::integer(row, "CustomerId")?,
            date: json::date(row, "Date")?,
            number: json::text(row, "DocumentNumber"),
            reference: json::text(row, "Reference"),
            total,
            unallocated: json::decimal(row, "TotalUnallocated")?,
        })
        .filter(|receipt| receipt.total > Decimal::ZERO)
    }

    /// Of everything that decides about its lines.
    pub fn hash(&self, allocated: &Allocated) -> String {
        let shares: Vec<[String; 3]> = allocated
            .iter()
            .map(|(invoice, share)| {
                [
                    invoice.to_string(),
                    share.total.normalize().to_string(),
                    share.discount.normalize().to_string(),
                ]
            })
            .collect();
        json::digest(&json!([
            self.customer,
            self.date.to_string(),
            self.total.normalize().to_string(),
            shares
        ]))
    }

    /// The title of the statement that lists it (F12).
    pub fn statement_title(&self, by: Grouping) -> String {
        match by {
            Grouping::Month => format!("SageOne ({})", self.date.format("%Y-%m")),
            Grouping::Day => format!("SageOne ({})", self.date),
        }
    }
}

/// What of a receipt settles one invoice; several allocations to it count as one.
#[derive(Debug, Clone, Copy, Default)]
pub struct Share {
    pub total: Decimal,
    pub discount: Decimal,
}

/// By Sage's invoice id.
pub type Allocated = BTreeMap<i64, Share>;

/// What we keep of a receipt beside its record.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Sheet {
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
    pub lines: Vec<Line>,
    /// Money that is fixed in Splynx and that the receipt no longer has.
    pub overpaid: Decimal,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Line {
    pub number: u32,
    pub amount: Decimal,
    /// The Sage invoice that it is allocated to; none: it is not allocated.
    pub target: Option<i64>,
    /// A person chose its invoice.
    pub by_hand: Option<ByHand>,
    /// Its record in the statement.
    pub record: Option<i64>,
    /// Digest of what the record says.
    pub written: String,
    pub paid: Option<Paid>,
    /// Its record says so as well.
    pub closed: bool,
    /// A request that may have been acted on.
    pub flight: Option<Flight>,
    #[serde(skip)]
    pub plan: Plan,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ByHand {
    pub customer: i64,
    pub invoice: i64,
    pub method: i64,
}

impl ByHand {
    fn plan(&self) -> Plan {
        Plan {
            customer: Some(self.customer),
            invoice: Some(self.invoice),
            fate: Fate::Pay {
                method: self.method,
            },
        }
    }
}

/// The payment of a line, as it was made.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Paid {
    pub payment: i64,
    /// Sage's customer then: what a later edit of the receipt is compared with; 0: not known, because it was found in Splynx.
    pub customer: i64,
    pub date: NaiveDate,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Creation {
    Record,
    Payment,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Flight {
    pub of: Creation,
    /// Seconds since the Unix epoch: it may have been in flight until then.
    pub until: u64,
}

/// What is to become of a line in this run.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Plan {
    /// Splynx's, where known.
    pub customer: Option<i64>,
    pub invoice: Option<i64>,
    pub fate: Fate,
}

#[derive(Debug, Clone, Default, PartialEq)]
pub enum Fate {
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
pub enum Step {
    List,
    Amend,
    Pay,
    Close,
    Cancel,
}

impl Line {
    /// Nothing that Sage says later moves this money.
    fn is_fixed(&self) -> bool {
        self.paid.is_some() || self.flight.is_some() || self.by_hand.is_some()
    }

    /// It stands in a statement, and nobody has paid it.
    pub fn waits(&self) -> bool {
        self.paid.is_none()
    }

    pub fn next_step(&self, date: NaiveDate) -> Option<Step> {
        if self.flight.is_some() {
            return None;
        }
        match (&self.plan.fate, self.record, &self.paid) {
            (_, Some(_), Some(_)) => (!self.closed).then_some(Step::Close),
            (Fate::Cancel, record, _) => record.map(|_| Step::Cancel),
            (_, None, None) => Some(Step::List),
            (Fate::Pay { .. }, Some(_), None) => Some(Step::Pay),
            (Fate::Wait, Some(_), None) => {
                (self.written != self.content(date)).then_some(Step::Amend)
            }
            (Fate::Leave, Some(_), None) | (_, None, Some(_)) => None,
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

impl Sheet {
    /// The key of a line on both sides.
    pub fn key(receipt: i64, line: u32) -> String {
        format!("{KEY_PREFIX}{receipt}-{line}")
    }

    pub fn waiting(&self) -> Decimal {
        let waiting = self.lines.iter().filter(|line| line.waits());
        waiting.map(|line| line.amount).sum()
    }

    pub fn is_in_doubt(&self) -> bool {
        self.lines.iter().any(|line| line.flight.is_some())
    }

    pub fn line_mut(&mut self, number: u32) -> Option<&mut Line> {
        self.lines.iter_mut().find(|line| line.number == number)
    }

    pub fn add_line(&mut self, target: Option<i64>, amount: Decimal) -> &mut Line {
        self.last_number += 1;
        self.lines.push(Line {
            number: self.last_number,
            amount,
            target,
            ..Line::default()
        });
        self.lines.last_mut().expect("it was just pushed")
    }

    /// Distributes the receipt's money anew over lines, as Sage has it now; none: the receipt is gone.
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

        let (mut lines, mut free): (Vec<Line>, Vec<Line>) =
            self.lines.drain(..).partition(Line::is_fixed);
        // A waiting line goes on for the same invoice, else for whatever has no line yet.
        let mut homeless = Vec::new();
        for (target, amount) in shares {
            match free.iter().position(|line| line.target == target) {
                Some(place) => lines.push(Line {
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
                Some(line) => lines.push(Line {
                    target,
                    amount,
                    ..line
                }),
                None => new.push((target, amount)),
            }
        }
        let obsolete = free.filter(|line| line.record.is_some()).map(|mut line| {
            line.plan.fate = Fate::Cancel;
            line
        });
        lines.extend(obsolete);
        lines.sort_by_key(|line| line.number);
        self.lines = lines;
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
            .filter(|line| line.waits())
            .map(|line| line.number)
            .collect();
        for number in waiting {
            let Some(line) = self.line_mut(number) else {
                continue;
            };
            line.plan.fate = Fate::Leave;
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
fn take_fixed(shares: &mut [(Option<i64>, Decimal)], lines: &[Line]) -> Decimal {
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

/// What Splynx knows of a receipt's customer and invoices.
pub struct Known<'k> {
    pub customer: Option<i64>,
    /// By Sage's invoice id.
    pub invoices: &'k BTreeMap<i64, Receivable>,
}

/// Decides what becomes of each line; answers why some wait.
pub fn plan(
    sheet: &mut Sheet,
    allocated: &Allocated,
    known: &Known,
    settings: &Settings,
) -> Vec<Reason> {
    let mut reasons: Vec<Reason> = Vec::new();
    let sage_customer = sheet.customer;
    let by_hand = sheet.lines.iter().find_map(|line| line.by_hand.as_ref());
    // For people who read the statement: whom somebody named for the rest of the money.
    let named = known.customer.or(by_hand.map(|chosen| chosen.customer));
    for line in &mut sheet.lines {
        if line.closed || line.plan.fate == Fate::Cancel {
            continue;
        }
        if let Some(chosen) = &line.by_hand {
            line.plan = chosen.plan();
            continue;
        }
        let invoice = line.target.and_then(|target| known.invoices.get(&target));
        let wait = match (known.customer, settings.imported_method) {
            (None, _) => Some(Wait::CustomerNotPaired),
            (_, None) => Some(Wait::NoMethod),
            (Some(_), Some(_)) => {
                let share = line.target.and_then(|target| allocated.get(&target));
                wait(
                    linked(invoice, share),
                    settings.pay_without_invoice,
                    settings.pay_paid_invoices,
                )
            }
        };
        line.plan = Plan {
            customer: named,
            // Splynx takes no payment for a deleted invoice: its money goes to the balance.
            invoice: invoice
                .filter(|invoice| invoice.standing != Standing::Deleted)
                .map(|invoice| invoice.id),
            fate: match (&wait, settings.imported_method) {
                (None, Some(method)) => Fate::Pay { method },
                _ => Fate::Wait,
            },
        };
        if let Some(wait) = wait.filter(|_| line.waits()) {
            let mut reason = wait.reason();
            match (wait, line.target) {
                (Wait::CustomerNotPaired, _) => {
                    until_paired(&mut reason, Service::Customer, sage_customer);
                }
                (Wait::Unlinked, Some(target)) => {
                    until_paired(&mut reason, Service::TaxInvoice, target);
                }
                _ => {}
            }
            reasons.push(reason);
        }
    }
    reasons
}

/// A record of ours that becomes the pair of that object brings the receipt back.
fn until_paired(reason: &mut Reason, service: Service, id: i64) {
    let remote = Remote { service, id };
    reason.depends.push(format!("{PAIRING}{remote}"));
}

/// How a line is linked to an invoice that Splynx knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Link {
    InFull(Standing),
    Partial(Standing),
    None,
}

/// D9: in full means that Total and Discount of the allocation make up the invoice's total. Splynx's total is taken: its invoice has
/// to be read for its status anyhow, and the two totals are compared to the cent when the invoice goes to Sage.
fn linked(invoice: Option<&Receivable>, share: Option<&Share>) -> Link {
    match (invoice, share) {
        (Some(invoice), Some(share)) if share.total + share.discount == invoice.total => {
            Link::InFull(invoice.standing)
        }
        (Some(invoice), _) => Link::Partial(invoice.standing),
        (None, _) => Link::None,
    }
}

/// Why a line waits in its statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wait {
    CustomerNotPaired,
    NoMethod,
    Unlinked,
    Partial,
    InvoicePaid,
}

/// The decision table I3; none: a payment is made. `f18` and `f20` are the settings of those numbers.
fn wait(link: Link, f18: bool, f20: bool) -> Option<Wait> {
    let (standing, is_partial) = match link {
        Link::None => return (!f18).then_some(Wait::Unlinked),
        Link::InFull(standing) => (standing, false),
        Link::Partial(standing) => (standing, true),
    };
    if is_partial && !f18 {
        Some(Wait::Partial)
    } else {
        (standing != Standing::NotPaid && !f20).then_some(Wait::InvoicePaid)
    }
}

impl Wait {
    fn reason(self) -> Reason {
        const F18: &str = "create_payment_without_invoice";
        const F20: &str = "create_payment_for_paid_invoice";
        match self {
            Self::CustomerNotPaired => Reason::new(
                "customer-not-paired",
                "Its customer in Sage is paired with nobody in Splynx.",
                "Pair the customer, or pair the receipt with an invoice on the page Statements.",
            ),
            Self::NoMethod => Reason::new(
                "no-import-method",
                "No payment method is chosen for payments from Sage.",
                "Choose \"Method of payments that came from Sage\" under Settings, Payments.",
            )
            .until_setting("payment_method_id"),
            Self::Unlinked => Reason::new(
                "unlinked",
                "It is linked to no invoice that Splynx knows.",
                "Allocate it in Sage, pair it on the page Statements, or switch \"Create payment without invoice\" on.",
            )
            .until_setting(F18),
            Self::Partial => Reason::new(
                "partial",
                "It pays a part of its invoice.",
                "Pair it on the page Statements, or switch \"Create payment without invoice\" on.",
            )
            .until_setting(F18)
            .until_setting(F20),
            Self::InvoicePaid => Reason::new(
                "invoice-paid",
                "Its invoice does not wait for money in Splynx: it is paid, pending or deleted.",
                "Look whether somebody entered the money in Splynx already. If not, pair it on the page Statements, or switch \"Create payment for paid invoice\" on.",
            )
            .until_setting(F20),
        }
    }
}

/// Where a receipt stands once nothing more can be done for it, from the reasons why lines wait.
pub fn standing(sheet: &Sheet, waits: Vec<Reason>) -> (State, Reason) {
    let depends: Vec<String> = waits.iter().flat_map(|wait| wait.depends.clone()).collect();
    let (state, mut reason) = match owed(sheet) {
        Some(owed) => (State::Owed, owed),
        None => match waits.into_iter().next() {
            Some(wait) => (State::Held, wait),
            None if sheet.discount > Decimal::ZERO => (State::Owed, discount(sheet.discount)),
            None => (State::Synced, Reason::default()),
        },
    };
    reason.depends = depends;
    reason.depends.sort();
    reason.depends.dedup();
    (state, reason)
}

/// What a person has to do in Splynx because the receipt was changed after a payment had been made.
fn owed(sheet: &Sheet) -> Option<Reason> {
    let payments = || {
        let ids: Vec<String> = sheet
            .lines
            .iter()
            .filter_map(|line| Some(line.paid.as_ref()?.payment.to_string()))
            .collect();
        ids.join(", ")
    };
    if sheet.overpaid > Decimal::ZERO {
        let what = if sheet.total.is_zero() {
            "The receipt was deleted in Sage after it had become a payment in Splynx.".to_owned()
        } else {
            format!(
                "The receipt was changed in Sage to {:.2}; its payments in Splynx are {:.2} more.",
                sheet.total, sheet.overpaid
            )
        };
        let code = if sheet.total.is_zero() {
            "deleted-in-sage"
        } else {
            "changed-in-sage"
        };
        return Some(Reason::new(
            code,
            what,
            format!(
                "Delete or correct it in Splynx (payment {}), then mark this as done.",
                payments()
            ),
        ));
    }
    let moved = sheet.lines.iter().filter_map(|line| line.paid.as_ref());
    moved
        .clone()
        .filter(|paid| paid.customer != 0)
        .any(|paid| paid.customer != sheet.customer || paid.date != sheet.date)
        .then(|| {
            Reason::new(
                "changed-in-sage",
                "The receipt got another customer or date in Sage after it had become a payment in Splynx.",
                format!(
                    "Make the same change in Splynx (payment {}), or undo it in Sage; then mark this as done.",
                    payments()
                ),
            )
        })
}

/// D9: Splynx knows no settlement discount.
fn discount(amount: Decimal) -> Reason {
    Reason::new(
        "discount",
        format!("Sage granted a discount of {amount:.2} with it, which is still due in Splynx."),
        "Make a credit note of that amount in Splynx, then mark this as done.",
    )
}
