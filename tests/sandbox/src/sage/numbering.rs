//! Document numbers and references: whose they are, and whether they may repeat (Sage API, uniqueness).

use super::behaviour::Doubtful;
use super::books::Books;
use super::call::Call;
use super::refusal::Refusal;
use super::table::{Record, Table};

/// The number that a document keeps or brings along; none where the system gives the next one.
pub fn number_of(
    books: &Books,
    call: &Call,
    sent: &str,
    before: Option<&str>,
) -> Result<Option<String>, Refusal> {
    if call.flag("usesystemdocumentnumber", true)? {
        return Ok(before.map(str::to_owned));
    }
    match (sent, before) {
        ("", Some(before)) => Ok(Some(before.to_owned())),
        ("", None) if books.behaviour.empty_numbers == Doubtful::Refused => Err(Refusal::invalid(
            "DocumentNumber",
            "The DocumentNumber field is required.",
        )),
        ("", None) => Ok(None),
        (sent, _) => Ok(Some(sent.to_owned())),
    }
}

/// Numbers are unique in their type, without regard to case.
pub fn check_number<T: Record>(
    books: &Books,
    table: &Table<T>,
    number: &str,
    id: i64,
) -> Result<(), Refusal> {
    let refused = books.behaviour.duplicate_numbers == Doubtful::Refused;
    if refused && table.key_taken(number, id) {
        let text = "Document Number already exists.";
        return Err(Refusal::invalid("DocumentNumber", text));
    }
    Ok(())
}

/// A customer's references are unique in their type, if the company wants to be told and the switch says refused.
pub fn check_reference<'r>(
    books: &Books,
    mut others: impl Iterator<Item = &'r str>,
    reference: &str,
) -> Result<(), Refusal> {
    let checked = books.company.unique_references
        && books.behaviour.duplicate_references == Doubtful::Refused
        && !reference.trim().is_empty();
    if checked && others.any(|other| other.trim().eq_ignore_ascii_case(reference.trim())) {
        let text = "The customer reference has been used before.";
        return Err(Refusal::invalid("Reference", text));
    }
    Ok(())
}
