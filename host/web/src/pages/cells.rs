//! Cells of a table as people read them: with the titles of their columns, and money as it is written in South Africa.

use rust_decimal::{Decimal, RoundingStrategy};

use addon_manifest::Columns;

pub struct Column {
    pub title: String,
    pub money: bool,
}

pub struct Cell {
    pub title: String,
    pub text: String,
    pub money: bool,
}

/// The longest word that is not broken at its dashes, in characters: dates and numbers of documents are shorter.
const WHOLE: usize = 16;

impl Cell {
    /// The class of its element, if it has one.
    pub fn class(&self) -> &'static str {
        if self.money {
            "number"
        } else if self.text.chars().count() <= WHOLE && !self.text.contains(char::is_whitespace) {
            "nowrap"
        } else {
            ""
        }
    }
}

pub fn headings(columns: &Columns) -> Vec<Column> {
    let heading = |title: &String| Column {
        title: title.clone(),
        money: columns.money.contains(title),
    };
    columns.titles.iter().map(heading).collect()
}

/// An add-on may send more cells than its manifest has columns.
pub fn cells(columns: &Columns, cells: Vec<String>) -> Vec<Cell> {
    let titles = columns.titles.iter().cloned();
    let titles = titles.chain(std::iter::repeat(String::new()));
    let cell = |(title, text): (String, String)| {
        let money = columns.money.contains(&title);
        Cell {
            text: if money { amount(&text) } else { text },
            title,
            money,
        }
    };
    titles.zip(cells).map(cell).collect()
}

/// `-1234.5` → `-1 234,50` (CLDR, en-ZA, with spaces that do not break and the minus that spreadsheets
/// read); what is no amount stays as it is.
pub fn amount(text: &str) -> String {
    let Ok(amount) = text.trim().parse::<Decimal>() else {
        return text.to_owned();
    };
    // A format's own precision cuts.
    let amount = amount.round_dp_with_strategy(2, RoundingStrategy::MidpointAwayFromZero);
    let plain = format!("{:.2}", amount.abs());
    let (whole, cents) = plain.split_once('.').unwrap_or((&plain, "00"));
    let mut grouped = String::new();
    if amount.is_sign_negative() && !amount.is_zero() {
        grouped.push('-');
    }
    for (place, digit) in whole.chars().enumerate() {
        if place > 0 && (whole.len() - place) % 3 == 0 {
            grouped.push('\u{a0}');
        }
        grouped.push(digit);
    }
    format!("{grouped},{cents}")
}

#[cfg(test)]
mod tests {
    use super::amount;

    #[test]
    fn amounts_read_as_south_africans_write_them() {
        let cases = [
            ("0", "0,00"),
            ("-0.00", "0,00"),
            ("999.9", "999,90"),
            ("998.9956", "999,00"),
            ("-0.0049", "0,00"),
            ("-2.345", "-2,35"),
            ("1000", "1\u{a0}000,00"),
            ("-1234567.5", "-1\u{a0}234\u{a0}567,50"),
            (
                "1000000000000000000000.01",
                "1\u{a0}000\u{a0}000\u{a0}000\u{a0}000\u{a0}000\u{a0}000\u{a0}000,01",
            ),
            ("", ""),
            ("=1+1", "=1+1"),
            ("1e400", "1e400"),
        ];
        for (text, wanted) in cases {
            assert_eq!(amount(text), wanted, "{text:?}");
        }
    }
}
