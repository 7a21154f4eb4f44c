//! A file for spreadsheets, taken apart as they do it.

/// Cells that a spreadsheet would compute, and what of the file is no table. Empty: all is well.
pub fn formulas(csv: &str) -> Vec<String> {
    let rows = match rows(csv.strip_prefix('\u{feff}').unwrap_or(csv)) {
        Ok(rows) => rows,
        Err(problem) => return vec![problem],
    };
    let cells = rows.iter().flatten().filter(|cell| is_formula(cell));
    let cells = cells.map(|cell| format!("a formula: {cell:?}"));
    cells.collect()
}

/// What begins as a formula and is no number (OWASP, CSV injection).
fn is_formula(cell: &str) -> bool {
    cell.starts_with(['=', '+', '-', '@', '\t', '\r', '\n']) && cell.parse::<f64>().is_err()
}

fn rows(csv: &str) -> Result<Vec<Vec<String>>, String> {
    let (mut rows, mut row, mut cell) = (Vec::new(), Vec::new(), String::new());
    let mut characters = csv.chars().peekable();
    let mut quoted = false;
    while let Some(c) = characters.next() {
        match c {
            '"' if quoted && characters.peek() == Some(&'"') => {
                characters.next();
                cell.push('"');
            }
            '"' if quoted => quoted = false,
            '"' if cell.is_empty() => quoted = true,
            '"' => return Err(format!("a quote in the middle of {cell:?}")),
            ',' if !quoted => row.push(std::mem::take(&mut cell)),
            '\r' if !quoted && characters.peek() == Some(&'\n') => {
                characters.next();
                row.push(std::mem::take(&mut cell));
                rows.push(std::mem::take(&mut row));
            }
            '\r' | '\n' if !quoted => return Err(format!("a line ends in the middle of {cell:?}")),
            other => cell.push(other),
        }
    }
    if quoted || !cell.is_empty() || !row.is_empty() {
        return Err("the last line has no end".to_owned());
    }
    Ok(rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formulas_are_seen_and_texts_and_numbers_are_not() {
        assert!(formulas("\u{feff}a,b\r\n-12.50,'=1\r\n\"x, \"\"y\"\"\n=z\",+27\r\n").is_empty());
        for bad in [
            "=1+1\r\n",
            "\"=1\",2\r\n",
            "a,b\r\nx,@SUM(A1)\r\n",
            "\"\t=1\"\r\n",
            "-2+3\r\n",
            "a\n=1\r\n",
            "a\"b\r\n",
            "a",
        ] {
            assert!(!formulas(bad).is_empty(), "{bad:?}");
        }
    }
}
