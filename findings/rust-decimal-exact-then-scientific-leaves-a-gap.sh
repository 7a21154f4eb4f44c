#!/usr/bin/env bash
# A balance that PHP or JavaScript computed as nought is "no number" to a careful Rust reader.
#
# Versions: crates.io rust_decimal 1.43.0 (std only); any Node.
#
# Sums of money in binary floats that should be 0 leave a residue, and JSON carries it in scientific form: 1.1 + 2.2 - 3.3 is
# 4.440892098500626e-16. Guess: a Rust program that must not lose digits tries `from_str_exact`, which knows no exponents, and then
# `from_scientific`, which is made for them; the two together read every JSON number that the lenient `from_str` reads.
# Seen: they do not. `from_scientific` refuses what has more than 28 decimals, counted with the digits of the mantissa, and a residue has
# 16 or 17 digits, so everything below about 1e-12 is refused; `from_str` rounds it, through yet another function,
# `from_scientific_lossy`. Where "no number" is taken as "absent", the balance is gone. A long fraction that is written out falls into
# the same gap: too long for the first, not scientific for the second.
#
# Output seen:
#   4.440892098500626e-16: exact no, scientific no, from_str 0.0000000000000004440892098501
#   -1.1368683772161603e-13: exact no, scientific no, from_str -0.0000000000001136868377216160
#   0.333333333333333333333333333333: exact no, scientific no, from_str 0.3333333333333333333333333333
#   9.313225746154785e-10: exact no, scientific yes, from_str 0.0000000009313225746154785
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
mkdir src
cat >Cargo.toml <<'TOML'
[package]
name = "residue"
version = "0.0.0"
edition = "2021"

[dependencies]
rust_decimal = { version = "=1.43.0", default-features = false, features = ["std"] }
TOML
cat >src/main.rs <<'RUST'
use rust_decimal::Decimal;

fn main() {
    for text in std::env::args().skip(1) {
        let said = |read: bool| if read { "yes" } else { "no" };
        let exact = said(Decimal::from_str_exact(&text).is_ok());
        let scientific = said(Decimal::from_scientific(&text).is_ok());
        let lenient: Decimal = text.parse().unwrap();
        println!("{text}: exact {exact}, scientific {scientific}, from_str {lenient}");
    }
}
RUST
residue=$(node -p 'JSON.stringify(1.1 + 2.2 - 3.3)')
CARGO_TARGET_DIR=$folder/target cargo run --quiet -- \
  "$residue" -1.1368683772161603e-13 0.333333333333333333333333333333 9.313225746154785e-10 | tee seen
diff seen - <<'SEEN'
4.440892098500626e-16: exact no, scientific no, from_str 0.0000000000000004440892098501
-1.1368683772161603e-13: exact no, scientific no, from_str -0.0000000000001136868377216160
0.333333333333333333333333333333: exact no, scientific no, from_str 0.3333333333333333333333333333
9.313225746154785e-10: exact no, scientific yes, from_str 0.0000000009313225746154785
SEEN
