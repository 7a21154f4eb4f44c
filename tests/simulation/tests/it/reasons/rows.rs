//! One row a reason: what makes it, what its cure says, and how that is done.

use serde_json::json;

use crate::desk::{Desk, id_of, line, with};

/// A record: kind and Splynx's id.
pub type Record = (&'static str, i64);

pub struct Cure {
    pub code: &'static str,
    /// What the cure tells people, in its own words.
    pub says: &'static str,
    pub make: fn(&mut Desk) -> Record,
    pub cure: fn(&mut Desk, Record),
    /// Where it stands in the end.
    pub then: &'static str,
}

/// The first customer's unpaid invoice.
fn invoice(desk: &mut Desk) -> Record {
    ("invoice", desk.invoice(desk.customer(0)))
}

fn invoice_of(desk: &mut Desk, more: serde_json::Value) -> Record {
    let items = [with(line("Fibre", "1", "100.0000"), more)];
    (
        "invoice",
        desk.invoice_of(desk.customer(0), &items, json!({})),
    )
}

/// The first line of an invoice becomes another one.
fn correct(desk: &mut Desk, (_, id): Record, fields: serde_json::Value) {
    let invoices = desk.state(false, "invoices");
    let row = invoices.iter().find(|row| row["id"] == json!(id));
    let first = row.expect("it is there")["items"][0]["id"].clone();
    let items = json!([with(json!({"id": first}), fields)]);
    desk.splynx("invoices", "update", id, json!({ "items": items }));
}

/// Splynx does not tell these fields, and tells all others.
fn hide(desk: &mut Desk, fields: serde_json::Value) {
    desk.splynx(
        "behaviour",
        "update",
        0,
        json!({ "missing_fields": fields }),
    );
}

fn retry(desk: &mut Desk, (kind, id): Record) {
    desk.decide("retry", kind, id, "");
}

pub const CURES: &[Cure] = &[
    Cure {
        code: "mapping-missing",
        says: "under \"Categories and items\" on the page Mappings (item.7)",
        make: |desk| {
            desk.set("item.7", "");
            invoice(desk)
        },
        cure: |desk, _| desk.set("item.7", "2007"),
        then: "synced",
    },
    Cure {
        code: "mapping-stale",
        says: "Press \"Import mapping settings\", then choose again under \"Categories and items\"",
        make: |desk| {
            desk.sage("items", "update", 2007, json!({"Active": false}));
            desk.run("import-mapping");
            invoice(desk)
        },
        cure: |desk, _| {
            desk.run("import-mapping");
            desk.set("item.7", "2005");
        },
        then: "synced",
    },
    Cure {
        code: "period-locked",
        says: "Move the lockdown date in Sage",
        make: |desk| {
            let closed = json!({"LockProcessing": true, "LockProcessingDate": "2026-02-28"});
            desk.sage("company", "update", 0, closed);
            invoice(desk)
        },
        cure: |desk, _| {
            let earlier = json!({"LockProcessingDate": "2026-01-31"});
            desk.sage("company", "update", 0, earlier);
        },
        then: "synced",
    },
    Cure {
        code: "other-currency",
        says: "Give the customer in Sage the company's currency",
        make: |desk| {
            desk.sage("company", "update", 0, json!({"HomeCurrencyId": 5}));
            let customer = desk.sage_customer(desk.customer(0));
            desk.sage("customers", "update", customer, json!({"CurrencyId": 7}));
            invoice(desk)
        },
        cure: |desk, _| {
            let customer = desk.sage_customer(desk.customer(0));
            desk.sage("customers", "update", customer, json!({"CurrencyId": 5}));
        },
        then: "synced",
    },
    Cure {
        code: "tax-rate-differs",
        says: "under \"Taxes\" on the page Mappings (tax.1@14)",
        make: |desk| invoice_of(desk, json!({"tax": "14.0000"})),
        cure: |desk, _| desk.set("tax.1@14", "303"),
        then: "synced",
    },
    Cure {
        code: "tax-missing",
        says: "Give the line a tax in Splynx, then retry.",
        make: |desk| invoice_of(desk, json!({"tax": "9.0000", "tax_id": null})),
        cure: |desk, record| {
            correct(desk, record, json!({"tax": "15.0000", "tax_id": 1}));
            retry(desk, record);
        },
        then: "synced",
    },
    Cure {
        code: "tax-unknown",
        says: "Press \"Import mapping settings\", then choose a Sage tax type for it under \"Taxes\"",
        make: |desk| {
            desk.run("import-mapping");
            let made = desk.splynx(
                "taxes",
                "create",
                0,
                json!({"name": "New VAT", "rate": "15.0000"}),
            );
            let tax = id_of(&made, "id");
            invoice_of(desk, json!({ "tax_id": tax }))
        },
        cure: |desk, _| {
            desk.run("import-mapping");
            let taxes = desk.state(false, "taxes");
            let made = taxes.iter().find(|row| row["name"] == "New VAT");
            let id = id_of(made.expect("it was made"), "id");
            desk.set(&format!("tax.{id}"), "301");
        },
        then: "synced",
    },
    Cure {
        code: "fix-item-tax",
        says: "Give the item a tax type for sales in Sage, then press \"Import mapping settings\".",
        make: |desk| {
            desk.sage("tax_types", "update", 302, json!({"Active": false}));
            desk.sage("items", "update", 2005, json!({"TaxTypeIdSales": null}));
            desk.set("fix_item_id", "2005");
            desk.set("use_inclusive_amounts", "off");
            desk.run("import-mapping");
            // Lines that miss the total by a cent.
            let lines = ["a", "b", "c"].map(|text| line(text, "1", "0.0333"));
            (
                "invoice",
                desk.invoice_of(desk.customer(0), &lines, json!({})),
            )
        },
        cure: |desk, _| {
            desk.sage("items", "update", 2005, json!({"TaxTypeIdSales": 301}));
            desk.run("import-mapping");
        },
        then: "synced",
    },
    Cure {
        code: "payment-deleted",
        says: "Enter the payment in Splynx again, or delete the receipt in Sage; then mark this as done.",
        make: |desk| {
            let (_, id) = invoice(desk);
            desk.run("sync");
            let receipt = desk.receipt(
                desk.customer(0),
                "2026-02-05",
                "115.00",
                &[(id, "115.00", "0")],
            );
            desk.run("sync");
            let payments = desk.state(false, "payments");
            desk.splynx("payments", "delete", id_of(&payments[0], "id"), json!({}));
            desk.run("sweep");
            ("receipt", receipt)
        },
        cure: |desk, (kind, id)| {
            desk.sage("receipts", "delete", id, json!({}));
            desk.decide("done", kind, id, "");
        },
        then: "done-by-hand",
    },
    Cure {
        code: "end-skipped",
        says: "Add the method to \"Methods to send to Sage\"",
        make: unsent_money,
        cure: |desk, _| desk.set("payments_push_methods", "1,2"),
        then: "synced",
    },
    Cure {
        code: "relation-gone",
        says: "Splynx no longer settles the one with the other.",
        make: |desk| {
            let relation = unsent_money(desk);
            desk.run("sync");
            let payments = desk.state(false, "payments");
            desk.splynx("payments", "delete", id_of(&payments[0], "id"), json!({}));
            desk.run("sweep");
            relation
        },
        cure: |_, _| {},
        then: "skipped",
    },
    Cure {
        code: "differs-in-sage",
        says: "if not, retry: that sends the record anew.",
        make: |desk| {
            let (kind, id) = invoice(desk);
            let customer = desk.sage_customer(desk.customer(0));
            let lines = json!([{"LineType": 0, "SelectionId": 2001, "TaxTypeId": 301, "Description": "By hand", "Quantity": 1,
                "UnitPriceInclusive": 90}]);
            let reference = format!("copied I{id}");
            desk.sage(
                "invoices",
                "create",
                0,
                json!({"CustomerId": customer, "Date": "2026-02-01", "DueDate": "2026-02-01",
                "Inclusive": true, "Reference": reference, "Lines": lines}),
            );
            (kind, id)
        },
        cure: |desk, record| retry(desk, record),
        then: "synced",
    },
    Cure {
        code: "gone-in-sage",
        says: "\"Never send\"",
        make: |desk| {
            let (kind, id) = invoice(desk);
            desk.run("sync");
            let there = id_of(&desk.in_sage(id), "ID");
            desk.sage("invoices", "delete", there, json!({}));
            desk.reprice(id, "200.0000");
            (kind, id)
        },
        cure: |desk, (kind, id)| desk.decide("exclude", kind, id, ""),
        then: "do-not-send",
    },
    Cure {
        code: "customer-not-synced",
        says: "Export the customers; if this one is held, cure that first.",
        make: |desk| {
            desk.set("customer_category.person", "999");
            desk.set("customer_category.company", "999");
            let made = json!({"name": "Late", "login": "late", "category": "person", "partner_id": 1, "location_id": 1, "status": "active"});
            let customer = id_of(&desk.splynx("customers", "create", 0, made), "id");
            ("invoice", desk.invoice(customer))
        },
        cure: |desk, _| {
            desk.set("customer_category.person", "");
            desk.set("customer_category.company", "");
        },
        then: "synced",
    },
    Cure {
        code: "no-name",
        says: "put {id} or {login} into the \"Name pattern\"",
        make: |desk| {
            desk.set("customer_name_pattern", "{email}");
            ("customer", nameless(desk))
        },
        cure: |desk, _| desk.set("customer_name_pattern", "{email} {id}"),
        then: "synced",
    },
    Cure {
        code: "name-shared",
        says: "switch \"Make names unique\" on",
        make: |desk| {
            customer_named(desk, "Twins");
            ("customer", customer_named(desk, "Twins"))
        },
        cure: |desk, _| desk.set("make_names_unique", "on"),
        then: "synced",
    },
    Cure {
        code: "unpaired",
        says: "\"None of Sage's: create\"",
        make: |desk| {
            let id = desk.customer(0);
            let row = id.to_string();
            let done = desk.installation.act("pairing", "unpair", &[&row], &[]);
            done.expect("it is paired");
            ("customer", id)
        },
        cure: |desk, (_, id)| {
            desk.set("make_names_unique", "on");
            let row = id.to_string();
            let done = desk.installation.act("pairing", "create", &[&row], &[]);
            done.expect("it waits");
        },
        then: "synced",
    },
    Cure {
        code: "partner-ignored",
        says: "Take the partner out of \"Partners to leave out\"",
        make: |desk| {
            desk.set("partners_ignore", "1");
            ("customer", customer_named(desk, "Of a partner"))
        },
        cure: |desk, _| desk.set("partners_ignore", ""),
        then: "synced",
    },
    Cure {
        code: "customer-skipped",
        says: "Take the partner out of \"Partners to leave out\"",
        make: |desk| {
            desk.set("partners_ignore", "1");
            let customer = customer_named(desk, "Of a partner");
            ("invoice", desk.invoice(customer))
        },
        cure: |desk, _| desk.set("partners_ignore", ""),
        then: "synced",
    },
    Cure {
        code: "method-not-pushed",
        says: "Add the method to \"Methods to send to Sage\"",
        make: |desk| {
            desk.set("payments_direction", "to_sage");
            desk.set("payments_push_methods", "1");
            (
                "payment",
                desk.payment(desk.customer(0), "10.00", json!({})),
            )
        },
        cure: |desk, _| desk.set("payments_push_methods", "1,2"),
        then: "synced",
    },
    Cure {
        code: "direction",
        says: "Choose another \"Direction\"",
        make: |desk| {
            desk.set("payments_direction", "from_sage");
            (
                "payment",
                desk.payment(desk.customer(0), "10.00", json!({})),
            )
        },
        cure: |desk, _| desk.set("payments_direction", "both"),
        then: "synced",
    },
    Cure {
        code: "refund",
        says: "Record the refund in Sage by hand, then mark this as done.",
        make: |desk| {
            (
                "payment",
                desk.payment(desk.customer(0), "-10.00", json!({})),
            )
        },
        cure: |desk, (kind, id)| desk.decide("done", kind, id, ""),
        then: "done-by-hand",
    },
    Cure {
        code: "invoice-not-synced",
        says: "Export the invoices; if this one is held, cure that first.",
        make: |desk| {
            desk.set("item.7", "");
            let (_, id) = invoice(desk);
            let payment = desk.payment(desk.customer(0), "115.00", json!({ "invoice_id": id }));
            ("payment", payment)
        },
        cure: |desk, _| desk.set("item.7", "2007"),
        then: "synced",
    },
    Cure {
        code: "no-lines",
        says: "Give it lines in Splynx: then it goes by itself.",
        make: |desk| {
            let (kind, id) = invoice(desk);
            hide(desk, json!([["invoices", "items"]]));
            (kind, id)
        },
        cure: |desk, record| {
            hide(desk, json!([]));
            correct(desk, record, json!({"price": "200.0000"}));
        },
        then: "synced",
    },
    Cure {
        code: "deleted-after-sync",
        says: "Reverse it in Sage, if that is meant; then mark this as done.",
        make: |desk| {
            let (kind, id) = invoice(desk);
            desk.run("sync");
            desk.splynx("invoices", "update", id, json!({"status": "deleted"}));
            (kind, id)
        },
        cure: |desk, (kind, id)| {
            let there = id_of(&desk.in_sage(id), "ID");
            desk.sage("invoices", "delete", there, json!({}));
            desk.decide("done", kind, id, "");
        },
        then: "done-by-hand",
    },
    Cure {
        code: "number-exchanged",
        says: "Else give one of them another number in Splynx.",
        make: |desk| {
            let (kind, first) = invoice(desk);
            let (_, second) = invoice(desk);
            desk.run("sync");
            let number = desk.in_sage(second)["DocumentNumber"].clone();
            desk.splynx("invoices", "update", first, json!({ "number": number }));
            (kind, first)
        },
        cure: |desk, (_, first)| {
            desk.splynx("invoices", "update", first, json!({"number": "FREE-1"}));
        },
        then: "synced",
    },
    Cure {
        code: "category-missing",
        says: "Give the line a category in Splynx, then retry.",
        make: |desk| {
            hide(desk, json!([["transactions", "category"]]));
            invoice_of(desk, json!({"categoryIdForTransaction": null}))
        },
        cure: |desk, record| {
            correct(desk, record, json!({"categoryIdForTransaction": 7}));
            retry(desk, record);
        },
        then: "synced",
    },
    Cure {
        code: "lines-differ",
        says: "Correct the document in Splynx.",
        make: |desk| {
            let (kind, id) = invoice(desk);
            let mut rows = desk.state(false, "invoices");
            rows[0]["total"] = json!("500.0000");
            let told = json!({"status": {"code": 200, "body": json!(rows).to_string()}});
            let list = json!({"method": "GET", "path": "admin/finance/invoices", "nth": 1});
            desk.with_fault("splynx", list, &told);
            (kind, id)
        },
        cure: |desk, record| {
            desk.without_faults();
            correct(desk, record, json!({"price": "200.0000"}));
        },
        then: "synced",
    },
    Cure {
        code: "name-taken",
        says: "switch \"Make names unique\" on",
        make: |desk| {
            let theirs = json!({"Name": "Taken", "Active": true, "Email": "other@x.example"});
            desk.sage("customers", "create", 0, theirs);
            let id = customer_named(desk, "Taken");
            desk.run("sync");
            let row = id.to_string();
            let done = desk.installation.act("pairing", "create", &[&row], &[]);
            done.expect("it is proposed");
            ("customer", id)
        },
        cure: |desk, _| desk.set("make_names_unique", "on"),
        then: "synced",
    },
    Cure {
        code: "number-taken",
        says: "give this one a new number in Splynx",
        make: |desk| {
            let (kind, id) = invoice(desk);
            let invoices = desk.state(false, "invoices");
            let customer = desk.sage_customer(desk.customer(1));
            let lines = json!([{"LineType": 0, "SelectionId": 2001, "TaxTypeId": 301, "Description": "By hand", "Quantity": 1,
                "UnitPriceInclusive": 90}]);
            let theirs = json!({"CustomerId": customer, "Date": "2026-02-01", "DueDate": "2026-02-01", "Inclusive": true,
                "DocumentNumber": invoices[0]["number"], "Lines": lines});
            desk.sage("invoices", "create", 0, theirs);
            (kind, id)
        },
        cure: |desk, (_, id)| {
            desk.splynx("invoices", "update", id, json!({"number": "FREE-2"}));
        },
        then: "synced",
    },
    Cure {
        code: "already-paired",
        says: "Delete the document in Sage, then retry",
        make: |desk| {
            let (kind, first) = invoice(desk);
            desk.run("sync");
            let number = desk.in_sage(first)["DocumentNumber"].clone();
            desk.splynx("invoices", "delete", first, json!({}));
            let items = [line("Fibre", "1", "100.0000")];
            let again = json!({ "number": number });
            (kind, desk.invoice_of(desk.customer(0), &items, again))
        },
        cure: |desk, record| {
            let there = desk.state(true, "invoices");
            desk.sage("invoices", "delete", id_of(&there[0], "ID"), json!({}));
            retry(desk, record);
        },
        then: "synced",
    },
    Cure {
        code: "end-differs",
        says: "Cure that first. Move the lockdown date in Sage",
        make: |desk| {
            let (_, id) = invoice(desk);
            desk.run("sync");
            let closed = json!({"LockProcessing": true, "LockProcessingDate": "2026-02-01"});
            desk.sage("company", "update", 0, closed);
            desk.reprice(id, "300.0000");
            desk.payment(desk.customer(0), "345.00", json!({ "invoice_id": id }));
            let relations = desk.state(false, "invoice_relations");
            ("allocation", id_of(&relations[0], "id"))
        },
        cure: |desk, _| {
            desk.sage("company", "update", 0, json!({"LockProcessing": false}));
        },
        then: "synced",
    },
    Cure {
        code: "end-not-ours",
        says: "its money came from Sage",
        make: |desk| {
            desk.set("bank_account.2", "");
            desk.set("default_bank_account", "");
            let (_, id) = invoice(desk);
            desk.payment(desk.customer(0), "115.00", json!({ "invoice_id": id }));
            desk.run("sync");
            desk.set("payment_method_id", "2");
            let relations = desk.state(false, "invoice_relations");
            ("allocation", id_of(&relations[0], "id"))
        },
        cure: |_, _| {},
        then: "skipped",
    },
    Cure {
        code: "allocated-otherwise",
        says: "Correct the allocation in Sage, then mark this one as done.",
        make: |desk| {
            let (_, id) = invoice(desk);
            let payment = desk.payment(desk.customer(0), "115.00", json!({ "invoice_id": id }));
            let save = json!({"method": "POST", "path": "Allocation/"});
            desk.with_fault(
                "sage",
                save,
                &json!({"status": {"code": 500, "before": true}}),
            );
            let _ = desk.installation.run("sync");
            desk.without_faults();
            let receipt = desk.keyed(&format!("P{payment}")).expect("it went");
            desk.allocate(id_of(&receipt, "ID"), id, "50", "0");
            desk.pass(10);
            let relations = desk.state(false, "invoice_relations");
            ("allocation", id_of(&relations[0], "id"))
        },
        cure: |desk, (kind, id)| {
            let allocations = desk.state(true, "allocations");
            let made = id_of(&allocations[0], "ID");
            let (source, target) = ("SourceDocumentId", "AllocatedToDocumentId");
            let ends = json!({source: allocations[0][source], target: allocations[0][target], "Total": "115", "Discount": "0"});
            desk.sage("allocations", "delete", made, json!({}));
            desk.sage("allocations", "create", 0, ends);
            desk.decide("done", kind, id, "");
        },
        then: "done-by-hand",
    },
    Cure {
        code: "paid-twice",
        says: "in Splynx, then mark this as done.",
        make: |desk| {
            let (_, id) = invoice(desk);
            desk.run("sync");
            let receipt = desk.receipt(desk.customer(0), "2026-02-17", "115", &[]);
            desk.run("import-payments");
            desk.set("create_payment_without_invoice", "on");
            let pay = json!({"method": "POST", "path": "finance/payments"});
            desk.with_fault("splynx", pay, &json!("drop-after"));
            let _ = desk.installation.run("import-payments");
            desk.without_faults();
            let invoices = desk.state(false, "invoices");
            let row = invoices.iter().find(|row| row["id"] == json!(id));
            let number = row.expect("it is there")["number"].clone();
            let records = desk.state(false, "bank_statements_records");
            let by_hand = json!({"invoice_number": number, "payment_type": 3});
            desk.splynx(
                "bank_statements_records",
                "pair",
                id_of(&records[0], "id"),
                by_hand,
            );
            desk.pass(10);
            ("receipt", receipt)
        },
        cure: |desk, (kind, id)| {
            let told = desk.told(kind, id);
            let named = told.split("Delete payment ").nth(1).expect("it is named");
            let again = named.split(' ').next().and_then(|id| id.parse().ok());
            desk.splynx("payments", "delete", again.expect("an id"), json!({}));
            desk.decide("done", kind, id, "");
        },
        then: "done-by-hand",
    },
    Cure {
        code: "end-in-doubt",
        says: "Decide about the invoice first.",
        make: |desk| {
            let backup = desk.installation.world().splynx.clone();
            invoice(desk);
            desk.run("sync");
            desk.pass(3 * 24 * 60 + 7);
            desk.installation.world().splynx = backup;
            let items = [line("Other", "1", "300.0000")];
            let other = desk.invoice_of(desk.customer(0), &items, json!({"number": "B-1"}));
            desk.payment(desk.customer(0), "345.00", json!({ "invoice_id": other }));
            let relations = desk.state(false, "invoice_relations");
            ("allocation", id_of(&relations[0], "id"))
        },
        cure: |desk, _| {
            let invoices = desk.state(false, "invoices");
            let other = invoices.iter().find(|row| row["number"] == "B-1");
            let other = id_of(other.expect("it was made"), "id");
            desk.decide("another", "invoice", other, "");
        },
        then: "synced",
    },
];

/// What settles an invoice with a payment whose method is not sent.
fn unsent_money(desk: &mut Desk) -> Record {
    desk.set("payments_direction", "to_sage");
    desk.set("payments_push_methods", "1");
    let (_, id) = invoice(desk);
    desk.payment(desk.customer(0), "115.00", json!({ "invoice_id": id }));
    let relations = desk.state(false, "invoice_relations");
    ("allocation", id_of(&relations[0], "id"))
}

fn customer_named(desk: &mut Desk, name: &str) -> i64 {
    let login = format!("login{}", desk.state(false, "customers").len());
    let made = json!({"name": name, "login": login, "category": "person", "partner_id": 1, "location_id": 1,
        "status": "active", "email": format!("{login}@x.example")});
    id_of(&desk.splynx("customers", "create", 0, made), "id")
}

fn nameless(desk: &mut Desk) -> i64 {
    let id = customer_named(desk, "Nobody");
    desk.splynx("customers", "update", id, json!({"email": ""}));
    id
}
