//! Calibration: what nobody outside knows of Sage, asked of the user's own company (Sage API 5).
//!
//! Only by calls that store nothing: `Calculate` and lists. Asked once before the first documents go, again when Sage stored
//! another total than was predicted, and on the job `calibrate`. Plans are made by the answers; the page shows them.

use rust_decimal::Decimal;
use serde_json::{Value, json};

use crate::arithmetic::{Arithmetic, Priced};
use crate::capability::{Capabilities, Failure, Row};
use crate::json;
use crate::sage;
use crate::stored::{self, stored};
use crate::sync::mapping::{List, Mapping};
use crate::write::ledger::{CALIBRATION_DUE, Halt, Job, META, Run};
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
}

stored!(Calibration {
    asked_at,
    arithmetic,
    modified_filters,
    rounds_totals,
    answers
});

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
pub fn before_documents(run: &mut Run, mapping: &Mapping) -> Job<Calibration> {
    let stored = Calibration::stored(run.cap)?;
    let is_due = stored.asked_at == 0
        || stored.rounds_totals
        || run
            .meta(CALIBRATION_DUE)?
            .is_some_and(|due| !due.is_empty());
    let calibration = if is_due {
        ask(run, mapping)?.unwrap_or(stored)
    } else {
        stored
    };
    if calibration.rounds_totals {
        return Err(Halt::Failed(Failure::new(
            "company-rounding",
            "The Sage company rounds the totals of documents, so they cannot equal Splynx's. Switch the rounding off in Sage's company settings, then run again.",
        )));
    }
    Ok(calibration)
}

/// The job: asks everything, and tells where it could not.
pub fn calibrate(run: &mut Run, mapping: &Mapping) -> Job<Option<Failure>> {
    Ok(match ask(run, mapping)? {
        Some(_) => None,
        None => Some(Failure::new(
            "nothing-to-ask-with",
            "Sage has no customer, no active item or no tax above 0 % to ask with. Export the customers and import the mapping settings first; until then the usual arithmetic is assumed.",
        )),
    })
}

/// What the questions are asked with.
struct Specimen {
    customer: i64,
    item: i64,
    tax: i64,
    /// A fraction above 0.
    rate: Decimal,
    date: String,
}

impl Specimen {
    fn find(run: &mut Run, mapping: &Mapping) -> Job<Option<Self>> {
        let (customers, _) = sage::newer(run, "Customer", 0, None)?;
        let customer = customers.first().and_then(|c| json::integer(c, "ID"));
        let item = mapping.rows(List::SageItems).find(|row| row.active);
        let tax = mapping.rows(List::SageTaxTypes).find_map(|row| {
            let percent = row.percent.filter(|p| row.active && *p > Decimal::ZERO)?;
            Some((row.id, percent / Decimal::ONE_HUNDRED))
        });
        let (Some(customer), Some(item), Some((tax, rate))) = (customer, item, tax) else {
            return Ok(None);
        };
        Ok(Some(Self {
            customer,
            item: item.id,
            tax,
            rate,
            date: run.settings.today.to_string(),
        }))
    }

    fn line(&self, inclusive: bool, quantity: Decimal, price: Decimal) -> Value {
        let name = if inclusive {
            "UnitPriceInclusive"
        } else {
            "UnitPriceExclusive"
        };
        let mut line = json!({
            "LineType": 0,
            "SelectionId": self.item,
            "TaxTypeId": self.tax,
            "Description": "Calibration",
            "Quantity": json::number(quantity),
        });
        line[name] = json::number(price);
        line
    }

    /// What Sage would store; or what it says against it.
    fn calculate(
        &self,
        run: &mut Run,
        inclusive: bool,
        lines: &[Value],
    ) -> Job<Result<Value, String>> {
        let document = json!({
            "CustomerId": self.customer,
            "Date": self.date,
            "DueDate": self.date,
            "Inclusive": inclusive,
            "Lines": lines,
        });
        sage::calculate(run, &document)
    }

    /// An amount whose tax is exactly half a cent above an even one: the two ways to round it differ.
    fn tie(&self) -> Option<Decimal> {
        let half = Decimal::new(5, 3);
        cents(1, 10_000).find(|amount| {
            let tax = amount * self.rate;
            let floor = tax.trunc_with_scale(2);
            tax - floor == half && (floor * Decimal::ONE_HUNDRED) % Decimal::TWO == Decimal::ZERO
        })
    }

    /// An amount of which three lines have another tax than their sum has.
    fn thrice(&self) -> Option<Decimal> {
        let line = Arithmetic::default();
        let document = Arithmetic {
            tax_per_document: true,
            ..Arithmetic::default()
        };
        cents(1_000, 10_000).find(|amount| {
            let three = [*amount; 3].map(|price| self.priced(price));
            line.totals(false, three).tax != document.totals(false, three).tax
        })
    }

    fn priced(&self, price: Decimal) -> Priced {
        Priced {
            quantity: Decimal::ONE,
            price,
            rate: self.rate,
        }
    }
}

fn cents(from: i64, to: i64) -> impl Iterator<Item = Decimal> {
    (from..to).map(|cents| Decimal::new(cents, 2))
}

/// Asks, and keeps the answers; none where there is nothing to ask with.
fn ask(run: &mut Run, mapping: &Mapping) -> Job<Option<Calibration>> {
    let Some(specimen) = Specimen::find(run, mapping)? else {
        return Ok(None);
    };
    run.progress("Asking Sage how it computes", 0, 0)?;
    let mut answers = Calibration {
        asked_at: run.cap.now(),
        ..Calibration::default()
    };
    company(run, &mut answers)?;
    exclusive_lines(run, &specimen, &mut answers)?;
    tax_basis(run, &specimen, &mut answers)?;
    inclusive_totals(run, &specimen, &mut answers)?;
    negative_lines(run, &specimen, &mut answers)?;
    long_texts(run, &specimen, &mut answers)?;
    filters(run, &specimen, &mut answers)?;
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

fn company(run: &mut Run, answers: &mut Calibration) -> Job<()> {
    /// `RoundingType`: none (Sage API 2.1).
    const NO_ROUNDING: i64 = 3;
    let company = sage::current_company(run)?;
    if let Some(digits) = json::integer(&company, "ItemSellingPriceDecimalDigits") {
        answers.arithmetic.price_digits = u32::try_from(digits).unwrap_or(2).min(6);
    }
    let step = json::integer(&company, "RoundingValue").unwrap_or(0);
    answers.rounds_totals = step != 0
        && json::integer(&company, "RoundingType").is_some_and(|kind| kind != NO_ROUNDING);
    let rounding = if answers.rounds_totals { "yes" } else { "no" };
    answers.note("3.3", "Sage rounds the totals of documents", rounding);
    let digits = answers.arithmetic.price_digits.to_string();
    answers.note("Q7", "Decimals of a unit price", digits);
    let unique = if json::flag(&company, "CheckForDuplicateCustomerReferences") {
        "yes"
    } else {
        "no"
    };
    answers.note("Q22", "References must differ within a customer", unique);
    if let Some(date) = json::date(&company, "LockProcessingDate")
        .filter(|_| json::flag(&company, "LockProcessing"))
    {
        answers.note("4", "Documents are refused up to", date.to_string());
    }
    Ok(())
}

/// Lines that each answer one question: half cents, long prices, amounts and rates that were sent along.
fn exclusive_lines(run: &mut Run, specimen: &Specimen, answers: &mut Calibration) -> Job<()> {
    let ten = Decimal::TEN;
    let tie = specimen.tie();
    let mut with_tax = specimen.line(false, Decimal::ONE, ten);
    with_tax["Tax"] = json::number(Decimal::new(999, 2));
    let mut with_rate = specimen.line(false, Decimal::ONE, ten);
    with_rate["TaxPercentage"] = json::number(Decimal::new(5, 1));
    let long = (Decimal::ONE_THOUSAND, Decimal::new(12_345, 5));
    let lines = [
        specimen.line(false, Decimal::ONE, tie.unwrap_or(ten)),
        specimen.line(false, long.0, long.1),
        with_tax,
        with_rate,
    ];
    let Ok(document) = specimen.calculate(run, false, &lines)? else {
        return Ok(());
    };
    let line = |number: usize, name| {
        let lines = json::field(&document, "Lines").as_array();
        lines.and_then(|lines| json::decimal(lines.get(number)?, name))
    };
    if let (Some(tie), Some(tax)) = (tie, line(0, "Tax")) {
        let up = Arithmetic::default().totals(false, [specimen.priced(tie)]);
        answers.arithmetic.ties_to_even = tax < up.tax;
        let answer = if tax < up.tax {
            "to the even cent"
        } else {
            "away from zero"
        };
        answers.note("Q4", "Half a cent is rounded", answer);
    }
    if let Some(amount) = line(1, "Exclusive") {
        answers.arithmetic.prices_rounded_first = amount != long.0 * long.1;
        let answer = if amount == long.0 * long.1 {
            "as sent"
        } else {
            "rounded first"
        };
        answers.note("Q7", "A long unit price is multiplied", answer);
    }
    let usual = Arithmetic::default()
        .totals(false, [specimen.priced(ten)])
        .tax;
    for (number, question, about) in [
        (2, "Q3", "A tax amount that is sent along"),
        (3, "Q8", "A tax percentage that is sent along"),
    ] {
        if let Some(tax) = line(number, "Tax") {
            let answer = if tax == usual { "ignored" } else { "kept" };
            answers.note(question, about, answer);
        }
    }
    Ok(())
}

fn tax_basis(run: &mut Run, specimen: &Specimen, answers: &mut Calibration) -> Job<()> {
    let Some(amount) = specimen.thrice() else {
        return Ok(());
    };
    let lines = [0; 3].map(|_| specimen.line(false, Decimal::ONE, amount));
    if let Ok(document) = specimen.calculate(run, false, &lines)?
        && let Some(tax) = json::decimal(&document, "Tax")
    {
        let by_line = answers
            .arithmetic
            .totals(false, [amount; 3].map(|price| specimen.priced(price)));
        answers.arithmetic.tax_per_document = tax != by_line.tax;
        let answer = if tax == by_line.tax {
            "line by line"
        } else {
            "once for the document"
        };
        answers.note("Q5", "Tax is computed", answer);
    }
    Ok(())
}

fn inclusive_totals(run: &mut Run, specimen: &Specimen, answers: &mut Calibration) -> Job<()> {
    // Totals that no amount without tax leads to at 15 %, and one with a quantity (Sage API 3.4).
    let wanted = [99_900, 129_900, 44_900].map(|cents| (Decimal::ONE, Decimal::new(cents, 2)));
    let wanted = [
        wanted[0],
        wanted[1],
        wanted[2],
        (3.into(), Decimal::new(3_333, 2)),
    ];
    let lines = wanted.map(|(quantity, price)| specimen.line(true, quantity, price));
    if let Ok(document) = specimen.calculate(run, true, &lines)?
        && let Some(total) = json::decimal(&document, "Total")
    {
        let exact: Decimal = wanted
            .iter()
            .map(|(quantity, price)| quantity * price)
            .sum();
        answers.arithmetic.inclusive_from_net = total != exact;
        let answer = if total == exact {
            "kept to the cent"
        } else {
            "computed again from the amount without tax"
        };
        answers.note("Q6", "The total of an inclusive line is", answer);
    }
    Ok(())
}

fn negative_lines(run: &mut Run, specimen: &Specimen, answers: &mut Calibration) -> Job<()> {
    let lines = [
        specimen.line(true, Decimal::ONE, Decimal::ONE_HUNDRED),
        specimen.line(true, Decimal::ONE, -Decimal::TEN),
    ];
    let answer = specimen.calculate(run, true, &lines)?;
    let total = answer.as_ref().ok().map(|d| json::decimal(d, "Total"));
    let taken = total == Some(Some(Decimal::from(90)));
    answers.arithmetic.negative_lines = taken;
    let said = match &answer {
        Ok(_) if taken => "taken".to_owned(),
        Ok(_) => "taken, but computed otherwise".to_owned(),
        Err(said) => format!("refused: {said}"),
    };
    answers.note("Q23", "A line below zero is", said);
    Ok(())
}

fn long_texts(run: &mut Run, specimen: &Specimen, answers: &mut Calibration) -> Job<()> {
    const LONG: usize = 255;
    let mut line = specimen.line(true, Decimal::ONE, Decimal::ONE_HUNDRED);
    line["Description"] = "x".repeat(LONG).into();
    let answer = specimen.calculate(run, true, &[line])?;
    let kept = answer.ok().and_then(|document| {
        let lines = json::field(&document, "Lines").as_array()?;
        Some(json::text(lines.first()?, "Description").len())
    });
    if kept == Some(LONG) {
        answers.arithmetic.description_length = LONG;
    }
    let length = answers.arithmetic.description_length.to_string();
    answers.note("Q24", "The longest line text", length);
    Ok(())
}

fn filters(run: &mut Run, specimen: &Specimen, answers: &mut Calibration) -> Job<()> {
    let none_modified = sage::probe(run, "Customer", "Modified ge datetime'2999-01-01T00:00:00'")?;
    let one = format!(
        "ID eq {} and Modified ge datetime'2000-01-01T00:00:00'",
        specimen.customer
    );
    let all_modified = sage::probe(run, "Customer", &one)?;
    answers.modified_filters = none_modified == Some(0) && all_modified == Some(1);
    let works = if answers.modified_filters {
        "work"
    } else {
        "do not work"
    };
    answers.note("Q10", "Searches by the time of change", works);
    let text = sage::probe(run, "Customer", "Name eq 'no customer has this name'")?;
    let works = match text {
        Some(0) => "work, or find nothing",
        Some(_) => "are ignored",
        None => "are refused",
    };
    answers.note("Q9", "Searches by text", works);
    Ok(())
}

/// The page `calibration`.
pub fn view(run: &mut Run) -> Job<Vec<Row>> {
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
