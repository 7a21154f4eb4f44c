//! Balances and allocations: their rules one by one, then the invariant under thousands of random acts.

use std::collections::BTreeMap;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rust_decimal::Decimal;
use sandbox::sage::Behaviour;
use serde_json::{Value, json};

use crate::desk::{BANK, Desk, amount, dec, document, receipt};

fn allocation(source: i64, target: i64, total: &str) -> Value {
    json!({"SourceDocumentId": source, "AllocatedToDocumentId": target, "Total": amount(total)})
}

#[test]
fn allocations_say_what_pays_what_and_move_no_balance() {
    let mut desk = Desk::new();
    let (customer, other) = (desk.customer("Someone"), desk.customer("Other"));
    let invoice = desk.invoice(customer, "100");
    let foreign = desk.invoice(other, "100");
    let money = desk.receipt(customer, "80");
    let credit = desk
        .post("CustomerReturn/Save", &document(customer, "15"))
        .id();
    let off = json!({"CustomerId": customer, "Date": "2031-05-14", "Total": 5});
    let off = desk.post("CustomerWriteOff/Save", &off).id();
    let of =
        |desk: &mut Desk, path: String, name: &str| desk.get(&path, &[]).body[name].to_string();
    let balance = |desk: &mut Desk| of(desk, format!("Customer/Get/{customer}"), "Balance");
    let due = |desk: &mut Desk| of(desk, format!("TaxInvoice/Get/{invoice}"), "AmountDue");
    let status = |desk: &mut Desk| of(desk, format!("TaxInvoice/Get/{invoice}"), "StatusId");
    assert_eq!(
        (balance(&mut desk), due(&mut desk), status(&mut desk)),
        ("0.0".into(), "100.0".into(), "1".into())
    );

    for (body, reason) in [
        (allocation(money, invoice, "0"), "greater than zero"),
        (allocation(money, invoice, "80.01"), "more than the source"),
        (allocation(money, foreign, "1"), "different customers"),
        (
            allocation(invoice, money, "1"),
            "source document does not exist",
        ),
        (
            allocation(money, credit, "1"),
            "allocated document does not exist",
        ),
        (
            json!({"SourceDocumentId": money}),
            "AllocatedToDocumentId field is required",
        ),
        (
            json!({"SourceDocumentId": credit, "AllocatedToDocumentId": invoice, "Total": 1, "Discount": 1}),
            "Only a receipt",
        ),
    ] {
        let answer = desk.post("Allocation/Save", &body);
        assert_eq!(answer.status, 400, "{body}");
        assert!(answer.text().contains(reason), "{body}: {}", answer.text());
    }
    let before = desk.stored();
    let batch = json!([
        allocation(money, invoice, "50"),
        allocation(credit, invoice, "15"),
        allocation(money, invoice, "31")
    ]);
    assert_eq!(
        desk.post("Allocation/SaveBatch", &batch).status,
        400,
        "50 + 31 is more than 80"
    );
    assert_eq!(desk.stored(), before, "all or nothing");
    let batch = json!([
        allocation(money, invoice, "50"),
        allocation(credit, invoice, "15"),
        allocation(off, invoice, "5")
    ]);
    let answer = desk.post("Allocation/SaveBatch", &batch);
    assert_eq!(answer.status, 200);
    let made: Vec<i64> = answer
        .body
        .as_array()
        .expect("rows")
        .iter()
        .map(|row| row["ID"].as_i64().expect("an id"))
        .collect();
    assert_eq!(
        (balance(&mut desk), due(&mut desk), status(&mut desk)),
        ("0.0".into(), "30.0".into(), "2".into())
    );
    assert_eq!(
        of(
            &mut desk,
            format!("CustomerReceipt/Get/{money}"),
            "TotalUnallocated"
        ),
        "30.0"
    );
    assert_eq!(
        of(
            &mut desk,
            format!("CustomerReturn/Get/{credit}"),
            "TotalUnallocated"
        ),
        "0.0"
    );

    // A settlement discount pays the rest, and is the only thing here that lowers the balance.
    let body = json!({"SourceDocumentId": money, "AllocatedToDocumentId": invoice, "Total": 28, "Discount": 2});
    let last = desk.post("Allocation/Save", &body);
    assert_eq!(
        (last.status, balance(&mut desk), status(&mut desk)),
        (200, "-2.0".into(), "3".into())
    );
    assert_eq!(
        of(&mut desk, format!("TaxInvoice/Get/{invoice}"), "Status"),
        "\"Paid\""
    );
    assert_eq!(
        desk.post("Allocation/Save", &allocation(money, invoice, "1"))
            .status,
        400,
        "nothing is due"
    );
    let mut changed = body.clone();
    changed["ID"] = json!(last.id());
    changed["Discount"] = json!(0);
    assert_eq!(
        (
            desk.post("Allocation/Save", &changed).status,
            balance(&mut desk)
        ),
        (200, "0.0".into())
    );

    // What is allocated holds its documents fast.
    let mut less = document(customer, "97");
    less["ID"] = json!(invoice);
    assert_eq!(desk.post("TaxInvoice/Save", &less).status, 400);
    less = document(other, "100");
    less["ID"] = json!(invoice);
    assert_eq!(desk.post("TaxInvoice/Save", &less).status, 400);
    let mut smaller = receipt(customer, "70");
    smaller["ID"] = json!(money);
    assert_eq!(desk.post("CustomerReceipt/Save", &smaller).status, 400);

    assert_eq!(
        desk.delete(&format!("Allocation/Delete/{}", made[0]))
            .status,
        204
    );
    assert_eq!(due(&mut desk), "52.0");
    let linked = desk
        .get(
            "Allocation/Get",
            &[("$filter", &format!("AllocatedToDocumentId eq {invoice}"))],
        )
        .body;
    assert_eq!(linked["TotalResults"], 3);
    assert_eq!(
        desk.delete(&format!("CustomerReceipt/Delete/{money}"))
            .status,
        204,
        "takes its allocations along"
    );
    assert_eq!(
        (due(&mut desk), balance(&mut desk)),
        ("80.0".into(), "80.0".into())
    );
}

#[test]
fn receipts_allocate_themselves_to_the_oldest_invoices_where_the_customer_says_so() {
    for works in [true, false] {
        let mut desk = Desk::with(Behaviour {
            auto_allocation: works,
            ..Behaviour::default()
        });
        let body = json!({"Name": "Auto", "Active": true, "AutoAllocateToOldestInvoice": true});
        let customer = desk.post("Customer/Save", &body).id();
        let mut young = document(customer, "50");
        young["Date"] = json!("2031-05-20");
        let young = desk.post("TaxInvoice/Save", &young).id();
        let old = desk.invoice(customer, "60");
        let money = desk
            .post("CustomerReceipt/Save", &receipt(customer, "80"))
            .body;
        assert_eq!(
            money["TotalUnallocated"].to_string(),
            if works { "0.0" } else { "80.0" }
        );
        let mut due =
            |id: i64| desk.get(&format!("TaxInvoice/Get/{id}"), &[]).body["AmountDue"].to_string();
        assert_eq!(
            (due(old).as_str(), due(young).as_str()),
            if works {
                ("0.0", "30.0")
            } else {
                ("60.0", "50.0")
            }
        );
    }
    for (switch, left) in [(false, "10.0"), (true, "0.0")] {
        let mut desk = Desk::with(Behaviour {
            returns_allocate: switch,
            ..Behaviour::default()
        });
        let customer = desk.customer("Someone");
        let invoice = desk.invoice(customer, "50");
        let mut credit = document(customer, "10");
        credit["FromDocumentId"] = json!(invoice);
        credit["FromDocumentTypeId"] = json!(1);
        let credit = desk.post("CustomerReturn/Save", &credit).body;
        assert_eq!(credit["TotalUnallocated"].to_string(), left);
    }
}

/// All sums of the state, recomputed from its documents alone.
fn audit(state: &Value) {
    let rows = |name: &str| {
        state[name]
            .as_array()
            .unwrap_or_else(|| panic!("no {name}"))
            .clone()
    };
    let id = |row: &Value, name: &str| {
        row[name]
            .as_i64()
            .unwrap_or_else(|| panic!("no {name} in {row}"))
    };
    let mut allocated: BTreeMap<i64, Decimal> = BTreeMap::new();
    let mut discounts: BTreeMap<i64, Decimal> = BTreeMap::new();
    for row in rows("allocations") {
        let (total, discount) = (dec(&row["Total"]), dec(&row["Discount"]));
        assert!(total > Decimal::ZERO && discount >= Decimal::ZERO);
        *allocated.entry(id(&row, "SourceDocumentId")).or_default() += total;
        *allocated
            .entry(id(&row, "AllocatedToDocumentId"))
            .or_default() += total + discount;
        *discounts.entry(id(&row, "SourceDocumentId")).or_default() += discount;
    }
    let of = |map: &BTreeMap<i64, Decimal>, key: i64| map.get(&key).copied().unwrap_or_default();
    let mut balances: BTreeMap<i64, Decimal> = BTreeMap::new();
    let mut bank = Decimal::ZERO;
    for (name, sign) in [
        ("opening_balances", 1),
        ("invoices", 1),
        ("returns", -1),
        ("receipts", -1),
        ("write_offs", -1),
        ("adjustments", 1),
    ] {
        for row in rows(name) {
            let void = row.get("StatusId").is_some_and(|status| *status == 4);
            let key = id(&row, "ID");
            let total = if void {
                Decimal::ZERO
            } else {
                dec(row.get("Total").unwrap_or(&row["Balance"]))
            };
            *balances.entry(id(&row, "CustomerId")).or_default() += total * Decimal::from(sign);
            if name == "receipts" {
                *balances.entry(id(&row, "CustomerId")).or_default() -= of(&discounts, key);
                bank += total;
            }
            if let Some(left) = row.get("TotalUnallocated").or(row.get("AmountDue")) {
                let left = dec(left);
                assert_eq!(left, total - of(&allocated, key), "{name} {row}");
                assert!(left >= Decimal::ZERO, "{row}");
                if name == "invoices" && !void {
                    let status = match (left.is_zero(), of(&allocated, key).is_zero()) {
                        (true, _) => 3,
                        (false, true) => 1,
                        (false, false) => 2,
                    };
                    assert_eq!(
                        (row["StatusId"].as_i64(), row["Paid"].as_bool()),
                        (Some(status), Some(status == 3))
                    );
                }
            }
        }
    }
    for customer in rows("customers") {
        assert_eq!(
            dec(&customer["Balance"]),
            of(&balances, id(&customer, "ID")),
            "{customer}"
        );
    }
    let account = rows("bank_accounts")
        .into_iter()
        .find(|row| row["ID"] == BANK)
        .expect("the account");
    assert_eq!(dec(&account["Balance"]), bank);
}

struct Random {
    rng: ChaCha8Rng,
    customers: Vec<i64>,
}

impl Random {
    fn one(&mut self, state: &Value, entity: &str) -> i64 {
        let rows = state[entity].as_array().expect("rows");
        match rows.len() {
            0 => 1,
            n => rows[self.rng.random_range(0..n)]["ID"]
                .as_i64()
                .expect("an id"),
        }
    }

    fn cents(&mut self) -> String {
        Decimal::new(self.rng.random_range(0..20_000), 2).to_string()
    }

    fn day(&mut self) -> Value {
        json!(format!("2031-05-{:02}", self.rng.random_range(1..=28)))
    }

    fn document(&mut self, state: &Value, entity: &str) -> Value {
        let customer = self.customers[self.rng.random_range(0..self.customers.len())];
        let mut body = document(customer, &self.cents());
        body["Date"] = self.day();
        if self.rng.random_ratio(1, 3) {
            body["ID"] = json!(self.one(state, entity));
        }
        if entity == "returns" && self.rng.random_ratio(1, 2) {
            body["FromDocumentId"] = json!(self.one(state, "invoices"));
        }
        body
    }

    fn money(&mut self, state: &Value, entity: &str) -> Value {
        let customer = self.customers[self.rng.random_range(0..self.customers.len())];
        let mut body = receipt(customer, &self.cents());
        body["Date"] = self.day();
        if self.rng.random_ratio(1, 4) {
            body["ID"] = json!(self.one(state, entity));
        }
        body
    }

    fn allocation(&mut self, state: &Value) -> Value {
        let source = ["receipts", "receipts", "returns", "write_offs"][self.rng.random_range(0..4)];
        let mut body = allocation(
            self.one(state, source),
            self.one(state, "invoices"),
            &self.cents(),
        );
        if self.rng.random_ratio(1, 3) {
            body["Discount"] = amount(&self.cents());
        }
        if self.rng.random_ratio(1, 5) {
            body["ID"] = json!(self.one(state, "allocations"));
        }
        body
    }

    /// One act of a client or of a bookkeeper; the status, where it has one.
    fn act(&mut self, desk: &mut Desk, state: &Value) -> u16 {
        let screen = |desk: &mut Desk, entity: &str, act: &str, id: i64| {
            let change = json!({"entity": entity, "act": act, "id": id, "fields": {}});
            if desk.edit(change).is_ok() { 200 } else { 400 }
        };
        match self.rng.random_range(0..100) {
            0..22 => {
                let body = self.document(state, "invoices");
                desk.post("TaxInvoice/Save", &body).status
            }
            22..30 => {
                let body = self.document(state, "returns");
                desk.post("CustomerReturn/Save", &body).status
            }
            30..48 => {
                let body = self.money(state, "receipts");
                desk.post("CustomerReceipt/Save", &body).status
            }
            48..52 => {
                let body = self.money(state, "write_offs");
                desk.post("CustomerWriteOff/Save", &body).status
            }
            52..70 => {
                let body = self.allocation(state);
                desk.post("Allocation/Save", &body).status
            }
            70..78 => {
                let rows = self.rng.random_range(1..5);
                let batch: Vec<Value> = (0..rows).map(|_| self.allocation(state)).collect();
                desk.post("Allocation/SaveBatch", &json!(batch)).status
            }
            78..83 => {
                let id = self.one(state, "allocations");
                desk.delete(&format!("Allocation/Delete/{id}")).status
            }
            83..86 => {
                let id = self.one(state, "receipts");
                desk.delete(&format!("CustomerReceipt/Delete/{id}")).status
            }
            86..88 => {
                let id = self.one(state, "write_offs");
                desk.delete(&format!("CustomerWriteOff/Delete/{id}")).status
            }
            88..91 => {
                let id = self.one(state, "invoices");
                screen(desk, "invoices", "void", id)
            }
            91..93 => {
                let id = self.one(state, "returns");
                screen(desk, "returns", "void", id)
            }
            93..95 => {
                let id = self.one(state, "invoices");
                screen(desk, "invoices", "delete", id)
            }
            95..97 => {
                let body = self.money(state, "adjustments");
                let change = json!({"entity": "adjustments", "act": "create", "fields": body});
                if desk.edit(change).is_ok() { 200 } else { 400 }
            }
            _ => {
                let customer = self.customers[self.rng.random_range(0..self.customers.len())];
                let body = json!({"CustomerId": customer, "Date": "2031-01-01", "Balance": amount(&self.cents())});
                desk.post("CustomerOpeningBalance/Save", &body).status
            }
        }
    }
}

#[test]
fn whatever_happens_the_balances_are_the_sums_of_the_documents() {
    for seed in 1..=6_u64 {
        println!("seed {seed}");
        let mut desk = Desk::with(Behaviour {
            returns_allocate: seed % 2 == 0,
            ..Behaviour::default()
        });
        let customers = (0..3)
            .map(|n| {
                let body = json!({"Name": format!("C{n}"), "Active": true, "AutoAllocateToOldestInvoice": n == 0});
                desk.post("Customer/Save", &body).id()
            })
            .collect();
        let mut random = Random {
            rng: ChaCha8Rng::seed_from_u64(seed),
            customers,
        };
        let (mut state, mut stored, mut refused) = (desk.stored(), 0, 0);
        for act in 0..300 {
            let status = random.act(&mut desk, &state);
            let after = desk.stored();
            if status >= 400 {
                assert_eq!(
                    after, state,
                    "seed {seed}, act {act}: refused with {status}, yet something changed"
                );
                refused += 1;
            } else {
                stored += 1;
            }
            audit(&after);
            state = after;
            desk.pass(1);
        }
        assert!(
            stored > 100 && refused > 40,
            "seed {seed}: {stored} stored, {refused} refused"
        );
    }
}
