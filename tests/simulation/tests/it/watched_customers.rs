//! Customers are watched in Sage like what they are sent: what bookkeepers change there of what Splynx fills in, or delete.

use serde_json::{Value, json};

use crate::desk::Desk;
use crate::watch::{DAY, standing, synced, watch};

/// What a customer of ours is in Sage.
fn customer_there(desk: &mut Desk, id: i64) -> Value {
    let customers = desk.state(true, "customers");
    let customer = customers.into_iter().find(|row| row["ID"] == json!(id));
    customer.expect("Sage has it")
}

/// What a bookkeeper changes of a customer, of what Splynx fills in, is listed within a day and not overwritten without a word; documents go
/// on meanwhile, and undone it is in step again. What belongs to Sage's users is never a reason.
#[test]
pub fn what_a_bookkeeper_changes_of_a_customer_is_listed_and_not_overwritten() {
    let edited = standing("held", "edited-in-sage");
    for (field, value, told) in [
        ("Name", json!("Karoo Wool (Pty) Ltd"), "Karoo Wool"),
        ("ContactName", json!("Kim"), "contact name"),
        ("Email", json!("books@karoo.example"), "e-mail"),
        ("TaxReference", json!("4010101010"), "VAT number"),
        ("Telephone", json!("023 555 0199"), "telephone"),
        ("PostalAddress01", json!("14 Long Road"), "address"),
        ("PostalAddress02", json!("Ceres"), "address"),
        ("PostalAddress05", json!("6835"), "address"),
        ("Active", json!(false), "inactive"),
    ] {
        println!("{field}");
        let mut desk = Desk::new(1);
        let customer = desk.customer(0);
        let there = desk.sage_customer(customer);
        let before = customer_there(&mut desk, there)[field].clone();
        desk.sage("customers", "update", there, json!({field: value}));
        watch(&mut desk);
        assert_eq!(desk.standing("customer", customer), edited);
        let text = desk.told("customer", customer);
        assert!(text.contains(told), "{text}");
        desk.splynx("customers", "update", customer, json!({"city": "Prieska"}));
        watch(&mut desk);
        assert_eq!(customer_there(&mut desk, there)[field], value);
        assert_eq!(desk.standing("customer", customer), edited);
        if field != "Active" {
            let invoice = desk.invoice(customer);
            desk.run("sync");
            assert_eq!(desk.standing("invoice", invoice), synced());
        }
        desk.decide("retry", "customer", customer, "");
        desk.run("sync");
        assert_eq!(desk.standing("customer", customer), synced());
        assert_eq!(
            customer_there(&mut desk, there)["PostalAddress02"],
            json!("Prieska")
        );
        if field != "PostalAddress02" {
            assert_eq!(customer_there(&mut desk, there)[field], before);
        }
        watch(&mut desk);

        // Undone, or left as Sage has it.
        let before = customer_there(&mut desk, there)[field].clone();
        desk.sage("customers", "update", there, json!({field: value}));
        watch(&mut desk);
        desk.sage("customers", "update", there, json!({field: before}));
        watch(&mut desk);
        assert_eq!(desk.standing("customer", customer), synced());
        desk.sage("customers", "update", there, json!({field: value}));
        watch(&mut desk);
        desk.decide("done", "customer", customer, "");
        watch(&mut desk);
        assert_eq!(desk.standing("customer", customer).0, "done-by-hand");
        assert_eq!(customer_there(&mut desk, there)[field], value);
    }
    let mut desk = Desk::new(1);
    let customer = desk.customer(0);
    let there = desk.sage_customer(customer);
    let theirs = json!({"Mobile": "083 555 0100", "Category": {"ID": 72}, "PostalAddress03": "Box 7", "CreditLimit": 1500.5, "OnHold": true,
        "TextField1": "VIP", "DefaultTaxTypeId": 302, "EnableCustomerZone": false, "AcceptsElectronicInvoices": false, "Fax": "021 555 0199"});
    desk.sage("customers", "update", there, theirs);
    watch(&mut desk);
    assert_eq!(desk.standing("customer", customer), synced());
    desk.splynx("customers", "update", customer, json!({"city": "Prieska"}));
    desk.run("sync");
    assert_eq!(desk.standing("customer", customer), synced());
    let after = customer_there(&mut desk, there);
    assert_eq!(after["PostalAddress02"], json!("Prieska"));
    assert_eq!(after["Mobile"], json!("083 555 0100"));
}

/// A customer that is deleted in Sage is listed within a day, what is for it waits, and a person's word makes it again, once. One whose
/// name and address somebody has typed in again is taken.
#[test]
pub fn a_customer_that_is_deleted_in_sage_is_listed_and_made_again_by_a_persons_word() {
    for is_typed_again in [false, true] {
        let mut desk = Desk::new(1);
        let customer = desk.customer(0);
        let there = desk.sage_customer(customer);
        let row = customer_there(&mut desk, there);
        desk.sage("customers", "delete", there, json!({}));
        watch(&mut desk);
        let gone = standing("held", "gone-in-sage");
        assert_eq!(desk.standing("customer", customer), gone);
        let invoice = desk.invoice(customer);
        watch(&mut desk);
        let waits = standing("held", "customer-not-synced");
        assert_eq!(desk.standing("invoice", invoice), waits);
        if is_typed_again {
            let like = json!({"Name": row["Name"], "ContactName": row["ContactName"], "Email": row["Email"]});
            desk.sage("customers", "create", 0, like);
        }
        desk.decide("retry", "customer", customer, "");
        for _ in 0..2 {
            desk.run("sync");
            desk.pass(6);
        }
        assert_eq!(desk.standing("customer", customer), synced());
        assert_eq!(desk.standing("invoice", invoice), synced());
        let customers = desk.state(true, "customers");
        let same = customers
            .iter()
            .filter(|other| other["Name"] == row["Name"]);
        assert_eq!(same.count(), 1);
        // What was typed in lacks what only Splynx says: the next full look brings it.
        desk.pass(DAY);
        desk.run("sync");
        watch(&mut desk);
    }
}
