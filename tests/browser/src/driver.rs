//! `chromedriver`, started for one browser and ended with it, and the commands that WebDriver itself does not have.

use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};

use fantoccini::wd::WebDriverCompatibleCommand;
use http::Method;
use serde_json::{Value, json};
use url::{ParseError, Url};

const PROGRAM: &str = "chromedriver";

/// Whether the tests of this crate have to be passed over; with `REQUIRE_BROWSER=1` they may not be.
///
/// # Panics
/// Where a browser is required and there is none.
pub fn is_missing() -> bool {
    let found = Command::new(PROGRAM).arg("--version").output().is_ok();
    let required = std::env::var("REQUIRE_BROWSER").is_ok_and(|value| value == "1");
    assert!(
        found || !required,
        "there is no {PROGRAM}: scripts/setup installs it"
    );
    if !found {
        eprintln!("skipped: no {PROGRAM}; scripts/setup installs it");
    }
    !found
}

pub(crate) struct Driver {
    child: Child,
    pub address: String,
}

impl Driver {
    pub fn start() -> Self {
        let mut child = Command::new(PROGRAM)
            .arg("--port=0")
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            // The browser is a child of the driver's, and has to go with it.
            .process_group(0)
            .spawn()
            .expect("chromedriver starts");
        let out = child.stdout.take().expect("its output is piped");
        let port = BufReader::new(out)
            .lines()
            .map_while(Result::ok)
            .find_map(|line| {
                let (_, port) = line.split_once("started successfully on port ")?;
                Some(port.trim_end_matches('.').to_owned())
            })
            .expect("chromedriver says its port");
        Self {
            child,
            address: format!("http://127.0.0.1:{port}"),
        }
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        // Already gone is as good.
        let group = format!("-{}", self.child.id());
        let _ = Command::new("kill").args(["-KILL", "--", &group]).status();
        let _ = self.child.wait();
    }
}

/// A command of Chromium's own, beyond WebDriver.
#[derive(Debug)]
pub(crate) enum Own {
    /// Of the DevTools protocol.
    Tools(&'static str, Value),
    /// What was written to the console since the last time.
    Console,
}

impl WebDriverCompatibleCommand for Own {
    fn endpoint(&self, base: &Url, session: Option<&str>) -> Result<Url, ParseError> {
        let session = session.unwrap_or_default();
        let path = match self {
            Self::Tools(..) => "goog/cdp/execute",
            Self::Console => "se/log",
        };
        base.join(&format!("session/{session}/{path}"))
    }

    fn method_and_body(&self, _: &Url) -> (Method, Option<String>) {
        let body = match self {
            Self::Tools(command, parameters) => json!({ "cmd": command, "params": parameters }),
            Self::Console => json!({ "type": "browser" }),
        };
        (Method::POST, Some(body.to_string()))
    }
}
