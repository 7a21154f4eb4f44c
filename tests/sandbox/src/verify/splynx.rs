//! What Splynx tells by requests that store nothing.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::asker::{Asker, Mode, Reply, SplynxAccess, Stop, signature_of, signed, unsigned};
use super::findings::{Findings, Verdict};
use super::sage::{decimal, number};
use super::shapes::{self, Shape};
use super::splynx_trial;
use crate::isp::Rounding;
use crate::splynx::{InvalidShape, Style};

pub const CUSTOMERS: &str = "admin/customers/customer";
const CUSTOMER_INFO: &str = "admin/customers/customer-info";
const PARTNERS: &str = "admin/administration/partners";
const RELATIONS: &str = "admin/finance/invoice-relations";
pub const CALCULATOR: &str = "admin/finance/calculate-finance";

/// An id that nothing has.
const NOBODY: &str = "2147480000";

/// One server of Splynx, being asked.
pub struct Server<'a, 't> {
    pub asker: &'a mut Asker<'t>,
    pub access: SplynxAccess,
    pub findings: Findings,
    /// The rows that lists showed.
    pub rows: BTreeMap<&'static str, Vec<Value>>,
}

/// Asks all that the mode tells.
pub fn read(asker: &mut Asker, access: &SplynxAccess) -> Result<Findings, Stop> {
    let mut server = Server {
        asker,
        access: access.clone(),
        findings: Findings::default(),
        rows: BTreeMap::new(),
    };
    server.lists()?;
    if server.asker.mode() == Mode::Reading {
        server.questions()?;
        return Ok(server.findings);
    }
    splynx_trial::check_alone(&server)?;
    let mut made = splynx_trial::Made::default();
    let asked = splynx_trial::ask(&mut server, &mut made)
        .and_then(|()| server.lists())
        .and_then(|()| server.questions());
    if let Err(stop) = &asked
        && stop.is_final()
    {
        return Err(stop.clone());
    }
    let cleaned = splynx_trial::clean(&mut server, made);
    asked.and(cleaned)?;
    Ok(server.findings)
}

impl Server<'_, '_> {
    /// Reads the last rows of each list that the shapes name.
    fn lists(&mut self) -> Result<(), Stop> {
        let mut all_bare = true;
        self.rows.clear();
        for Shape { list, .. } in shapes::SPLYNX {
            if self.rows.contains_key(list) {
                continue;
            }
            let reply = self.get(list, &[("order[id]", "DESC"), ("limit", "100")])?;
            if reply.status == 401 {
                return Err(Stop::SplynxCredentials(401));
            }
            if self.rows.is_empty() && !reply.is_json {
                return Err(Stop::Unfit(format!(
                    "{list} answered {} and no JSON. Check that the address is a Splynx server's, such as https://splynx.example.com/.",
                    reply.status
                )));
            }
            all_bare &= reply.body.is_array() || !reply.is_success();
            let rows = reply.rows().cloned().unwrap_or_default();
            self.rows.insert(list, rows);
        }
        self.findings
            .holds("SPLYNX-19", all_bare, "lists that are no bare arrays");
        Ok(())
    }

    /// What is asked once the lists are known.
    fn questions(&mut self) -> Result<(), Stop> {
        self.missing_fields();
        self.style();
        self.search()?;
        self.proofs()?;
        self.relations()?;
        self.customer_info()?;
        self.calculator()
    }

    /// Which of the fields that the add-on knows no row of their list has.
    fn missing_fields(&mut self) {
        let mut missing: Vec<(String, String)> = Vec::new();
        for shape in shapes::SPLYNX {
            let rows = &self.rows[shape.list];
            for field in self.findings.shape(shape, rows) {
                missing.push((entity(shape.list), field.to_owned()));
            }
        }
        missing.sort();
        missing.dedup();
        if self.rows.values().all(Vec::is_empty) {
            self.findings
                .not_told("missing_fields", "there is no row to look at");
        } else {
            self.findings.is("missing_fields", missing);
        }
    }

    fn style(&mut self) {
        let rows = || self.rows.values().flatten();
        let is_text = |row: &Value| row["id"].is_string();
        let numbers = || {
            let amounts = rows().flat_map(|row| [&row["total"], &row["due"]]);
            amounts.filter_map(|amount| match amount {
                Value::Number(number) => Some(number.to_string()),
                _ => None,
            })
        };
        // With as many digits as a binary float has, or fewer than that although it has no end in binary.
        let long = |text: &String| text.len() > 16 && text.contains('.');
        let short = |text: &String| {
            let float: f64 = text.parse().unwrap_or_default();
            !long(text) && format!("{float:.17}").trim_end_matches('0').len() > text.len() + 1
        };
        if rows().any(is_text) {
            self.findings.is("style", Style::Legacy);
        } else if numbers().any(|text| long(&text)) {
            self.findings.is("style", Style::SeventeenDigits);
        } else if numbers().any(|text| short(&text)) {
            self.findings.is("style", Style::Modern);
        } else {
            self.findings
                .not_told("style", "there is no document with cents to look at");
        }
    }

    /// Conditions, and parameters that nobody knows.
    fn search(&mut self) -> Result<(), Stop> {
        let customer = self.rows[CUSTOMERS]
            .first()
            .and_then(|row| number(row, "id"));
        if let Some(id) = customer {
            let id = id.to_string();
            let reply = self.get(CUSTOMERS, &[("main_attributes[id]", &id)])?;
            let only = reply.rows().is_some_and(|rows| rows.len() == 1);
            self.findings.holds(
                "SPLYNX-27",
                only,
                "a condition on the id does not find one row",
            );
        }
        let reply = self.get(PARTNERS, &[("unknown_parameter", "1"), ("limit", "1")])?;
        self.findings.holds(
            "SPLYNX-29",
            reply.is_success(),
            &format!("an unknown parameter is answered with {}", reply.status),
        );
        Ok(())
    }

    /// What keys and their proofs are taken.
    fn proofs(&mut self) -> Result<(), Stop> {
        let access = self.access.clone();
        let nonce = self.asker.next_nonce();
        let proof = signed(&access, nonce, &signature_of(&access, nonce));
        self.is_taken(&proof)?;
        let again = self.is_taken(&proof)?;
        self.findings.is("check_nonce", !again);
        let nonce = self.asker.next_nonce();
        let lower = signature_of(&access, nonce).to_lowercase();
        let taken = self.is_taken(&signed(&access, nonce, &lower))?;
        self.findings.is("strict_signature_case", !taken);
        let taken = self.is_taken(&unsigned(&access))?;
        self.findings.is("unsecure_auth", taken);
        Ok(())
    }

    fn is_taken(&mut self, proof: &str) -> Result<bool, Stop> {
        let params = [("limit", "1")];
        let reply = self
            .asker
            .splynx_as(proof, "GET", PARTNERS, &params, None)?;
        Ok(reply.status != 401)
    }

    /// Whether relations of a customer are searched by more than the documented parameters.
    fn relations(&mut self) -> Result<(), Stop> {
        let paid = self.rows["admin/finance/payments"].iter();
        let mut customers: Vec<i64> = paid.filter_map(|row| number(row, "customer_id")).collect();
        customers.dedup();
        for customer in customers.into_iter().take(5) {
            let customer = customer.to_string();
            let reply = self.get(RELATIONS, &[("customer_id", &customer)])?;
            let Some(rows) = reply.rows().filter(|rows| !rows.is_empty()) else {
                continue;
            };
            self.findings.shape(
                &Shape {
                    fact: "SPLYNX-82",
                    list: RELATIONS,
                    fields: &[
                        "id",
                        "customer_id",
                        "payer_id",
                        "type",
                        "invoice_id",
                        "amount",
                    ],
                },
                rows,
            );
            let params = [
                ("customer_id", customer.as_str()),
                ("main_attributes[id]", NOBODY),
            ];
            let searched = self.get(RELATIONS, &params)?;
            let found = searched.rows().map(Vec::len);
            match found {
                Some(0) => self.findings.is("relations_searchable", true),
                Some(all) if all == rows.len() => self.findings.is("relations_searchable", false),
                _ => self.findings.not_told(
                    "relations_searchable",
                    "such a search is answered otherwise",
                ),
            }
            return Ok(());
        }
        self.findings
            .not_told("relations_searchable", "no payment settles anything");
        Ok(())
    }

    fn customer_info(&mut self) -> Result<(), Stop> {
        let reply = self.get(CUSTOMER_INFO, &[("limit", "1")])?;
        self.findings
            .is("customer_info_listed", reply.rows().is_some());
        let customer = self.rows[CUSTOMERS]
            .first()
            .and_then(|row| number(row, "id"));
        if let Some(id) = customer {
            let reply = self.get(&format!("{CUSTOMER_INFO}/{id}"), &[])?;
            let info = reply.body;
            self.findings.holds(
                "SPLYNX-61",
                info.is_object(),
                "no object by the customer's id",
            );
            let has = info.get("vat_id").is_some();
            self.findings.holds("SPLYNX-62", has, "no vat_id");
        }
        Ok(())
    }

    /// The calculator stores nothing, and refuses and rounds as documents are refused and rounded.
    fn calculator(&mut self) -> Result<(), Stop> {
        let reply = self.post(CALCULATOR, &json!({}))?;
        match invalid_shape(&reply) {
            Some(shape) => self.findings.is("invalid_shape", shape),
            None => {
                let why = format!("lines that are missing are answered with {}", reply.status);
                self.findings.not_told("invalid_shape", &why);
            }
        }
        // Half a cent on each of two lines.
        let line = json!({"quantity": "1", "price": "10.0050", "tax_id": 0});
        let reply = self.post(CALCULATOR, &json!({"rowData": [line, line]}))?;
        let total = decimal(&reply.body["total"], "total").map(|total| total.to_string());
        match total.as_deref() {
            Some("20.02") => self.findings.is("rounding", Rounding::PerLine),
            Some("20.01") => self.findings.is("rounding", Rounding::AtEnd),
            _ => self.findings.not_told(
                "rounding",
                "the calculator does not answer with a total that tells",
            ),
        }
        let verdict = match total {
            Some(_) => Verdict::AsAssumed,
            None => Verdict::Otherwise(format!("no total, status {}", reply.status)),
        };
        self.findings.fact("SPLYNX-103", verdict);
        Ok(())
    }

    pub fn get(&mut self, path: &str, params: &[(&str, &str)]) -> Result<Reply, Stop> {
        self.asker.splynx(&self.access, "GET", path, params, None)
    }

    pub fn post(&mut self, path: &str, body: &Value) -> Result<Reply, Stop> {
        self.asker
            .splynx(&self.access, "POST", path, &[], Some(body))
    }
}

/// A list's name in the stand-in's state.
pub fn entity(list: &str) -> String {
    match list {
        CUSTOMERS => "customers".to_owned(),
        list => list.rsplit('/').next().unwrap_or(list).replace('-', "_"),
    }
}

/// The form of a 422.
fn invalid_shape(reply: &Reply) -> Option<InvalidShape> {
    if reply.status != 422 {
        return None;
    }
    Some(match &reply.body {
        Value::Array(_) => InvalidShape::List,
        Value::Object(body) if body.contains_key("error") => InvalidShape::Error,
        Value::Object(_) => InvalidShape::Object,
        _ => InvalidShape::Text,
    })
}
