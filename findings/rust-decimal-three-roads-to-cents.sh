#!/usr/bin/env bash
# One decimal, three ways to two decimals in one crate, three answers; the one that everybody prints with cuts off.
#
# Version: crates.io rust_decimal 1.43.0 (std only).
#
# Guess: `format!("{:.2}", amount)` rounds, as it does for every number of Rust's own; and `round_dp(2)` and `rescale(2)` agree, since
# they differ in whether zeros are kept. Seen: the formatter drops digits, so 2.999 prints as 2.99; `round_dp` sends a half to the even
# neighbour, `rescale` away from zero. An invoice that is stored by one, sent by another and printed by the third has three totals.
# Two of the three leave nought its sign.
#
# Output seen:
#   amount  {:.2}  f64    round_dp  rescale
#   2.345   2.34   2.35   2.34      2.35
#   2.355   2.35   2.35   2.36      2.36
#   2.999   2.99   3.00   3.00      3.00
#   -0.004  -0.00  -0.00  0.00      -0.00
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
mkdir src
cat >Cargo.toml <<'TOML'
[package]
name = "cents"
version = "0.0.0"
edition = "2021"

[dependencies]
rust_decimal = { version = "=1.43.0", default-features = false, features = ["std"] }
TOML
cat >src/main.rs <<'RUST'
use rust_decimal::Decimal;

fn main() {
    println!("amount  {{:.2}}  f64    round_dp  rescale");
    for text in ["2.345", "2.355", "2.999", "-0.004"] {
        let amount: Decimal = text.parse().unwrap();
        let float: f64 = text.parse().unwrap();
        let mut rescaled = amount;
        rescaled.rescale(2);
        println!("{text:<6}  {:<5}  {:<5}  {:<8}  {rescaled}", format!("{amount:.2}"), format!("{float:.2}"), amount.round_dp(2).to_string());
    }
}
RUST
CARGO_TARGET_DIR=$folder/target cargo run --quiet | tee seen
diff seen - <<'SEEN'
amount  {:.2}  f64    round_dp  rescale
2.345   2.34   2.35   2.34      2.35
2.355   2.35   2.35   2.36      2.36
2.999   2.99   3.00   3.00      3.00
-0.004  -0.00  -0.00  0.00      -0.00
SEEN
