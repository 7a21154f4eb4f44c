//! A workbook for people's spreadsheets, whatever separators their country has: amounts are numbers, days are days, and everything else
//! is text, which no spreadsheet takes for a formula.
//!
//! Rows go to a thread of their own, which writes them to a file as they come: memory does not depend on their number.

use std::fs::File;
use std::io::{Seek as _, Write as _};

use chrono::{Datelike as _, NaiveDate, NaiveDateTime, Timelike as _};
use rust_decimal::Decimal;
use rust_xlsxwriter::{ExcelDateTime, Format, Workbook, Worksheet, XlsxError};
use thiserror::Error;
use tokio::sync::mpsc;

use super::Export;
use crate::host::HostError;

/// Pieces that wait for the writer.
const WAITING: usize = 2;

/// Rows that a sheet has at most (Excel, specifications and limits).
const LONGEST_SHEET: u32 = 1_048_576;

/// Characters that a cell has at most, by the same source.
const LONGEST_TEXT: usize = 32_767;

/// A spreadsheet's numbers have so many digits: an amount with more stays a text, to the cent.
const DIGITS: usize = 15;

/// A longer number is somebody's account or telephone; as a number it would be shown rounded.
const LONGEST_COUNT: usize = 9;

/// What cannot be written.
#[derive(Debug, Error)]
#[error("the workbook cannot be written: {0}; is there room for temporary files?")]
pub struct Unwritable(String);

/// What is shown of numbers and days. A spreadsheet puts its country's separators into them.
struct Formats {
    heading: Format,
    money: Format,
    day: Format,
    time: Format,
}

/// A cell as a spreadsheet understands it.
#[derive(Debug, PartialEq)]
enum Cell {
    Money(f64),
    Count(f64),
    Day(NaiveDate),
    Time(NaiveDateTime),
    Text(String),
}

/// All rows of an export as a workbook, in a file that has no name. The first row is the headings.
pub async fn workbook(mut export: Export) -> Result<File, HostError> {
    let money = export.money();
    let (pieces, received) = mpsc::channel(WAITING);
    let writer = tokio::task::spawn_blocking(move || write(received, &money));
    while let Some(piece) = export.rows().await? {
        if pieces.send(piece).await.is_err() {
            break;
        }
    }
    drop(pieces);
    let written = writer
        .await
        .map_err(|error| Unwritable(error.to_string()))?;
    Ok(written?)
}

fn write(
    mut pieces: mpsc::Receiver<Vec<Vec<String>>>,
    money: &[String],
) -> Result<File, Unwritable> {
    let failed = |error: XlsxError| Unwritable(error.to_string());
    let formats = Formats {
        heading: Format::new().set_bold(),
        money: Format::new().set_num_format("#,##0.00"),
        day: Format::new().set_num_format("yyyy-mm-dd"),
        time: Format::new().set_num_format("yyyy-mm-dd hh:mm:ss"),
    };
    let mut workbook = Workbook::new();
    let mut headings: Option<Vec<String>> = None;
    // The next row of the sheet; a full one is the same as none.
    let mut place = LONGEST_SHEET;
    while let Some(piece) = pieces.blocking_recv() {
        for row in piece {
            if place == LONGEST_SHEET {
                let sheet = workbook
                    .add_worksheet_with_constant_memory()
                    .map_err(failed)?;
                let headings = headings.get_or_insert_with(|| row.clone());
                begin(sheet, headings, &formats).map_err(failed)?;
                place = 1;
                if *headings == row {
                    continue;
                }
            }
            let last = workbook.worksheets_mut().last_mut();
            if let Some(sheet) = last {
                let headings = headings.as_deref().unwrap_or_default();
                line(sheet, place, &row, headings, money, &formats).map_err(failed)?;
            }
            place += 1;
        }
    }
    if headings.is_none() {
        workbook.add_worksheet();
    }
    let unwritable = |error: std::io::Error| Unwritable(error.to_string());
    let mut file = tempfile::tempfile().map_err(unwritable)?;
    workbook.save_to_writer(&mut file).map_err(failed)?;
    file.flush()
        .and_then(|()| file.rewind())
        .map_err(unwritable)?;
    Ok(file)
}

fn begin(sheet: &mut Worksheet, headings: &[String], formats: &Formats) -> Result<(), XlsxError> {
    sheet.set_freeze_panes(1, 0)?;
    for (column, heading) in (0..).zip(headings) {
        sheet.write_string_with_format(0, column, cut(heading), &formats.heading)?;
    }
    Ok(())
}

fn line(
    sheet: &mut Worksheet,
    place: u32,
    row: &[String],
    headings: &[String],
    money: &[String],
    formats: &Formats,
) -> Result<(), XlsxError> {
    for (index, text) in row.iter().enumerate() {
        let column = u16::try_from(index).map_err(|_| XlsxError::RowColumnLimitError)?;
        let is_money = headings
            .get(index)
            .is_some_and(|heading| money.contains(heading));
        match cell(text, is_money) {
            Cell::Money(amount) => {
                sheet.write_number_with_format(place, column, amount, &formats.money)?
            }
            Cell::Count(count) => sheet.write_number(place, column, count)?,
            Cell::Day(day) => {
                sheet.write_datetime_with_format(place, column, excel(day)?, &formats.day)?
            }
            Cell::Time(time) => {
                let (hour, minute) = (time.hour() as u16, time.minute() as u8);
                let at = excel(time.date())?.and_hms(hour, minute, f64::from(time.second()))?;
                sheet.write_datetime_with_format(place, column, at, &formats.time)?
            }
            Cell::Text(text) => sheet.write_string(place, column, text)?,
        };
    }
    Ok(())
}

fn cell(text: &str, is_money: bool) -> Cell {
    let digits = |text: &str| text.bytes().filter(u8::is_ascii_digit).count();
    // Amounts as the contract has them: digits, a sign, a point.
    let is_plain = |text: &str| {
        text.bytes()
            .all(|byte| byte.is_ascii_digit() || b"+-.".contains(&byte))
    };
    if is_money
        && is_plain(text.trim())
        && let Ok(amount) = text.trim().parse::<Decimal>()
        && digits(text) <= DIGITS
        // The number nearest to the text, which is read back as the same digits.
        && let Ok(number) = amount.normalize().to_string().parse()
    {
        return Cell::Money(number);
    }
    let whole = text.strip_prefix('-').unwrap_or(text);
    let is_count = !whole.is_empty()
        && whole.len() <= LONGEST_COUNT
        && whole.bytes().all(|byte| byte.is_ascii_digit())
        && (whole == "0" || !whole.starts_with('0'));
    if is_count && let Ok(number) = text.parse() {
        return Cell::Count(number);
    }
    // Spreadsheets know no day before.
    let is_known = |day: NaiveDate| (1900..=9999).contains(&day.year());
    if let Ok(day) = NaiveDate::parse_from_str(text, "%Y-%m-%d")
        && text.len() == 10
        && is_known(day)
    {
        return Cell::Day(day);
    }
    if let Ok(time) = NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S")
        && is_known(time.date())
    {
        return Cell::Time(time);
    }
    Cell::Text(cut(text))
}

fn excel(day: NaiveDate) -> Result<ExcelDateTime, XlsxError> {
    ExcelDateTime::from_ymd(day.year() as u16, day.month() as u8, day.day() as u8)
}

/// As much as a cell holds.
fn cut(text: &str) -> String {
    match text.char_indices().nth(LONGEST_TEXT) {
        None => text.to_owned(),
        Some(_) => text.chars().take(LONGEST_TEXT - 1).chain(['…']).collect(),
    }
}

#[cfg(test)]
mod tests {
    use std::io::BufReader;

    use calamine::{Data, Reader as _, Xlsx};

    use super::*;

    /// Written by one program, read by another.
    fn read_back(rows: Vec<Vec<&str>>) -> Vec<Vec<Data>> {
        let rows = rows
            .into_iter()
            .map(|row| row.into_iter().map(str::to_owned).collect())
            .collect();
        let (pieces, received) = mpsc::channel(WAITING);
        pieces.try_send(rows).unwrap();
        drop(pieces);
        let file = write(received, &["Amount".to_owned()]).unwrap();
        let mut workbook: Xlsx<_> = Xlsx::new(BufReader::new(file)).unwrap();
        let range = workbook.worksheet_range_at(0).unwrap().unwrap();
        range.rows().map(<[Data]>::to_vec).collect()
    }

    #[test]
    fn amounts_are_numbers_that_add_up_days_are_days_and_nothing_is_a_formula() {
        let amounts = [
            "45150.16",
            "-1234.50",
            "-0.01",
            "0.00",
            "1000000",
            "999999999999.99",
        ];
        let mut rows = vec![vec!["Day", "Customer", "Number", "Amount"]];
        rows.extend(amounts.map(|amount| vec!["2026-11-30", "Zoë Ntuli", "000123", amount]));
        let table = read_back(rows);
        let mut sum = Decimal::ZERO;
        for (row, amount) in table[1..].iter().zip(amounts) {
            let Data::Float(number) = row[3] else {
                panic!("{amount} became {:?}", row[3]);
            };
            sum += number.to_string().parse::<Decimal>().unwrap();
            assert!(matches!(row[0], Data::DateTime(_)), "{:?}", row[0]);
            assert_eq!(
                row[1..3],
                [
                    Data::String("Zoë Ntuli".into()),
                    Data::String("000123".into())
                ]
            );
        }
        let wanted: Decimal = amounts
            .iter()
            .map(|amount| amount.parse::<Decimal>().unwrap())
            .sum();
        assert_eq!(sum, wanted, "to the cent");

        for text in [
            "=1+1",
            "=HYPERLINK(\"x\",\"y\")",
            "+27821234567",
            "-",
            "@SUM(A1)",
            "\t=1",
            "a;=1\n=2",
            "0821234567",
            "27821234567",
            "1e5",
            "2026-13-01",
            "1899-12-31",
            "{=1}",
            "",
        ] {
            let table = read_back(vec![vec!["Text", "Amount"], vec![text, text]]);
            for cell in &table.get(1).cloned().unwrap_or_default() {
                assert!(
                    matches!(cell, Data::String(read) if read == text)
                        || (text.is_empty() && *cell == Data::Empty)
                        || matches!(
                            (text, cell),
                            (
                                "+27821234567" | "0821234567" | "27821234567",
                                Data::Float(_)
                            )
                        ),
                    "{text:?} became {cell:?}"
                );
            }
        }
        let long = "x".repeat(LONGEST_TEXT + 10);
        assert_eq!(cut(&long).chars().count(), LONGEST_TEXT);
        assert_eq!(cell("12", false), Cell::Count(12.0));
        // More digits than a spreadsheet keeps.
        assert_eq!(
            cell("12345678901234.56", true),
            Cell::Text("12345678901234.56".to_owned())
        );
    }
}
