//! How the add-on is set up for a provider: settings and mappings under the names of its manifest.

use chrono::{Days, Months, NaiveDate};
use rust_decimal::Decimal;

use super::Isp;
use super::furniture::{CASH_ACCOUNT, item_code, method};

impl Isp {
    /// Settings and mappings, without addresses and secrets. What cannot be mapped is left out: a category without an item of its code,
    /// a tax without a Sage tax of its rate, tax groups.
    pub fn setup(&self) -> Vec<(String, String)> {
        let pushed: Vec<String> = self
            .payment_methods
            .iter()
            // Money for a refill card came in when the card was sold.
            .filter(|row| ![method::FROM_SAGE, method::REFILL_CARD].contains(&row.id))
            .map(|row| row.id.to_string())
            .collect();
        let mut setup = vec![
            ("sage_login".to_owned(), self.sage.login.clone()),
            (
                "payment_method_id".to_owned(),
                method::FROM_SAGE.to_string(),
            ),
            ("payments_push_methods".to_owned(), pushed.join(",")),
        ];
        let first_day = self.first_day().to_string();
        for kind in ["invoices", "credit_notes", "payments"] {
            setup.push((format!("export_{kind}_from"), first_day.clone()));
        }
        setup.push(("import_payments_from".to_owned(), first_day));
        for kind in ["customers", "invoices", "credit_notes", "payments"] {
            setup.push((format!("cron_{kind}"), "on".to_owned()));
        }
        setup.extend(self.bank_account_mappings());
        for category in &self.transaction_categories {
            if let Some(item) = self.item_of(category.id) {
                setup.push((format!("item.{}", category.id), item.to_string()));
            }
        }
        for tax in self.taxes.iter().filter(|tax| tax.group.is_empty()) {
            let fraction = tax.rate / Decimal::ONE_HUNDRED;
            let target = self
                .sage
                .tax_types
                .iter()
                .find(|t| t.percentage == fraction);
            if let Some(target) = target {
                setup.push((format!("tax.{}", tax.id), target.id.to_string()));
            }
        }
        setup
    }

    /// The Sage item for a transaction category, found by its code.
    pub fn item_of(&self, category: i64) -> Option<i64> {
        let code = item_code(category);
        let item = self.sage.items.iter().find(|item| item.code == code);
        item.map(|item| item.id)
    }

    fn bank_account_mappings(&self) -> Vec<(String, String)> {
        let accounts = &self.sage.bank_accounts;
        let main = accounts.iter().find(|account| account.is_default);
        let cash = accounts.iter().find(|account| account.id == CASH_ACCOUNT);
        [
            ("default_bank_account".to_owned(), main),
            (format!("bank_account.{}", method::CASH), cash),
        ]
        .into_iter()
        .filter_map(|(key, account)| Some((key, account?.id.to_string())))
        .collect()
    }

    /// The secrets that go with [`Isp::setup`].
    pub fn secrets(&self) -> Vec<(String, String)> {
        [
            ("splynx_api_key", &self.splynx.api_key),
            ("splynx_api_secret", &self.splynx.api_secret),
            ("sage_password", &self.sage.password),
            ("sage_api_key", &self.sage.api_key),
        ]
        .map(|(key, value)| (key.to_owned(), value.clone()))
        .to_vec()
    }

    /// The first day of its history, which is a year long.
    pub fn first_day(&self) -> NaiveDate {
        self.today - Months::new(12) + Days::new(1)
    }
}
