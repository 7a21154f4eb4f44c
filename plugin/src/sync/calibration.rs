//! Calibration: what nobody outside knows of Sage, asked of the user's own company (Sage API 5).
//!
//! Only by calls that store nothing: `Calculate` and lists. Asked once before the first documents go, again when Sage stored
//! another total than was predicted, and on the job `calibrate`. Plans are made by the answers; the page shows them.

use chrono::NaiveDate;
use rust_decimal::Decimal;

use crate::arithmetic::Arithmetic;
use crate::capability::{Capabilities, Failure, Row};
use crate::sage::{self, Claim, LinePayload, StoredLine};
use crate::stored::{self, stored};
use crate::sync::mapping::Mapping;
use crate::sync::specimen::{Specimen, Telling};
use crate::write::ledger::{CALIBRATION_DUE, META, Run, RunError, RunResult};
use crate::write::record::Batch;

/// Where the answers are kept.
const KEY: &str = "calibration";

/// The company's answers; the reference's assumptions where it could not be asked.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Calibration {
    /// Seconds since the Unix epoch; 0: never asked.
    pub asked_at: u64,
    pub arithmetic: Arithmetic,
    /// Q10: lists can be searched by when a record was changed.
    pub modified_filters: bool,
    /// Sage rounds the totals of documents on purpose (Sage API 3.3): they cannot equal Splynx's then.
    pub rounds_totals: bool,
    answers: Vec<Answer>,
    /// The day on which Sage refused to be asked; it is asked again on another one.
    refused_on: Option<NaiveDate>,
    /// What to tell people of it.
    refused: String,
}

stored!(Calibration { asked_at, arithmetic, modified_filters, rounds_totals, answers } may { refused_on, refused });

/// One question as people read it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Answer {
    /// The reference's number.
    question: String,
    about: String,
    answer: String,
}

stored!(Answer {
    question,
    about,
    answer
});

impl Calibration {
    /// As it was asked last.
    pub fn stored(cap: &mut dyn Capabilities) -> Result<Self, Failure> {
        let entries = cap.get(META, &[KEY.to_owned()])?;
        let known = entries
            .first()
            .and_then(|entry| stored::from_text(&entry.value));
        Ok(known.unwrap_or_default())
    }

    fn note(&mut self, question: &str, about: &str, answer: impl Into<String>) {
        self.answers.push(Answer {
            question: question.to_owned(),
            about: about.to_owned(),
            answer: answer.into(),
        });
    }
}

/// How the company computes, as far as it was asked.
pub fn stored_arithmetic(cap: &mut dyn Capabilities) -> Result<Arithmetic, Failure> {
    Ok(Calibration::stored(cap)?.arithmetic)
}

/// The answers for a run that sends documents: asked now where they are missing or in doubt.
///
/// # Errors
/// `company-rounding`, where no total could come out right.
pub fn before_documents(run: &mut Run, mapping: &Mapping) -> RunResult<Calibration> {
    let stored = Calibration::stored(run.cap)?;
    let is_due = stored.asked_at == 0
        || stored.rounds_totals
        || stored
            .refused_on
            .is_some_and(|day| day != run.settings.today)
        || run
            .meta(CALIBRATION_DUE)?
            .is_some_and(|due| !due.is_empty());
    let calibration = if is_due {
        ask(run, mapping)?.unwrap_or(stored)
    } else {
        stored
    };
    if calibration.rounds_totals {
        return Err(RunError::Failed(Failure::new(
            "company-rounding",
            "The Sage company rounds the totals of documents, so they cannot equal Splynx's. Switch the rounding off in Sage's company settings, then run again.",
        )));
    }
    Ok(calibration)
}

/// The job: asks everything, and tells where it could not.
pub fn calibrate(run: &mut Run, mapping: &Mapping) -> RunResult<Option<Failure>> {
    Ok(match ask(run, mapping)? {
        Some(Calibration { refused, .. }) if refused.is_empty() => None,
        Some(Calibration { refused, .. }) => Some(Failure::new("could-not-be-asked", refused)),
        None => Some(Failure::new(
            "nothing-to-ask-with",
            "Sage has no customer, no active item or no tax above 0 % to ask with. Export the customers and import the mapping settings first; until then the usual arithmetic is assumed.",
        )),
    })
}

/// Asks, and keeps the answers; none where there is nothing to ask with.
fn ask(run: &mut Run, mapping: &Mapping) -> RunResult<Option<Calibration>> {
    let Some(specimen) = Specimen::find(run, mapping)? else {
        return Ok(None);
    };
    run.progress("Asking Sage how it computes", 0, 0)?;
    let before = Calibration::stored(run.cap)?;
    let mut answers = Calibration {
        asked_at: run.cap.now(),
        ..Calibration::default()
    };
    company(run, &mut answers)?;
    match how_it_computes(run, &specimen, &mut answers)? {
        Ok(()) => {
            sent_along(run, &specimen, &mut answers)?;
            negative_lines(run, &specimen, &mut answers)?;
            long_texts(run, &specimen, &mut answers)?;
            filters(run, &specimen, &mut answers)?;
        }
        Err(said) => could_not_be_asked(run, &specimen, &mut answers, before, &said),
    }
    let mut batch = Batch::default();
    batch.set(META, KEY, stored::to_text(&answers));
    batch.set(META, CALIBRATION_DUE, "");
    run.commit(batch)?;
    for answer in &answers.answers {
        let text = format!("{} {}: {}", answer.question, answer.about, answer.answer);
        run.cap.log("info", &text);
    }
    Ok(Some(answers))
}

/// Sage refuses a document as plain as any: that says nothing of how it computes. What was known before stays.
fn could_not_be_asked(
    run: &Run,
    specimen: &Specimen,
    answers: &mut Calibration,
    before: Calibration,
    said: &str,
) {
    let price_digits = answers.arithmetic.price_digits;
    answers.arithmetic = Arithmetic {
        price_digits,
        ..before.arithmetic
    };
    answers.modified_filters = before.modified_filters;
    answers.refused_on = Some(run.settings.today);
    answers.refused = format!(
        "Sage refused a plain document at TaxInvoice/Calculate ({said}), so it could not be asked how it computes; what was known is assumed, at first the usual. It was asked with {}: correct in Sage what it names, then run \"Ask Sage how it computes\".",
        specimen.titles
    );
    let refused = answers.refused.clone();
    answers.note("all", "How Sage computes", refused);
}

fn company(run: &mut Run, answers: &mut Calibration) -> RunResult<()> {
    let company = sage::current_company(run)?;
    if let Some(digits) = company.price_digits() {
        answers.arithmetic.price_digits = u32::try_from(digits).unwrap_or(2).min(6);
    }
    answers.rounds_totals = company.rounds_totals();
    let yes_or_no = |is: bool| if is { "yes" } else { "no" };
    let rounding = yes_or_no(answers.rounds_totals);
    answers.note("3.3", "Sage rounds the totals of documents", rounding);
    let digits = answers.arithmetic.price_digits.to_string();
    answers.note("Q7", "Decimals of a unit price", digits);
    let unique = yes_or_no(company.wants_unique_references());
    answers.note("Q22", "References must differ within a customer", unique);
    if let Some(date) = company.locked_until() {
        answers.note("4", "Documents are refused up to", date.to_string());
    }
    Ok(())
}

/// The ways to compute that no total tells from what Sage made of two documents. Asked together, since one answer alone can come about in
/// several ways.
fn how_it_computes(
    run: &mut Run,
    specimen: &Specimen,
    answers: &mut Calibration,
) -> RunResult<Result<(), String>> {
    let ways = Arithmetic::ways(answers.arithmetic.price_digits);
    let telling = Telling::find(specimen, &ways);
    let inclusive = match specimen.totals(run, true, &telling.inclusive)? {
        Ok(totals) => totals,
        Err(said) => return Ok(Err(said)),
    };
    let mut amounts = telling.exclusive;
    let mut exclusive = specimen.totals(run, false, &amounts)?;
    if exclusive.is_err() {
        // It may be the long price.
        amounts.remove(0);
        exclusive = specimen.totals(run, false, &amounts)?;
    }
    let fits = |way: &&Arithmetic| {
        let exclusive = exclusive.as_ref().ok();
        specimen.predicted(way, true, &telling.inclusive) == inclusive
            && exclusive.is_none_or(|made| specimen.predicted(way, false, &amounts) == *made)
    };
    let Some(way) = ways.iter().find(fits) else {
        answers.note(
            "all",
            "How Sage computes",
            "in no way that is known: the usual one is assumed, and what differs is held",
        );
        return Ok(Ok(()));
    };
    answers.arithmetic = way.clone();
    let either = |is: bool, yes: &'static str, no: &'static str| if is { yes } else { no };
    let said = either(way.ties_to_even, "to the even cent", "away from zero");
    answers.note("Q4", "Half a cent is rounded", said);
    let said = either(
        way.tax_per_document,
        "once for the document",
        "line by line",
    );
    answers.note("Q5", "Tax is computed", said);
    let said = either(
        way.inclusive_from_net,
        "computed again from the amount without tax",
        "kept to the cent",
    );
    answers.note("Q6", "The total of an inclusive line is", said);
    let said = either(way.prices_rounded_first, "rounded first", "as sent");
    answers.note("Q7", "A long unit price is multiplied", said);
    Ok(Ok(()))
}

/// What becomes of amounts and rates that are sent with a line.
fn sent_along(run: &mut Run, specimen: &Specimen, answers: &mut Calibration) -> RunResult<()> {
    let ten = (Decimal::ONE, Decimal::TEN);
    let claims = [
        Claim::Tax(Decimal::new(999, 2)),
        Claim::Rate(Decimal::new(99, 2)),
    ];
    let lines = claims.map(|claim| LinePayload {
        claim: Some(claim),
        ..specimen.line(ten)
    });
    let Ok(document) = specimen.calculate(run, false, lines.to_vec())? else {
        return Ok(());
    };
    let usual = specimen.predicted(&answers.arithmetic, false, &[ten]).tax;
    let about = [
        ("Q3", "A tax amount that is sent along"),
        ("Q8", "A tax percentage that is sent along"),
    ];
    for (line, (question, about)) in document.lines().iter().zip(about) {
        if let Some(tax) = line.tax {
            let answer = if tax == usual { "ignored" } else { "kept" };
            answers.note(question, about, answer);
        }
    }
    Ok(())
}

fn negative_lines(run: &mut Run, specimen: &Specimen, answers: &mut Calibration) -> RunResult<()> {
    let amounts = [
        (Decimal::ONE, Decimal::ONE_HUNDRED),
        (Decimal::ONE, -Decimal::TEN),
    ];
    let answer = specimen.totals(run, true, &amounts)?;
    let predicted = specimen.predicted(&answers.arithmetic, true, &amounts);
    let taken = answer.as_ref() == Ok(&predicted);
    answers.arithmetic.negative_lines = taken;
    let said = match &answer {
        Ok(_) if taken => "taken".to_owned(),
        Ok(_) => "taken, but computed otherwise".to_owned(),
        Err(said) => format!("refused: {said}"),
    };
    answers.note("Q23", "A line below zero is", said);
    Ok(())
}

fn long_texts(run: &mut Run, specimen: &Specimen, answers: &mut Calibration) -> RunResult<()> {
    const LONG: usize = 255;
    let line = LinePayload {
        description: "x".repeat(LONG),
        ..specimen.line((Decimal::ONE, Decimal::ONE_HUNDRED))
    };
    let answer = specimen.calculate(run, true, vec![line])?;
    let is_kept = |line: &StoredLine| line.description.len() == LONG;
    if answer.is_ok_and(|document| document.lines().first().is_some_and(is_kept)) {
        answers.arithmetic.description_length = LONG;
    }
    let length = answers.arithmetic.description_length.to_string();
    answers.note("Q24", "The longest line text", length);
    Ok(())
}

fn filters(run: &mut Run, specimen: &Specimen, answers: &mut Calibration) -> RunResult<()> {
    answers.modified_filters = sage::searches_by_change(run, specimen.customer())?;
    let works = if answers.modified_filters {
        "work"
    } else {
        "do not work"
    };
    answers.note("Q10", "Searches by the time of change", works);
    let works = match sage::searches_by_text(run)? {
        Some(0) => "work, or find nothing",
        Some(_) => "are ignored",
        None => "are refused",
    };
    answers.note("Q9", "Searches by text", works);
    Ok(())
}

/// The page `calibration`.
pub fn view(run: &mut Run) -> RunResult<Vec<Row>> {
    let calibration = Calibration::stored(run.cap)?;
    let asked_at = calibration.asked_at;
    Ok(calibration
        .answers
        .into_iter()
        .enumerate()
        .map(|(number, answer)| Row {
            id: number.to_string(),
            cells: vec![answer.question, answer.about, answer.answer],
            more: vec![("asked-at".to_owned(), asked_at.to_string())],
        })
        .collect())
}
