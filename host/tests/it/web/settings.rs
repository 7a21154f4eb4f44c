//! Forms of settings and mappings.

use addon_host::store::StoredValue;
use reqwest::StatusCode;

use super::site::Site;

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
        r##"<a href="#f-every">Minutes</a>"##,
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
