//! Taxes: which Sage tax type a line of Splynx's goes to, by its tax *and* the rate at which it was billed.
//!
//! A Splynx tax keeps its id when its rate changes (14 to 15 % in 2018), and each line says at which rate it was billed. So each
//! rate has a mapping of its own: `tax.1@14`. `tax.1` alone is the mapping of the rate that its Sage tax type has; while that is none of
//! the tax's, of the current one.

use rust_decimal::Decimal;

use crate::capability::Pair;
use crate::collect::{Set, ToSet};
use crate::settings::Settings;
use crate::splynx::Line;
use crate::sync::lists::{List, Row, named_at};
use crate::sync::mapping::Mapping;
use crate::write::ledger::{Run, RunResult};
use crate::write::record::Reason;

/// A row of the mapping of taxes: its key, such as `tax.1@14`, the tax and the rate in percent.
pub struct Rated<'m> {
    pub key: String,
    pub tax: &'m Row,
    pub percent: Option<Decimal>,
}

fn plain(tax: i64) -> String {
    format!("tax.{tax}")
}

/// The mappings of a tax that name their rate.
fn explicit(settings: &Settings, tax: i64) -> impl Iterator<Item = (&str, Decimal)> {
    let before = format!("{}@", plain(tax));
    let set = settings
        .values()
        .iter()
        .filter(|(_, to)| !to.trim().is_empty());
    set.filter_map(move |(key, _)| {
        let rate = key.strip_prefix(&before)?.parse::<Decimal>().ok()?;
        Some((key.as_str(), rate))
    })
}

impl Mapping {
    /// The rates of a Splynx tax, now and before, as far as they are known.
    fn rates(&self, settings: &Settings, tax: &Row) -> Set<Decimal> {
        let seen = self.seen_rates.iter().filter(|(of, _)| *of == tax.id);
        let named = explicit(settings, tax.id).map(|(_, rate)| rate);
        let rates = tax.percent.into_iter().chain(seen.map(|(_, rate)| *rate));
        rates.chain(named).map(|rate| rate.normalize()).to_set()
    }

    /// Whether lines were not known to be billed at that rate under that tax.
    pub fn is_new_rate(&self, tax: i64, percent: Decimal) -> bool {
        let percent = percent.normalize();
        let row = self.row(List::SplynxTaxes, tax);
        row.is_some_and(|row| !row.group && row.percent != Some(percent))
            && !self.seen_rates.contains(&(tax, percent))
    }

    /// The rate that the mapping of a tax without a rate is of.
    fn plain_rate(&self, settings: &Settings, tax: &Row) -> Option<Decimal> {
        let target = settings.mapped(&plain(tax.id));
        let there = target.and_then(|id| self.row(List::SageTaxTypes, id)?.percent);
        let rates = self.rates(settings, tax);
        there.filter(|rate| rates.contains(rate)).or(tax.percent)
    }

    /// The row of the page that maps a tax at a rate.
    fn tax_key(&self, settings: &Settings, tax: &Row, percent: Decimal) -> String {
        let named = explicit(settings, tax.id).find(|(_, rate)| *rate == percent);
        let of_plain = self.plain_rate(settings, tax);
        match named {
            Some((key, _)) => key.to_owned(),
            None if of_plain.is_none_or(|rate| rate == percent) => plain(tax.id),
            None => format!("{}@{}", plain(tax.id), percent.normalize()),
        }
    }

    /// All rows of the mapping of taxes.
    pub fn rated<'m>(&'m self, settings: &Settings) -> Vec<Rated<'m>> {
        let mut rated = Vec::new();
        for tax in self.rows(List::SplynxTaxes).filter(|row| !row.group) {
            let of_plain = self.plain_rate(settings, tax);
            rated.push(Rated {
                key: plain(tax.id),
                tax,
                percent: of_plain,
            });
            let others = self.rates(settings, tax).into_iter();
            for percent in others {
                let key = self.tax_key(settings, tax, percent);
                if key != plain(tax.id) {
                    rated.push(Rated {
                        key,
                        tax,
                        percent: Some(percent),
                    });
                }
            }
        }
        rated
    }

    /// The Sage tax types that a tax of this rate may be mapped to.
    pub fn of_rate(&self, percent: Decimal) -> impl Iterator<Item = &Row> {
        let rows = self.rows(List::SageTaxTypes);
        rows.filter(move |row| row.active && !row.manual && row.percent == Some(percent))
    }

    /// What to do where a tax has no Sage tax type of its rate.
    pub fn tax_cure(&self, key: &str, percent: Decimal) -> String {
        let place = List::place(key);
        let rate = percent.normalize();
        let titles: Vec<String> = self
            .of_rate(percent)
            .map(|row| format!("\u{201c}{}\u{201d}", row.title))
            .collect();
        match titles.join(" or ") {
            none if none.is_empty() => format!(
                "Sage has no active tax type at {rate} %: make one there, press \"Import mapping settings\", and choose it under {place}."
            ),
            titles => format!("Choose {titles}, which is at {rate} % in Sage, under {place}."),
        }
    }

    /// The Sage tax type for a line; the rates must agree.
    ///
    /// # Errors
    /// Why the record is held.
    pub fn tax(&self, settings: &Settings, line: &Line) -> Result<i64, Reason> {
        let percent = line.tax_percent.normalize();
        let Some(id) = line.tax_id else {
            let (tax, target) = self.tax_of_rate(settings, percent)?;
            return self.trusted(settings, tax, percent, target);
        };
        let Some(tax) = self.row(List::SplynxTaxes, id) else {
            let key = plain(id);
            return Err(Reason::new(
                "tax-unknown",
                format!("A line's tax ({id}) is not among those of Splynx that were loaded."),
                format!(
                    "Press \"Import mapping settings\", then choose a Sage tax type for it under {}.",
                    List::place(&key)
                ),
            )
            .until_setting(&key));
        };
        if tax.group {
            return Err(Reason::new(
                "tax-group",
                format!(
                    "Tax {} is made of several taxes, and Sage knows single ones only.",
                    self.title(List::SplynxTaxes, id)
                ),
                "Use a single tax in Splynx; or enter this document in Sage by hand, and mark it as done.",
            ));
        }
        let target = self.tax_target(settings, tax, percent)?;
        self.trusted(settings, tax, percent, target)
    }

    fn tax_target(&self, settings: &Settings, tax: &Row, percent: Decimal) -> Result<i64, Reason> {
        let key = self.tax_key(settings, tax, percent);
        let plain = plain(tax.id);
        let used = [&key, &plain]
            .into_iter()
            .find(|key| settings.mapped(key).is_some());
        let what = format!("tax {}", named_at(&tax.title, percent));
        let Some(used) = used else {
            let cure = self.tax_cure(&key, percent);
            return Err(Reason::new(
                "mapping-missing",
                format!("The {what}, is not mapped to Sage."),
                cure,
            )
            .until_setting(&key)
            .until_setting(&plain));
        };
        let there = settings
            .mapped(used)
            .and_then(|id| self.row(List::SageTaxTypes, id));
        if let Some(there) = there.filter(|row| row.percent.unwrap_or_default() != percent) {
            let rate = there.percent.unwrap_or_default().normalize();
            return Err(Reason::new(
                "tax-rate-differs",
                format!(
                    "A line is taxed at {} %, and the Sage tax type of {} (\u{201c}{}\u{201d}) is at {rate} %.",
                    percent.normalize(),
                    self.title(List::SplynxTaxes, tax.id),
                    there.title,
                ),
                format!(
                    "{} Or correct the rate in Sage, if that is what is wrong, and press \"Import mapping settings\".",
                    self.tax_cure(&key, percent)
                ),
            )
            .until_setting(&key)
            .until_setting(&plain));
        }
        self.target(settings, List::SageTaxTypes, used, &what)
            .map_err(|reason| reason.until_setting(&key))
    }

    /// The tax type, unless Sage stored other VAT for an earlier document than its rate makes.
    fn trusted(
        &self,
        settings: &Settings,
        tax: &Row,
        percent: Decimal,
        target: i64,
    ) -> Result<i64, Reason> {
        if !self.tax_doubts().contains(&target) {
            return Ok(target);
        }
        let key = self.tax_key(settings, tax, percent);
        Err(Reason::new(
            "tax-in-doubt",
            format!(
                "Sage computed other VAT than {} % for an earlier document of the tax type {}, so nothing more is sent with it.",
                percent.normalize(),
                self.title(List::SageTaxTypes, target)
            ),
            format!(
                "Look at the tax type in Sage, correct its rate there, and press \"Import mapping settings\"; or choose another one of {} % under {}.",
                percent.normalize(),
                List::place(&key)
            ),
        )
        .until_setting(&key)
        .until_setting(&plain(tax.id)))
    }

    /// A line that names no tax: the one Sage tax type that taxes of its rate are mapped to.
    fn tax_of_rate(&self, settings: &Settings, percent: Decimal) -> Result<(&Row, i64), Reason> {
        let rated = self.rated(settings).into_iter();
        let mut found = rated
            .filter(|rated| rated.percent == Some(percent))
            .filter(|rated| settings.mapped(&rated.key).is_some())
            .map(|rated| Ok((rated.tax, self.tax_target(settings, rated.tax, percent)?)));
        let first = found.next();
        let is_one = |first: &Result<(&Row, i64), Reason>| {
            let to = first.as_ref().ok().map(|(_, target)| *target);
            found.all(|other| other.ok().is_some_and(|(_, target)| Some(target) == to))
        };
        match first.filter(is_one) {
            Some(only) => only,
            None => Err(Reason::new(
                "tax-missing",
                format!(
                    "A line at {} % names no tax, and not exactly one Sage tax type is mapped for that rate.",
                    percent.normalize()
                ),
                "Give the line a tax in Splynx, then retry.",
            )),
        }
    }

    /// The tax type and rate (a fraction) of the fix line: one at 0 %, so that it moves nothing but the total (I4, D14); the
    /// item's own where the company has none.
    ///
    /// # Errors
    /// Why the record is held.
    pub fn fix_tax(&self, settings: &Settings) -> Result<(i64, Decimal), Reason> {
        let item = self.target(settings, List::SageItems, "fix_item_id", "fix item")?;
        let own = self.row(List::SageItems, item).and_then(|row| row.tax);
        let types = || {
            self.rows(List::SageTaxTypes)
                .filter(|row| row.active && !row.manual)
        };
        let zero = |row: &&Row| row.percent == Some(Decimal::ZERO);
        let mapped = self.mapped_types(settings);
        let chosen = types()
            .find(|row| zero(row) && own == Some(row.id))
            .or_else(|| types().find(|row| zero(row) && mapped.contains(&row.id)))
            .or_else(|| types().find(zero))
            .or_else(|| types().find(|row| own == Some(row.id)));
        chosen
            .map(|row| {
                let percent = row.percent.unwrap_or_default();
                (row.id, percent / Decimal::ONE_HUNDRED)
            })
            .ok_or_else(|| {
                Reason::new(
                    "fix-item-tax",
                    "The fix item has no sales tax in Sage, and the company has no tax at 0 %.",
                    "Give the item a tax type for sales in Sage, then press \"Import mapping settings\".",
                )
                .until_setting("fix_item_id")
            })
    }

    /// The Sage tax types that taxes are mapped to.
    pub fn mapped_types(&self, settings: &Settings) -> Set<i64> {
        let keys = settings
            .values()
            .keys()
            .filter(|key| key.starts_with("tax."));
        keys.filter_map(|key| settings.mapped(key)).to_set()
    }
}

/// The rows of the page *Taxes*: each tax with its rate, now and before.
pub fn choices(run: &mut Run) -> RunResult<Vec<Pair>> {
    let mapping = Mapping::loaded(run)?;
    let rated = mapping.rated(&run.settings).into_iter();
    Ok(rated
        .filter(|rated| rated.tax.active || run.settings.mapped(&rated.key).is_some())
        .map(|rated| {
            let row = rated.key.trim_start_matches("tax.").to_owned();
            let title = &rated.tax.title;
            let title = rated
                .percent
                .map_or_else(|| title.clone(), |rate| named_at(title, rate));
            (row, title)
        })
        .collect())
}
