//! Somebody who follows every link, sends every form that only asks, and tells what came back.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use scraper::{ElementRef, Selector};
use url::form_urlencoded;

use crate::Field;
use crate::page::Page;
use crate::visit::{Answer, Visit};

/// Of addresses that differ in their values alone so many are asked for,
const MOST_ALIKE: usize = 20;

/// of those that combine two values so many, and of others one.
const MOST_COMBINED: usize = 3;

/// What nobody presses here: it ends the session, or what is looked at.
const LEFT_ALONE: [&str; 5] = ["/logout", "/revoke", "/remove", "/rollback", "/password"];

/// What asks, with the session of an administrator; paths begin with a slash.
pub trait Browser {
    fn get(&mut self, path: &str) -> Answer;
    /// `form`: as browsers write it.
    fn post(&mut self, path: &str, form: &str) -> Answer;
}

pub struct Crawl<B> {
    browser: B,
    waiting: VecDeque<String>,
    known: BTreeSet<String>,
    alike: BTreeMap<String, usize>,
    forms: Vec<Form>,
    visits: Vec<Visit>,
    /// For what is made up: each hostile in another way, and where it was tried.
    invented: usize,
    invented_for: BTreeSet<String>,
}

/// A form that changes something.
#[derive(Clone, PartialEq, Eq)]
struct Form {
    action: String,
    /// Names and values as the page has them, and whether people write the value.
    fields: Vec<(String, String, bool)>,
    /// Rows to choose from.
    rows: Vec<String>,
    /// Buttons with a name.
    buttons: Vec<(String, String)>,
}

impl<B: Browser> Crawl<B> {
    pub fn new(browser: B) -> Self {
        let mut crawl = Self {
            browser,
            waiting: VecDeque::new(),
            known: BTreeSet::new(),
            alike: BTreeMap::new(),
            forms: Vec::new(),
            visits: Vec::new(),
            invented: 0,
            invented_for: BTreeSet::new(),
        };
        crawl.note("/installations");
        crawl
    }

    /// All that was seen.
    pub fn finish(self) -> Vec<Visit> {
        self.visits
    }

    /// Every address that a page leads to, and those that somebody makes up from them.
    pub fn visit_all(&mut self) {
        while let Some(path) = self.waiting.pop_front() {
            self.visit(&path);
            for what in self.made_up(&path) {
                let answer = self.browser.get(&what);
                // Where it leads is made up too.
                let what = format!("GET {what}");
                self.visits.push(Visit { what, answer });
            }
        }
    }

    fn visit(&mut self, path: &str) {
        let answer = self.browser.get(path);
        self.keep(format!("GET {path}"), answer);
    }

    /// Presses each act of an installation's pages with the first row: some ask back, some are done, some are refused.
    pub fn press_acts(&mut self, installation: &str) {
        self.visit(&format!("/installations/{installation}"));
        // Each tab leads to its pages.
        let (pages, tabs): (Vec<String>, Vec<String>) = std::mem::take(&mut self.waiting)
            .into_iter()
            .partition(|path| path.contains("/pages/"));
        for path in tabs {
            self.visit(&path);
        }
        let more = std::mem::take(&mut self.waiting);
        let more = more.into_iter().filter(|path| path.contains("/pages/"));
        for path in pages.into_iter().chain(more) {
            self.visit(&path);
        }
        for form in std::mem::take(&mut self.forms) {
            if !form.action.ends_with("/act") {
                continue;
            }
            for button in &form.buttons {
                let mut fields = form.plain();
                fields.push(button.clone());
                fields.extend(form.rows.first().map(|row| ("row".to_owned(), row.clone())));
                self.post(&form.action, &fields);
            }
        }
        // Those that ask back.
        for form in std::mem::take(&mut self.forms) {
            if form.fields.iter().any(|(name, _, _)| name == "confirmed") {
                let fields = self.filled(&form);
                self.post(&form.action, &fields);
            }
        }
        for path in std::mem::take(&mut self.waiting) {
            self.visit(&path);
        }
        // What they have left is seen from the beginning again.
        self.known.clear();
        self.waiting.clear();
        self.alike.clear();
        self.note("/installations");
    }

    /// Sends every form with hostile texts in all fields that people write.
    pub fn fill_forms(&mut self, installation: &str) {
        for form in std::mem::take(&mut self.forms) {
            if LEFT_ALONE.iter().any(|end| form.action.ends_with(end)) {
                continue;
            }
            if form.fields.iter().any(|(_, _, is_written)| *is_written) {
                let fields = self.filled(&form);
                self.post(&form.action, &fields);
            }
        }
        // Where they have led, and where what was saved can be read again.
        for path in std::mem::take(&mut self.waiting) {
            self.visit(&path);
        }
        self.known.clear();
        self.alike.clear();
        self.visit(&format!("/installations/{installation}"));
        for path in std::mem::take(&mut self.waiting) {
            self.visit(&path);
        }
    }

    /// With a hostile text wherever people write, and the first button pressed.
    fn filled(&mut self, form: &Form) -> Vec<(String, String)> {
        let mut fields = Vec::new();
        for (name, value, is_written) in &form.fields {
            let value = match is_written {
                true => self.invent(),
                false => value.clone(),
            };
            fields.push((name.clone(), value));
        }
        fields.extend(form.buttons.first().cloned());
        fields
    }

    fn post(&mut self, action: &str, fields: &[(String, String)]) {
        let mut body = form_urlencoded::Serializer::new(String::new());
        body.extend_pairs(fields);
        let answer = self.browser.post(action, &body.finish());
        if let Some(next) = answer.header("location") {
            self.note(next);
        }
        self.keep(format!("POST {action} {fields:?}"), answer);
    }

    /// Each value of the address and each part of its path in a hostile form, once on each page.
    fn made_up(&mut self, path: &str) -> Vec<String> {
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let mut all = Vec::new();
        let pairs = pairs(query);
        for place in 0..pairs.len() {
            let mut changed = pairs.clone();
            changed[place].1 = self.invent();
            let shape = format!("{} {}", shape(path, &[]), pairs[place].0);
            if self.invented_for.insert(shape) {
                all.push(address(path, &changed));
            }
        }
        let parts: Vec<&str> = path.split('/').collect();
        for place in 1..parts.len() {
            let text = self.invent();
            let mut changed: Vec<String> = parts.iter().map(|&part| part.to_owned()).collect();
            changed[place] = utf8_percent_encode(&text, NON_ALPHANUMERIC).to_string();
            if self
                .invented_for
                .insert(format!("{place} {}", shape(path, &[])))
            {
                all.push(changed.join("/"));
            }
        }
        all
    }

    fn invent(&mut self) -> String {
        self.invented += 1;
        // Numbers far from those of real fields.
        Field(1_000_000).poison_as(self.invented, "made up")
    }

    fn keep(&mut self, what: String, answer: Answer) {
        let visit = Visit { what, answer };
        if let Some(page) = visit.page() {
            let (addresses, forms) = ways_on(&page);
            addresses.iter().for_each(|address| self.note(address));
            for form in forms {
                if !self.forms.contains(&form) {
                    self.forms.push(form);
                }
            }
        }
        self.visits.push(visit);
    }

    fn note(&mut self, address: &str) {
        let address = address.split('#').next().unwrap_or_default();
        if address.is_empty() || address.contains("/assets/") {
            return;
        }
        let (path, query) = address.split_once('?').unwrap_or((address, ""));
        let mut pairs = pairs(query);
        // Empty fields of forms say nothing.
        pairs.retain(|(_, value)| !value.is_empty());
        let address = self::address(path, &pairs);
        if !self.known.insert(address.clone()) {
            return;
        }
        let most = match pairs.len() {
            0 | 1 => MOST_ALIKE,
            2 => MOST_COMBINED,
            _ => 1,
        };
        let count = self.alike.entry(shape(path, &pairs)).or_default();
        if *count < most {
            *count += 1;
            self.waiting.push_back(address);
        }
    }
}

impl Form {
    fn plain(&self) -> Vec<(String, String)> {
        let fields = self.fields.iter();
        fields
            .map(|(name, value, _)| (name.clone(), value.clone()))
            .collect()
    }
}

fn select(css: &str) -> Selector {
    Selector::parse(css).expect("a selector")
}

fn pairs(query: &str) -> Vec<(String, String)> {
    form_urlencoded::parse(query.as_bytes())
        .into_owned()
        .collect()
}

/// What addresses have in common that differ in their values alone.
fn shape(path: &str, pairs: &[(String, String)]) -> String {
    let parts = path.split('/').map(|part| match part.parse::<i64>() {
        Ok(_) => "#",
        Err(_) => part,
    });
    let names = pairs.iter().map(|(name, _)| name.as_str());
    parts.chain(names).collect::<Vec<_>>().join("/")
}

fn address(path: &str, pairs: &[(String, String)]) -> String {
    if pairs.is_empty() {
        return path.to_owned();
    }
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.extend_pairs(pairs);
    format!("{path}?{}", query.finish())
}

/// Where a page leads to, and the forms on it that change something.
fn ways_on(page: &Page) -> (Vec<String>, Vec<Form>) {
    let tree = page.tree();
    let of = |css: &str, name: &str| -> Vec<String> {
        let selector = select(css);
        let values = tree.select(&selector).filter_map(|found| found.attr(name));
        values.map(str::to_owned).collect()
    };
    let mut addresses = of("a[href]", "href");
    addresses.extend(of("[data-live]", "data-live"));
    let mut forms = Vec::new();
    for element in tree.select(&select("form")) {
        let form = form(element);
        if element.attr("method") == Some("post") {
            forms.push(form);
            continue;
        }
        let plain = form.plain();
        addresses.push(address(&form.action, &plain));
        // Each list's options one by one, and each text.
        for list in element.select(&select("select[name]")) {
            for option in list.select(&select("option")) {
                let value = option.attr("value").map(str::to_owned);
                let value = value.unwrap_or_else(|| option.text().collect());
                addresses.push(with(&form.action, &plain, list.attr("name"), &value));
            }
        }
        for (name, _, is_written) in &form.fields {
            if *is_written {
                addresses.push(with(&form.action, &plain, Some(name), "zq"));
            }
        }
    }
    (addresses, forms)
}

fn with(action: &str, plain: &[(String, String)], name: Option<&str>, value: &str) -> String {
    let mut pairs = plain.to_vec();
    pairs.retain(|(known, _)| Some(known.as_str()) != name);
    pairs.push((name.unwrap_or_default().to_owned(), value.to_owned()));
    address(action, &pairs)
}

fn form(element: ElementRef) -> Form {
    let mut form = Form {
        action: element.attr("action").unwrap_or_default().to_owned(),
        fields: Vec::new(),
        rows: Vec::new(),
        buttons: Vec::new(),
    };
    for field in element.select(&select("[name]")) {
        let name = field.attr("name").unwrap_or_default().to_owned();
        let value = field.attr("value").unwrap_or_default().to_owned();
        let kind = field.attr("type").unwrap_or_default();
        match (field.value().name(), kind) {
            ("button", _) => form.buttons.push((name, value)),
            ("input", "checkbox" | "radio") if name == "row" => form.rows.push(value),
            ("input", "checkbox" | "radio") => {}
            ("input", "hidden") => form.fields.push((name, value, false)),
            ("input" | "textarea", _) => form.fields.push((name, value, true)),
            _ => {}
        }
    }
    form
}
