//! How Sage computes: asked with amounts that come out differently in every way that is known.

use rust_decimal::Decimal;
use serde_json::{Value, json};

use super::asker::Stop;
use super::sage::{Company, decimal, doubtful};
use crate::sage::behaviour::{InclusiveTotal, SentTotals, TaxBasis, Ties, UnitPrice};
use crate::sage::totals::{LineInput, Rules, document, line};

/// The longest line text that is tried.
const LONGEST: usize = 4096;

/// The switches that the totals of documents tell together.
const WAYS: [&str; 4] = ["ties", "tax_basis", "inclusive_total", "unit_price"];

/// A quantity, and the price of one.
type Amount = (Decimal, Decimal);
/// Without tax, tax, with tax.
type Sums = [Decimal; 3];

/// Asks how documents are computed. The company has what it is asked with.
pub fn ask(company: &mut Company) -> Result<(), Stop> {
    ways(company)?;
    sent_along(company)?;
    let amounts = [
        company.line(true, "1", "100"),
        company.line(true, "1", "-10"),
    ];
    let taken = company.calculate(true, &amounts)?.is_some();
    company.findings.is("negative_lines", doubtful(taken));
    let length = longest_text(company)?;
    company.findings.is("line_description_length", length);
    Ok(())
}

fn rate(company: &Company) -> Decimal {
    company
        .specimen
        .tax
        .map(|(_, rate)| rate)
        .unwrap_or_default()
}

/// Which way of computing explains both an inclusive and an exclusive document.
fn ways(company: &mut Company) -> Result<(), Stop> {
    let digits = company.findings.positions().get("unit_price_digits");
    let Some(digits) = digits.and_then(Value::as_u64) else {
        // Another number of decimals could explain the same totals in another way.
        for switch in WAYS {
            company
                .findings
                .not_told(switch, "it is not known how many decimals a price has");
        }
        return Ok(());
    };
    let rate = rate(company);
    let ways = all_ways(u32::try_from(digits).unwrap_or(2).min(6));
    let (inclusive, mut exclusive) = telling(&ways, rate);
    let gross = sums(company, true, &inclusive)?;
    let mut net = sums(company, false, &exclusive)?;
    if net.is_none() {
        // It may be the long price.
        exclusive.remove(0);
        net = sums(company, false, &exclusive)?;
    }
    let fits = |way: &&Rules| {
        Some(predicted(way, true, &inclusive, rate)) == gross
            && net.is_none_or(|net| predicted(way, false, &exclusive, rate) == net)
    };
    let mut fitting = ways.iter().filter(fits);
    match (fitting.next(), fitting.next()) {
        (Some(way), None) => {
            company.findings.is("ties", way.ties);
            company.findings.is("tax_basis", way.tax_basis);
            company.findings.is("inclusive_total", way.inclusive_total);
            company.findings.is("unit_price", way.unit_price);
        }
        (found, _) => {
            let why = match found {
                Some(_) => "several ways to compute explain its totals",
                None => "no way to compute that is known explains its totals",
            };
            for switch in WAYS {
                company.findings.not_told(switch, why);
            }
        }
    }
    Ok(())
}

fn all_ways(digits: u32) -> Vec<Rules> {
    let ways = (0..16_u8).map(|number| {
        let is = |place: u8| number >> place & 1 == 1;
        Rules {
            ties: [Ties::AwayFromZero, Ties::ToEven][usize::from(is(0))],
            tax_basis: [TaxBasis::Line, TaxBasis::Document][usize::from(is(1))],
            inclusive_total: [InclusiveTotal::Preserved, InclusiveTotal::FromExclusive]
                [usize::from(is(2))],
            unit_price: [UnitPrice::AsSent, UnitPrice::Rounded][usize::from(is(3))],
            sent_totals: SentTotals::Recomputed,
            unit_price_digits: digits,
        }
    });
    ways.collect()
}

/// Amounts of an inclusive and of an exclusive document, taken for as long as they tell more ways apart.
fn telling(ways: &[Rules], rate: Decimal) -> (Vec<Amount>, Vec<Amount>) {
    let told = |inclusive: &[Amount], exclusive: &[Amount]| {
        let mut sums: Vec<(Sums, Sums)> = ways
            .iter()
            .map(|way| {
                (
                    predicted(way, true, inclusive, rate),
                    predicted(way, false, exclusive, rate),
                )
            })
            .collect();
        sums.sort_unstable();
        sums.dedup();
        sums.len()
    };
    let mut inclusive = vec![(Decimal::ONE, Decimal::new(999, 0))];
    let mut exclusive = vec![long_price(ways[0].unit_price_digits)];
    let mut apart = told(&inclusive, &exclusive);
    for (is_inclusive, more) in candidates() {
        if apart == ways.len() {
            break;
        }
        let extended = |amounts: &[Amount], wanted: bool| {
            let more = more.iter().filter(|_| wanted);
            amounts.iter().chain(more).copied().collect::<Vec<Amount>>()
        };
        let tried = (
            extended(&inclusive, is_inclusive),
            extended(&exclusive, !is_inclusive),
        );
        let better = told(&tried.0, &tried.1);
        if better > apart {
            (inclusive, exclusive) = tried;
            apart = better;
        }
    }
    (inclusive, exclusive)
}

/// A price with a decimal more than the company stores, and so many of it that the decimal counts.
fn long_price(digits: u32) -> Amount {
    let price = Decimal::new(1, 1) + Decimal::new(3, digits + 1);
    (Decimal::from(10_u64.pow(digits)), price)
}

/// Amounts that rounding may move: single cents, the same three times, and half cents. Whether with tax in them.
fn candidates() -> impl Iterator<Item = (bool, Vec<Amount>)> {
    let half = Decimal::new(5, 1);
    (5..205).flat_map(move |cents| {
        let cents = Decimal::new(cents, 2);
        let one = (Decimal::ONE, cents);
        // Where prices are kept in whole rands, a quantity makes the cents.
        let piece = (cents, Decimal::ONE);
        let all = [
            vec![one],
            vec![one; 3],
            vec![(half, cents)],
            vec![piece],
            vec![piece; 3],
        ];
        let both = [false, true].map(|inclusive| all.clone().map(|amounts| (inclusive, amounts)));
        both.into_iter().flatten()
    })
}

/// What a way to compute makes of amounts.
fn predicted(way: &Rules, inclusive: bool, amounts: &[Amount], rate: Decimal) -> Sums {
    let lines: Vec<_> = amounts
        .iter()
        .map(|(quantity, unit_price)| {
            let input = LineInput {
                quantity: *quantity,
                unit_price: *unit_price,
                rate,
                ..LineInput::default()
            };
            (line(&input, inclusive, way), rate)
        })
        .collect();
    let totals = document(&lines, inclusive, way);
    [totals.exclusive, totals.tax, totals.total].map(|sum| sum.normalize())
}

/// What Sage makes of them; none where it refuses. What the company's own rounding of totals adds is taken out.
fn sums(company: &mut Company, inclusive: bool, amounts: &[Amount]) -> Result<Option<Sums>, Stop> {
    let lines: Vec<Value> = amounts
        .iter()
        .map(|(quantity, price)| company.line(inclusive, &quantity.to_string(), &price.to_string()))
        .collect();
    let answer = company.calculate(inclusive, &lines)?;
    Ok(answer.and_then(|document| {
        let amount = |field| decimal(&document, field);
        let total = amount("Total")? - amount("Rounding").unwrap_or_default();
        Some([amount("Exclusive")?, amount("Tax")?, total].map(|sum| sum.normalize()))
    }))
}

/// What becomes of amounts and rates that are sent with a line.
fn sent_along(company: &mut Company) -> Result<(), Stop> {
    let ten = Decimal::TEN;
    let usual = (ten * rate(company)).round_dp(2).normalize();
    let mut with_tax = company.line(false, "1", "10");
    with_tax["Tax"] = json!(9.99);
    let mut with_rate = company.line(false, "1", "10");
    with_rate["TaxPercentage"] = json!(0.99);
    let document = company.calculate(false, &[with_tax, with_rate])?;
    let taxes: Vec<Decimal> = document
        .iter()
        .filter_map(|document| document["Lines"].as_array())
        .flatten()
        .filter_map(|line| decimal(line, "Tax"))
        .map(|tax| tax.normalize())
        .collect();
    match taxes.as_slice() {
        [kept, rated] => {
            let trusted = match *kept == usual {
                true => SentTotals::Recomputed,
                false => SentTotals::Trusted,
            };
            company.findings.is("sent_totals", trusted);
            company
                .findings
                .is("sent_tax_percentage_rules", *rated != usual);
        }
        _ => {
            for switch in ["sent_totals", "sent_tax_percentage_rules"] {
                company
                    .findings
                    .not_told(switch, "amounts that are sent along are refused");
            }
        }
    }
    Ok(())
}

/// The longest text of a line that is kept whole.
fn longest_text(company: &mut Company) -> Result<usize, Stop> {
    let (mut kept, mut cut) = (0, LONGEST + 1);
    // What is assumed is asked first: two requests then do.
    let mut next = 100;
    while kept + 1 < cut {
        if is_kept(company, next)? {
            kept = next;
        } else {
            cut = next;
        }
        next = if (kept, cut) == (100, LONGEST + 1) {
            101
        } else {
            (kept + cut) / 2
        };
    }
    Ok(kept)
}

fn is_kept(company: &mut Company, length: usize) -> Result<bool, Stop> {
    let mut line = company.line(true, "1", "100");
    line["Description"] = "x".repeat(length).into();
    let document = company.calculate(true, &[line])?;
    let text = document.and_then(|document| {
        let text = document["Lines"].as_array()?.first()?["Description"].as_str()?;
        Some(text.len())
    });
    Ok(text == Some(length))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_amounts_tell_all_ways_apart_whatever_the_rate_and_the_decimals_of_prices() {
        for rate in [1, 9, 14, 15, 16, 20].map(|percent| Decimal::new(percent, 2)) {
            for digits in 0..7 {
                let ways = all_ways(digits);
                let (inclusive, exclusive) = telling(&ways, rate);
                for way in &ways {
                    let of = |way: &Rules| {
                        (
                            predicted(way, true, &inclusive, rate),
                            predicted(way, false, &exclusive, rate),
                        )
                    };
                    let same = ways.iter().filter(|other| of(other) == of(way));
                    assert_eq!(same.count(), 1, "{rate} {digits} {way:?}");
                }
            }
        }
    }
}
