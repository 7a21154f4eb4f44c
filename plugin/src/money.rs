//! Cents: rounding as both services do it, and sharing a total out over lines so that nothing is lost.

use rust_decimal::{Decimal, RoundingStrategy};

use crate::collect::ToSet;

/// To cents, ties away from zero.
pub fn cents(amount: Decimal) -> Decimal {
    amount.round_dp_with_strategy(2, RoundingStrategy::MidpointAwayFromZero)
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
