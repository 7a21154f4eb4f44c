//! Lists: the envelope, the filter grammar, order, paging, and what happens where Sage may not support a filter.

use std::cmp::Ordering;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use sandbox::sage::Behaviour;
use sandbox::sage::behaviour::Filtering;
use serde_json::{Value, json};

use crate::desk::{Desk, ITEM, SALES_ACCOUNT, amount, dec, document, receipt};

fn names(answer: &Value) -> Vec<String> {
    let rows = answer["Results"]
        .as_array()
        .unwrap_or_else(|| panic!("no list: {answer}"));
    rows.iter()
        .map(|row| row["Name"].as_str().unwrap_or_default().to_owned())
        .collect()
}

fn filtered(desk: &mut Desk, path: &str, filter: &str) -> Result<Vec<i64>, String> {
    let answer = desk.get(path, &[("$filter", filter), ("$orderby", "ID")]);
    match answer.status {
        200 => {
            let rows = answer.body["Results"].as_array().expect("rows");
            Ok(rows
                .iter()
                .map(|row| row["ID"].as_i64().expect("an id"))
                .collect())
        }
        400 => Err(answer.text().to_owned()),
        status => panic!("{status} for {filter}"),
    }
}

#[test]
fn the_filter_grammar_that_clients_use_and_nothing_beyond_it() {
    let mut desk = Desk::new();
    for (name, active, text) in [
        ("O'Brien & Sons", true, "A-77/1"),
        ("Zoë van Wyk", false, "b-12"),
        ("Example (Pty) Ltd", true, ""),
        ("Zoë and more", true, "x a-77 y"),
    ] {
        let body = json!({"Name": name, "Active": active, "TextField1": text, "CreditLimit": 10});
        desk.post("Customer/Save", &body);
        desk.pass(60);
    }
    let all = filtered(&mut desk, "Customer/Get", "ID gt 0").expect("a list");
    let [a, b, c, d] = all.as_slice() else {
        panic!("four customers")
    };
    let (a, b, c, d) = (*a, *b, *c, *d);
    let cases: Vec<(String, Option<Vec<i64>>)> = vec![
        ("Name eq 'O''Brien & Sons'".into(), Some(vec![a])),
        ("Name eq 'zoë VAN wyk'".into(), Some(vec![b])),
        ("Name eq 'Example (Pty) Ltd'".into(), Some(vec![c])),
        ("Name ne 'Example (Pty) Ltd'".into(), Some(vec![a, b, d])),
        ("Active eq true".into(), Some(vec![a, c, d])),
        ("Active ne true".into(), Some(vec![b])),
        ("indexof(TextField1,'A-77') ge 0".into(), Some(vec![a, d])),
        ("indexof(TextField1,'A-77') eq 2".into(), Some(vec![d])),
        ("indexof( TextField1 , 'A-77' ) lt 0".into(), Some(vec![b])),
        ("TextField1 eq null".into(), Some(vec![c])),
        (
            "TextField1 ne null and Active eq true".into(),
            Some(vec![a, d]),
        ),
        (format!("ID eq {a} or ID eq {d}"), Some(vec![a, d])),
        (format!("ID gt {a} and ID le {c}"), Some(vec![b, c])),
        (
            format!("ID lt {b} or Active eq false or ID ge {d}"),
            Some(vec![a, b, d]),
        ),
        (
            format!("(ID eq {a} or ID eq {b}) and Active eq false"),
            Some(vec![b]),
        ),
        (
            format!("ID eq {a} or ID eq {b} and Active eq false"),
            Some(vec![a, b]),
        ),
        ("ID gt 5 and ID lt 4".into(), Some(vec![])),
        ("CreditLimit eq 10.0M".into(), Some(all.clone())),
        ("CreditLimit gt -0.5".into(), Some(all.clone())),
        (
            "Modified ge datetime'2031-05-14T09:05:00'".into(),
            Some(vec![c, d]),
        ),
        ("Modified ge DateTime'2031-05-14'".into(), Some(all.clone())),
        (
            "Modified lt dateTime'2031-05-14T09:04:21Z'".into(),
            Some(vec![a]),
        ),
        // Not in the grammar, or not in the entity.
        ("name eq 'x'".into(), None),
        ("Nonsense eq 1".into(), None),
        ("Name eq 5".into(), None),
        ("ID eq '5'".into(), None),
        ("Active eq 1".into(), None),
        ("Modified ge '2031-05-14'".into(), None),
        ("Category eq null".into(), None),
        ("Name eq 'open".into(), None),
        ("(ID eq 5".into(), None),
        ("ID eq 5)".into(), None),
        ("ID eq".into(), None),
        ("ID".into(), None),
        ("ID like 5".into(), None),
        ("ID eq 5 AND Active eq true".into(), None),
        ("not (ID eq 5)".into(), None),
        ("startswith(Name,'Z".into(), None),
        ("indexof(ID,'5') ge 0".into(), None),
        ("Modified ge datetime'yesterday'".into(), None),
        ("ID eq 99999999999999999999999999999999999".into(), None),
        ("(".repeat(10_000), None),
        (format!("{}ID eq 5", "ID eq 5 or ".repeat(10_000)), None),
    ];
    for (filter, expected) in cases {
        assert_eq!(
            filtered(&mut desk, "Customer/Get", &filter).ok(),
            expected,
            "{filter}"
        );
    }
}

/// What is remembered from page to page is what counting anew would find, whatever happens between two pages.
#[test]
fn each_page_of_a_list_that_goes_on_by_id_says_how_many_are_left() {
    let mut desk = Desk::new();
    let customer = desk.customer("Ann");
    let make = |desk: &mut Desk, day: u32| {
        let mut invoice = document(customer, "100");
        invoice["Date"] = json!(format!("2026-03-{day:02}T00:00:00"));
        desk.post_numbered("TaxInvoice/Save", &invoice);
    };
    for n in 0..450 {
        make(&mut desk, n % 28 + 1);
    }
    let dated = "Date ge datetime'2026-03-08T00:00:00'";
    let page = |desk: &mut Desk, filter: &str| {
        let query = [("$filter", filter), ("$orderby", "ID")];
        let body = desk.get("TaxInvoice/Get", &query).body;
        let rows = body["Results"].as_array().expect("rows");
        let last = rows.last().and_then(|row| row["ID"].as_i64());
        (body["TotalResults"].as_u64().expect("a count"), last)
    };
    for (condition, changes) in [("", false), (dated, false), ("", true), (dated, true)] {
        let (mut above, mut pages) = (0, 0);
        loop {
            let and = if condition.is_empty() { "" } else { " and " };
            let (total, last) = page(&mut desk, &format!("ID gt {above}{and}{condition}"));
            // The same in other words, of which nothing is remembered.
            let anew = format!("(ID gt {above}){and}{condition}");
            assert_eq!(page(&mut desk, &anew), (total, last), "{condition} {pages}");
            let Some(last) = last else { break };
            (above, pages) = (last, pages + 1);
            if changes && pages == 2 {
                make(&mut desk, 1);
                make(&mut desk, 20);
            }
        }
        assert!(pages > 3, "{pages}");
    }
}

#[test]
fn pages_hold_a_hundred_at_most_and_say_how_many_there_are() {
    let mut desk = Desk::new();
    for n in 0..257 {
        desk.customer(&format!("Customer {:03}", 256 - n));
    }
    let page = |desk: &mut Desk, query: &[(&str, &str)]| {
        let body = desk.get("Customer/Get", query).body;
        let counts = (
            body["TotalResults"].as_u64().expect("a count"),
            body["ReturnedResults"].as_u64().expect("a count"),
        );
        (counts, names(&body))
    };
    let (counts, first) = page(&mut desk, &[("$orderby", "ID"), ("$top", "1000")]);
    assert_eq!((counts, first[0].as_str()), ((257, 100), "Customer 256"));
    let (counts, last) = page(&mut desk, &[("$orderby", "ID"), ("$skip", "200")]);
    assert_eq!(
        (counts, last.len(), last[56].as_str()),
        ((257, 57), 57, "Customer 000")
    );
    assert_eq!(
        page(&mut desk, &[("$orderby", "ID"), ("$skip", "300")]).0,
        (257, 0)
    );
    let (_, by_name) = page(&mut desk, &[("$orderby", "Name"), ("$top", "2")]);
    assert_eq!(by_name, ["Customer 000", "Customer 001"]);
    let (_, down) = page(
        &mut desk,
        &[
            ("$orderby", "Active desc,Name desc"),
            ("$top", "1"),
            ("$skip", "1"),
        ],
    );
    assert_eq!(down, ["Customer 255"]);
    let (_, unordered) = page(&mut desk, &[("$top", "1")]);
    desk.customer("Newcomer");
    assert_ne!(
        page(&mut desk, &[("$top", "1")]).1,
        unordered,
        "without an order, pages shift"
    );

    let selected = desk
        .get(
            "Customer/Get",
            &[("$select", "ID, Name"), ("$top", "1"), ("$orderby", "ID")],
        )
        .body;
    let row = selected["Results"][0].as_object().expect("a row");
    assert_eq!(row.keys().collect::<Vec<_>>(), ["ID", "Name"]);
    for (option, value) in [
        ("$top", "-1"),
        ("$top", "ten"),
        ("$skip", "-5"),
        ("$orderby", "Nonsense"),
        ("$orderby", "Name sideways"),
        ("$orderby", "Category"),
        ("$select", "ID,Nonsense"),
    ] {
        assert_eq!(
            desk.get("Customer/Get", &[(option, value)]).status,
            400,
            "{option}={value}"
        );
    }
    assert_eq!(
        desk.get(
            "Customer/Get",
            &[("$expand", "Category"), ("$inlinecount", "allpages")]
        )
        .status,
        200
    );
}

#[test]
fn string_and_modified_filters_work_are_ignored_find_nothing_or_fail() {
    let expected = |support| match support {
        Filtering::Works => Some(1),
        Filtering::Ignored => Some(2),
        Filtering::Empty => Some(0),
        Filtering::Refused => None,
    };
    for support in [
        Filtering::Works,
        Filtering::Ignored,
        Filtering::Empty,
        Filtering::Refused,
    ] {
        let mut desk = Desk::with(Behaviour {
            string_filters: support,
            ..Behaviour::default()
        });
        let (one, two) = (desk.customer("One"), desk.customer("Two"));
        let count = |desk: &mut Desk, filter: &str| {
            filtered(desk, "Customer/Get", filter)
                .ok()
                .map(|rows| rows.len())
        };
        assert_eq!(count(&mut desk, "Name eq 'One'"), expected(support));
        assert_eq!(
            count(&mut desk, "indexof(Name,'One') ge 0"),
            expected(support)
        );
        assert_eq!(
            count(&mut desk, &format!("ID eq {one} or ID eq {two}")),
            Some(2),
            "numbers always work"
        );
        let within = count(&mut desk, &format!("ID eq {two} and Name eq 'Two'"));
        assert_eq!(
            within,
            expected(support).map(|n| n.min(1)),
            "the other terms still hold"
        );

        let mut desk = Desk::with(Behaviour {
            modified_filters: support,
            ..Behaviour::default()
        });
        desk.customer("Old");
        desk.pass(60);
        desk.customer("New");
        assert_eq!(
            count(&mut desk, "Modified ge datetime'2031-05-14T09:04:00'"),
            expected(support)
        );
        assert_eq!(count(&mut desk, "Name eq 'New'"), Some(1));
    }
}

#[test]
fn details_come_only_when_asked_for_and_nulls_never() {
    let mut desk = Desk::new();
    let customer = desk.customer("Someone");
    let invoice = desk.invoice(customer, "999.00");
    desk.post("CustomerReturn/Save", &document(customer, "10"));
    desk.receipt(customer, "5");
    for service in ["TaxInvoice", "CustomerReturn"] {
        let path = format!("{service}/Get");
        let row = desk.get(&path, &[]).body["Results"][0].clone();
        assert!(row.get("Lines").is_none() && row.get("Customer").is_none());
        let query = [
            ("includeDetail", "true"),
            ("includecustomerdetails", "True"),
        ];
        let row = desk.get(&path, &query).body["Results"][0].clone();
        assert_eq!(row["Lines"].as_array().map(Vec::len), Some(1));
        assert_eq!(row["Customer"]["Name"], "Someone");
        assert_eq!(desk.get(&path, &[("includeDetail", "maybe")]).status, 400);
    }
    let receipt = desk
        .get(
            "CustomerReceipt/Get",
            &[("includeBankAccountDetails", "true")],
        )
        .body;
    assert_eq!(
        receipt["Results"][0]["BankAccount"]["Name"],
        "Current account"
    );

    let stored = desk.get(&format!("TaxInvoice/Get/{invoice}"), &[]).body;
    assert_eq!(stored["Date"], "2031-05-14T00:00:00Z");
    assert_eq!(stored["Created"], "2031-05-14T09:03:21");
    assert_eq!(
        (stored["Total"].to_string(), stored["Discount"].to_string()),
        ("999.0".into(), "0.0".into())
    );
    for empty in ["Message", "PostalAddress01"] {
        assert_eq!(stored[empty], "", "{empty} is a text, and not left out");
    }
    for absent in ["AnticipatedDate", "FromDocumentId", "SalesRepresentativeId"] {
        assert!(
            stored.get(absent).is_none(),
            "{absent} is null and left out"
        );
    }
    let expected = json!({
        "LineType": 1, "SelectionId": SALES_ACCOUNT, "Description": "Fibre 50 May 2031",
        "Quantity": amount("1.0"), "UnitPriceExclusive": amount("868.7"), "UnitPriceInclusive": amount("999.0"),
        "TaxPercentage": amount("0.15"), "Exclusive": amount("868.7"), "Tax": amount("130.3"), "Total": amount("999.0"),
    });
    for (name, value) in expected.as_object().expect("an object") {
        assert_eq!(&stored["Lines"][0][name], value, "{name}");
    }
    let accounts = desk.get("Account/Get", &[]).body["TotalResults"].clone();
    let system = desk
        .get("Account/GetWithSystemAccounts", &[("$filter", "ID lt 0")])
        .body;
    assert_eq!((accounts, &system["TotalResults"]), (json!(3), &json!(1)));
}

/// A term over invoices and its meaning.
type Term = (String, Box<dyn Fn(&Value) -> bool>);

fn accepts(operator: &str, ordering: Ordering) -> bool {
    match operator {
        "eq" => ordering.is_eq(),
        "ne" => ordering.is_ne(),
        "gt" => ordering.is_gt(),
        "ge" => ordering.is_ge(),
        "lt" => ordering.is_lt(),
        _ => ordering.is_le(),
    }
}

fn random_term(rng: &mut ChaCha8Rng, ids: &[i64], customers: &[i64], depth: usize) -> Term {
    let operator = ["eq", "ne", "gt", "ge", "lt", "le"][rng.random_range(0..6)];
    let number = |name: &'static str, value: String| -> Term {
        let wanted = dec(&amount(&value));
        let text = format!("{name} {operator} {value}");
        (
            text,
            Box::new(move |row| accepts(operator, dec(&row[name]).cmp(&wanted))),
        )
    };
    match rng.random_range(0..if depth > 0 { 8 } else { 6 }) {
        0 | 1 => number(
            "ID",
            (ids[rng.random_range(0..ids.len())] + rng.random_range(-1..=1)).to_string(),
        ),
        2 => number(
            "CustomerId",
            customers[rng.random_range(0..customers.len())].to_string(),
        ),
        3 => number("AmountDue", rng.random_range(0..30).to_string()),
        4 => {
            let day = format!("2031-05-{:02}", rng.random_range(1..=28));
            let text = format!("Date {operator} datetime'{day}T00:00:00'");
            let meaning = move |row: &Value| {
                accepts(
                    operator,
                    row["Date"].as_str().expect("a date")[..10].cmp(&day),
                )
            };
            (text, Box::new(meaning))
        }
        5 => {
            let wanted = format!("x-{:03}", rng.random_range(0..150));
            let text = format!("DocumentNumber {operator} '{wanted}'");
            let meaning = move |row: &Value| {
                accepts(
                    operator,
                    row["DocumentNumber"]
                        .as_str()
                        .expect("a number")
                        .to_lowercase()
                        .cmp(&wanted),
                )
            };
            (text, Box::new(meaning))
        }
        kind => {
            let (left, a) = random_term(rng, ids, customers, depth - 1);
            let (right, b) = random_term(rng, ids, customers, depth - 1);
            if kind == 6 {
                (
                    format!("({left} and {right})"),
                    Box::new(move |row| a(row) && b(row)),
                )
            } else {
                (
                    format!("({left} or {right})"),
                    Box::new(move |row| a(row) || b(row)),
                )
            }
        }
    }
}

#[test]
fn random_filters_find_exactly_the_rows_they_hold_for() {
    const SEED: u64 = 77;
    println!("seed {SEED}");
    let mut rng = ChaCha8Rng::seed_from_u64(SEED);
    let mut desk = Desk::new();
    let customers: Vec<i64> = (0..5).map(|n| desk.customer(&format!("C{n}"))).collect();
    let mut ids = Vec::new();
    for n in 0..90 {
        let mut body = document(
            customers[rng.random_range(0..5)],
            &rng.random_range(0..30).to_string(),
        );
        body["Date"] = json!(format!("2031-05-{:02}", rng.random_range(1..=28)));
        body["DocumentNumber"] = json!(format!("X-{:03}", n + rng.random_range(0..2) * 60));
        let answer = desk.post_numbered("TaxInvoice/Save", &body);
        if answer.status == 201 {
            ids.push(answer.id());
        }
    }
    let rows = desk.get("TaxInvoice/Get", &[("$orderby", "ID")]).body["Results"].clone();
    let rows = rows.as_array().expect("rows");
    for round in 0..3_000 {
        let (filter, meaning) = random_term(&mut rng, &ids, &customers, 3);
        let expected: Vec<i64> = rows
            .iter()
            .filter(|row| meaning(row))
            .map(|row| row["ID"].as_i64().expect("an id"))
            .collect();
        let found = filtered(&mut desk, "TaxInvoice/Get", &filter).expect("a good filter");
        assert_eq!(found, expected, "seed {SEED}, round {round}: {filter}");
    }
}

#[test]
fn fifty_thousand_documents_are_walked_by_id_and_found_by_customer_and_number() {
    let mut desk = Desk::new();
    let customers: Vec<i64> = (0..50).map(|n| desk.customer(&format!("C{n}"))).collect();
    for n in 0..25_000 {
        let customer = customers[n % 50];
        let mut invoice = document(customer, "100");
        invoice["Lines"][0]["LineType"] = json!(0);
        invoice["Lines"][0]["SelectionId"] = json!(ITEM);
        invoice["DocumentNumber"] = json!(format!("X{n}"));
        desk.post_numbered("TaxInvoice/Save", &invoice);
        desk.post("CustomerReceipt/Save", &receipt(customer, "40"));
    }
    let (mut last, mut seen) = (0, 0);
    loop {
        let filter = format!("ID gt {last}");
        let page = desk
            .get(
                "TaxInvoice/Get",
                &[("$filter", &filter), ("$orderby", "ID")],
            )
            .body;
        let rows = page["Results"].as_array().expect("rows");
        let Some(row) = rows.last() else { break };
        last = row["ID"].as_i64().expect("an id");
        seen += rows.len();
    }
    assert_eq!(seen, 25_000);
    assert!(last > i64::from(i32::MAX), "ids need 64 bits");
    for n in (0..25_000).step_by(10) {
        let filter = format!("DocumentNumber eq 'x{n}'");
        let customer = format!("CustomerId eq {} and AmountDue gt 0", customers[n % 50]);
        assert_eq!(
            filtered(&mut desk, "TaxInvoice/Get", &filter)
                .expect("a list")
                .len(),
            1
        );
        if n % 500 == 0 {
            let page = desk.get("TaxInvoice/Get", &[("$filter", &customer)]).body;
            assert_eq!(page["TotalResults"], 500);
        }
    }
}
