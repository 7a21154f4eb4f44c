//! To open a page is not to have requests sent: what a person sees who may only look.

use std::sync::Arc;

use addon_host::store::Role;

use super::site::{MANIFEST, Site};
use crate::effects::sending;
use crate::fixtures::{at, by};
use crate::service::{Service, answer};

/// Pages that show lists of the add-on.
const PAGES: [&str; 3] = [
    "/installations/isp/settings",
    "/installations/isp/mappings",
    "/installations/isp",
];

#[tokio::test]
async fn a_person_who_may_only_look_has_nothing_sent_with_the_operators_credentials() {
    let service = Arc::new(Service::start(|_| answer(200, "{}")).await);
    let connection = format!(
        "[connections.books]\nbase_url = \"{0}/\"\nhosts = [\"{0}\"]\nprivate_addresses = true\ncounted_by = [\"name\"]\n\
         auth = [{{ type = \"basic\", user = \"name\", password = \"password\" }}]\nper_minute = 6000\n\n[[settings]]",
        service.address().trim_end_matches('/')
    );
    let manifest = MANIFEST.replacen("[[settings]]", &connection, 1);
    let site = Site::with("", &manifest, &sending("GET", "items", None)).await;
    let mut ann = site.ann().await;
    ann.post(
        "/installations/isp/settings",
        &[("password", "hunter2-secret")],
    )
    .await;
    let hash = site
        .store
        .account("ann")
        .await
        .unwrap()
        .unwrap()
        .password_hash;
    site.store
        .save_account_as("vera", &hash, Some(Role::View), &by(at(0)))
        .await
        .unwrap();
    let before = service.count();
    let mut vera = site.visitor();
    vera.log_in("vera", super::site::PASSWORD).await;
    for page in PAGES {
        let page = vera.get(page).await;
        assert_eq!(page.status, 200, "{}", page.text);
    }
    vera.get(PAGES[0]).await.shows(&["may run jobs"]);
    assert_eq!(service.count(), before, "nothing left");
    ann.get(PAGES[0]).await;
    assert!(service.count() > before, "who may run jobs has it asked");
    // What was asked for them is there for all.
    let after = service.count();
    let page = vera.get(PAGES[0]).await;
    assert!(!page.has("may run jobs"), "{}", page.text);
    assert_eq!(service.count(), after);
}
