//! The cents: the reference's tables, its switches, and its formulas over many random documents.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rust_decimal::{Decimal, RoundingStrategy};
use sandbox::sage::Behaviour;
use sandbox::sage::behaviour::{InclusiveTotal, SentTotals, TaxBasis, Ties, UnitPrice};
use serde_json::{Value, json};

use crate::desk::{Desk, ITEM, STANDARD_RATE, ZERO_RATE, amount, dec};

/// Calculates a document of lines (quantity, price), exclusive or inclusive.
fn calculate(desk: &mut Desk, customer: i64, inclusive: bool, lines: &[(&str, &str)]) -> Value {
    let price = if inclusive {
        "UnitPriceInclusive"
    } else {
        "UnitPriceExclusive"
    };
    let lines: Vec<Value> = lines
        .iter()
        .map(|(quantity, unit)| {
            json!({"SelectionId": ITEM, "TaxTypeId": STANDARD_RATE, "Quantity": amount(quantity), price: amount(unit)})
        })
        .collect();
    let body = json!({
        "CustomerId": customer, "Date": "2031-05-14", "DueDate": "2031-05-14",
        "Inclusive": inclusive, "Lines": lines,
    });
    let answer = desk.post("TaxInvoice/Calculate", &body);
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.body
}

fn totals(document: &Value) -> [String; 3] {
    ["Exclusive", "Tax", "Total"].map(|name| document[name].to_string())
}

#[test]
fn exclusive_two_place_prices_miss_gross_by_the_known_cents_and_inclusive_ones_never() {
    let mut desk = Desk::new();
    let customer = desk.customer("A");
    for (gross, exclusive, tax, total) in [
        ("999.00", "868.7", "130.31", "999.01"),
        ("1299.00", "1129.57", "169.44", "1299.01"),
        ("449.00", "390.43", "58.56", "448.99"),
        ("499.00", "433.91", "65.09", "499.0"),
    ] {
        let sent = calculate(&mut desk, customer, false, &[("1", exclusive)]);
        assert_eq!(totals(&sent), [exclusive, tax, total], "{gross}");
        let sent = calculate(&mut desk, customer, true, &[("1", gross)]);
        assert_eq!(dec(&sent["Total"]), dec(&amount(gross)));
        assert_eq!(
            dec(&sent["Exclusive"]) + dec(&sent["Tax"]),
            dec(&amount(gross))
        );
    }
    let three = calculate(&mut desk, customer, true, &[("3", "33.33")]);
    assert_eq!(totals(&three), ["86.95", "13.04", "99.99"]);
    let real = calculate(&mut desk, customer, false, &[("1", "12")]);
    assert_eq!(totals(&real), ["12.0", "1.8", "13.8"]);
    assert_eq!(real["Lines"][0]["UnitPriceInclusive"].to_string(), "13.8");
    assert!(real.get("ID").is_some_and(|id| id == 0) && real["DocumentNumber"] == "");
    assert_eq!(
        desk.stored()["invoices"],
        json!([]),
        "Calculate stores nothing"
    );
}

#[test]
fn about_an_eighth_of_all_amounts_cannot_be_reached_from_exclusive_cents() {
    let cents = |n: i64| Decimal::new(n, 2);
    let half_up = |d: Decimal| d.round_dp_with_strategy(2, RoundingStrategy::MidpointAwayFromZero);
    let reachable: std::collections::BTreeSet<Decimal> = (1..=20_000)
        .map(|n| cents(n) + half_up(cents(n) * Decimal::new(15, 2)))
        .collect();
    let missed = (100..20_000)
        .filter(|n| !reachable.contains(&cents(*n)))
        .count();
    assert_eq!(missed, 2_596);
}

#[test]
fn every_switch_of_the_maths_changes_what_its_probe_shows() {
    let with = |change: fn(&mut Behaviour)| {
        let mut behaviour = Behaviour::default();
        change(&mut behaviour);
        let mut desk = Desk::with(behaviour);
        let customer = desk.customer("A");
        (desk, customer)
    };
    let tax = |(mut desk, customer): (Desk, i64), lines: &[(&str, &str)]| {
        calculate(&mut desk, customer, false, lines)["Tax"].to_string()
    };
    // Q4: ties.
    for (price, away, even) in [
        ("10.30", "1.55", "1.54"),
        ("0.30", "0.05", "0.04"),
        ("0.10", "0.02", "0.02"),
    ] {
        assert_eq!(tax(with(|_| ()), &[("1", price)]), away);
        assert_eq!(tax(with(|b| b.ties = Ties::ToEven), &[("1", price)]), even);
    }
    // Q5: per line or per document.
    for (price, line, document) in [("10.03", "4.5", "4.51"), ("33.37", "15.03", "15.02")] {
        let lines = [("1", price); 3];
        assert_eq!(tax(with(|_| ()), &lines), line);
        assert_eq!(
            tax(with(|b| b.tax_basis = TaxBasis::Document), &lines),
            document
        );
    }
    // Q6: the inclusive total.
    let (mut desk, customer) = with(|b| b.inclusive_total = InclusiveTotal::FromExclusive);
    assert_eq!(
        totals(&calculate(&mut desk, customer, true, &[("1", "999.00")])),
        ["868.7", "130.31", "999.01"]
    );
    // Q7: decimals of unit prices.
    let many = [("1000", "0.12345")];
    let (mut desk, customer) = with(|_| ());
    let sent = calculate(&mut desk, customer, false, &many);
    assert_eq!(sent["Exclusive"].to_string(), "123.45");
    assert_eq!(sent["Lines"][0]["UnitPriceExclusive"].to_string(), "0.12");
    let (mut desk, customer) = with(|b| b.unit_price = UnitPrice::Rounded);
    assert_eq!(
        calculate(&mut desk, customer, false, &many)["Exclusive"].to_string(),
        "120.0"
    );
    let (mut desk, customer) = with(|b| {
        b.unit_price = UnitPrice::Rounded;
        b.unit_price_digits = 4;
    });
    assert_eq!(
        calculate(&mut desk, customer, false, &many)["Exclusive"].to_string(),
        "123.5"
    );
    // Q3: sent totals; Q8: sent percentages.
    let body = |customer: i64| {
        json!({
            "CustomerId": customer, "Date": "2031-05-14", "DueDate": "2031-05-14", "Inclusive": false,
            "Lines": [{"SelectionId": ITEM, "TaxTypeId": STANDARD_RATE, "Quantity": 1, "TaxPercentage": 0.14,
                "UnitPriceExclusive": 10.0, "Exclusive": 10.0, "Tax": 9.99, "Total": 19.99}],
        })
    };
    for (change, expected) in [
        ((|_| ()) as fn(&mut Behaviour), ["10.0", "1.5", "11.5"]),
        (
            |b| b.sent_totals = SentTotals::Trusted,
            ["10.0", "9.99", "19.99"],
        ),
        (
            |b| b.sent_tax_percentage_rules = true,
            ["10.0", "1.4", "11.4"],
        ),
    ] {
        let (mut desk, customer) = with(change);
        for method in [
            "TaxInvoice/Calculate",
            "TaxInvoice/Save",
            "CustomerReturn/Save",
        ] {
            assert_eq!(
                totals(&desk.post(method, &body(customer)).body),
                expected,
                "{method}"
            );
        }
    }
}

#[test]
fn document_rounding_stands_in_rounding_and_moves_the_total_only() {
    for (kind, step, price, total, rounding) in [
        (0, 10, "12.02", "13.9", "0.08"),
        (1, 50, "12", "13.5", "-0.3"),
        (2, 50, "12", "14.0", "0.2"),
        (3, 50, "12", "13.8", "0.0"),
    ] {
        let mut desk = Desk::new();
        let fields = json!({"RoundingType": kind, "RoundingValue": step});
        desk.edit(json!({"entity": "company", "act": "update", "fields": fields}))
            .expect("a setting");
        let customer = desk.customer("A");
        let sent = calculate(&mut desk, customer, false, &[("1", price)]);
        let found = (sent["Total"].to_string(), sent["Rounding"].to_string());
        assert_eq!(found, (total.to_owned(), rounding.to_owned()));
        let lines = &sent["Lines"][0]["Total"];
        assert_eq!(dec(lines) + dec(&sent["Rounding"]), dec(&sent["Total"]));
    }
}

/// The reference's model (Sage API 3.2), written down a second time and on its own.
fn by_the_book(
    inclusive: bool,
    discount: Decimal,
    lines: &[(Decimal, Decimal, Decimal, Decimal)],
) -> [Decimal; 4] {
    let round2 = |d: Decimal| d.round_dp_with_strategy(2, RoundingStrategy::MidpointAwayFromZero);
    let one = Decimal::ONE;
    let mut sums = [Decimal::ZERO; 4];
    for (q, price, line_discount, r) in lines {
        let d = one - (one - line_discount) * (one - discount);
        let first = round2(q * price);
        let line = if inclusive {
            let total = round2(first * (one - d));
            let exclusive = round2(total / (one + r));
            [exclusive, total - exclusive, total, first - total]
        } else {
            let exclusive = round2(first * (one - d));
            let tax = round2(exclusive * r);
            [exclusive, tax, exclusive + tax, first - exclusive]
        };
        for (sum, amount) in sums.iter_mut().zip(line) {
            *sum += amount;
        }
    }
    sums
}

#[test]
fn random_documents_come_out_by_the_formulas_and_save_agrees_with_calculate() {
    const SEED: u64 = 20_310_514;
    println!("seed {SEED}");
    let mut rng = ChaCha8Rng::seed_from_u64(SEED);
    let mut desk = Desk::new();
    let customer = desk.customer("A");
    for round in 0..2_000 {
        let inclusive = rng.random_bool(0.5);
        let discount = if rng.random_ratio(1, 4) {
            Decimal::new(rng.random_range(0..=1_000), 3)
        } else {
            Decimal::ZERO
        };
        let lines: Vec<(Decimal, Decimal, Decimal, Decimal)> = (0..rng.random_range(1..6))
            .map(|_| {
                let quantity = Decimal::new(rng.random_range(0..100_000), rng.random_range(0..4));
                let price = Decimal::new(rng.random_range(0..1_000_000), rng.random_range(0..6));
                let reduced = rng.random_ratio(1, 4);
                let line_discount = if reduced {
                    Decimal::new(rng.random_range(0..=100), 2)
                } else {
                    Decimal::ZERO
                };
                let rate = if rng.random_ratio(3, 4) {
                    Decimal::new(15, 2)
                } else {
                    Decimal::ZERO
                };
                (quantity, price, line_discount, rate)
            })
            .collect();
        let price = if inclusive {
            "UnitPriceInclusive"
        } else {
            "UnitPriceExclusive"
        };
        let text = |d: Decimal| amount(&d.to_string());
        let sent: Vec<Value> = lines
            .iter()
            .map(|(quantity, unit, line_discount, rate)| {
                let tax = if rate.is_zero() { ZERO_RATE } else { STANDARD_RATE };
                json!({"SelectionId": ITEM, "TaxTypeId": tax, "Quantity": text(*quantity), price: text(*unit),
                    "DiscountPercentage": text(*line_discount), "TaxPercentage": 15})
            })
            .collect();
        let body = json!({"CustomerId": customer, "Date": "2031-05-14", "DueDate": "2031-05-14",
            "Inclusive": inclusive, "DiscountPercentage": text(discount), "Lines": sent});
        let calculated = desk.post("TaxInvoice/Calculate", &body);
        let case = format!("seed {SEED}, document {round}: {body}");
        assert_eq!(calculated.status, 200, "{case}: {calculated:?}");
        let found =
            ["Exclusive", "Tax", "Total", "Discount"].map(|name| dec(&calculated.body[name]));
        assert_eq!(found, by_the_book(inclusive, discount, &lines), "{case}");
        let saved = desk.post("TaxInvoice/Save", &body).body;
        assert_eq!(totals(&saved), totals(&calculated.body), "{case}");
        assert_eq!(saved["AmountDue"], saved["Total"], "{case}");
    }
}
