//! A real server with a real host behind it, and a browser that asks it over HTTP.

use std::pin::Pin;
use std::sync::{Arc, Mutex};

use addon_host::clock::Clock;
use addon_host::host::{Host, HostConfig, Terms};
use addon_host::installations;
use addon_host::runs::Limits;
use addon_host::server::Server;
use addon_host::store::{NewRun, RunId, Store, Trigger};
use addon_host::vault::Secret;
use addon_host::web::login::password;
use chrono::{DateTime, TimeDelta, Utc};
use reqwest::{Client, Method, Response, StatusCode, redirect};
use tempfile::TempDir;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::fixtures::{at, by};
use crate::guest::{guest, package};

/// The guest of `guest.wat`, with one setting of each kind. It has no choices to offer, and its page cannot be read.
pub const MANIFEST: &str = r#"[addon]
id = "guest"
version = "1.0.0"
title = "Guest & Co"
interface = "splynx:addon@1.0.0"
component = "guest.wasm"
state = 1

[activity]
local = "Splynx id"
remote = "Sage id"
turned = ["receipt"]

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
search = true

[[reports]]
id = "plan"
title = "The plan"
columns = ["Act", "Reason"]
"#;

pub const PASSWORD: &str = "correct horse";

/// Stands still until a test moves it.
pub struct Stopped(Mutex<DateTime<Utc>>);

impl Stopped {
    pub fn at(instant: DateTime<Utc>) -> Self {
        Self(Mutex::new(instant))
    }

    pub fn advance(&self, by: TimeDelta) {
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

pub struct Site {
    pub store: Store,
    pub clock: Arc<Stopped>,
    pub address: String,
    pub client: Client,
    stop: oneshot::Sender<()>,
    serving: JoinHandle<std::io::Result<()>>,
    _folder: TempDir,
}

/// A browser of one person: keeps its cookie, follows nothing by itself.
pub struct Browser<'s> {
    pub site: &'s Site,
    pub cookie: Option<String>,
}

pub struct Page {
    pub status: StatusCode,
    pub location: String,
    pub text: String,
}

impl Site {
    pub async fn new(base: &str) -> Self {
        Self::with(base, MANIFEST, guest()).await
    }

    /// With another add-on; its id is `guest`.
    pub async fn with(base: &str, manifest: &str, component: &[u8]) -> Self {
        Self::serving(base, manifest, component, |server| server).await
    }

    /// With a server that is changed before it serves.
    pub async fn serving(
        base: &str,
        manifest: &str,
        component: &[u8],
        change: impl FnOnce(Server) -> Server,
    ) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock = Arc::new(Stopped::at(at(0)));
        let (data_dir, database_url) =
            (folder.path().to_owned(), Store::default_url(folder.path()));
        let config = HostConfig {
            data_dir,
            database_url,
        };
        let host = Host::open_with(config, clock.clone(), Limits::default())
            .await
            .unwrap();
        host.install_package(&package(manifest, component), Terms::DEVELOPMENT, "ann")
            .await
            .unwrap();
        let store = host.store().clone();
        installations::create(&store, "isp", "guest", &by(at(0)))
            .await
            .unwrap();
        let hash = password::hash(&Secret::new(PASSWORD)).unwrap();
        store.save_account("ann", &hash, &by(at(0))).await.unwrap();
        let server = Server::bind(host, clock.clone(), "127.0.0.1:0", base.parse().unwrap())
            .await
            .unwrap();
        let server = change(server);
        let address = server
            .admin_page()
            .unwrap()
            .trim_end_matches('/')
            .to_owned();
        let (stop, stopped) = oneshot::channel();
        let serving = tokio::spawn(server.run(async {
            let _ = stopped.await;
        }));
        // The reason is given where the host makes its own client.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = Client::builder()
            .no_proxy()
            // The server closes connections that it has had enough of; a request that was sent into one is lost.
            .pool_max_idle_per_host(0)
            .redirect(redirect::Policy::none())
            .build()
            .unwrap();
        Self {
            store,
            clock,
            address,
            client,
            stop,
            serving,
            _folder: folder,
        }
    }

    pub fn visitor(&self) -> Browser<'_> {
        Browser {
            site: self,
            cookie: None,
        }
    }

    pub async fn ann(&self) -> Browser<'_> {
        let mut browser = self.visitor();
        let page = browser.log_in("ann", PASSWORD).await;
        assert_eq!(page.status, StatusCode::SEE_OTHER, "{}", page.text);
        browser
    }

    /// As a service delivers a message.
    pub async fn deliver(&self, path: &str, signature: &str, body: &str) -> (StatusCode, String) {
        let request = self
            .client
            .post(format!("{}{path}", self.address))
            .header("content-type", "application/json")
            .header("x-signature", signature)
            .body(body.to_owned());
        let answer = request.send().await.unwrap();
        (answer.status(), answer.text().await.unwrap())
    }

    /// A run that found its end elsewhere.
    pub async fn run(&self, job: &str, preview: bool) -> RunId {
        let new = NewRun {
            installation: "isp",
            job,
            trigger: Trigger::Person,
            actor: "ann",
            preview,
            package_sha256: "x",
            options: &[],
            whole_options: None,
        };
        self.store.insert_run(new, at(0)).await.unwrap()
    }

    pub async fn stop(self) {
        self.stop.send(()).unwrap();
        self.serving.await.unwrap().unwrap();
    }
}

impl Browser<'_> {
    pub async fn send(
        &mut self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        form: &[(&str, &str)],
    ) -> Response {
        let mut request = self
            .site
            .client
            .request(method.clone(), format!("{}{path}", self.site.address));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if let Some(cookie) = &self.cookie {
            request = request.header("cookie", cookie);
        }
        if method == Method::POST {
            let mut body = url::form_urlencoded::Serializer::new(String::new());
            body.extend_pairs(form);
            request = request
                .header("content-type", "application/x-www-form-urlencoded")
                .body(body.finish());
        }
        let response = request.send().await.unwrap();
        if let Some(set) = response.headers().get("set-cookie") {
            let pair = set.to_str().unwrap().split(';').next().unwrap();
            self.cookie = (!pair.ends_with('=')).then(|| pair.to_owned());
        }
        response
    }

    pub async fn get(&mut self, path: &str) -> Page {
        Page::of(self.send(Method::GET, path, &[], &[]).await).await
    }

    /// As a browser posts a form of the same site.
    pub async fn post(&mut self, path: &str, form: &[(&str, &str)]) -> Page {
        Page::of(
            self.send(
                Method::POST,
                path,
                &[("sec-fetch-site", "same-origin")],
                form,
            )
            .await,
        )
        .await
    }

    pub async fn log_in(&mut self, account: &str, password: &str) -> Page {
        self.post("/login", &[("account", account), ("password", password)])
            .await
    }
}

impl Page {
    pub async fn of(response: Response) -> Self {
        let location = response
            .headers()
            .get("location")
            .map(|value| value.to_str().unwrap().to_owned());
        let status = response.status();
        Self {
            status,
            location: location.unwrap_or_default(),
            text: response.text().await.unwrap(),
        }
    }

    pub fn has(&self, text: &str) -> bool {
        self.text.contains(text)
    }

    #[track_caller]
    pub fn shows(&self, texts: &[&str]) {
        for text in texts {
            assert!(
                self.has(text),
                "`{text}` is missing from ({}) {}",
                self.status,
                self.text
            );
        }
    }
}
