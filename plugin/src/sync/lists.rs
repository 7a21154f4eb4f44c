//! The lists of both sides that mappings are made of: loaded into storage by `import-mapping`, and read again before a run sends
//! documents or payments ([`super::renewal`]).

use rust_decimal::Decimal;

use crate::capability::{Activity, Capabilities, Failure};
use crate::collect::{Map, Set, ToMap, ToSet};
use crate::sage;
use crate::settings::Settings;
use crate::splynx;
use crate::stored::{self, stored};
use crate::write::ledger::{META, Run, RunError, RunResult};
use crate::write::record::{Batch, TAX_DOUBTS};

/// `sage-items/000000000042` → [`Row`] as JSON.
const LISTS: &str = "list";
/// In the same table: `rate/000000000001@14`, a rate at which lines were billed under a Splynx tax that has another one now.
const RATES: &str = "rate/";
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

    /// As Splynx has it; `None`: it is one of Sage's.
    pub fn of_splynx(self) -> Option<splynx::OptionList> {
        Some(match self {
            Self::SplynxCategories => splynx::OptionList::Categories,
            Self::SplynxTaxes => splynx::OptionList::Taxes,
            Self::SplynxMethods => splynx::OptionList::Methods,
            Self::SplynxPartners => splynx::OptionList::Partners,
            _ => return None,
        })
    }

    /// As Sage has it; `None`: it is one of Splynx's.
    fn of_sage(self) -> Option<sage::OptionList> {
        Some(match self {
            Self::SageItems => sage::OptionList::Items,
            Self::SageTaxTypes => sage::OptionList::TaxTypes,
            Self::SageBankAccounts => sage::OptionList::BankAccounts,
            Self::SageCustomerCategories => sage::OptionList::CustomerCategories,
            _ => return None,
        })
    }

    /// Where people choose from it for a setting or mapping, by the titles of the manifest.
    pub fn place(key: &str) -> String {
        let family = key.split_once('.').map_or(key, |(family, _)| family);
        let (title, page) = match family {
            "item" => ("Categories and items", "Mappings"),
            "tax" => ("Taxes", "Mappings"),
            "bank_account" => ("Bank accounts", "Mappings"),
            "customer_category" => ("Customer categories", "Mappings"),
            "default_bank_account" => ("Default bank account", "Settings"),
            _ => ("Fix item", "Settings"),
        };
        format!("\"{title}\" on the page {page} ({key})")
    }

    pub fn load(self, run: &mut Run) -> RunResult<Vec<Row>> {
        if let Some(list) = self.of_splynx() {
            let options = splynx::options(run, list)?;
            return Ok(options.into_iter().map(Row::of_splynx).collect());
        }
        let Some(list) = self.of_sage() else {
            return Ok(Vec::new());
        };
        let options = sage::options(run, list)?;
        Ok(options.into_iter().map(Row::of_sage).collect())
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
    /// Of Sage tax types: people enter the amount of tax, so nothing can be computed by its rate.
    pub manual: bool,
    /// Of Sage tax types: the company's own choice.
    pub default: bool,
}

stored!(Row { id, title, active, percent, tax } may { group, manual, default });

/// Rates have at most so many places; a service that keeps binary floats may tell more.
const RATE_PLACES: u32 = 4;

impl Row {
    fn of_splynx(option: splynx::ListOption) -> Self {
        Self {
            id: option.id,
            title: option.title,
            active: !option.is_archived,
            percent: option.percent.map(|percent| percent.round_dp(RATE_PLACES)),
            tax: None,
            group: option.is_group,
            manual: false,
            default: false,
        }
    }

    /// Its title, and of a tax its rate.
    pub fn named(&self) -> String {
        match self.percent {
            Some(percent) => named_at(&self.title, percent),
            None => self.title.clone(),
        }
    }

    fn of_sage(option: sage::ListOption) -> Self {
        let percent = option.rate.map(|rate| rate * Decimal::ONE_HUNDRED);
        Self {
            id: option.id,
            title: option.title,
            active: option.is_active,
            percent: percent.map(|percent| percent.round_dp(RATE_PLACES)),
            tax: option.tax_type,
            group: false,
            manual: option.is_manual,
            default: option.is_default,
        }
    }
}

/// A tax at a rate, in percent.
pub fn named_at(title: &str, percent: Decimal) -> String {
    format!("{title}, {} %", percent.normalize())
}

/// The counterparts that settings and mappings name, one by one: setting, list, id.
pub fn chosen(settings: &Settings) -> impl Iterator<Item = (&str, List, i64)> {
    settings.values().iter().flat_map(|(key, value)| {
        List::of_setting(key).into_iter().flat_map(move |list| {
            let ids = value.split(',').filter_map(|id| id.trim().parse().ok());
            ids.map(move |id| (key.as_str(), list, id))
        })
    })
}

/// What is wrong with a counterpart, for people; none where it can be used.
pub fn staleness(list: List, row: Option<&Row>) -> Option<String> {
    match row {
        Some(row) if row.active => None,
        Some(_) => Some(format!("inactive in {}", list.home())),
        None => Some(format!("gone from {}", list.home())),
    }
}

/// Loads all lists afresh (F65), and tells which mappings became stale by that.
pub fn import(run: &mut Run) -> RunResult<()> {
    for (done, list) in List::ALL.into_iter().enumerate() {
        run.progress("Mapping lists", done as u64, List::ALL.len() as u64)?;
        let rows = list.load(run)?;
        replace(run, list, &rows)?;
        run.renewed.push(list.source());
        *run.counts
            .entry(format!("{} loaded", list.source()))
            .or_default() += rows.len() as u64;
    }
    // Whoever loads the lists has looked at them: what was held because Sage computed otherwise gets another chance.
    for doubt in doubts(run)? {
        trust(run, doubt)?;
    }
    let mut batch = Batch::default();
    batch.set(META, LOADED, run.cap.now().to_string());
    run.commit(batch)
}

/// Stores a list as it is now, and has what hangs on a changed row looked at again; answers whether anything is other than it was.
pub fn replace(run: &mut Run, list: List, rows: &[Row]) -> RunResult<bool> {
    let mut batch = Batch::default();
    let fresh = rows.iter().map(|row| (row_key(list, row.id), row)).to_map();
    let mut before = Map::new_vec();
    for (key, row) in stored(run, list)? {
        if !fresh.contains_key(&key) {
            batch.delete(LISTS, key);
        }
        before.insert(row.id, row);
    }
    let ids = rows.iter().map(|row| row.id).chain(before.keys().copied());
    let is_new = |id: &i64| before.get(id) != rows.iter().find(|row| row.id == *id);
    let changed: Set<i64> = ids.filter(is_new).to_set();
    note_stale(run, &mut batch, list, &before, rows);
    // A tax keeps the mapping of the rate that it had: documents were billed at it.
    for row in rows.iter().filter(|_| list == List::SplynxTaxes) {
        let had = before.get(&row.id).and_then(|before| before.percent);
        if let Some(had) = had.filter(|had| row.percent != Some(*had)) {
            note_rate(&mut batch, row.id, had);
        }
    }
    for (key, row) in fresh {
        batch.set(LISTS, key, stored::to_text(row));
    }
    batch.activities.push(Activity {
        entity: "mapping".to_owned(),
        action: "loaded".to_owned(),
        label: list.source().to_owned(),
        message: format!("{} entries", rows.len()),
        ..Activity::default()
    });
    run.commit(batch)?;
    let mut keys: Set<String> = chosen(&run.settings)
        .filter(|(_, of, id)| *of == list && changed.contains(id))
        .map(|(key, _, _)| key.to_owned())
        .to_set();
    // The fix line takes any tax type at 0 %.
    if list == List::SageTaxTypes && !changed.is_empty() {
        keys.insert("fix_item_id".to_owned());
    }
    for key in keys {
        run.wake(&key)?;
    }
    Ok(!changed.is_empty())
}

/// The Sage tax types that made other VAT than their rates say, by what Sage stored.
pub fn doubts(run: &mut Run) -> RunResult<Set<i64>> {
    const MOST: u32 = 500;
    let entries = run.cap.scan(TAX_DOUBTS, "", "", MOST)?;
    Ok(entries.iter().filter_map(|e| e.key.parse().ok()).to_set())
}

/// A tax type is no longer in doubt: what was held for that is looked at again.
pub fn trust(run: &mut Run, tax: i64) -> RunResult<()> {
    let mut batch = Batch::default();
    batch.delete(TAX_DOUBTS, tax.to_string());
    run.commit(batch)?;
    let keys: Vec<String> = chosen(&run.settings)
        .filter(|(_, list, id)| *list == List::SageTaxTypes && *id == tax)
        .map(|(key, _, _)| key.to_owned())
        .collect();
    for key in keys {
        run.wake(&key)?;
    }
    Ok(())
}

/// Rates beside the current ones at which lines were billed, by Splynx tax.
pub fn seen_rates(run: &mut Run) -> RunResult<Set<(i64, Decimal)>> {
    const MOST: u32 = 500;
    let entries = run.cap.scan(LISTS, RATES, "", MOST)?;
    let parse = |key: &str| {
        let (tax, rate) = key.strip_prefix(RATES)?.split_once('@')?;
        Some((tax.parse().ok()?, rate.parse().ok()?))
    };
    Ok(entries.iter().filter_map(|e| parse(&e.key)).to_set())
}

/// Notes a rate that a line was billed at, so that people find it on the page of mappings.
pub fn note_rate(batch: &mut Batch, tax: i64, percent: Decimal) {
    let key = format!("{RATES}{tax:012}@{}", percent.normalize());
    batch.set(LISTS, key, "1");
}

/// Whether the lists were ever loaded.
pub fn is_loaded(run: &mut Run) -> RunResult<bool> {
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

pub fn stored(run: &mut Run, list: List) -> RunResult<Vec<(String, Row)>> {
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
                RunError::Failed(Failure::new(
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
