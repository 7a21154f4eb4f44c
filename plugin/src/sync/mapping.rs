//! Mapping: what each Splynx category, tax and payment method becomes in Sage.
//!
//! The choice of a row is a setting (`item.7`). Nothing unmapped is ever sent: a missing, stale or contradictory mapping holds the
//! record, with the row to set. Taxes are [`super::taxes`]'s business.

use rust_decimal::Decimal;

use crate::collect::{Map, Set, ToMap};
use crate::settings::Settings;
use crate::sync::lists::{self, List, Row};
use crate::write::ledger::{Run, RunResult};
use crate::write::record::Reason;

/// The lists in memory, for decisions.
pub struct Mapping {
    rows: Map<List, Map<i64, Row>>,
    /// Splynx taxes and rates of theirs, in percent, that lines were billed at beside the current one.
    pub(super) seen_rates: Set<(i64, Decimal)>,
    /// Sage tax types that made other VAT than their rates say.
    tax_doubts: Set<i64>,
}

impl Mapping {
    /// Reads the lists; loads them first where that was never done.
    pub fn load(run: &mut Run) -> RunResult<Self> {
        if !lists::is_loaded(run)? {
            lists::import(run)?;
        }
        Self::loaded(run)
    }

    /// The lists as they were loaded last.
    pub fn loaded(run: &mut Run) -> RunResult<Self> {
        let mut rows = Map::new_vec();
        for list in List::ALL {
            let of_list = lists::stored(run, list)?
                .into_iter()
                .map(|(_, row)| (row.id, row))
                .to_map();
            rows.insert(list, of_list);
        }
        Self::of(run, rows)
    }

    /// The lists as both services have them now; nothing is stored.
    pub fn now(run: &mut Run) -> RunResult<Self> {
        let mut rows = Map::new_vec();
        for list in List::ALL {
            let of_list = list.load(run)?.into_iter().map(|row| (row.id, row));
            rows.insert(list, of_list.to_map());
        }
        Self::of(run, rows)
    }

    fn of(run: &mut Run, rows: Map<List, Map<i64, Row>>) -> RunResult<Self> {
        Ok(Self {
            rows,
            seen_rates: lists::seen_rates(run)?,
            tax_doubts: lists::doubts(run)?,
        })
    }

    pub fn tax_doubts(&self) -> &Set<i64> {
        &self.tax_doubts
    }

    pub fn row(&self, list: List, id: i64) -> Option<&Row> {
        self.rows[&list].get(&id)
    }

    pub fn rows(&self, list: List) -> impl Iterator<Item = &Row> {
        self.rows[&list].values()
    }

    /// The Sage item for the lines of a category.
    ///
    /// # Errors
    /// Why the record is held.
    pub fn item(&self, settings: &Settings, category: Option<i64>) -> Result<i64, Reason> {
        let Some(category) = category else {
            return Err(Reason::new(
                "category-missing",
                "A line has no transaction category.",
                "Give the line a category in Splynx, then retry.",
            ));
        };
        let key = format!("item.{category}");
        let title = self.title(List::SplynxCategories, category);
        self.target(
            settings,
            List::SageItems,
            &key,
            &format!("category {title}"),
        )
    }

    /// The Sage bank account for payments of a method (F45, F46).
    ///
    /// # Errors
    /// Why the record is held.
    pub fn bank_account(&self, settings: &Settings, method: i64) -> Result<i64, Reason> {
        let own = format!("bank_account.{method}");
        let title = self.title(List::SplynxMethods, method);
        let what = format!("payment method {title}");
        let key = if settings.value(&own).is_empty() {
            "default_bank_account"
        } else {
            &own
        };
        self.target(settings, List::SageBankAccounts, key, &what)
            .map_err(|reason| reason.until_setting(&own))
    }

    /// The Sage category for customers of a Splynx category; `None`: Sage's own is left alone.
    ///
    /// # Errors
    /// Why the customer is held.
    pub fn customer_category(
        &self,
        settings: &Settings,
        category: &str,
    ) -> Result<Option<i64>, Reason> {
        let key = format!("customer_category.{category}");
        if settings.value(&key).is_empty() {
            return Ok(None);
        }
        let what = format!("customer category {category}");
        self.target(settings, List::SageCustomerCategories, &key, &what)
            .map(Some)
    }

    /// Mappings to what is gone or inactive: the setting, and what is wrong, for people.
    pub fn stale(&self, settings: &Settings) -> Vec<(String, String)> {
        lists::chosen(settings)
            .filter_map(|(key, list, id)| {
                let what = lists::staleness(list, self.row(list, id))?;
                let title = self.title(list, id);
                Some((key.to_owned(), format!("{title} is {what}")))
            })
            .collect()
    }

    pub(super) fn target(
        &self,
        settings: &Settings,
        list: List,
        key: &str,
        what: &str,
    ) -> Result<i64, Reason> {
        let Some(id) = settings.mapped(key) else {
            return Err(Reason::new(
                "mapping-missing",
                format!("The {what} is not mapped to Sage."),
                format!("Choose one of Sage's under {}.", List::place(key)),
            )
            .until_setting(key));
        };
        match self.row(list, id) {
            Some(row) if row.active => Ok(id),
            _ => Err(Reason::new(
                "mapping-stale",
                format!(
                    "The {what} is mapped to something that is gone or inactive in Sage (id {id})."
                ),
                format!(
                    "Press \"Import mapping settings\", then choose again under {}.",
                    List::place(key)
                ),
            )
            .until_setting(key)),
        }
    }

    pub(super) fn title(&self, list: List, id: i64) -> String {
        self.row(list, id)
            .map_or_else(|| id.to_string(), |row| format!("{} ({id})", row.title))
    }
}
