//! What every page has to be, whatever it is about: quiet in the console, no wider than the screen, and usable by everybody, as far
//! as axe can tell.

use std::path::Path;

use serde_json::Value;

use crate::browser::{Browser, Looks};
use crate::driver::Own;

/// Rules that count. Those for which people have to decide are left to people.
const RULES: &str = "['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']";

/// What the console says of a page that answers with an error on purpose.
const REFUSED: &str = "Failed to load resource: the server responded with a status of 4";

impl Browser {
    /// Looks at the page that is shown in every light, and on a phone; keeps a picture of each.
    ///
    /// # Panics
    /// Where something is found.
    pub async fn inspect(&self, name: &str) {
        // Unlike other commands, pictures do not wait for a page that is on its way, and hang.
        self.text().await;
        for looks in Looks::ALL {
            self.look_as(looks).await;
            self.picture(name, looks).await;
            if self.scripts {
                self.check_width(looks).await;
                self.check_access(looks).await;
            }
        }
        self.look_as(Looks::Light).await;
        self.check_console().await;
    }

    /// # Panics
    /// Where the console has an error.
    pub async fn check_console(&self) {
        let lines = self
            .client
            .issue_cmd(Own::Console)
            .await
            .expect("the console");
        let bad: Vec<&Value> = lines
            .as_array()
            .into_iter()
            .flatten()
            .filter(|line| line["level"] == "SEVERE" || line["level"] == "WARNING")
            .filter(|line| {
                !line["message"]
                    .as_str()
                    .unwrap_or_default()
                    .contains(REFUSED)
            })
            .collect();
        assert!(bad.is_empty(), "{}: {bad:?}", self.path().await);
    }

    /// # Panics
    /// Where what has the focus does not show it.
    pub async fn check_focus(&self) {
        let shown = self
            .ask("const style = getComputedStyle(document.activeElement); return style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 2")
            .await;
        assert_eq!(
            shown,
            true,
            "the focus cannot be seen on {}",
            self.path().await
        );
    }

    async fn check_width(&self, looks: Looks) {
        let wide = self
            .ask("return document.documentElement.scrollWidth - document.documentElement.clientWidth")
            .await;
        assert_eq!(wide, 0, "{} is too wide, {looks:?}", self.path().await);
    }

    async fn check_access(&self, looks: Looks) {
        let Some(engine) = engine() else { return };
        // Only once a page: it is large.
        if self.ask("return typeof axe").await == "undefined" {
            self.ask(&engine).await;
        }
        let run = format!(
            "const done = arguments[arguments.length - 1];
             axe.run(document, {{ runOnly: {RULES} }}).then(
               (found) => done(found.violations.map((one) => `${{one.id}} (${{one.impact}}): ${{one.nodes.map((node) => node.html).join(' ; ')}}`)),
               (error) => done([String(error)]));"
        );
        let found = self.client.execute_async(&run, Vec::new()).await;
        let found = found.expect("axe runs");
        let found: Vec<&str> = found
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .collect();
        assert!(
            found.is_empty(),
            "{}, {looks:?}:\n{}",
            self.path().await,
            found.join("\n")
        );
    }
}

/// axe-core, where `scripts/browser` has put it; without it the pages are looked at all the same.
fn engine() -> Option<String> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("node_modules/axe-core/axe.min.js");
    std::fs::read_to_string(file).ok()
}
