//! Mapping: what each Splynx category, tax and payment method becomes in Sage.
//!
//! `import-mapping` loads both sides' lists into storage; the choice of a row is a setting (`item.7`). Nothing unmapped is ever
//! sent: a missing, stale or contradictory mapping holds the record, with the row to set.

use rust_decimal::Decimal;
use serde_json::Value;

use crate::capability::{Activity, Capabilities, Failure, Pair};
use crate::collect::{Map, ToMap};
use crate::json;
use crate::sage;
use crate::settings::Settings;
use crate::splynx::{self, Line};
use crate::stored::{self, stored};
use crate::write::ledger::{Halt, Job, META, Run};
use crate::write::record::{Batch, Reason};

/// `sage-items/000000000042` → [`Row`] as JSON.
const LISTS: &str = "list";
const LOADED: &str = "mapping-loaded";

/// A list that mappings choose from or map.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum List {
    SageItems,
    SageTaxTypes,
    SageBankAccounts,
    SageCustomerCategories,
    SplynxCategories,
    SplynxTaxes,
    SplynxMethods,
    SplynxPartners,
}

impl List {
    pub const ALL: [Self; 8] = [
        Self::SageItems,
        Self::SageTaxTypes,
        Self::SageBankAccounts,
        Self::SageCustomerCategories,
        Self::SplynxCategories,
        Self::SplynxTaxes,
        Self::SplynxMethods,
        Self::SplynxPartners,
    ];

    /// As the manifest's `rows` and `choices` name it.
    pub fn source(self) -> &'static str {
        match self {
            Self::SageItems => "sage-items",
            Self::SageTaxTypes => "sage-tax-types",
            Self::SageBankAccounts => "sage-bank-accounts",
            Self::SageCustomerCategories => "sage-customer-categories",
            Self::SplynxCategories => "splynx-transaction-categories",
            Self::SplynxTaxes => "splynx-taxes",
            Self::SplynxMethods => "splynx-payment-methods",
            Self::SplynxPartners => "splynx-partners",
        }
    }

    pub fn of_source(source: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|list| list.source() == source)
    }

    /// The list that the values of a setting or mapping come from.
    fn of_setting(key: &str) -> Option<Self> {
        let family = key.split_once('.').map_or(key, |(family, _)| family);
        Some(match family {
            "item" | "fix_item_id" => Self::SageItems,
            "tax" => Self::SageTaxTypes,
            "bank_account" | "default_bank_account" => Self::SageBankAccounts,
            "customer_category" => Self::SageCustomerCategories,
            "payment_method_id" | "payments_push_methods" => Self::SplynxMethods,
            "partners_ignore" => Self::SplynxPartners,
            _ => return None,
        })
    }

    /// The service that the list comes from, as people call it.
    fn home(self) -> &'static str {
        if self.source().starts_with("sage") {
            "Sage"
        } else {
            "Splynx"
        }
    }

    /// Where Splynx has it; none: it is one of Sage's.
    pub fn splynx_path(self) -> Option<&'static str> {
        Some(match self {
            Self::SplynxCategories => "admin/finance/transaction-categories",
            Self::SplynxTaxes => "admin/config/taxes",
            Self::SplynxMethods => "admin/finance/payment-methods",
            Self::SplynxPartners => "admin/administration/partners",
            _ => return None,
        })
    }

    fn load(self, run: &mut Run) -> Job<Vec<Row>> {
        let Some(path) = self.splynx_path() else {
            let service = match self {
                Self::SageItems => "Item",
                Self::SageTaxTypes => "TaxType",
                Self::SageBankAccounts => "BankAccount",
                _ => "CustomerCategory",
            };
            return sage_rows(run, service);
        };
        let list = splynx::list_all(run, path)?;
        let rows = list.as_array().map_or(&[][..], Vec::as_slice);
        Ok(rows.iter().filter_map(Row::of_splynx).collect())
    }
}

/// An entry of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    pub id: i64,
    pub title: String,
    pub active: bool,
    /// Of taxes: in percent.
    pub percent: Option<Decimal>,
    /// Of Sage items: their tax type when sold.
    pub tax: Option<i64>,
    /// Of Splynx taxes: made of several, which Sage has no counterpart for (D12).
    pub group: bool,
}

stored!(Row { id, title, active, percent, tax } may { group });

impl Row {
    fn of_splynx(value: &Value) -> Option<Self> {
        Some(Self {
            id: json::integer(value, "id")?,
            title: json::text(value, "name"),
            active: !json::flag(value, "archived"),
            percent: json::decimal(value, "rate"),
            tax: None,
            group: json::text(value, "type") == "group",
        })
    }

    /// Items have a description and a code where others have a name; what is left out counts as active.
    fn of_sage(value: &Value) -> Option<Self> {
        let (name, code) = (json::text(value, "Name"), json::text(value, "Code"));
        let title = match (name.is_empty(), code.is_empty()) {
            (false, _) => name,
            (true, false) => format!("{} ({code})", json::text(value, "Description")),
            (true, true) => json::text(value, "Description"),
        };
        Some(Self {
            id: json::integer(value, "ID")?,
            title,
            active: value.get("Active").is_none_or(|v| v == &Value::Bool(true)),
            // Sage's rates are fractions (Sage API 1.3).
            percent: json::decimal(value, "Percentage").map(|rate| rate * Decimal::ONE_HUNDRED),
            tax: json::relation(value, "TaxTypeIdSales"),
            group: false,
        })
    }
}

fn sage_rows(run: &mut Run, service: &str) -> Job<Vec<Row>> {
    let rows = sage::list_all(run, service)?;
    Ok(rows.iter().filter_map(Row::of_sage).collect())
}

/// The counterparts that settings and mappings name, one by one: setting, list, id.
fn chosen(settings: &Settings) -> impl Iterator<Item = (&str, List, i64)> {
    settings.values().iter().flat_map(|(key, value)| {
        List::of_setting(key).into_iter().flat_map(move |list| {
            let ids = value.split(',').filter_map(|id| id.trim().parse().ok());
            ids.map(move |id| (key.as_str(), list, id))
        })
    })
}

/// What is wrong with a counterpart, for people; none where it can be used.
fn staleness(list: List, row: Option<&Row>) -> Option<String> {
    match row {
        Some(row) if row.active => None,
        Some(_) => Some(format!("inactive in {}", list.home())),
        None => Some(format!("gone from {}", list.home())),
    }
}

/// Loads all lists afresh (F65), and tells which mappings became stale by that.
pub fn import(run: &mut Run) -> Job<()> {
    for (done, list) in List::ALL.into_iter().enumerate() {
        run.progress("Mapping lists", done as u64, List::ALL.len() as u64)?;
        let rows = list.load(run)?;
        let mut batch = Batch::default();
        let fresh = rows
            .iter()
            .map(|row| {
                let text = stored::to_text(row);
                (row_key(list, row.id), text)
            })
            .to_map();
        let mut before = Map::new_vec();
        for (key, row) in stored(run, list)? {
            if !fresh.contains_key(&key) {
                batch.delete(LISTS, key);
            }
            before.insert(row.id, row);
        }
        note_stale(run, &mut batch, list, &before, &rows);
        for (key, text) in fresh {
            batch.set(LISTS, key, text);
        }
        batch.activities.push(Activity {
            entity: "mapping".to_owned(),
            action: "loaded".to_owned(),
            label: list.source().to_owned(),
            message: format!("{} entries", rows.len()),
            ..Activity::default()
        });
        run.commit(batch)?;
        *run.counts
            .entry(format!("{} loaded", list.source()))
            .or_default() += rows.len() as u64;
    }
    let mut batch = Batch::default();
    batch.set(META, LOADED, run.cap.now().to_string());
    run.commit(batch)
}

/// Whether the lists were ever loaded.
pub fn is_loaded(run: &mut Run) -> Job<bool> {
    Ok(run.meta(LOADED)?.is_some())
}

fn row_key(list: List, id: i64) -> String {
    format!("{}/{id:012}", list.source())
}

/// Counts the mappings to what is gone or inactive, and tells people about those that became so.
fn note_stale(run: &mut Run, batch: &mut Batch, list: List, before: &Map<i64, Row>, rows: &[Row]) {
    let stale: Vec<(String, i64, String)> = chosen(&run.settings)
        .filter(|(_, of, _)| *of == list)
        .filter_map(|(key, _, id)| {
            let row = rows.iter().find(|row| row.id == id);
            Some((key.to_owned(), id, staleness(list, row)?))
        })
        .collect();
    for (key, id, what) in stale {
        run.count("mappings stale".to_owned());
        let was = before.get(&id);
        if !before.is_empty() && staleness(list, was).is_some() {
            continue;
        }
        let title = was.map_or_else(|| id.to_string(), |row| format!("{} ({id})", row.title));
        batch.activities.push(Activity {
            entity: "mapping".to_owned(),
            action: "held".to_owned(),
            label: key.clone(),
            code: "mapping-stale".to_owned(),
            message: format!("{key} names {title}, which is {what}."),
            more: vec![(
                "cure".to_owned(),
                format!("Choose another one for {key}; what needs it is held until then."),
            )],
            ..Activity::default()
        });
    }
}

fn stored(run: &mut Run, list: List) -> Job<Vec<(String, Row)>> {
    const PAGE: u32 = 500;
    let prefix = format!("{}/", list.source());
    let mut all = Vec::new();
    let mut after = String::new();
    loop {
        let page = run.cap.scan(LISTS, &prefix, &after, PAGE)?;
        let complete = page.len() < PAGE as usize;
        for entry in page {
            after.clone_from(&entry.key);
            let row = stored::from_text(&entry.value).ok_or_else(|| {
                Halt::Failed(Failure::new(
                    "damaged",
                    "The stored mapping lists cannot be read. Press \"Import mapping settings\".",
                ))
            })?;
            all.push((entry.key, row));
        }
        if complete {
            return Ok(all);
        }
    }
}

/// The rate (a fraction) of a Sage tax type, as loaded; 0 where it is not known.
///
/// # Errors
/// The store's.
pub fn stored_rate(cap: &mut dyn Capabilities, tax: i64) -> Result<Decimal, Failure> {
    let entries = cap.get(LISTS, &[row_key(List::SageTaxTypes, tax)])?;
    let row = entries
        .first()
        .and_then(|entry| stored::from_text::<Row>(&entry.value));
    let percent = row.and_then(|row| row.percent).unwrap_or_default();
    Ok(percent / Decimal::ONE_HUNDRED)
}

/// The customer categories of Splynx, which are not data there; a lead is none yet (Splynx API, customers).
const CUSTOMER_CATEGORIES: [(&str, &str); 2] = [("person", "Person"), ("company", "Company")];

/// The rows of the mapping of customer categories.
pub fn customer_categories() -> Vec<Pair> {
    CUSTOMER_CATEGORIES
        .iter()
        .map(|(value, title)| ((*value).to_owned(), (*title).to_owned()))
        .collect()
}

/// What a field or mapping row can be set to, from the lists as loaded: value and title. What can no longer be chosen is there
/// only where it is chosen already, and says so.
pub fn choices(run: &mut Run, list: List) -> Job<Vec<Pair>> {
    if !is_loaded(run)? {
        return Err(Halt::Failed(Failure::new(
            "not-loaded",
            "Press \"Import mapping settings\" first: it loads what there is to choose from.",
        )));
    }
    let rows = stored(run, list)?
        .into_iter()
        .map(|(_, row)| (row.id, row))
        .to_map();
    let mut choices = rows
        .values()
        .filter(|row| row.active)
        .map(|row| (row.id, row.title.clone()))
        .to_map();
    for (_, of, id) in chosen(&run.settings) {
        let row = rows.get(&id);
        if let (true, Some(what)) = (of == list, staleness(list, row)) {
            let title = row.map_or_else(|| id.to_string(), |row| row.title.clone());
            choices.insert(id, format!("{title} ({what})"));
        }
    }
    Ok(choices
        .into_iter()
        .map(|(id, title)| (id.to_string(), title))
        .collect())
}

/// The lists in memory, for decisions.
pub struct Mapping {
    rows: Map<List, Map<i64, Row>>,
}

impl Mapping {
    /// Reads the lists; loads them first where that was never done.
    pub fn load(run: &mut Run) -> Job<Self> {
        if !is_loaded(run)? {
            import(run)?;
        }
        Self::loaded(run)
    }

    /// The lists as they were loaded last.
    pub fn loaded(run: &mut Run) -> Job<Self> {
        let mut rows = Map::new_vec();
        for list in List::ALL {
            let of_list = stored(run, list)?
                .into_iter()
                .map(|(_, row)| (row.id, row))
                .to_map();
            rows.insert(list, of_list);
        }
        Ok(Self { rows })
    }

    /// The lists as both services have them now; nothing is stored.
    pub fn now(run: &mut Run) -> Job<Self> {
        let mut rows = Map::new_vec();
        for list in List::ALL {
            let of_list = list.load(run)?.into_iter().map(|row| (row.id, row));
            rows.insert(list, of_list.to_map());
        }
        Ok(Self { rows })
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

    /// The Sage tax type for a line; the rates must agree.
    ///
    /// # Errors
    /// Why the record is held.
    pub fn tax(&self, settings: &Settings, line: &Line) -> Result<i64, Reason> {
        let tax = match line.tax_id {
            Some(id) => id,
            None => self.tax_of_rate(settings, line.tax_percent)?,
        };
        let key = format!("tax.{tax}");
        let title = self.title(List::SplynxTaxes, tax);
        if self
            .row(List::SplynxTaxes, tax)
            .is_some_and(|row| row.group)
        {
            return Err(Reason::new(
                "tax-group",
                format!("Tax {title} is made of several taxes, and Sage knows single ones only."),
                "Use a single tax in Splynx, or enter this document in Sage by hand.",
            ));
        }
        let target = self.target(settings, List::SageTaxTypes, &key, &format!("tax {title}"))?;
        let percent = self
            .row(List::SageTaxTypes, target)
            .and_then(|row| row.percent)
            .unwrap_or_default();
        if percent != line.tax_percent {
            return Err(Reason::new(
                "tax-rate-differs",
                format!(
                    "A line is taxed at {} %, and the Sage tax type of {title} at {} %.",
                    line.tax_percent.normalize(),
                    percent.normalize()
                ),
                "Map the tax to a Sage tax type of the same rate.",
            )
            .until_setting(&key));
        }
        Ok(target)
    }

    /// A line that names no tax: the one mapped tax of its rate.
    fn tax_of_rate(&self, settings: &Settings, percent: Decimal) -> Result<i64, Reason> {
        let mut mapped = self.rows(List::SplynxTaxes).filter(|row| {
            row.percent == Some(percent)
                && !row.group
                && settings.mapped(&format!("tax.{}", row.id)).is_some()
        });
        match (mapped.next(), mapped.next()) {
            (Some(row), None) => Ok(row.id),
            _ => Err(Reason::new(
                "tax-missing",
                format!(
                    "A line at {} % names no tax, and not exactly one mapped tax has that rate.",
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
        let types = || self.rows(List::SageTaxTypes).filter(|row| row.active);
        let zero = |row: &&Row| row.percent == Some(Decimal::ZERO);
        let mapped: Vec<Option<i64>> = self
            .rows(List::SplynxTaxes)
            .map(|row| settings.mapped(&format!("tax.{}", row.id)))
            .collect();
        let chosen = types()
            .find(|row| zero(row) && own == Some(row.id))
            .or_else(|| types().find(|row| zero(row) && mapped.contains(&Some(row.id))))
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
                    "Give the item a tax type for sales in Sage, press \"Import mapping settings\", then retry.",
                )
                .until_setting("fix_item_id")
            })
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

    /// The Sage category for customers of a Splynx category; none: Sage's own is left alone.
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
        chosen(settings)
            .filter_map(|(key, list, id)| {
                let what = staleness(list, self.row(list, id))?;
                let title = self.title(list, id);
                Some((key.to_owned(), format!("{title} is {what}")))
            })
            .collect()
    }

    fn target(
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
                format!("Choose one of Sage's under Mappings ({key})."),
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
                    "Press \"Import mapping settings\", then choose again under Mappings ({key})."
                ),
            )
            .until_setting(key)),
        }
    }

    fn title(&self, list: List, id: i64) -> String {
        self.row(list, id)
            .map_or_else(|| id.to_string(), |row| format!("{} ({id})", row.title))
    }
}
