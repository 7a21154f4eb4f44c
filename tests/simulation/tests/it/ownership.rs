//! Whose a document is: what people type, copy and edit in Sage is never taken for ours by its looks, and never overwritten.

use mock_host::MemoryStorage;
use serde_json::{Value, json};

use crate::desk::{Desk, dec, id_of, line, money};

fn standing(state: &str, code: &str) -> (String, String) {
    (state.to_owned(), code.to_owned())
}

/// A bookkeeper's own document; `more` over the usual fields.
fn typed(desk: &mut Desk, entity: &str, customer: i64, price: &str, more: &Value) -> i64 {
    let mut fields = json!({"CustomerId": desk.sage_customer(customer), "Date": "2026-02-01", "DueDate": "2026-02-01", "Inclusive": true,
        "Lines": [{"LineType": 0, "SelectionId": 2001, "TaxTypeId": 301, "Description": "By hand", "Quantity": 1, "UnitPriceInclusive": price}]});
    for (name, value) in more.as_object().expect("fields") {
        fields[name] = value.clone();
    }
    id_of(&desk.sage(entity, "create", 0, fields), "ID")
}

/// A receipt as the bank names it.
fn banked(desk: &mut Desk, customer: i64, date: &str, total: &str, reference: &str) -> i64 {
    let receipt = desk.receipt(customer, date, total, &[]);
    desk.sage(
        "receipts",
        "update",
        receipt,
        json!({"Reference": reference}),
    );
    receipt
}

fn row(desk: &mut Desk, of_sage: bool, entity: &str, id: i64) -> Option<Value> {
    let field = if of_sage { "ID" } else { "id" };
    let mut rows = desk.state(of_sage, entity).into_iter();
    rows.find(|row| row[field] == json!(id))
}

/// What a person sees of a document.
fn face(desk: &mut Desk, entity: &str, id: i64) -> Vec<String> {
    let row = row(desk, true, entity, id).expect("it is in Sage");
    ["CustomerId", "Date", "DocumentNumber", "Total", "Reference"]
        .map(|field| row[field].to_string())
        .to_vec()
}

fn loses_its_database(desk: &mut Desk) {
    desk.installation.host().storage = MemoryStorage::default();
    desk.run("export-customers");
}

/// What Sage has besides the documents of these ids.
fn others(desk: &mut Desk, entity: &str, known: &[i64]) -> Vec<Value> {
    let mut rows = desk.state(true, entity);
    rows.retain(|row| !known.contains(&id_of(row, "ID")));
    rows
}

/// One of each kind of document of ours.
fn document(desk: &mut Desk, kind: &str, customer: i64) -> i64 {
    match kind {
        "invoice" => desk.invoice_of(
            customer,
            &[line("Fibre", "1", "100")],
            json!({"date_created": "2026-02-03"}),
        ),
        _ => desk.credit_note(customer, json!({})),
    }
}

const KINDS: [(&str, &str, &str, char); 2] = [
    ("invoice", "invoices", "export-invoices", 'I'),
    ("credit-note", "returns", "export-credit-notes", 'C'),
];

/// A flat, a box, a case number: what ends as an earlier version's key is anybody's text. It is neither paired nor overwritten, whatever
/// number our document has, also after the database was lost, and ours goes out beside it.
#[test]
pub fn a_strangers_document_that_ends_like_an_old_key_stays_a_strangers() {
    for (kind, entity, job, letter) in KINDS {
        for numbers in ["on", "off"] {
            let mut desk = Desk::new(2);
            desk.set("use_system_document_number", numbers);
            let (customer, other) = (desk.customer(0), desk.customer(1));
            let id = document(&mut desk, kind, customer);
            let flat = json!({"Reference": format!("Flat {letter}{id}")});
            let stranger = typed(&mut desk, entity, other, "5000", &flat);
            // The same customer's, of another day and amount.
            let box_ = json!({"Reference": format!("Box {letter}{id}"), "Date": "2026-01-07"});
            let second = typed(&mut desk, entity, customer, "77", &box_);
            let before = [stranger, second].map(|id| face(&mut desk, entity, id));
            desk.run(job);
            assert_eq!(
                desk.standing(kind, id),
                standing("synced", ""),
                "{kind} {numbers}"
            );
            if kind == "invoice" {
                desk.reprice(id, "200");
                desk.run(job);
                let key = format!("{letter}{id}");
                let ours = desk.keyed(&key).expect("ours is in Sage");
                assert_eq!(money(&ours["Total"]), dec("230"));
            }
            loses_its_database(&mut desk);
            desk.run(job);
            assert_eq!(
                desk.standing(kind, id),
                standing("synced", ""),
                "{kind} {numbers}"
            );
            let after = [stranger, second].map(|id| face(&mut desk, entity, id));
            assert_eq!(after, before);
            assert_eq!(others(&mut desk, entity, &[stranger, second]).len(), 1);
        }
    }
}

/// An earlier version's document is ours where customer, day and total agree, however many strangers end like it.
#[test]
pub fn what_an_earlier_version_made_is_known_by_its_key_with_what_agrees() {
    for (kind, entity, job, letter) in KINDS {
        let mut desk = Desk::new(2);
        desk.set("use_system_document_number", "off");
        let (customer, other) = (desk.customer(0), desk.customer(1));
        let id = document(&mut desk, kind, customer);
        let date = "2026-02-03";
        let old = json!({"Reference": format!("202602 {letter}{id}"), "Date": date});
        typed(&mut desk, entity, other, "5000", &old);
        let ours = typed(&mut desk, entity, customer, "115", &old);
        desk.run(job);
        assert_eq!(desk.standing(kind, id), standing("synced", ""), "{kind}");
        assert_eq!(desk.state(true, entity).len(), 2, "nothing was made");
        let pair = desk
            .installation
            .host()
            .storage
            .value("record", &format!("{kind}/{id:012}"));
        let pair: Value = serde_json::from_str(pair.expect("a record")).expect("JSON");
        assert_eq!(pair["remote"]["id"], json!(ours));
        // Somebody changed its day since, or it was changed in Splynx: nobody knows, so a person says.
        let mut desk = Desk::new(1);
        desk.set("use_system_document_number", "off");
        let customer = desk.customer(0);
        let id = document(&mut desk, kind, customer);
        let old = json!({"Reference": format!("202602 {letter}{id}"), "Date": date});
        let there = typed(&mut desk, entity, customer, "120", &old);
        desk.run(job);
        assert_eq!(desk.standing(kind, id), standing("held", "differs-in-sage"));
        assert!(
            desk.installation
                .host()
                .storage
                .value("remote", &format!("TaxInvoice/{there}"))
                .is_none()
        );
        desk.decide("retry", kind, id, "");
        desk.run(job);
        assert_eq!(desk.standing(kind, id), standing("synced", ""), "{kind}");
        assert_eq!(desk.state(true, entity).len(), 2);
    }
}

/// Bookkeepers copy documents, and the reference goes along. The copy is another document: ours is not doubled because of it, and it is
/// neither adopted nor changed, also where the database is lost, the original was made first, and the mark is written in small letters.
#[test]
pub fn a_copy_bears_the_mark_and_is_another_document() {
    for (kind, entity, job, letter) in KINDS {
        for (what, change) in [
            ("another customer", json!({"CustomerId": "other"})),
            ("another day", json!({"Date": "2026-02-27"})),
            ("the same in everything", json!({})),
            ("another price", json!({"price": "9"})),
            (
                "small letters",
                json!({"Date": "2026-02-27", "small": true}),
            ),
        ] {
            let mut desk = Desk::new(2);
            desk.set("use_system_document_number", "off");
            let (customer, other) = (desk.customer(0), desk.customer(1));
            let id = document(&mut desk, kind, customer);
            desk.run(job);
            let ours = desk.keyed(&format!("{letter}{id}")).expect("it is in Sage");
            let mut reference = ours["Reference"].as_str().expect("a text").to_owned();
            if change["small"] == json!(true) {
                reference = format!("{} ", reference.to_lowercase());
            }
            let mut more = json!({"Reference": reference, "Date": ours["Date"]});
            if let Some(date) = change.get("Date") {
                more["Date"] = date.clone();
            }
            let whose = if change.get("CustomerId").is_some() {
                other
            } else {
                customer
            };
            let price = change["price"].as_str().unwrap_or("115");
            let copy = typed(&mut desk, entity, whose, price, &more);
            let before = face(&mut desk, entity, copy);
            let mine = id_of(&ours, "ID");
            for lost in [false, true] {
                if lost {
                    loses_its_database(&mut desk);
                }
                desk.run(job);
                assert_eq!(
                    desk.standing(kind, id),
                    standing("synced", ""),
                    "{kind}, {what}"
                );
                if kind == "invoice" {
                    let price = if lost { "300" } else { "100.0000" };
                    desk.reprice(id, price);
                    desk.run(job);
                    let total = if lost { "345" } else { "115" };
                    let ours = row(&mut desk, true, entity, mine).expect("ours");
                    assert_eq!(money(&ours["Total"]), dec(total), "{what}");
                }
                assert_eq!(face(&mut desk, entity, copy), before, "{kind}, {what}");
                assert_eq!(others(&mut desk, entity, &[mine, copy]), [] as [Value; 0]);
            }
        }
    }
}

/// Where only a copy is left, or ours was changed beyond recognition while the database was lost, a person decides, both ways; nothing is
/// paired before.
#[test]
pub fn what_bears_our_mark_and_differs_is_held_unpaired_and_decided_both_ways() {
    for (kind, entity, job, letter) in KINDS {
        for decision in ["link", "retry"] {
            for change in [
                json!({"Date": "2026-02-20"}),
                json!({"CustomerId": "other"}),
            ] {
                let mut desk = Desk::new(2);
                desk.set("use_system_document_number", "off");
                let (customer, other) = (desk.customer(0), desk.customer(1));
                let id = document(&mut desk, kind, customer);
                desk.run(job);
                let ours = id_of(&desk.keyed(&format!("{letter}{id}")).expect("there"), "ID");
                let mut fields = change.clone();
                if change.get("CustomerId").is_some() {
                    fields["CustomerId"] = json!(desk.sage_customer(other));
                }
                desk.sage(entity, "update", ours, fields);
                loses_its_database(&mut desk);
                desk.run(job);
                assert_eq!(desk.standing(kind, id), standing("held", "differs-in-sage"));
                let paired = desk.installation.host().storage.tables();
                let paired: usize = paired
                    .filter(|(name, _)| *name == "remote")
                    .flat_map(|(_, rows)| rows.values())
                    .filter(|record| record.starts_with(kind))
                    .count();
                assert_eq!(paired, 0, "{kind} {change}");
                desk.decide(decision, kind, id, &ours.to_string());
                desk.run(job);
                desk.run(job);
                assert_eq!(
                    desk.standing(kind, id),
                    standing("synced", ""),
                    "{decision}"
                );
                let made = if decision == "link" { 1 } else { 2 };
                assert_eq!(desk.state(true, entity).len(), made, "{kind} {decision}");
            }
        }
    }
}

/// Before an update what is there is compared with what we saw there last: what a person changed in Sage meanwhile is not overwritten, but
/// held, paired, with the difference; both ways out work, and a retry is not asked for twice.
#[test]
pub fn what_a_person_changed_in_sage_is_not_overwritten_without_a_persons_word() {
    for (what, change) in [
        ("date", json!({"Date": "2026-02-09"})),
        ("total", json!({"price": "500"})),
        ("customer", json!({"CustomerId": "other"})),
        ("reference", json!({"Reference": "Agreed with Ms Botha"})),
        ("number", json!({"DocumentNumber": "BOOK-7"})),
    ] {
        for decision in ["retry", "done", "link", "undo"] {
            let mut desk = Desk::new(2);
            let (customer, other) = (desk.customer(0), desk.customer(1));
            let id = document(&mut desk, "invoice", customer);
            desk.export_invoices();
            let ours = desk.in_sage(id);
            let there = id_of(&ours, "ID");
            let mut fields = change.clone();
            if change.get("CustomerId").is_some() {
                fields["CustomerId"] = json!(desk.sage_customer(other));
            }
            if change.get("price").is_some() {
                fields = json!({"Lines": [{"LineType": 0, "SelectionId": 2001, "TaxTypeId": 301, "Description": "By hand", "Quantity": 1,
                    "UnitPriceInclusive": 500, "UnitPriceExclusive": 434.78}]});
            }
            desk.sage("invoices", "update", there, fields);
            let theirs = face(&mut desk, "invoices", there);
            desk.reprice(id, "200");
            for _ in 0..2 {
                desk.export_invoices();
                assert_eq!(
                    desk.standing("invoice", id),
                    standing("held", "edited-in-sage"),
                    "{what}"
                );
            }
            assert!(
                desk.told("invoice", id).contains(what),
                "{}",
                desk.told("invoice", id)
            );
            assert_eq!(face(&mut desk, "invoices", there), theirs, "{what}");
            if decision == "undo" {
                desk.reprice(id, "100.0000");
            } else {
                desk.decide(decision, "invoice", id, &there.to_string());
            }
            desk.export_invoices();
            let state = if decision == "done" {
                "done-by-hand"
            } else {
                "synced"
            };
            assert_eq!(desk.standing("invoice", id).0, state, "{what} {decision}");
            let now = face(&mut desk, "invoices", there);
            if decision == "retry" {
                assert_eq!(now[3], "230.0", "{what}: {now:?}");
                assert_eq!(now[0], ours["CustomerId"].to_string());
                desk.reprice(id, "300");
                desk.export_invoices();
                assert_eq!(
                    desk.standing("invoice", id),
                    standing("synced", ""),
                    "{what}"
                );
            } else {
                assert_eq!(now, theirs, "{what} {decision}");
            }
            assert_eq!(desk.state(true, "invoices").len(), 1);
        }
    }
}

/// Two Splynx servers on one Sage company give the same ids, and neither needs a tag to leave the other's documents alone.
#[test]
pub fn two_splynx_servers_on_one_company_leave_each_others_documents_alone() {
    let mut one = Desk::new(2);
    let mut two = Desk::new(2);
    two.set("splynx_api_domain", "https://other.example/");
    loses_its_database(&mut two);
    for desk in [&mut one, &mut two] {
        desk.set("use_system_document_number", "off");
    }
    let whose = [one.customer(0), two.customer(1)];
    let ids = [one.invoice(whose[0]), two.invoice(whose[1])];
    assert_eq!(ids[0], ids[1], "servers count alike");
    for round in 0..3 {
        let sage = one.installation.world().sage.clone();
        two.installation.world().sage = sage;
        two.export_invoices();
        two.run("sync");
        let sage = two.installation.world().sage.clone();
        one.installation.world().sage = sage;
        one.export_invoices();
        one.run("sync");
        for desk in [&mut one, &mut two] {
            assert_eq!(desk.standing("invoice", ids[0]), standing("synced", ""));
            desk.reprice(ids[0], &format!("{}", 200 + round));
        }
    }
    assert_eq!(one.state(true, "invoices").len(), 2);
    let payments = one.state(false, "payments").len() + two.state(false, "payments").len();
    assert_eq!(payments, 0);
}

/// What the bank writes of a receipt often ends like a flat or a box. Such receipts are imported like all others, they are met as possible
/// duplicates, and a payment whose id they name goes to Sage.
#[test]
pub fn a_receipt_whose_reference_ends_like_an_old_key_is_a_receipt_like_any_other() {
    let mut desk = Desk::new(2);
    desk.set("create_payment_without_invoice", "on");
    let (customer, other) = (desk.customer(0), desk.customer(1));
    let first = desk.payment(customer, "50", json!({}));
    let named = banked(
        &mut desk,
        other,
        "2026-02-03",
        "300",
        &format!("Unit P{first}"),
    );
    let boxed = banked(&mut desk, customer, "2026-02-04", "70", "PO BOX P77");
    let same = desk.payment(customer, "70", json!({}));
    desk.run("export-payments");
    assert_eq!(desk.standing("payment", first), standing("synced", ""));
    assert_eq!(
        desk.standing("payment", same),
        standing("held", "possible-duplicate"),
        "the same money, perhaps"
    );
    desk.decide("link", "payment", same, &boxed.to_string());
    for _ in 0..2 {
        desk.run("import-payments");
        desk.run("export-payments");
    }
    assert_eq!(desk.standing("receipt", named), standing("synced", ""));
    let payments = desk.state(false, "payments");
    assert_eq!(
        payments.len(),
        3,
        "the named one came, the linked one did not"
    );
    assert_eq!(desk.state(true, "receipts").len(), 3);
}

/// A copy of our receipt is money of its own and is imported; ours is not, whether it bears today's mark or an earlier version's, also with the
/// import first and the database lost.
#[test]
pub fn our_own_receipts_never_come_back_and_a_copy_of_one_does() {
    let mut desk = Desk::new(1);
    desk.set("create_payment_without_invoice", "on");
    let customer = desk.customer(0);
    let new = desk.payment(customer, "50", json!({}));
    desk.run("export-payments");
    let reference = desk.state(true, "receipts")[0]["Reference"].clone();
    let copy = banked(
        &mut desk,
        customer,
        "2026-02-20",
        "50",
        reference.as_str().expect("a text"),
    );
    let old = desk.payment(customer, "61", json!({}));
    banked(
        &mut desk,
        customer,
        "2026-02-04",
        "61",
        &format!("2026 P{old}"),
    );
    for lost in [false, true] {
        if lost {
            loses_its_database(&mut desk);
        }
        for _ in 0..2 {
            desk.run("import-payments");
            desk.run("export-payments");
            desk.run("import-all-payments");
        }
        for id in [new, old] {
            assert_eq!(
                desk.standing("payment", id),
                standing("synced", ""),
                "{lost}"
            );
        }
        assert_eq!(
            desk.standing("receipt", copy),
            standing("synced", ""),
            "{lost}"
        );
        let amounts: Vec<String> = desk
            .state(false, "payments")
            .iter()
            .map(|row| money(&row["amount"]).to_string())
            .collect();
        assert_eq!(amounts.len(), 3, "lost: {lost}, {amounts:?}");
        assert_eq!(desk.state(true, "receipts").len(), 3);
    }
}

/// Gateways name receipts too. A number that begins like our keys goes to Sage like all others; an earlier version's key is one where its
/// receipt is in Sage and agrees.
#[test]
pub fn a_payment_whose_number_begins_like_our_keys_goes_to_sage() {
    let mut desk = Desk::new(2);
    desk.set("create_payment_without_invoice", "on");
    let (customer, other) = (desk.customer(0), desk.customer(1));
    let receipt = desk.receipt(customer, "2026-02-17", "115", &[]);
    let numbered = |desk: &mut Desk, whose: i64, date: &str, amount: &str, number: String| {
        desk.payment(
            whose,
            amount,
            json!({"receipt_number": number, "date": date}),
        )
    };
    let gateway = numbered(
        &mut desk,
        customer,
        "2026-02-05",
        "40",
        format!("SAGE-{}", 12_345),
    );
    let with_line = numbered(
        &mut desk,
        customer,
        "2026-02-05",
        "41",
        "SAGE-12345-1".to_owned(),
    );
    let other_day = numbered(
        &mut desk,
        customer,
        "2026-02-05",
        "42",
        format!("SAGE-{receipt}-1"),
    );
    let not_theirs = numbered(
        &mut desk,
        other,
        "2026-02-17",
        "43",
        format!("SAGE-{receipt}-2"),
    );
    let echo = numbered(
        &mut desk,
        customer,
        "2026-02-17",
        "115",
        format!("SAGE-{receipt}-3"),
    );
    desk.run("export-payments");
    for id in [gateway, with_line, other_day, not_theirs] {
        assert_eq!(desk.standing("payment", id), standing("synced", ""), "{id}");
    }
    assert_eq!(
        desk.standing("payment", echo),
        standing("skipped", "came-from-sage")
    );
    assert_eq!(desk.state(true, "receipts").len(), 5);
    // A receipt's reference is no document number.
    let slip = desk.payment(customer, "12", json!({"receipt_number": "slip 1"}));
    desk.run("export-payments");
    assert_eq!(desk.standing("payment", slip), standing("synced", ""));
}
