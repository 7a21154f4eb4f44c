//! Document numbers, made where a client or a person gives none (Splynx API, numbers: the default patterns).

use std::collections::HashSet;

/// The kinds of documents that are numbered, each with a counter of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Numbered {
    Invoice,
    Proforma,
    CreditNote,
    Receipt,
}

#[derive(Debug, Clone, Default)]
pub struct Numbers {
    used: HashSet<(Numbered, String)>,
    invoices: u32,
    proformas: u32,
    credit_notes: u32,
    receipts: u32,
}

impl Numbers {
    /// Notes a number that a document carries, so that it is not given to another.
    pub fn note(&mut self, kind: Numbered, number: &str) {
        self.used.insert((kind, number.to_owned()));
    }

    /// The next free number. `group` is the partner of a document and the method of a receipt.
    pub fn next(&mut self, kind: Numbered, year: i32, group: i64) -> String {
        loop {
            let counter = match kind {
                Numbered::Invoice => &mut self.invoices,
                Numbered::Proforma => &mut self.proformas,
                Numbered::CreditNote => &mut self.credit_notes,
                Numbered::Receipt => &mut self.receipts,
            };
            *counter += 1;
            let number = match kind {
                Numbered::Invoice | Numbered::CreditNote => {
                    format!("{year}{group:02}{counter:06}")
                }
                Numbered::Proforma => format!("{year}{counter:06}"),
                Numbered::Receipt => format!("{year}-{group:02}-{counter:05}"),
            };
            if self.used.insert((kind, number.clone())) {
                return number;
            }
        }
    }
}
