//! What is said of one record: where it stands on both sides, and why.

use chrono::NaiveDate;
use rust_decimal::Decimal;

use crate::capability::Row;
use crate::money;
use crate::sage::{DocumentLikeness, Service};
use crate::write::record::{Record, State};

/// How a record of one side stands to the other side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    Matched,
    /// Belongs in Sage, and is not there.
    OnlyHere,
    OnlyThere,
    Amount,
    Customer,
    Date,
    /// Deleted here, live there.
    Status,
    /// Paid on one side, open on the other.
    Settlement,
    /// Sage has it once more.
    Duplicate,
    /// On one side on purpose.
    LeftOut,
    /// By more than rounding makes, while the totals are equal.
    Vat,
}

impl Class {
    /// A comparison that paused has counted by their places: new ones come last.
    pub const ALL: [Self; 11] = [
        Self::Matched,
        Self::OnlyHere,
        Self::OnlyThere,
        Self::Amount,
        Self::Customer,
        Self::Date,
        Self::Status,
        Self::Settlement,
        Self::Duplicate,
        Self::LeftOut,
        Self::Vat,
    ];

    /// As people read it, and as they filter by it.
    pub fn title(self) -> &'static str {
        match self {
            Self::Matched => "matched",
            Self::OnlyHere => "only in Splynx",
            Self::OnlyThere => "only in Sage",
            Self::Amount => "amount differs",
            Self::Customer => "customer differs",
            Self::Date => "date differs",
            Self::Status => "status differs",
            Self::Settlement => "settlement differs",
            Self::Duplicate => "duplicate in Sage",
            Self::LeftOut => "left out",
            Self::Vat => "VAT differs",
        }
    }

    pub fn is_difference(self) -> bool {
        !matches!(self, Self::Matched | Self::LeftOut)
    }
}

/// One line of the report.
#[derive(Debug)]
pub struct Finding {
    pub class: Class,
    /// Unique within the report: `invoice/000000000501`, or `TaxInvoice/550001` for what is in Sage alone.
    pub id: String,
    pub kind: &'static str,
    pub label: String,
    /// Splynx's id; `None`: a customer that is in Sage alone.
    pub customer: Option<i64>,
    pub date: Option<NaiveDate>,
    pub here: Option<Decimal>,
    pub there: Option<Decimal>,
    pub why: String,
}

impl Finding {
    pub fn row(&self) -> Row {
        let money = |amount: Option<Decimal>| amount.map_or_else(String::new, money::plain);
        let difference = match (self.here, self.there) {
            (None, None) => None,
            (here, there) => Some(here.unwrap_or_default() - there.unwrap_or_default()),
        };
        Row {
            id: self.id.clone(),
            cells: vec![
                self.class.title().to_owned(),
                self.kind.to_owned(),
                self.label.clone(),
                self.customer.map_or_else(String::new, |id| id.to_string()),
                self.date.map_or_else(String::new, |date| date.to_string()),
                money(self.here),
                money(self.there),
                money(difference),
                self.why.clone(),
            ],
            more: Vec::new(),
        }
    }
}

/// What is compared of a document or payment of Splynx; the customer is Sage's, none where Splynx's has no pair.
#[derive(Debug)]
pub struct Side {
    pub customer: Option<i64>,
    pub date: NaiveDate,
    /// Without sign: what it is in Sage tells which way the money goes.
    pub total: Decimal,
    /// `None`: it is not compared, as of payments.
    pub vat: Option<VatSides>,
    /// What is not settled yet, on both sides; `None`: it is not compared.
    pub open: Option<(Decimal, Decimal)>,
}

/// The VAT of a document on both sides, with the total's sign.
#[derive(Debug)]
pub struct VatSides {
    pub here: Decimal,
    pub there: Decimal,
    /// Of the document in Splynx: each can be rounded by a cent.
    pub lines: usize,
}

impl VatSides {
    fn agree(&self) -> bool {
        let lines = i64::try_from(self.lines).unwrap_or(i64::MAX);
        (self.here - self.there).abs() <= Decimal::new(lines, 2)
    }
}

impl Side {
    /// The gravest difference, and what it is. An amount weighs more than whose it is, that more than its day, that more than its
    /// VAT, and that more than whether it is paid.
    pub fn compare(&self, there: &DocumentLikeness) -> (Class, String) {
        if self.total != there.total {
            return (
                Class::Amount,
                format!(
                    "Splynx has {}, Sage {}.",
                    money::written(self.total),
                    money::written(there.total)
                ),
            );
        }
        if self.customer != Some(there.customer) {
            let why = match self.customer {
                Some(ours) => format!(
                    "Splynx's customer is Sage's customer {ours}, and in Sage it belongs to customer {}.",
                    there.customer
                ),
                None => format!(
                    "Splynx's customer is paired with none in Sage, and in Sage it belongs to customer {}.",
                    there.customer
                ),
            };
            return (Class::Customer, why);
        }
        if self.date != there.date {
            return (
                Class::Date,
                format!("Splynx has {}, Sage {}.", self.date, there.date),
            );
        }
        if let Some(VatSides { here, there, .. }) = self.vat.as_ref().filter(|vat| !vat.agree()) {
            let (here, there) = (money::written(*here), money::written(*there));
            return (
                Class::Vat,
                format!("Splynx has VAT of {here}, Sage {there}: more than a cent a line."),
            );
        }
        if let Some((here, there)) = self.open.filter(|(here, there)| here != there) {
            let cause = if here < there {
                "What pays it was not sent, being older than \"Export payments from\" or of a method that is not sent, or it is not allocated to it there."
            } else {
                "Sage has allocated to it what is no payment of it in Splynx."
            };
            let (here, there) = (money::written(here), money::written(there));
            return (
                Class::Settlement,
                format!("In Splynx {here} of it is open, in Sage {there}. {cause}"),
            );
        }
        (Class::Matched, String::new())
    }
}

/// Why something of Splynx has no counterpart in Sage, by the add-on's own record. `unknown`: why where it has none.
pub fn missing(record: Option<&Record>, unknown: (Class, &str)) -> (Class, String) {
    let Some(record) = record else {
        return (unknown.0, unknown.1.to_owned());
    };
    let reason = &record.reason.message;
    let or = |text: &str| match reason.as_str() {
        "" => text.to_owned(),
        reason => reason.to_owned(),
    };
    match record.state {
        State::Skipped => (Class::LeftOut, or("It is left out.")),
        State::DoNotSend => (
            Class::LeftOut,
            or("A person said that it is not to be sent."),
        ),
        State::DoneByHand => (
            Class::OnlyHere,
            or("A person marked it as done in Sage, and did not say as which document."),
        ),
        State::Synced => match &record.remote {
            Some(remote) => (
                Class::OnlyHere,
                format!("Sage had it as {remote}, and has it no longer."),
            ),
            None => (Class::LeftOut, or("There is nothing of it to send.")),
        },
        State::Planned => (Class::OnlyHere, or("The next run sends it.")),
        State::Sending | State::Uncertain => (
            Class::OnlyHere,
            or("It was sent, and the next run looks up what became of it."),
        ),
        State::Held | State::Owed => (Class::OnlyHere, or("It is held.")),
    }
}

/// What people call objects of a service in this report.
pub fn kind_of(service: Service) -> &'static str {
    match service {
        Service::Customer => "customer",
        Service::TaxInvoice => "invoice",
        Service::CustomerReturn => "credit note",
        Service::CustomerReceipt => "payment",
        Service::Allocation => "allocation",
    }
}
