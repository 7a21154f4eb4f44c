//! Forms of settings and mappings.

use addon_host::store::{SettingChange, StoredValue};
use reqwest::StatusCode;

use super::site::Site;
use super::tables;
use crate::fixtures::at;
use crate::guest::table_guest;

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
    let wrong = [
        ("name", evil),
        ("password", "hunter2-secret"),
        ("every", "3"),
        ("zone", "Mars"),
        ("automatic", "off"),
    ];
    let page = ann.post(settings, &wrong).await;
    assert_eq!(page.status, StatusCode::UNPROCESSABLE_ENTITY);
    page.shows(&[
        r##"<a href="#f-every" autofocus>Minutes</a>"##,
        "Minutes 3 is out of range. At least 5.",
        "`Mars` is not a time zone",
        r#"value="3""#,
        "&#60;script&#62;",
        "type it again",
    ]);
    assert!(
        !page.has("<script>alert") && !page.has("hunter2"),
        "{}",
        page.text
    );
    assert!(
        site.store.settings("isp").await.unwrap().is_empty(),
        "nothing was saved"
    );

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
    assert_eq!(
        (page.status, page.location.as_str()),
        (StatusCode::SEE_OTHER, "/installations/isp/settings?saved=5")
    );
    let page = ann.get(&page.location).await;
    page.shows(&[
        "5 settings were saved",
        "&#60;script&#62;",
        "Type a new one to replace it",
        r#"value="7,8""#,
        "41001",
    ]);
    assert!(!page.has("<script>alert") && !page.has("hunter2"));
    let stored = site.store.settings("isp").await.unwrap();
    let keys: Vec<_> = stored
        .iter()
        .map(|setting| (setting.key.as_str(), setting.changed_by.as_str()))
        .collect();
    let by_ann = ["automatic", "days", "name", "partners", "password"].map(|key| (key, "ann"));
    assert!(
        by_ann.iter().all(|setting| keys.contains(setting)),
        "{keys:?}"
    );
    assert_eq!(
        keys.len(),
        6,
        "what was not changed is not stored; the company was fetched: {keys:?}"
    );
    assert!(matches!(
        &stored
            .iter()
            .find(|one| one.key == "password")
            .unwrap()
            .value,
        StoredValue::Sealed(_)
    ));

    // Left empty, the secret stays; ticked off, it goes. An unticked box counts as off.
    let page = ann
        .post(
            settings,
            &[("password", ""), ("automatic", "off"), ("days", "")],
        )
        .await;
    assert_eq!(page.location, "/installations/isp/settings?saved=2");
    assert!(ann.get(settings).await.has("Type a new one to replace it"));
    let page = ann
        .post(settings, &[("password", ""), ("remove:password", "on")])
        .await;
    assert_eq!(page.location, "/installations/isp/settings?saved=1");
    let page = ann.get(&page.location).await;
    page.shows(&["One setting was saved", "First: Password is not set."]);
    assert!(!page.has("Type a new one to replace it"));

    // Mappings: rows that are stored stay in sight although the guest offers none.
    let mappings = "/installations/isp/mappings";
    let page = ann
        .post(
            mappings,
            &[
                ("item.5", "1001"),
                ("item.6", ""),
                ("name", "not a mapping"),
            ],
        )
        .await;
    assert_eq!(page.location, "/installations/isp/mappings?saved=1");
    let page = ann.get(mappings).await;
    page.shows(&[r#"name="item.5" value="1001""#, "5 (not in the list)"]);
    let page = ann
        .post(mappings, &[("item.5", "1002"), ("tax.1", "3")])
        .await;
    assert_eq!(page.status, StatusCode::UNPROCESSABLE_ENTITY);
    page.shows(&[
        "Nothing was saved: tax.1: is not a setting of this add-on",
        r#"value="1002""#,
    ]);
    site.stop().await;
}

/// F9, F24, F38, F47, F55, F56, I13, I14, D4: what cannot be is refused with its field and its cure; what is gone since is shown as
/// stale.
#[tokio::test]
async fn a_choice_must_be_in_its_list_and_a_stale_one_is_shown_as_such() {
    let site = Site::with("", tables::MANIFEST, table_guest()).await;
    let mut ann = site.ann().await;
    let (settings, mappings) = ("/installations/isp/settings", "/installations/isp/mappings");
    for (path, form, says) in [
        (
            settings,
            [("method", "77")],
            "Method `77` is not among the 2 of `items`.",
        ),
        (
            settings,
            [("method", "77")],
            "press Import mapping settings and choose again",
        ),
        (
            settings,
            [("methods", "1001,9")],
            "Methods `9` is not among",
        ),
        (
            settings,
            [("pattern", "{name} {nmae}")],
            "Pattern has `{nmae}`, which stands for nothing. Known: {id}, {name}.",
        ),
        (
            settings,
            [("pattern", "{name")],
            "Pattern has a `{` without its `}`",
        ),
        (
            settings,
            [("pattern", "{name} and 20 more characters")],
            "Pattern has 29 characters. At most 20",
        ),
        (
            settings,
            [("month_days", "32")],
            "`32` is no day of the month",
        ),
        (
            mappings,
            [("item.5", "77")],
            "`77` is not among the 2 of `items`",
        ),
    ] {
        let page = ann.post(path, &form).await;
        assert_eq!(page.status, StatusCode::UNPROCESSABLE_ENTITY, "{form:?}");
        page.shows(&[says]);
        assert!(site.store.settings("isp").await.unwrap().is_empty());
    }
    // A list that cannot be had keeps nobody from saving. Days come as ticks.
    let form = [
        ("method", "1001"),
        ("methods", ""),
        ("methods", "1002"),
        ("elsewhere", "12"),
        ("pattern", "{id} {name}"),
        ("month_days", ""),
        ("month_days", "31"),
        ("month_days", "1"),
        ("domain", "https://isp.example/crm"),
    ];
    let page = ann.post(settings, &form).await;
    assert_eq!(page.status, StatusCode::SEE_OTHER, "{}", page.text);
    let page = ann.get(&page.location).await;
    page.shows(&[
        // The note about the slash stands beside its field.
        r#"<p class="ok">Settings: Domain is stored as https://isp.example/crm/.</p>"#,
        r#"name="month_days" value="31" checked"#,
    ]);
    let stored = |key: &'static str| {
        let store = site.store.clone();
        async move {
            let all = store.settings("isp").await.unwrap();
            let found = all.into_iter().find(|one| one.key == key).unwrap();
            (found.value, found.changed_by)
        }
    };
    let plain = |text: &str| (StoredValue::Plain(text.to_owned()), "ann".to_owned());
    assert_eq!(stored("month_days").await, plain("1,31"));
    assert_eq!(stored("domain").await, plain("https://isp.example/crm/"));

    let page = ann.post(mappings, &[("item.5", "1002")]).await;
    assert_eq!(page.location, "/installations/isp/mappings?saved=1");
    let page = ann.get(&page.location).await;
    page.shows(&[
        r#"<option value="1002" selected>Voice</option>"#,
        // The finding that names the row stands in the row.
        r#"<p class="notes"><span class="warning">Internet is mapped oddly."#,
    ]);
    assert!(!page.has("stale"));

    // Gone since: shown with its id, kept when something else is saved, and not to be chosen again.
    for (key, value) in [("item.5", "900"), ("methods", "900,1002")] {
        let change = SettingChange {
            key: key.to_owned(),
            value: Some(StoredValue::Plain(value.to_owned())),
        };
        site.store
            .save_settings("isp", &[change], "ann", at(1))
            .await
            .unwrap();
    }
    ann.get(mappings).await.shows(&[
        r#"<option value="900" selected>900 (not in the list)</option>"#,
        r#"<span class="badge warning">stale</span> 900 is not in the list any more"#,
    ]);
    ann.get(settings).await.shows(&["900 (not in the list)"]);
    let form = [
        ("methods", ""),
        ("methods", "900"),
        ("methods", "1001"),
        ("methods", "1002"),
    ];
    let page = ann.post(settings, &form).await;
    assert_eq!(page.status, StatusCode::SEE_OTHER, "{}", page.text);
    assert_eq!(
        stored("methods").await.0,
        StoredValue::Plain("900,1001,1002".into())
    );
    site.stop().await;
}

#[tokio::test]
async fn every_change_of_a_setting_is_kept_with_who_made_it_and_no_secret_in_it() {
    let site = Site::new("").await;
    let mut ann = site.ann().await;
    let (settings, changes) = ("/installations/isp/settings", "/installations/isp/changes");
    ann.get(changes)
        .await
        .shows(&["Nobody has changed anything yet."]);
    for form in [
        &[("name", "Bob <b>"), ("password", "first-secret")][..],
        &[("name", "Bob <b>")],
        &[("password", "second-secret")],
        &[("name", "somebody"), ("every", "30")],
        &[("remove:password", "on"), ("password", "")],
    ] {
        let page = ann.post(settings, form).await;
        assert_eq!(page.status, StatusCode::SEE_OTHER, "{}", page.text);
    }
    // What was refused was not changed.
    ann.post(settings, &[("every", "1")]).await;
    let page = ann.get(changes).await;
    page.shows(&[
        "First: Name",
        "Bob &#60;b&#62;",
        "First: Password",
        "a secret, entered anew",
        "Second: Minutes",
        "not set",
        "ann",
    ]);
    for secret in ["first-secret", "second-secret"] {
        assert!(!page.has(secret));
    }
    let kept = site.store.setting_changes("isp", None, 100).await.unwrap();
    let told: Vec<(i64, &str, Option<&str>, Option<&str>)> = kept
        .iter()
        .map(|one| {
            let (before, after) = (one.before.as_deref(), one.after.as_deref());
            (one.number, one.key.as_str(), before, after)
        })
        .collect();
    assert_eq!(
        told.iter()
            .filter(|one| one.1 == "password")
            .collect::<Vec<_>>(),
        [
            &(7, "password", Some("set"), None),
            &(4, "password", Some("set"), Some("set")),
            &(2, "password", None, Some("set")),
        ],
        "{told:?}"
    );
    // What a check fetched is among them.
    assert_eq!(kept.len(), 7, "{told:?}");
    let older = site
        .store
        .setting_changes("isp", Some(2), 100)
        .await
        .unwrap();
    assert_eq!(older.len(), 1);
}
