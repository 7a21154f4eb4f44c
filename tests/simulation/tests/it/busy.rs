//! Two services in which everything has happened since the last sync: each job of the add-on finds something to do.

use serde_json::json;
use splynx_sageone::capability::Pair;

use crate::desk::{Desk, line, with};

/// The last sync was the day before.
pub fn busy() -> Desk {
    let mut desk = Desk::new(5);
    let [first, second, third, fourth] = [0, 1, 2, 3].map(|place| desk.customer(place));
    desk.set("create_payment_without_invoice", "on");
    desk.set("import_payments_from", "2026-02-10");
    let [changed, deleted, open, refused] = [1, 2, 3, 4].map(|_| desk.invoice(first));
    let note = desk.credit_note(second, json!({"number": "CN 1"}));
    let pay = |desk: &mut Desk, customer: i64, amount: &str, number: &str, more| {
        desk.payment(
            customer,
            amount,
            with(json!({"receipt_number": number}), more),
        )
    };
    let edited = pay(&mut desk, third, "40", "R1", json!({}));
    let gone = pay(&mut desk, fourth, "50", "R2", json!({}));
    let paid = desk.invoice(fourth);
    desk.run("sync");

    desk.splynx("customers", "update", first, json!({"city": "Ceres"}));
    desk.splynx("customers", "update", second, json!({"category": "lead"}));
    desk.reprice(changed, "200");
    desk.splynx("invoices", "delete", deleted, json!({}));
    desk.splynx("credit_notes", "update", note, json!({"status": "deleted"}));
    desk.splynx("payments", "update", edited, json!({"amount": "41"}));
    desk.splynx("payments", "delete", gone, json!({}));
    // More is allocated to it in Sage than it will be worth.
    desk.receipt(first, "2026-02-02", "115", &[(refused, "115", "0")]);
    desk.reprice(refused, "10");
    let new = desk.invoice(third);
    desk.invoice_of(
        third,
        &[with(line("Group", "1", "1"), json!({"tax_id": 3}))],
        json!({}),
    );
    desk.invoice_of(third, &[line("Nothing", "1", "0")], json!({}));
    desk.credit_note(third, json!({"number": "CN 2"}));
    pay(&mut desk, third, "150", "R3", json!({"invoice_id": new}));
    pay(&mut desk, fourth, "115", "R4", json!({"invoice_id": paid}));
    pay(&mut desk, third, "-5", "R5", json!({}));
    desk.receipt(first, "2026-02-17", "120", &[(open, "115", "0")]);
    desk.receipt(first, "2026-02-18", "7", &[]);

    // A bookkeeper has typed in a document of each kind under Splynx's number, and a customer.
    for (entity, in_splynx, id) in [
        ("invoices", "invoices", desk.invoice(fourth)),
        (
            "returns",
            "credit_notes",
            desk.credit_note(fourth, json!({"number": "CN 3"})),
        ),
    ] {
        let rows = desk.state(false, in_splynx);
        let row = rows
            .iter()
            .find(|row| row["id"] == json!(id))
            .expect("it is there");
        let date = row["date_created"].clone();
        let fields = json!({"CustomerId": desk.sage_customer(fourth), "Date": date, "DueDate": date, "Inclusive": true,
            "DocumentNumber": row["number"], "Lines": [{"LineType": 0, "SelectionId": 2001, "TaxTypeId": 301,
            "Description": "By hand", "Quantity": 1, "UnitPriceInclusive": 115}]});
        desk.sage(entity, "create", 0, fields);
    }
    desk.sage(
        "customers",
        "create",
        0,
        json!({"Name": "Typed in", "ContactName": "Typed in"}),
    );
    let fields = json!({"name": "Somebody new", "login": "new", "category": "person", "partner_id": 1, "location_id": 1,
        "status": "active", "email": "new@new.example"});
    desk.splynx("customers", "create", 0, fields);
    desk.pass(24 * 60);
    desk
}

/// What a person would give a job in that world.
pub fn options(desk: &mut Desk, job: &str) -> Vec<Pair> {
    match job {
        "import-pairing" => pairing(desk),
        "sync-records" => records(desk),
        _ => Vec::new(),
    }
}

/// Everything that Splynx has.
fn records(desk: &mut Desk) -> Vec<Pair> {
    let mut names = Vec::new();
    for (entity, kind) in [
        ("customers", "customer"),
        ("invoices", "invoice"),
        ("credit_notes", "credit-note"),
        ("payments", "payment"),
    ] {
        let rows = desk.state(false, entity);
        names.extend(rows.iter().map(|row| format!("{kind}:{}", row["id"])));
    }
    vec![("records".to_owned(), names.join(","))]
}

fn pairing(desk: &mut Desk) -> Vec<Pair> {
    let customers = desk.state(true, "customers");
    let typed = customers.iter().find(|row| row["Name"] == "Typed in");
    let new = desk.state(false, "customers");
    let new = new.iter().find(|row| row["login"] == "new");
    let csv = format!(
        "splynx_id,sage_id\n{},{}\n77,88\n",
        new.expect("it is there")["id"],
        typed.expect("it is there")["ID"]
    );
    vec![("csv".to_owned(), csv)]
}
