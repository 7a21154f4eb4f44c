//! What Sage is asked with: a customer, an item and a tax of the company's own, and amounts whose totals come out differently in every
//! way to compute that is known.

use chrono::NaiveDate;
use rust_decimal::Decimal;

use crate::arithmetic::{Arithmetic, Priced, Totals};
use crate::collect::ToSet;
use crate::sage::{self, DocumentPayload, LinePayload, Object, Service};
use crate::sync::lists::{List, Row};
use crate::sync::mapping::Mapping;
use crate::write::ledger::{Run, RunResult};

/// What the questions are asked with.
pub struct Specimen {
    customer: i64,
    item: i64,
    tax: i64,
    /// A fraction above 0 and below 1.
    pub rate: Decimal,
    date: NaiveDate,
    /// What they are called, for people.
    pub titles: String,
}

/// A line: its quantity and the price of one.
pub type Amount = (Decimal, Decimal);

impl Specimen {
    /// `None`: Sage has nothing to ask with.
    pub fn find(run: &mut Run, mapping: &Mapping) -> RunResult<Option<Self>> {
        let (customers, _) = sage::newer(run, Service::Customer, 0, None)?;
        let active = customers.iter().find(|customer| customer.is_active());
        let customer = active.or(customers.first()).and_then(Object::id);
        let settings = &run.settings;
        let keys = settings
            .values()
            .keys()
            .filter(|key| key.starts_with("item."));
        let items = keys.filter_map(|key| mapping.row(List::SageItems, settings.mapped(key)?));
        let mut items = items.chain(mapping.rows(List::SageItems));
        let item = items.find(|row| row.active);
        // What documents use, before what the company would use, before anything else.
        let used = mapping.mapped_types(settings);
        let computes = |row: &&Row| {
            let percent = row.percent.unwrap_or_default();
            row.active && !row.manual && percent > Decimal::ZERO && percent < Decimal::ONE_HUNDRED
        };
        let types = || mapping.rows(List::SageTaxTypes).filter(computes);
        let tax = types().find(|row| used.contains(&row.id));
        let tax = tax.or_else(|| types().find(|row| row.default));
        let tax = tax.or_else(|| types().next());
        let (Some(customer), Some(item), Some(tax)) = (customer, item, tax) else {
            return Ok(None);
        };
        Ok(Some(Self {
            customer,
            item: item.id,
            tax: tax.id,
            rate: tax.percent.unwrap_or_default() / Decimal::ONE_HUNDRED,
            date: settings.today,
            titles: format!(
                "customer {customer}, item \u{201c}{}\u{201d}, tax type \u{201c}{}\u{201d}",
                item.title, tax.title
            ),
        }))
    }

    pub fn customer(&self) -> i64 {
        self.customer
    }

    pub fn line(&self, (quantity, price): Amount) -> LinePayload {
        LinePayload {
            item: self.item,
            tax_type: self.tax,
            description: "Calibration".to_owned(),
            quantity,
            price,
            comments: String::new(),
            claim: None,
        }
    }

    /// What Sage would store; or what it says against it.
    pub fn calculate(
        &self,
        run: &mut Run,
        inclusive: bool,
        lines: Vec<LinePayload>,
    ) -> RunResult<Result<Object, String>> {
        let document = DocumentPayload {
            customer: self.customer,
            date: self.date,
            due: Some(self.date),
            is_inclusive: inclusive,
            reference: String::new(),
            number: String::new(),
            message: String::new(),
            lines,
        };
        sage::calculate(run, &document)
    }

    /// The totals that Sage would store of these amounts.
    pub fn totals(
        &self,
        run: &mut Run,
        inclusive: bool,
        amounts: &[Amount],
    ) -> RunResult<Result<Totals, String>> {
        let lines = amounts.iter().map(|amount| self.line(*amount)).collect();
        let answer = self.calculate(run, inclusive, lines)?;
        Ok(answer.map(|document| Totals {
            exclusive: document.exclusive().unwrap_or_default(),
            tax: document.tax().unwrap_or_default(),
            total: document.total().unwrap_or_default(),
        }))
    }

    pub fn predicted(&self, by: &Arithmetic, inclusive: bool, amounts: &[Amount]) -> Totals {
        let lines = amounts.iter().map(|(quantity, price)| Priced {
            quantity: *quantity,
            price: *price,
            rate: self.rate,
        });
        by.totals(inclusive, lines)
    }
}

/// Two documents, one with VAT in its prices and one without, whose totals are others in each way to compute.
#[derive(Debug, Clone)]
pub struct Telling {
    /// Prices as every invoice has them.
    pub inclusive: Vec<Amount>,
    pub exclusive: Vec<Amount>,
}

impl Telling {
    /// Takes amounts for as long as they tell more of the `ways` apart.
    pub fn find(specimen: &Specimen, ways: &[Arithmetic]) -> Self {
        let mut telling = Self {
            inclusive: vec![(Decimal::ONE, Decimal::new(99_900, 2))],
            // With a price that no company stores in full.
            exclusive: vec![(Decimal::ONE_THOUSAND, Decimal::new(12_345, 5))],
        };
        let mut told = telling.told_apart(specimen, ways);
        for (inclusive, amounts) in candidates() {
            if told == ways.len() {
                break;
            }
            let mut more = telling.clone();
            let of = if inclusive {
                &mut more.inclusive
            } else {
                &mut more.exclusive
            };
            of.extend(amounts);
            let better = more.told_apart(specimen, ways);
            if better > told {
                (telling, told) = (more, better);
            }
        }
        telling
    }

    fn told_apart(&self, specimen: &Specimen, ways: &[Arithmetic]) -> usize {
        let all = ways.iter().map(|way| {
            let of = |inclusive, amounts| {
                let totals = specimen.predicted(way, inclusive, amounts);
                [totals.exclusive, totals.tax, totals.total].map(|amount| amount.normalize())
            };
            (of(true, &self.inclusive), of(false, &self.exclusive))
        });
        all.to_set().len()
    }
}

/// Amounts that rounding may move: single cents, the same three times, and half cents. Whether with VAT in them.
fn candidates() -> impl Iterator<Item = (bool, Vec<Amount>)> {
    let half = Decimal::new(5, 1);
    let cents = 5..205;
    let each = cents.flat_map(move |cents| {
        let one = (Decimal::ONE, Decimal::new(cents, 2));
        // Where prices are kept in whole rands, a quantity makes the cents.
        let piece = (one.1, Decimal::ONE);
        [
            vec![one],
            vec![one; 3],
            vec![(half, one.1)],
            vec![piece],
            vec![piece; 3],
        ]
    });
    let each: Vec<Vec<Amount>> = each.collect();
    let exclusive = each.clone().into_iter().map(|amounts| (false, amounts));
    exclusive.chain(each.into_iter().map(|amounts| (true, amounts)))
}
