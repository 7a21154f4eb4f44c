//! Seeded providers: always the same for a seed, consistent in themselves, and with everything that each size promises.

use std::collections::{BTreeMap, HashMap, HashSet};

use chrono::NaiveDate;
use rust_decimal::Decimal;
use sandbox::http::Service;
use sandbox::isp::{Customer, CustomerCategory, Invoice, Isp, NAME_LENGTH_IN_SAGE, Size, total};
use sandbox::sage::Sage;
use sandbox::splynx::Splynx;
use serde_json::Value;

const SEEDS: [u64; 5] = [0, 1, 2, 77, u64::MAX];

/// A name as Sage tells names apart.
fn folded(customer: &Customer) -> String {
    let name: String = customer
        .name
        .trim()
        .chars()
        .take(NAME_LENGTH_IN_SAGE)
        .collect();
    name.trim_end().to_lowercase()
}

fn exportable(invoice: &Invoice) -> bool {
    !invoice.deleted && invoice.uses_transactions && !invoice.total.is_zero()
}

#[test]
fn the_same_seed_makes_the_same_provider_and_another_seed_another() {
    for size in [Size::Tiny, Size::Small, Size::Medium] {
        let isp = Isp::seeded(size, 7);
        assert_eq!(isp, Isp::seeded(size, 7), "{size:?}");
        assert_ne!(isp.customers, Isp::seeded(size, 8).customers, "{size:?}");
        assert_ne!(
            isp.splynx.api_secret,
            Isp::seeded(size, 8).splynx.api_secret,
            "{size:?}"
        );
    }
}

#[test]
fn a_provider_survives_being_written_and_read() {
    let isp = Isp::seeded(Size::Small, 3);
    let text = serde_json::to_string(&isp).expect("plain data");
    let read: Isp = serde_json::from_str(&text).expect("what was just written");
    assert_eq!(read, isp);
    // People who write a file by hand write amounts as numbers.
    let total = isp.invoices[0].total;
    let by_hand = text.replacen(
        &format!("\"total\":\"{total}\""),
        &format!("\"total\":{total}"),
        1,
    );
    assert_ne!(by_hand, text);
    let read: Isp = serde_json::from_str(&by_hand).expect("a number for an amount");
    assert_eq!(read, isp);
}

#[test]
fn every_provider_is_consistent_in_itself() {
    for seed in SEEDS {
        for size in [Size::Tiny, Size::Small, Size::Medium] {
            let isp = Isp::seeded(size, seed);
            assert_eq!(isp.customers.len(), size.customers());
            check_customers(&isp);
            check_documents(&isp);
        }
    }
}

fn check_customers(isp: &Isp) {
    let at = format!("{:?}, seed {}", isp.size, isp.seed);
    let partners: HashSet<i64> = isp.partners.iter().map(|p| p.id).collect();
    let locations: HashSet<i64> = isp.locations.iter().map(|l| l.id).collect();
    let by_id: HashMap<i64, &Customer> = isp.customers.iter().map(|c| (c.id, c)).collect();
    assert_eq!(by_id.len(), isp.customers.len(), "{at}");
    for customer in &isp.customers {
        let at = format!("{at}, customer {}", customer.id);
        assert!(partners.contains(&customer.partner_id), "{at}");
        assert!(locations.contains(&customer.location_id), "{at}");
        assert!(!customer.name.trim().is_empty(), "{at}");
        if let Some(parent) = customer.parent_id {
            assert!(by_id[&parent].parent_id.is_none(), "{at}");
            assert_eq!(by_id[&parent].partner_id, customer.partner_id, "{at}");
        }
    }
}

fn check_documents(isp: &Isp) {
    let at = format!("{:?}, seed {}", isp.size, isp.seed);
    let known: HashSet<i64> = isp
        .customers
        .iter()
        .filter(|c| c.category != CustomerCategory::Lead)
        .map(|c| c.id)
        .collect();
    let rates: HashMap<i64, Decimal> = isp.taxes.iter().map(|t| (t.id, t.rate)).collect();
    let categories: HashSet<i64> = isp.transaction_categories.iter().map(|c| c.id).collect();
    let methods: HashSet<i64> = isp.payment_methods.iter().map(|m| m.id).collect();
    let invoices: HashMap<i64, &Invoice> = isp.invoices.iter().map(|i| (i.id, i)).collect();

    let mut order = Vec::new();
    for invoice in &isp.invoices {
        let at = format!("{at}, invoice {}", invoice.id);
        assert_eq!(
            invoice.total,
            total(&invoice.lines, invoice.rounding),
            "{at}"
        );
        assert!(
            invoice.total >= Decimal::ZERO && invoice.total.scale() <= 2,
            "{at}"
        );
        assert!(known.contains(&invoice.customer_id), "{at}");
        for line in &invoice.lines {
            assert_eq!(line.tax_percent, rates[&line.tax_id], "{at}");
            assert!(categories.contains(&line.category_id), "{at}");
            assert!(
                line.price.scale() <= 4 && line.description.len() <= 256,
                "{at}"
            );
        }
        order.push((invoice.id, invoice.date, &invoice.number));
    }
    check_order(isp, order, &at);

    let mut order = Vec::new();
    for note in &isp.credit_notes {
        let at = format!("{at}, credit note {}", note.id);
        assert_eq!(note.total, total(&note.lines, note.rounding), "{at}");
        assert!(note.total > Decimal::ZERO, "{at}");
        if let Some(id) = note.invoice_id {
            let invoice = invoices[&id];
            assert_eq!(invoice.customer_id, note.customer_id, "{at}");
            assert!(
                note.total <= invoice.total && note.date >= invoice.date,
                "{at}"
            );
        }
        order.push((note.id, note.date, &note.number));
    }
    check_order(isp, order, &at);

    let mut order = Vec::new();
    for payment in &isp.payments {
        let at = format!("{at}, payment {}", payment.id);
        assert!(
            !payment.amount.is_zero() && payment.amount.scale() <= 2,
            "{at}"
        );
        assert!(
            known.contains(&payment.customer_id) && methods.contains(&payment.method_id),
            "{at}"
        );
        assert!(payment.receipt_number.len() <= 32, "{at}");
        if let Some(id) = payment.invoice_id {
            assert_eq!(invoices[&id].customer_id, payment.customer_id, "{at}");
            assert!(payment.date >= invoices[&id].date, "{at}");
        }
        order.push((payment.id, payment.date, &payment.receipt_number));
    }
    check_order(isp, order, &at);
}

/// Ids grow with the dates, numbers are unique, and all of it lies in the year up to the provider's today.
fn check_order(isp: &Isp, documents: Vec<(i64, NaiveDate, &String)>, at: &str) {
    assert!(
        documents.is_sorted_by(|a, b| a.0 < b.0 && a.1 <= b.1),
        "{at}"
    );
    let numbers: HashSet<&String> = documents.iter().map(|d| d.2).collect();
    assert_eq!(numbers.len(), documents.len(), "{at}");
    let history = isp.first_day()..=isp.today;
    assert!(documents.iter().all(|d| history.contains(&d.1)), "{at}");
}

#[test]
fn tiny_is_dull_and_complete() {
    for seed in SEEDS {
        let isp = Isp::seeded(Size::Tiny, seed);
        let counts = [
            isp.customers.len(),
            isp.invoices.len(),
            isp.payments.len(),
            isp.credit_notes.len(),
        ];
        assert_eq!(counts, [3, 6, 6, 2], "seed {seed}");
        let names: HashSet<String> = isp.customers.iter().map(folded).collect();
        assert_eq!(names.len(), 3, "seed {seed}");
        let setup: HashMap<String, String> = isp.setup().into_iter().collect();
        let pushed: Vec<&str> = setup["payments_push_methods"].split(',').collect();
        for customer in &isp.customers {
            assert_ne!(customer.category, CustomerCategory::Lead, "seed {seed}");
            assert!(
                customer.email.contains('@') && !customer.street.is_empty(),
                "seed {seed}"
            );
        }
        assert!(isp.invoices.iter().all(exportable), "seed {seed}");
        for payment in &isp.payments {
            assert!(
                payment.amount > Decimal::ZERO && payment.invoice_id.is_some(),
                "seed {seed}"
            );
            assert!(
                pushed.contains(&payment.method_id.to_string().as_str()),
                "seed {seed}"
            );
        }
        assert!(
            isp.credit_notes.iter().all(|note| !note.refunded),
            "seed {seed}"
        );
        let linked = isp
            .credit_notes
            .iter()
            .filter(|note| note.invoice_id.is_some());
        assert_eq!(linked.count(), 1, "seed {seed}");
        // Nothing is left open.
        let state = Splynx::from_isp(&isp).state();
        let paid = |invoice: &Value| invoice["status"] == "paid";
        assert!(rows(&state, "invoices").iter().all(paid), "seed {seed}");
    }
}

#[test]
fn small_has_each_special_case() {
    type Test = fn(&Isp) -> bool;
    let cases: [(&str, Test); 29] = [
        ("a lead", |isp| {
            isp.customers
                .iter()
                .any(|c| c.category == CustomerCategory::Lead)
        }),
        ("a sub-account", |isp| {
            isp.customers.iter().any(|c| c.parent_id.is_some())
        }),
        ("a company with a VAT number", |isp| {
            isp.customers
                .iter()
                .any(|c| c.category == CustomerCategory::Company && !c.vat_id.is_empty())
        }),
        ("an empty address", |isp| {
            isp.customers.iter().any(|c| {
                [&c.street, &c.city, &c.zip_code]
                    .iter()
                    .all(|t| t.is_empty())
            })
        }),
        ("no e-mail", |isp| {
            isp.customers.iter().any(|c| c.email.is_empty())
        }),
        ("several e-mails", |isp| {
            isp.customers.iter().any(|c| c.billing_email.contains(','))
        }),
        ("a name that is not ASCII", |isp| {
            isp.customers.iter().any(|c| !c.name.is_ascii())
        }),
        ("a name with quotes", |isp| {
            isp.customers.iter().any(|c| c.name.contains('"'))
        }),
        ("a name with an apostrophe", |isp| {
            isp.customers.iter().any(|c| c.name.contains('\''))
        }),
        ("a name with an ampersand", |isp| {
            isp.customers.iter().any(|c| c.name.contains('&'))
        }),
        ("a long name", |isp| {
            isp.customers
                .iter()
                .any(|c| c.name.chars().count() > NAME_LENGTH_IN_SAGE)
        }),
        ("blanks around a name", |isp| {
            isp.customers
                .iter()
                .any(|c| c.name.starts_with(' ') && c.name.ends_with(' '))
        }),
        ("several partners", |isp| {
            let partners: HashSet<i64> = isp.customers.iter().map(|c| c.partner_id).collect();
            partners.len() == 3
        }),
        ("prepaid customers", |isp| {
            isp.customers.iter().any(|c| c.billing_type == "prepaid")
        }),
        ("each kind of service", |isp| {
            let sold: HashSet<i64> = lines(isp).map(|line| line.category_id).collect();
            [2, 6, 7, 8, 9, 10]
                .iter()
                .all(|category| sold.contains(category))
        }),
        ("a zero-rated invoice", |isp| {
            isp.invoices
                .iter()
                .any(|i| i.lines.iter().all(|line| line.tax_percent.is_zero()))
        }),
        ("two taxes on one invoice", |isp| {
            isp.invoices.iter().any(|i| {
                let taxes: HashSet<i64> = i.lines.iter().map(|line| line.tax_id).collect();
                taxes.len() == 2
            })
        }),
        ("a negative line", |isp| {
            lines(isp).any(|line| line.price < Decimal::ZERO)
        }),
        ("several units", |isp| {
            lines(isp).any(|line| line.quantity > Decimal::TEN)
        }),
        ("a part of a unit", |isp| {
            lines(isp).any(|line| !line.quantity.is_integer())
        }),
        ("cents that do not divide", |isp| {
            isp.invoices
                .iter()
                .any(|i| i.total != total(&i.lines, sandbox::isp::Rounding::PerLine))
        }),
        ("a deleted invoice", |isp| {
            isp.invoices.iter().any(|i| i.deleted)
        }),
        ("a zero invoice", |isp| {
            isp.invoices.iter().any(|i| i.total.is_zero())
        }),
        ("an invoice without transactions", |isp| {
            isp.invoices.iter().any(|i| !i.uses_transactions)
        }),
        ("linked and loose credit notes", |isp| {
            let linked = isp
                .credit_notes
                .iter()
                .filter(|n| n.invoice_id.is_some())
                .count();
            linked > 0 && linked < isp.credit_notes.len()
        }),
        ("a refunded credit note", |isp| {
            isp.credit_notes.iter().any(|n| n.refunded)
        }),
        ("a refund", |isp| {
            isp.payments.iter().any(|p| p.amount < Decimal::ZERO)
        }),
        ("several payment methods", |isp| {
            let methods: HashSet<i64> = isp.payments.iter().map(|p| p.method_id).collect();
            methods.len() >= 5 && methods.contains(&8)
        }),
        ("instalments", |isp| {
            let mut payments: HashMap<i64, u32> = HashMap::new();
            for invoice in isp.payments.iter().filter_map(|p| p.invoice_id) {
                *payments.entry(invoice).or_default() += 1;
            }
            payments.values().any(|count| *count == 3)
        }),
    ];
    for seed in SEEDS {
        let isp = Isp::seeded(Size::Small, seed);
        for (name, holds) in &cases {
            assert!(holds(&isp), "{name}, seed {seed}");
        }
    }
}

fn lines(isp: &Isp) -> impl Iterator<Item = &sandbox::isp::Line> {
    isp.invoices.iter().flat_map(|invoice| &invoice.lines)
}

fn rows<'s>(state: &'s Value, entity: &str) -> &'s [Value] {
    state[entity].as_array().map_or(&[], Vec::as_slice)
}

fn decimal(value: &Value) -> Decimal {
    let text = value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_owned);
    text.parse().expect("an amount")
}

#[test]
fn splynx_takes_every_provider_whole_and_makes_the_special_states_of_it() {
    for (size, seed) in [(Size::Small, 1), (Size::Small, 2), (Size::Medium, 1)] {
        let isp = Isp::seeded(size, seed);
        let at = format!("{size:?}, seed {seed}");
        let state = Splynx::from_isp(&isp).state();
        assert_eq!(rows(&state, "not_loaded"), [] as [Value; 0], "{at}");
        let invoices = rows(&state, "invoices");
        assert_eq!(invoices.len(), isp.invoices.len(), "{at}");
        for (made, from) in invoices.iter().zip(&isp.invoices) {
            assert_eq!(
                decimal(&made["total"]),
                from.total,
                "{at}, invoice {}",
                from.id
            );
        }
        let today = isp.today.to_string();
        let any = |holds: &dyn Fn(&Value) -> bool| invoices.iter().any(holds);
        assert!(
            any(&|i| i["payd_from_deposit"] == "1"),
            "paid from the balance, {at}"
        );
        let partly = |i: &Value| {
            let (due, total) = (decimal(&i["due"]), decimal(&i["total"]));
            due > Decimal::ZERO && due < total
        };
        assert!(any(&partly), "partly paid, {at}");
        let overdue =
            |i: &Value| i["status"] == "not_paid" && i["date_till"].as_str() < Some(today.as_str());
        assert!(any(&overdue), "overdue, {at}");
        let payments = rows(&state, "payments");
        let unallocated = |p: &Value| decimal(&p["remind_amount"]) > Decimal::ZERO;
        assert!(payments.iter().any(unallocated), "unallocated, {at}");
        let several = |payment: &Value| {
            let paid = rows(&state, "invoice_relations").iter().filter(|relation| {
                relation["type"] == "payment" && relation["payer_id"] == payment["id"]
            });
            paid.count() > 2
        };
        if size == Size::Small {
            assert!(
                payments.iter().any(several),
                "one payment for several invoices, {at}"
            );
        }
    }
}

#[test]
fn names_clash_only_in_the_larger_providers_and_only_a_few() {
    for seed in SEEDS {
        let names = |size: Size| -> (usize, HashSet<String>) {
            let isp = Isp::seeded(size, seed);
            (
                isp.customers.len(),
                isp.customers.iter().map(folded).collect(),
            )
        };
        let (customers, names_of_small) = names(Size::Small);
        assert_eq!(names_of_small.len(), customers, "seed {seed}");
        let (customers, names_of_medium) = names(Size::Medium);
        assert_eq!(customers - names_of_medium.len(), 3, "seed {seed}");
    }
}

#[test]
fn in_step_sage_holds_every_exportable_document_once() {
    let isp = Isp::seeded(Size::Small, 5);
    let state = Sage::from_isp(&isp, true).state();
    let numbers = |entity: &str| -> BTreeMap<String, Decimal> {
        rows(&state, entity)
            .iter()
            .map(|row| {
                let number = row["DocumentNumber"].as_str().unwrap_or_default();
                (number.to_owned(), decimal(&row["Total"]))
            })
            .collect()
    };
    let invoices: BTreeMap<String, Decimal> = isp
        .invoices
        .iter()
        .filter(|invoice| exportable(invoice))
        .map(|invoice| (invoice.number.clone(), invoice.total))
        .collect();
    assert_eq!(numbers("invoices"), invoices);
    assert_eq!(rows(&state, "invoices").len(), invoices.len());
    let notes: BTreeMap<String, Decimal> = isp
        .credit_notes
        .iter()
        .map(|note| (note.number.clone(), note.total))
        .collect();
    assert_eq!(numbers("returns"), notes);
    let customers = isp
        .customers
        .iter()
        .filter(|c| c.category != CustomerCategory::Lead);
    assert_eq!(rows(&state, "customers").len(), customers.count());
}

#[test]
fn setup_and_secrets_use_the_names_of_the_manifest() {
    let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/../../plugin/addon.toml");
    let manifest = std::fs::read_to_string(manifest).expect("the add-on's manifest");
    let keys: HashSet<&str> = manifest
        .lines()
        .filter_map(|line| line.strip_prefix("key = \"")?.strip_suffix('"'))
        .collect();
    let isp = Isp::seeded(Size::Small, 1);
    for (key, value) in isp.setup().into_iter().chain(isp.secrets()) {
        let declared = key
            .split_once('.')
            .map_or(key.as_str(), |(mapping, _)| mapping);
        assert!(keys.contains(declared), "{key}");
        assert!(!value.is_empty(), "{key}");
    }
    // Every line of every document can be mapped.
    let setup: HashMap<String, String> = isp.setup().into_iter().collect();
    for line in lines(&isp) {
        assert!(
            setup.contains_key(&format!("item.{}", line.category_id)),
            "{line:?}"
        );
        assert!(
            setup.contains_key(&format!("tax.{}", line.tax_id)),
            "{line:?}"
        );
    }
}
