//! Several installations for one provider: its partners go to several companies, or several feed one.

use std::collections::BTreeSet;

use chrono::TimeDelta;
use rust_decimal::Decimal;
use sandbox::http::Service;
use sandbox::isp::{Isp, Size};
use simulation::books::{Expected, expected, held, rows};
use simulation::installation::Installation;

use crate::judge::writes;

/// An installation that leaves some partners to others.
fn installation(isp: &Isp, leaves_out: &[i64], tag: &str) -> Installation {
    let mut installation = Installation::new(isp, false);
    let partners: Vec<String> = leaves_out.iter().map(ToString::to_string).collect();
    installation.set("partners_ignore", &partners.join(","));
    installation.set("reference_tag", tag);
    installation
}

/// The provider's partners in two groups.
fn groups(isp: &Isp) -> (Vec<i64>, Vec<i64>) {
    let ids = isp.partners.iter().map(|partner| partner.id);
    let (one, two): (Vec<i64>, Vec<i64>) = ids.partition(|id| id % 2 == 0);
    assert!(!one.is_empty() && !two.is_empty());
    (one, two)
}

fn names(installation: &mut Installation) -> BTreeSet<String> {
    let state = installation.world().sage.state();
    rows(&state, "customers")
        .iter()
        .map(|row| row["Name"].to_string())
        .collect()
}

fn sum(of: &Expected) -> Decimal {
    of.invoices.values().sum::<Decimal>() - of.credit_notes.values().sum::<Decimal>()
        + of.receipts.values().sum::<Decimal>()
}

#[test]
fn partners_split_over_two_companies_are_each_in_one_and_the_sums_are_the_whole() {
    let isp = Isp::seeded(Size::Small, 7);
    let mut whole = installation(&isp, &[], "");
    let (one, two) = groups(&isp);
    let mut split = [installation(&isp, &one, "A"), installation(&isp, &two, "B")];
    for installation in split.iter_mut().chain([&mut whole]) {
        installation.set("make_names_unique", "on");
        installation.run_through("sync");
    }
    let undivided = held(whole.world());
    let [a, b] = split.each_mut().map(|part| held(part.world()));
    assert_eq!(sum(&a) + sum(&b), sum(&undivided));
    assert_eq!(a.customers + b.customers, undivided.customers);
    let key = |marked: &String| {
        marked
            .split_once('-')
            .map(|(tag, key)| (tag.to_owned(), key.to_owned()))
    };
    for (in_a, in_b, all) in [
        (&a.invoices, &b.invoices, &undivided.invoices),
        (&a.credit_notes, &b.credit_notes, &undivided.credit_notes),
        (&a.receipts, &b.receipts, &undivided.receipts),
    ] {
        assert!(!in_a.is_empty() && !in_b.is_empty());
        let mut found = BTreeSet::new();
        for (tag, part) in [("A", in_a), ("B", in_b)] {
            for (marked, total) in part {
                let (of, key) = key(marked).expect("a tag");
                assert_eq!(of, tag);
                assert_eq!(all.get(&key), Some(total), "{marked}");
                assert!(found.insert(key), "{marked} is in both");
            }
        }
        assert_eq!(found.len(), all.len());
    }
    let [a, b] = &mut split;
    assert_eq!(names(a).intersection(&names(b)).count(), 0);
}

#[test]
fn two_installations_feed_one_company_and_neither_takes_the_others_for_its_own() {
    let mut isp = Isp::seeded(Size::Tiny, 43);
    // One of the three customers is another partner's.
    isp.customers[0].partner_id = isp.partners[1].id;
    let theirs = [isp.partners[1].id];
    let others: Vec<i64> = isp
        .partners
        .iter()
        .map(|p| p.id)
        .filter(|id| *id != theirs[0])
        .collect();
    let mut one = installation(&isp, &theirs, "ONE");
    let mut two = installation(&isp, &others, "TWO");
    for installation in [&mut one, &mut two] {
        installation.set("payments_direction", "both");
        installation.set("create_payment_without_invoice", "on");
        installation.set("import_payments_from", "2020-01-01");
    }
    // The company goes back and forth between them, as if it were one; Splynx too.
    let mut done = 0;
    for round in 0..4 {
        for turn in 0..2 {
            let (now, other) = if turn == 0 {
                (&mut one, &mut two)
            } else {
                (&mut two, &mut one)
            };
            if round + turn > 0 {
                now.world().sage = other.world().sage.clone();
                now.world().splynx = other.world().splynx.clone();
                now.world().now = other.world().now + TimeDelta::minutes(20);
            }
            now.run_through("sync");
        }
        let after = writes(&mut two);
        assert!(
            round < 2 || after == done,
            "round {round}: {after} instead of {done} writes"
        );
        done = after;
    }
    let (held, all) = (held(two.world()), expected(&isp));
    assert_eq!(held.customers, all.customers);
    assert_eq!(sum(&held), sum(&all));
    assert_eq!(held.invoices.len(), all.invoices.len());
    assert_eq!(held.receipts.len(), all.receipts.len());
    let payments = rows(&two.world().splynx.state(), "payments").len();
    assert_eq!(payments, isp.payments.len(), "no money comes back");
    for tag in ["ONE-I", "TWO-I"] {
        assert!(
            held.invoices.keys().any(|mark| mark.starts_with(tag)),
            "{tag}"
        );
    }
}
