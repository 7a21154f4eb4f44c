//! The admin pages as a browser sees them: a real server with a real host behind it, asked over HTTP.

use std::pin::Pin;
use std::sync::{Arc, Mutex};

use addon_host::clock::Clock;
use addon_host::host::{Host, HostConfig};
use addon_host::installations;
use addon_host::runs::Limits;
use addon_host::server::Server;
use addon_host::store::{
    Activity, Change, Commit, LeaseAnswer, NewRun, Outcome, ReportRow, RunId, RunState, Store, StoredValue, Trigger,
};
use addon_host::vault::Secret;
use addon_host::web::login::{first_account, password};
use chrono::{DateTime, TimeDelta, Utc};
use reqwest::{Client, Method, Response, StatusCode, redirect};
use tempfile::TempDir;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::fixtures::at;
use crate::guest::{guest, package};

/// The guest of `guest.wat`, with one setting of each kind. It has no choices to offer, and its page cannot be read.
const MANIFEST: &str = r#"[addon]
id = "guest"
version = "1.0.0"
title = "Guest & Co"
interface = "splynx:addon@1.0.0"
component = "guest.wasm"
state = 1

[[settings]]
key = "name"
group = "First"
title = "Name"
type = "text"
default = "somebody"
help = "Help <b>text</b>"

[[settings]]
key = "password"
group = "First"
title = "Password"
type = "secret"
required = true

[[settings]]
key = "every"
group = "Second"
title = "Minutes"
type = "number"
default = "15"
min = 5

[[settings]]
key = "zone"
group = "Second"
title = "Time zone"
type = "text"
default = "Africa/Johannesburg"

[[settings]]
key = "automatic"
group = "Second"
title = "Automatic"
type = "toggle"
default = "off"

[[settings]]
key = "grouping"
group = "Second"
title = "Grouping"
type = "choice"
options = [{ value = "month", title = "By month" }, { value = "day", title = "By day" }]
default = "month"

[[settings]]
key = "days"
group = "Second"
title = "Days"
type = "choices"
options = [{ value = "1", title = "Monday" }, { value = "2", title = "Tuesday" }]

[[settings]]
key = "partners"
group = "Second"
title = "Partners"
type = "choices"
choices = "partners"

[[settings]]
key = "company"
group = "Second"
title = "Company"
type = "fetched"

[[mappings]]
key = "item"
title = "Items"
rows = "categories"
choices = "items"

[[jobs]]
id = "finish"
title = "Finish"
preview = true

[[jobs]]
id = "progress"
title = "Work on"

[[schedules]]
job = "finish"
every_minutes = "every"
time_zone = "zone"
when_any = ["automatic"]

[[pages]]
id = "outbox"
title = "Held and waiting"
columns = ["Kind", "State"]

[[reports]]
id = "plan"
title = "The plan"
columns = ["Act", "Reason"]
"#;

const PASSWORD: &str = "correct horse";

/// Stands still until a test moves it.
struct Stopped(Mutex<DateTime<Utc>>);

impl Stopped {
    fn advance(&self, by: TimeDelta) {
        *self.0.lock().unwrap() += by;
    }
}

impl Clock for Stopped {
    fn now(&self) -> DateTime<Utc> {
        *self.0.lock().unwrap()
    }

    fn sleep_until(&self, _: DateTime<Utc>) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(std::future::pending())
    }
}

struct Site {
    store: Store,
    clock: Arc<Stopped>,
    address: String,
    client: Client,
    stop: oneshot::Sender<()>,
    serving: JoinHandle<std::io::Result<()>>,
    _folder: TempDir,
}

/// A browser of one person: keeps its cookie, follows nothing by itself.
struct Browser<'s> {
    site: &'s Site,
    cookie: Option<String>,
}

struct Page {
    status: StatusCode,
    location: String,
    text: String,
}

impl Site {
    async fn new(base: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock = Arc::new(Stopped(Mutex::new(at(0))));
        let (data_dir, database_url) = (folder.path().to_owned(), Store::default_url(folder.path()));
        let config = HostConfig { data_dir, database_url };
        let host = Host::open_with(config, clock.clone(), Limits::default()).await.unwrap();
        host.install_package(&package(MANIFEST, guest()), "ann").await.unwrap();
        let store = host.store().clone();
        installations::create(&store, "isp", "guest", at(0)).await.unwrap();
        let hash = password::hash(&Secret::new(PASSWORD)).unwrap();
        store.save_account("ann", &hash, at(0)).await.unwrap();
        let server = Server::bind(host, clock.clone(), "127.0.0.1:0", base.parse().unwrap()).await.unwrap();
        let address = server.admin_page().unwrap().trim_end_matches('/').to_owned();
        let (stop, stopped) = oneshot::channel();
        let serving = tokio::spawn(server.run(async {
            let _ = stopped.await;
        }));
        // The reason is given where the host makes its own client.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = Client::builder().no_proxy().redirect(redirect::Policy::none()).build().unwrap();
        Self { store, clock, address, client, stop, serving, _folder: folder }
    }

    fn visitor(&self) -> Browser<'_> {
        Browser { site: self, cookie: None }
    }

    async fn ann(&self) -> Browser<'_> {
        let mut browser = self.visitor();
        let page = browser.log_in("ann", PASSWORD).await;
        assert_eq!(page.status, StatusCode::SEE_OTHER, "{}", page.text);
        browser
    }

    /// A run that found its end elsewhere.
    async fn run(&self, job: &str, preview: bool) -> RunId {
        let new = NewRun { installation: "isp", job, trigger: Trigger::Person, actor: "ann", preview, package_sha256: "x" };
        self.store.insert_run(new, at(0)).await.unwrap()
    }

    async fn stop(self) {
        self.stop.send(()).unwrap();
        self.serving.await.unwrap().unwrap();
    }
}

impl Browser<'_> {
    async fn send(&mut self, method: Method, path: &str, headers: &[(&str, &str)], form: &[(&str, &str)]) -> Response {
        let mut request = self.site.client.request(method.clone(), format!("{}{path}", self.site.address));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if let Some(cookie) = &self.cookie {
            request = request.header("cookie", cookie);
        }
        if method == Method::POST {
            let mut body = url::form_urlencoded::Serializer::new(String::new());
            body.extend_pairs(form);
            request = request.header("content-type", "application/x-www-form-urlencoded").body(body.finish());
        }
        let response = request.send().await.unwrap();
        if let Some(set) = response.headers().get("set-cookie") {
            let pair = set.to_str().unwrap().split(';').next().unwrap();
            self.cookie = (!pair.ends_with('=')).then(|| pair.to_owned());
        }
        response
    }

    async fn get(&mut self, path: &str) -> Page {
        Page::of(self.send(Method::GET, path, &[], &[]).await).await
    }

    /// As a browser posts a form of the same site.
    async fn post(&mut self, path: &str, form: &[(&str, &str)]) -> Page {
        Page::of(self.send(Method::POST, path, &[("sec-fetch-site", "same-origin")], form).await).await
    }

    async fn log_in(&mut self, account: &str, password: &str) -> Page {
        self.post("/login", &[("account", account), ("password", password)]).await
    }
}

impl Page {
    async fn of(response: Response) -> Self {
        let location = response.headers().get("location").map(|value| value.to_str().unwrap().to_owned());
        let status = response.status();
        Self { status, location: location.unwrap_or_default(), text: response.text().await.unwrap() }
    }

    fn has(&self, text: &str) -> bool {
        self.text.contains(text)
    }

    #[track_caller]
    fn shows(&self, texts: &[&str]) {
        for text in texts {
            assert!(self.has(text), "`{text}` is missing from ({}) {}", self.status, self.text);
        }
    }
}

#[tokio::test]
async fn nobody_gets_in_without_the_password_and_guessing_becomes_slow() {
    let site = Site::new("").await;
    let mut visitor = site.visitor();
    let run = site.run("finish", false).await;
    for path in [
        "/installations".to_owned(),
        "/installations/isp".to_owned(),
        "/installations/isp/settings".to_owned(),
        "/installations/isp/mappings".to_owned(),
        "/installations/isp/activity".to_owned(),
        "/installations/isp/runs".to_owned(),
        "/installations/isp/pages/outbox".to_owned(),
        format!("/runs/{run}"),
    ] {
        let page = visitor.get(&path).await;
        let login = format!("/login?next={}", path.replace('/', "%2F"));
        assert_eq!((page.status, page.location.as_str()), (StatusCode::SEE_OTHER, login.as_str()), "{path}");
        assert!(page.text.is_empty());
    }
    for path in ["/installations/isp/check", "/installations/isp/jobs/finish", "/installations/isp/settings", "/runs/1/stop"] {
        let page = visitor.post(path, &[("name", "x")]).await;
        assert_eq!((page.status, page.location.as_str()), (StatusCode::SEE_OTHER, "/login"), "{path}");
    }
    assert_eq!(visitor.get(&format!("/runs/{run}/live")).await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(visitor.get("/health").await.text, "ok");
    assert_eq!(visitor.get("/nothing").await.status, StatusCode::NOT_FOUND);

    // A wrong password and an unknown name are answered alike.
    let refused = visitor.log_in("ann", "wrong").await;
    assert_eq!((refused.status, visitor.cookie.clone()), (StatusCode::UNAUTHORIZED, None));
    let unknown = visitor.log_in("nobody", "wrong").await;
    assert_eq!(unknown.text.replace("nobody", "ann"), refused.text);
    for _ in 0..4 {
        assert_eq!(visitor.log_in("ann", "wrong").await.status, StatusCode::UNAUTHORIZED);
    }
    // Throttled, even with the right one; after the pause it is tried again.
    let throttled = visitor.send(Method::POST, "/login", &[], &[("account", "ann"), ("password", PASSWORD)]).await;
    assert_eq!(throttled.status(), StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(throttled.headers()["retry-after"], "2");
    site.clock.advance(TimeDelta::seconds(2));

    let wish = [("account", "ann"), ("password", PASSWORD), ("next", "/installations/isp/settings")];
    let entered = visitor.send(Method::POST, "/login", &[("x-forwarded-proto", "https")], &wish).await;
    assert_eq!(entered.headers()["location"], "/installations/isp/settings");
    let cookie = entered.headers()["set-cookie"].to_str().unwrap().to_owned();
    for part in ["; Path=/;", "; HttpOnly", "; SameSite=Lax", "; Secure"] {
        assert!(cookie.contains(part), "{part} in {cookie}");
    }
    let first = visitor.cookie.clone().unwrap();
    assert_eq!(visitor.get("/installations").await.status, StatusCode::OK);
    // What a link asks for after the log-in stays on this site; a log-in brings a new token and ends the old one.
    for elsewhere in ["https://evil.example/", "//evil.example", "/\\evil.example", "/installations\r\nx: y", "javascript:x"] {
        let page = visitor.post("/login", &[wish[0], wish[1], ("next", elsewhere)]).await;
        assert_eq!(page.location, "/installations", "{elsewhere}");
    }
    assert_ne!(visitor.cookie.as_ref(), Some(&first));
    let mut old = Browser { site: &site, cookie: Some(first) };
    assert_eq!(old.get("/installations").await.location, "/login?next=%2Finstallations");

    // Half an hour without use ends a session, and so do twelve hours, a new password, and logging out.
    let mut idle = site.ann().await;
    site.clock.advance(TimeDelta::minutes(29));
    assert_eq!(idle.get("/installations").await.status, StatusCode::OK);
    for _ in 0..4 {
        // A page that watches a run is not a person.
        site.clock.advance(TimeDelta::minutes(10));
        idle.get(&format!("/runs/{run}/live")).await;
    }
    assert_eq!(idle.get("/installations").await.status, StatusCode::SEE_OTHER);
    let mut busy = site.ann().await;
    for _ in 0..24 {
        assert_eq!(busy.get("/installations").await.status, StatusCode::OK);
        site.clock.advance(TimeDelta::minutes(30));
    }
    assert_eq!(busy.get("/installations").await.status, StatusCode::SEE_OTHER);
    let mut changed = site.ann().await;
    let hash = password::hash(&Secret::new("another password")).unwrap();
    site.store.save_account("ann", &hash, site.clock.now()).await.unwrap();
    assert_eq!(changed.get("/installations").await.status, StatusCode::SEE_OTHER);
    let mut leaving = site.visitor();
    leaving.log_in("ann", "another password").await;
    let token = leaving.cookie.clone();
    assert_eq!(leaving.post("/logout", &[]).await.location, "/login");
    let mut back = Browser { site: &site, cookie: token };
    assert_eq!(back.get("/installations").await.status, StatusCode::SEE_OTHER);

    // The first account is made once, and what it tells is its password.
    assert!(first_account(&site.store, at(0)).await.unwrap().is_none());
    site.stop().await;
}

#[tokio::test]
async fn a_host_without_accounts_gets_one_and_tells_its_password_once() {
    let (store, _folder) = crate::fixtures::store().await;
    let (name, first) = first_account(&store, at(0)).await.unwrap().unwrap();
    let stored = store.account(name).await.unwrap().unwrap();
    assert!(name == "admin" && password::verify(&first, Some(&stored.password_hash)));
    assert!(first_account(&store, at(0)).await.unwrap().is_none());
}

#[tokio::test]
async fn requests_of_other_sites_change_nothing_and_every_page_guards_itself() {
    let site = Site::new("/x/y").await;
    let mut ann = site.ann().await;
    let form = [("name", "changed by another site")];
    let foreign: [&[(&str, &str)]; 4] = [
        &[("sec-fetch-site", "cross-site")],
        &[("sec-fetch-site", "same-site")],
        &[("origin", "https://evil.example")],
        &[("origin", "null")],
    ];
    for headers in foreign {
        let answer = ann.send(Method::POST, "/installations/isp/settings", headers, &form).await;
        assert_eq!(answer.status(), StatusCode::FORBIDDEN, "{headers:?}");
    }
    assert!(site.store.settings("isp").await.unwrap().is_empty());

    let large = "x".repeat(2 << 20);
    let answer = ann.post("/installations/isp/settings", &[("name", &large)]).await;
    assert_eq!(answer.status, StatusCode::PAYLOAD_TOO_LARGE);

    for path in ["/installations", "/installations/isp/settings", "/login", "/health", "/nothing", "/assets/nothing"] {
        let answer = ann.send(Method::GET, path, &[], &[]).await;
        let headers = answer.headers().clone();
        let policy = headers["content-security-policy"].to_str().unwrap();
        assert!(policy.starts_with("default-src 'self'") && policy.contains("frame-ancestors 'none'"), "{path}");
        assert!(!policy.contains("unsafe"));
        assert_eq!(headers["x-content-type-options"], "nosniff");
        assert_eq!(headers["referrer-policy"], "same-origin");
        assert_eq!(headers["cache-control"], "no-store");
        let text = answer.text().await.unwrap();
        assert!(!text.contains("<script>") && !text.contains(" style=") && !text.contains(" onclick"), "{path}");
        // Under a base path no link leads out of it.
        for address in text.split(['"']).filter(|part| part.starts_with('/')) {
            assert!(address.starts_with("/x/y/"), "{address} on {path}");
        }
    }
    let page = ann.get("/installations").await;
    for name in page.text.split('"').filter_map(|part| part.strip_prefix("/x/y")).filter(|path| path.starts_with("/assets/")) {
        let asset = ann.send(Method::GET, name, &[], &[]).await;
        assert_eq!(asset.status(), StatusCode::OK, "{name}");
        assert!(asset.headers()["cache-control"].to_str().unwrap().contains("immutable"));
    }
    // Nothing is to be had by reading only: these addresses take a form.
    for path in ["/installations/isp/check", "/installations/isp/jobs/finish", "/runs/1/stop", "/logout"] {
        assert_eq!(ann.get(path).await.status, StatusCode::METHOD_NOT_ALLOWED, "{path}");
    }
    site.stop().await;
}

#[tokio::test]
async fn settings_are_saved_whole_or_not_at_all_and_secrets_never_come_back() {
    let site = Site::new("").await;
    let mut ann = site.ann().await;
    let settings = "/installations/isp/settings";
    let page = ann.get(settings).await;
    page.shows(&[
        "<legend>First</legend>",
        "Help &#60;b&#62;text&#60;/b&#62;",
        r#"name="name" type="text" value="somebody""#,
        "not set",
        r#"type="number" value="15""#,
        r#"min="5""#,
        r#"<option value="month" selected>By month</option>"#,
        "not connected",
        // The guest has no choices; the field works all the same.
        r#"name="partners" type="text""#,
        "ids can be typed",
    ]);

    let evil = r#""><script>alert('x')</script>"#;
    let wrong = [("name", evil), ("password", "hunter2-secret"), ("every", "3"), ("zone", "Mars"), ("automatic", "off")];
    let page = ann.post(settings, &wrong).await;
    assert_eq!(page.status, StatusCode::UNPROCESSABLE_ENTITY);
    page.shows(&[
        r##"<a href="#f-every">Minutes</a>"##,
        "Minutes 3 is out of range. At least 5.",
        "`Mars` is not a time zone",
        r#"value="3""#,
        "&#60;script&#62;",
        "type it again",
    ]);
    assert!(!page.has("<script>alert") && !page.has("hunter2"), "{}", page.text);
    assert!(site.store.settings("isp").await.unwrap().is_empty(), "nothing was saved");

    let right = [
        ("name", evil),
        ("password", "hunter2-secret"),
        ("every", "15"),
        ("zone", "Africa/Johannesburg"),
        // A ticked box comes behind its hidden value, and so do several.
        ("automatic", "off"),
        ("automatic", "on"),
        ("grouping", "month"),
        ("days", ""),
        ("days", "1"),
        ("days", "2"),
        ("partners", "7, 8"),
        ("unknown", "x"),
    ];
    let page = ann.post(settings, &right).await;
    assert_eq!((page.status, page.location.as_str()), (StatusCode::SEE_OTHER, "/installations/isp/settings?saved=5"));
    let page = ann.get(&page.location).await;
    page.shows(&["5 settings were saved", "&#60;script&#62;", "Type a new one to replace it", r#"value="7,8""#, "41001"]);
    assert!(!page.has("<script>alert") && !page.has("hunter2"));
    let stored = site.store.settings("isp").await.unwrap();
    let keys: Vec<_> = stored.iter().map(|setting| (setting.key.as_str(), setting.changed_by.as_str())).collect();
    let by_ann = ["automatic", "days", "name", "partners", "password"].map(|key| (key, "ann"));
    assert!(by_ann.iter().all(|setting| keys.contains(setting)), "{keys:?}");
    assert_eq!(keys.len(), 6, "what was not changed is not stored; the company was fetched: {keys:?}");
    assert!(matches!(&stored.iter().find(|one| one.key == "password").unwrap().value, StoredValue::Sealed(_)));

    // Left empty, the secret stays; ticked off, it goes. An unticked box counts as off.
    let page = ann.post(settings, &[("password", ""), ("automatic", "off"), ("days", "")]).await;
    assert_eq!(page.location, "/installations/isp/settings?saved=2");
    assert!(ann.get(settings).await.has("Type a new one to replace it"));
    let page = ann.post(settings, &[("password", ""), ("remove:password", "on")]).await;
    assert_eq!(page.location, "/installations/isp/settings?saved=1");
    let page = ann.get(&page.location).await;
    page.shows(&["One setting was saved", "First: Password is not set."]);
    assert!(!page.has("Type a new one to replace it"));

    // Mappings: rows that are stored stay in sight although the guest offers none.
    let mappings = "/installations/isp/mappings";
    let page = ann.post(mappings, &[("item.5", "1001"), ("item.6", ""), ("name", "not a mapping")]).await;
    assert_eq!(page.location, "/installations/isp/mappings?saved=1");
    let page = ann.get(mappings).await;
    page.shows(&[r#"name="item.5" value="1001""#, "5 (not in the list)"]);
    let page = ann.post(mappings, &[("item.5", "1002"), ("tax.1", "3")]).await;
    assert_eq!(page.status, StatusCode::UNPROCESSABLE_ENTITY);
    page.shows(&["Nothing was saved: tax.1: is not a setting of this add-on", r#"value="1002""#]);
    site.stop().await;
}

#[tokio::test]
async fn a_job_is_started_watched_and_stopped_and_an_installation_works_on_one_at_a_time() {
    let site = Site::new("").await;
    let mut ann = site.ann().await;
    let page = ann.get("/installations").await;
    page.shows(&["isp", "Guest &#38; Co 1.0.0", "not connected", "automatic runs are switched off"]);
    let page = ann.get("/installations/isp").await;
    page.shows(&["Preview: Finish", "Run: Work on", "No job has run yet", "Not checked since"]);
    assert!(!page.has("Preview: Work on"));

    let page = ann.post("/installations/isp/check", &[]).await;
    assert_eq!(page.location, "/installations/isp");
    ann.get("/installations/isp").await.shows(&["First: Password is not set.", "41001"]);

    let started = ann.post("/installations/isp/jobs/progress", &[]).await;
    assert_eq!((started.status, started.location.as_str()), (StatusCode::SEE_OTHER, "/runs/1"));
    let page = ann.get("/runs/1").await;
    page.shows(&["running", r#"data-live="/runs/1/live""#, r#"http-equiv="refresh""#, r#"action="/runs/1/stop""#, "by ann"]);
    let live = ann.send(Method::GET, "/runs/1/live", &[], &[]).await;
    assert_eq!(live.headers()["x-over"], "no");
    let busy = ann.post("/installations/isp/jobs/finish", &[]).await;
    assert_eq!(busy.status, StatusCode::CONFLICT);
    busy.shows(&["Run 1 is working on this installation"]);
    let unknown = ann.post("/installations/isp/jobs/nonsense", &[]).await;
    assert_eq!(unknown.status, StatusCode::NOT_FOUND);
    // A preview needs no lease.
    assert_eq!(ann.post("/installations/isp/jobs/finish", &[("preview", "1")]).await.location, "/runs/2");

    assert_eq!(ann.post("/runs/1/stop", &[]).await.location, "/runs/1");
    loop {
        let live = ann.send(Method::GET, "/runs/1/live", &[], &[]).await;
        if live.headers()["x-over"] == "yes" {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    let page = ann.get("/runs/1").await;
    page.shows(&["stopped", "Ended"]);
    assert!(!page.has("data-live") && !page.has("/stop"));
    ann.get("/installations/isp/runs").await.shows(&[r#"<a href="/runs/2">2</a>"#, r#"<a href="/runs/1">1</a>"#, "preview"]);
    assert_eq!(ann.get("/runs/99").await.status, StatusCode::NOT_FOUND);
    assert_eq!(ann.get("/runs/x").await.status, StatusCode::BAD_REQUEST);
    assert_eq!(ann.get("/installations/other").await.status, StatusCode::NOT_FOUND);

    // What a run left behind, however it is spelled.
    let run = site.run("finish", true).await;
    let row = |number: usize| ReportRow { id: number.to_string(), cells: vec![format!("act {number}"), "<i>why</i>".into()], more: Vec::new() };
    site.store.append_report(run, "plan", &(1..=201).map(row).collect::<Vec<_>>()).await.unwrap();
    let counts = vec![("invoices <planned>".to_owned(), 201)];
    let outcome = Outcome { state: RunState::Finished, resume_at: None, why: None, counts, more: Vec::new() };
    site.store.finish_run(run, &outcome, at(65)).await.unwrap();
    let page = ann.get(&format!("/runs/{run}")).await;
    page.shows(&["The plan", "act 200", "&#60;i&#62;why&#60;/i&#62;", "invoices &#60;planned&#62;", "1 min 5 s", "report=plan&#38;after=200"]);
    assert!(!page.has("act 201"));
    let page = ann.get(&format!("/runs/{run}?report=plan&after=200")).await;
    assert!(page.has("act 201") && !page.has("act 200"));

    // A guest that answers nonsense spoils its page and no other.
    let page = ann.get("/installations/isp/pages/outbox?search=%22%3E%3Cb%3E").await;
    assert_eq!(page.status, StatusCode::BAD_GATEWAY);
    page.shows(&[r#"value="&#34;&#62;&#60;b&#62;""#]);
    assert_eq!(ann.get("/installations/isp/pages/nonsense").await.status, StatusCode::NOT_FOUND);

    // Stopping the server stops what it runs.
    ann.post("/installations/isp/jobs/progress", &[]).await;
    let store = site.store.clone();
    site.stop().await;
    let last = store.runs("isp", None, 1).await.unwrap().remove(0);
    assert_eq!((last.job.as_str(), last.state), ("progress", RunState::Stopped));
}

#[tokio::test]
async fn the_activity_log_is_filtered_and_paged() {
    let site = Site::new("").await;
    let run = site.run("finish", false).await;
    let LeaseAnswer::Acquired(fence) = site.store.acquire_lease("isp", run, at(0)).await.unwrap() else {
        panic!("nobody else is there");
    };
    let activity = |number: usize| Activity {
        entity: if number.is_multiple_of(2) { "invoice" } else { "customer" }.into(),
        action: if number.is_multiple_of(3) { "held" } else { "created" }.into(),
        local_id: number.to_string(),
        customer_id: (number % 5).to_string(),
        label: format!("record-{number}-"),
        message: format!("<b>{number}</b>"),
        more: vec![("amount".into(), "115.00".into())],
        ..Activity::default()
    };
    for (day, numbers) in [(0, 1..=100), (1, 101..=250)] {
        let activities: Vec<_> = numbers.map(activity).collect();
        let change = Change { table: "t".into(), key: "k".into(), value: Some(day.to_string()) };
        let commit = Commit { fence: &fence, expect: &[], changes: &[change], activities: &activities };
        site.store.guest_commit(commit, at(day * 86_400)).await.unwrap();
    }
    let mut ann = site.ann().await;
    let log = "/installations/isp/activity";
    let labels = |page: &Page| -> Vec<usize> {
        page.text.split("record-").skip(1).map(|rest| rest.split('-').next().unwrap().parse().unwrap()).collect()
    };
    let page = ann.get(log).await;
    assert_eq!(labels(&page), (151..=250).rev().collect::<Vec<_>>());
    page.shows(&["&#60;b&#62;250&#60;/b&#62;", "amount: 115.00", "Next page"]);
    assert!(!page.has("<b>") && !page.has("first page"));
    let second = ann.get(&format!("{log}?before=151")).await;
    assert_eq!(labels(&second), (51..=150).rev().collect::<Vec<_>>());
    let third = ann.get(&format!("{log}?before=51")).await;
    assert_eq!(labels(&third).len(), 50);
    assert!(!third.has("Next page") && third.has("first page"));

    let matching = |keep: fn(usize) -> bool| -> Vec<usize> { (1..=250).rev().filter(|number| keep(*number)).take(100).collect() };
    // The second day begins at 22:00 UTC of the first; both batches are of 20:26 UTC.
    let second_day = (at(86_400) + TimeDelta::hours(2)).date_naive();
    for (query, expected) in [
        ("entity=invoice&action=&customer=&since=".to_owned(), matching(|number| number % 2 == 0)),
        ("action=held".to_owned(), matching(|number| number % 3 == 0)),
        ("entity=customer&action=held&customer=3".to_owned(), matching(|number| number % 2 == 1 && number % 3 == 0 && number % 5 == 3)),
        (format!("since={second_day}&entity=invoice&action=held"), matching(|number| number > 100 && number % 6 == 0)),
        (format!("run={run}&customer=0&action=held"), matching(|number| number % 15 == 0)),
        ("run=99".to_owned(), Vec::new()),
        ("entity=%3Cscript%3E".to_owned(), Vec::new()),
        ("since=nonsense&before=nonsense&entity=customer".to_owned(), matching(|number| number % 2 == 1)),
    ] {
        let page = ann.get(&format!("{log}?{query}")).await;
        assert_eq!(labels(&page), expected, "{query}");
        assert!(!page.has("<script>"));
    }
    // The way on keeps the filter.
    let page = ann.get(&format!("{log}?entity=invoice")).await;
    page.shows(&["entity=invoice&#38;before=", r#"<option selected>invoice</option>"#, "Clear"]);
    site.stop().await;
}

#[tokio::test]
async fn the_scheduler_starts_what_is_switched_on_and_a_second_one_does_not() {
    let site = Site::new("").await;
    let mut ann = site.ann().await;
    let other = Host::open_with(
        HostConfig { data_dir: site._folder.path().to_owned(), database_url: Store::default_url(site._folder.path()) },
        site.clock.clone(),
        Limits::default(),
    );
    let other = Server::bind(other.await.unwrap(), site.clock.clone(), "127.0.0.1:0", "".parse().unwrap()).await.unwrap();
    let (stop_other, other_stopped) = oneshot::channel();
    let other = tokio::spawn(other.run(async {
        let _ = other_stopped.await;
    }));
    ann.post("/installations/isp/settings", &[("automatic", "on"), ("every", "60")]).await;
    let finished = async |amount: usize| {
        loop {
            let runs = site.store.runs("isp", None, 10).await.unwrap();
            if runs.len() == amount && runs.iter().all(|run| run.state == RunState::Finished) {
                return runs;
            }
            assert!(runs.len() <= amount, "{runs:?}");
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
    };
    let runs = finished(1).await;
    assert_eq!((runs[0].job.as_str(), runs[0].trigger, runs[0].actor.as_str()), ("finish", Trigger::Schedule, "scheduler"));
    // The fixture's clock says 20:26:40 UTC.
    ann.get("/installations/isp").await.shows(&["Next: Finish", "23:00:00", "schedule"]);
    site.clock.advance(TimeDelta::hours(5));
    finished(2).await;
    let paused_until = site.clock.now() + TimeDelta::minutes(10);
    site.store.set_resume("isp", "finish", Some(paused_until)).await.unwrap();
    site.clock.advance(TimeDelta::minutes(11));
    assert_eq!(finished(3).await[0].trigger, Trigger::Resume);
    stop_other.send(()).unwrap();
    other.await.unwrap().unwrap();
    site.stop().await;
}
