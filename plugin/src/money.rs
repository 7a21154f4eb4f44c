//! Cents: rounding as both services do it, sharing a total out over lines so that nothing is lost, and amounts in sentences.

use rust_decimal::{Decimal, RoundingStrategy};

use crate::collect::ToSet;

/// To cents, ties away from zero.
pub fn cents(amount: Decimal) -> Decimal {
    rounded(amount, 2)
}

/// To so many places, ties away from zero.
pub fn rounded(amount: Decimal, places: u32) -> Decimal {
    amount.round_dp_with_strategy(places, RoundingStrategy::MidpointAwayFromZero)
}

/// In cells and stored values, `-1234.50`: the host writes those for people. Never by a format's own precision: that cuts.
pub fn plain(amount: Decimal) -> String {
    format!("{:.2}", cents(amount))
}

/// An amount within a sentence, as South Africans write it: `-1 234,50` (CLDR, en-ZA, with spaces that do not break). Cells and
/// stored values are plain decimals: the host writes those for people.
pub fn written(amount: Decimal) -> String {
    let amount = cents(amount);
    let plain = plain(amount.abs());
    let (rand, cents) = plain.split_once('.').unwrap_or((&plain, "00"));
    let mut text = String::new();
    if amount < Decimal::ZERO {
        text.push('-');
    }
    for (place, digit) in rand.chars().enumerate() {
        if place > 0 && (rand.len() - place).is_multiple_of(3) {
            text.push('\u{a0}');
        }
        text.push(digit);
    }
    text.push(',');
    text.push_str(cents);
    text
}

/// Rounds `exact` amounts to cents so that they sum to `total`: each gets its own rounding, and the cents left over go
/// where rounding moved the amount furthest the other way (the largest remainder).
///
/// `None` where the sum misses the total by more than a cent a line: then the lines are not what the total was made of, and
/// sharing the difference out would hide it.
pub fn apportion(exact: &[Decimal], total: Decimal) -> Option<Vec<Decimal>> {
    let mut shares: Vec<Decimal> = exact.iter().map(|amount| cents(*amount)).collect();
    let missing = total - shares.iter().sum::<Decimal>();
    if missing.is_zero() {
        return Some(shares);
    }
    let cent = Decimal::new(1, 2);
    let step = if missing.is_sign_negative() {
        -cent
    } else {
        cent
    };
    let steps = (missing / step).normalize();
    if !steps.is_integer() || steps > Decimal::from(shares.len()) {
        return None;
    }
    // What rounding took from the amount, counted in the direction of the correction; ties go to the earlier line.
    let order = (0..exact.len())
        .map(|i| (std::cmp::Reverse((exact[i] - shares[i]) * step), i))
        .to_set();
    let mut left = steps;
    for (_, i) in order {
        if left.is_zero() {
            break;
        }
        shares[i] += step;
        left -= Decimal::ONE;
    }
    Some(shares)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dec(text: &str) -> Decimal {
        Decimal::from_str_exact(text).expect("a decimal")
    }

    #[test]
    fn amounts_in_sentences_have_groups_and_a_comma() {
        for (amount, text) in [
            ("0", "0,00"),
            ("-0.01", "-0,01"),
            ("699.95", "699,95"),
            ("1000", "1\u{a0}000,00"),
            ("-1234567.5", "-1\u{a0}234\u{a0}567,50"),
            ("998.9956", "999,00"),
            ("999.0050", "999,01"),
            ("-0.0049", "0,00"),
        ] {
            assert_eq!(written(dec(amount)), text);
        }
        assert_eq!(plain(dec("998.9956")), "999.00");
        assert_eq!(plain(dec("-2.345")), "-2.35");
    }

    #[test]
    fn a_total_is_shared_out_to_the_last_cent_or_refused() {
        let third = dec("33.335");
        // Rounded on their own they make 100.02; the total was rounded at the end.
        assert_eq!(
            apportion(&[third, third, third], dec("100.01")),
            Some(vec![dec("33.33"), dec("33.34"), dec("33.34")])
        );
        assert_eq!(
            apportion(&[dec("898.999965")], dec("899.00")),
            Some(vec![dec("899.00")])
        );
        assert_eq!(
            apportion(&[dec("-10.004"), dec("20.006")], dec("10.00")),
            Some(vec![dec("-10.01"), dec("20.01")])
        );
        assert_eq!(apportion(&[dec("10.00")], dec("10.05")), None);
        assert_eq!(apportion(&[], dec("1")), None);
        assert_eq!(apportion(&[], dec("0")), Some(vec![]));
    }
}
