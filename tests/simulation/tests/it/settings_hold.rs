//! What a setting says holds in every job at once, and a changed setting or list brings back exactly what waited for it.

use mock_host::component::Crash;
use mock_host::{DeathPoint, Side};
use serde_json::{Value, json};

use crate::desk::{Desk, id_of, line};

/// Every job that could send or import something of a customer's, besides the customers' own.
const JOBS: [&str; 6] = [
    "export-invoices",
    "export-credit-notes",
    "export-payments",
    "import-payments",
    "import-all-payments",
    "sweep",
];

fn amounts(desk: &mut Desk) -> Vec<usize> {
    let sage = [
        "customers",
        "invoices",
        "returns",
        "receipts",
        "allocations",
    ];
    let mut all: Vec<usize> = sage
        .iter()
        .map(|list| desk.state(true, list).len())
        .collect();
    all.push(desk.state(false, "payments").len());
    all.push(desk.state(false, "bank_statements_records").len());
    all
}

/// A customer with something of every kind that is not on the other side yet.
fn busy() -> (Desk, i64, i64) {
    let mut desk = Desk::new(1);
    desk.set("create_payment_without_invoice", "on");
    let customer = desk.customer(0);
    let sent = desk.invoice(customer);
    desk.run("export-invoices");
    let paid = desk.payment(customer, "115.00", json!({"invoice_id": sent}));
    desk.invoice(customer);
    desk.credit_note(customer, json!({}));
    desk.receipt(customer, "2026-02-05", "20", &[]);
    (desk, customer, paid)
}

/// Whom the list names is left out by every job at once, whether or not the customers' job runs; taken off it, everything goes its way, without
/// that job as well.
#[test]
pub fn partners_to_leave_out_are_left_out_by_every_job_at_once() {
    for moved in [false, true] {
        for job in JOBS {
            let (mut desk, customer, _) = busy();
            if moved {
                desk.set("partners_ignore", "2");
                desk.splynx("customers", "update", customer, json!({"partner_id": 2}));
            } else {
                desk.set("partners_ignore", "1");
            }
            let before = amounts(&mut desk);
            desk.installation.preview(job).expect("it can be previewed");
            desk.run(job);
            let records = format!("customer:{customer}");
            let asked = [("records".to_owned(), records)];
            desk.installation
                .run_with("sync-records", &asked)
                .expect("it runs");
            assert_eq!(amounts(&mut desk), before, "{job}, moved: {moved}");
            desk.set("partners_ignore", "");
            for job in JOBS {
                desk.run(job);
            }
            let after = amounts(&mut desk);
            let more: Vec<usize> = before
                .iter()
                .zip(&after)
                .map(|(before, after)| after - before)
                .collect();
            // Customers, invoices, credit notes, receipts, allocations; payments and lines from Sage.
            assert_eq!(more, [0, 1, 1, 1, 1, 1, 1], "{job}, moved: {moved}");
        }
    }
}

fn item(desk: &mut Desk, id: i64, active: bool) {
    desk.sage("items", "update", id, json!({"Active": active}));
    desk.run("import-mapping");
}

/// A fix item that cannot be used holds the documents that need its line, and no other; once it can be used again these go.
#[test]
fn a_fix_item_that_is_gone_holds_only_what_needs_a_fix_line() {
    let mut desk = Desk::new(1);
    desk.set("fix_item_id", "2005");
    desk.set("use_inclusive_amounts", "off");
    item(&mut desk, 2005, false);
    let customer = desk.customer(0);
    let plain = desk.invoice(customer);
    // A total that its lines miss by a cent.
    let crooked = desk.invoice_of(
        customer,
        &[
            line("a", "1", "0.0333"),
            line("b", "1", "0.0333"),
            line("c", "1", "0.0333"),
        ],
        json!({}),
    );
    desk.run("export-invoices");
    assert_eq!(desk.standing("invoice", plain).0, "synced");
    assert_eq!(
        desk.standing("invoice", crooked),
        ("held".to_owned(), "mapping-stale".to_owned())
    );
    item(&mut desk, 2005, true);
    desk.run("export-invoices");
    assert_eq!(
        desk.standing("invoice", crooked).0,
        "synced",
        "{}",
        desk.told("invoice", crooked)
    );
}

/// What a stale mapping held goes once its target is there again, or another one is chosen: also where Sage had refused it before.
#[test]
fn what_waited_for_a_mapping_goes_once_it_is_cured() {
    for refused_before in [false, true] {
        let mut desk = Desk::new(1);
        let customer = desk.customer(0);
        let other = desk.isp.item_of(7).expect("fibre has an item");
        desk.set("item.7", &other.to_string());
        desk.run("import-mapping");
        let invoice = desk.invoice(customer);
        if refused_before {
            desk.with_fault(
                "sage",
                json!({"path": "TaxInvoice/Save"}),
                &json!({"status": {"code": 400}}),
            );
            desk.run("export-invoices");
            desk.without_faults();
            assert_eq!(
                desk.standing("invoice", invoice),
                ("held".to_owned(), "refused".to_owned())
            );
        }
        desk.sage("items", "update", other, json!({"Active": false}));
        desk.run("import-mapping");
        desk.run("export-invoices");
        assert_eq!(
            desk.standing("invoice", invoice),
            ("held".to_owned(), "mapping-stale".to_owned())
        );
        desk.run("sweep");
        assert_eq!(desk.standing("invoice", invoice).0, "held");
        item(&mut desk, other, true);
        desk.run("export-invoices");
        assert_eq!(
            desk.standing("invoice", invoice).0,
            "synced",
            "refused before: {refused_before}: {}",
            desk.told("invoice", invoice)
        );
    }
}

/// Invoices in Sage that exchange their numbers in Splynx: the place of the one whose number each has then. With the numbers before.
fn exchanging(turn: &[usize]) -> (Desk, Vec<i64>, Vec<Value>) {
    let mut desk = Desk::new(1);
    let customer = desk.customer(0);
    let ids: Vec<i64> = turn.iter().map(|_| desk.invoice(customer)).collect();
    desk.run("export-invoices");
    let mut number = |id: &i64| desk.in_sage(*id)["DocumentNumber"].clone();
    let numbers: Vec<Value> = ids.iter().map(&mut number).collect();
    for (place, id) in ids.iter().enumerate() {
        let aside = json!({"number": format!("TURN-{place}")});
        desk.splynx("invoices", "update", *id, aside);
    }
    for (place, id) in ids.iter().enumerate() {
        let number = json!({"number": numbers[turn[place]]});
        desk.splynx("invoices", "update", *id, number);
    }
    (desk, ids, numbers)
}

fn each_has_its_number(desk: &mut Desk, turn: &[usize], ids: &[i64], numbers: &[Value]) {
    for (place, id) in ids.iter().enumerate() {
        let told = desk.told("invoice", *id);
        assert_eq!(
            desk.standing("invoice", *id).0,
            "synced",
            "{turn:?}: {told}"
        );
        assert_eq!(desk.in_sage(*id)["DocumentNumber"], numbers[turn[place]]);
    }
    assert_eq!(desk.state(true, "invoices").len(), ids.len());
    let saved = desk.asked("POST TaxInvoice/Save");
    desk.run("export-invoices");
    assert_eq!(desk.asked("POST TaxInvoice/Save"), saved);
}

/// Two or three documents that exchange their numbers: each has its own in the end, in whatever order they are met.
#[test]
fn documents_that_exchange_their_numbers_have_each_other_s_in_the_end() {
    for turn in [vec![1, 0], vec![1, 2, 0], vec![2, 0, 1]] {
        let (mut desk, ids, numbers) = exchanging(&turn);
        for _ in 0..8 {
            desk.run("export-invoices");
        }
        each_has_its_number(&mut desk, &turn, &ids, &numbers);
    }
}

/// Wherever a run dies in the middle of an exchange, the next ones bring it to its end.
#[test]
fn an_exchange_of_numbers_can_die_at_any_call() {
    let turn = [1, 0];
    let mut places = 0;
    for (struck, side) in [0, 1].into_iter().flat_map(|run| {
        let sides = [Side::Before, Side::After];
        sides.map(|side| (run, side))
    }) {
        for call in 1.. {
            let (mut desk, ids, numbers) = exchanging(&turn);
            for _ in 0..struck {
                desk.run("export-invoices");
            }
            let death = DeathPoint { call, side };
            let ended = desk.installation.attempt("export-invoices", Some(death));
            if !matches!(ended, Err(Crash::Death(_))) {
                break;
            }
            places += 1;
            for _ in 0..6 {
                desk.pass(6);
                desk.run("export-invoices");
            }
            println!("run {struck}, call {call}, {side:?}");
            each_has_its_number(&mut desk, &turn, &ids, &numbers);
        }
    }
    assert!(places > 60, "{places} places");
}

/// A statement that somebody deletes takes nothing with it: what waits is listed in a new one, and what people paired there is not paid twice.
#[test]
fn a_deleted_statement_is_made_again_and_its_lines_are_listed_once_more() {
    let mut desk = Desk::new(1);
    let customer = desk.customer(0);
    let invoice = desk.invoice(customer);
    desk.run("export-invoices");
    let import = |desk: &mut Desk| desk.run("import-payments");
    desk.receipt(customer, "2026-02-05", "20", &[]);
    desk.receipt(customer, "2026-02-06", "115", &[]);
    import(&mut desk);
    let lines = desk.state(false, "bank_statements_records");
    assert_eq!(lines.len(), 2);
    let statement = id_of(&desk.state(false, "bank_statements")[0], "id");
    // A person pairs one line on Splynx's own screen, and deletes the statement with its lines.
    let number = desk
        .state(false, "invoices")
        .into_iter()
        .find(|row| row["id"] == json!(invoice))
        .expect("it is there")["number"]
        .clone();
    desk.splynx(
        "bank_statements_records",
        "pair",
        id_of(&lines[1], "id"),
        json!({"invoice_number": number, "payment_type": 2}),
    );
    for line in &lines {
        desk.splynx(
            "bank_statements_records",
            "delete",
            id_of(line, "id"),
            json!({}),
        );
    }
    desk.splynx("bank_statements", "delete", statement, json!({}));
    for _ in 0..3 {
        import(&mut desk);
        desk.run("export-payments");
    }
    let statements = desk.state(false, "bank_statements");
    assert_eq!(statements.len(), 1, "{statements:?}");
    let lines = desk.state(false, "bank_statements_records");
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert_eq!(lines[0]["bank_statements_process_id"], statements[0]["id"]);
    assert_eq!(
        desk.state(false, "payments").len(),
        1,
        "what was paired is paid once"
    );
    assert_eq!(
        desk.state(true, "receipts").len(),
        2,
        "and does not go to Sage again"
    );
    // The month goes on.
    desk.receipt(customer, "2026-02-07", "30", &[]);
    import(&mut desk);
    assert_eq!(desk.state(false, "bank_statements_records").len(), 2);
    assert_eq!(desk.state(false, "bank_statements").len(), 1);
}
