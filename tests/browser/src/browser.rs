//! One window, and what a person does in it.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use fantoccini::elements::Element;
use fantoccini::key::Key;
use fantoccini::{Client, ClientBuilder, Locator};
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::driver::{Driver, Own};

/// How long something may take to appear.
const PATIENCE: Duration = Duration::from_secs(30);

/// What kind of screen looks at the pages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Looks {
    Light,
    Dark,
    /// Narrow, as the smallest that are in use.
    Phone,
}

impl Looks {
    pub const ALL: [Self; 3] = [Self::Light, Self::Dark, Self::Phone];

    fn name(self) -> &'static str {
        match self {
            Self::Light => "light",
            Self::Dark => "dark",
            Self::Phone => "phone",
        }
    }
}

pub struct Browser {
    pub(crate) client: Client,
    pub(crate) scripts: bool,
    /// Of the host's pages, with the slash at its end.
    base: String,
    _driver: Driver,
    _profile: TempDir,
}

impl Browser {
    /// A browser that knows the host's address, with scripts.
    pub async fn open(base: &str) -> Self {
        Self::with(base, true).await
    }

    /// A browser in which scripts are switched off.
    pub async fn without_scripts(base: &str) -> Self {
        Self::with(base, false).await
    }

    async fn with(base: &str, scripts: bool) -> Self {
        let driver = Driver::start();
        let profile = tempfile::tempdir().expect("a folder");
        let arguments = [
            "--headless=new".to_owned(),
            // The tests may run as root, where Chromium has no sandbox; it visits nothing but the host.
            "--no-sandbox".to_owned(),
            "--disable-gpu".to_owned(),
            "--disable-dev-shm-usage".to_owned(),
            "--window-size=1280,900".to_owned(),
            format!("--user-data-dir={}", profile.path().display()),
        ];
        let allowed = if scripts { 1 } else { 2 };
        let capabilities = json!({
            "goog:chromeOptions": {
                "args": arguments,
                "prefs": { "profile.managed_default_content_settings.javascript": allowed },
            },
            "goog:loggingPrefs": { "browser": "ALL" },
            // The driver can miss the end of a load while a page reloads itself; what has to be there is waited for anyhow.
            "timeouts": { "pageLoad": 10_000 },
        });
        let Value::Object(capabilities) = capabilities else {
            unreachable!("an object was written")
        };
        let client = ClientBuilder::new(HttpConnector::new())
            .capabilities(capabilities)
            .connect(&driver.address)
            .await
            .expect("a browser");
        Self {
            client,
            scripts,
            base: base.to_owned(),
            _driver: driver,
            _profile: profile,
        }
    }

    /// Goes to a page of the host. A browser that has only just begun, on a machine with much to do, may not answer in time;
    /// the page is then asked for again, as a person would.
    pub async fn visit(&self, path: &str) {
        let address = format!("{}{}", self.base, path.trim_start_matches('/'));
        let started = Instant::now();
        while let Err(error) = self.client.goto(&address).await {
            let again = error.is_timeout() && started.elapsed() < PATIENCE;
            assert!(again, "{address}: {error}");
        }
    }

    /// Path and query of the page that is shown.
    pub async fn path(&self) -> String {
        let address = self.client.current_url().await.expect("an address");
        let query = address.query().map(|query| format!("?{query}"));
        format!("{}{}", address.path(), query.unwrap_or_default())
    }

    pub async fn text(&self) -> String {
        let started = Instant::now();
        loop {
            // A page that is being left has no text for a moment.
            if let Ok(body) = self.client.find(Locator::Css("body")).await
                && let Ok(text) = body.text().await
            {
                return text;
            }
            assert!(started.elapsed() < PATIENCE, "there is no page");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Waits until the page says something.
    pub async fn sees(&self, text: &str) {
        let started = Instant::now();
        loop {
            let shown = self.text().await;
            if shown.contains(text) {
                return;
            }
            if started.elapsed() > PATIENCE {
                panic!("{text:?} is not on {}: {shown}", self.path().await);
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// Follows the link that is called so.
    pub async fn follow(&self, name: &str) {
        let link = self.named("a", name).await;
        self.click(link).await;
    }

    /// Presses the button that is called so.
    pub async fn press(&self, name: &str) {
        let button = self.named("button", name).await;
        self.click(button).await;
    }

    async fn click(&self, element: Element) {
        match element.click().await {
            Err(error) if !error.is_timeout() => panic!("it cannot be clicked: {error}"),
            _ => {}
        }
    }

    /// By its text or its label for those who do not see it.
    async fn named(&self, tag: &str, name: &str) -> Element {
        let name = quoted(name);
        let path = format!(
            "//{tag}[normalize-space(.)={name} or @aria-label={name}] | //{tag}[starts-with(normalize-space(.), concat({name}, ' '))]"
        );
        self.find(&path).await
    }

    async fn find(&self, path: &str) -> Element {
        let started = Instant::now();
        loop {
            let error = match self.client.find(Locator::XPath(path)).await {
                Ok(element) => return element,
                Err(error) => error,
            };
            // The driver answers late, too, while a page is still on its way.
            let later = error.is_no_such_element() || error.is_timeout();
            if !later || started.elapsed() > PATIENCE {
                panic!(
                    "{path} is not on {} ({error}): {}",
                    self.path().await,
                    self.text().await
                );
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// The field with that label.
    async fn field(&self, label: &str) -> Element {
        let label = quoted(label);
        let titled = format!(
            "//label[normalize-space(.)={label} or starts-with(normalize-space(.), concat({label}, ' '))]"
        );
        self.find(&format!(
            "//*[@id = {titled}/@for] | {titled}//input[not(@type='hidden')]"
        ))
        .await
    }

    /// Empties a field and types into it.
    pub async fn fill(&self, label: &str, value: &str) {
        let field = self.field(label).await;
        field.clear().await.expect("a field to write in");
        field.send_keys(value).await.expect("a field to write in");
    }

    /// Gives a file to a field.
    pub async fn fill_file(&self, label: &str, file: &str) {
        let field = self.field(label).await;
        field.send_keys(file).await.expect("a field for a file");
    }

    /// Opens what is folded away under that.
    pub async fn unfold(&self, name: &str) {
        let summary = self.named("summary", name).await;
        self.click(summary).await;
    }

    pub async fn choose(&self, label: &str, option: &str) {
        let field = self.field(label).await;
        field
            .select_by_label(option)
            .await
            .unwrap_or_else(|error| panic!("{option:?} of {label:?}: {error}"));
    }

    /// Gives the field with that key a value as the command line writes it: several are parted by commas.
    pub async fn set(&self, key: &str, value: &str) {
        let css = format!("[name={key:?}]:not([type=hidden])");
        let fields = self.client.find_all(Locator::Css(&css)).await;
        let fields = fields.expect("a form");
        let [first, ..] = fields.as_slice() else {
            panic!("{key} is not on {}", self.path().await);
        };
        let kind = first.attr("type").await.expect("a field");
        if kind.as_deref() == Some("checkbox") {
            for field in &fields {
                let own = field
                    .attr("value")
                    .await
                    .expect("a box")
                    .unwrap_or_default();
                let wanted = value.split(',').any(|one| one == own);
                if wanted != field.is_selected().await.expect("a box") {
                    self.click(field.clone()).await;
                }
            }
        } else if first.tag_name().await.expect("a field") == "select" {
            let chosen = first.select_by_value(value).await;
            chosen.unwrap_or_else(|error| panic!("{key}={value}: {error}"));
        } else if kind.as_deref() == Some("date") {
            // People write dates in their own order; the browser takes a locale's.
            let mut parts = value.split('-');
            let (year, month, day) = (parts.next(), parts.next(), parts.next());
            let [year, month, day] = [year, month, day].map(Option::unwrap_or_default);
            first
                .send_keys(&format!("{month}{day}{year}"))
                .await
                .expect("a date");
        } else {
            first.clear().await.expect("a field to write in");
            first.send_keys(value).await.expect("a field to write in");
        }
    }

    /// Ticks a box, or leaves it ticked.
    pub async fn tick(&self, label: &str) {
        let field = self.field(label).await;
        if !field.is_selected().await.expect("a box") {
            self.click(field).await;
        }
    }

    /// Ticks the box in the row of a table that holds a text.
    pub async fn tick_row(&self, text: &str) {
        let text = quoted(text);
        let path =
            format!("//tr[td[contains(normalize-space(.), {text})]]//input[@type='checkbox']");
        let field = self.find(&path).await;
        self.click(field).await;
    }

    /// Presses keys where the focus is.
    pub async fn keys(&self, keys: &str) {
        let focused = self.client.active_element().await.expect("a focus");
        focused.send_keys(keys).await.expect("keys");
    }

    /// Moves the focus by the tabulator until it is on what is called so; how often it was pressed.
    pub async fn tab_to(&self, name: &str) -> usize {
        for presses in 1..200 {
            self.keys(&char::from(Key::Tab).to_string()).await;
            let focused = self.client.active_element().await.expect("a focus");
            let text = focused.text().await.unwrap_or_default();
            let label = focused.attr("aria-label").await.ok().flatten();
            let id = focused.attr("id").await.ok().flatten();
            if text.trim() == name || label.as_deref() == Some(name) || id.as_deref() == Some(name)
            {
                return presses;
            }
        }
        panic!(
            "{name:?} cannot be reached by the keyboard on {}",
            self.path().await
        );
    }

    /// Asks the page's own script engine.
    pub async fn ask(&self, script: &str) -> Value {
        let answer = self.client.execute(script, Vec::new()).await;
        answer.expect("scripts are switched on")
    }

    pub async fn look_as(&self, looks: Looks) {
        let scheme = if looks == Looks::Dark {
            "dark"
        } else {
            "light"
        };
        let features = json!([{ "name": "prefers-color-scheme", "value": scheme }]);
        self.tools(
            "Emulation.setEmulatedMedia",
            json!({ "features": features }),
        )
        .await;
        let (width, height) = if looks == Looks::Phone {
            (360, 740)
        } else {
            (1280, 900)
        };
        let screen = json!({
            "width": width, "height": height, "deviceScaleFactor": 1, "mobile": looks == Looks::Phone,
        });
        self.tools("Emulation.setDeviceMetricsOverride", screen)
            .await;
    }

    /// Keeps a picture of the whole page under `target/screenshots`, for people to look at.
    pub async fn picture(&self, name: &str, looks: Looks) {
        let picture = self
            .tools(
                "Page.captureScreenshot",
                json!({ "captureBeyondViewport": true }),
            )
            .await;
        let bytes = BASE64_STANDARD
            .decode(picture["data"].as_str().unwrap_or_default())
            .expect("a picture");
        let folder = pictures();
        std::fs::create_dir_all(&folder).expect("a folder");
        let file = folder.join(format!("{name}-{}.png", looks.name()));
        std::fs::write(file, bytes).expect("a picture");
    }

    pub(crate) async fn tools(&self, command: &'static str, parameters: Value) -> Value {
        let answer = self.client.issue_cmd(Own::Tools(command, parameters)).await;
        answer.unwrap_or_else(|error| panic!("{command}: {error}"))
    }

    pub async fn close(self) {
        self.client.close().await.expect("the browser ends");
    }
}

fn pictures() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    root.join("target/screenshots")
}

/// A text as XPath writes it.
fn quoted(text: &str) -> String {
    if text.contains('"') {
        format!("'{text}'")
    } else {
        format!("\"{text}\"")
    }
}
