//! The VAT of a document that was sent, beside what Sage made of it.

use rust_decimal::Decimal;

use crate::collect::{Set, ToSet};
use crate::money;
use crate::sage::Object;
use crate::write::record::Reason;

/// The VAT that Sage should have stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Vat {
    /// As Splynx says.
    pub amount: Decimal,
    /// Of each line that is sent: its tax type and rate (a fraction).
    pub rates: Vec<(i64, Decimal)>,
}

impl Vat {
    /// Rounding can make a cent a line.
    pub fn is_right(&self, has: Decimal) -> bool {
        let lines = i64::try_from(self.rates.len()).unwrap_or(i64::MAX);
        (has - self.amount).abs() <= Decimal::new(lines, 2)
    }

    /// The tax types by whose rates Sage did not compute its lines; all that are taxed, where its lines do not tell.
    pub fn doubtful(&self, object: &Object) -> Set<i64> {
        let lines = object.lines();
        let told = lines.iter().filter_map(|line| {
            let tax_type = line.tax_type?;
            let (_, rate) = self.rates.iter().find(|(id, _)| *id == tax_type)?;
            Some((tax_type, line.tax? - line.exclusive? * rate))
        });
        let told: Vec<(i64, Decimal)> = told.collect();
        if told.is_empty() {
            let taxed = self.rates.iter().filter(|(_, rate)| !rate.is_zero());
            return taxed.map(|(id, _)| *id).to_set();
        }
        let cent = Decimal::new(1, 2);
        let off = told.into_iter().filter(|(_, off)| off.abs() > cent);
        off.map(|(id, _)| id).to_set()
    }

    /// Sage computed by another rate than its tax type was known to have.
    pub fn differs(&self, stored: Decimal) -> Reason {
        Reason::new(
            "vat-differs",
            format!(
                "Sage stored VAT of {}, Splynx says {}: more than rounding makes.",
                money::written(stored),
                money::written(self.amount)
            ),
            "It is in Sage, and is not sent again by itself. Correct the rate of the tax type in Sage, or choose another one under \"Taxes\" on the page Mappings; press \"Import mapping settings\", then retry: that saves it again. Or correct it in Sage, and mark it as done.",
        )
    }
}
