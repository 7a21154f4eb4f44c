//! What becomes of each line of a receipt from Sage (I3, D9), and where the receipt stands then. Pure: no requests, no storage.
//!
//! Beware: "in full" is a matter of the allocation and its invoice, never of the line, which may hold only what is left of it.

use rust_decimal::Decimal;
use serde_json::json;

use crate::collect::{Map, ToSet};
use crate::json;
use crate::money;
use crate::sage::{Receipt, Service};
use crate::settings::{Grouping, Settings};
use crate::splynx::{InvoiceStatus, Receivable};
use crate::sync::receipt_sheet::{LineOutcome, Plan, ReceiptSheet};
use crate::write::limits::in_another_currency;
use crate::write::record::{Reason, Remote, State};

/// In front of the kind of dependency that [`until_paired`] makes.
pub const PAIRING: &str = "paired:";

impl Receipt {
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
            Grouping::Month => format!("SageOne ({})", json::month(self.date)),
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
pub type Allocated = Map<i64, Share>;

/// What Splynx knows of a receipt's customer and invoices.
pub struct Known<'k> {
    pub customer: Option<i64>,
    /// The customer in Sage has another currency than the company.
    pub is_foreign: bool,
    /// By Sage's invoice id.
    pub invoices: &'k Map<i64, Receivable>,
}

/// Decides what becomes of each line; answers why some wait.
pub fn plan(
    sheet: &mut ReceiptSheet,
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
        if line.closed || line.plan.outcome == LineOutcome::Cancel {
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
            _ if known.is_foreign => Some(Wait::OtherCurrency),
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
                .filter(|invoice| invoice.standing != InvoiceStatus::Deleted)
                .map(|invoice| invoice.id),
            outcome: match (&wait, settings.imported_method) {
                (None, Some(method)) => LineOutcome::Pay { method },
                _ => LineOutcome::Wait,
            },
        };
        if let Some(wait) = wait.filter(|_| line.waits()) {
            let mut reason = wait.reason(sage_customer);
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
    InFull(InvoiceStatus),
    Partial(InvoiceStatus),
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
    OtherCurrency,
    Unlinked,
    Partial,
    InvoicePaid,
}

/// The decision table I3; `None`: a payment is made. `f18` and `f20` are the settings of those numbers.
fn wait(link: Link, f18: bool, f20: bool) -> Option<Wait> {
    let (standing, is_partial) = match link {
        Link::None => return (!f18).then_some(Wait::Unlinked),
        Link::InFull(standing) => (standing, false),
        Link::Partial(standing) => (standing, true),
    };
    if is_partial && !f18 {
        Some(Wait::Partial)
    } else {
        (standing != InvoiceStatus::NotPaid && !f20).then_some(Wait::InvoicePaid)
    }
}

impl Wait {
    /// `customer`: Sage's id.
    fn reason(self, customer: i64) -> Reason {
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
            Self::OtherCurrency => in_another_currency(customer),
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

/// Where a receipt stands once nothing more can be done for it: from why its payments differ from it, and why lines wait.
pub fn standing(
    sheet: &ReceiptSheet,
    differs: Option<Reason>,
    waits: Vec<Reason>,
) -> (State, Reason) {
    let depends: Vec<String> = waits.iter().flat_map(|wait| wait.depends.clone()).collect();
    let (state, mut reason) = match owed(sheet).or(differs) {
        Some(owed) => (State::Owed, owed),
        None => match waits.into_iter().next() {
            Some(wait) => (State::Held, wait),
            None if sheet.discount > Decimal::ZERO => (State::Owed, discount(sheet.discount)),
            None => (State::Synced, Reason::default()),
        },
    };
    reason.depends = depends.into_iter().to_set().into_iter().collect();
    (state, reason)
}

/// What a person has to do in Splynx because the receipt was changed after a payment had been made.
fn owed(sheet: &ReceiptSheet) -> Option<Reason> {
    let payments = || {
        let ids: Vec<String> = sheet
            .lines
            .iter()
            .filter_map(|line| Some(line.paid.as_ref()?.payment.to_string()))
            .collect();
        ids.join(", ")
    };
    if sheet.overpaid > Decimal::ZERO {
        let cure = format!(
            "Delete or correct it in Splynx (payment {}), then mark this as done.",
            payments()
        );
        return Some(if sheet.total.is_zero() {
            Reason::new(
                "deleted-in-sage",
                "The receipt was deleted in Sage after it had become a payment in Splynx.",
                cure,
            )
        } else {
            let what = format!(
                "The receipt was changed in Sage to {}; its payments in Splynx are {} more.",
                money::written(sheet.total),
                money::written(sheet.overpaid)
            );
            Reason::new("changed-in-sage", what, cure)
        });
    }
    if let Some((paid, again)) = sheet
        .lines
        .iter()
        .find_map(|line| Some((line.paid.as_ref()?.payment, line.paid_again?)))
    {
        return Some(Reason::new(
            "paid-twice",
            format!(
                "Somebody paired its line on Splynx's own screen while its payment was being made: the payments {paid} and {again} are the same money."
            ),
            format!("Delete payment {again} in Splynx, then mark this as done."),
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
        format!(
            "Sage granted a discount of {} with it, which is still due in Splynx.",
            money::written(amount)
        ),
        "Make a credit note of that amount in Splynx, then mark this as done.",
    )
}
