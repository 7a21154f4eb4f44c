//! The awkward cases: which customer has which, and what each means for the customer's documents.
//!
//! The tiny provider has only credit notes. In a small provider a customer's place decides, so that each case is there once whatever the seed. In larger ones every fourth of
//! the rest has one by chance.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use super::Size;

/// What is special about a customer and its last months.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Case {
    Plain,
    /// A prospect: no documents.
    Lead,
    /// Belongs to the customer before it.
    SubAccount,
    NoAddress,
    NoEmail,
    SeveralEmails,
    /// Belongs to the partner that has few customers.
    SmallPartner,
    /// Pays in advance for a period of 30 days, by refill card.
    Prepaid,
    Wireless,
    /// Several voice lines: cents of which no sum of rounded lines makes the total.
    OddCents,
    /// Nothing is taxed.
    ZeroRated,
    /// Taxed and zero-rated lines on one invoice.
    MixedTax,
    /// A negative line.
    Discount,
    /// Routers, metres of cable and hours of work.
    Hardware,
    Overdue,
    PartlyPaid,
    /// Three payments for one invoice.
    Instalments,
    /// One payment for three invoices.
    Arrears,
    /// Money paid in advance pays later invoices.
    FromBalance,
    /// Money that no invoice took.
    Unallocated,
    Refund,
    DeletedInvoice,
    ZeroInvoice,
    NoTransactions,
    LinkedCreditNote,
    LooseCreditNote,
    RefundedCreditNote,
    /// An add-on brought the payments from Sage.
    PaidThroughSage,
    /// Became a customer in the middle of the year.
    Newcomer,
    /// Left in the middle of the year.
    Left,
    /// Nothing was ever charged.
    NeverCharged,
}

const ALL: [Case; 30] = [
    Case::Lead,
    Case::SubAccount,
    Case::NoAddress,
    Case::NoEmail,
    Case::SeveralEmails,
    Case::SmallPartner,
    Case::Prepaid,
    Case::Wireless,
    Case::OddCents,
    Case::ZeroRated,
    Case::MixedTax,
    Case::Discount,
    Case::Hardware,
    Case::Overdue,
    Case::PartlyPaid,
    Case::Instalments,
    Case::Arrears,
    Case::FromBalance,
    Case::Unallocated,
    Case::Refund,
    Case::DeletedInvoice,
    Case::ZeroInvoice,
    Case::NoTransactions,
    Case::LinkedCreditNote,
    Case::LooseCreditNote,
    Case::RefundedCreditNote,
    Case::PaidThroughSage,
    Case::Newcomer,
    Case::Left,
    Case::NeverCharged,
];

/// In providers above the small size, every so manieth customer has a name that Sage takes for another's.
const CLASHING_NAMES: usize = 600;

impl Case {
    /// The case of the customer at that place, counted from 0.
    pub fn of(size: Size, place: usize, rng: &mut ChaCha8Rng) -> Self {
        if size == Size::Tiny {
            return match place {
                1 => Self::LooseCreditNote,
                2 => Self::LinkedCreditNote,
                _ => Self::Plain,
            };
        }
        // The first customer is plain: the sub-account behind it needs a main account.
        match ALL.get(place.wrapping_sub(2)) {
            Some(case) => *case,
            None if place >= Size::Small.customers() && rng.random_ratio(1, 4) => {
                ALL[rng.random_range(0..ALL.len())]
            }
            None => Self::Plain,
        }
    }
}

/// The place in the list of awkward names for a customer at that place.
pub fn awkward_name(size: Size, place: usize) -> Option<usize> {
    (size != Size::Tiny)
        .then(|| place.checked_sub(2 + ALL.len()))
        .flatten()
}

/// Counts the customers, from 1, whose name Sage takes for that of the customer before; `None` for all others.
pub fn clashing_name(size: Size, place: usize) -> Option<usize> {
    let number = (place + 1) / CLASHING_NAMES;
    let clashes =
        size.customers() > Size::Small.customers() && number * CLASHING_NAMES == place + 1;
    clashes.then_some(number)
}

#[cfg(test)]
mod tests {
    use super::super::names::AWKWARD;
    use super::*;

    #[test]
    fn a_small_provider_has_room_for_every_case_and_every_awkward_name() {
        assert!(2 + ALL.len() + AWKWARD.len() <= Size::Small.customers());
    }
}
