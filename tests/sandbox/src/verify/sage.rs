//! What Sage tells by requests that store nothing.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::asker::{Asker, Body, Mode, Reply, SageAccess, Stop};
use super::findings::{Findings, Verdict};
use super::{filters, sage_trial, shapes, sums};
use crate::sage::behaviour::{Doubtful, ErrorShape, Forbidden, Missing};

/// The lists that the add-on reads.
const LISTS: [&str; 9] = [
    "Customer",
    "CustomerCategory",
    "TaxType",
    "Item",
    "BankAccount",
    "TaxInvoice",
    "CustomerReturn",
    "CustomerReceipt",
    "Allocation",
];

/// Calls that tell whether the login may make them, without storing anything.
pub const PROBED: [&str; 11] = [
    "Company/Current",
    "Customer/Get",
    "CustomerCategory/Get",
    "TaxType/Get",
    "Item/Get",
    "BankAccount/Get",
    "TaxInvoice/Get",
    "CustomerReturn/Get",
    "CustomerReceipt/Get",
    "Allocation/Get",
    "TaxInvoice/Calculate",
];

/// An id that nothing has.
const NOBODY: i64 = 2_147_480_000;

/// One company of Sage, being asked.
pub struct Company<'a, 't> {
    pub asker: &'a mut Asker<'t>,
    pub access: SageAccess,
    pub findings: Findings,
    pub specimen: Specimen,
    /// The rows that lists showed.
    pub rows: BTreeMap<&'static str, Vec<Value>>,
    /// `CheckForDuplicateCustomerReferences`.
    pub checks_references: bool,
    forbidden: Vec<Forbidden>,
}

/// What of the company documents are made of; none where there is none, or it may not be read.
#[derive(Debug, Clone, Default)]
pub struct Specimen {
    /// `ID` and `Name`.
    pub customer: Option<(i64, String)>,
    pub item: Option<i64>,
    /// A tax type of more than 0 % and less than 100 %, with its fraction.
    pub tax: Option<(i64, rust_decimal::Decimal)>,
    pub manual_tax: Option<i64>,
    pub bank: Option<i64>,
    /// Today.
    pub date: String,
}

/// Asks all that the mode tells.
pub fn read(asker: &mut Asker, access: &SageAccess) -> Result<Findings, Stop> {
    let mut company = Company::open(asker, access)?;
    company.lists()?;
    if company.asker.mode() == Mode::Reading {
        company.questions()?;
        return Ok(company.finish());
    }
    sage_trial::check_alone(&company)?;
    let mut made = sage_trial::Made::default();
    let asked = sage_trial::ask(&mut company, &mut made)
        .and_then(|()| company.lists())
        .and_then(|()| company.questions());
    if let Err(stop) = &asked
        && stop.is_final()
    {
        return Err(stop.clone());
    }
    let cleaned = sage_trial::clean(&mut company, made);
    asked.and(cleaned)?;
    Ok(company.finish())
}

impl<'a, 't> Company<'a, 't> {
    fn open(asker: &'a mut Asker<'t>, access: &SageAccess) -> Result<Self, Stop> {
        let date = asker.transport.now().date_naive().to_string();
        let mut company = Self {
            asker,
            access: access.clone(),
            findings: Findings::default(),
            specimen: Specimen {
                date,
                ..Specimen::default()
            },
            rows: BTreeMap::new(),
            checks_references: false,
            forbidden: Vec::new(),
        };
        company.choose()?;
        let reply = company.probe("Company/Current", &[])?;
        if reply.is_success() {
            company.settings(&reply.body);
        } else {
            company.findings.not_told(
                "unit_price_digits",
                "the company's settings may not be read",
            );
        }
        Ok(company)
    }

    /// The company that is asked: the one that was named, or the only one.
    fn choose(&mut self) -> Result<(), Stop> {
        let named = self.access.company.take();
        let reply = self.get("Company/Get", &[])?;
        if matches!(reply.status, 401 | 403) {
            return Err(Stop::SageCredentials(reply.status));
        }
        let rows = reply.rows().cloned().ok_or_else(|| {
            let status = reply.status;
            Stop::Unfit(format!("Company/Get answered {status} and no list. Check that the address is Sage's API, such as https://accounting.sageone.co.za/api/2.0.0/."))
        })?;
        let envelope = ["TotalResults", "ReturnedResults", "Results"];
        let is_whole = envelope.iter().all(|field| reply.body.get(field).is_some());
        self.findings
            .holds("SAGE-46", is_whole, "another envelope around lists");
        let has_both = rows
            .iter()
            .all(|row| number(row, "ID").is_some() && row["Name"].is_string());
        self.findings
            .holds("SAGE-60", has_both, "companies without ID or Name");
        let ids: Vec<i64> = rows.iter().filter_map(|row| number(row, "ID")).collect();
        self.access.company = match (named, ids.as_slice()) {
            (Some(id), ids) if ids.contains(&id) => Some(id),
            (None, [only]) => Some(*only),
            (_, []) => {
                return Err(Stop::Unfit(
                    "The Sage login sees no company. Give it rights to one, then ask again."
                        .to_owned(),
                ));
            }
            (_, several) => {
                let ids: Vec<String> = several.iter().map(i64::to_string).collect();
                return Err(Stop::Unfit(format!(
                    "Name the company with --sage-company; the login sees {}.",
                    ids.join(", ")
                )));
            }
        };
        Ok(())
    }

    fn settings(&mut self, company: &Value) {
        let has = |fields: &[&str]| fields.iter().all(|field| company.get(field).is_some());
        let rounding = has(&["RoundingType", "RoundingValue"]);
        self.findings
            .holds("SAGE-61", rounding, "no RoundingType or RoundingValue");
        let references = has(&["CheckForDuplicateCustomerReferences"]);
        self.checks_references = company["CheckForDuplicateCustomerReferences"] == true;
        self.findings
            .holds("SAGE-63", references, "no such setting");
        match number(company, "ItemSellingPriceDecimalDigits") {
            Some(digits) => self.findings.is("unit_price_digits", digits),
            None => self
                .findings
                .not_told("unit_price_digits", "the company does not name them"),
        }
    }

    /// Reads each list once, and notes what it shows.
    fn lists(&mut self) -> Result<(), Stop> {
        for list in LISTS {
            let is_document = matches!(list, "TaxInvoice" | "CustomerReturn");
            let mut params = vec![("$orderby", "ID"), ("$top", "200")];
            if is_document {
                params.extend([("includeDetail", "true")]);
            }
            let reply = self.probe(&format!("{list}/Get"), &params)?;
            let rows = reply.rows().cloned().unwrap_or_default();
            if list == "Customer" && reply.is_success() {
                let most = number(&reply.body, "TotalResults").unwrap_or(0) > 100;
                let verdict = match (rows.len() > 100, most) {
                    (true, _) => Verdict::Otherwise(format!("{} rows at once", rows.len())),
                    (false, true) => Verdict::AsAssumed,
                    (false, false) => Verdict::NotTold("there are too few customers".to_owned()),
                };
                self.findings.fact("SAGE-45", verdict);
            }
            self.shapes(list, &rows);
            self.take_specimen(list, &rows);
            self.rows.insert(list, rows);
        }
        self.empty_texts();
        Ok(())
    }

    /// What is asked once the lists are known.
    fn questions(&mut self) -> Result<(), Stop> {
        self.calculations()?;
        filters::ask(self)?;
        self.nothing_there()
    }

    fn shapes(&mut self, list: &'static str, rows: &[Value]) {
        for shape in shapes::SAGE.iter().filter(|shape| shape.list == list) {
            self.findings.shape(shape, rows);
        }
        if list != "TaxInvoice" {
            return;
        }
        let lines = rows
            .iter()
            .filter_map(|row| row["Lines"].as_array())
            .flatten();
        let lines: Vec<Value> = lines.cloned().collect();
        self.findings.shape(&shapes::SAGE_LINES, &lines);
        if rows.is_empty() {
            self.findings
                .not_told("bare_documents", "there is no invoice to look at");
            return;
        }
        let shows = |field: &str| rows.iter().any(|row| row.get(field).is_some());
        self.findings
            .is("bare_documents", !shows("StatusId") && !shows("UID"));
    }

    fn take_specimen(&mut self, list: &str, rows: &[Value]) {
        let active = |row: &&Value| row.get("Active") != Some(&Value::Bool(false));
        let mut rows = rows.iter().filter(active);
        let id = |row: &Value| number(row, "ID");
        match list {
            "Customer" => {
                self.specimen.customer =
                    rows.find_map(|row| Some((id(row)?, row["Name"].as_str()?.to_owned())));
            }
            "Item" => self.specimen.item = rows.find_map(id),
            "BankAccount" => self.specimen.bank = rows.find_map(id),
            "TaxType" => {
                let types: Vec<&Value> = rows.collect();
                let is = |row: &Value, flag: &str| row[flag] == Value::Bool(true);
                let manual = types.iter().find(|row| is(row, "IsManualTax"));
                self.specimen.manual_tax = manual.and_then(|row| id(row));
                let rated = types.iter().filter(|row| !is(row, "IsManualTax"));
                let rated = rated.filter_map(|row| {
                    let rate = decimal(row, "Percentage")?;
                    let computes =
                        rate > rust_decimal::Decimal::ZERO && rate < rust_decimal::Decimal::ONE;
                    Some((!is(row, "IsDefault"), id(row)?, rate)).filter(|_| computes)
                });
                let best = rated.min_by_key(|(is_other, ..)| *is_other);
                self.specimen.tax = best.map(|(_, id, rate)| (id, rate));
            }
            _ => {}
        }
    }

    /// Whether texts without content are there, as "".
    fn empty_texts(&mut self) {
        /// Texts that customers have whether they are filled or not.
        const TEXTS: [&str; 6] = [
            "TaxReference",
            "ContactName",
            "Telephone",
            "Fax",
            "Email",
            "TextField1",
        ];
        let rows = self.rows.values().flatten().filter_map(Value::as_object);
        let has_empty = rows.flat_map(|row| row.values()).any(|value| value == "");
        let lacks = |row: &Value| TEXTS.iter().any(|field| row.get(field).is_none());
        if has_empty {
            self.findings.is("empty_texts", true);
        } else if self.rows["Customer"].iter().any(lacks) {
            self.findings.is("empty_texts", false);
        } else {
            self.findings
                .not_told("empty_texts", "no row has a text without content");
        }
    }

    /// What `TaxInvoice/Calculate` tells.
    fn calculations(&mut self) -> Result<(), Stop> {
        let reply = self.probe_with(
            "POST",
            "TaxInvoice/Calculate",
            &[],
            Some(&json!({"Lines": []})),
        )?;
        match shape_of(&reply) {
            Some(shape) => self.findings.is("error_shape", shape),
            None => self.findings.not_told(
                "error_shape",
                "a document without anything was not answered with 400",
            ),
        }
        let switches = [
            "ties",
            "tax_basis",
            "inclusive_total",
            "unit_price",
            "sent_totals",
            "sent_tax_percentage_rules",
            "negative_lines",
            "line_description_length",
        ];
        let why = if self.may_not("TaxInvoice/Calculate") {
            "Calculate is not allowed"
        } else if !self.has_specimen() {
            "the company has no customer, no active item or no tax above 0 % to ask with, or they may not be read"
        } else {
            sums::ask(self)?;
            self.manual_taxes()?;
            return Ok(());
        };
        for switch in switches.into_iter().chain(["manual_tax_types"]) {
            self.findings.not_told(switch, why);
        }
        Ok(())
    }

    fn manual_taxes(&mut self) -> Result<(), Stop> {
        let Some(manual) = self.specimen.manual_tax else {
            self.findings
                .not_told("manual_tax_types", "the company has no manual tax type");
            return Ok(());
        };
        let mut line = self.line(false, "1", "10");
        line["TaxTypeId"] = json!(manual);
        let taken = self.calculate(false, &[line])?.is_some();
        self.findings.is("manual_tax_types", doubtful(taken));
        Ok(())
    }

    /// How what is not there is answered: an object, and a method. A method that is there refuses another verb.
    fn nothing_there(&mut self) -> Result<(), Stop> {
        if self.may_not("Customer/Get") {
            for switch in ["missing", "document_batches"] {
                self.findings.not_told(switch, "customers may not be read");
            }
            return Ok(());
        }
        let reply = self.get(&format!("Customer/Get/{NOBODY}"), &[])?;
        match (reply.status, &reply.body) {
            (404, _) => self.findings.is("missing", Missing::Status404),
            (200, Value::Null) if reply.is_json => self.findings.is("missing", Missing::Null),
            _ => self.findings.not_told("missing", "neither 404 nor null"),
        }
        let reply = self.get("Customer/SaveBatch", &[])?;
        match reply.status {
            404 => self.findings.is("document_batches", false),
            405 => self.findings.is("document_batches", true),
            _ => self
                .findings
                .not_told("document_batches", "neither 404 nor 405"),
        }
        Ok(())
    }

    fn finish(mut self) -> Findings {
        self.findings.is("forbidden", &self.forbidden);
        self.findings
    }

    /// One read of the company.
    pub fn get(&mut self, call: &str, params: &[(&str, &str)]) -> Result<Reply, Stop> {
        self.call("GET", call, params, None)
    }

    pub fn call(
        &mut self,
        method: &str,
        call: &str,
        params: &[(&str, &str)],
        body: Body,
    ) -> Result<Reply, Stop> {
        self.asker.sage(&self.access, method, call, params, body)
    }

    /// The first time that a call is made: where it is not allowed, that is noted.
    fn probe(&mut self, call: &str, params: &[(&str, &str)]) -> Result<Reply, Stop> {
        self.probe_with("GET", call, params, None)
    }

    fn probe_with(
        &mut self,
        method: &str,
        call: &str,
        params: &[(&str, &str)],
        body: Body,
    ) -> Result<Reply, Stop> {
        /// A refused right may count as a failed login, of which 20 in an hour block the user.
        const MOST_REFUSED: usize = 5;
        let reply = self.call(method, call, params, body)?;
        if matches!(reply.status, 401 | 403 | 405) && !self.may_not(call) {
            self.forbidden.push(Forbidden {
                call: call.to_owned(),
                status: reply.status,
            });
            if self.forbidden.len() > MOST_REFUSED {
                return Err(Stop::Unfit("The Sage login may make hardly any call. Give it rights to the company's customers, documents and lists, then ask again.".to_owned()));
            }
        }
        Ok(reply)
    }

    pub fn may_not(&self, call: &str) -> bool {
        self.forbidden.iter().any(|right| right.call == call)
    }

    fn has_specimen(&self) -> bool {
        let Specimen {
            customer,
            item,
            tax,
            ..
        } = &self.specimen;
        customer.is_some() && item.is_some() && tax.is_some()
    }

    /// A line of a document, of a quantity at a price.
    pub fn line(&self, inclusive: bool, quantity: &str, price: &str) -> Value {
        let name = if inclusive {
            "UnitPriceInclusive"
        } else {
            "UnitPriceExclusive"
        };
        json!({
            "LineType": 0,
            "SelectionId": self.specimen.item,
            "TaxTypeId": self.specimen.tax.map(|(id, _)| id),
            "Description": "Verification",
            "Quantity": literal(quantity),
            name: literal(price),
        })
    }

    pub fn document(&self, inclusive: bool, lines: &[Value]) -> Value {
        json!({
            "CustomerId": self.specimen.customer.as_ref().map(|(id, _)| id),
            "Date": self.specimen.date,
            "DueDate": self.specimen.date,
            "Inclusive": inclusive,
            "Lines": lines,
        })
    }

    /// What Sage would store; none where it refuses.
    pub fn calculate(&mut self, inclusive: bool, lines: &[Value]) -> Result<Option<Value>, Stop> {
        let document = self.document(inclusive, lines);
        let reply = self.call("POST", "TaxInvoice/Calculate", &[], Some(&document))?;
        Ok(Some(reply.body).filter(|_| (200..300).contains(&reply.status)))
    }
}

/// The form of a 400.
fn shape_of(reply: &Reply) -> Option<ErrorShape> {
    if reply.status != 400 {
        return None;
    }
    Some(match &reply.body {
        Value::String(_) => ErrorShape::BareString,
        Value::Array(_) => ErrorShape::Array,
        Value::Object(body) if body.contains_key("ModelState") => ErrorShape::ModelState,
        Value::Object(body) if body.contains_key("Message") => ErrorShape::Message,
        _ => return None,
    })
}

pub fn doubtful(taken: bool) -> Doubtful {
    match taken {
        true => Doubtful::Accepted,
        false => Doubtful::Refused,
    }
}

/// A decimal's text as a JSON number.
pub fn literal(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_default()
}

/// An integer, from a number or a text.
pub fn number(row: &Value, field: &str) -> Option<i64> {
    match &row[field] {
        Value::Number(number) => number.to_string().parse().ok(),
        Value::String(text) => text.parse().ok(),
        _ => None,
    }
}

/// An amount, from a number or a text.
pub fn decimal(row: &Value, field: &str) -> Option<rust_decimal::Decimal> {
    match &row[field] {
        Value::Number(number) => number.to_string().parse().ok(),
        Value::String(text) => text.parse().ok(),
        _ => None,
    }
}
