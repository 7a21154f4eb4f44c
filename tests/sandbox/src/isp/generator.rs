//! Makes a provider from a seed: furniture, customers, a year of documents for each, then everything in order of date with the ids and
//! numbers that a running system would have given.

use chrono::{Datelike, NaiveDate};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use super::cases::Case;
use super::people::People;
use super::{Isp, Size, billing, furniture};

const FIRST_INVOICE: i64 = 501;
const FIRST_CREDIT_NOTE: i64 = 41;
const FIRST_PAYMENT: i64 = 601;

impl Isp {
    /// The provider of that size and seed; always the same.
    pub fn seeded(size: Size, seed: u64) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut isp = furniture::empty(size, seed, &mut rng);
        let mut people = People::default();
        for place in 0..size.customers() {
            let case = Case::of(size, place, &mut rng);
            let customer = people.next(&isp, case, &mut rng);
            billing::add_year(&mut isp, &customer, case, &mut rng);
            isp.customers.push(customer);
        }
        isp.put_in_order();
        isp
    }

    /// Gives the final ids and numbers, by Splynx's default patterns (Splynx API, numbers): invoices and credit notes count for
    /// themselves, so that a credit note can have the number of an invoice.
    fn put_in_order(&mut self) {
        let partners: std::collections::HashMap<i64, i64> = self
            .customers
            .iter()
            .map(|c| (c.id, c.partner_id))
            .collect();
        let number = |date: NaiveDate, customer: i64, count: i64| {
            let partner = partners.get(&customer).copied().unwrap_or_default();
            format!("{}{partner:02}{count:06}", date.year())
        };

        // Provisional ids are places in the list.
        let mut invoice_ids = vec![0; self.invoices.len()];
        self.invoices
            .sort_by_key(|invoice| (invoice.date, invoice.id));
        for (count, invoice) in (1..).zip(&mut self.invoices) {
            let id = FIRST_INVOICE + count - 1;
            let provisional = usize::try_from(invoice.id).expect("made from a usize");
            invoice_ids[provisional] = id;
            invoice.id = id;
            invoice.number = number(invoice.date, invoice.customer_id, count);
        }
        let final_id = |provisional: i64| {
            invoice_ids[usize::try_from(provisional).expect("made from a usize")]
        };

        self.credit_notes.sort_by_key(|note| (note.date, note.id));
        for (count, note) in (1..).zip(&mut self.credit_notes) {
            note.id = FIRST_CREDIT_NOTE + count - 1;
            note.number = number(note.date, note.customer_id, count);
            note.invoice_id = note.invoice_id.map(final_id);
        }

        self.payments
            .sort_by_key(|payment| (payment.date, payment.id));
        for (count, payment) in (1..).zip(&mut self.payments) {
            payment.id = FIRST_PAYMENT + count - 1;
            let (year, method) = (payment.date.year(), payment.method_id);
            payment.receipt_number = format!("{year}-{method:02}-{count:05}");
            payment.invoice_id = payment.invoice_id.map(final_id);
        }
    }
}
