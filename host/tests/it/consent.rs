//! Random pairs of manifests: whatever the second may do beyond the first is asked for, and nothing else is. What is more is decided
//! here a second time, from what was drawn and not from the manifest.

use std::collections::BTreeSet;

use addon_host::manifest::Manifest;
use addon_host::packages::Changes;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};

const PAIRS: usize = 1_200;

const MIB: u64 = 1 << 20;

/// How a pair of manifests may differ.
#[derive(Debug, Clone, PartialEq)]
struct Draw {
    hosts: BTreeSet<&'static str>,
    base: &'static str,
    url_default: Option<&'static str>,
    private: bool,
    auth: BTreeSet<&'static str>,
    token_kind: &'static str,
    counted: &'static str,
    reads: BTreeSet<&'static str>,
    per_minute: u64,
    per_day: Option<u64>,
    reserve: Option<u64>,
    burst: u64,
    parallel: u64,
    timeout: u64,
    bytes: u64,
    rest: u64,
    settle: u64,
    schedule: Option<Schedule>,
    hook: Option<Hook>,
    territory: Option<&'static str>,
    /// What decides nothing.
    noise: u8,
}

#[derive(Debug, Clone, PartialEq)]
struct Schedule {
    every: &'static str,
    minutes: Option<u64>,
    toggles: BTreeSet<&'static str>,
    on: BTreeSet<&'static str>,
}

#[derive(Debug, Clone, PartialEq)]
struct Hook {
    scheme: &'static str,
    job: &'static str,
    ping: bool,
    kinds: Option<BTreeSet<&'static str>>,
    record: &'static str,
}

const BASIC: &str = r#"{ type = "basic", user = "login", password = "password" }"#;
const BEARER: &str = r#"{ type = "bearer", token = "{token}" }"#;
const DRESSED: &str = r#"{ type = "bearer", token = "x{token}" }"#;
const QUERY: &str = r#"{ type = "query-key", name = "key", value = "{token}" }"#;

fn one<T: Copy>(rng: &mut StdRng, of: &[T]) -> T {
    *of.choose(rng).expect("something to choose from")
}

fn some(rng: &mut StdRng, of: &[&'static str]) -> BTreeSet<&'static str> {
    of.iter()
        .copied()
        .filter(|_| rng.random_bool(0.5))
        .collect()
}

fn some_or(rng: &mut StdRng, of: &[&'static str]) -> BTreeSet<&'static str> {
    let mut drawn = some(rng, of);
    if drawn.is_empty() {
        drawn.insert(of[0]);
    }
    drawn
}

impl Draw {
    fn new(rng: &mut StdRng) -> Self {
        let per_day = one(rng, &[None, Some(100), Some(200)]);
        let schedule = rng.random_bool(0.7).then(|| {
            let toggles = some(rng, &["morning", "evening"]);
            Schedule {
                every: one(rng, &["every", "often"]),
                minutes: one(rng, &[None, Some(5), Some(60), Some(1440)]),
                on: some(rng, &["morning", "evening"]),
                toggles,
            }
        });
        let hook = rng.random_bool(0.7).then(|| Hook {
            scheme: one(rng, &["hmac-sha1", "hmac-sha256"]),
            job: one(rng, &["sync", "other"]),
            ping: rng.random_bool(0.5),
            kinds: rng
                .random_bool(0.7)
                .then(|| some_or(rng, &["Customers", "Invoices"])),
            record: one(rng, &["/id", "/number"]),
        });
        Self {
            hosts: some_or(rng, &["{url}", "a.example", "b.example"]),
            base: one(rng, &["https://a.example/", "{url}", "{url}v2/"]),
            url_default: one(
                rng,
                &[None, Some("https://a.example/"), Some("https://b.example/")],
            ),
            private: rng.random_bool(0.5),
            auth: some(rng, &[BASIC, BEARER, DRESSED, QUERY]),
            token_kind: one(rng, &["secret", "text"]),
            counted: one(
                rng,
                &[
                    "\"login\"",
                    "\"login\", \"url\"",
                    "\"url\", \"login\"",
                    "\"company\"",
                ],
            ),
            reads: some(rng, &["calculate", "search"]),
            per_minute: one(rng, &[60, 70]),
            per_day,
            reserve: per_day.and_then(|_| one(rng, &[None, Some(0), Some(10), Some(50)])),
            burst: one(rng, &[5, 10]),
            parallel: one(rng, &[1, 4]),
            timeout: one(rng, &[30, 60]),
            bytes: one(rng, &[MIB, 2 * MIB]),
            rest: one(rng, &[60, 3_900]),
            settle: one(rng, &[100, 300]),
            schedule,
            hook,
            territory: one(rng, &[None, Some("login"), Some("url")]),
            noise: rng.random(),
        }
    }

    /// Another that differs in some places, or in all.
    fn near(&self, rng: &mut StdRng) -> Self {
        let other = Self::new(rng);
        if rng.random_bool(0.3) {
            return other;
        }
        let mut near = self.clone();
        match rng.random_range(0..12) {
            0 => near.hosts = other.hosts,
            1 => (near.base, near.url_default) = (other.base, other.url_default),
            2 => near.private = other.private,
            3 => near.auth = other.auth,
            4 => near.token_kind = other.token_kind,
            5 => near.counted = other.counted,
            6 => near.reads = other.reads,
            7 => (near.per_day, near.reserve) = (other.per_day, other.reserve),
            8 => {
                (near.timeout, near.bytes, near.rest, near.settle) =
                    (other.timeout, other.bytes, other.rest, other.settle)
            }
            9 => near.schedule = other.schedule,
            10 => near.hook = other.hook,
            _ => near.territory = other.territory,
        }
        near.noise = other.noise;
        near
    }

    fn list(of: &BTreeSet<&str>) -> String {
        let quoted: Vec<String> = of.iter().map(|text| format!("\"{text}\"")).collect();
        quoted.join(", ")
    }

    fn text(&self) -> String {
        let noise = self.noise;
        let auth: Vec<&str> = self.auth.iter().copied().collect();
        let number = |key: &str, value: Option<u64>| {
            value.map_or(String::new(), |value| format!("{key} = {value}\n"))
        };
        let mut text = format!(
            "[addon]\nid = \"example\"\nversion = \"1.0.0\"\ntitle = \"Example {noise}\"\ninterface = \"splynx:addon@1.0.0\"\n\
             component = \"example.wasm\"\n\n[connections.books]\ntitle = \"Books {noise}\"\nbase_url = \"{}\"\nhosts = [{}]\n\
             private_addresses = {}\nauth = [{}]\ncounted_by = [{}]\nreads = [{}]\nper_minute = {}\nburst = {}\nparallel = {}\n\
             timeout_seconds = {}\nmax_response_bytes = {}\nrest_after_429_seconds = {}\nsettle_seconds = {}\n{}{}\n",
            self.base,
            Self::list(&self.hosts),
            self.private,
            auth.join(", "),
            self.counted,
            Self::list(&self.reads),
            self.per_minute,
            self.burst,
            self.parallel,
            self.timeout,
            self.bytes,
            self.rest,
            self.settle,
            number("per_day", self.per_day),
            number("reserve", self.reserve),
        );
        let schedule = self.schedule.as_ref();
        let minutes = schedule.and_then(|schedule| schedule.minutes);
        let on = |toggle| match schedule {
            Some(schedule) if schedule.on.contains(toggle) => "on",
            _ => "off",
        };
        let minutes = minutes.map(|minutes| minutes.to_string());
        for (key, kind, default) in [
            ("url", "url", self.url_default),
            ("login", "text", None),
            ("password", "secret", None),
            ("token", self.token_kind, None),
            ("company", "fetched", None),
            ("every", "number", minutes.as_deref()),
            ("often", "number", minutes.as_deref()),
            ("morning", "toggle", Some(on("morning"))),
            ("evening", "toggle", Some(on("evening"))),
            ("tag", "text", None),
        ] {
            let default = default.map_or(String::new(), |default| {
                format!("default = \"{default}\"\n")
            });
            text.push_str(&format!(
                "[[settings]]\nkey = \"{key}\"\ntitle = \"{key} {noise}\"\nhelp = \"{noise}\"\ntype = \"{kind}\"\n{default}\n"
            ));
        }
        text.push_str("[[settings]]\nkey = \"parts\"\ntitle = \"Parts\"\ntype = \"choices\"\nchoices = \"parts\"\n\n");
        text.push_str(&format!(
            "[[settings]]\nkey = \"more_{noise}\"\ntitle = \"More\"\ntype = \"toggle\"\n\n"
        ));
        for job in ["sync", "other"] {
            text.push_str(&format!(
                "[[jobs]]\nid = \"{job}\"\ntitle = \"{job} {noise}\"\npreview = {}\noptions = [{{ key = \"event\", title = \"Event\", type = \"long-text\" }}]\n\n",
                noise.is_multiple_of(2)
            ));
        }
        if let Some(Schedule { every, toggles, .. }) = schedule {
            text.push_str(&format!(
                "[[schedules]]\njob = \"sync\"\nevery_minutes = \"{every}\"\nwhen_any = [{}]\n\n",
                Self::list(toggles)
            ));
        }
        if let Some(hook) = &self.hook {
            text.push_str(&format!(
                "[[hooks]]\nid = \"told\"\ntitle = \"Told {noise}\"\nsignature = {{ scheme = \"{}\", header = \"X-Sign\", secret = \"password\" }}\n\
                 job = \"{}\"\nflood_job = \"sync\"\nrecord = [\"{}\"]\n",
                hook.scheme, hook.job, hook.record
            ));
            if hook.ping {
                text.push_str("ping = { at = \"/type\", is = \"ping\" }\n");
            }
            if let Some(kinds) = &hook.kinds {
                text.push_str(&format!(
                    "events = {{ at = \"/model\", last = [{}] }}\n",
                    Self::list(kinds)
                ));
            }
        }
        if let Some(source) = self.territory {
            text.push_str(&format!(
                "\n[territory]\nsource = [\"{source}\"]\ntarget = [\"company\"]\nleaves_out = \"parts\"\ntag = \"tag\"\n"
            ));
        }
        text
    }

    fn manifest(&self) -> Manifest {
        let text = self.text();
        Manifest::parse(&text).unwrap_or_else(|error| panic!("{error}\n{text}"))
    }

    fn uses_url(&self) -> bool {
        self.base.contains("{url}") || self.hosts.contains("{url}")
    }

    /// Requests that may leave in a day: for people, in automatic runs, and there for what matters less.
    fn a_day(&self) -> [f64; 3] {
        let Some(day) = self.per_day else {
            return [f64::INFINITY; 3];
        };
        let kept = self.reserve.unwrap_or(day.div_ceil(10)).min(day / 2);
        let automatic = day - kept;
        [day, automatic, automatic - kept.min(automatic / 2)].map(|requests| requests as f64)
    }
}

/// In which respects the next may do more, by words that the question must have.
fn wider(before: &Draw, next: &Draw) -> BTreeSet<&'static str> {
    let mut wider = BTreeSet::new();
    let mut more = |is_more: bool, words: &'static str| {
        if is_more {
            wider.insert(words);
        }
    };
    more(!next.hosts.is_subset(&before.hosts), "requests to");
    more(next.base != before.base, "the address");
    let known = before.uses_url().then_some(before.url_default).flatten();
    let now = next.uses_url().then_some(next.url_default).flatten();
    more(
        now.is_some() && now != known,
        "until somebody enters it, url",
    );
    more(next.private && !before.private, "private networks");
    more(!next.auth.is_subset(&before.auth), "each request carries");
    more(
        before.token_kind == "secret" && next.token_kind == "text",
        "the setting token: no secret any more",
    );
    more(next.counted != before.counted, "counted by");
    more(!next.reads.is_subset(&before.reads), "by POST to");
    more(next.per_minute > before.per_minute, "requests a minute");
    let words = [
        "requests a day, before",
        "automatic runs, before",
        "matters less, before",
    ];
    for ((now, then), words) in next.a_day().into_iter().zip(before.a_day()).zip(words) {
        more(now > then, words);
    }
    more(next.burst > before.burst, "at once after a rest");
    more(next.parallel > before.parallel, "at the same time");
    more(next.timeout > before.timeout, "is given up");
    more(next.bytes > before.bytes, "bytes of an answer");
    more(next.rest < before.rest, "s of rest");
    more(next.settle < before.settle, "lost request");
    match (&before.schedule, &next.schedule) {
        (None, Some(_)) => more(true, "the job sync by itself: "),
        (Some(before), Some(next)) => {
            more(
                next.every != before.every,
                "between two starts are the setting",
            );
            let pace = |schedule: &Schedule| schedule.minutes.unwrap_or(u64::MAX);
            more(pace(next) < pace(before), "between two starts until");
            let always = before.toggles.is_empty();
            let runs = |schedule: &Schedule, toggle: &&&str| schedule.on.contains(**toggle);
            let on = |schedule: &Schedule| -> BTreeSet<&'static str> {
                schedule
                    .toggles
                    .iter()
                    .filter(|toggle| runs(schedule, toggle))
                    .copied()
                    .collect()
            };
            let free = next.toggles.is_empty();
            more(
                !always && (free || !next.toggles.is_subset(&before.toggles)),
                "by itself: starts",
            );
            more(
                !always && (free || !on(next).is_subset(&on(before))),
                "until somebody switches it off",
            );
        }
        (_, None) => {}
    }
    match (&before.hook, &next.hook) {
        (None, Some(_)) => more(true, "the web hook told: "),
        (Some(before), Some(next)) => {
            more(next.scheme != before.scheme, "believes what is signed by");
            more(next.job != before.job, "starts the job");
            more(next.ping && !before.ping, "answers unsigned messages");
            more(next.record != before.record, "for one that agree in");
            let all = match (&before.kinds, &next.kinds) {
                (None, _) => false,
                (Some(_), None) => true,
                (Some(before), Some(next)) => !next.is_subset(before),
            };
            more(all, "messages of the kind");
        }
        (_, None) => {}
    }
    more(
        before.territory.is_some() && next.territory != before.territory,
        "several installations",
    );
    wider
}

/// The fuzz of the consent.
#[test]
fn whatever_a_new_version_may_do_beyond_the_one_in_use_is_asked_for_and_nothing_else() {
    let seed: u64 = rand::random();
    println!("seed {seed}");
    let mut rng = StdRng::seed_from_u64(seed);
    let mut met = BTreeSet::new();
    let mut quiet = 0;
    for pair in 0..PAIRS {
        let before = Draw::new(&mut rng);
        let next = before.near(&mut rng);
        let changes = Changes::between(Some(&before.manifest()), &next.manifest());
        let wanted = wider(&before, &next);
        let asked = &changes.asks_for_more;
        let story = || {
            format!("seed {seed}, pair {pair}\n{before:#?}\n{next:#?}\n{wanted:#?}\n{changes:#?}")
        };
        for words in &wanted {
            assert!(
                asked.iter().any(|line| line.contains(words)),
                "not asked: {words}\n{}",
                story()
            );
        }
        for line in asked {
            assert!(
                wanted.iter().any(|words| line.contains(words)),
                "asked for nothing: {line}\n{}",
                story()
            );
        }
        quiet += usize::from(asked.is_empty());
        met.extend(wanted);
        let same = Changes::between(Some(&next.manifest()), &next.manifest());
        assert_eq!(same, Changes::default(), "seed {seed}, pair {pair}");
    }
    assert!(
        met.len() == 30 && quiet > 40,
        "seed {seed}: {} of 30 met, {quiet} quiet\n{met:#?}",
        met.len()
    );
}

/// Where an add-on is new, all that it asks for is shown.
#[test]
fn a_first_installation_shows_addresses_secrets_and_what_happens_by_itself() {
    let manifest = Manifest::parse(include_str!("../../../plugin/addon.toml")).unwrap();
    let all = Changes::between(None, &manifest).asks_for_more;
    for (subject, words) in [
        ("the connection splynx: ", "requests to {splynx_api_domain}"),
        (
            "the connection splynx: ",
            "may reach addresses of private networks",
        ),
        (
            "the connection splynx: ",
            "each request carries the secret splynx_api_key, signed with the secret splynx_api_secret",
        ),
        (
            "the connection sage: ",
            "requests to accounting.sageone.co.za, resellers.accounting.sageone.co.za",
        ),
        (
            "the connection sage: ",
            "basic authentication by sage_login and the secret sage_password",
        ),
        ("the connection sage: ", "by POST to TaxInvoice/Calculate"),
        (
            "the connection sage: ",
            "70 requests a minute, 4500 requests a day",
        ),
        ("the job sync by itself: ", "starts while"),
        (
            "the web hook splynx: ",
            "with the secret splynx_hook_secret",
        ),
    ] {
        let shown = |line: &String| line.starts_with(subject) && line.contains(words);
        assert!(all.iter().any(shown), "{subject}{words}\n{all:#?}");
    }
    let sage =
        |line: &String| line.starts_with("the connection sage: ") && line.contains("private");
    assert!(!all.iter().any(sage), "{all:#?}");
    assert!(all.len() < 30, "people read it: {all:#?}");
}
