//! An add-on of which every text is hostile, in its manifest and in whatever it says, and visitors who are no better: on the admin
//! pages it is text.

use std::collections::BTreeSet;
use std::time::Duration;

use addon_host::packages::{SecretKey, make_keys};
use addon_host::store::TrustedKey;
use attacks::{Answer, Crawl, Field, KINDS, Visit};
use chrono::TimeDelta;
use reqwest::{Client, Method};
use tokio::runtime::Handle;

use super::addons;
use super::site::{Browser, PASSWORD, Page, Site};
use crate::fixtures::at;
use crate::guest::package;
use crate::speaker::{Report, Speaker};

/// The manifest with most to say.
const MANIFEST: &str = include_str!("../../../../plugin/addon.toml");

/// Keys of a manifest whose values people read.
const TEXTS: &[&str] = &[
    "title",
    "description",
    "help",
    "group",
    "confirm",
    "column",
    "columns",
    "cure",
    "reason",
    "money",
    "naming",
    "label",
    "split",
    "bars",
    "settings",
    "schedule",
];

/// The manifest's reports.
const REPORTS: [Report; 6] = [
    report("plan", 6, 6),
    report("rejected", 4, 4),
    report("difference", 5, 5),
    report("reconciliation", 9, 9),
    report("reconciliation-customers", 5, 2),
    report("reconciliation-months", 9, 2),
];

/// What an add-on says to programs alone.
const UNSEEN: [&str; 15] = [
    "finding: code",
    "finding: field",
    "finding: more: name",
    "finding: more: value",
    "page: more: name",
    "page: more: value",
    "refused act: more: name",
    "refused act: more: value",
    "failed job: more: name",
    "failed job: more: value",
    "outcome: why: more: name",
    "outcome: why: more: value",
    "log: level",
    "report row: id",
    "report row: customer-id",
];

/// Of each thing that an add-on says there are so many, each hostile in another way.
const TIMES: usize = 7;

const fn report(kind: &'static str, columns: usize, texts: usize) -> Report {
    Report {
        kind,
        columns,
        texts,
    }
}

/// Every text that was asked for, by what it is; its place is its number.
#[derive(Default)]
struct Fields(Vec<String>);

impl Fields {
    fn number(&mut self, what: &str) -> usize {
        let known = self.0.iter().position(|known| known == what);
        known.unwrap_or_else(|| {
            self.0.push(what.to_owned());
            self.0.len() - 1
        })
    }

    fn say(&mut self, what: &str, time: usize) -> String {
        let number = self.number(what);
        Field(number).poison_as(number * 3 + time, "Ann")
    }

    /// What is in every text of that field.
    fn mark(&mut self, what: &str) -> String {
        format!("zq{}z", self.number(what))
    }

    /// Texts of a manifest are told apart by themselves: some name others.
    fn poison(&mut self, value: &mut toml::Value, is_text: bool) {
        match value {
            toml::Value::String(text) if is_text => {
                let number = self.number(&format!("manifest: {text}"));
                let hostile = Field(number).poison_as(number, text);
                // A manifest with such characters is refused, which is tested beside it.
                let fit = |c: &char| !c.is_control() && *c != '\u{202e}';
                *text = hostile.chars().filter(fit).collect();
            }
            toml::Value::Array(items) => {
                items.iter_mut().for_each(|item| self.poison(item, is_text))
            }
            toml::Value::Table(parts) => parts.iter_mut().for_each(|(key, part)| {
                self.poison(part, TEXTS.contains(&key.as_str()));
            }),
            _ => {}
        }
    }

    /// The manifest with all its texts hostile.
    fn manifest(&mut self) -> String {
        let mut manifest: toml::Value = toml::from_str(MANIFEST).unwrap();
        self.poison(&mut manifest, false);
        for report in manifest["reports"].as_array_mut().unwrap() {
            let filters = report
                .get_mut("filters")
                .and_then(toml::Value::as_array_mut);
            // They are called by the columns that they look at.
            for filter in filters.into_iter().flatten() {
                self.poison(&mut filter["key"], true);
            }
        }
        manifest["addon"]["id"] = "guest".into();
        manifest["addon"]["component"] = "guest.wasm".into();
        toml::to_string(&manifest).unwrap()
    }
}

/// An administrator of the site, for a crawl on a thread of its own.
struct Administrator {
    runtime: Handle,
    client: Client,
    address: String,
    base: &'static str,
    cookie: String,
}

impl Administrator {
    fn send(&self, method: Method, path: &str, form: Option<&str>) -> Answer {
        // Links have the base path in front, whoever begins does not.
        let path = path.strip_prefix(self.base).unwrap_or(path);
        let mut request = self
            .client
            .request(method, format!("{}{path}", self.address))
            .header("cookie", &self.cookie);
        if let Some(form) = form {
            request = request
                .header("sec-fetch-site", "same-origin")
                .header("content-type", "application/x-www-form-urlencoded")
                .body(form.to_owned());
        }
        self.runtime.block_on(async {
            let response = request.send().await.unwrap();
            let headers = response.headers().iter().map(|(name, value)| {
                let value = String::from_utf8_lossy(value.as_bytes());
                (name.to_string(), value.into_owned())
            });
            Answer {
                status: response.status().as_u16(),
                headers: headers.collect(),
                body: response.text().await.unwrap(),
            }
        })
    }
}

impl attacks::Browser for Administrator {
    fn get(&mut self, path: &str) -> Answer {
        self.send(Method::GET, path, None)
    }

    fn post(&mut self, path: &str, form: &str) -> Answer {
        self.send(Method::POST, path, Some(form))
    }
}

/// Runs a crawl against the site.
async fn crawl(
    site: &Site,
    base: &'static str,
    work: impl FnOnce(&mut Crawl<Administrator>) + Send + 'static,
) -> Vec<Visit> {
    let ann = site.ann().await;
    let administrator = Administrator {
        runtime: Handle::current(),
        client: site.client.clone(),
        address: site.address.clone(),
        base,
        cookie: ann.cookie.clone().unwrap(),
    };
    let crawl = tokio::task::spawn_blocking(move || {
        let mut crawl = Crawl::new(administrator);
        work(&mut crawl);
        crawl.finish()
    });
    crawl.await.unwrap()
}

#[tokio::test]
async fn texts_of_an_add_on_are_texts_on_every_page_and_in_every_file() {
    let mut fields = Fields::default();
    let manifest = fields.manifest();
    let mut say = |what: &str, time: usize| fields.say(what, time);
    let component = Speaker::new(&mut say, TIMES, &REPORTS, "sage_company_id").component();
    let site = Site::with("/x", &manifest, &component).await;
    let mut ann = site.ann().await;
    let offer = offered(&site, &mut ann, &mut fields, &manifest, &component).await;

    // Each end that a job can have.
    let jobs = [
        "sweep",
        "export-customers",
        "pair-same-number-invoices",
        "calibrate",
        "reconcile",
    ];
    for job in jobs {
        let run = start(&mut ann, job).await;
        wait_until(&mut ann, &run, |page| !page.has("data-live")).await;
    }
    // Acts wait for nobody, so nothing else may be at work.
    let mut visits = crawl(&site, "/x", |crawl| crawl.press_acts("isp")).await;
    // A job that goes on while everything is looked at.
    let run = start(&mut ann, "load-customers-for-pairing").await;
    let stage = fields.mark("stage");
    wait_until(&mut ann, &run, |page| page.has(&stage)).await;
    visits.extend(
        crawl(&site, "/x", |crawl| {
            crawl.visit_all();
            crawl.fill_forms("isp");
        })
        .await,
    );
    ann.post(&format!("{run}/stop"), &[]).await;
    visits.extend(offer);

    let wrong: Vec<String> = visits.iter().flat_map(Visit::problems).collect();
    let few = &wrong[..wrong.len().min(20)];
    assert!(wrong.is_empty(), "{} problems: {few:#?}", wrong.len());
    let shown: BTreeSet<Field> = visits.iter().flat_map(Visit::shows).collect();
    let unseen = fields.0.iter().enumerate();
    let unseen = unseen.filter(|(place, _)| !shown.contains(&Field(*place)));
    let unseen: BTreeSet<&str> = unseen.map(|(_, what)| what.as_str()).collect();
    assert_eq!(
        unseen,
        BTreeSet::from(UNSEEN),
        "all else is shown somewhere"
    );
    site.stop().await;
}

/// Presses the button of a job; the path of its run.
async fn start(ann: &mut Browser<'_>, job: &str) -> String {
    let path = format!("/installations/isp/jobs/{job}");
    let started = ann.post(&path, &[]).await;
    started.location.strip_prefix("/x").unwrap().to_owned()
}

async fn wait_until(ann: &mut Browser<'_>, path: &str, is_so: impl Fn(&Page) -> bool) {
    while !is_so(&ann.get(path).await) {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// The same add-on once more, as a package that somebody sends and agrees to.
async fn offered(
    site: &Site,
    ann: &mut Browser<'_>,
    fields: &mut Fields,
    manifest: &str,
    component: &[u8],
) -> Vec<Visit> {
    let keys = make_keys(None).unwrap();
    let signer = TrustedKey {
        id: keys.key.id(),
        public_key: keys.key.line(),
        name: fields.say("signer", 1),
        added_at: at(0),
        added_by: "ann".to_owned(),
    };
    site.store.trust(&signer).await.unwrap();
    let next = manifest
        .replace("version = \"0.1.0\"", "version = \"0.2.0\"")
        .replace("serial = 1", "serial = 2");
    let archive = package(&next, component);
    let key = SecretKey::read(&keys.secret, None).unwrap();
    let bytes = key.sign(&archive, "<evil>").unwrap().before(&archive);
    let mut visits = Vec::new();
    for (what, bytes) in [("an offer", &bytes[..]), ("no package", b"<evil>")] {
        let page = addons::send(ann, bytes).await;
        visits.push(visit(what, page));
    }
    let [offer, _] = &visits[..] else {
        unreachable!("two were sent")
    };
    assert_eq!(offer.answer.status, 200, "{}", offer.answer.body);
    let sha256 = addons::hash(&offer.answer.body);
    let agreed = ann.post("/addons/accept", &[("sha256", &sha256)]).await;
    assert_eq!(agreed.location, "/x/addons?installed=guest");
    let page = ann.get("/addons?installed=guest").await;
    visits.push(visit("what was agreed to", page));
    let page = ann.post("/installations/isp/check", &[]).await;
    visits.push(visit("a check", page));
    visits
}

fn visit(what: &str, page: Page) -> Visit {
    let answer = Answer {
        status: page.status.as_u16(),
        headers: vec![("content-type".to_owned(), "text/html".to_owned())],
        body: page.text,
    };
    Visit {
        what: what.to_owned(),
        answer,
    }
}

#[tokio::test]
async fn what_visitors_say_of_themselves_is_text_too() {
    let site = Site::new("").await;
    let mut visits = Vec::new();
    for kind in 0..KINDS {
        let text = Field(kind).poison_as(kind, "Ann");
        // A browser's name, as far as headers take it, and the name of another host.
        let agent: String = text.chars().filter(char::is_ascii).collect();
        let agent = agent.replace(|c: char| c.is_control(), " ");
        let headers = [
            ("user-agent", agent.as_str()),
            ("x-forwarded-host", "evil.example"),
            ("x-forwarded-proto", agent.as_str()),
            ("forwarded", "host=evil.example"),
        ];
        let credentials = [("account", "ann"), ("password", PASSWORD), ("next", &text)];
        let mut ann = site.visitor();
        let entered = ann
            .send(Method::POST, "/login", &headers, &credentials)
            .await;
        assert_eq!(entered.headers()["location"], "/installations", "{text:?}");
        let page = Page::of(ann.send(Method::GET, "/sessions", &headers, &[]).await).await;
        assert!(!page.has("evil.example"), "{}", page.text);
        visits.push(visit("sessions", page));
        let mut guesser = site.visitor();
        visits.push(visit("a guess", guesser.log_in(&text, &text).await));
        let address = address("/login", &text);
        visits.push(visit("the way in", guesser.get(&address).await));
        // Few enough at a time not to be slowed down.
        site.clock.advance(TimeDelta::hours(1));
    }
    let wrong: Vec<String> = visits.iter().flat_map(Visit::problems).collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
    for (place, visit) in visits.iter().enumerate() {
        let shown = visit.shows();
        assert!(
            shown.contains(&Field(place / 3)),
            "{}: {}",
            visit.what,
            visit.answer.body
        );
    }
    site.stop().await;
}

fn address(path: &str, next: &str) -> String {
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    query.append_pair("next", next);
    format!("{path}?{}", query.finish())
}
