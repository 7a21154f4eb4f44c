//! What nobody outside knows of Sage: asked of the company, shown to people, planned by.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rust_decimal::Decimal;
use sandbox::http::Service;
use sandbox::isp::{Isp, SageTaxType, Size};
use serde_json::{Value, json};
use simulation::books::{self, rows};
use simulation::installation::Installation;
use splynx_sageone::arithmetic::{Arithmetic, Priced, Totals};

use crate::desk::{Desk, dec, line, money};
use crate::judge::assert_in_step;

const CALCULATE: &str = "POST TaxInvoice/Calculate";

fn behave(installation: &mut Installation, fields: &Value) {
    installation.in_sage(&json!({"entity": "behaviour", "act": "update", "fields": fields}));
}

fn sage_requests(installation: &mut Installation) -> u64 {
    books::requests(installation.world()).values().sum()
}

/// Everything that Sage's company holds.
fn holdings(installation: &mut Installation) -> Value {
    let mut state = installation.world().sage.state();
    if let Some(state) = state.as_object_mut() {
        state.remove("requests");
    }
    state
}

/// The answer on the page to a question, by the reference's number and what it is about.
fn answer(installation: &mut Installation, question: &str, about: &str) -> String {
    let answers = installation.rows("calibration", &[]);
    let mut found = answers
        .into_iter()
        .filter(|row| row[0] == question && row[1].contains(about));
    found
        .next()
        .map_or_else(String::new, |mut row| row.remove(2))
}

/// D14, D15, D16, F30, F31, B1's decimal places: each way in which Sage may work is found by at most ten requests that store nothing, stands on
/// the page, and the documents that are sent by it come out equal, with exclusive amounts and a fix item and with inclusive ones.
#[test]
fn whatever_way_a_company_computes_is_found_out_and_planned_by() {
    let cases = [
        (json!({}), "Q4", "Half a cent", "away from zero"),
        (
            json!({"ties": "to_even"}),
            "Q4",
            "Half a cent",
            "to the even cent",
        ),
        (
            json!({"tax_basis": "document"}),
            "Q5",
            "Tax is",
            "once for the document",
        ),
        (json!({}), "Q5", "Tax is", "line by line"),
        (
            json!({"inclusive_total": "from_exclusive"}),
            "Q6",
            "inclusive line",
            "computed again from the amount without tax",
        ),
        (
            json!({"unit_price": "rounded"}),
            "Q7",
            "long unit price",
            "rounded first",
        ),
        (json!({"unit_price_digits": 4}), "Q7", "Decimals", "4"),
        (
            json!({"unit_price": "rounded", "unit_price_digits": 4, "ties": "to_even", "tax_basis": "document"}),
            "Q7",
            "Decimals",
            "4",
        ),
        (
            json!({"negative_lines": "accepted"}),
            "Q23",
            "below zero",
            "taken",
        ),
        (json!({}), "Q23", "below zero", "refused"),
        (
            json!({"line_description_length": 255}),
            "Q24",
            "longest",
            "255",
        ),
        (
            json!({"modified_filters": "works"}),
            "Q10",
            "time of change",
            "work",
        ),
        (
            json!({"modified_filters": "ignored"}),
            "Q10",
            "time of change",
            "do not work",
        ),
        (
            json!({"modified_filters": "empty"}),
            "Q10",
            "time of change",
            "do not work",
        ),
        (
            json!({"modified_filters": "refused"}),
            "Q10",
            "time of change",
            "do not work",
        ),
        (
            json!({"string_filters": "ignored"}),
            "Q9",
            "text",
            "are ignored",
        ),
        (
            json!({"string_filters": "refused"}),
            "Q9",
            "text",
            "are refused",
        ),
        (
            json!({"string_filters": "empty"}),
            "Q9",
            "text",
            "work, or find nothing",
        ),
        (
            json!({"sent_totals": "trusted"}),
            "Q3",
            "tax amount",
            "kept",
        ),
        (
            json!({"sent_tax_percentage_rules": true}),
            "Q8",
            "tax percentage",
            "kept",
        ),
    ];
    let isp = Isp::seeded(Size::Small, 14);
    for (fields, question, about, expected) in cases {
        println!("{fields}");
        let mut installation = Installation::new(&isp, false);
        behave(&mut installation, &fields);
        installation.set("use_inclusive_amounts", "off");
        installation.set("fix_item_id", "2005");
        installation.run_through("export-customers");
        let (asked, held) = (
            sage_requests(&mut installation),
            holdings(&mut installation),
        );
        installation.run_through("import-mapping");
        let lists = sage_requests(&mut installation);
        assert!(installation.rows("calibration", &[]).is_empty());
        let (outcome, _) = installation.run_through("calibrate");
        assert_eq!(outcome.why, None);
        let cost = sage_requests(&mut installation) - lists;
        assert!(cost <= 10, "{cost} requests");
        assert!(lists - asked <= 4);
        assert_eq!(holdings(&mut installation), held, "nothing was stored");
        let says = answer(&mut installation, question, about);
        assert!(says.starts_with(expected), "{question}: {says}");
        installation.run_through("sync");
        assert_in_step(&isp, &mut installation);
        let requests = books::requests(installation.world());
        assert!(requests[CALCULATE] <= 10, "the answers are kept");
        let mut inclusive = Installation::new(&isp, false);
        behave(&mut inclusive, &fields);
        inclusive.set("fix_item_id", "2005");
        inclusive.run_through("sync");
        assert_in_step(&isp, &mut inclusive);
    }
}

/// D14: a company that rounds the totals of its documents is refused with the cure, and nothing is sent to it; the check of every run sees when
/// that is over.
#[test]
fn a_company_that_rounds_totals_gets_no_documents_until_it_stops() {
    let isp = Isp::seeded(Size::Tiny, 15);
    let mut installation = Installation::new(&isp, false);
    let round = |installation: &mut Installation, how: i64| {
        let fields = json!({"RoundingType": how, "RoundingValue": 5});
        installation.in_sage(&json!({"entity": "company", "act": "update", "fields": fields}));
    };
    round(&mut installation, 2);
    for job in ["sync", "export-invoices", "export-credit-notes"] {
        let failure = installation.run(job).expect_err("no total can be right");
        assert_eq!(failure.code, "company-rounding");
        assert!(
            failure.message.contains("Switch the rounding off"),
            "{}",
            failure.message
        );
    }
    assert_eq!(answer(&mut installation, "3.3", "rounds"), "yes");
    let state = installation.world().sage.state();
    assert!(rows(&state, "invoices").is_empty() && rows(&state, "returns").is_empty());
    round(&mut installation, 3);
    installation.run_through("sync");
    assert_in_step(&isp, &mut installation);
}

/// D14: a total that comes out otherwise than predicted is held, and makes the add-on ask again, so that the next documents are planned by what
/// is true now.
#[test]
fn a_surprising_total_makes_it_ask_again() {
    let mut desk = Desk::new(1);
    desk.set("use_inclusive_amounts", "off");
    desk.set("fix_item_id", "2005");
    let customer = desk.customer(0);
    // Three lines of 10.03: tax line by line makes 4.50, of the sum 4.51.
    let items = [1, 2, 3].map(|n| line(&format!("Voice bundle {n}"), "1", "10.03"));
    let first = desk.invoice_of(customer, &items, json!({}));
    desk.export_invoices();
    assert_eq!(desk.standing("invoice", first).0, "synced");
    let asked = desk.asked(CALCULATE);
    behave(&mut desk.installation, &json!({"tax_basis": "document"}));
    let second = desk.invoice_of(customer, &items, json!({}));
    desk.export_invoices();
    let standing = desk.standing("invoice", second);
    assert_eq!(standing, ("held".to_owned(), "total-differs".to_owned()));
    assert!(
        desk.told("invoice", second)
            .contains("a difference of 0,01")
    );
    assert_eq!(desk.asked(CALCULATE), asked);
    let third = desk.invoice_of(customer, &items, json!({}));
    desk.decide("retry", "invoice", second, "");
    desk.export_invoices();
    assert!(desk.asked(CALCULATE) > asked, "it asked again");
    let says = answer(&mut desk.installation, "Q5", "Tax is");
    assert_eq!(says, "once for the document");
    for invoice in [second, third] {
        assert_eq!(desk.standing("invoice", invoice).0, "synced");
        let total: Decimal = money(&desk.in_sage(invoice)["Total"]);
        assert_eq!(total, dec("34.59"));
    }
    let asked = desk.asked(CALCULATE);
    desk.invoice(customer);
    desk.export_invoices();
    assert_eq!(desk.asked(CALCULATE), asked, "once is enough");
}

/// F69: there is nothing to ask with before the first customer is in Sage, and the job says so with the cure.
#[test]
fn before_the_first_customer_there_is_nothing_to_ask_with() {
    let isp = Isp::seeded(Size::Tiny, 16);
    let mut installation = Installation::new(&isp, false);
    let (outcome, _) = installation.run_through("calibrate");
    let why = outcome.why.expect("there is nobody");
    assert_eq!(why.code, "nothing-to-ask-with");
    assert!(
        why.message.contains("Export the customers"),
        "{}",
        why.message
    );
    assert!(installation.rows("calibration", &[]).is_empty());
    installation.run_through("sync");
    assert_in_step(&isp, &mut installation);
    assert!(installation.rows("calibration", &[]).len() >= 10);
}

/// What the add-on holds for the company's way to compute, as stored.
fn calibrated(installation: &mut Installation) -> Arithmetic {
    let mut tables = installation.host().storage.tables();
    let text = tables.find_map(|(_, rows)| rows.get("calibration").cloned());
    let stored: Value = serde_json::from_str(&text.expect("it was asked")).expect("JSON");
    let of = &stored["arithmetic"];
    let is = |name: &str| of[name].as_bool().expect("a switch");
    let number = |name: &str| of[name].as_u64().expect("a number");
    Arithmetic {
        ties_to_even: is("ties_to_even"),
        tax_per_document: is("tax_per_document"),
        inclusive_from_net: is("inclusive_from_net"),
        prices_rounded_first: is("prices_rounded_first"),
        price_digits: u32::try_from(number("price_digits")).expect("a few"),
        negative_lines: is("negative_lines"),
        description_length: usize::try_from(number("description_length")).expect("a few"),
    }
}

/// Totals of random documents, with VAT in the prices and without.
fn of_random_documents(way: &Arithmetic, rate: Decimal, rng: &mut ChaCha8Rng) -> Vec<Totals> {
    let documents = (0..60).map(|number| {
        let lines = (0..rng.random_range(1..=5)).map(|_| Priced {
            quantity: Decimal::new(rng.random_range(1..=40), rng.random_range(0..=1)),
            price: Decimal::new(rng.random_range(1..=900_000), way.price_digits.max(2)),
            rate,
        });
        way.totals(number % 2 == 0, lines.collect::<Vec<_>>())
    });
    documents.collect()
}

/// Every position of the switches together, at rates of today and of long ago: the one that the company has is found, or one that makes the same
/// totals of whatever is sent. Manual tax types and those of 100 % are first in Sage's list, and mislead nobody.
#[test]
fn all_positions_of_the_switches_are_told_apart_together() {
    let mut isp = Isp::seeded(Size::Tiny, 17);
    let standard = isp.sage.tax_types[0].clone();
    for (id, percentage, is_manual) in [(11, 100, false), (12, 15, true)] {
        let name = format!("Imported {id}");
        let odd = SageTaxType {
            id,
            name,
            percentage: Decimal::new(percentage, 2),
            is_default: false,
            is_manual,
        };
        isp.sage.tax_types.insert(0, odd);
    }
    let mut exported = Installation::new(&isp, false);
    exported.run_through("export-customers");
    let seed = 20_26;
    println!("seed {seed}");
    let rates = ["0.15", "0.14", "0.155", "0.2"];
    for number in 0..128_usize {
        let bit = |place: usize| number >> place & 1 == 1;
        let rate = rates[number >> 5 & 3];
        let either = |is: bool, yes: &str, no: &str| if is { yes } else { no }.to_owned();
        for (digits, length) in [(0, 100), (2, 255), (3, 100), (4, 255)] {
            let mut installation = exported.clone();
            behave(
                &mut installation,
                &json!({
                    "used_tax_types": "accepted",
                    "ties": either(bit(0), "to_even", "away_from_zero"),
                    "tax_basis": either(bit(1), "document", "line"),
                    "inclusive_total": either(bit(2), "from_exclusive", "preserved"),
                    "unit_price": either(bit(3), "rounded", "as_sent"),
                    "negative_lines": either(bit(4), "accepted", "refused"),
                    "unit_price_digits": digits,
                    "line_description_length": length,
                }),
            );
            let percentage: Value = rate.parse().expect("a number");
            installation.in_sage(&json!({"entity": "tax_types", "act": "update", "id": standard.id, "fields": {"Percentage": percentage}}));
            installation.run_through("import-mapping");
            let before = sage_requests(&mut installation);
            let (outcome, _) = installation.run_through("calibrate");
            assert_eq!(outcome.why, None, "{number} {digits}");
            assert!(sage_requests(&mut installation) - before <= 10);
            let found = calibrated(&mut installation);
            let is = Arithmetic {
                ties_to_even: bit(0),
                tax_per_document: bit(1),
                inclusive_from_net: bit(2),
                prices_rounded_first: bit(3),
                price_digits: digits,
                negative_lines: bit(4),
                description_length: length,
            };
            let switches =
                |way: &Arithmetic| (way.price_digits, way.negative_lines, way.description_length);
            assert_eq!(switches(&found), switches(&is), "{number} {rate}");
            if found != is {
                let rate: Decimal = rate.parse().expect("a rate");
                let totals =
                    |way| of_random_documents(way, rate, &mut ChaCha8Rng::seed_from_u64(seed));
                assert_eq!(
                    totals(&found),
                    totals(&is),
                    "{found:?} for {is:?} at {rate}"
                );
            }
        }
    }
}

/// A refusal of the plainest document says nothing of negative lines: it could not be asked, and the cure is named.
#[test]
fn where_a_plain_document_is_refused_it_could_not_be_asked() {
    let isp = Isp::seeded(Size::Tiny, 18);
    let mut installation = Installation::new(&isp, false);
    installation.run_through("export-customers");
    installation.run_through("import-mapping");
    let used = isp.sage.tax_types[0].id;
    behave(&mut installation, &json!({"used_tax_types": "accepted"}));
    let manual = |is: bool| json!({"entity": "tax_types", "act": "update", "id": used, "fields": {"IsManualTax": is}});
    installation.in_sage(&manual(true));
    let (outcome, _) = installation.run_through("calibrate");
    let why = outcome.why.expect("Sage refuses it");
    assert_eq!(why.code, "could-not-be-asked");
    for part in [
        "TaxInvoice/Calculate",
        "manual tax type",
        "\"Ask Sage how it computes\"",
        "Standard Rate",
    ] {
        assert!(why.message.contains(part), "{}", why.message);
    }
    assert_eq!(answer(&mut installation, "Q23", "below zero"), "");
    assert!(answer(&mut installation, "all", "computes").contains("could not be asked"));
    installation.in_sage(&manual(false));
    let (outcome, _) = installation.run_through("calibrate");
    assert_eq!(outcome.why, None);
    assert!(answer(&mut installation, "Q23", "below zero").starts_with("refused"));
}
