//! CSV as RFC 4180 has it, for spreadsheets: texts that a spreadsheet would take for a formula are defused with an apostrophe
//! in front (OWASP, CSV injection). Names and notes come from customers, and whoever opens the file is a bookkeeper.

/// For spreadsheets that take a file without it for something older than UTF-8.
pub const BYTE_ORDER_MARK: &str = "\u{feff}";

/// Adds one line.
pub fn line<C: AsRef<str>>(text: &mut String, cells: impl IntoIterator<Item = C>) {
    for (index, cell) in cells.into_iter().enumerate() {
        if index > 0 {
            text.push(',');
        }
        self::cell(text, cell.as_ref());
    }
    text.push_str("\r\n");
}

fn cell(text: &mut String, cell: &str) {
    // Semicolons and tabs part cells in some countries' spreadsheets.
    let quoted = cell.contains([',', ';', '"', '\r', '\n', '\t'])
        || cell.starts_with(' ')
        || cell.ends_with(' ');
    if quoted {
        text.push('"');
    }
    // In some countries' spreadsheets a cell ends there, whatever is quoted, and what follows begins another one.
    for (index, part) in cell.split_inclusive([';', '\r', '\n', '\t']).enumerate() {
        if is_dangerous(part, index > 0) {
            text.push('\'');
        }
        text.push_str(&part.replace('"', "\"\""));
    }
    if quoted {
        text.push('"');
    }
}

/// What a formula begins with, also as some keyboards write it.
const SIGNS: &str = "=+-@＝＋－＠";

/// A number may begin with a sign; any other text that begins like a formula is one to a spreadsheet. `within`: what follows in the
/// line may be taken for its end, so that it is no number either.
fn is_dangerous(part: &str, within: bool) -> bool {
    if within {
        return part.starts_with(|c| SIGNS.contains(c));
    }
    let begins = part.starts_with(|c: char| SIGNS.contains(c) || c.is_control());
    begins && !is_number(part)
}

fn is_number(cell: &str) -> bool {
    let digits = cell.strip_prefix(['-', '+']).unwrap_or(cell);
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
    let plain = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    plain(whole) && plain(fraction)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formulas_are_defused_numbers_stay_and_whatever_parts_cells_is_quoted() {
        for (cell, written) in [
            ("", ""),
            ("Ann", "Ann"),
            ("-12.50", "-12.50"),
            ("+27", "+27"),
            ("-12.50.1", "'-12.50.1"),
            ("-", "'-"),
            ("-.5", "'-.5"),
            ("1-2", "1-2"),
            ("=1+1", "'=1+1"),
            (
                "=HYPERLINK(\"x\",\"y\")",
                "\"'=HYPERLINK(\"\"x\"\",\"\"y\"\")\"",
            ),
            ("@SUM(A1)", "'@SUM(A1)"),
            ("+cmd|' /C calc'!A0", "'+cmd|' /C calc'!A0"),
            ("-2+3", "'-2+3"),
            ("\t=1", "\"'\t'=1\""),
            ("\r\n=1", "\"'\r\n'=1\""),
            ("＝1+1", "'＝1+1"),
            ("＋1", "'＋1"),
            ("－2", "'－2"),
            ("＠A1", "'＠A1"),
            ("\u{1b}[31m", "'\u{1b}[31m"),
            ("a,b", "\"a,b\""),
            ("a;b", "\"a;b\""),
            ("a;=1", "\"a;'=1\""),
            ("a;=1;-5;b\n@x", "\"a;'=1;'-5;b\n'@x\""),
            ("two\nlines", "\"two\nlines\""),
            ("6\" pipe", "\"6\"\" pipe\""),
            (" blank ", "\" blank \""),
            ("Zoë Ntuli", "Zoë Ntuli"),
        ] {
            let mut text = String::new();
            line(&mut text, [cell, "x"]);
            assert_eq!(text, format!("{written},x\r\n"), "{cell:?}");
        }
    }
}
