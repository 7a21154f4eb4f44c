//! Pairs from a CSV file that a person made, or downloaded from the page Pairing and corrected.
//!
//! Each line is checked on its own against both services; good ones are paired, bad ones become rows of the report `rejected` with
//! the cure. An id that two lines name says nothing certain, so both lines are rejected.

use std::collections::BTreeMap;

use crate::capability::{Failure, Pair, Row as ReportRow};
use crate::collect::{ToMap, ToSet};
use crate::splynx::{self, Customer};
use crate::sync::customer_fields;
use crate::sync::customers;
use crate::sync::pairing::{self, Row};
use crate::sync::vat_numbers;
use crate::write::known_customers::{customers_listed, reload_customers};
use crate::write::ledger::{Run, RunError, RunResult};
use crate::write::record::{Batch, Kind, RecordKey, State};

/// Lines that are checked and paired in one commit.
const CHUNK: usize = 100;

/// Lines of one file: each that is rejected is a row of a report.
const MOST_LINES: usize = 100_000;

/// A line of the file that names a pair.
struct Line {
    /// As editors count, the header being 1.
    number: usize,
    text: String,
    splynx: String,
    sage: String,
}

/// Why a line is rejected, and the cure.
struct Rejection(String, &'static str);

/// Pairs what the option `csv` says; answers what to tell people where lines were rejected.
///
/// # Errors
/// Where the file has no header that names both ids, or more than [`MOST_LINES`].
pub fn import(run: &mut Run, options: &[Pair]) -> RunResult<Option<Failure>> {
    let csv = options
        .iter()
        .find(|(name, _)| name == "csv")
        .map_or("", |(_, value)| value);
    run.progress("Reading the file", 0, 0)?;
    let lines = read(csv).map_err(RunError::Failed)?;
    reload_customers(run)?;
    let (splynx_uses, sage_uses) = (
        uses(&lines, |line| &line.splynx),
        uses(&lines, |line| &line.sage),
    );
    let (mut done, total) = (0, lines.len() as u64);
    let mut rejected = 0;
    for chunk in lines.chunks(CHUNK) {
        run.progress("Pairing", done, total)?;
        done += chunk.len() as u64;
        let mut report = Vec::new();
        let mut checked = Vec::new();
        for line in chunk {
            let ids = parse_ids(line).and_then(|ids| {
                let twice =
                    splynx_uses[line.splynx.as_str()] > 1 || sage_uses[line.sage.as_str()] > 1;
                if twice {
                    return Err(Rejection(
                        "An id of this line stands on another line too.".to_owned(),
                        "Keep the line that is right, and import it again.",
                    ));
                }
                Ok(ids)
            });
            match ids {
                Ok((splynx, sage)) => checked.push((line, splynx, sage)),
                Err(rejection) => report.push(report_row(line, rejection)),
            }
        }
        report.extend(pair(run, checked)?);
        rejected += report.len();
        let line = |row: ReportRow| (row.id.parse::<usize>().unwrap_or_default(), row);
        let report = report.into_iter().map(line).to_map();
        let report: Vec<ReportRow> = report.into_iter().map(|(_, row)| row).collect();
        if !report.is_empty() {
            run.cap.report("rejected", report)?;
        }
    }
    *run.counts.entry("lines rejected".to_owned()).or_default() += rejected as u64;
    Ok((rejected > 0).then(|| {
        Failure::new(
            "lines-rejected",
            format!(
                "{rejected} of {total} lines were rejected: the report Rejected lines says why. Correct those lines and import them again."
            ),
        )
    }))
}

/// How many lines name each id.
fn uses(lines: &[Line], id: fn(&Line) -> &str) -> BTreeMap<&str, usize> {
    let mut count = BTreeMap::new();
    for line in lines {
        *count.entry(id(line)).or_default() += 1;
    }
    count
}

fn parse_ids(line: &Line) -> Result<(i64, i64), Rejection> {
    let id = |text: &str| text.parse::<i64>().ok().filter(|id| *id > 0);
    match (id(&line.splynx), id(&line.sage)) {
        (Some(splynx), Some(sage)) => Ok((splynx, sage)),
        (None, _) => Err(Rejection(
            format!("{:?} is no Splynx id.", line.splynx),
            "Write the customer's number in Splynx.",
        )),
        (_, None) => Err(Rejection(
            format!("{:?} is no Sage id.", line.sage),
            "Write the number from the page Pairing, column Sage id.",
        )),
    }
}

/// Pairs lines that can be paired; answers the rows of the others.
fn pair(run: &mut Run, lines: Vec<(&Line, i64, i64)>) -> RunResult<Vec<ReportRow>> {
    let keys = lines
        .iter()
        .map(|(_, splynx, _)| RecordKey::new(Kind::Customer, *splynx));
    let mut records = run.records(keys.collect::<Vec<_>>())?;
    // What is paired just so already is a line that was imported before.
    let open: Vec<(&Line, i64, i64)> = lines
        .into_iter()
        .filter(|(_, splynx, sage)| {
            let stored = &records[&RecordKey::new(Kind::Customer, *splynx)];
            let remote = stored.record.as_ref().and_then(|r| r.remote.as_ref());
            remote != Some(&pairing::in_sage(*sage))
        })
        .collect();
    // First what costs no request: a file of ids that nobody knows must not keep Splynx busy for hours.
    let sage: Vec<i64> = open.iter().map(|(_, _, sage)| *sage).collect();
    let listed = customers_listed(run, &sage)?;
    let is_listed = |(_, _, sage): &(&Line, i64, i64)| listed.contains_key(sage);
    let (open, unknown): (Vec<_>, Vec<_>) = open.into_iter().partition(is_listed);
    let unknown = unknown.into_iter().map(|(line, _, sage)| {
        let why = format!("Sage has no customer {sage}.");
        report_row(line, Rejection(why, "Correct the Sage id."))
    });
    let mut report: Vec<ReportRow> = unknown.collect();
    if open.is_empty() {
        return Ok(report);
    }
    let ids: Vec<i64> = open.iter().map(|(_, splynx, _)| *splynx).collect();
    let sage = open.iter().map(|(_, _, sage)| *sage).to_set();
    let people = splynx::by_ids::<Customer>(run, &ids)?
        .records
        .into_iter()
        .map(|customer| (customer.id, customer))
        .to_map();
    let vat = vat_numbers::of_customers(run, people.values())?;
    let paired = pairing::paired(run, &sage)?;
    let known = pairing::rows(run, &ids)?;
    let mut batch = Batch::default();
    for (line, splynx, sage) in open {
        let stored = records
            .remove(&RecordKey::new(Kind::Customer, splynx))
            .unwrap_or_default();
        let record = stored.record.as_ref();
        let rejection = match people.get(&splynx) {
            None => Some(Rejection(
                format!("Splynx has no customer {splynx}."),
                "Correct the Splynx id.",
            )),
            Some(customer) => left_out(run, customer),
        };
        let rejection = rejection.or_else(|| match record {
            Some(record) if matches!(record.state, State::Sending | State::Uncertain) => {
                Some(Rejection(
                    "It may be on its way to Sage.".to_owned(),
                    "Wait for the next run, then import the line again.",
                ))
            }
            Some(record) => record.remote.as_ref().map(|remote| {
                Rejection(
                    format!(
                        "Splynx customer {splynx} is paired with Sage customer {}.",
                        remote.id
                    ),
                    "Unpair it on the page Pairing first, if that pair is wrong.",
                )
            }),
            None => None,
        });
        let rejection = rejection.or_else(|| {
            paired.get(&sage).map(|other| {
                Rejection(
                    format!(
                        "Sage customer {sage} is paired with Splynx customer {}.",
                        other.id
                    ),
                    "Unpair that one on the page Pairing first, if that pair is wrong.",
                )
            })
        });
        match (rejection, people.get(&splynx)) {
            (None, Some(customer)) => {
                let row = known.get(&splynx).cloned().unwrap_or_else(|| {
                    let vat = vat.of(customer).unwrap_or_default();
                    let label = customer_fields::name_of(customer, &run.settings.name_pattern);
                    Row::of(customer, vat, label)
                });
                pairing::join(run, &mut batch, splynx, &stored, &row, sage)?;
            }
            (rejection, _) => report.extend(rejection.map(|why| report_row(line, why))),
        }
    }
    run.commit(batch)?;
    Ok(report)
}

/// Leads and customers of partners that are left out are not paired (F13, I6).
fn left_out(run: &Run, customer: &Customer) -> Option<Rejection> {
    customers::left_out(run, customer)
        .map(|reason| Rejection(reason.message, "Leave the line out."))
}

fn report_row(line: &Line, Rejection(why, cure): Rejection) -> ReportRow {
    ReportRow {
        id: line.number.to_string(),
        cells: vec![
            line.number.to_string(),
            line.text.clone(),
            why,
            cure.to_owned(),
        ],
        more: Vec::new(),
    }
}

/// The lines that name a Sage id. The header names the columns; spreadsheets of some countries part them by semicolons.
fn read(csv: &str) -> Result<Vec<Line>, Failure> {
    // Old spreadsheets end a line with a carriage return alone.
    let csv = csv
        .trim_start_matches('\u{feff}')
        .replace("\r\n", "\n")
        .replace('\r', "\n");
    let first = csv.lines().next().unwrap_or_default();
    let said = said_separator(first);
    let separator = said.unwrap_or_else(|| likely_separator(first));
    // The line that says it is no header, and counts as a line all the same.
    let mut rows = parse(&csv, separator)
        .into_iter()
        .skip(usize::from(said.is_some()));
    let header: Vec<String> = rows
        .next()
        .map(|(_, _, fields)| fields)
        .unwrap_or_default()
        .iter()
        .map(|name| name.trim().to_lowercase().replace(' ', "_"))
        .collect();
    let column = |wanted: &str| header.iter().position(|name| name == wanted);
    let (Some(splynx), Some(sage)) = (column("splynx_id"), column("sage_id")) else {
        return Err(Failure::new(
            "no-header",
            "The first line of the file must name the columns, with commas, semicolons or tabs between them, and splynx_id and sage_id must be among them.",
        ));
    };
    let field = |fields: &[String], at: usize| {
        fields
            .get(at)
            .map(|field| field.trim().to_owned())
            .unwrap_or_default()
    };
    let lines: Vec<Line> = rows
        .map(|(number, text, fields)| Line {
            number,
            text,
            splynx: field(&fields, splynx),
            sage: field(&fields, sage),
        })
        // A download lists customers without a pair too.
        .filter(|line| !line.sage.is_empty())
        .collect();
    if lines.len() > MOST_LINES {
        let message = format!(
            "The file has {} lines that name a pair, and at most {MOST_LINES} are read at once. Import it in several parts.",
            lines.len()
        );
        return Err(Failure::new("too-many-lines", message));
    }
    Ok(lines)
}

/// `sep=;`: how Excel is told what parts the columns.
fn said_separator(line: &str) -> Option<char> {
    let line = line.trim().trim_matches('"');
    let (name, separator) = line.split_at_checked(4)?;
    let mut rest = separator.chars();
    match (name.eq_ignore_ascii_case("sep="), rest.next(), rest.next()) {
        (true, Some(separator), None) => Some(separator),
        // A tab at a line's end is easily lost.
        (true, None, None) => Some('\t'),
        _ => None,
    }
}

/// What parts most columns of the header.
fn likely_separator(header: &str) -> char {
    let count = |separator: char| header.matches(separator).count();
    let mut likely = ',';
    for other in [';', '\t'] {
        if count(other) > count(likely) {
            likely = other;
        }
    }
    likely
}

/// Records of a CSV text (RFC 4180): the line that each begins on, its text, its fields. Empty lines are none.
fn parse(csv: &str, separator: char) -> Vec<(usize, String, Vec<String>)> {
    let mut records = Vec::new();
    let (mut line, mut begins) = (1, 1);
    let (mut text, mut field, mut fields) = (String::new(), String::new(), Vec::new());
    let mut quoted = false;
    let mut chars = csv.chars().chain(['\n']).peekable();
    while let Some(c) = chars.next() {
        if c == '\n' {
            line += 1;
        }
        // The last line break is ours: it ends a quotation that nobody closed.
        let ends = c == '\n' && (!quoted || chars.peek().is_none());
        if ends {
            fields.push(std::mem::take(&mut field));
            let whole = std::mem::take(&mut fields);
            let text = std::mem::take(&mut text);
            if !text.trim().is_empty() {
                records.push((begins, text.trim_end().to_owned(), whole));
            }
            (quoted, begins) = (false, line);
            continue;
        }
        text.push(c);
        match c {
            '"' if quoted && chars.peek() == Some(&'"') => {
                field.push('"');
                text.extend(chars.next());
            }
            '"' if quoted => quoted = false,
            '"' if field.trim().is_empty() => {
                field.clear();
                quoted = true;
            }
            c if c == separator && !quoted => fields.push(std::mem::take(&mut field)),
            c => field.push(c),
        }
    }
    records
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_as_spreadsheets_write_them_are_read() {
        let pairs = |csv: &str| -> Vec<(usize, String, String)> {
            read(csv)
                .expect("a header")
                .into_iter()
                .map(|line| (line.number, line.splynx, line.sage))
                .collect()
        };
        let one = |number, splynx: &str, sage: &str| (number, splynx.to_owned(), sage.to_owned());
        for (csv, expected) in [
            ("splynx_id,sage_id\n11,7", vec![one(2, "11", "7")]),
            (
                "\u{feff}Sage id;Name;Splynx id\r\n7;\"a;b\";11\r\n\r\n8;c;12\r\n",
                vec![one(2, "11", "7"), one(4, "12", "8")],
            ),
            (
                "splynx_id,name,sage_id\n11,\"two\nlines, \"\"so\"\"\",7\n12,x,\n13,x,9\n",
                vec![one(2, "11", "7"), one(5, "13", "9")],
            ),
            ("splynx_id,sage_id,x\n11\n12,8", vec![one(3, "12", "8")]),
            ("splynx_id,sage_id\n11,\"7", vec![one(2, "11", "7")]),
            // A carriage return alone, tabs, and Excel's line about what parts the columns.
            (
                "splynx_id,sage_id\r11,7\r12,8\r",
                vec![one(2, "11", "7"), one(3, "12", "8")],
            ),
            (
                "Splynx id\tName, town\tSage id\n11\ta, b; c\t7\n",
                vec![one(2, "11", "7")],
            ),
            (
                "sep=;\r\nsplynx_id;sage_id\r\n11;7",
                vec![one(3, "11", "7")],
            ),
            (
                "\u{feff}\"sep=,\"\nsplynx_id,a;b;c;d,sage_id\n11,,7",
                vec![one(3, "11", "7")],
            ),
            ("SEP=\t\nsplynx_id\tsage_id\n11\t7", vec![one(3, "11", "7")]),
        ] {
            assert_eq!(pairs(csv), expected, "{csv:?}");
        }
        for csv in ["", "11,7", "splynx_id\n11", "sage_id;name\n1;2"] {
            assert_eq!(
                read(csv).err().map(|f| f.code),
                Some("no-header".to_owned())
            );
        }
    }
}
