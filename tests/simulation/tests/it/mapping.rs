//! Lists to choose from, what became of a choice, and what the readiness check says.

use std::collections::{BTreeMap, BTreeSet};

use sandbox::isp::{Isp, Size};
use serde_json::json;
use simulation::installation::Installation;
use splynx_sageone::addon::Query;

/// F44, F45, F46, F47, F54, F55, F56, F65, F43, F49: the lists of both sides are loaded by one button, which is named where they are not;
/// what is chosen and can no longer be used is shown as such, told at the next import, refused at sending, and only there.
#[test]
fn what_is_mapped_and_gone_is_shown_told_and_refused() {
    let isp = Isp::seeded(Size::Tiny, 1);
    let mut installation = Installation::new(&isp, false);
    let not_loaded = installation
        .choices("sage-items")
        .expect_err("nothing is loaded");
    assert!(
        not_loaded.message.contains("Import mapping settings"),
        "{}",
        not_loaded.message
    );
    assert!(
        installation
            .check()
            .iter()
            .any(|f| f.code == "mapping-not-loaded")
    );
    let outcome = installation.run("import-mapping").expect("both answer");
    let counts: BTreeSet<&str> = outcome
        .counts
        .iter()
        .map(|(name, _)| name.as_str())
        .collect();
    for list in [
        "sage-items",
        "sage-tax-types",
        "sage-bank-accounts",
        "sage-customer-categories",
        "splynx-transaction-categories",
        "splynx-taxes",
        "splynx-payment-methods",
        "splynx-partners",
    ] {
        assert!(counts.contains(format!("{list} loaded").as_str()), "{list}");
        assert!(
            !installation.choices(list).expect("it is loaded").is_empty(),
            "{list}"
        );
    }
    assert!(!counts.contains("mappings stale"));
    let titles = |installation: &mut Installation, list: &str| -> Vec<String> {
        let choices = installation.choices(list).expect("it is loaded");
        choices
            .into_iter()
            .map(|(value, title)| format!("{value}={title}"))
            .collect()
    };
    assert_eq!(
        titles(&mut installation, "splynx-customer-categories"),
        ["person=Person", "company=Company"]
    );
    assert_eq!(
        titles(&mut installation, "sage-customer-categories"),
        ["71=Residential", "72=Business"]
    );
    let closed = "503=Closed savings account";
    assert!(
        !titles(&mut installation, "sage-bank-accounts")
            .join(";")
            .contains("503")
    );

    // An item is switched off, a category goes, an account was closed long ago, and a method leaves Splynx.
    let item = isp.item_of(7).expect("fibre has one");
    installation.set("item.7", &item.to_string());
    installation.set("customer_category.company", "72");
    installation.set("bank_account.2", "503");
    installation.set("payments_push_methods", "1,2,99");
    installation.in_sage(
        &json!({"entity": "items", "act": "update", "id": item, "fields": {"Active": false}}),
    );
    installation.in_sage(&json!({"entity": "customer_categories", "act": "delete", "id": 72}));
    // The check asks the services, and not what was loaded of them.
    let stale: Vec<String> = installation
        .check()
        .into_iter()
        .filter(|found| found.code == "mapping-stale")
        .map(|found| found.field)
        .collect();
    assert_eq!(stale.len(), 4, "{stale:?}");
    assert!(stale.contains(&"item.7".to_owned()), "{stale:?}");
    let outcome = installation.run("import-mapping").expect("both answer");
    assert!(
        outcome.counts.contains(&("mappings stale".to_owned(), 4)),
        "{:?}",
        outcome.counts
    );
    let told: BTreeSet<String> = installation
        .host()
        .storage
        .activities()
        .iter()
        .filter(|a| a.code == "mapping-stale")
        .map(|a| a.label.clone())
        .collect();
    let news = BTreeSet::from(["item.7".to_owned(), "customer_category.company".to_owned()]);
    assert_eq!(told, news, "those that became so");
    let items = titles(&mut installation, "sage-items").join(";");
    assert!(items.contains("(inactive in Sage)"), "{items}");
    assert!(
        !items.contains("Dial-up"),
        "what nobody chose and is inactive is not offered"
    );
    let accounts = titles(&mut installation, "sage-bank-accounts");
    assert!(
        accounts.contains(&format!("{closed} (inactive in Sage)")),
        "{accounts:?}"
    );
    let categories = titles(&mut installation, "sage-customer-categories");
    assert!(
        categories.contains(&"72=72 (gone from Sage)".to_owned()),
        "{categories:?}"
    );
    let methods = titles(&mut installation, "splynx-payment-methods");
    assert!(
        methods.contains(&"99=99 (gone from Splynx)".to_owned()),
        "{methods:?}"
    );
    let findings = installation.check();
    for field in [
        "item.7",
        "customer_category.company",
        "bank_account.2",
        "payments_push_methods",
    ] {
        let about: Vec<_> = findings
            .iter()
            .filter(|f| f.field == field && f.code.starts_with("mapping"))
            .collect();
        assert_eq!(about.len(), 1, "{field}: {about:?}");
        assert_eq!(about[0].code, "mapping-stale");
    }
    installation.run_through("sync");
    for (kind, code) in [("customer", "mapping-stale"), ("invoice", "mapping-stale")] {
        let activities = installation.host().storage.activities();
        assert!(
            activities
                .iter()
                .any(|a| a.entity == kind && a.code == code),
            "{kind}"
        );
    }
    installation.run("import-mapping").expect("both answer");
    let activities = installation.host().storage.activities();
    let told = activities
        .iter()
        .filter(|a| a.entity == "mapping" && a.code == "mapping-stale");
    assert_eq!(told.count(), 2, "old news are not told again");
}

/// Settings that are changed, and the code and field of the one finding (empty: none).
type Case<'c> = (&'c [(&'c str, &'c str)], &'c str, &'c str);

/// F6, F7, F9, F10, F11, F14, F18, F20, F23, F19, F22, F24, F30, F31, F35, F36, F37, F38, F40, F41, F42, I1, I2, I4, I8, I13, I15, D1, D5, D13: settings that do
/// not do together what somebody expects are one finding each, with the field.
#[test]
fn each_doubtful_combination_of_settings_is_one_finding_with_its_field() {
    let isp = Isp::seeded(Size::Tiny, 2);
    let mut calm = Installation::new(&isp, false);
    let quiet: &[(&str, &str)] = &[
        ("customer_name_pattern", "{name} {id}"),
        ("export_invoices_from", ""),
        ("export_credit_notes_from", ""),
        ("export_payments_from", ""),
        ("cron_customers", "off"),
        ("cron_invoices", "off"),
        ("cron_credit_notes", "off"),
        ("cron_payments", "off"),
        ("tax.2", "302"),
    ];
    for (key, value) in quiet {
        calm.set(key, value);
    }
    calm.run("import-mapping").expect("both answer");
    let usual = |installation: &mut Installation| -> BTreeSet<(String, String)> {
        let findings = installation.check();
        let doubtful = findings.iter().filter(|f| f.severity != "ok");
        doubtful
            .map(|f| (f.code.to_owned(), f.field.clone()))
            .collect()
    };
    let background = usual(&mut calm);
    assert!(background.is_empty(), "{background:?}");
    let cases: &[Case] = &[
        (
            &[("splynx_api_key", "")],
            "setting-missing",
            "splynx_api_key",
        ),
        (&[("sage_login", "")], "setting-missing", "sage_login"),
        (
            &[("splynx_api_domain", "https://isp.example")],
            "slash-missing",
            "splynx_api_domain",
        ),
        (&[("sage_company_id", "")], "", ""),
        (
            &[("customer_name_pattern", "{name}")],
            "names-may-clash",
            "customer_name_pattern",
        ),
        (&[("customer_name_pattern", "{login} {name}")], "", ""),
        (
            &[
                ("customer_name_pattern", "{name}"),
                ("make_names_unique", "on"),
            ],
            "",
            "",
        ),
        (
            &[("customer_name_pattern", "{nme}")],
            "invalid-settings",
            "customer_name_pattern",
        ),
        (
            &[("payments_push_methods", "")],
            "no-methods",
            "payments_push_methods",
        ),
        (
            &[("payments_push_methods", "1,8"), ("payment_method_id", "8")],
            "method-never-sent",
            "payments_push_methods",
        ),
        (
            &[("payments_direction", "both")],
            "methods-without-effect",
            "payments_push_methods",
        ),
        (
            &[
                ("payments_direction", "both"),
                ("payments_push_methods", ""),
            ],
            "",
            "",
        ),
        (
            &[("payments_direction", "from_sage")],
            "methods-without-effect",
            "payments_push_methods",
        ),
        (
            &[
                ("payments_direction", "from_sage"),
                ("payments_push_methods", ""),
                ("payment_method_id", ""),
            ],
            "no-import-method",
            "payment_method_id",
        ),
        (
            &[("create_payment_for_paid_invoice", "on")],
            "import-off",
            "create_payment_for_paid_invoice",
        ),
        (
            &[("create_payment_without_invoice", "on")],
            "import-off",
            "create_payment_without_invoice",
        ),
        (
            &[
                ("payments_direction", "from_sage"),
                ("payments_push_methods", ""),
                ("create_payment_for_paid_invoice", "on"),
            ],
            "payments-may-double",
            "create_payment_for_paid_invoice",
        ),
        (
            &[("use_inclusive_amounts", "off")],
            "no-fix-item",
            "fix_item_id",
        ),
        (&[("fix_item_id", "2001")], "fix-item-taxed", "fix_item_id"),
        (&[("fix_item_id", "2900")], "mapping-stale", "fix_item_id"),
        (&[("fix_item_id", "1")], "mapping-stale", "fix_item_id"),
        (
            &[("cron_payment_days", "1, 15")],
            "days-without-effect",
            "cron_payment_days",
        ),
        (
            &[("cron_invoices", "on")],
            "cron-before-first-export",
            "cron_invoices",
        ),
        (
            &[("export_invoices_from", "2020-01-01")],
            "history",
            "export_invoices_from",
        ),
        (
            &[("export_credit_notes_from", "2020-01-01")],
            "history",
            "export_credit_notes_from",
        ),
        (
            &[("export_payments_from", "2020-01-01")],
            "history",
            "export_payments_from",
        ),
        (
            &[("partners_ignore", "1,2,3")],
            "all-partners-left-out",
            "partners_ignore",
        ),
        (
            &[("partners_ignore", "9")],
            "mapping-stale",
            "partners_ignore",
        ),
        (&[("tax.1", "")], "mapping-missing", "tax.1"),
        (&[("tax.1", "302")], "tax-rates-differ", "tax.1"),
        // A gap that is meant.
        (&[("tax.1", "none")], "", ""),
        (
            &[("default_bank_account", ""), ("payments_push_methods", "2")],
            "mapping-missing",
            "bank_account.2",
        ),
        (
            &[
                ("default_bank_account", ""),
                ("payments_push_methods", ""),
                ("payments_direction", "both"),
            ],
            "mapping-missing",
            "bank_account.2",
        ),
        (
            &[
                ("default_bank_account", ""),
                ("payments_push_methods", ""),
                ("payments_direction", "from_sage"),
            ],
            "",
            "",
        ),
    ];
    let saved = calm.host().settings.clone();
    for (changes, code, field) in cases {
        for (key, value) in *changes {
            calm.set(key, value);
        }
        let mut expected = BTreeSet::new();
        if !code.is_empty() {
            expected.insert(((*code).to_owned(), (*field).to_owned()));
        }
        assert_eq!(usual(&mut calm), expected, "{changes:?}");
        calm.host().settings.clone_from(&saved);
    }
    // Once the first exports were made there is nothing left to warn of.
    for (key, value) in [
        ("cron_customers", "on"),
        ("cron_invoices", "on"),
        ("export_invoices_from", "2020-01-01"),
    ] {
        calm.set(key, value);
    }
    calm.run_through("sync");
    // The names of customers are the pattern's default again: who clashes by now is held, and listed.
    calm.set("customer_name_pattern", "{name}");
    assert_eq!(usual(&mut calm), BTreeSet::new());
    calm.set("sage_company_id", "99");
    let other = ("other-company".to_owned(), "sage_company_id".to_owned());
    assert_eq!(usual(&mut calm), BTreeSet::from([other]));
}

/// Each service is tried as soon as its own settings are there: whoever enters the first one learns whether it is right.
#[test]
fn each_service_is_tried_by_itself() {
    let tried = |missing: &str| -> Vec<(&'static str, String)> {
        let mut installation = Installation::new(&Isp::seeded(Size::Tiny, 2), false);
        installation.set(missing, "");
        let findings = installation.check().into_iter();
        let found = findings.filter(|found| found.severity != "warning");
        found.map(|found| (found.code, found.field)).collect()
    };
    let found = |code, field: &str| (code, field.to_owned());
    assert_eq!(
        tried("sage_password"),
        [
            found("splynx-connection", "splynx_api_domain"),
            found("permissions", "splynx_api_key"),
            found("setting-missing", "sage_password")
        ]
    );
    assert_eq!(
        tried("splynx_api_secret"),
        [
            found("setting-missing", "splynx_api_secret"),
            found("sage-connection", "sage_company_id")
        ]
    );
}

/// Equal titles, equal rates and the only bank account are proposed for rows that nobody has decided on; where two fit, nothing is.
#[test]
fn what_agrees_by_itself_is_proposed() {
    let mut installation = Installation::new(&Isp::seeded(Size::Tiny, 2), false);
    installation.run("import-mapping").expect("both answer");
    let names = |installation: &mut Installation, list: &str| {
        let list = installation.choices(list).expect("loaded").into_iter();
        list.collect::<BTreeMap<_, _>>()
    };
    let categories = names(&mut installation, "splynx-transaction-categories");
    let items = names(&mut installation, "sage-items");
    for category in categories.keys() {
        installation.set(&format!("item.{category}"), "");
    }
    let proposed = installation.choices("proposals:item").expect("loaded");
    assert!(!proposed.is_empty());
    for (category, item) in &proposed {
        assert!(
            items[item].starts_with(&categories[category]),
            "{} to {}",
            categories[category],
            items[item]
        );
    }
    // What somebody has decided is not proposed again, a gap no less.
    let (first, item) = proposed[0].clone();
    installation.set(&format!("item.{first}"), "none");
    let rest = installation.choices("proposals:item").expect("loaded");
    assert_eq!(rest, proposed[1..]);
    let targets = installation.choices("targets:sage-items").expect("loaded");
    assert_eq!(targets[0].0, "none");
    assert!(targets.iter().any(|(id, _)| *id == item));

    installation.set("tax.1", "");
    let types = names(&mut installation, "sage-tax-types");
    let proposed = installation.choices("proposals:tax").expect("loaded");
    let (_, target) = proposed
        .iter()
        .find(|(tax, _)| tax == "1")
        .expect("one fits");
    assert!(types[target].ends_with(", 15 %"), "{}", types[target]);

    installation.set("default_bank_account", "");
    let accounts = names(&mut installation, "sage-bank-accounts");
    let methods = names(&mut installation, "splynx-payment-methods");
    let proposed = installation
        .choices("proposals:bank_account")
        .expect("loaded");
    for (method, account) in &proposed {
        assert!(
            accounts.len() == 1 || accounts[account].eq_ignore_ascii_case(&methods[method]),
            "{method} to {account}"
        );
    }
}

/// B0's Accounting ID column, F80: every record is on the page Records, synchronised or not, and can be found by kind, state, customer and text.
#[test]
fn every_record_is_on_the_page_of_records() {
    let isp = Isp::seeded(Size::Tiny, 3);
    let mut installation = Installation::new(&isp, false);
    installation.set("tax.1", "");
    installation.run_through("sync");
    let mut all = installation.rows("records", &[]);
    all.retain(|row| row[0] != "allocation");
    assert_eq!(
        all.len(),
        isp.customers.len() + isp.invoices.len() + isp.credit_notes.len() + isp.payments.len()
    );
    let ids: BTreeSet<(&str, &str)> = all
        .iter()
        .map(|row| (row[0].as_str(), row[1].as_str()))
        .collect();
    assert_eq!(ids.len(), all.len(), "each once, over all its pages");
    let payments = installation.rows("records", &[("kind", "payment")]);
    assert_eq!(payments.len(), isp.payments.len());
    for row in all.iter().filter(|row| row[0] != "receipt") {
        assert_eq!(row[3] == "synced", !row[4].is_empty(), "{row:?}");
    }
    let held = installation.rows("records", &[("kind", "invoice"), ("state", "held")]);
    assert_eq!(held.len(), isp.invoices.len());
    let customer = isp.customers[0].id.to_string();
    let theirs = installation.rows("records", &[("customer", &customer)]);
    let count = isp
        .invoices
        .iter()
        .filter(|i| i.customer_id == isp.customers[0].id)
        .count();
    assert_eq!(
        theirs.iter().filter(|row| row[0] == "invoice").count(),
        count
    );
    let query = Query {
        search: isp.invoices[1].number.clone(),
        filters: vec![("kind".to_owned(), "invoice".to_owned())],
        limit: 50,
        ..Query::default()
    };
    let found = installation.view("records", &query).expect("it shows");
    assert_eq!(found.rows.len(), 1);
    assert_eq!(
        found.rows[0].cells[6],
        format!("{:.2}", isp.invoices[1].total)
    );
    let unknown = Query {
        filters: vec![("colour".to_owned(), "red".to_owned())],
        ..Query::default()
    };
    assert_eq!(
        installation
            .view("records", &unknown)
            .expect_err("no such filter")
            .code,
        "unknown-filter"
    );
}

/// What the API key may not read is an error each, by the name that Splynx's dialog of permissions has for it, and no run has to find it.
#[test]
fn each_permission_that_the_key_lacks_is_named() {
    let mut installation = Installation::new(&Isp::seeded(Size::Tiny, 4), false);
    let lacks = |installation: &mut Installation| -> Vec<String> {
        let findings = installation.check().into_iter();
        let lacks = findings.filter(|found| found.code == "permission-missing");
        lacks
            .map(|found| {
                assert_eq!((found.severity, &*found.field), ("error", "splynx_api_key"));
                assert!(found.cure.contains("API keys"));
                found.message
            })
            .collect()
    };
    assert_eq!(lacks(&mut installation), [""; 0]);
    let cases = [
        (
            json!({r"admin\customers\Customer": {"index": "deny"}}),
            vec!["index of \"Customers, Customer\""],
        ),
        (
            json!({r"admin\finance\CreditNotes": {"view": "deny"}, r"admin\config\Taxes": {"index": "deny", "view": "deny"}}),
            vec![
                "view of \"Finance, Credit notes\"",
                "index of \"Config, Taxes\"",
            ],
        ),
        (
            json!({r"admin\finance\Invoices": {"index": "deny", "view": "deny"}}),
            vec!["index and view of \"Finance, Invoices\""],
        ),
    ];
    for (permissions, expected) in cases {
        installation.in_splynx(&json!({"entity": "api_keys", "act": "update", "id": 1, "fields": {"permissions": permissions}}));
        let told = lacks(&mut installation);
        assert_eq!(told.len(), expected.len(), "{told:?}");
        for (told, expected) in told.iter().zip(expected) {
            assert!(told.contains(expected), "{told}");
        }
    }
}
