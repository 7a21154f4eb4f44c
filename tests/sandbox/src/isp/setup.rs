//! How the add-on is set up for a seeded provider: settings and mappings under the names of its manifest.

use super::Isp;

/// The Splynx method of payments that come from Sage.
const IMPORTED_METHOD: i64 = 8;

impl Isp {
    /// Settings and mappings, addresses and secrets left out.
    pub fn setup(&self) -> Vec<(String, String)> {
        let first_day = self.first_day().to_string();
        let pushed: Vec<String> = self
            .payment_methods
            .iter()
            .filter(|method| method.id != IMPORTED_METHOD)
            .map(|method| method.id.to_string())
            .collect();
        let mut setup = vec![
            ("sage_login".to_owned(), self.sage.login.clone()),
            ("payment_method_id".to_owned(), IMPORTED_METHOD.to_string()),
            ("payments_push_methods".to_owned(), pushed.join(",")),
        ];
        for key in [
            "export_invoices_from",
            "export_credit_notes_from",
            "export_payments_from",
        ] {
            setup.push((key.to_owned(), first_day.clone()));
        }
        for key in [
            "cron_customers",
            "cron_invoices",
            "cron_credit_notes",
            "cron_payments",
        ] {
            setup.push((key.to_owned(), "on".to_owned()));
        }
        let (cash, main) = (&self.sage.bank_accounts[1], &self.sage.bank_accounts[0]);
        setup.push(("default_bank_account".to_owned(), main.id.to_string()));
        setup.push(("bank_account.1".to_owned(), cash.id.to_string()));
        for category in &self.transaction_categories {
            let item = self.item_of(category.id);
            setup.push((format!("item.{}", category.id), item.to_string()));
        }
        for tax in self.taxes.iter().filter(|tax| tax.group.is_empty()) {
            let rate = tax.rate / rust_decimal::Decimal::ONE_HUNDRED;
            if let Some(target) = self.sage.tax_types.iter().find(|t| t.percentage == rate) {
                setup.push((format!("tax.{}", tax.id), target.id.to_string()));
            }
        }
        setup
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

    /// The first day of its history.
    pub fn first_day(&self) -> chrono::NaiveDate {
        self.today - chrono::Months::new(12)
    }

    /// The Sage item for a transaction category: the generator makes one each, in the same order.
    pub fn item_of(&self, category: i64) -> i64 {
        let place = self
            .transaction_categories
            .iter()
            .position(|c| c.id == category)
            .unwrap_or(0);
        self.sage.items[place.min(self.sage.items.len() - 1)].id
    }
}
