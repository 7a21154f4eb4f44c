//! VAT: what Splynx says, what Sage's tax types make, and what becomes of a document where the two differ.

use serde_json::{Value, json};
use simulation::books;

use crate::desk::{Desk, dec, id_of, line, money, with};

const STANDARD: i64 = 301;
const OLD: i64 = 303;

/// A line at another rate than the tax has now.
fn at(rate: &str, text: &str) -> Value {
    with(line(text, "1", "100.0000"), json!({ "tax": rate }))
}

fn rate_in_sage(desk: &mut Desk, tax: i64, rate: &str) {
    let rate: Value = rate.parse().expect("a number");
    desk.sage("tax_types", "update", tax, json!({"Percentage": rate}));
}

fn changing_rates(desk: &mut Desk) {
    let fields = json!({"used_tax_types": "accepted"});
    let change = json!({"entity": "behaviour", "act": "update", "fields": fields});
    desk.installation.in_sage(&change);
}

fn all_requests(desk: &mut Desk) -> u64 {
    books::requests(desk.installation.world()).values().sum()
}

/// Sage's tax type gets another rate under the same id after the lists were loaded: nothing is sent with it, all that use it say the same, and
/// either cure lets them go.
#[test]
fn another_rate_in_sage_stops_what_uses_it_before_it_is_sent() {
    for cure in ["the rate", "another tax type"] {
        let mut desk = Desk::new(1);
        changing_rates(&mut desk);
        let customer = desk.customer(0);
        let before = desk.invoice(customer);
        desk.export_invoices();
        assert_eq!(desk.standing("invoice", before).0, "synced");

        rate_in_sage(&mut desk, STANDARD, "0.155");
        let stopped: Vec<i64> = (0..30).map(|_| desk.invoice(customer)).collect();
        let zero = with(
            line("Export", "1", "50.0000"),
            json!({"tax": "0.0000", "tax_id": 2}),
        );
        desk.set("tax.2", "302");
        let free = desk.invoice_of(customer, &[zero], json!({}));
        let saves = desk.asked("POST TaxInvoice/Save");
        desk.export_invoices();
        assert_eq!(desk.asked("POST TaxInvoice/Save"), saves + 1, "{cure}");
        assert_eq!(desk.standing("invoice", free).0, "synced", "another tax");
        for invoice in &stopped {
            let standing = desk.standing("invoice", *invoice);
            assert_eq!(standing, ("held".to_owned(), "tax-rate-differs".to_owned()));
        }
        // They wait in silence.
        let lists = desk.asked("GET TaxType/Get");
        desk.export_invoices();
        desk.export_invoices();
        assert_eq!(desk.asked("GET TaxType/Get"), lists);

        let told = desk.told("invoice", stopped[0]);
        if cure == "the rate" {
            assert!(told.contains("correct the rate in Sage"), "{told}");
            rate_in_sage(&mut desk, STANDARD, "0.15");
            desk.run("import-mapping");
        } else {
            assert!(
                told.contains("\"Taxes\" on the page Mappings (tax.1)"),
                "{told}"
            );
            let made = json!({"Name": "Standard", "Percentage": 0.15, "Active": true});
            let made = id_of(&desk.sage("tax_types", "create", 0, made), "ID");
            desk.run("import-mapping");
            desk.set("tax.1", &made.to_string());
        }
        desk.export_invoices();
        for invoice in stopped {
            assert_eq!(desk.standing("invoice", invoice).0, "synced", "{cure}");
            assert_eq!(money(&desk.in_sage(invoice)["Tax"]), dec("15"));
        }
    }
}

/// Where Sage makes other VAT than its lists say, the first documents tell: no more are sent by that tax type, and the comparison of the books
/// names those that went.
#[test]
fn vat_that_sage_computed_by_another_rate_stops_its_fellows_and_is_told() {
    let mut desk = Desk::new(1);
    changing_rates(&mut desk);
    let customer = desk.customer(0);
    desk.export_invoices();
    let invoices: Vec<i64> = (0..60).map(|_| desk.invoice(customer)).collect();
    // The rate changes between the list and the first document.
    rate_in_sage(&mut desk, STANDARD, "0.20");
    let list = json!({"Results": [{"ID": STANDARD, "Name": "Standard Rate", "Percentage": 0.15, "Active": true},
        {"ID": 302, "Name": "Zero Rated", "Percentage": 0, "Active": true}], "TotalResults": 2, "ReturnedResults": 2});
    desk.with_fault(
        "sage",
        json!({"path": "TaxType/Get"}),
        &json!({"status": {"code": 200, "body": list.to_string(), "content_type": "application/json"}}),
    );
    desk.export_invoices();
    let count = |desk: &mut Desk, code: &str| {
        let of = |desk: &mut Desk, id: i64| desk.standing("invoice", id).1 == code;
        invoices.iter().filter(|id| of(desk, **id)).count()
    };
    assert_eq!(
        desk.asked("POST TaxInvoice/Save"),
        1,
        "the first goes alone"
    );
    assert_eq!(count(&mut desk, "vat-differs"), 1);
    desk.export_invoices();
    assert_eq!(count(&mut desk, "tax-in-doubt"), 59);
    assert_eq!(desk.asked("POST TaxInvoice/Save"), 1);

    desk.run("reconcile");
    let reports = &desk.installation.host().reports;
    let classes = reports["reconciliation"]
        .iter()
        .map(|row| row.cells[0].as_str());
    assert_eq!(classes.filter(|class| *class == "VAT differs").count(), 1);

    // With the true list the cause has a name, and with the right rate everything goes.
    desk.without_faults();
    rate_in_sage(&mut desk, STANDARD, "0.15");
    desk.run("import-mapping");
    for invoice in &invoices {
        if desk.standing("invoice", *invoice).0 == "held" {
            desk.decide("retry", "invoice", *invoice, "");
        }
    }
    desk.export_invoices();
    for invoice in &invoices {
        assert_eq!(desk.standing("invoice", *invoice).0, "synced");
        assert_eq!(money(&desk.in_sage(*invoice)["Tax"]), dec("15"));
    }
}

/// One Splynx tax at two rates over time: each rate has its own row, proposes what agrees, and mapping the one holds nothing of the other.
#[test]
fn a_tax_of_two_rates_has_a_mapping_for_each() {
    let mut desk = Desk::new(1);
    let customer = desk.customer(0);
    let new = desk.invoice(customer);
    let old = desk.invoice_of(customer, &[at("14.0000", "Before 2018")], json!({}));
    let items = json!([at("14.0000", "Before 2018")]);
    let note = desk.credit_note(customer, json!({"items": items}));
    desk.run("sync");
    assert_eq!(desk.standing("invoice", new).0, "synced");
    for (kind, id) in [("invoice", old), ("credit-note", note)] {
        let standing = desk.standing(kind, id);
        assert_eq!(standing, ("held".to_owned(), "tax-rate-differs".to_owned()));
        let told = desk.told(kind, id);
        let proposal = "Choose \u{201c}Standard Rate (until 2018)\u{201d}, which is at 14 % in Sage, under \"Taxes\" on the page Mappings (tax.1@14)";
        assert!(told.contains(proposal), "{told}");
    }
    let rows = desk.installation.choices("splynx-taxes").expect("loaded");
    let row = |key: &str| {
        rows.iter()
            .find(|(row, _)| row == key)
            .map(|(_, title)| title.as_str())
    };
    assert_eq!(row("1"), Some("VAT, 15 %"));
    assert_eq!(row("1@14"), Some("VAT, 14 %"));
    let types = desk.installation.choices("sage-tax-types").expect("loaded");
    assert!(
        types
            .iter()
            .any(|(_, title)| title == "Standard Rate (until 2018), 14 %"),
        "{types:?}"
    );
    let findings = desk.installation.check();
    assert!(
        findings
            .iter()
            .any(|f| f.field == "tax.1@14" && f.code == "mapping-missing")
    );

    desk.set("tax.1@14", &OLD.to_string());
    let second = desk.invoice(customer);
    desk.run("sync");
    for (kind, id) in [("invoice", old), ("credit-note", note), ("invoice", second)] {
        assert_eq!(desk.standing(kind, id).0, "synced", "{kind}");
    }
    assert_eq!(money(&desk.in_sage(old)["Tax"]), dec("14"));

    // 2025: the tax itself goes to 15.5 in Splynx, and back.
    desk.splynx("taxes", "update", 1, json!({"rate": "15.5000"}));
    let made = json!({"Name": "Standard Rate 2025", "Percentage": 0.155, "Active": true});
    let made = id_of(&desk.sage("tax_types", "create", 0, made), "ID");
    desk.run("import-mapping");
    let rows = desk.installation.choices("splynx-taxes").expect("loaded");
    let keys: Vec<&str> = rows
        .iter()
        .map(|(row, _)| row.as_str())
        .filter(|row| row.starts_with('1'))
        .collect();
    assert_eq!(
        keys,
        ["1", "1@14", "1@15.5"],
        "the mapping that is there stays that of 15 %"
    );
    let raised = desk.invoice_of(customer, &[at("15.5000", "In May")], json!({}));
    let usual = desk.invoice(customer);
    desk.run("sync");
    assert_eq!(desk.standing("invoice", usual).0, "synced");
    assert_eq!(desk.standing("invoice", raised).1, "tax-rate-differs");
    desk.set("tax.1@15.5", &made.to_string());
    desk.run("sync");
    assert_eq!(desk.standing("invoice", raised).0, "synced");
    desk.splynx("taxes", "update", 1, json!({"rate": "15.0000"}));
    desk.run("import-mapping");
    let unnamed = with(at("15.5000", "Without a tax"), json!({"tax_id": null}));
    let unnamed = desk.invoice_of(customer, &[unnamed], json!({}));
    let last = desk.invoice(customer);
    desk.run("sync");
    for id in [unnamed, last] {
        assert_eq!(desk.standing("invoice", id).0, "synced");
    }
    assert_eq!(money(&desk.in_sage(unnamed)["Tax"]), dec("15.5"));
}

/// A run that sends nothing asks for no list; one that sends asks once.
#[test]
fn the_lists_are_read_again_once_a_run_and_only_where_something_is_sent() {
    let mut desk = Desk::new(2);
    let customer = desk.customer(0);
    desk.invoice(customer);
    desk.run("sync");
    let lists = |desk: &mut Desk| -> u64 {
        ["TaxType", "Item", "BankAccount"]
            .iter()
            .map(|list| desk.asked(&format!("GET {list}/Get")))
            .sum()
    };
    desk.pass(60);
    let (before, asked) = (lists(&mut desk), all_requests(&mut desk));
    desk.run("sync");
    assert_eq!(lists(&mut desk), before);
    assert!(all_requests(&mut desk) - asked <= 4);
    for place in 0..40 {
        desk.invoice(desk.customer(place % 2));
    }
    desk.credit_note(customer, json!({}));
    desk.run("sync");
    assert_eq!(lists(&mut desk), before + 2, "tax types and items");
}
